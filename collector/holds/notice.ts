/**
 * The notice duty of a dispute hold: the person concerned is told within 30 days of the earliest recording that is kept for
 * longer, or it is on record why not (H5). Pure.
 *
 * Source: TV-overvågningsloven § 4 c (5), by `reference/nvr.md` (f) 3.
 */
import { DAY_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { HoldHostRow, HoldRow } from '../store/types.ts';
import { msOf } from './reach.ts';

export const NOTICE_MS = 30 * DAY_MS;

export interface Notice {
  /** Null: nothing is known yet of what it covers. */
  dueAt: UtcMs | null;
  doneAt: UtcMs | null;
}

/**
 * Null: there is no such duty.
 * @param sessions start of the earliest session that it names
 */
export function noticeOf(
  hold: Pick<HoldRow, 'kind' | 'scope' | 'notifiedAt'>,
  hosts: readonly Pick<HoldHostRow, 'report'>[],
  sessions: UtcMs | null,
): Notice | null {
  if (hold.kind !== 'dispute') return null;
  const oldest = hosts.flatMap(({ report }) => msOf(report?.oldest ?? null) ?? []);
  // Until every host has said what it has, the beginning of the interval counts: too early is never too late.
  const open = hosts.some(({ report }) => report === null);
  const from = msOf(hold.scope.from);
  const known = [
    ...oldest,
    ...(sessions === null ? [] : [sessions]),
    ...(open && from !== null ? [from] : []),
  ];
  if (known.length === 0 && from !== null) known.push(from);
  const first = known.length === 0 ? null : Math.min(...known);
  return { dueAt: first === null ? null : utcMs(first + NOTICE_MS), doneAt: hold.notifiedAt };
}

export function isOverdue(notice: Notice | null, now: UtcMs): boolean {
  return notice !== null && notice.doneAt === null && notice.dueAt !== null && notice.dueAt < now;
}
