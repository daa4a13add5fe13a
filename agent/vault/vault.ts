/**
 * The vault as the agent runs it: when it copies, what it answers, what it tells. Made beside the keeper, and idle where no
 * hold covers anything of a recorder that deletes by itself.
 *
 * H6  Where the recorder itself would delete: copied, hashed, verified, the oldest first, after a pre-flight. A hard link would
 *     not do: some recorders truncate before they unlink.
 * H9  A copy has its original's times and policy, and goes with the sweep when no hold covers it (`release.ts`).
 * I13 What is refused or fails is told when the reason changes, by the hold; nothing else stands still because of it.
 */
import { statSync } from 'node:fs';
import { codeOf } from '../../protocol/errors.ts';
import type { Hold } from '../../protocol/hold.ts';
import type { Id, Random, SourceId } from '../../protocol/ids.ts';
import { type Clock, DAY_MS, type UtcMs } from '../../protocol/time.ts';
import type { VaultConfig } from '../config-schema.ts';
import { recorderDeletes } from '../config-sources.ts';
import { freeBytes, volumeBytes } from '../files.ts';
import type { AgentJournal } from '../journal.ts';
import type { AgentLog } from '../log.ts';
import type { Standing, Surroundings } from '../recordings/due.ts';
import { canErase } from '../recordings/erase.ts';
import type { Root } from '../recordings/roots.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import type { Draft, FaultSeam } from '../types.ts';
import { giveUp } from './given-up.ts';
import { guard } from './guard.ts';
import { orphans } from './orphans.ts';
import { type OpenVault, openVault, vaultTrouble } from './place.ts';
import { admit, type Need, Pace, perHour, type Room, reach } from './plan.ts';
import { Queue } from './queue.ts';
import { release } from './release.ts';
import { heldCameras, type WatchedCamera, watchedCameras } from './sources.ts';
import type { VaultStore } from './store.ts';
import type { Protection, VaultRow } from './types.ts';
import { type Touched, violations } from './violated.ts';
import { Work } from './work.ts';

export interface VaultDeps {
  config: VaultConfig;
  /** Where the vault lies unless the configuration names a path. */
  defaultPath: string;
  journal: AgentJournal;
  store: VaultStore;
  sweeps: SweepStore;
  clock: Clock;
  random: Random;
  log: AgentLog;
  faults: FaultSeam;
  platform: string;
  /** Known without any policy: where this is. */
  standing: Standing;
  roots(): readonly Root[];
  /** Null: no policy was ordered yet. */
  around(): Surroundings | null;
  /** Trusted time; null: there is none. */
  now(): UtcMs | null;
  /** The collector's commands are not confirmed: nothing is erased (H4). */
  unconfirmed(): boolean;
  rest(): Promise<void>;
  /** Copies were made or failed: how far it is changed. */
  progressed?(): void;
}

interface Short {
  reason: string;
  count: number;
  bytes: number;
}

export class Vault {
  readonly #o: VaultDeps;
  readonly #pace: Pace;
  /** Of each hold that is not served, why. */
  #short = new Map<string, Short>();
  readonly #told = new Map<string, string>();
  readonly #tried = new Map<number, number>();
  /** Vaults whose files were compared with the rows, since the start. */
  readonly #compared = new Set<number>();
  /** Vaults with copies that are not what was made, and why. */
  #away = new Map<number, string>();
  #stopped = false;
  #replan = false;
  /** Why the last round ended before its end; null: it did not. */
  #broke: string | null = null;
  #asked = false;
  #turn: Promise<void> = Promise.resolve();
  #sweeping: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};

  constructor(options: VaultDeps) {
    this.#o = options;
    this.#pace = new Pace(options.config.ratePerSecond, options.clock.mono());
  }

  start(): void {
    this.#again();
  }

  /** After the slice of the file that is being copied; what was made of it goes, and is made anew by the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await Promise.all([this.#turn, this.#sweeping]);
  }

  /** After every change of holds, and after what was restored. */
  holdsChanged(): void {
    this.#again();
  }

  /** A pass over a root ended: there may be more that a hold covers (D4). */
  scanned(): void {
    this.#again();
  }

  /** After a sweep: copies that nothing covers go as their originals would. Never throws. */
  swept(): Promise<void> {
    this.#sweeping = this.#sweeping.then(async () => {
      try {
        const gone = await release({ ...this.#o, tried: this.#tried, stopped: () => this.#stopped });
        if (gone > 0) this.#o.log.info('vault.erased', { count: gone });
        this.#o.log.recovered('vault.release');
      } catch (error) {
        this.#o.log.trouble('vault.release', error);
      }
    });
    return this.#sweeping;
  }

  /** Everything that was asked for until now is done. */
  async settled(): Promise<void> {
    await this.#turn;
    await this.#sweeping;
  }

  /** One round at a time; what is asked for meanwhile is one more. */
  #again(): void {
    this.#replan = true;
    if (this.#asked || this.#stopped) return;
    this.#asked = true;
    this.#turn = this.#turn.then(async () => {
      this.#asked = false;
      this.#replan = false;
      if (this.#stopped) return;
      try {
        await this.#round();
        this.#broke = null;
        this.#o.log.recovered('vault');
        this.#o.progressed?.();
      } catch (error) {
        // What was on the disk stays, and is taken up by the next round. Until then nobody is told that copying goes on.
        const code = codeOf(error);
        this.#broke = /^E[A-Z]+$/.test(code) ? code : 'unreadable';
        this.#o.log.trouble('vault', error);
        this.#o.progressed?.();
      }
    });
  }

  async #round(): Promise<void> {
    const { sweeps, standing, platform } = this.#o;
    const work = this.#work();
    await work.resume(this.#vaults());
    const holds = sweeps.holds();
    // Nothing is known of any hold: every copy stays, and there is nothing to go by.
    if (holds === null) return;
    const cameras = watchedCameras(sweeps, this.#o.roots());
    const needs = await this.#needs(cameras, holds);
    const short = needs.some(({ count }) => count > 0)
      ? canErase(platform)
        ? await this.#copy(work, cameras, holds, needs)
        : all(needs, 'vault-unsupported')
      : new Map<string, Short>();
    // Asked anew in the middle: what was not tried now failed as before, as far as is known.
    this.#tell(this.#replan ? new Map([...this.#short, ...short]) : short);
    await guard({ ...this.#o, standing, stopped: () => this.#stopped || this.#replan }, sweeps.sources());
  }

  /** Those that are what was made; what is wrong with the others is told once. */
  #vaults(): VaultRow[] {
    const { store, journal } = this.#o;
    const here: VaultRow[] = [];
    const away = new Map<number, string>();
    for (const row of store.vaults()) {
      const reason = vaultTrouble(row);
      const source = row.vault as SourceId;
      if (reason === null) here.push(row);
      else away.set(row.id, reason);
      if (reason !== null && this.#away.get(row.id) !== reason)
        journal.append([{ type: 'recordings.root-suspect', data: { source, reason } }]);
      if (reason !== null || this.#compared.has(row.id)) continue;
      this.#compared.add(row.id);
      const count = orphans(store, row);
      const data = { source, camera: null, count, bytes: null, from: null, to: null, reason: 'unknown-file' };
      if (count > 0) journal.append([{ type: 'recording.unknown', data }]);
    }
    this.#away = away;
    return here;
  }

  async #copy(
    work: Work,
    cameras: readonly WatchedCamera[],
    holds: readonly Hold[],
    needs: readonly Needed[],
  ): Promise<Map<string, Short>> {
    const { store, standing } = this.#o;
    const vault = openVault({ ...this.#o, ...this.#place() });
    if (typeof vault === 'string') return all(needs, vault);
    const rate = await this.#rate(vault);
    const used = store.used(vault.row.id);
    const room = (taken: number): Room => this.#room(vault, rate, used + taken);
    const verdicts = admit(needs, room(0));
    const admitted = holds.filter(({ hold }) => verdicts.get(hold) === null);
    const queue = new Queue(store, heldCameras(cameras, admitted, standing), standing);
    const halt = await work.run(vault, queue, admitted, room);
    const short = new Map<string, Short>(work.failures);
    if (halt === null && ![...verdicts.values()].some((why) => why !== null)) return short;
    for (const { hold, count, bytes } of await this.#needs(cameras, holds)) {
      const reason = verdicts.get(hold) ?? halt;
      if (count > 0 && reason !== null) short.set(hold, { reason, count, bytes });
    }
    return short;
  }

  #place() {
    const { config, defaultPath, roots } = this.#o;
    return {
      path: config.path ?? defaultPath,
      roots: () => roots().map((root) => root.config.root),
    };
  }

  #work(): Work {
    return new Work({
      ...this.#o,
      stopped: () => this.#stopped,
      replan: () => this.#replan,
      passed: (bytes) => this.#passed(bytes),
    });
  }

  /** R10: as slow as was set, and others have their turn after each slice. */
  async #passed(bytes: number): Promise<void> {
    const { clock, rest } = this.#o;
    this.#o.progressed?.();
    const ms = this.#pace.after(bytes, clock.mono());
    if (ms === 0) return rest();
    await new Promise<void>((resolve) => {
      const cancel = clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
      if (this.#stopped) this.#wake();
    });
  }

  /** What each hold reaches and has no copy. */
  async #needs(cameras: readonly WatchedCamera[], holds: readonly Hold[]): Promise<Needed[]> {
    const { store, standing, rest } = this.#o;
    const needs: Needed[] = [];
    for (const hold of holds) {
      const need = { hold: hold.hold as string, count: 0, bytes: 0, begun: false };
      for (const camera of cameras) {
        const interval = reach(hold, camera.camera, standing);
        if (interval === null) continue;
        await rest();
        const { count, bytes } = store.countUncopied(camera, interval);
        need.count += count;
        need.bytes += bytes;
        if (count === 0 || need.begun) continue;
        need.begun = store.copies(camera, interval).some(({ state }) => state === 'copied');
      }
      needs.push(need);
      await rest();
    }
    return needs;
  }

  /** Bytes an hour that are recorded on the vault's volume. */
  async #rate(vault: OpenVault): Promise<number> {
    const { sweeps, store, clock, rest } = this.#o;
    const rates: { bytes: number; ms: number }[] = [];
    for (const { id } of sweeps.sources().filter(({ root }) => deviceOf(root) === vault.dev)) {
      const cameras = sweeps.cameras(id).map((camera) => camera.id);
      // By the recordings' own times: what was written is measured, not when somebody looked.
      const newest = Math.max(-1, ...cameras.map((one) => store.newestEnd(one, clock.now()) ?? -1));
      const day = { from: newest - DAY_MS, to: newest };
      let [bytes, first] = [0, newest];
      for (const camera of cameras) {
        const written = store.written(camera, day);
        bytes += written.bytes;
        first = Math.min(first, written.first ?? newest);
        await rest();
      }
      rates.push({ bytes, ms: newest - Math.max(first, day.from) });
    }
    return perHour(rates);
  }

  #room({ row }: OpenVault, rate: number, used: number): Room {
    const { quotaBytes: quota, leaveHours } = this.#o.config;
    const { path } = row;
    return { free: freeBytes(path), volume: volumeBytes(path), used, quota, leaveHours, perHour: rate };
  }

  /** I13 */
  #tell(short: Map<string, Short>): void {
    this.#short = short;
    for (const hold of [...this.#told.keys()]) if (!short.has(hold)) this.#told.delete(hold);
    const fresh = [...short].filter(([hold, { reason }]) => this.#told.get(hold) !== reason);
    if (fresh.length === 0) return;
    this.#o.journal.append(
      fresh.map(([hold, data]): Draft<'vault.failed'> => {
        return { type: 'vault.failed', data: { hold: hold as Id<'hold'>, ...data } };
      }),
    );
    for (const [hold, { reason }] of fresh) this.#told.set(hold, reason);
  }

  /** H2, beside whether it is in force: whether what it covers is safe from the recorder. As the rows are now. */
  progress(hold: string): Protection {
    const { sweeps, store, standing, roots } = this.#o;
    const nothing: Protection = {
      ...{ state: 'not-needed', done: 0, total: 0, bytes: 0, leftBytes: 0, lost: 0, reason: null },
    };
    const holds = sweeps.holds();
    if (holds === null) return { ...nothing, state: 'failed', reason: 'holds-unreadable' };
    const one = holds.find((row) => row.hold === hold);
    if (one === undefined) return nothing;
    const sum = { ...nothing };
    for (const camera of watchedCameras(sweeps, roots())) {
      const interval = reach(one, camera.camera, standing);
      if (interval === null) continue;
      const left = store.countUncopied(camera, interval);
      sum.total += left.count;
      sum.leftBytes += left.bytes;
      for (const { state, count, bytes } of store.copies(camera, interval)) {
        if (state === 'lost') sum.lost += count;
        if (state === 'copying' || state === 'whole' || state === 'copied') sum.total += count;
        if (state !== 'copied') continue;
        sum.done += count;
        sum.bytes += bytes;
      }
    }
    // Nobody can say of copies that are not there that they are.
    const [away] = sum.done > 0 ? this.#away.values() : [];
    if (away !== undefined) return { ...sum, state: 'failed', reason: away };
    return { ...sum, ...stateOf(sum, this.#short.get(hold)?.reason ?? this.#broke) };
  }

  /** For the scan, inside its transaction: what of these rows, which vanished without us, a hold covered (R7). */
  vanished(
    source: string,
    rows: readonly (Omit<Touched, 'copied'> & { folder: number; name: string })[],
  ): Draft<'hold.violated'>[] {
    const { sweeps, store, standing } = this.#o;
    const holds = sweeps.holds() ?? [];
    if (holds.length === 0) return [];
    const touched = rows.map((row) => ({ ...row, copied: store.hasCopy(row.folder, row.name) }));
    const root = this.#o.roots().find((one) => one.source === source);
    if (root !== undefined && recorderDeletes(root.config)) giveUp(this.#o, source, touched, holds);
    return violations(source, touched, { holds, standing, reason: 'vanished' });
  }
}

type Needed = Need & { count: number };

function all(needs: readonly Needed[], reason: string): Map<string, Short> {
  const waiting = needs.filter(({ count }) => count > 0);
  return new Map(waiting.map(({ hold, count, bytes }) => [hold, { reason, count, bytes }]));
}

function stateOf(
  { done, total, lost }: Protection,
  reason: string | null,
): Pick<Protection, 'state' | 'reason'> {
  if (total > done) return reason === null ? { state: 'copying', reason } : { state: 'failed', reason };
  // Nothing more can be done for these.
  if (lost > 0) return { state: 'failed', reason: 'lost' };
  return { state: total === 0 ? 'not-needed' : 'copied', reason: null };
}

/** Null also where the mount does not answer: another root's trouble is no reason to stop copying. */
function deviceOf(path: string): number | null {
  try {
    return statSync(path, { throwIfNoEntry: false })?.dev ?? null;
  } catch {
    return null;
  }
}
