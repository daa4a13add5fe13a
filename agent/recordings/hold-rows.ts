/**
 * A hold as the agent keeps it: id, cameras, interval (H8). Placing and releasing come with the holds issue; the sweep
 * reads every row that is in force, and a row that it cannot read holds everything (D2).
 */
import { z } from 'zod';
import { id } from '../../protocol/group.ts';
import type { Hold } from '../../protocol/hold.ts';
import { idFrom } from '../../protocol/ids.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';

export const HOLD_KINDS = ['dispute', 'crime', 'authority-order', 'misuse'] as const;
const time = z
  .int()
  .nullable()
  .transform((at): UtcMs | null => (at === null ? null : utcMs(at)));
const ids = z.array(id).max(4096).optional();

const scope = z.strictObject({
  from: time,
  to: time,
  /** Random ids of cameras. */
  cameras: ids,
  sessions: ids,
  hosts: ids,
  sites: ids,
  customers: ids,
});

export function readHold(row: { hold: Buffer; kind: string; scope: string }): Hold | null {
  const kind = HOLD_KINDS.find((one) => one === row.kind);
  try {
    const read = scope.safeParse(JSON.parse(row.scope));
    return read.success && kind !== undefined ? { hold: idFrom(row.hold), kind, scope: read.data } : null;
  } catch {
    return null;
  }
}
