/**
 * Sealed personal data on this host that should be gone: of groups that were erased, of spans that end before what was
 * erased, and copies that were acked longer ago than they are kept. When a session's group falls due is the collector's
 * to know: it gives out no rules of sessions, and that is said.
 */
import { KEEP_ACKED_MS } from '../../protocol/frame.ts';
import { fromIso, HOUR_MS, type UtcMs } from '../../protocol/time.ts';
import type { AuditStore } from './store.ts';
import { add, type CheckResult, nothing, type Pace } from './types.ts';

/** Copies are dropped once a day: so much later each of them has had its turn twice. */
const SLACK_MS = 48 * HOUR_MS;

export interface GroupFacts {
  /** Parts and wraps of groups that are dead. */
  ofDead: number;
  /** Of the live groups with parts: when their span ends, and how many parts. Null: they have no span. */
  live: readonly { to: UtcMs | null; parts: number; session: boolean }[];
  /** What began before this was erased; null: nothing was. */
  sealFrom: UtcMs | null;
  /** Parts that were acked too long ago. */
  overdue: number;
  /** The process runs for long enough to have dropped them. */
  ranLong: boolean;
}

/** Pure. */
export function judgeGroups({ ofDead, live, sealFrom, overdue, ranLong }: GroupFacts): CheckResult {
  const result = nothing('groups', ['rules-of-sessions']);
  result.looked = live.length;
  result.of = live.length;
  const past = live.filter(
    ({ to, session }) => session && to !== null && sealFrom !== null && to <= sealFrom,
  );
  add(result, 'group-present', ofDead + past.reduce((sum, { parts }) => sum + parts, 0), null);
  if (ranLong) add(result, 'copy-overdue', overdue, null);
  else result.explained += overdue;
  return result;
}

export interface GroupDeps {
  store: AuditStore;
  now: UtcMs;
  sealFrom: UtcMs | null;
  /** Since when this process runs; null: none does. */
  startedAt: UtcMs | null;
  pace: Pace;
}

export async function checkGroups(deps: GroupDeps): Promise<CheckResult> {
  const { store, now, sealFrom, startedAt, pace } = deps;
  const live: { to: UtcMs | null; parts: number; session: boolean }[] = [];
  for (const { id, signed } of store.liveGroups()) {
    const { to, class: cls } = readGroup(signed);
    live.push({ to, parts: store.partsOf(id), session: cls === 'session' });
    await pace.step();
  }
  const before = Math.floor((now - KEEP_ACKED_MS - SLACK_MS) / HOUR_MS);
  return judgeGroups({
    ...{ ofDead: store.ofDeadGroups(), live, sealFrom, overdue: store.ackedParts(before) },
    ranLong: startedAt !== null && now - startedAt > SLACK_MS / 2,
  });
}

/** The row is the collector's signed record, checked when it came. */
function readGroup(signed: string): { to: UtcMs | null; class: unknown } {
  const { to, class: cls } = JSON.parse(signed) as { to: unknown; class: unknown };
  return { to: typeof to === 'string' ? fromIso(to) : null, class: cls };
}
