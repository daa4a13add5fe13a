/**
 * The recordings of this machine, as the agent runs them: trusted time, the keeper where a root is configured, and what
 * the collector orders and asks about them. An agent without a root loads nothing of it but this file and the time.
 *
 * C44 Trusted time is stored with each hour and each stop, so that a restart in the same boot goes on from it (C13).
 */
import { z } from 'zod';
import type { Random } from '../protocol/ids.ts';
import { type Clock, HOUR_MS, type UtcMs } from '../protocol/time.ts';
import type { AgentConfig } from './config.ts';
import { inState, readText } from './files.ts';
import type { AgentJournal } from './journal.ts';
import type { AgentLog } from './log.ts';
import type { Catalogue } from './recordings/catalogue.ts';
import type { Keeper } from './recordings/keeper.ts';
import { setPolicy } from './recordings/rules.ts';
import type { SweepStore } from './recordings/sweep-store.ts';
import type { ShownSource } from './status.ts';
import { siteZone } from './telemetry/schedule.ts';
import { type StoredTime, TrustedTime } from './trusted-time.ts';
import type { AgentIdentity, FaultSeam } from './types.ts';
import type { Answerer, Doer } from './uplink/commands.ts';
import type { VaultStore } from './vault/store.ts';
import type { Protection } from './vault/types.ts';
import type { Vault } from './vault/vault.ts';

/** Of Linux: another text with each boot. Stays on this machine (decision 0004). */
const BOOT_FILE = '/proc/sys/kernel/random/boot_id';

const storedTime = z.object({ boot: z.string().nullable(), uptimeMs: z.number(), trusted: z.int() });

export interface FootageDeps {
  config: AgentConfig;
  journal: AgentJournal;
  catalogue: Catalogue;
  sweeps: SweepStore;
  vaultRows: VaultStore;
  /** The state directory. */
  state: string;
  identity: AgentIdentity;
  clock: Clock;
  random: Random;
  log: AgentLog;
  faults: FaultSeam;
  /** `linux` and the like. */
  platform: string;
  /** Since the machine's start, milliseconds. */
  uptimeMs(): number;
}

export class Footage {
  readonly #o: FootageDeps;
  readonly #time: TrustedTime;
  #keeper: Keeper | null = null;
  #vault: Vault | null = null;
  #answers: Readonly<Record<string, Answerer>> = {};
  #cancel: () => void = () => {};
  /** Trusted time of the last word that all commands took effect; null: none in this run (H4). */
  #confirmedAt: UtcMs | null = null;

  constructor(options: FootageDeps) {
    this.#o = options;
    const machine = { boot: () => readText(BOOT_FILE)?.trim() ?? null, uptimeMs: options.uptimeMs };
    this.#time = new TrustedTime(options.clock, machine, this.#stored());
  }

  get time(): TrustedTime {
    return this.#time;
  }

  async start(): Promise<void> {
    const { config, journal, catalogue, sweeps, identity, clock, random, log, faults, platform } = this.#o;
    // Copies in a vault go on their day also where no root is configured any more.
    const nothing = config.recordings.length === 0 && this.#o.vaultRows.vaults().length === 0;
    if (nothing || this.#keeper !== null) return;
    const [{ Keeper }, { watcherOf }, { recordingAnswers }, { Vault }] = await Promise.all([
      import('./recordings/keeper.ts'),
      import('./recordings/watching.ts'),
      import('./recordings/answers.ts'),
      import('./vault/vault.ts'),
    ]);
    const keeper = new Keeper({
      ...{ configured: config.recordings, journal, catalogue, sweeps, identity, clock, random, log, faults },
      time: this.#time,
      confirmedAt: () => this.#confirmedAt,
      schedule: config.schedule.sweep,
      freshnessMs: config.holds.holdFreshnessMs,
      floorMs: config.neverEraseYoungerThanMs,
      zone: siteZone(),
      watcher: (root) =>
        watcherOf({
          ...{ root, journal, catalogue, sweeps, clock, log, platform },
          passed: async () => {
            await keeper.recount();
            vault.scanned();
          },
          vanished: (source, rows) => vault.vanished(source, rows),
        }),
      swept: () => vault.swept(),
    });
    const vault = this.#makeVault(Vault, keeper);
    this.#keeper = keeper;
    this.#vault = vault;
    this.#answers = recordingAnswers({ keeper, sweeps, now: () => this.#time.now() });
    await keeper.start();
    vault.start();
    this.#later();
  }

  #makeVault(made: typeof Vault, keeper: Keeper): Vault {
    const { config, journal, sweeps, vaultRows, state, identity, clock, random, log, faults, platform } =
      this.#o;
    const { site, agent } = identity;
    return new made({
      ...{ journal, sweeps, clock, random, log, faults, platform, store: vaultRows },
      config: config.holds.vault,
      defaultPath: inState(state, 'vault'),
      // What holds go by; a hold has no zone.
      standing: { zone: 'UTC', site, host: agent, agreementEndsAt: null },
      roots: () => keeper.roots,
      around: () => keeper.around(),
      now: () => this.#time.now(),
      unconfirmed: () => keeper.unconfirmed(),
      rest: () => new Promise((resolve) => setImmediate(resolve)),
    });
  }

  /** Holds were placed or released: the vault copies, or lets go of, what that changes. */
  holdsChanged(): void {
    this.#vault?.holdsChanged();
  }

  /** Whether what a hold covers is safe from recorders that delete by themselves (H2). */
  protection(hold: string): Protection {
    return this.#vault?.progress(hold) ?? UNNEEDED;
  }

  async stop(): Promise<void> {
    this.#cancel();
    const [keeper, vault] = [this.#keeper, this.#vault];
    [this.#keeper, this.#vault] = [null, null];
    this.#answers = {};
    await vault?.stop();
    await keeper?.stop();
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
  }

  /** Every root is read again. */
  async rescan(): Promise<void> {
    await this.#keeper?.pass();
  }

  status(): ShownSource[] {
    return this.#keeper?.status() ?? [];
  }

  /** What the collector may order. Rules are kept also while no root is configured. */
  readonly doers: Readonly<Record<string, Doer>> = {
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
  readonly answers: Readonly<Record<string, Answerer>> = Object.fromEntries(
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
    // Rules come from the collector alone.
    const doer = typeof verb === 'string' && verb !== 'policy.set' ? this.doers[verb] : undefined;
    if (doer === undefined) return { outcome: 'unsupported' };
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

const ANSWERS = [
  'recordings.list',
  'recordings.due',
  'recordings.missing',
  'recordings.stats',
  'sweep.plan',
  'sweep.status',
] as const;

/** Of a machine without a recorder. */
const UNNEEDED: Protection = {
  ...{ state: 'not-needed', done: 0, total: 0, bytes: 0, leftBytes: 0, lost: 0, reason: null },
};

/** Of a machine without a root. */
const NOTHING = { items: [], next: null, watched: [], sources: [], plans: [] };
