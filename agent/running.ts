/**
 * A running agent: what is started in which order, and stopped in which order.
 *
 * Start: lock, journal, sources, `agent.started`, control socket, link, telemetry. A failure on the way stops what
 * was started, last first. Stop: telemetry, sources, `agent.stopped`, up to 2 s for the outbox, control, link,
 * journal, lock. A crash anywhere is the same as a power cut: the next start takes the same road.
 */
import type { SignedBounds } from '../protocol/bounds.ts';
import { codeOf, TilsynError } from '../protocol/errors.ts';
import { DAY_MS, fromIso, HOUR_MS, SECOND_MS, type UtcMs } from '../protocol/time.ts';
import { AgreementEnd, besideDatabase } from './agreement-end.ts';
import { ErasedBounds } from './bounds.ts';
import { type ControlHandlers, type ControlServer, openControl } from './control.ts';
import { handlersOf } from './control-handlers.ts';
import { DeviceIds } from './device-ids.ts';
import { inState, removeQuarantined } from './files.ts';
import { Footage } from './footage.ts';
import { nameHost } from './host-name.ts';
import { type Enrolment, requireEnrolment } from './identity.ts';
import type { AgentJournal } from './journal.ts';
import { DATABASE_FILE, type OpenedJournal, openJournal } from './journal-open.ts';
import { ensureDigestKey, loadAgentKey } from './keys.ts';
import { lockState, type StateLock } from './lock.ts';
import { openAgentMetrics } from './metrics.ts';
import type { MetricsPort } from './metrics-port.ts';
import { Reading } from './reading.ts';
import type { RunningOptions } from './running-options.ts';
import type { SelfAudit } from './self-audit/self-audit.ts';
import { selfAuditOf } from './self-audit/wire.ts';
import { type AgentStatus, buildStatus, type ShownSource, statusFrameBody } from './status.ts';
import { Health } from './telemetry/health.ts';
import { Link } from './uplink/link.ts';

/** Longest that a stop waits for what was not sent yet; it is safe on the disk anyway. */
const FLUSH_MS = 2 * SECOND_MS;

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
  readonly #footage: Footage;
  readonly #audit: SelfAudit;
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
    let opened: OpenedJournal;
    try {
      opened = this.#openJournal();
    } catch (error) {
      this.#lock.release();
      throw error;
    }
    this.#journal = opened.journal;
    this.#devices = new DeviceIds(this.#journal, this.#enrolment.identity.mode);
    this.#sources = this.#makeSources();
    this.#footage = this.#makeFootage(opened);
    this.#link = this.#makeLink();
    this.#health = this.#makeHealth(opened.telemetry);
    this.#ending = this.#makeEnd();
    this.#audit = this.#makeAudit(opened);
  }

  #openJournal(): OpenedJournal {
    const { state, clock, random, version, faults, log } = this.#o;
    const { identity, birth, groups } = this.#enrolment;
    const opened = openJournal({
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
    const { journal, quarantined } = opened;
    if (quarantined !== null) log.error('database.quarantined', { number: quarantined });
    // Those of the enrolment, for the time until the collector speaks; known and dead ones change nothing.
    this.#tolerant('groups', () => {
      if (groups.length > 0) journal.addGroups(groups);
    });
    return opened;
  }

  #makeFootage({ journal, catalogue, sweeps, vault, book, cover }: OpenedJournal): Footage {
    const { state, config, clock, random, log, faults, machine } = this.#o;
    const { identity } = this.#enrolment;
    const platform = this.#o.platform.split('-')[0] ?? '';
    const uptimeMs = () => machine.uptimeMs();
    return new Footage({
      ...{ config, journal, catalogue, sweeps, book, cover, vaultRows: vault, state },
      ...{ identity, clock, random, log, faults, platform, uptimeMs },
    });
  }

  #makeHealth(store: OpenedJournal['telemetry']): Health {
    const { state, config, clock, random, log, platform } = this.#o;
    const link = this.#link;
    const journal = this.#journal;
    return new Health({
      ...{ state, config, store, journal, link, clock, random, log },
      platform: platform.split('-')[0] ?? platform,
      changed: () => this.#nameHost(),
      over: () => this.#ending.over,
      holdsFill: () => this.#footage.holdsFill(),
    });
  }

  #makeAudit({ audits, sweeps }: OpenedJournal): SelfAudit {
    return selfAuditOf({
      ...{ options: this.#o, store: audits, sweeps, journal: this.#journal, startedAt: this.#startedAt },
      ...{ footage: this.#footage, reading: this.#sources, sealFrom: () => this.#bounds.now.sealFrom },
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
      ...{ config, clock, random, log, detect, machine },
      faults: hit === undefined ? undefined : { hit: (point: string) => hit(point) },
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
      ...{ clock, random, jitter, faults, log },
      software: { version, platform, node },
      proxy: config.proxy,
      readThrough: () => this.#sources.readThrough(),
      statusBody: () => statusFrameBody(this.#shown(), version, this.#startedAt),
      answers: this.#footage.answers,
      stated: (time, applied) => this.#footage.stated(time, applied),
      // The pumps follow the journal by themselves; the name is said once in each log, when it can be sealed.
      changed: () => {
        this.#nameHost();
        this.#tellDevice();
      },
      bounds: (signed) => this.#takeBounds(signed),
      doers: {
        selftest: async () => ({ outcome: 'done', body: await check() }),
        'source.rescan': async () => {
          await this.#rescan();
          return { outcome: 'done' };
        },
        'agreement.end': (body) => this.#ending.take(body),
        'agreement.erase': (body) => this.#ending.takeErase(body),
        ...this.#footage.doers,
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
    const { state, clock } = this.#o;
    return new AgreementEnd({
      ...{ agreement: this.#enrolment.identity.agreement, journal: this.#journal, clock },
      changed: (over) => this.#endChanged(over),
      beside: besideDatabase(state),
      erase: () => {
        removeQuarantined(inState(state, DATABASE_FILE));
        this.#footage.erase();
        return this.#health.erase();
      },
    });
  }

  async #endChanged(over: boolean): Promise<void> {
    this.#o.log.info(over ? 'agreement.over' : 'agreement.open-again');
    await this.#sources.rescan();
    if (!over) return await this.#open(true);
    await this.#audit.stop();
    await this.#footage.stop();
    await this.#health.stop();
    // Nobody would ever hear that they ended: what is known of one-off sessions ends with the reading (S1).
    this.#tolerant('one-off', () => this.#journal.endOneOffs());
  }

  /** @param again the agreement is open again */
  async #open(again = false): Promise<void> {
    this.#health.start();
    await this.#footage.start();
    await this.#audit.start(again);
  }

  async #rescan(): Promise<void> {
    await this.#sources.rescan();
    await this.#footage.rescan();
  }

  #shown(): ShownSource[] {
    return [...this.#sources.status(), ...this.#footage.status()];
  }

  async #begin(): Promise<void> {
    this.#tolerant('agreement.erase', () => this.#ending.resume());
    this.#say('agent.started', 'start');
    this.#nameHost();
    await this.#sources.start();
    this.#control = await openControl(this.#o.state, this.#handlers());
    this.#metrics = await this.#openMetrics();
    this.#daily(HOUR_MS);
    this.#link.start();
    if (!this.#ending.over) await this.#open();
    await this.#ending.start();
    this.#o.log.info('agent.started', { version: this.#o.version });
  }

  #handlers(): ControlHandlers {
    return handlersOf({
      status: () => this.status(),
      check: () => this.#checked(),
      rescan: () => this.#rescan(),
      footage: this.#footage,
      stop: () => void this.stop('requested'),
    });
  }

  /** What the state holds, and a self-audit. */
  async #checked(): Promise<Record<string, unknown>> {
    return { ...(await this.#o.check()), audit: await this.#audit.asked() };
  }

  async #openMetrics(): Promise<MetricsPort | null> {
    const { metrics, memory, clock } = this.#o;
    if (metrics === undefined) return null;
    const journal = this.#journal;
    const pulse = () => this.#link.pulse();
    return await openAgentMetrics(metrics, { clock, memory, journal, pulse, status: () => this.status() });
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
      sources: this.#shown(),
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
    await this.#audit.stop();
    await this.#footage.stop();
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
      () => this.#audit.stop(),
      () => this.#footage.stop(),
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
