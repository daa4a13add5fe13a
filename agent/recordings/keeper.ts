/**
 * What the agent does with its recordings, and when: it opens the roots, has them scanned and watched, sweeps on schedule,
 * and answers what it is asked. Loaded only where a root is configured.
 *
 * R10 One sweep at a time, in slices; between two of them scans, answers and everything else have their turn, and a scan's
 *     slices lie between a sweep's.
 * C43 The end of the agreement ends the sweeping, not the footage: it belongs to the customer, who keeps or erases it.
 * C42 Why a sweep waits is told when the reason changes, not with each hour that it goes on.
 */
import { codeOf } from '../../protocol/errors.ts';
import type { Id, Random, SourceId } from '../../protocol/ids.ts';
import { type Clock, toIso, type UtcMs } from '../../protocol/time.ts';
import type { RecordingsSource } from '../config-sources.ts';
import type { AgentJournal } from '../journal.ts';
import type { AgentLog } from '../log.ts';
import type { ShownSource } from '../status.ts';
import { cronMatcher, onSchedule } from '../telemetry/schedule.ts';
import type { TrustedTime } from '../trusted-time.ts';
import type { AgentIdentity, FaultSeam } from '../types.ts';
import type { Doing } from '../uplink/commands.ts';
import type { Catalogue } from './catalogue.ts';
import type { Surroundings } from './due.ts';
import { forgetGone } from './gone.ts';
import type { Tally } from './read-store.ts';
import { rest } from './rest.ts';
import { acceptRoot, openRoots, type Root, retireRoot, stateOf, sweepSourceOf } from './roots.ts';
import type { Suspects } from './suspects.ts';
import { Sweep, type SweepReport, type SweepSource, type WaitReason } from './sweep.ts';
import type { SweepStore } from './sweep-store.ts';

/** Reads a root into the catalogue, and keeps it read. */
export interface Watcher {
  /** A whole pass; what is unchanged is skipped. */
  pass(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

export interface KeeperDeps {
  configured: readonly RecordingsSource[];
  journal: AgentJournal;
  catalogue: Catalogue;
  sweeps: SweepStore;
  identity: AgentIdentity;
  clock: Clock;
  random: Random;
  log: AgentLog;
  faults: FaultSeam;
  time: TrustedTime;
  /** Shared with the watchers. */
  suspects?: Suspects;
  /** Trusted time of the last word that all commands took effect; null: none in this run. */
  confirmedAt(): UtcMs | null;
  /** Cron, and the longest time without word from the collector. */
  schedule: string;
  freshnessMs: number;
  floorMs: number;
  /** Zone of this machine, where no policy names one. */
  zone: string;
  watcher(root: Root): Watcher;
  /** After a pass and after a sweep: what is there was counted anew. */
  counted(): void;
  /** A sweep of this root ended, or waits. */
  swept?(root: Root, report: SweepReport): Promise<void>;
  /** After the sweeps of a turn: copies in the vault that nothing covers go as well (H9). */
  turned?(): Promise<void>;
}

export class Keeper {
  readonly #o: KeeperDeps;
  readonly #sweep: Sweep;
  #roots: Root[] = [];
  readonly #watchers = new Map<number, Watcher>();
  #cancels: (() => void)[] = [];
  readonly #waits = new Map<number, { reason: WaitReason; since: UtcMs }>();
  readonly #last = new Map<number, SweepReport>();
  /** As counted when something last changed: counting takes a while. */
  readonly #counts = new Map<number, Tally>();
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: KeeperDeps) {
    this.#o = options;
    const { journal, clock, sweeps, faults, random, time } = options;
    this.#sweep = new Sweep({
      ...{ journal, clock, store: sweeps, faults, random, rest },
      ...(options.suspects === undefined ? {} : { suspects: options.suspects }),
      now: () => time.now(),
      around: () => this.around(),
      unconfirmed: () => this.unconfirmed(),
      timeTrouble: () => time.trouble(),
    });
  }

  get roots(): readonly Root[] {
    return this.#roots;
  }

  get sweep(): Sweep {
    return this.#sweep;
  }

  async start(): Promise<void> {
    const { configured, clock, schedule, watcher, zone } = this.#o;
    this.#roots = openRoots(this.#o, configured);
    for (const root of this.#roots) {
      const one = watcher(root);
      this.#watchers.set(root.id, one);
      one.start();
    }
    const matches = await cronMatcher(schedule, this.#o.sweeps.policy()?.zone ?? zone);
    if (this.#stopped) return;
    this.#cancels.push(onSchedule(clock, matches, () => void this.sweepAll()));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancels.splice(0)) cancel();
    await Promise.all([...this.#watchers.values()].map((one) => one.stop()));
    await this.#turn;
  }

  /** Reads every root again. */
  async pass(): Promise<void> {
    for (const one of this.#watchers.values()) await one.pass();
  }

  timeTrouble(): string | null {
    return this.#o.time.trouble();
  }

  /** When the collector last said that all its commands took effect here (H4). */
  get confirmedAt(): UtcMs | null {
    return this.#o.confirmedAt();
  }

  /** Sweeps every root, one after the other. Never throws: what failed is logged, and tried with the next one. */
  sweepAll(only: string | null = null): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      for (const root of this.#roots) {
        if (this.#stopped || (only !== null && root.source !== only)) continue;
        try {
          await this.#sweepOne(root);
          this.#o.log.recovered('sweep');
        } catch (error) {
          this.#o.log.trouble('sweep', error);
        }
      }
      if (!this.#stopped) await this.#o.turned?.();
    });
    return this.#turn;
  }

  async #sweepOne(root: Root): Promise<void> {
    const source = sweepSourceOf(this.#o.sweeps, root);
    if (source === null) return;
    const report = await this.#sweep.run(source);
    if (report === null) return;
    this.#last.set(root.id, report);
    await this.#forgetGone(root);
    await this.recount();
    this.#noteWait(root, report);
    await this.#o.swept?.(root, report);
    this.#o.log.info('sweep.ran', {
      erased: report.erased,
      failed: report.failed,
      waits: report.waits ?? 'no',
    });
  }

  /** C64 */
  async #forgetGone({ id }: Root): Promise<void> {
    const { journal, sweeps, time } = this.#o;
    const now = time.now();
    if (now !== null) await forgetGone({ journal, store: sweeps, rest }, id, this.around(), now);
  }

  /** C42; a plan that waits is told by the sweep itself. */
  #noteWait({ id, source }: Root, { waits, plan, left }: SweepReport): void {
    const before = this.#waits.get(id);
    if (waits === null) {
      this.#waits.delete(id);
      return;
    }
    if (before?.reason === waits) return;
    this.#waits.set(id, { reason: waits, since: this.#o.clock.now() });
    if (plan !== null) return;
    const count = Object.values(left).reduce((sum, n) => sum + n, 0);
    const data = { source, reason: waits, count, bytes: null, plan: null, since: null };
    this.#o.journal.append([{ type: 'sweep.waiting', data }]);
  }

  /** Counts anew what there is; after a pass and after a sweep. */
  async recount(): Promise<void> {
    for (const { id } of this.#roots) this.#counts.set(id, await this.#o.sweeps.read.present(id, rest));
    this.#o.counted();
  }

  /** What a sweep of this root goes by; null: it was given up. */
  sourceOf(root: Root): SweepSource | null {
    return sweepSourceOf(this.#o.sweeps, root);
  }

  waiting(id: number): { reason: WaitReason; since: UtcMs } | null {
    return this.#waits.get(id) ?? null;
  }

  last(id: number): SweepReport | null {
    return this.#last.get(id) ?? null;
  }

  /** What is the same for every recording; null: the collector ordered no rules yet. */
  around(): Surroundings | null {
    const { sweeps, identity, floorMs } = this.#o;
    const policy = sweeps.policy();
    if (policy === null) return null;
    const { site, agent } = identity;
    // Footage is the customer's, and does not go with the agreement (C43).
    return { policy, zone: policy.zone, site, host: agent, agreementEndsAt: null, floorMs };
  }

  /** The collector's commands are not confirmed within the freshness that was set (H4). */
  unconfirmed(): boolean {
    const at = this.#o.time.now();
    const confirmed = this.#o.confirmedAt();
    return at === null || confirmed === null || at - confirmed > this.#o.freshnessMs;
  }

  /** `sweep.run`. Answers at once; the sweep goes on. */
  async run(body: Record<string, unknown>): Promise<Doing> {
    void this.sweepAll(typeof body.source === 'string' ? body.source : null);
    return { outcome: 'done' };
  }

  /** `sweep.approve`: a plan, or the time. */
  async approve(body: Record<string, unknown>): Promise<Doing> {
    if (body.clock === true) {
      this.#o.time.confirm();
      return { outcome: 'done' };
    }
    for (const root of this.#roots) {
      const source = sweepSourceOf(this.#o.sweeps, root);
      if (source === null || typeof body.plan !== 'string') continue;
      const said = await this.#sweep.approve(source, body.plan as Id<'plan'>);
      if (said === 'unknown') continue;
      if (said === 'approved') void this.sweepAll(root.source);
      return said === 'approved' ? { outcome: 'done' } : { outcome: 'failed', body: { code: 'plan.stale' } };
    }
    return { outcome: 'failed', body: { code: 'plan.unknown' } };
  }

  /** Id of the source that an order names, by id or by its root; null: none, or an unknown one. */
  sourceNamed(body: Record<string, unknown>): SourceId | null {
    return this.#rootNamed(body)?.source ?? null;
  }

  #rootNamed(body: Record<string, unknown>): Root | undefined {
    return this.#roots.find(({ source, config }) => body.source === source || body.root === config.root);
  }

  /** `source.set`: accept what lies under a root now, or give it up. */
  async set(body: Record<string, unknown>): Promise<Doing> {
    const root = this.#rootNamed(body);
    if (root === undefined) return { outcome: 'failed', body: { code: 'source.unknown' } };
    try {
      if (body.act === 'accept-root') acceptRoot(this.#o, root);
      else if (body.act === 'retire' && isDisposition(body.disposition))
        await retireRoot(this.#o, root, body.disposition, rest);
      else return { outcome: 'failed', body: { code: 'unsupported' } };
    } catch (error) {
      return { outcome: 'failed', body: { code: codeOf(error) } };
    }
    if (body.act === 'retire') await this.#watchers.get(root.id)?.stop();
    else void this.#watchers.get(root.id)?.pass();
    return { outcome: 'done' };
  }

  status(): ShownSource[] {
    return this.#roots.map((root) => {
      const state = stateOf(this.#o.sweeps, root);
      const { count } = this.#counts.get(root.id) ?? { count: 0 };
      const swept = sweepSourceOf(this.#o.sweeps, root)?.source.sweptAt ?? null;
      return {
        ...{ source: root.source, type: 'recordings', file: root.config.root, state },
        problem: PROBLEMS[state] ?? this.waiting(root.id)?.reason ?? null,
        ...{ position: null, behindBytes: 0, rows: count, unreadable: 0, skipped: 0, unlisted: 0 },
        lastRowAt: swept === null ? null : toIso(swept),
      };
    });
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  suspect: 'what lies under the root is not what was accepted',
  'not-accepted': 'nobody accepted this root yet: tilsyn source accept-root ROOT',
};

function isDisposition(text: unknown): text is 'destroyed' | 'stored' | 'returned' {
  return text === 'destroyed' || text === 'stored' || text === 'returned';
}
