/**
 * The link itself: runs the machine of `state.ts` on a real socket, with real timers. Decisions are there, the
 * words are in `conversation.ts`; this is the thin shell around both.
 *
 * U17 Samples leave only on a live link on which no event waits, and only into an empty socket.
 */
import { CLOSE, closeName } from '../../protocol/close-code.ts';
import { codeOf, TilsynError } from '../../protocol/errors.ts';
import { type Id, newId } from '../../protocol/ids.ts';
import type { Sample } from '../../protocol/telemetry.ts';
import { toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { Conversation, type Hearer, type LinkDeps, type Trouble } from './conversation.ts';
import type { LinkEffect, LinkInput, LinkState } from './machine.ts';
import { accepts, CONNECT_MS, deadlineOf, nextState, STOPPED } from './state.ts';
import { openWire, type Wire } from './wire.ts';

export interface LinkStatus {
  state: LinkState['kind'];
  since: string;
  /** When the next attempt is due; null while connected or connecting. */
  retryAt: string | null;
  /** Attempts since the last live link. */
  attempts: number;
  /** The last refusal or failure; stays to be read after the link recovered. */
  problem: (Trouble & { at: string }) | null;
  /** Generation of the collector's state; null before the first handshake. */
  generation: string | null;
  /** The collector's clock minus ours, measured at the last handshake. */
  skewMs: number | null;
}

interface Connection {
  wire: Wire;
  talk: Conversation;
}

export class Link {
  readonly #deps: LinkDeps;
  readonly #instance: Id<'instance'>;
  #state: LinkState = STOPPED;
  #since: UtcMs;
  #connection: Connection | null = null;
  #closing: Promise<void> = Promise.resolve();
  #queue: LinkInput[] = [];
  #busy = false;
  #cancelTimer: (() => void) | null = null;
  #unsubscribe: (() => void) | null = null;
  #appendNoted = false;
  #attempts = 0;
  #problem: LinkStatus['problem'] = null;
  #skewMs: number | null = null;
  #lives = 0;
  /** Monotonic; null while the link is live. */
  #downAt: number | null;
  #watchers = new Set<() => void>();

  constructor(deps: LinkDeps) {
    this.#deps = deps;
    this.#instance = newId(deps.random);
    this.#since = deps.clock.now();
    this.#downAt = deps.clock.mono();
  }

  start(): void {
    this.#unsubscribe ??= this.#deps.journal.onAppend(() => this.#noteAppend());
    this.#feed({ t: 'start' });
  }

  /** Ends the connection on purpose; resolves when its socket is gone (at most 2 s). */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.#feed({ t: 'stop' });
    await this.#closing;
  }

  /** The pump has read everything there was: a fresh beat follows where events came. */
  caughtUp(): void {
    this.#feed({ t: 'caughtUp' });
  }

  /** Resolves when everything is acked, no connection is there or being made, or `ms` have passed. */
  drained(ms: number): Promise<void> {
    const done = () => this.#connection === null || this.#deps.journal.backlog() === 0;
    if (done()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        this.#watchers.delete(look);
        cancel();
        resolve();
      };
      const look = () => {
        if (done()) finish();
      };
      const cancel = this.#deps.clock.after(ms, finish);
      this.#watchers.add(look);
    });
  }

  /** Number of the live link, another one each time; null while there is none. */
  live(): number | null {
    return this.#state.kind === 'live' ? this.#lives : null;
  }

  /** Live links so far, and for how long there is none now, milliseconds; null: there is one. */
  pulse(): { lives: number; downMs: number | null } {
    const downMs = this.#downAt === null ? null : this.#deps.clock.mono() - this.#downAt;
    return { lives: this.#lives, downMs };
  }

  /** False: not now (U17). What was sent has not arrived yet; a connection may take it with it. */
  sendSamples(samples: readonly Sample[]): boolean {
    if (this.live() === null || this.#deps.journal.backlog() > 0) return false;
    return this.#connection?.talk.sendSamples(samples) ?? false;
  }

  status(): LinkStatus {
    const { clock, journal } = this.#deps;
    const state = this.#state;
    const waits = state.kind === 'waiting' || state.kind === 'refused';
    return {
      state: state.kind,
      since: toIso(this.#since),
      retryAt: waits ? toIso(utcMs(Math.round(clock.now() + state.until - clock.mono()))) : null,
      attempts: this.#attempts,
      problem: this.#problem,
      generation: journal.applied().generation,
      skewMs: this.#skewMs,
    };
  }

  // Appends come in bursts, from inside the pump's own step: one look at the journal after the burst is enough.
  #noteAppend(): void {
    if (this.#appendNoted) return;
    this.#appendNoted = true;
    queueMicrotask(() => {
      this.#appendNoted = false;
      this.#feed({ t: 'appended' });
    });
  }

  #feed(input: LinkInput): void {
    this.#queue.push(input);
    this.#run();
  }

  #run(): void {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next);
    } finally {
      this.#busy = false;
    }
    this.#arm();
    for (const look of [...this.#watchers]) look();
  }

  #step(input: LinkInput): void {
    const { clock, jitter } = this.#deps;
    const before = this.#state.kind;
    const { state, effects } = nextState(this.#state, input, { now: clock.mono(), random: jitter() });
    this.#state = state;
    try {
      if (state.kind !== before) this.#moved(state.kind);
      for (const effect of effects) {
        const answer = this.#perform(effect);
        // An answer is about now; what waits in the queue came later or does not touch it.
        if (answer !== null) this.#queue.unshift(answer);
      }
    } catch (error) {
      this.#broke(error);
    }
  }

  #moved(kind: LinkState['kind']): void {
    const { clock, log, faults } = this.#deps;
    this.#since = clock.now();
    this.#downAt = kind === 'live' ? null : (this.#downAt ?? clock.mono());
    if (kind === 'connecting') {
      this.#attempts += 1;
      faults.hit?.('agent.link.connecting');
    } else if (kind === 'live') {
      this.#lives += 1;
      log.info('link.live', { attempts: this.#attempts });
      log.recovered('link');
      this.#attempts = 0;
      faults.hit?.('agent.link.live');
    } else if (kind === 'waiting' || kind === 'refused') {
      faults.hit?.('agent.link.waiting');
    }
  }

  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const at = deadlineOf(this.#state);
    if (at === null) return;
    const { clock } = this.#deps;
    this.#cancelTimer = clock.after(Math.max(0, Math.ceil(at - clock.mono())), () => {
      this.#cancelTimer = null;
      this.#feed({ t: 'timer' });
    });
  }

  #perform(effect: LinkEffect): LinkInput | null {
    switch (effect.do) {
      case 'connect':
        this.#connect();
        return null;
      case 'close':
        this.#explain(effect.code);
        this.#drop(effect.code);
        return null;
      case 'acked':
        this.#acked(effect);
        return null;
      default:
        return this.#connection?.talk.perform(effect) ?? null;
    }
  }

  #acked({ log, through }: Extract<LinkEffect, { do: 'acked' }>): void {
    const { journal, faults } = this.#deps;
    faults.hit?.('agent.ack.before', { log, through });
    // A crash before this sends the same leaves again; the collector knows them by (log, seq).
    journal.acked(log, through);
    faults.hit?.('agent.ack.after', { log, through });
  }

  #connect(): void {
    const { identity, proxy } = this.#deps;
    const talk = new Conversation(this.#deps, this.#instance, this.#hearer());
    // Events of a connection that was given up must not reach the next one.
    const mine = (fn: (one: Connection) => void) => {
      if (this.#connection?.talk === talk) fn(this.#connection);
    };
    const wire = openWire(
      { url: identity.url, ca: identity.ca, proxy, timeoutMs: CONNECT_MS },
      {
        opened: (channel) => mine((one) => one.talk.opened(one.wire, channel)),
        text: (text) => mine((one) => one.talk.take(text)),
        binary: () => mine(() => this.#feed({ t: 'improper', code: CLOSE.badFrame })),
        heard: () => mine(() => this.#feed({ t: 'heard' })),
        closed: (code) => mine(() => this.#closed(code)),
        failed: (error) => mine(() => this.#failed(error)),
      },
    );
    this.#connection = { wire, talk };
  }

  #hearer(): Hearer {
    return {
      feed: (input) => this.#feed(input),
      trouble: (trouble) => this.#note(trouble),
      skew: (ms) => {
        this.#skewMs = ms;
      },
      stated: (time, applied) => this.#deps.stated?.(time, applied),
      broke: (error) => {
        this.#broke(error);
        this.#run();
      },
      accepts: (frame) => accepts(this.#state, frame),
      clogged: () => this.#state.kind === 'live' && this.#state.clogged,
    };
  }

  #closed(code: number): void {
    const refused = this.#connection?.talk.refused === true;
    this.#release();
    if (!refused) {
      this.#note({
        code: 'link.closed',
        message: `keeping the link: the collector closed it (${closeName(code)})`,
        hint: 'The agent connects again by itself.',
      });
    }
    this.#feed({ t: 'closed', code });
  }

  #failed(error: TilsynError): void {
    this.#release();
    this.#note(error);
    this.#feed({ t: 'failed' });
  }

  /** Something of our own failed (a full disk, a damaged row): the connection goes, the link tries again. */
  #broke(error: unknown): void {
    const own = error instanceof TilsynError ? error : null;
    this.#note({
      code: own?.code ?? 'link.failed',
      message: own?.message ?? `keeping the link: an unexpected failure (${codeOf(error)})`,
      hint: own?.hint ?? 'See the log of the agent; it tries again by itself.',
    });
    this.#drop(CLOSE.goingAway);
    this.#queue.unshift({ t: 'failed' });
  }

  #drop(code: number): void {
    const wire = this.#release();
    if (wire !== null) this.#closing = wire.close(code);
  }

  /** Why we close, where nothing better was said already. */
  #explain(code: number): void {
    if (code === CLOSE.goingAway || code === CLOSE.notProven) return;
    this.#note({
      code: 'link.given-up',
      message: `keeping the link: the collector did not keep to the protocol (${closeName(code)})`,
      hint: 'Compare `tilsyn version` here and at the collector; the agent connects again by itself.',
    });
  }

  #release(): Wire | null {
    const connection = this.#connection;
    this.#connection = null;
    connection?.talk.end();
    return connection?.wire ?? null;
  }

  /** Shown by `agent status`; the log holds the code only. */
  #note({ code, message, hint }: Trouble): void {
    this.#deps.log.trouble('link', { code });
    this.#problem = { code, message, hint, at: toIso(this.#deps.clock.now()) };
  }
}
