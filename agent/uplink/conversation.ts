/**
 * What is said on one connection: frames out as the machine asks for them, frames in turned into its inputs.
 * Lives and dies with the connection; nothing in here is kept.
 */
import type { KeyObject } from 'node:crypto';
import type { SignedBounds } from '../../protocol/bounds.ts';
import { CLOSE } from '../../protocol/close-code.ts';
import { TilsynError } from '../../protocol/errors.ts';
import {
  type AgentFrame,
  BATCH_BYTES,
  type CollectorFrame,
  FRAME_KEYS,
  type FrameOf,
  frameText,
  readCollectorFrame,
  type WireKey,
} from '../../protocol/frame.ts';
import type { GroupId, Id, LogId, Random } from '../../protocol/ids.ts';
import type { Sample } from '../../protocol/telemetry.ts';
import { type Clock, fromIso, toIso, type UtcMs } from '../../protocol/time.ts';
import type { AgentLog } from '../log.ts';
import type { AgentIdentity, FaultSeam, Journal } from '../types.ts';
import type { Answerer, Command, Doer } from './commands.ts';
import {
  type Challenge,
  doubtOf,
  type Hello,
  MAX_FRAME_GROUPS,
  makeHello,
  makeProofFrame,
  type Software,
  settle,
  takeGroups,
} from './hello.ts';
import type { Flow, LinkEffect, LinkInput } from './machine.ts';
import { Orders } from './orders.ts';
import type { Wire } from './wire.ts';

/** The socket's own buffer may hold this much before no further batch is made. */
export const BUFFER_MAX_BYTES = 1024 * 1024;
/** Leaves that a build broken on purpose sends again; below one batch, so that no ack runs ahead of it. */
const AGAIN = 100;

export interface LinkDeps {
  identity: AgentIdentity;
  /** The agent's Ed25519 key. */
  key: KeyObject;
  journal: Journal;
  clock: Clock;
  random: Random;
  /** In [0, 1); spreads reconnects. */
  jitter: () => number;
  software: Software;
  proxy: string | null;
  faults: FaultSeam;
  log: AgentLog;
  /** Every source was read and made durable up to this time; null before the first read. */
  readThrough(): UtcMs | null;
  /** Body of the `status` frame: ids, numbers, words of ours. */
  statusBody(): Record<string, unknown>;
  doers: Readonly<Record<string, Doer>>;
  /** To queries, by verb. */
  answers?: Readonly<Record<string, Answerer>> | undefined;
  /** Told of the collector's time, and whether all that it ordered took effect here (C1, H4). */
  stated?: ((time: UtcMs, applied: boolean) => void) | undefined;
  /**
   * Told after the fact: `groups` came or died; `log`: the open log has a successor, and reading positions
   * moved back with it.
   */
  changed(what: 'groups' | 'log'): void;
  /** How far back this agent may go; false where that is not the collector's word to it. */
  bounds?: (signed: SignedBounds) => boolean;
}

/** Code, message and hint of a refusal or a failure. */
export interface Trouble {
  code: string;
  message: string;
  hint: string | null;
}

/** What a conversation tells the link. After its end it tells nothing more. */
export interface Hearer {
  feed(input: LinkInput): void;
  /** A refusal to show; better than the close code that follows it. */
  trouble(trouble: Trouble): void;
  /** The collector's clock minus ours, milliseconds. */
  skew(ms: number): void;
  /** The collector stated its time, and how many commands it has given; `applied`: all of them took effect here. */
  stated(time: UtcMs, applied: boolean): void;
  /** Something of our own failed. */
  broke(error: unknown): void;
  /** True while the machine takes a frame of this type. */
  accepts(frame: CollectorFrame['t']): boolean;
  /** True while the machine waits for room in the socket's buffer. */
  clogged(): boolean;
}

export class Conversation {
  /** The collector said why it is going to close. */
  refused = false;
  readonly #deps: LinkDeps;
  readonly #hearer: Hearer;
  readonly #instance: Id<'instance'>;
  #wire: Wire | null = null;
  #channel = '';
  #hello: Hello | null = null;
  #helloAt = 0;
  #challenge: Challenge | null = null;
  #erasesSent = new Set<GroupId>();
  /** One-off groups whose keys this connection has been given. */
  #handed = new Set<string>();
  readonly #orders: Orders;
  #over = false;

  constructor(deps: LinkDeps, instance: Id<'instance'>, hearer: Hearer) {
    this.#deps = deps;
    this.#instance = instance;
    this.#hearer = hearer;
    const { journal, doers, answers = {} } = deps;
    this.#orders = new Orders({
      ...{ journal, doers, answers },
      send: (result) => this.#send(result),
      improper: (code) => hearer.feed({ t: 'improper', code: CLOSE[code] }),
      broke: (error) => hearer.broke(error),
    });
  }

  /** @param channel the TLS exporter value, base64url */
  opened(wire: Wire, channel: string): void {
    this.#wire = wire;
    this.#channel = channel;
    this.#hearer.feed({ t: 'opened' });
  }

  /** Says and hears nothing from now on. */
  end(): void {
    this.#over = true;
    this.#orders.end();
    this.#wire = null;
  }

  /** Does what the machine asks for; the answer to a `batch`, null for the rest. */
  perform(effect: LinkEffect): LinkInput | null {
    switch (effect.do) {
      case 'hello':
        this.#sayHello();
        return null;
      case 'proof':
        this.#sayProof();
        return null;
      case 'erase':
        this.#sayErased();
        return null;
      case 'status':
        this.#sayStatus();
        return null;
      case 'beat':
        this.#sayBeat();
        return null;
      case 'batch':
        return this.#sendBatch(effect);
      default:
        return null;
    }
  }

  /** Samples, beside everything else. False: the socket has enough to do. */
  sendSamples(samples: readonly Sample[]): boolean {
    const wire = this.#wire;
    if (wire === null || wire.buffered() > 0) return false;
    this.#send({ t: 'telemetry', samples: [...samples] });
    return true;
  }

  /** One text message of the collector's. */
  take(text: string): void {
    const read = readCollectorFrame(text);
    if (!read.ok) {
      this.#hearer.feed({ t: 'improper', code: CLOSE[read.close] });
    } else if (!this.#hearer.accepts(read.frame.t)) {
      this.#hearer.feed({ t: 'improper', code: CLOSE.unexpectedFrame });
    } else {
      this.#guarded(() => this.#hearer.feed(this.#understand(read.frame)));
    }
  }

  #guarded(fn: () => void): void {
    try {
      fn();
    } catch (error) {
      if (!this.#over) this.#hearer.broke(error);
    }
  }

  #send(frame: AgentFrame): void {
    this.#wire?.send(frameText(frame));
  }

  #sayHello(): void {
    const { identity, software, random, clock, journal } = this.#deps;
    const now = clock.now();
    this.#helloAt = now;
    this.#hello = makeHello({ identity, instance: this.#instance, software, random, now }, journal);
    this.#send(this.#hello);
  }

  #sayProof(): void {
    if (this.#hello === null || this.#challenge === null) return;
    const { key, journal } = this.#deps;
    this.#send(makeProofFrame(key, this.#hello, this.#challenge, this.#channel, journal));
  }

  #sayErased(): void {
    const groups = this.#deps.journal.erasedHere().filter((group) => !this.#erasesSent.has(group));
    if (groups.length === 0) return;
    this.#deps.faults.hit?.('agent.erase.before');
    for (let at = 0; at < groups.length; at += MAX_FRAME_GROUPS) {
      this.#send({ t: 'erase', groups: groups.slice(at, at + MAX_FRAME_GROUPS) });
    }
    for (const group of groups) this.#erasesSent.add(group);
    this.#deps.faults.hit?.('agent.erase.after');
  }

  /** With the keys of all one-off groups that live: the collector may have lost them since the last connection. */
  #sayStatus(): void {
    const keys = this.#deps.journal.oneoffKeys();
    const body = this.#deps.statusBody();
    this.#send(
      keys.length === 0 ? { t: 'status', body } : { t: 'status', body, keys: keys.slice(0, FRAME_KEYS) },
    );
    this.#handOver(keys.slice(FRAME_KEYS));
    for (const { group } of keys) this.#handed.add(group);
  }

  #handOver(keys: readonly WireKey[]): void {
    for (let at = 0; at < keys.length; at += FRAME_KEYS) {
      this.#send({ t: 'status', body: {}, keys: keys.slice(at, at + FRAME_KEYS) });
    }
  }

  #sayBeat(): void {
    const { journal, clock } = this.#deps;
    // First how far was read, then what that led to: the other way round would promise too much.
    const readThrough = this.#deps.readThrough();
    const open = journal.logs().find((log) => log.open);
    this.#send({
      t: 'beat',
      time: toIso(clock.now()),
      readThrough: readThrough === null ? null : toIso(readThrough),
      next: open?.next ?? 1,
      backlog: journal.backlog(),
    });
  }

  #sendBatch(effect: Extract<LinkEffect, { do: 'batch' }>): LinkInput {
    const { journal, faults } = this.#deps;
    const { log, after, events, bytes, room } = effect;
    const wire = this.#wire;
    if (wire === null || wire.buffered() > BUFFER_MAX_BYTES) return { t: 'clogged' };
    const out = journal.outgoing(log, after, { events, bytes });
    if (out === null) return this.#nothing(effect);
    if (out.firstSeq !== after + 1) throw missing();
    const { parts, wraps } = out;
    const fresh = out.keys.filter(({ group }) => !this.#handed.has(group));
    const keys = fresh.slice(0, FRAME_KEYS);
    const text = frameText({ t: 'batch', log, events: out.events, parts, wraps, keys });
    const size = Buffer.byteLength(text);
    if (size > room) return { t: 'tight' };
    faults.hit?.('agent.send.before', { log, through: out.lastSeq });
    // More than one frame holds go before it: no part comes without its key.
    this.#handOver(fresh.slice(FRAME_KEYS));
    for (const { group } of fresh) this.#handed.add(group);
    wire.send(text, () => this.#flushed(wire));
    faults.hit?.('agent.send.after', { log, through: out.lastSeq });
    return { t: 'sent', log, through: out.lastSeq, events: out.events.length, bytes: size };
  }

  /** The journal gave no batch: either all was sent, or the next leaf is larger than what may be sent now. */
  #nothing({ log, after, bytes }: Extract<LinkEffect, { do: 'batch' }>): LinkInput {
    const next = this.#deps.journal.logs().find((one) => one.log === log)?.next ?? 0;
    if (after + 1 >= next) return { t: 'empty', log };
    if (bytes >= BATCH_BYTES) throw missing();
    return { t: 'tight' };
  }

  #flushed(wire: Wire): void {
    if (this.#over || !this.#hearer.clogged()) return;
    if (wire.buffered() < BUFFER_MAX_BYTES / 2) this.#hearer.feed({ t: 'flushed' });
  }

  /** What a frame means to the machine; journal and memory are brought up to date on the way. */
  #understand(frame: CollectorFrame): LinkInput {
    const { journal, identity } = this.#deps;
    switch (frame.t) {
      case 'challenge':
        return this.#onChallenge(frame);
      case 'welcome':
        return this.#onWelcome(frame);
      case 'refuse':
        this.refused = true;
        this.#hearer.trouble({ code: frame.code, message: frame.message, hint: frame.hint });
        return { t: 'refuse', retryAfter: frame.retryAfter };
      case 'ack':
        return { t: 'ack', log: frame.log as LogId, through: frame.through };
      case 'credit':
        return { t: 'credit', window: { events: frame.events, bytes: frame.bytes } };
      case 'groups': {
        const wrong = takeGroups(frame, identity, journal);
        if (wrong !== null) return { t: 'improper', code: CLOSE[wrong] };
        this.#deps.changed('groups');
        return { t: 'heard' };
      }
      case 'erased':
        journal.erasedConfirmed(frame.groups as GroupId[]);
        return { t: 'heard' };
      case 'command':
        return this.#onCommand(frame);
      case 'query':
        this.#orders.query(frame);
        return { t: 'heard' };
      case 'beat':
        this.#onBeat(frame);
        return { t: 'heard' };
    }
  }

  /** Clocks drift while a link lives for weeks; the way here is short against what a skew is looked at for. */
  #onBeat(frame: FrameOf<CollectorFrame, 'beat'>): void {
    const theirs = fromIso(frame.time);
    if (theirs !== null) this.#hearer.skew(Math.round(theirs - this.#deps.clock.now()));
    this.#stated(frame);
  }

  /** Only of a collector that has proven who it is: `beat` and `welcome` come after the challenge. */
  #stated({ time, commandsThrough }: { time: string; commandsThrough: number }): void {
    const theirs = fromIso(time);
    const applied = commandsThrough <= this.#deps.journal.applied().n;
    if (theirs !== null) this.#hearer.stated(theirs, applied);
  }

  #onChallenge(challenge: Challenge): LinkInput {
    const { identity, clock } = this.#deps;
    if (this.#hello === null) return { t: 'challenge', proven: false };
    const doubt = doubtOf(identity, this.#hello, challenge, this.#channel);
    if (doubt !== null) {
      this.#hearer.trouble(doubt);
      return { t: 'challenge', proven: false };
    }
    this.#challenge = challenge;
    const theirs = fromIso(challenge.time);
    // The middle of the round trip is the best guess at when the collector looked at its clock.
    if (theirs !== null) this.#hearer.skew(Math.round(theirs - (this.#helloAt + clock.now()) / 2));
    return { t: 'challenge', proven: true };
  }

  #onWelcome(frame: FrameOf<CollectorFrame, 'welcome'>): LinkInput {
    const { journal, log, faults } = this.#deps;
    if (frame.bounds !== undefined && this.#deps.bounds?.(frame.bounds) === false) {
      return { t: 'improper', code: CLOSE.badFrame };
    }
    const generation = this.#challenge?.generation as Id<'generation'>;
    if (journal.applied().generation !== generation) journal.adoptGeneration(generation);
    this.#stated(frame);
    const { flows, ended, succeeded } = settle(frame.cursors, journal);
    for (const { log: name, plan } of ended) {
      log.warn('link.log-ended', { log: name, reason: plan.reason, did: plan.do });
    }
    if (succeeded) this.#deps.changed('log');
    if (faults.broken?.('resend')) for (const flow of flows) sendAgain(flow, journal);
    return { t: 'welcome', flows, window: frame.credits, succeeded };
  }

  #onCommand(command: Command): LinkInput {
    const generation = this.#challenge?.generation;
    const { agent, identity } = this.#deps.identity;
    const taken = generation !== undefined && this.#orders.command(command, { agent, identity, generation });
    return taken ? { t: 'heard' } : { t: 'improper', code: CLOSE.flowExceeded };
  }
}

/** A build broken on purpose: a `welcome` hides what must never depend on it, that duplicates change nothing. */
function sendAgain(flow: Flow, journal: Journal): void {
  const from = Math.max(0, flow.sent - AGAIN);
  if (journal.hashAt(flow.log, from + 1) === null) return;
  flow.sent = from;
  flow.acked = from;
}

function missing(): TilsynError {
  return new TilsynError(
    'journal.leaf-missing',
    'sending the journal: a leaf that was not acked is not there',
    {
      hint: 'Run `tilsyn agent check`: it says what is damaged.',
      exit: 'integrity',
    },
  );
}
