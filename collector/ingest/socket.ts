/**
 * One connection of an agent: hello → challenge → proof → welcome and groups → live. Every offence closes this
 * connection and nothing else.
 *
 * S1  Before a checked `proof` only `hello` and `proof` are taken, each once, within 10 seconds.
 * S12 What an agent must not do ends its connection and is counted; under its id only once it has proven to be it.
 */
import type { WebSocket } from 'ws';
import type { CloseName } from '../../protocol/close-code.ts';
import { codeOf } from '../../protocol/errors.ts';
import { type AgentFrame, type CollectorFrame, type FrameOf, readAgentFrame } from '../../protocol/frame.ts';
import { makeChallenge, verifyProof } from '../../protocol/handshake.ts';
import { type AgentId, type AgreementId, type Id, type LogId, toB64 } from '../../protocol/ids.ts';
import { SECOND_MS, toIso } from '../../protocol/time.ts';
import type { OffenceReason } from '../../protocol/words.ts';
import type { Offences } from '../offences.ts';
import type { AgentRow } from '../store/types.ts';
import type { Context, Refusal } from '../types.ts';
import type { Arbiter } from './arbitrate.ts';
import type { Credits } from './credits.ts';
import type { Generations } from './generation.ts';
import { type Admission, admit, greet, type Hello, isRefused, NOT_PROVEN } from './handshake.ts';
import type { Ingest, Sender } from './ingest.ts';
import type { LinkRegistry, LiveLink } from './links.ts';
import { Live } from './live.ts';
import type { Presence } from './presence.ts';
import { endQuestions } from './queries.ts';
import type { Quotas } from './quotas.ts';
import type { Samples } from './samples.ts';
import { Wire } from './wire.ts';

/** What all sockets share. */
export interface Gate {
  ctx: Context;
  links: LinkRegistry;
  arbiter: Arbiter;
  ingest: Ingest;
  presence: Presence;
  samples: Samples;
  generations: Generations;
  credits: Credits;
  quotas: Quotas;
  offences: Offences;
}

const PROVE_MS = 10 * SECOND_MS;
/** The largest `hello`: 64 logs with births of 4 KiB, and 2,048 groups. */
const MAX_HELLO_BYTES = 384 * 1024;

/** Ends that are an offence of the agent's. */
const OFFENCE_OF: Partial<Record<CloseName, OffenceReason>> = {
  badFrame: 'frame-bad',
  unknownFrame: 'frame-unknown',
  unexpectedFrame: 'frame-unexpected',
  flowExceeded: 'flow-exceeded',
  tooLarge: 'frame-too-large',
  notProven: 'not-proven',
};

type Challenge = FrameOf<CollectorFrame, 'challenge'>;
type Proof = FrameOf<AgentFrame, 'proof'>;
type Phase =
  | { at: 'hello' }
  /** A step of the handshake is being worked on: no frame has a place now. */
  | { at: 'busy' }
  | { at: 'proof'; hello: Hello; challenge: Challenge }
  | { at: 'live'; live: Live }
  | { at: 'over' };

const FAILED: Refusal = {
  code: 'collector.failed',
  message: 'letting the agent in: the collector could not',
  hint: 'See the log of the collector.',
  retryAfter: 30 * SECOND_MS,
};

export class AgentSocket implements LiveLink, Sender {
  readonly #gate: Gate;
  readonly #wire: Wire;
  /** base64url of the TLS exporter value. */
  readonly #channel: string;
  readonly #cancelDeadline: () => void;
  readonly #proven: () => void;
  #phase: Phase = { at: 'hello' };
  #row: AgentRow | null = null;
  #instance = '';
  #isProven = false;
  #barred = false;

  constructor(gate: Gate, ws: WebSocket, channel: string, proven: () => void) {
    const { clock, random } = gate.ctx;
    this.#gate = gate;
    this.#channel = channel;
    this.#proven = proven;
    this.#wire = new Wire(ws, clock, random, {
      message: (text, bytes) => this.#onMessage(text, bytes),
      pinged: () => {
        if (this.#phase.at === 'live') this.#phase.live.pinged();
      },
      offended: (reason) => this.#offended(reason),
      closed: () => this.#leave(),
    });
    this.#cancelDeadline = clock.after(PROVE_MS, () => {
      this.#offended('unproven');
      this.end('silent', null);
    });
  }

  get #known(): AgentRow {
    if (this.#row === null) throw new Error('nobody has said hello on this socket');
    return this.#row;
  }
  get agent(): AgentId {
    return this.#known.agent;
  }
  get agreement(): AgreementId {
    return this.#known.agreement;
  }
  get instance(): string {
    return this.#instance;
  }
  get live(): boolean {
    return this.#phase.at === 'live';
  }
  get over(): boolean {
    return this.#phase.at === 'over';
  }
  get barred(): boolean {
    return this.#barred;
  }

  #onMessage(text: string | null, bytes: number): void {
    if (this.over) return;
    if (this.#phase.at === 'hello' && bytes > MAX_HELLO_BYTES) {
      this.end('tooLarge', null);
      return;
    }
    const read = text === null ? ({ ok: false, close: 'badFrame' } as const) : readAgentFrame(text);
    if (read.ok) this.#take(read.frame, bytes);
    else this.#offend(read.close, 'it is none that this version knows');
  }

  #take(frame: AgentFrame, bytes: number): void {
    const phase = this.#phase;
    if (frame.t === 'hello' && phase.at === 'hello') {
      this.#during(() => this.#greet(frame));
    } else if (frame.t === 'proof' && phase.at === 'proof') {
      this.#during(() => this.#prove(frame, phase));
    } else if (frame.t !== 'hello' && frame.t !== 'proof' && phase.at === 'live') {
      phase.live.take(frame, bytes);
    } else {
      this.#offend('unexpectedFrame', 'it has no place at this point');
    }
  }

  #offend(close: 'badFrame' | 'unknownFrame' | 'unexpectedFrame', why: string): void {
    const code = {
      badFrame: 'frame.bad',
      unknownFrame: 'frame.unknown',
      unexpectedFrame: 'frame.unexpected',
    };
    this.end(close, { code: code[close], message: `taking a frame: ${why}`, hint: null, retryAfter: null });
  }

  /** Runs a step of the handshake; what goes wrong in it is ours, and the agent comes again. */
  #during(step: () => Promise<void>): void {
    this.#phase = { at: 'busy' };
    step().catch((error: unknown) => {
      this.#gate.ctx.log.error({ code: codeOf(error) }, 'socket: a handshake failed');
      this.end('tryLater', FAILED);
    });
  }

  async #greet(hello: Hello): Promise<void> {
    const { ctx } = this.#gate;
    const row = await greet(ctx, hello);
    if (this.over) return;
    if (isRefused(row)) {
      this.end(row.close, row.refusal);
      return;
    }
    this.#row = row;
    this.#instance = hello.instance;
    const facts = {
      nonce: toB64(ctx.random(32)),
      name: ctx.name,
      generation: ctx.generation(),
      time: toIso(ctx.clock.now()),
    };
    const challenge = makeChallenge(ctx.identity, hello, facts, this.#channel);
    this.#phase = { at: 'proof', hello, challenge };
    this.send(challenge);
  }

  async #prove(proof: Proof, { hello, challenge }: { hello: Hello; challenge: Challenge }): Promise<void> {
    const { ctx, arbiter, generations } = this.#gate;
    if (!verifyProof(this.#known.key, hello, challenge, this.#channel, proof.sig)) {
      this.end(NOT_PROVEN.close, NOT_PROVEN.refusal);
      return;
    }
    this.#isProven = true;
    this.#proven();
    // Waiting for another socket's pong is not the agent's delay.
    this.#cancelDeadline();
    if (!(await arbiter.enter(this))) return;
    // From here on a revocation finds this socket in the registry; the rows are read after that.
    const admission = await admit(ctx, generations, hello, proof.offer ?? []);
    if (this.over) return;
    if (isRefused(admission)) this.end(admission.close, admission.refusal);
    // The proof was for another generation than the present one: the agent must be shown that one first.
    else if (challenge.generation !== ctx.generation()) this.end('generationChanged', null);
    else this.#goLive(hello, admission);
  }

  #goLive(hello: Hello, admission: Admission): void {
    const { ctx, ingest, presence, samples, credits, quotas } = this.#gate;
    const shared = { ctx, ingest, presence, samples, credits, quotas };
    const instance = hello.instance as Id<'instance'>;
    const live = new Live(
      { ...shared, wire: this.#wire, sender: this, row: this.#known, instance },
      admission,
    );
    this.#phase = { at: 'live', live };
    ctx.counters.letIn(this.agent);
    live.begin(hello, admission);
  }

  acked(log: LogId, through: number): void {
    if (this.#phase.at === 'live') this.#phase.live.acked(log, through);
  }

  nudge(): void {
    if (this.#phase.at === 'live') this.#phase.live.nudge();
  }

  refresh(): void {
    if (this.#phase.at !== 'live') return;
    this.#phase.live
      .refresh()
      .catch((error: unknown) =>
        this.#gate.ctx.log.error({ code: codeOf(error) }, 'socket: groups not sent'),
      );
  }

  send(frame: CollectorFrame): void {
    if (!this.over) this.#wire.send(frame);
  }

  answers(ms: number): Promise<boolean> {
    return this.over ? Promise.resolve(false) : this.#wire.answers(ms);
  }

  end(name: CloseName, refusal: Refusal | null): void {
    if (this.over) return;
    if (!this.live && name !== 'goingAway') this.#gate.ctx.counters.add('handshakes_refused');
    if (refusal !== null) this.send({ t: 'refuse', ...refusal });
    const offence = OFFENCE_OF[name];
    if (offence !== undefined) this.#offended(offence);
    this.#barred = name === 'revoked';
    this.#leave();
    this.#wire.close(name);
  }

  #offended(reason: OffenceReason): void {
    this.#gate.offences.add(this.#isProven ? this.agent : null, reason);
  }

  #leave(): void {
    if (this.over) return;
    const phase = this.#phase;
    this.#phase = { at: 'over' };
    this.#cancelDeadline();
    if (phase.at === 'live') {
      phase.live.end();
      endQuestions(this.#gate.ctx, this.agent);
    }
    if (this.#row !== null) this.#gate.links.leave(this);
  }
}
