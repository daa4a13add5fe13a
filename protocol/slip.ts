/**
 * A hold on paper, for a site without a line (H10): what each host of it would have been ordered, signed by the collector.
 * A host takes only what names it, so that a slip is of no use anywhere else.
 *
 * H12 A slip places a hold and never ends one, so that an old one that is handed in again cannot erase anything.
 */
import { z } from 'zod';
import { id, iso } from './group.ts';
import { holdOrder } from './hold.ts';

export const holdSlip = z.strictObject({
  v: z.literal(1),
  slip: z.literal('hold'),
  site: id,
  madeAt: iso,
  /** By host. */
  orders: z.record(id, holdOrder),
  sig: z.string().max(128),
});
export type HoldSlip = z.infer<typeof holdSlip>;
