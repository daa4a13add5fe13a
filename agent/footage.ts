/**
 * The recordings of this machine, as the agent runs them: trusted time, the keeper where a root is configured, and what
 * the collector orders and asks about them. An agent without a root loads neither keeper nor vault: only types of them.
 *
 * C44 Trusted time is stored with each hour and each stop, so that a restart in the same boot goes on from it (C13).
 */
import { statfsSync, statSync } from 'node:fs';
import { z } from 'zod';
import { HOUR_MS, SECOND_MS, type UtcMs } from '../protocol/time.ts';
import type { AgentConfig } from './config.ts';
import { type RecordingsSource, recorderDeletes } from './config-sources.ts';
import { inState, readText } from './files.ts';
import type { HoldBook } from './holds/book.ts';
import type { CoverCount } from './holds/cover.ts';
import { HoldDesk, type Protection } from './holds/desk.ts';
import type { Disks } from './holds/disks.ts';
import type { Findings } from './recordings/findings.ts';
import type { Keeper, KeeperDeps } from './recordings/keeper.ts';
import { spanOf } from './recordings/layouts/span.ts';
import { rest } from './recordings/rest.ts';
import { setPolicy } from './recordings/rules.ts';
import type { ShownSource } from './status.ts';
import { siteZone } from './telemetry/schedule.ts';
import { type StoredTime, TrustedTime } from './trusted-time.ts';
import type { Answerer, Doer } from './uplink/commands.ts';
import type { VaultStore } from './vault/store.ts';
import type { Vault } from './vault/vault.ts';

/** Of Linux: another text with each boot. Stays on this machine (decision 0004). */
const BOOT_FILE = '/proc/sys/kernel/random/boot_id';

/** Between two tellings of how far the vault is. */
const PROGRESS_MS = 5 * SECOND_MS;

const storedTime = z.object({ boot: z.string().nullable(), uptimeMs: z.number(), trusted: z.int() });

type Shared = ('journal' | 'catalogue' | 'sweeps' | 'identity') | ('clock' | 'random' | 'log' | 'faults');

/** With what the keeper takes from the agent as it is. */
export interface FootageDeps extends Pick<KeeperDeps, Shared> {
  config: AgentConfig;
  book: HoldBook;
  cover: CoverCount;
  vaultRows: VaultStore;
  /** The state directory. */
  state: string;
  /** `linux` and the like. */
  platform: string;
  /** Since the machine's start, milliseconds. */
  uptimeMs(): number;
}

export class Footage {
  readonly #o: FootageDeps;
  readonly #time: TrustedTime;
  /** Also without a root: a hold may come before it. */
  readonly holds: HoldDesk;
  #keeper: Keeper | null = null;
  #findings: Findings | null = null;
  #vault: Vault | null = null;
  #disks: Disks | null = null;
  #answers: Readonly<Record<string, Answerer>> = {};
  #cancel: () => void = () => {};
  #telling = false;
  #untell: () => void = () => {};
  /** Trusted time of the last word that all commands took effect; null: none in this run (H4). */
  #confirmedAt: UtcMs | null = null;

  constructor(options: FootageDeps) {
    this.#o = options;
    const machine = { boot: () => readText(BOOT_FILE)?.trim() ?? null, uptimeMs: options.uptimeMs };
    this.#time = new TrustedTime(options.clock, machine, this.#stored());
    const { journal, book, cover, identity, clock, log, config, faults } = options;
    this.holds = new HoldDesk({
      ...{ journal, book, cover, identity, rest, faults },
      now: () => this.#time.now() ?? clock.now(),
      protection: async (hold) => this.#protection(hold),
      volume: () => volumeOf(config.recordings),
      spanOf: (source) => this.#spanOf(source),
      fills: async (more) => (await this.#disks?.soonest(more)) ?? null,
      changed: () => {
        this.#vault?.holdsChanged();
        this.#disks?.changed();
      },
      failed: (error) => log.trouble('holds', error),
    });
    this.doers = { ...this.#own, ...this.holds.doers };
    this.answers = { ...this.#asked, ...this.holds.answers };
  }

  get time(): TrustedTime {
    return this.#time;
  }

  /** Null: no root is configured, or nothing is kept now. */
  get keeper(): Keeper | null {
    return this.#keeper;
  }

  /** Null: nothing is copied now. */
  get vault(): Vault | null {
    return this.#vault;
  }

  async start(): Promise<void> {
    const { config, journal, catalogue, sweeps, identity, clock, random, log, faults, platform } = this.#o;
    // Copies in a vault go on their day also where no root is configured any more.
    const nothing = config.recordings.length === 0 && this.#o.vaultRows.vaults().length === 0;
    if (nothing || this.#keeper !== null) return;
    const [
      { Keeper },
      { watcherOf },
      { recordingAnswers },
      { Findings },
      { Suspects },
      { Vault },
      { Disks },
    ] = await Promise.all([
      import('./recordings/keeper.ts'),
      import('./recordings/watching.ts'),
      import('./recordings/answers.ts'),
      import('./recordings/findings.ts'),
      import('./recordings/suspects.ts'),
      import('./vault/vault.ts'),
      import('./holds/disks.ts'),
    ]);
    const findings = new Findings({
      ...{ journal, sweeps, clock, log, rest },
      now: () => this.#time.now(),
      zone: () => sweeps.policy()?.zone ?? siteZone(),
      around: () => keeper.around(),
      due: (source, around, at) => keeper.sweep.due(source, around, at, false),
    });
    const suspects = new Suspects(journal, catalogue);
    const keeper: Keeper = new Keeper({
      ...{ configured: config.recordings, journal, catalogue, sweeps, identity, clock, random, log, faults },
      ...{ time: this.#time, suspects },
      confirmedAt: () => this.#confirmedAt,
      schedule: config.schedule.sweep,
      freshnessMs: config.holds.holdFreshnessMs,
      floorMs: config.neverEraseYoungerThanMs,
      zone: siteZone(),
      counted: () => void this.holds.report(),
      watcher: (root) =>
        watcherOf({
          ...{ root, journal, catalogue, sweeps, suspects, clock, log, platform },
          passed: async () => {
            await keeper.recount();
            vault.scanned();
            // The watch of the hot folders does not wait for it.
            void findings.later(root);
          },
          vanished: (source, rows) => vault.vanished(source, rows),
        }),
      swept: (root, report) => findings.swept(root, report),
      turned: () => vault.swept(),
    });
    const vault = this.#makeVault(Vault, keeper);
    const disks = this.#makeDisks(Disks, keeper);
    this.#keeper = keeper;
    this.#findings = findings;
    this.#vault = vault;
    this.#disks = disks;
    this.#answers = recordingAnswers({
      ...{ keeper, sweeps, now: () => this.#time.now() },
      copies: (root) => findings.copies(root),
      disks: () => disks.look(),
    });
    await keeper.start();
    vault.start();
    this.#later();
  }

  #makeVault(made: typeof Vault, keeper: Keeper): Vault {
    const { config, journal, sweeps, vaultRows, state, identity, clock, random, log, faults, platform } =
      this.#o;
    return new made({
      ...{ journal, sweeps, clock, random, log, faults, platform, store: vaultRows },
      config: config.holds.vault,
      defaultPath: inState(state, 'vault'),
      standing: standingOf(identity),
      roots: () => keeper.roots,
      around: () => keeper.around(),
      now: () => this.#time.now(),
      unconfirmed: () => keeper.unconfirmed(),
      rest,
      progressed: () => this.#tellSoon(),
    });
  }

  #makeDisks(made: typeof Disks, keeper: Keeper): Disks {
    const { config, sweeps, vaultRows, state, identity, clock } = this.#o;
    const path = config.holds.vault.path ?? inState(state, 'vault');
    return new made({
      ...{ sweeps, clock, standing: standingOf(identity), roots: () => keeper.roots },
      ...{ around: () => keeper.around(), now: () => this.#time.now() },
      vault: { path, used: () => vaultRows.vaults().reduce((sum, { id }) => sum + vaultRows.used(id), 0) },
    });
  }

  /** For the alert: seconds until a disk is full because of holds (R9); null: nobody can say, undefined: nothing is kept. */
  async holdsFill(): Promise<number | null | undefined> {
    return await this.#disks?.byHoldsIn();
  }

  /** H2: whether what a hold covers is safe from recorders that delete by themselves, and from rings that cannot be held. */
  #protection(hold: string): Protection {
    const said = this.#vault?.progress(hold);
    // Nobody has looked yet, or looks any more: that nothing has to be copied is said by whoever knows it.
    if (said === undefined) {
      const deletes = this.#o.config.recordings.some(recorderDeletes);
      return { state: deletes ? 'copying' : 'not-needed', copied: 0, reason: null };
    }
    const unread = this.#keeper?.roots.some(({ id, config }) => {
      return recorderDeletes(config) && this.#o.sweeps.read.scanned(id).scannedAt === null;
    });
    // What lies in a root that was never read whole may be held, and has no copy.
    if (said.state === 'not-needed' && unread === true) return { state: 'copying', copied: 0, reason: null };
    const open = said.state === 'failed' || said.state === 'copying';
    const rings = this.#keeper?.roots.filter(({ layout }) => !layout.erasable) ?? [];
    if (!open && rings.some(({ id }) => this.#reaches(hold, id)))
      return { state: 'cannot-enforce', copied: said.done, reason: null };
    return { state: said.state, copied: said.done, reason: said.reason };
  }

  #spanOf(source: number): number | null {
    const root = this.#keeper?.roots.find(({ id }) => id === source);
    return root === undefined ? null : spanOf(root.layout);
  }

  #reaches(hold: string, source: number): boolean {
    const held = this.#o.sweeps.holds()?.find((one) => one.hold === hold)?.scope.cameras;
    return held === undefined || this.#o.sweeps.cameras(source).some(({ camera }) => held.includes(camera));
  }

  /** While the vault copies, how far it is: not with each file. */
  #tellSoon(): void {
    if (this.#telling) return;
    this.#telling = true;
    this.#untell = this.#o.clock.after(PROGRESS_MS, () => {
      this.#telling = false;
      void this.holds.report();
    });
  }

  async stop(): Promise<void> {
    this.#cancel();
    this.#untell();
    const [keeper, vault] = [this.#keeper, this.#vault];
    [this.#keeper, this.#vault, this.#disks] = [null, null, null];
    this.#answers = {};
    await vault?.stop();
    await this.holds.settled();
    await keeper?.stop();
    await this.#findings?.stop();
    this.#findings = null;
    if (keeper !== null) this.#store();
  }

  /** The agreement's data is erased: names of cameras and files, and the rules, go with it. The footage stays (C43). */
  erase(): void {
    const { journal, sweeps, vaultRows } = this.#o;
    journal.transact(() => {
      sweeps.forgetAll();
      vaultRows.forgetNames();
      return { tell: [] };
    });
  }

  /** The collector stated its time, and whether all that it ordered took effect here (C1, H4). */
  stated(time: UtcMs, applied: boolean): void {
    if (!this.#time.stated(time)) this.#o.log.warn('time.conflict');
    const at = this.#time.now();
    // Remembered here: the word may come before the roots are open.
    if (applied && at !== null) this.#confirmedAt = at;
    this.#findings?.timed();
    this.holds.met();
  }

  /** Every root is read again. */
  async rescan(): Promise<void> {
    await this.#keeper?.pass();
  }

  status(): ShownSource[] {
    return this.#keeper?.status() ?? [];
  }

  /** What the collector may order. Rules are kept also while no root is configured. */
  readonly doers: Readonly<Record<string, Doer>>;
  readonly #own: Readonly<Record<string, Doer>> = {
    'policy.set': async (body) => setPolicy(this.#o, body),
    'sweep.run': (body) => this.#with((keeper) => keeper.run(body)),
    'sweep.approve': (body) => this.#with((keeper) => keeper.approve(body)),
    'source.set': (body) => this.#with((keeper) => keeper.set(body)),
  };

  #with(act: (keeper: Keeper) => ReturnType<Doer>): ReturnType<Doer> {
    if (this.#keeper !== null) return act(this.#keeper);
    return Promise.resolve({ outcome: 'failed', body: { code: 'recordings.none' } });
  }

  /** What the collector, or somebody at the control socket, may ask. */
  readonly answers: Readonly<Record<string, Answerer>>;
  readonly #asked: Readonly<Record<string, Answerer>> = Object.fromEntries(
    ANSWERS.map((verb) => [
      verb,
      async (body: Record<string, unknown>) => {
        const answer = this.#answers[verb];
        return answer === undefined ? NOTHING : await answer(body);
      },
    ]),
  );

  /** The control socket's verb `recordings`: a question or an order, as the collector gives them. */
  async asked(body: Record<string, unknown>): Promise<Record<string, unknown>> {
    const { verb, body: inner = {} } = body;
    const asked = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {};
    if (typeof verb === 'string' && Object.hasOwn(this.answers, verb)) {
      return (await this.answers[verb]?.(asked)) ?? {};
    }
    // Rules and holds come from the collector alone.
    const doer = typeof verb === 'string' && verb !== 'policy.set' ? this.#own[verb] : undefined;
    if (doer === undefined || typeof verb !== 'string') return { outcome: 'unsupported' };
    if (this.#keeper !== null) {
      const { noteOrder } = await import('./recordings/ordered.ts');
      noteOrder(this.#o.journal, verb, asked, this.#keeper.sourceNamed(asked));
    }
    const { outcome, body: said = {} } = await doer(asked);
    return { ...said, outcome };
  }

  #memory() {
    return this.#o.journal.sourceId('trusted-time');
  }

  #stored(): StoredTime | null {
    const text = this.#o.journal.cursor(this.#memory());
    const read = text === null ? null : storedTime.safeParse(JSON.parse(text));
    return read?.success ? read.data : null;
  }

  #store(): void {
    const state = this.#time.stored();
    if (state === null) return;
    try {
      this.#o.journal.append([], [{ source: this.#memory(), state: JSON.stringify(state) }]);
    } catch (error) {
      // It only makes a restart wait for the collector's word.
      this.#o.log.trouble('trusted-time', error);
    }
  }

  #later(): void {
    this.#cancel = this.#o.clock.after(HOUR_MS, () => {
      this.#store();
      this.#later();
    });
  }
}

/** What holds go by; a hold has no zone. */
function standingOf({ site, agent }: FootageDeps['identity']) {
  return { zone: 'UTC', site, host: agent, agreementEndsAt: null };
}

const ANSWERS = [
  'recordings.list',
  'recordings.due',
  'recordings.missing',
  'recordings.stats',
  'sweep.plan',
  'sweep.status',
] as const;

/** The volumes under the roots, each once; null: none can be asked. */
function volumeOf(roots: readonly RecordingsSource[]): { bytes: number; free: number } | null {
  const seen = new Set<string>();
  const sum = { bytes: 0, free: 0 };
  for (const { root } of roots) {
    try {
      const { bsize, blocks, bavail } = statfsSync(root);
      const volume = String(statSync(root).dev);
      if (seen.has(volume)) continue;
      seen.add(volume);
      sum.bytes += bsize * blocks;
      sum.free += bsize * bavail;
    } catch {
      // A root that is not there now says nothing about its disk.
    }
  }
  return seen.size === 0 ? null : sum;
}

/** Of a machine without a root. */
const NOTHING = { items: [], next: null, watched: [], sources: [], plans: [] };
