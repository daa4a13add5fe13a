/**
 * A raw client of the protocol, for tests: it can do everything an agent does, and everything an agent must not.
 * It shares no code with `agent/`.
 */

import { type KeyObject, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import WebSocket from 'ws';
import { type Birth, birthHash, signBirth } from '../../protocol/birth.ts';
import { canonical, leafHash } from '../../protocol/canonical.ts';
import { readToken } from '../../protocol/enrolment.ts';
import type { EventData, EventType } from '../../protocol/event.ts';
import { type AgentFrame, type CollectorFrame, type FrameOf, SUBPROTOCOL } from '../../protocol/frame.ts';
import type { SignedGroup } from '../../protocol/group.ts';
import { EXPORTER_BYTES, EXPORTER_LABEL, makeProof } from '../../protocol/handshake.ts';
import { type AgentId, type GroupId, type LogId, newId, toB64 } from '../../protocol/ids.ts';
import { makeLeaf } from '../../protocol/leaf.ts';
import { makeWrap, type Personal, sealPart } from '../../protocol/seal.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { toIso, type UtcMs, utcMs } from '../../protocol/time.ts';

export const random = (size: number): Buffer => randomBytes(size);
const SOFTWARE = { version: '0.0.1', platform: 'linux', node: '26' };

export interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Record<string, unknown>;
}

/** One HTTPS request. */
export async function http(
  address: string,
  ca: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  from: string | null = null,
): Promise<Answer> {
  const { hostname, port } = new URL(`https://${address}`);
  const ask = request({
    host: hostname.replace(/^\[|\]$/g, ''),
    port,
    method,
    path,
    ca,
    agent: false,
    ...(from === null ? {} : { localAddress: from }),
    headers: { 'content-type': 'application/json', ...headers },
  });
  ask.end(body === undefined ? undefined : JSON.stringify(body));
  const [answer] = (await once(ask, 'response')) as [import('node:http').IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = { text };
  }
  return { status: answer.statusCode ?? 0, body: parsed as Record<string, unknown>, headers: answer.headers };
}

/** One log of a double: makes leaves that chain, and can make others. */
export class Chain {
  readonly birth: Birth;
  readonly boot = randomBytes(8).toString('hex');
  next = 1;
  head: Buffer;
  /** Leaf text by seq. */
  readonly texts = new Map<number, string>();

  constructor(birth: Birth) {
    this.birth = birth;
    this.head = birthHash(birth);
  }

  get log(): LogId {
    return this.birth.log as LogId;
  }

  add<T extends EventType>(
    type: T,
    data: EventData<T>,
    pii: { group: GroupId; c: string }[] = [],
    at: UtcMs = utcMs(Date.UTC(2026, 10, 22, 9)),
  ): { seq: number; text: string } {
    const seq = this.next;
    const { text, hash } = makeLeaf({
      log: this.log,
      seq,
      prev: this.head,
      at,
      boot: this.boot,
      up: seq * 10,
      type,
      data,
      pii,
    });
    this.texts.set(seq, text);
    this.next += 1;
    this.head = hash;
    return { seq, text };
  }

  /** A leaf with any fields, chained or not; moves nothing on. */
  raw(fields: Record<string, unknown> = {}): string {
    return canonical({
      v: 1,
      log: this.log,
      seq: this.next,
      prev: toB64(this.head),
      at: '2026-11-22T09:00:00.000Z',
      boot: this.boot,
      up: 1,
      type: 'agent.heartbeat',
      data: { version: '0.0.1', reason: 'test' },
      pii: [],
      ...fields,
    });
  }

  /** Takes a raw text as the next leaf of this chain. */
  take(text: string): { seq: number; text: string } {
    const seq = this.next;
    this.texts.set(seq, text);
    this.next += 1;
    this.head = leafHash(text);
    return { seq, text };
  }

  heartbeat(): { seq: number; text: string } {
    return this.add('agent.heartbeat', { version: '0.0.1', reason: 'test' });
  }

  heartbeats(count: number): string[] {
    return Array.from({ length: count }, () => this.heartbeat().text);
  }
}

export interface Sealed {
  c: string;
  part: FrameOf<AgentFrame, 'batch'>['parts'][number];
  wrap: FrameOf<AgentFrame, 'batch'>['wraps'][number];
}

/** Seals for a group as an agent does, one content key per sealer. */
export class DoubleSealer {
  readonly group: SignedGroup;
  readonly key = randomBytes(32);
  readonly wrap: { id: string; group: string; body: string };

  constructor(group: SignedGroup, log: LogId) {
    this.group = group;
    const wrap = makeWrap(group.key ?? '', log, group.group as GroupId, this.key, random);
    this.wrap = { id: wrap.id, group: wrap.group, body: toB64(wrap.body) };
  }

  seal(log: LogId, seq: number, p: Personal): Sealed {
    const group = this.group.group as GroupId;
    const { c, body } = sealPart(this.key, { log, seq, group, under: group }, p, random);
    return { c, part: { seq, group, wrap: this.wrap.id, body: toB64(body) }, wrap: this.wrap };
  }
}

export interface DoubleOptions {
  /** `host:port` of the collector. */
  address: string;
  ca: string;
  /** Enrolment token text. */
  token: string;
}

export class AgentDouble {
  readonly address: string;
  readonly ca: string;
  readonly token: ReturnType<typeof readToken>;
  readonly key: KeyObject = newSigningKey();
  readonly agent: AgentId = newId<'agent'>(random);
  instance: string = newId(random);
  readonly chains: Chain[];
  applied: { generation: string | null; n: number } = { generation: null, n: 0 };
  acked = new Map<string, number>();
  groups: SignedGroup[] = [];
  /** Local address that it connects from; null: any. */
  from: string | null = null;

  constructor({ address, ca, token }: DoubleOptions) {
    this.address = address;
    this.ca = ca;
    this.token = readToken(token);
    this.chains = [new Chain(this.birth())];
  }

  /** A signed birth record of this agent. */
  birth(change: Partial<Birth> = {}, key: KeyObject = this.key): Birth {
    return signBirth(key, {
      v: 1,
      log: newId<'log'>(random),
      agent: this.agent,
      agreement: this.token.agreement,
      site: this.token.site,
      key: publicText(this.key),
      predecessor: null,
      reason: 'enrolled',
      at: toIso(utcMs(Date.UTC(2026, 10, 22, 8))),
      ...change,
    });
  }

  get chain(): Chain {
    const last = this.chains.at(-1);
    if (last === undefined) throw new Error('a double has a log');
    return last;
  }

  enrolBody(change: object = {}): object {
    const { token, secret } = this.token;
    const birth = this.chains[0]?.birth;
    return { token, secret, key: publicText(this.key), birth, software: SOFTWARE, ...change };
  }

  async enrol(change: object = {}): Promise<Answer> {
    const answer = await http(
      this.address,
      this.ca,
      'POST',
      '/v1/enrol',
      this.enrolBody(change),
      {},
      this.from,
    );
    if (answer.status === 200) {
      this.applied.generation ??= String(answer.body.generation);
      this.groups = answer.body.groups as SignedGroup[];
    }
    return answer;
  }

  hello(change: object = {}): FrameOf<AgentFrame, 'hello'> {
    return {
      t: 'hello',
      agent: this.agent,
      instance: this.instance,
      nonce: toB64(randomBytes(32)),
      logs: this.chains.map(({ birth, next, head, log }) => ({
        birth,
        next,
        head: toB64(head),
        acked: this.acked.get(log) ?? 0,
      })),
      applied: this.applied,
      groups: this.groups.map(({ group }) => group),
      software: SOFTWARE,
      time: toIso(utcMs(Date.now())),
      ...change,
    };
  }

  async open(): Promise<DoubleLink> {
    return await DoubleLink.open(this.address, this.ca, this.from === null ? {} : { from: this.from });
  }

  /** Connects and proves itself; returns what came then, also a refusal. */
  async knock(change: object = {}, offer?: SignedGroup[]): Promise<DoubleLink> {
    const link = await this.open();
    const hello = this.hello(change);
    link.send(hello);
    const challenge = await link.peek('challenge', 'refuse', 'closed');
    if (challenge.t !== 'challenge') return link;
    const sig = makeProof(this.key, hello, challenge, link.channel);
    link.send({ t: 'proof', sig, ...(offer === undefined ? {} : { offer }) });
    return link;
  }

  /** Connects up to `welcome` and `groups`. */
  async connect(change: object = {}, offer?: SignedGroup[]): Promise<DoubleLink> {
    const link = await this.knock(change, offer);
    const welcome = await link.next('welcome', 'refuse', 'closed');
    if (welcome.t !== 'welcome') throw new Error(`not let in: ${JSON.stringify(welcome)}`);
    link.welcome = welcome;
    const groups = await link.next('groups');
    if (groups.t === 'groups') this.groups = groups.add;
    return link;
  }

  group(kind: SignedGroup['kind'], cls = 'session', at = Date.now()): SignedGroup {
    const found = this.groups.find(
      (one) =>
        one.kind === kind &&
        one.class === cls &&
        (one.from === null || (Date.parse(one.from) <= at && at < Date.parse(one.to ?? ''))),
    );
    if (found === undefined) throw new Error(`no ${kind} group of ${cls}`);
    return found;
  }

  batch(texts: string[], sealed: Sealed[] = [], change: object = {}): FrameOf<AgentFrame, 'batch'> {
    const wraps = new Map(sealed.map(({ wrap }) => [wrap.id, wrap]));
    return {
      t: 'batch',
      log: this.chain.log,
      events: texts,
      parts: sealed.map(({ part }) => part),
      wraps: [...wraps.values()],
      keys: [],
      ...change,
    };
  }
}

type Came = CollectorFrame | { t: 'closed'; code: number };

/** One connection. Frames wait until they are asked for. */
export class DoubleLink {
  readonly ws: WebSocket;
  readonly channel: string;
  welcome: FrameOf<CollectorFrame, 'welcome'> | null = null;
  readonly #came: Came[] = [];
  #wake: () => void = () => {};

  private constructor(ws: WebSocket, channel: string) {
    this.ws = ws;
    this.channel = channel;
    const put = (one: Came) => {
      this.#came.push(one);
      this.#wake();
    };
    ws.on('message', (data) => put(JSON.parse(String(data)) as CollectorFrame));
    ws.on('close', (code) => put({ t: 'closed', code }));
    ws.on('error', () => {});
  }

  static async open(
    address: string,
    ca: string,
    options: { protocol?: string; path?: string; from?: string } = {},
  ) {
    const { hostname, port } = new URL(`https://${address}`);
    const socket: TLSSocket = tlsConnect({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port),
      ca,
      minVersion: 'TLSv1.3',
      ...(options.from === undefined ? {} : { localAddress: options.from }),
    });
    await once(socket, 'secureConnect');
    const channel = toB64(socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0)));
    const url = `wss://${address}${options.path ?? '/v1/agent'}`;
    const ws = new WebSocket(url, options.protocol ?? SUBPROTOCOL, {
      createConnection: () => socket,
      perMessageDeflate: false,
    });
    const link = new DoubleLink(ws, channel);
    await once(ws, 'open');
    return link;
  }

  send(frame: AgentFrame | Record<string, unknown>): void {
    this.ws.send(JSON.stringify(frame));
  }

  text(text: string): void {
    this.ws.send(text);
  }

  /** Waits for a frame of one of these types (`closed` for the end) and leaves it where it is. */
  async peek<T extends Came['t']>(...types: T[]): Promise<Extract<Came, { t: T }>> {
    for (;;) {
      const found = this.#came.find((one) => (types as string[]).includes(one.t));
      if (found !== undefined) return found as Extract<Came, { t: T }>;
      const end = this.#came.find((one) => one.t === 'closed');
      if (end !== undefined)
        throw new Error(`closed while waiting for ${types.join()}: ${JSON.stringify(end)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next frame of one of these types; others that come before are passed over. */
  async next<T extends Came['t']>(...types: T[]): Promise<Extract<Came, { t: T }>> {
    const found = await this.peek(...types);
    this.#came.splice(0, this.#came.indexOf(found) + 1);
    return found;
  }

  /** The close code, after everything else. */
  async closed(): Promise<number> {
    return (await this.next('closed')).code;
  }

  /** The refusal's code, or null where the connection closed without one; and the close code. */
  async refused(): Promise<{ refusal: string | null; close: number }> {
    const first = await this.next('refuse', 'closed');
    if (first.t === 'closed') return { refusal: null, close: first.code };
    return { refusal: first.code, close: await this.closed() };
  }

  async ackThrough(through: number): Promise<void> {
    for (;;) {
      const ack = await this.next('ack');
      if (ack.through >= through) return;
    }
  }

  async close(): Promise<void> {
    if (this.ws.readyState === WebSocket.CLOSED) return;
    this.ws.close(1000);
    await once(this.ws, 'close');
  }
}
