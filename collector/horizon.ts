/**
 * The backup horizon: until when a copy of an erased key may exist outside of the collector. Pure.
 *
 * V30 A copy of keys is on record before it exists, and every group that was live then is taken to be in it.
 */

import type { UtcMs } from '../protocol/time.ts';
import type { GroupRow, KeyCopyRow } from './store/types.ts';

/** Null: no copy can hold the key. `until` null: one can, and nobody has said until when. */
export type Horizon = { copies: number; until: UtcMs | null } | null;

export function horizonOf(
  group: Pick<GroupRow, 'createdAt' | 'erasedAt'>,
  copies: readonly KeyCopyRow[],
): Horizon {
  const holding = copies.filter(
    ({ madeAt }) => madeAt >= group.createdAt && (group.erasedAt === null || madeAt <= group.erasedAt),
  );
  if (holding.length === 0) return null;
  const ends = holding.map(({ untilAt }) => untilAt);
  const until = ends.includes(null)
    ? null
    : ends.reduce<UtcMs | null>(
        (last, end) => (last === null || (end !== null && end > last) ? end : last),
        null,
      );
  return { copies: holding.length, until };
}
