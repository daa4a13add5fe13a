/**
 * A fleet, a process of its own: thousands of agents over real TLS and the real handshake, moved by the product's own
 * link machine, so that they wait, come back and keep to their windows as agents do. Told what to do over IPC.
 */
import { Agent as HttpsAgent, request } from 'node:https';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import WebSocket from 'ws';
import type { LinkEffect, LinkInput, LinkState } from '../agent/uplink/machine.ts';
import { accepts, deadlineOf, nextState, STOPPED } from '../agent/uplink/state.ts';
import { CLOSE } from '../protocol/close-code.ts';
import {
  type AgentFrame,
  type CollectorFrame,
  type FrameOf,
  frameText,
  MAX_FRAME_BYTES,
  readCollectorFrame,
  SUBPROTOCOL,
} from '../protocol/frame.ts';
import { type SignedGroup, spanHolds } from '../protocol/group.ts';
import { EXPORTER_BYTES, EXPORTER_LABEL, makeProof } from '../protocol/handshake.ts';
import { type LogId, toB64 } from '../protocol/ids.ts';
import { systemClock, toIso } from '../protocol/time.ts';
import { AgentDouble } from '../test/support/agent-double.ts';
import { type Line, makeLines } from './leaves.ts';

export interface FleetConfig {
  /** Folder of the stage, which ends those who name it. */
  stage: string;
  /** `host:port` of the collector. */
  address: string;
  ca: string;
  token: string;
  agents: number;
  /** Sockets only, without the protocol: what `ws` itself costs. */
  bare: boolean;
}

export type FleetOrder =
  | { do: 'connect'; agents: number }
  | { do: 'live'; agents: number; everyMs: number; forMs: number }
  | { do: 'drain'; events: number }
  | { do: 'handshakes' }
  | { do: 'problems' };

export interface Handshakes {
  /** Milliseconds of the wall clock at which each TLS connection was open. */
  opened: number[];
  /** …and at which each agent was let in. */
  welcomed: number[];
  /** Refused with a time to come again. */
  sentAway: number;
}

/** Hosts of one site come from one address: so many share each of these. */
const SITE = 25;
const ENROLLING = 16;
const BEGIN_PER_SECOND = 150;

const seen: Handshakes = { opened: [], welcomed: [], sentAway: 0 };
const problems = new Map<string, number>();
const note = (what: string) => void problems.set(what, (problems.get(what) ?? 0) + 1);

/** 127.1.0.1 and on: every loopback address is one's own on Linux. */
function addressOf(index: number): string {
  const site = Math.floor(index / SITE);
  return `127.1.${Math.floor(site / 250)}.${(site % 250) + 1}`;
}

class Wire {
  readonly ws: WebSocket;
  readonly #tls: TLSSocket;

  constructor(config: FleetConfig, index: number, events: WireEvents) {
    const [host = '', port] = config.address.split(':');
    this.#tls = tlsConnect({
      ...{ host, port: Number(port), ca: config.ca, localAddress: addressOf(index) },
      ...{ minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] },
    });
    this.#tls.on('error', () => {});
    this.ws = new WebSocket(`wss://${config.address}/v1/agent`, SUBPROTOCOL, {
      ...{ createConnection: () => this.#tls, perMessageDeflate: false, maxPayload: MAX_FRAME_BYTES },
      handshakeTimeout: 30_000,
    });
    this.ws.on('open', () => events.opened(this.#channel()));
    this.ws.on('message', (data) => events.text(String(data)));
    this.ws.on('error', (error) => events.failed(error));
    this.ws.on('close', (code) => events.closed(code));
  }

  #channel(): string {
    return toB64(this.#tls.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0)));
  }

  send(frame: AgentFrame): void {
    if (this.ws.readyState === WebSocket.OPEN) this.ws.send(frameText(frame));
  }

  end(code: number): void {
    this.ws.removeAllListeners();
    this.ws.on('error', () => {});
    if (this.ws.readyState === WebSocket.OPEN) this.ws.close(code);
    else this.ws.terminate();
  }
}

interface WireEvents {
  opened(channel: string): void;
  text(text: string): void;
  failed(error: Error): void;
  closed(code: number): void;
}

type Challenge = FrameOf<CollectorFrame, 'challenge'>;

class FleetAgent {
  readonly #config: FleetConfig;
  readonly #index: number;
  readonly #double: AgentDouble;
  #state: LinkState = STOPPED;
  #wire: Wire | null = null;
  #timer: NodeJS.Timeout | null = null;
  #queue: LinkInput[] = [];
  #busy = false;
  #channel = '';
  #hello: FrameOf<AgentFrame, 'hello'> | null = null;
  #challenge: Challenge | null = null;
  #lines: Line[] = [];
  #wraps = new Set<string>();
  /** When each event was made, by seq; for the live ones. */
  readonly #madeAt = new Map<number, number>();
  readonly latencies: number[] = [];
  #acked = 0;
  #told: () => void = () => {};

  constructor(config: FleetConfig, index: number) {
    this.#config = config;
    this.#index = index;
    this.#double = new AgentDouble(config);
  }

  async enrol(): Promise<void> {
    const answer = await post(this.#config, '/v1/enrol', this.#double.enrolBody());
    this.#double.applied.generation = String(answer.generation);
    this.#double.groups = answer.groups as SignedGroup[];
  }

  get live(): boolean {
    return this.#state.kind === 'live';
  }

  start(): void {
    this.feed({ t: 'start' });
  }

  /** One event that happens now. */
  happen(): void {
    const { seq, text } = this.#double.chain.heartbeat();
    this.#lines.push({ seq, text, hash: Buffer.alloc(0), part: null });
    this.#madeAt.set(seq, performance.now());
    this.feed({ t: 'appended' });
  }

  /** A backlog of sessions with sealed parts. */
  prepare(events: number): void {
    const { chain, groups } = this.#double;
    const now = systemClock.now();
    const span = groups.find((one) => one.class === 'session' && one.kind === 'span' && spanHolds(one, now));
    if (span === undefined) throw new Error('no span group came with the enrolment');
    const wanted = { log: chain.log, head: chain.head, firstSeq: chain.next, events, group: span };
    for (const line of makeLines(wanted)) this.#lines.push(line);
    chain.next += events;
  }

  drain(): Promise<void> {
    const last = this.#lines.at(-1)?.seq ?? 0;
    return new Promise((resolve) => {
      this.#told = () => {
        if (this.#acked >= last) resolve();
      };
      this.feed({ t: 'appended' });
    });
  }

  feed(input: LinkInput): void {
    this.#queue.push(input);
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next);
    this.#busy = false;
    this.#arm();
  }

  #step(input: LinkInput): void {
    const { state, effects } = nextState(this.#state, input, {
      now: performance.now(),
      random: Math.random(),
    });
    if (state.kind === 'live' && this.#state.kind !== 'live') seen.welcomed.push(Date.now());
    this.#state = state;
    for (const effect of effects) {
      const answer = this.#perform(effect);
      if (answer !== null) this.#queue.unshift(answer);
    }
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const at = deadlineOf(this.#state);
    if (at === null) return;
    const wait = Math.max(0, Math.ceil(at - performance.now()));
    this.#timer = setTimeout(() => this.feed({ t: 'timer' }), wait);
  }

  #perform(effect: LinkEffect): LinkInput | null {
    switch (effect.do) {
      case 'connect':
        this.#connect();
        return null;
      case 'hello':
        this.#hello = this.#double.hello({ time: toIso(systemClock.now()) });
        this.#wire?.send(this.#hello);
        return null;
      case 'proof':
        this.#sayProof();
        return null;
      case 'beat':
        this.#sayBeat();
        return null;
      case 'batch':
        return this.#sendBatch(effect);
      case 'acked':
        this.#onAcked(effect.through);
        return null;
      case 'close':
        this.#drop(effect.code);
        return null;
      default:
        return null;
    }
  }

  #connect(): void {
    const wire: Wire = new Wire(this.#config, this.#index, {
      opened: (channel) => {
        seen.opened.push(Date.now());
        this.#channel = channel;
        if (this.#wire === wire) this.feed({ t: 'opened' });
      },
      text: (text) => {
        if (this.#wire === wire) this.#take(text);
      },
      failed: (error) => note(`failed: ${(error as NodeJS.ErrnoException).code ?? error.message}`),
      closed: (code) => {
        if (this.#wire !== wire) return;
        this.#wire = null;
        if (code !== 1006) note(`closed: ${code}`);
        // 1006 before the socket was open: no connection came about.
        const open = this.#state.kind === 'live' || this.#state.kind === 'proving';
        this.feed(open ? { t: 'closed', code } : { t: 'failed' });
      },
    });
    this.#wire = wire;
  }

  #drop(code: number): void {
    note(`gave up: ${code}`);
    const wire = this.#wire;
    this.#wire = null;
    wire?.end(code);
  }

  #take(text: string): void {
    const read = readCollectorFrame(text);
    if (!read.ok || !accepts(this.#state, read.frame.t)) {
      note('a frame out of place');
      this.feed({ t: 'improper', code: CLOSE.badFrame });
    } else {
      this.feed(this.#understand(read.frame));
    }
  }

  #understand(frame: CollectorFrame): LinkInput {
    switch (frame.t) {
      case 'challenge':
        this.#challenge = frame;
        return { t: 'challenge', proven: true };
      case 'welcome':
        return { t: 'welcome', flows: this.#flows(frame), window: frame.credits, succeeded: false };
      case 'refuse':
        if (frame.retryAfter !== null) seen.sentAway += 1;
        note(`refused: ${frame.code}`);
        return { t: 'refuse', retryAfter: frame.retryAfter };
      case 'ack':
        return { t: 'ack', log: frame.log as LogId, through: frame.through };
      case 'command':
        this.#obey(frame);
        return { t: 'heard' };
      case 'credit':
        return { t: 'credit', window: { events: frame.events, bytes: frame.bytes } };
      default:
        return { t: 'heard' };
    }
  }

  /** What is ordered is done at once; a hold is in force with its event, as at an agent. */
  #obey({ n, verb, body, generation }: FrameOf<CollectorFrame, 'command'>): void {
    this.#double.applied = { generation, n };
    if (verb === 'hold.place' || verb === 'hold.release') {
      const outcome = verb === 'hold.place' ? 'in-force' : 'released';
      const data = { hold: String(body.hold), outcome, via: 'command' } as const;
      const { seq, text } = this.#double.chain.add('hold.applied', data, [], systemClock.now());
      this.#lines.push({ seq, text, hash: Buffer.alloc(0), part: null });
      this.feed({ t: 'appended' });
    }
    this.#wire?.send({ t: 'result', n, query: null, ok: true, body: { outcome: 'done' } });
  }

  #flows({ cursors }: FrameOf<CollectorFrame, 'welcome'>) {
    // Wraps belong to a connection.
    this.#wraps = new Set();
    return cursors.map(({ log, through }) => {
      this.#acked = through;
      return { log: log as LogId, sent: through, acked: through, drained: false };
    });
  }

  #sayProof(): void {
    if (this.#hello === null || this.#challenge === null) return;
    const sig = makeProof(this.#double.key, this.#hello, this.#challenge, this.#channel);
    this.#double.applied = { generation: this.#challenge.generation, n: this.#double.applied.n };
    this.#wire?.send({ t: 'proof', sig });
  }

  #sayBeat(): void {
    const time = toIso(systemClock.now());
    const backlog = this.#lines.length;
    this.#wire?.send({ t: 'beat', time, readThrough: time, next: this.#double.chain.next, backlog });
  }

  #sendBatch({ log, after, events, bytes, room }: Extract<LinkEffect, { do: 'batch' }>): LinkInput {
    const first = this.#lines[0]?.seq ?? 0;
    const lines = this.#lines.slice(after + 1 - first, after + 1 - first + events);
    if (lines.length === 0) return { t: 'empty', log };
    const { text, count, wraps } = cut(log, lines, bytes, this.#wraps);
    if (text.length > room) return { t: 'tight' };
    for (const wrap of wraps) this.#wraps.add(wrap);
    this.#wire?.ws.send(text);
    return { t: 'sent', log, through: after + count, events: count, bytes: text.length };
  }

  #onAcked(through: number): void {
    this.#acked = through;
    const now = performance.now();
    let done = 0;
    for (; done < this.#lines.length && (this.#lines[done]?.seq ?? 0) <= through; done += 1) {
      const madeAt = this.#madeAt.get(this.#lines[done]?.seq ?? 0);
      if (madeAt === undefined) continue;
      this.latencies.push(now - madeAt);
      this.#madeAt.delete(this.#lines[done]?.seq ?? 0);
    }
    this.#lines.splice(0, done);
    this.#told();
  }
}

/** As many of the lines as fit into `bytes`, as one frame. */
function cut(log: string, lines: readonly Line[], bytes: number, sent: ReadonlySet<string>) {
  for (let count = lines.length; ; count = Math.max(1, Math.floor(count * 0.8))) {
    const chosen = lines.slice(0, count);
    const parts = chosen.flatMap(({ seq, part }) =>
      part === null
        ? []
        : [{ seq, group: part.wrap.group as string, wrap: part.wrap.id as string, body: toB64(part.body) }],
    );
    const wraps = new Map<string, { id: string; group: string; body: string }>();
    for (const { part } of chosen) {
      if (part === null || sent.has(part.wrap.id)) continue;
      wraps.set(part.wrap.id, { id: part.wrap.id, group: part.wrap.group, body: toB64(part.wrap.body) });
    }
    const events = chosen.map(({ text }) => text);
    const text = frameText({ t: 'batch', log, events, parts, wraps: [...wraps.values()], keys: [] });
    if (text.length <= bytes || count === 1) return { text, count, wraps: [...wraps.keys()] };
  }
}

const web = new HttpsAgent({ keepAlive: true, maxSockets: ENROLLING });

function post(config: FleetConfig, path: string, body: object): Promise<Record<string, unknown>> {
  const [host = '', port] = config.address.split(':');
  return new Promise((resolve, reject) => {
    const ask = request({
      ...{ host, port: Number(port), method: 'POST', path, ca: config.ca, agent: web },
      headers: { 'content-type': 'application/json' },
    });
    ask.once('error', reject);
    ask.once('response', async (answer) => {
      let text = '';
      for await (const chunk of answer) text += String(chunk);
      if (answer.statusCode === 200) resolve(JSON.parse(text) as Record<string, unknown>);
      else reject(new Error(`${path}: ${answer.statusCode} ${text}`));
    });
    ask.end(JSON.stringify(body));
  });
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

class Fleet {
  readonly #config: FleetConfig;
  readonly #agents: FleetAgent[] = [];
  readonly #bare: Wire[] = [];

  constructor(config: FleetConfig) {
    this.#config = config;
  }

  async enrol(): Promise<void> {
    const { agents, bare } = this.#config;
    if (bare) return;
    for (let i = 0; i < agents; i += 1) this.#agents.push(new FleetAgent(this.#config, i));
    const waiting = [...this.#agents];
    const lane = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next.enrol();
    };
    await Promise.all(Array.from({ length: ENROLLING }, lane));
    web.destroy();
  }

  /** The first so many are connected; gently, as a fleet that grew over weeks. */
  async connect(agents: number): Promise<number> {
    if (this.#config.bare) await this.#connectBare(agents);
    else {
      for (const [i, agent] of this.#agents.slice(0, agents).entries()) {
        agent.start();
        if (i % (BEGIN_PER_SECOND / 10) === 0) await pause(100);
      }
      while (this.#live(agents) < agents) await pause(100);
    }
    return agents;
  }

  #live(agents: number): number {
    return this.#agents.slice(0, agents).filter(({ live }) => live).length;
  }

  async #connectBare(agents: number): Promise<void> {
    for (let i = this.#bare.length; i < agents; i += 1) {
      await new Promise<void>((resolve, reject) => {
        const opened = () => resolve();
        this.#bare.push(
          new Wire(this.#config, i, {
            opened,
            text() {},
            failed: reject,
            closed: () => note('bare: closed'),
          }),
        );
      });
    }
  }

  /** Some agents live: an event now and then. Returns how long each took to be acked, in milliseconds. */
  async live(agents: number, everyMs: number, forMs: number): Promise<number[]> {
    // The last ones: none of them drains.
    const chosen = this.#agents.slice(-agents);
    const end = performance.now() + forMs;
    await Promise.all(
      chosen.map(async (agent) => {
        await pause(Math.random() * everyMs);
        while (performance.now() < end && !this.#drained) {
          agent.happen();
          await pause(everyMs * (0.5 + Math.random()));
        }
      }),
    );
    await pause(3_000);
    return chosen.flatMap(({ latencies }) => latencies.splice(0));
  }

  #drained = false;

  /** One agent has a backlog. Returns the seconds until all of it is acked. */
  async drain(events: number): Promise<number> {
    const [agent] = this.#agents;
    agent?.prepare(events);
    this.#drained = false;
    process.send?.('draining');
    const began = performance.now();
    await agent?.drain();
    this.#drained = true;
    return (performance.now() - began) / 1000;
  }
}

async function obey(fleet: Fleet, order: FleetOrder): Promise<unknown> {
  switch (order.do) {
    case 'connect':
      return await fleet.connect(order.agents);
    case 'live':
      return await fleet.live(order.agents, order.everyMs, order.forMs);
    case 'drain':
      return await fleet.drain(order.events);
    case 'handshakes': {
      const copy = { opened: [...seen.opened], welcomed: [...seen.welcomed], sentAway: seen.sentAway };
      seen.opened.length = 0;
      seen.welcomed.length = 0;
      seen.sentAway = 0;
      return copy;
    }
    case 'problems':
      return Object.fromEntries(problems);
  }
}

process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
const fleet = new Fleet(JSON.parse(process.argv[2] ?? '{}') as FleetConfig);
await fleet.enrol();
process.on('message', (order: FleetOrder) => {
  obey(fleet, order).then(
    (answer) => process.send?.({ to: order.do, answer }),
    (error: unknown) => process.send?.({ to: order.do, error: String(error) }),
  );
});
process.send?.('ready');
