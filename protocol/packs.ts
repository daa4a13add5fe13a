/**
 * Policy packs, by name. This version stores the pack's name and uses only its spans (UTC day or month of a
 * key group); triggers, periods and actions come with erasing. Rule of the span (`docs/design/deletion.md`):
 * a day for periods up to 90 days counted from an event, a month otherwise.
 */

import { TilsynError } from './errors.ts';
import type { DataClass, SpanUnit } from './group.ts';

/** Not read for classes whose groups have no span. */
export type SpanTable = Readonly<Record<DataClass, SpanUnit>>;

const MONTHLY: SpanTable = {
  session: 'month',
  'host.name': 'month',
  'audit.event': 'month',
  'audit.reading': 'month',
  'hold.record': 'month',
  'person.account': 'month',
  'customer.name': 'month',
};

/** Every pack of `docs/design/deletion.md`, and `none`. Sessions hang on an agreement's end in all of them. */
export const PACKS: Readonly<Record<string, SpanTable>> = {
  none: MONTHLY,
  'dk-msp': MONTHLY,
  'se-remote-access': MONTHLY,
  'no-cctv': MONTHLY,
  'au-managed-services': MONTHLY,
  hosting: MONTHLY,
};

/** @throws TilsynError `policy.unknown` */
export function packNamed(name: string): SpanTable {
  const pack = Object.hasOwn(PACKS, name) ? PACKS[name] : undefined;
  if (pack !== undefined) return pack;
  throw new TilsynError(
    'policy.unknown',
    `choosing a policy pack: there is none called ${JSON.stringify(name)}`,
    {
      hint: `Use one of: ${Object.keys(PACKS).join(', ')}.`,
      exit: 'usage',
    },
  );
}
