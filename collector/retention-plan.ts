/** Which key groups fall due, and when; why the others do not. Pure: it plans, others erase. */
import { type DueReason, dueOfGroup } from '../protocol/due.ts';
import type { Action, Policy } from '../protocol/policy.ts';
import type { UtcMs } from '../protocol/time.ts';
import { keptFor } from './regroup/splits.ts';
import { takesOf } from './regroup/takes.ts';
import type { GroupRow } from './store/types.ts';

export interface Planned {
  row: GroupRow;
  /** Null: `reason` says why there is none. */
  dueAt: UtcMs | null;
  reason: DueReason | 'report-only' | 'session-end' | 'kept' | 'request';
  action: Action | null;
  state: 'erasing' | 'due' | 'waiting' | 'kept';
}

/**
 * Live groups and those being erased, the first to go first; at the end what has no time.
 * @param endOf when what belongs to an agreement is erased for its end; null: it is open
 */
export function planOf(
  rows: readonly GroupRow[],
  policy: Policy,
  endOf: (agreement: NonNullable<GroupRow['agreement']>) => UtcMs | null,
  now: UtcMs,
): Planned[] {
  return rows
    .filter((row) => row.state !== 'erased')
    .map((row) => planned(row, policy, row.agreement === null ? null : endOf(row.agreement), now))
    .sort(byTime);
}

function planned(row: GroupRow, policy: Policy, agreementEndsAt: UtcMs | null, now: UtcMs): Planned {
  const takes = takesOf(row);
  if (takes?.why === 'kept')
    return { row, dueAt: null, reason: 'kept', action: null, state: stateOf(row, null, now) };
  if (takes?.why === 'request') {
    const { createdAt } = row;
    return { row, dueAt: createdAt, reason: 'request', action: 'erase', state: stateOf(row, createdAt, now) };
  }
  // Nothing in a late group was sealed before it was made.
  const late = row.kind === 'late' ? { earliest: row.createdAt, latest: row.createdAt } : null;
  const ends = takes?.ends ?? late;
  const due = dueOfGroup(keptFor(row), policy, { agreementEndsAt, ends });
  const action = due.rule?.action ?? null;
  const report = action === 'report' && due.dueAt !== null;
  const dueAt = report ? null : due.dueAt;
  // The key of a one-off session lies in memory and goes with the session, on its own lane.
  const reason = row.kind === 'oneoff' && dueAt === null ? 'session-end' : due.reason;
  return { row, dueAt, reason: report ? 'report-only' : reason, action, state: stateOf(row, dueAt, now) };
}

function stateOf(row: GroupRow, dueAt: UtcMs | null, now: UtcMs): Planned['state'] {
  if (row.state === 'erasing') return 'erasing';
  if (dueAt === null) return row.kind === 'oneoff' ? 'waiting' : 'kept';
  return dueAt <= now ? 'due' : 'waiting';
}

function byTime(a: Planned, b: Planned): number {
  const [x, y] = [a.dueAt ?? Number.POSITIVE_INFINITY, b.dueAt ?? Number.POSITIVE_INFINITY];
  if (x !== y) return x < y ? -1 : 1;
  return a.row.group < b.row.group ? -1 : 1;
}
