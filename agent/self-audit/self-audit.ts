/**
 * When the agent audits itself: on schedule, when somebody asks, and after a run that did not take place.
 *
 * A22 A run that was due and did not take place is counted by the next start and the next tick, and told with the run that
 *     takes its place: once, and also where the agent was down.
 * A29 While the agreement is over nothing is audited; when it is open again nothing of that time is owed.
 */
import type { AuditCheck, AuditTrigger } from '../../protocol/event-audit.ts';
import type { Random } from '../../protocol/ids.ts';
import { type Clock, MINUTE_MS, SECOND_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import type { AgentLog } from '../log.ts';
import { cronMatcher, type Matcher, onSchedule } from '../telemetry/schedule.ts';
import { draftsOf, findingsOf, type RunFinding } from './drafts.ts';
import { longestGap, slotsIn, toSeconds } from './meant.ts';
import type { AuditFacts } from './run.ts';
import type { AuditStore } from './store.ts';
import { type AuditReport, type CheckResult, Pace } from './types.ts';

/** After a start sources have so long to be read, before a run that is owed looks at them. */
export const SETTLE_MS = MINUTE_MS;
/** A run that is due at this moment is not owed yet: its tick may come a little later. */
const TICK_MS = 30 * SECOND_MS;

export interface SelfAuditDeps {
  /** State directory. */
  state: string;
  journal: Pick<AgentJournal, 'append' | 'transact'>;
  store: AuditStore;
  clock: Clock;
  random: Random;
  log: AgentLog;
  platform: string;
  floorMs: number;
  /** Cron, five fields, of audits and of sweeps. */
  schedule: string;
  sweepSchedule: string;
  zone: string;
  /** What a run sees of the machine, as it is now. */
  facts(sweepPeriodMs: number | null): AuditFacts;
  /** Remote tools that nobody reads, as they are called. */
  tools(): string[];
}

/** As the command line shows one; a type, so that it may travel as a plain record. */
export type ShownAudit = {
  run: string | null;
  trigger: AuditTrigger;
  startedAt: string;
  endedAt: string;
  checks: Omit<CheckResult, 'found'>[];
  findings: RunFinding[];
};

export function shownAudit(report: AuditReport, recorded: boolean): ShownAudit {
  const { run, trigger, startedAt, endedAt, checks } = report;
  return {
    run: recorded ? run : null,
    trigger,
    ...{ startedAt: toIso(startedAt), endedAt: toIso(endedAt) },
    checks: checks.map(({ found: _found, ...rest }) => rest),
    findings: findingsOf(report),
  };
}

export class SelfAudit {
  readonly #o: SelfAuditDeps;
  #matches: Matcher | null = null;
  #sweeps: Matcher | null = null;
  #cancels: (() => void)[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #stopped = true;
  /** Resolves when it is stopped: a run waits for nobody then. */
  #end = Promise.withResolvers<void>();

  constructor(options: SelfAuditDeps) {
    this.#o = options;
  }

  /** @param again the agreement is open again: nothing of the time between is owed (A29) */
  async start(again = false): Promise<void> {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#end = Promise.withResolvers();
    const { clock, schedule, zone, store } = this.#o;
    const matches = await this.#matcher(schedule, zone);
    if (this.#stopped) return;
    const state = store.state();
    // A clock that was set back far owes nothing until it is where it was; a state of the future would wait for ever.
    if (again || state === null || state.through > clock.now()) this.#settle(clock.now());
    this.#cancels.push(onSchedule(clock, matches, () => void this.#due(1)));
    const owed = await this.#owed(clock.now());
    if (owed > 0 && !this.#stopped) this.#cancels.push(clock.after(SETTLE_MS, () => void this.#due(0)));
  }

  /** A run that goes on ends with the check that it is at, and is owed. Safe to call twice. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#end.resolve();
    for (const cancel of this.#cancels.splice(0)) cancel();
    await this.#turn;
  }

  /** Somebody asks: a run now. Null: nothing is audited, because the agreement is over or the agent stops. */
  async asked(): Promise<ShownAudit | null> {
    return await this.#next('asked', 0);
  }

  /** Runs that were due by now and of which nothing was said. */
  async #owed(now: UtcMs): Promise<number> {
    const { store, clock } = this.#o;
    const state = store.state();
    if (state === null || this.#matches === null) return 0;
    return await slotsIn(this.#matches, state.through, now, new Pace(clock));
  }

  /** `takes`: how many of those that are owed this run is. Never throws: what failed is in the diary, and owed still. */
  async #due(takes: 0 | 1): Promise<void> {
    const { log } = this.#o;
    try {
      await this.#next(takes === 1 ? 'schedule' : 'late', takes);
      log.recovered('self-audit');
    } catch (error) {
      log.trouble('self-audit', error);
    }
  }

  #next(trigger: AuditTrigger, takes: 0 | 1): Promise<ShownAudit | null> {
    const run = this.#turn.then(() => (this.#stopped ? null : this.#run(trigger, takes)));
    this.#turn = run.catch(() => {});
    return run;
  }

  async #run(trigger: AuditTrigger, takes: 0 | 1): Promise<ShownAudit | null> {
    const { clock, random, platform, floorMs, state, log, sweepSchedule, zone, store } = this.#o;
    const pace = new Pace(clock);
    const now = clock.now();
    const through = takes === 1 ? now : utcMs(Math.max(now - TICK_MS, store.state()?.through ?? 0));
    const owed = await this.#owed(through);
    const every = this.#matches === null ? null : await longestGap(this.#matches, now, pace);
    this.#sweeps ??= await cronMatcher(sweepSchedule, zone);
    const sweeps = await longestGap(this.#sweeps, now, pace);
    const facts = this.#unwaiting(this.#o.facts(sweeps));
    const failed = (_check: AuditCheck, error: unknown) => log.trouble('self-audit.check', error);
    const policy = facts.around?.policy ?? null;
    const stopped = () => this.#stopped;
    const deps = { state, clock, random, platform, floorMs, policy, facts, failed, stopped };
    const occasion = { trigger, missed: Math.max(0, owed - takes), everySeconds: toSeconds(every) };
    const { runChecks } = await import('./run.ts');
    const report = await runChecks(deps, occasion);
    if (report === null) return null;
    const { run, startedAt } = report;
    // The commit point (A21).
    this.#o.journal.append(draftsOf(report, this.#o.tools()), [], {
      also: () => store.saveState({ through, run, ranAt: startedAt }),
    });
    log.info('self-audit.ran', { findings: findingsOf(report).length, trigger });
    return shownAudit(report, true);
  }

  /** Whoever stops does not wait for the scan. */
  #unwaiting(facts: AuditFacts): AuditFacts {
    const { pass } = facts;
    if (pass === null) return facts;
    const ended = this.#end.promise.then(() => 'too-long' as const);
    return { ...facts, pass: () => Promise.race([pass(), ended]) };
  }

  /** Nothing is owed up to now. */
  #settle(now: UtcMs): void {
    const { journal, store, log } = this.#o;
    const { run = null, ranAt = null } = store.state() ?? {};
    try {
      journal.transact(() => {
        store.saveState({ through: now, run, ranAt });
        return { tell: [] };
      });
    } catch (error) {
      // No room: the next run says it.
      log.trouble('self-audit', error);
    }
  }

  async #matcher(schedule: string, zone: string): Promise<Matcher> {
    this.#matches ??= await cronMatcher(schedule, zone);
    return this.#matches;
  }
}
