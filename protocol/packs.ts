/**
 * Policy packs, by name, and the spans of key groups that follow from a policy (`docs/design/deletion.md`). What each
 * holds is data, in `packs/`.
 */
import { spanUnitOf } from './due.ts';
import { TilsynError } from './errors.ts';
import { DATA_CLASSES, type DataClass, type SpanUnit } from './group.ts';
import type { Pack } from './pack.ts';
import { AU_MANAGED_SERVICES } from './packs/au-managed-services.ts';
import { DK_MSP } from './packs/dk-msp.ts';
import { HOSTING } from './packs/hosting.ts';
import { NO_CCTV } from './packs/no-cctv.ts';
import { NONE } from './packs/none.ts';
import { SE_REMOTE_ACCESS } from './packs/se-remote-access.ts';
import type { Policy } from './policy.ts';

/** Not read for classes whose groups have no span. */
export type SpanTable = Readonly<Record<DataClass, SpanUnit>>;

/** Every pack of `docs/design/deletion.md`, and `none`. */
export const PACKS: Readonly<Record<string, Pack>> = {
  none: NONE,
  'dk-msp': DK_MSP,
  'se-remote-access': SE_REMOTE_ACCESS,
  'no-cctv': NO_CCTV,
  'au-managed-services': AU_MANAGED_SERVICES,
  hosting: HOSTING,
};

/** @throws TilsynError `policy.unknown` */
export function packOf(name: string): Pack {
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

/** Spans by class under a policy. */
export function spansOf(policy: Policy): SpanTable {
  return Object.fromEntries(DATA_CLASSES.map((cls) => [cls, spanUnitOf(policy, cls)])) as SpanTable;
}

/** Spans of a pack. @throws TilsynError `policy.unknown` */
export function packNamed(name: string): SpanTable {
  return spansOf(packOf(name).policy);
}
