/**
 * Health of the machine: a sample every so often, alerts on it, both stored, samples sent. The thin shell around the
 * probe, the measures, the machines and the outbox.
 *
 * Without telemetry only Tilsyn itself is watched: its disk, what waits to be sent, its clock. Nothing is sampled then.
 */
import type { Notify } from '../../protocol/alert.ts';
import type { Random } from '../../protocol/ids.ts';
import type { Sample } from '../../protocol/telemetry.ts';
import { type Clock, MINUTE_MS } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import type { AgentLog } from '../log.ts';
import { Alerts, type OpenAlert } from './alerts.ts';
import { DiskIndexes, type NamedMount } from './disk-indexes.ts';
import { HISTORY_MS, recent } from './measures.ts';
import { type SampleLink, SampleOutbox } from './outbox.ts';
import { type Machine, Probe, type Space, share } from './probe.ts';
import type { TelemetryStore } from './store.ts';
import { type Own, watchedOf, watchedOfDevice } from './watched.ts';

/** Tilsyn itself is looked at, and samples are sent, as often as this or as sampling. */
const LOOK_MS = MINUTE_MS;
/** Timers are late: a measurement may stand for half of one more. */
const SLACK = 1.5;
/** Also where the last look took longer than there was time. */
const LEAST_MS = 1_000;
/** A look that comes so much before its time counts as on time. */
const EARLY_MS = 500;
const MB = 1024 * 1024;

export interface TelemetryDeps {
  /** Null: nothing is sampled. */
  sampling: { everyMs: number } | null;
  notify: Notify;
  /** State directory. */
  state: string;
  store: TelemetryStore;
  journal: AgentJournal;
  machine: Machine;
  link: SampleLink;
  /** The collector's clock minus ours, while it is known. */
  skewMs(): number | null;
  /** Seconds until holds fill a disk (R9); null: nobody can say, undefined: no recordings are kept here. */
  holdsFill?(): Promise<number | null | undefined>;
  clock: Clock;
  random: Random;
  log: AgentLog;
  /** Told of disks that were not there before. */
  disksChanged(): void;
  /** True: nothing is measured (M1). Absent: it may be. */
  over?(): boolean;
}

export interface TelemetryStatus {
  /** Null: off. */
  everyMs: number | null;
  last: Sample | null;
  kept: number;
  unsent: number;
  /** Since the start, for want of room. */
  notStored: number;
}

export class Telemetry {
  readonly #deps: TelemetryDeps;
  readonly #probe: Probe;
  readonly #alerts: Alerts;
  readonly #outbox: SampleOutbox;
  readonly #disks: DiskIndexes;
  #history: Sample[] = [];
  #last: Sample | null = null;
  #notStored = 0;
  #dueAt = Number.NEGATIVE_INFINITY;
  #cancel: () => void = () => {};
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: TelemetryDeps) {
    this.#deps = deps;
    const { store, journal, random, notify, link, clock, machine, sampling } = deps;
    this.#probe = new Probe(machine, clock);
    this.#alerts = new Alerts({ store, journal, random, notify });
    this.#outbox = new SampleOutbox(store, link, clock);
    this.#disks = new DiskIndexes(store, journal, clock);
    if (sampling !== null) {
      this.#history = recent(store.newest(Math.ceil(HISTORY_MS / sampling.everyMs) + 1), clock.now());
    }
  }

  start(): void {
    this.#stopped = false;
    this.#turn = this.#tick();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#turn;
  }

  /** What was measured is erased (T31): nothing of it is shown, or goes on from memory. */
  forget(): void {
    this.#history = [];
    this.#last = null;
    this.#alerts.forget();
  }

  /** Disks of this process, as `host.named` names them. */
  disks(): NamedMount[] {
    return this.#disks.named();
  }

  openAlerts(): OpenAlert[] {
    return this.#alerts.open();
  }

  status(): TelemetryStatus {
    const { store, sampling } = this.#deps;
    return {
      everyMs: sampling?.everyMs ?? null,
      last: this.#last,
      ...store.counts(),
      notStored: this.#notStored,
    };
  }

  /** Until the next look, or the next sample where that comes first. */
  #waitMs(): number {
    if (this.#deps.sampling === null) return LOOK_MS;
    return Math.min(LOOK_MS, Math.max(LEAST_MS, this.#dueAt - this.#deps.clock.mono()));
  }

  async #tick(): Promise<void> {
    const { log, clock } = this.#deps;
    try {
      await this.#look();
      log.recovered('telemetry');
    } catch (error) {
      log.trouble('telemetry', error);
    }
    if (this.#stopped) return;
    this.#cancel = clock.after(this.#waitMs(), () => {
      this.#turn = this.#tick();
    });
  }

  async #look(): Promise<void> {
    const { clock, sampling, over } = this.#deps;
    // Timers are late, and machines sleep over a date: it is asked at the last moment before each measurement.
    if (over?.()) return;
    const due = sampling !== null && clock.mono() >= this.#dueAt - EARLY_MS;
    // From here on: a sample that fails is taken again at its next time, not at once.
    if (due) this.#dueAt = clock.mono() + sampling.everyMs;
    const disks = due ? await this.#probe.disks() : new Map<string, Space | null>();
    const own = await this.#own();
    if (this.#stopped || over?.()) return;
    const watched = watchedOf(own, Math.min(LOOK_MS, sampling?.everyMs ?? LOOK_MS) * SLACK);
    if (!due) {
      this.#write(watched, null);
      return;
    }
    const indexed = this.#index(disks);
    const sample = this.#sample(indexed);
    this.#history = recent([...this.#history, sample], sample.at);
    this.#last = sample;
    const device = watchedOfDevice({
      history: this.#history,
      sample,
      silent: [...indexed].filter(([, space]) => space === null).map(([index]) => index),
      remembered: this.#alerts.disks(),
      memoryIsTelling: this.#deps.machine.memoryIsTelling,
      atMostMs: sampling.everyMs * SLACK,
    });
    this.#write([...watched, ...device], sample);
  }

  /** Stores what was seen, then sends what is stored: a sample that is not on the disk never leaves. */
  #write(watched: Parameters<Alerts['look']>[0], sample: Sample | null): void {
    const { store, clock } = this.#deps;
    const arrived = this.#outbox.arrived();
    let fitted = false;
    const beside = () => {
      if (sample !== null) store.add(sample);
      if (arrived !== null) store.saveSent(arrived);
    };
    try {
      fitted = this.#alerts.look(watched, clock.now(), beside);
    } finally {
      if (!fitted && sample !== null) this.#notStored += 1;
    }
    this.#outbox.send();
  }

  async #own(): Promise<Own> {
    const { state, journal, clock, skewMs } = this.#deps;
    const waiting = journal.waitingSince();
    return {
      space: await this.#probe.space(state),
      waitingMs: waiting === null ? 0 : Math.max(0, clock.now() - waiting),
      skewMs: skewMs(),
      holdsFill: await this.#deps.holdsFill?.(),
    };
  }

  /** By index; disks for which there is none left out. */
  #index(disks: ReadonlyMap<string, Space | null>): Map<number, Space | null> {
    const { fresh, indexed } = this.#disks.index(disks);
    if (fresh) this.#deps.disksChanged();
    return indexed;
  }

  #sample(disks: ReadonlyMap<number, Space | null>): Sample {
    const { machine, clock } = this.#deps;
    const { free, total } = machine.memory();
    return {
      at: clock.now(),
      cpuPermille: this.#probe.cpu(),
      memUsedPermille: share(total - free, total),
      memTotalMb: Math.round(total / MB),
      uptimeSeconds: machine.uptimeSeconds(),
      disks: [...disks].flatMap(([index, space]) => (space === null ? [] : [{ index, ...space }])),
    };
  }
}
