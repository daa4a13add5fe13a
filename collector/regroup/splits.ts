/**
 * A span that was made longer than the policy in force would make it: its row says that what lies in it goes into
 * shorter ones. A field of ours beside those of the group's record: nobody signed it, and no agent reads it.
 */
import { spanOf } from '../../protocol/group.ts';
import type { SpanTable } from '../../protocol/packs.ts';
import { utcMs } from '../../protocol/time.ts';
import type { GroupRow } from '../store/types.ts';

export interface Split {
  /** Something lies in it that cannot be moved: it goes with its earliest item, as it would have without the split. */
  rest: boolean;
}

const KINDS: ReadonlySet<GroupRow['kind']> = new Set(['span', 'house']);

/** Null: it was not split. */
export function splitOf({ record }: Pick<GroupRow, 'record'>): Split | null {
  const { split } = record as GroupRow['record'] & { split?: Partial<Split> };
  return typeof split?.rest === 'boolean' ? { rest: split.rest } : null;
}

export function isSplit(row: Pick<GroupRow, 'record'>): boolean {
  return splitOf(row) !== null;
}

export function withSplit(row: GroupRow, split: Split): GroupRow {
  return { ...row, record: { ...row.record, split } as GroupRow['record'] };
}

/** True for a living span that is a month where the policy in force makes days. */
export function isTooLong(row: GroupRow, spans: SpanTable): boolean {
  if (row.state !== 'live' || !KINDS.has(row.kind) || row.from === null || row.to === null) return false;
  return spans[row.class] === 'day' && spanOf(row.from, 'day').to < row.to;
}

/**
 * The span that a group still has to be kept for. A split one is empty, and stays for what hosts sealed under it and
 * have not sent: it goes with its last day, and so takes nothing with it that is due later. Any other: its own.
 */
export function keptFor(row: GroupRow): GroupRow {
  if (splitOf(row)?.rest !== false || row.from === null || row.to === null) return row;
  return { ...row, from: spanOf(utcMs(row.to - 1), 'day').from };
}
