/**
 * A running agent: what is started in which order, and stopped in which order.
 *
 * Start: lock, journal, sources, `agent.started`, control socket, link, telemetry. A failure on the way stops what
 * was started, last first. Stop: telemetry, sources, `agent.stopped`, up to 2 s for the outbox, control, link,
 * journal, lock. A crash anywhere is the same as a power cut: the next start takes the same road.
 */
import type { SignedBounds } from '../protocol/bounds.ts';
import { codeOf, TilsynError } from '../protocol/errors.ts';
import type { Random } from '../protocol/ids.ts';
import { type Clock, DAY_MS, fromIso, HOUR_MS, SECOND_MS, type UtcMs } from '../protocol/time.ts';
import { AgreementEnd, END_FILE } from './agreement-end.ts';
import { ErasedBounds } from './bounds.ts';
import type { AgentConfig } from './config.ts';
import { type ControlServer, openControl } from './control.ts';
import { DeviceIds } from './device-ids.ts';
import { inState, readText, removeQuarantined, writeAtomic } from './files.ts';
import { nameHost } from './host-name.ts';
import { type Enrolment, requireEnrolment } from './identity.ts';
import type { AgentJournal } from './journal.ts';
import { DATABASE_FILE, openJournal } from './journal-open.ts';
import { ensureDigestKey, loadAgentKey } from './keys.ts';
import { lockState, type StateLock } from './lock.ts';
import type { AgentLog } from './log.ts';
import { watchAgent } from './metrics.ts';
import type { MetricsPort } from './metrics-port.ts';
import { Reading } from './reading.ts';
import type { ThisMachine } from './sessions/chains.ts';
import type { ToolInput } from './sources/detect-tools.ts';
import { type AgentStatus, buildStatus, statusFrameBody } from './status.ts';
import { Health } from './telemetry/health.ts';
import type { TelemetryStore } from './telemetry/store.ts';
import type { FaultSeam } from './types.ts';
import { Link } from './uplink/link.ts';

/** Longest that a stop waits for what was not sent yet; it is safe on the disk anyway. */
const FLUSH_MS = 2 * SECOND_MS;

export interface RunningOptions {
  state: string;
  config: AgentConfig;
  clock: Clock;
  random: Random;
  /** In [0, 1); spreads reconnects. */
  jitter: () => number;
  faults: FaultSeam;
  log: AgentLog;
  version: string;
  /** `linux-x64` and the like, and the version of Node. */
  platform: string;
  node: string;
  /** Where tools are looked for. */
  detect: ToolInput;
  machine: ThisMachine;
  /** The database is damaged: the process has to start anew, which sets it aside. */
  damaged(): void;
  /** Looks at the state of a database and its files. */
  check(): Promise<Record<string, unknown>>;
  /** `127.0.0.1:port` for `/metrics` and `/health`; absent: none. */
  metrics?: string | undefined;
  /** Resident memory of the process, bytes. */
  memory: () => number;
}

export class RunningAgent {
  readonly #o: RunningOptions;
  readonly #enrolment: Enrolment;
  readonly #bounds: ErasedBounds;
  readonly #lock: StateLock;
  readonly #journal: AgentJournal;
  readonly #devices: DeviceIds;
  readonly #sources: Reading;
  readonly #link: Link;
  readonly #health: Health;
  readonly #ending: AgreementEnd;
  readonly #startedAt: UtcMs;
  #control: ControlServer | null = null;
  #metrics: MetricsPort | null = null;
  #cancelDaily: () => void = () => {};
  #stopping: Promise<void> | null = null;
  #last: AgentStatus | null = null;
  readonly #stopped = Promise.withResolvers<void>();
  /** Resolves when everything is given back, whoever asked for the stop. */
  readonly stopped: Promise<void> = this.#stopped.promise;

  /** @throws TilsynError `agent.not-enrolled`, `state.*`, `key.*`, `database.*`, `control.*` */
  static async start(options: RunningOptions): Promise<RunningAgent> {
    const agent = new RunningAgent(options);
    try {
      await agent.#begin();
      return agent;
    } catch (error) {
      await agent.#end();
      throw error;
    }
  }

  private constructor(o: RunningOptions) {
    this.#o = o;
    this.#startedAt = o.clock.now();
    this.#enrolment = requireEnrolment(o.state);
    this.#bounds = new ErasedBounds(o.state, this.#enrolment.identity);
    this.#lock = lockState(o.state);
    let telemetry: TelemetryStore;
    try {
      ({ journal: this.#journal, telemetry } = this.#openJournal());
    } catch (error) {
      this.#lock.release();
      throw error;
    }
    this.#devices = new DeviceIds(this.#journal, this.#enrolment.identity.mode);
    this.#sources = this.#makeSources();
    this.#link = this.#makeLink();
    this.#health = this.#makeHealth(telemetry);
    this.#ending = this.#makeEnd();
  }

  #openJournal(): { journal: AgentJournal; telemetry: TelemetryStore } {
    const { state, clock, random, version, faults, log } = this.#o;
    const { identity, birth, groups } = this.#enrolment;
    const { journal, telemetry, quarantined } = openJournal({
      dir: state,
      identity,
      birth,
      key: loadAgentKey(state),
      digestKey: ensureDigestKey(state, random),
      clock,
      random,
      version,
      faults,
      sealFrom: () => this.#bounds.now.sealFrom,
      onDamaged: () => this.#o.damaged(),
    });
    if (quarantined !== null) log.error('database.quarantined', { number: quarantined });
    // Those of the enrolment, for the time until the collector speaks; known and dead ones change nothing.
    this.#tolerant('groups', () => {
      if (groups.length > 0) journal.addGroups(groups);
    });
    return { journal, telemetry };
  }

  #makeHealth(store: TelemetryStore): Health {
    const { state, config, clock, random, log, platform } = this.#o;
    const link = this.#link;
    const journal = this.#journal;
    return new Health({
      ...{ state, config, store, journal, link, clock, random, log },
      platform: platform.split('-')[0] ?? platform,
      changed: () => this.#nameHost(),
      over: () => this.#ending.over,
    });
  }

  #makeSources(): Reading {
    const { config, state, clock, random, log, faults, detect, machine } = this.#o;
    const { identity } = this.#enrolment;
    const hit = faults.hit;
    return new Reading({
      journal: this.#journal,
      digestKey: ensureDigestKey(state, random),
      enrolledAt: fromIso(identity.enrolledAt) ?? clock.now(),
      readFrom: () => this.#bounds.now.readFrom,
      mode: identity.mode,
      config,
      clock,
      random,
      log,
      faults: hit === undefined ? undefined : { hit: (point: string) => hit(point) },
      detect,
      machine,
      onCaughtUp: () => this.#link.caughtUp(),
      over: () => this.#ending.over,
      own: (source, tool, id) => {
        if (this.#devices.note(source, { tool, id })) this.#tellDevice();
      },
    });
  }

  #makeLink(): Link {
    const { state, clock, random, jitter, faults, log, version, platform, node, config, check } = this.#o;
    return new Link({
      identity: this.#enrolment.identity,
      key: loadAgentKey(state),
      journal: this.#journal,
      clock,
      random,
      jitter,
      software: { version, platform, node },
      proxy: config.proxy,
      faults,
      log,
      readThrough: () => this.#sources.readThrough(),
      statusBody: () => statusFrameBody(this.#sources.status(), version, this.#startedAt),
      // The pumps follow the journal by themselves; the name is said once in each log, when it can be sealed.
      changed: () => {
        this.#nameHost();
        this.#tellDevice();
      },
      bounds: (signed) => this.#takeBounds(signed),
      doers: {
        selftest: async () => ({ outcome: 'done', body: await check() }),
        'source.rescan': async () => {
          await this.#sources.rescan();
          return { outcome: 'done' };
        },
        'agreement.end': (body) => this.#ending.take(body),
        'agreement.erase': (body) => this.#ending.takeErase(body),
      },
    });
  }

  /** Where there is no room to keep them they hold for now, and the next connection says them again. */
  #takeBounds(signed: SignedBounds): boolean {
    let ours = true;
    this.#tolerant('bounds', () => {
      ours = this.#bounds.take(signed);
    });
    return ours;
  }

  #makeEnd(): AgreementEnd {
    return new AgreementEnd({
      agreement: this.#enrolment.identity.agreement,
      journal: this.#journal,
      clock: this.#o.clock,
      changed: async (over) => {
        this.#o.log.info(over ? 'agreement.over' : 'agreement.open-again');
        await this.#sources.rescan();
        if (!over) return this.#health.start();
        await this.#health.stop();
        // Nobody would ever hear that they ended: what is known of one-off sessions ends with the reading (S1).
        this.#tolerant('one-off', () => this.#journal.endOneOffs());
      },
      beside: {
        read: () => readText(inState(this.#o.state, END_FILE)),
        write: (text) => writeAtomic(inState(this.#o.state, END_FILE), text),
      },
      erase: () => {
        removeQuarantined(inState(this.#o.state, DATABASE_FILE));
        return this.#health.erase();
      },
    });
  }

  async #begin(): Promise<void> {
    this.#tolerant('agreement.erase', () => this.#ending.resume());
    this.#say('agent.started', 'start');
    this.#nameHost();
    await this.#sources.start();
    this.#control = await openControl(this.#o.state, {
      status: async () => ({ ...this.status() }),
      check: () => this.#o.check(),
      rescan: async () => {
        await this.#sources.rescan();
        return { sources: this.#sources.status().length };
      },
      stop: async () => {
        // After the answer has left: the control socket is the first thing that goes.
        setImmediate(() => void this.stop('requested'));
        return {};
      },
    });
    this.#metrics = await this.#openMetrics();
    this.#daily(HOUR_MS);
    this.#link.start();
    if (!this.#ending.over) this.#health.start();
    await this.#ending.start();
    this.#o.log.info('agent.started', { version: this.#o.version });
  }

  async #openMetrics(): Promise<MetricsPort | null> {
    const { metrics, memory, clock } = this.#o;
    if (metrics === undefined) return null;
    const watched = watchAgent({
      clock,
      memory,
      status: () => this.status(),
      waitingSince: () => this.#journal.waitingSince(),
      gaps: () => this.#journal.gaps(),
      pulse: () => this.#link.pulse(),
    });
    // Loaded where it is wanted: most agents tell nobody.
    const { openMetrics } = await import('./metrics-port.ts');
    return await openMetrics(metrics, watched);
  }

  /** Where metrics are told, `address:port` as bound; null: nowhere. */
  get metrics(): string | null {
    return this.#metrics?.address ?? null;
  }

  /** After the stop: as it was then. */
  status(): AgentStatus {
    if (this.#last !== null) return this.#last;
    return buildStatus({
      state: this.#o.state,
      version: this.#o.version,
      startedAt: this.#startedAt,
      identity: this.#enrolment.identity,
      journal: this.#journal,
      link: this.#link.status(),
      sources: this.#sources.status(),
      readThrough: this.#sources.readThrough(),
      health: this.#health.status(),
    });
  }

  /** Safe to call twice. `reason`: a word. */
  stop(reason = 'stop'): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  async #stop(reason: string): Promise<void> {
    this.#cancelDaily();
    this.#ending.stop();
    await this.#health.stop();
    await this.#sources.stop();
    // The process is over, and with it what it knows of one-off sessions: said while there is a link.
    this.#tolerant('one-off', () => this.#journal.endOneOffs());
    this.#say('agent.stopped', reason);
    await this.#link.drained(FLUSH_MS);
    this.#last = this.status();
    await this.#end();
    this.#o.log.info('agent.stopped', { reason });
    this.#stopped.resolve();
  }

  /** Gives back what was taken, last first; each step also where one before it failed. */
  async #end(): Promise<void> {
    this.#cancelDaily();
    const steps = [
      () => this.#metrics?.close(),
      () => this.#control?.close(),
      () => this.#health.stop(),
      () => this.#sources.stop(),
      () => this.#link.stop(),
      () => this.#journal.close(),
      () => this.#lock.release(),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        this.#o.log.error('agent.stop-failed', { code: codeOf(error) });
      }
    }
  }

  #say(type: 'agent.started' | 'agent.stopped', reason: string): void {
    this.#tolerant(type, () => {
      this.#journal.append([{ type, data: { version: this.#o.version, reason } }]);
    });
  }

  #nameHost(): void {
    // What a machine is called is told to nobody any more.
    if (this.#ending?.over) return;
    this.#tolerant('host.named', () => {
      const { facts, provisional } = this.#health.named();
      nameHost(this.#journal, facts, provisional);
    });
  }

  #tellDevice(): void {
    if (this.#ending?.over) return;
    this.#tolerant('device.known', () => this.#devices.tell());
  }

  /** A disk without room must keep no agent from starting, stopping or hearing; the log says what was not done. */
  #tolerant(about: string, act: () => void): void {
    try {
      act();
      this.#o.log.recovered(about);
    } catch (error) {
      if (!(error instanceof TilsynError) || !error.retryable) throw error;
      this.#o.log.trouble(about, error);
    }
  }

  #daily(ms: number): void {
    this.#cancelDaily = this.#o.clock.after(ms, () => {
      this.#tolerant('prune', () => this.#journal.prune());
      if (this.#ending.over) this.#tolerant('prune', () => this.#health.dropStale(this.#o.clock.now()));
      this.#nameHost();
      this.#tellDevice();
      this.#daily(DAY_MS);
    });
  }
}
