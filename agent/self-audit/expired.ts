/**
 * Recordings past their due time that are still there.
 *
 * A25 What is past due and present is a finding unless its reason is told: a hold, a wait of the sweep, a file that was
 *     left alone. It is asked of the catalogue and the rules anew, not of what the sweep said of itself.
 */
import type { Hold } from '../../protocol/hold.ts';
import { ruleFor } from '../../protocol/policy.ts';
import { DAY_MS, HOUR_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { endedBy, judge, type Surroundings } from '../recordings/due.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import type { Place, RecordingSource } from '../recordings/types.ts';
import type { AuditStore } from './store.ts';
import { add, type CheckResult, leave, nothing, type Pace } from './types.ts';

const PAGE = 500;
/** Rows past due of one source that are looked at; more of them are a finding by then. */
const MOST = 100_000;
/** A recorder removes by a timetable of its own. */
const RECORDER_GRACE_MS = DAY_MS;

/** What is known of one source, for `judgeExpired`. */
export interface ExpiredFacts {
  now: UtcMs;
  /** The recorder removes, or we do. */
  erases: boolean;
  sweptAt: UtcMs | null;
  /** When its first pass ended. */
  firstAt: UtcMs | null;
  /** Of the sweep's schedule; null: it means no minute that is near. */
  periodMs: number | null;
  /** The sweep says why it waits. */
  waits: boolean;
  /** Rules or holds were changed after the last sweep: what fell due by it has not been swept yet. */
  changedSince: boolean;
  /** Past due and not kept by any rule: by when they were due. */
  past: readonly { dueAt: UtcMs; refused: boolean }[];
}

export interface ExpiredVerdict {
  /** Should be gone. */
  unexplained: number;
  explained: number;
  /** No sweep was completed in time, and none says why. */
  late: boolean;
}

/** Pure (A25). */
export function judgeExpired(facts: ExpiredFacts): ExpiredVerdict {
  const { now, erases, sweptAt, firstAt, waits, changedSince, past, periodMs } = facts;
  const by = erases ? sweptAt : now - RECORDER_GRACE_MS;
  const judged = by !== null && !(erases && changedSince);
  const since = sweptAt ?? firstAt;
  const late =
    !waits &&
    since !== null &&
    periodMs !== null &&
    now - since > 1.5 * periodMs + HOUR_MS &&
    past.length > 0;
  const unexplained = judged ? past.filter((one) => !one.refused && one.dueAt <= by).length : 0;
  return { unexplained, explained: past.length - unexplained, late };
}

export interface ExpiredSource {
  source: RecordingSource;
  erases: boolean;
  waits: boolean;
}

export interface ExpiredDeps {
  sweeps: SweepStore;
  store: AuditStore;
  sources: readonly ExpiredSource[];
  around: Surroundings | null;
  now: UtcMs | null;
  periodMs: number | null;
  pace: Pace;
}

export async function checkExpired(deps: ExpiredDeps): Promise<CheckResult> {
  const { sweeps, sources, around, now } = deps;
  const result = nothing('expired', ['exports', 'copies-elsewhere', 'backups', 'snapshots']);
  const holds = sweeps.holds();
  if (sources.length === 0) leave(result, 'no-root');
  else if (around === null) leave(result, 'no-policy');
  else if (ruleFor(around.policy, 'recording', 'managed') === null) leave(result, 'no-rule');
  else if (now === null) leave(result, 'time-untrusted');
  else if (holds === null) leave(result, 'holds-unreadable');
  else for (const one of sources) await checkSource(deps, one, { around, now, holds }, result);
  return result;
}

interface Known {
  around: Surroundings;
  now: UtcMs;
  holds: readonly Hold[];
}

async function checkSource(
  deps: ExpiredDeps,
  one: ExpiredSource,
  known: Known,
  result: CheckResult,
): Promise<void> {
  const { source, erases, waits } = one;
  if (source.state === 'first-scan') return leave(result, 'first-scan');
  const { past, held, more } = await pastDue(deps, source, known);
  const { firstAt } = deps.sweeps.read.scanned(source.id);
  const verdict = judgeExpired({
    ...{ now: known.now, erases, waits, past, sweptAt: source.sweptAt },
    firstAt: firstAt === null ? null : utcMs(firstAt),
    periodMs: deps.periodMs,
    changedSince: source.sweptAt === null || deps.store.rulesChangedAt() >= source.sweptAt,
  });
  result.looked += past.length + held;
  result.explained += verdict.explained + held;
  if (more) leave(result, 'beyond-sample');
  if (waits && verdict.explained > 0) leave(result, 'sweep-waits');
  add(result, erases ? 'expired-present' : 'recorder-late', verdict.unexplained, source.source);
  if (verdict.late) add(result, 'sweep-late', 1, source.source);
}

/** What is past due and present: by when, and how much of it a hold keeps. */
async function pastDue(
  { sweeps, store, pace }: ExpiredDeps,
  source: RecordingSource,
  { around, now, holds }: Known,
) {
  const past: { dueAt: UtcMs; refused: boolean }[] = [];
  let held = 0;
  const endBy = endedBy(around, now);
  if (endBy === null) return { past, held, more: false };
  for (const camera of sweeps.cameras(source.id)) {
    for (let after: Place | null = null; ; ) {
      const rows = sweeps.ended(camera.id, endBy, after, PAGE);
      for (const row of rows) {
        const verdict = judge(row, camera.camera, around, holds, now);
        if (verdict.verdict === 'expire' && verdict.dueAt !== null)
          past.push({ dueAt: verdict.dueAt, refused: store.refused(row.folder, row.name) });
        else if (verdict.verdict === 'keep' && verdict.reason === 'hold') held += 1;
      }
      await pace.step();
      const last = rows.at(-1);
      if (past.length >= MOST) return { past, held, more: true };
      if (last === undefined || rows.length < PAGE) break;
      after = { end: last.bounds.endLatest ?? utcMs(0), folder: last.folder, name: last.name };
    }
  }
  return { past, held, more: false };
}
