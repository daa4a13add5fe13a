/**
 * One self-audit: every check in its turn, and what comes of it as events.
 *
 * A1  A check that could not look is a finding, never a silent "ok"; what it did not look at is said.
 * A21 What a run found, that it took place, and that nothing is owed any more until then are one transaction: a crash
 *     before it leaves a run that did not take place, and the next start says so.
 */
import type { AuditCheck, AuditTrigger } from '../../protocol/event-audit.ts';
import { newId, type Random } from '../../protocol/ids.ts';
import type { Policy } from '../../protocol/policy.ts';
import type { Clock, UtcMs } from '../../protocol/time.ts';
import type { Surroundings } from '../recordings/due.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import { checkFootage } from './canary-footage.ts';
import { checkSession } from './canary-session.ts';
import { openCanary } from './canary-state.ts';
import { checkChain } from './chain.ts';
import { checkExpired, type ExpiredSource } from './expired.ts';
import { checkGroups } from './groups.ts';
import { checkRows, type RowsDeps, type SampleSource } from './sample.ts';
import { judgeSources, type SourceFacts } from './sources.ts';
import type { AuditStore } from './store.ts';
import { type AuditReport, add, type CheckResult, leave, nothing, Pace } from './types.ts';

/** What a run sees of the machine. What is null cannot be said now: by `why`. */
export interface AuditFacts {
  store: AuditStore;
  sweeps: SweepStore;
  /** Roots that are watched. */
  roots: readonly (SampleSource & ExpiredSource)[];
  present: RowsDeps['present'];
  pass: RowsDeps['pass'];
  around: Surroundings | null;
  /** Trusted time; null: there is none. */
  trusted: UtcMs | null;
  /** Of the sweep's schedule. */
  sweepPeriodMs: number | null;
  sealFrom: UtcMs | null;
  /** Since when the agent runs; null: it does not, and what only it knows is not looked at. */
  startedAt: UtcMs | null;
  /** Public key of the agent; null: it cannot be read. */
  key: string | null;
  sources: Omit<SourceFacts, 'now' | 'gaps'>;
}

export interface RunDeps {
  /** State directory. */
  state: string;
  clock: Clock;
  random: Random;
  /** As Node names it. */
  platform: string;
  floorMs: number;
  policy: Policy | null;
  facts: AuditFacts;
  /** A check failed; the code is told in the agent's diary. */
  failed(check: AuditCheck, error: unknown): void;
  /** True: the agent stops; what is left of the run is not made, and nothing of it counts. */
  stopped?: () => boolean;
  rest?: () => Promise<void>;
}

export interface Occasion {
  trigger: AuditTrigger;
  /** Runs that were due and did not take place. */
  missed: number;
  everySeconds: number | null;
}

/** Runs every check. Never throws: a check that fails is a finding (A1). Null: it was stopped. */
export async function runChecks(
  deps: RunDeps,
  { trigger, missed, everySeconds }: Occasion,
): Promise<AuditReport | null> {
  const { clock, random, facts, stopped = () => false } = deps;
  const startedAt = clock.now();
  const pace = new Pace(clock, deps.rest);
  const checks: CheckResult[] = [];
  const attempt = async (names: AuditCheck[], act: () => Promise<CheckResult[]>) => {
    if (stopped()) return;
    try {
      checks.push(...(await act()));
    } catch (error) {
      for (const name of names) checks.push(failedCheck(name));
      for (const name of names) deps.failed(name, error);
    }
    await pace.rest();
  };
  const { store, sweeps, roots } = facts;
  await attempt(['rows', 'files'], async () => {
    const pathOf = (folder: number) => sweeps.read.pathOf(folder);
    return await checkRows({
      store,
      pathOf,
      random,
      pace,
      sources: roots,
      present: facts.present,
      pass: facts.pass,
    });
  });
  await attempt(['expired'], async () => [await expired(deps, pace)]);
  await attempt(['groups'], async () => {
    const { sealFrom, startedAt: since } = facts;
    return [await checkGroups({ store, now: clock.now(), sealFrom, startedAt: since, pace })];
  });
  await canaries(deps, pace, attempt);
  let gaps = 0;
  await attempt(['chain'], async () => {
    const since = store.state()?.ranAt ?? null;
    const chain = await checkChain({ store, random, pace, key: facts.key, since });
    gaps = chain.gaps;
    return [chain.result];
  });
  await attempt(['sources'], async () => [sourcesOf(facts, clock.now(), gaps)]);
  if (stopped()) return null;
  checks.push(scheduleOf(missed));
  const run = newId<'run'>(random);
  return { run, trigger, startedAt, endedAt: clock.now(), everySeconds, checks };
}

async function expired({ facts }: RunDeps, pace: Pace): Promise<CheckResult> {
  if (facts.startedAt === null) return nothing('expired', ['not-running']);
  const { sweeps, store, roots, around, trusted, sweepPeriodMs } = facts;
  return await checkExpired({
    sweeps,
    store,
    sources: roots,
    around,
    now: trusted,
    periodMs: sweepPeriodMs,
    pace,
  });
}

/** Both canaries of one state directory; where there is no room for it that is said. */
async function canaries(
  { state, clock, random, platform, floorMs, policy, rest }: RunDeps,
  pace: Pace,
  attempt: (names: AuditCheck[], act: () => Promise<CheckResult[]>) => Promise<void>,
): Promise<void> {
  await attempt(['canary-footage', 'canary-session'], async () => {
    const calm = rest ?? (() => pace.rest());
    const canary = await openCanary({ state, clock, random, rest: calm });
    try {
      const all = { state: canary, clock, random, rest: calm };
      const footage = await checkFootage({ ...all, platform, policy, floorMs });
      await pace.rest();
      return [footage, await checkSession(all)];
    } finally {
      canary.close();
    }
  });
}

function sourcesOf({ sources, startedAt }: AuditFacts, now: UtcMs, gaps: number): CheckResult {
  if (startedAt !== null) return judgeSources({ ...sources, now, gaps });
  const result = nothing('sources', ['not-running']);
  add(result, 'source-gap', gaps, null);
  return result;
}

function scheduleOf(missed: number): CheckResult {
  const result = nothing('schedule');
  result.looked = 1;
  add(result, 'missed-run', missed, null);
  return result;
}

function failedCheck(check: AuditCheck): CheckResult {
  const result = nothing(check);
  leave(result, 'failed');
  add(result, 'check-failed', 1, null);
  return result;
}
