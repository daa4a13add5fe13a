/**
 * A small scripted collector: real TLS 1.3, real WebSocket, real frames, leaves in RAM. It checks what it gets as
 * the real one would, and misbehaves where a test says so.
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Birth, birthHash, verifyBirth } from '../../protocol/birth.ts';
import { leafHash, sha256 } from '../../protocol/canonical.ts';
import { CLOSE } from '../../protocol/close-code.ts';
import type { EnrolAnswer, EnrolmentToken, EnrolRequest } from '../../protocol/enrolment.ts';
import {
  type AgentFrame,
  type CollectorFrame,
  FIRST_CREDITS,
  type FrameOf,
  frameText,
  MAX_FRAME_BYTES,
  readAgentFrame,
  SUBPROTOCOL,
} from '../../protocol/frame.ts';
import type { SignedGroup } from '../../protocol/group.ts';
import { EXPORTER_BYTES, EXPORTER_LABEL, makeChallenge, verifyProof } from '../../protocol/handshake.ts';
import { newId, toB64 } from '../../protocol/ids.ts';
import { readLeaf } from '../../protocol/leaf.ts';
import { newSigningKey, publicText, signRecord } from '../../protocol/sign.ts';
import { systemClock, toIso } from '../../protocol/time.ts';
import { makeCa, type TestCa } from './certificates.ts';

type Cursor = FrameOf<CollectorFrame, 'welcome'>['cursors'][number];

export interface StoredLog {
  birth: Birth;
  /** Leaf hash at seq; index 0 is the birth's. */
  hashes: string[];
  events: string[];
  state: Cursor['state'];
}

/** What a test bends. Everything unset is as the protocol says. */
export interface Script {
  /** Signs challenges instead of the identity key. */
  impostor?: KeyObject;
  challengeName?: string;
  /** False: stores and stays silent. */
  acks?: boolean;
  credits?: { events: number; bytes: number };
  /** Called instead of `challenge` after `hello`; true: it has dealt with the socket. */
  onHello?: (line: Line, hello: FrameOf<AgentFrame, 'hello'>) => boolean;
  onEnrol?: (request: EnrolRequest) => { status: number; body: unknown } | null;
  /** PEM that `GET /v1/ca` answers with. */
  ca?: string;
}

/** One socket of an agent. */
export class Line {
  readonly socket: WebSocket;
  readonly channel: string;
  hello: FrameOf<AgentFrame, 'hello'> | null = null;
  challenge: FrameOf<CollectorFrame, 'challenge'> | null = null;
  proven = false;
  inFlight = { events: 0, bytes: 0 };
  constructor(socket: WebSocket, channel: string) {
    this.socket = socket;
    this.channel = channel;
  }
  send(frame: CollectorFrame): void {
    this.socket.send(frameText(frame));
  }
}

export class CollectorDouble {
  readonly identityKey = newSigningKey();
  readonly name = 'test.example';
  generation = newId<'generation'>(randomBytes);
  script: Script = {};
  readonly logs = new Map<string, StoredLog>();
  readonly frames: AgentFrame[] = [];
  readonly lines: Line[] = [];
  readonly closes: number[] = [];
  groups: SignedGroup[] = [];
  /** Of the agents that it enrols. */
  mode: 'managed' | 'one-off' = 'managed';
  /** Public key of the enrolled agent; null: any proof that fits the birth's key. */
  enrolled: EnrolRequest | null = null;
  enrolments = 0;
  /** Most that was in flight at once. */
  readonly peak = { events: 0, bytes: 0 };
  readonly ca: TestCa;
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  private constructor(ca: TestCa, server: Server) {
    this.ca = ca;
    this.#server = server;
  }

  static async start(
    options: { dns?: string[]; ip?: string[]; port?: number } = {},
  ): Promise<CollectorDouble> {
    const ca = await makeCa();
    const { key, cert } = await ca.server({ dns: options.dns ?? [], ip: options.ip ?? ['127.0.0.1'] });
    const server = createServer({ key, cert, minVersion: 'TLSv1.3' });
    const double = new CollectorDouble(ca, server);
    double.#serve();
    server.listen(options.port ?? 0, '127.0.0.1');
    await once(server, 'listening');
    return double;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `wss://127.0.0.1:${this.port}`;
  }

  get identity(): string {
    return publicText(this.identityKey);
  }

  token(change: Partial<EnrolmentToken> = {}): EnrolmentToken {
    return {
      v: 1,
      url: this.url,
      identity: toB64(sha256(Buffer.from(this.identity, 'base64url'))),
      trust: { pin: toB64(sha256(this.ca.caDer)) },
      agreement: newId(randomBytes),
      site: newId(randomBytes),
      token: newId(randomBytes),
      secret: toB64(randomBytes(32)),
      ...change,
    };
  }

  /** Resolves as soon as `fn` gives something; looked at after each frame and each socket. */
  async until<T>(fn: () => T | null | undefined | false): Promise<T> {
    for (;;) {
      const found = fn();
      if (found) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  frame<T extends AgentFrame['t']>(t: T): FrameOf<AgentFrame, T>[] {
    return this.frames.filter((frame): frame is FrameOf<AgentFrame, T> => frame.t === t);
  }

  /** The newest socket that has proven itself. */
  async proven(after = 0): Promise<Line> {
    return await this.until(() => this.lines.slice(after).find((line) => line.proven));
  }

  /** `body` is signed; `change` is made after that. */
  command(
    n: number,
    verb: string,
    change: Partial<FrameOf<CollectorFrame, 'command'>> = {},
    body: Record<string, unknown> = {},
  ) {
    const record = {
      n,
      id: newId(randomBytes),
      generation: this.generation,
      agent: this.lines.at(-1)?.hello?.agent ?? '',
      verb,
      body,
    };
    return { t: 'command' as const, ...signRecord('command', this.identityKey, record), ...change };
  }

  async stop(): Promise<void> {
    for (const line of this.lines) line.socket.terminate();
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #stir(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  #serve(): void {
    const sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    });
    this.#server.on('request', (ask, answer) => this.#http(ask, answer));
    this.#server.on('upgrade', (ask, socket, head) => {
      if (ask.url !== '/v1/agent') return socket.destroy();
      const channel = toB64(
        (socket as TLSSocket).exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0)),
      );
      sockets.handleUpgrade(ask, socket, head, (ws) => this.#line(new Line(ws, channel)));
    });
  }

  #line(line: Line): void {
    this.lines.push(line);
    line.socket.on('message', (data) => {
      const read = readAgentFrame(String(data));
      if (!read.ok) {
        line.socket.close(CLOSE[read.close]);
        return;
      }
      this.frames.push(read.frame);
      this.#take(line, read.frame, Buffer.byteLength(String(data)));
      this.#stir();
    });
    line.socket.on('close', (code) => {
      this.closes.push(code);
      this.#stir();
    });
    line.socket.on('error', () => {});
    this.#stir();
  }

  #take(line: Line, frame: AgentFrame, bytes: number): void {
    if (frame.t === 'hello') {
      this.#onHello(line, frame);
      return;
    }
    if (frame.t === 'proof') {
      this.#onProof(line, frame);
      return;
    }
    if (!line.proven) {
      line.socket.close(CLOSE.unexpectedFrame);
      return;
    }
    if (frame.t === 'batch') this.#onBatch(line, frame, bytes);
    if (frame.t === 'erase') line.send({ t: 'erased', groups: frame.groups });
  }

  #onHello(line: Line, hello: FrameOf<AgentFrame, 'hello'>): void {
    line.hello = hello;
    if (this.script.onHello?.(line, hello)) return;
    const nonce = toB64(randomBytes(32));
    const time = toIso(systemClock.now());
    const name = this.script.challengeName ?? this.name;
    const signer = this.script.impostor ?? this.identityKey;
    const { generation } = this;
    line.challenge = makeChallenge(signer, hello, { nonce, name, generation, time }, line.channel);
    line.send(line.challenge);
  }

  #onProof(line: Line, proof: FrameOf<AgentFrame, 'proof'>): void {
    const { hello, challenge } = line;
    const key = hello?.logs[0]?.birth.key;
    if (hello === null || challenge === null || key === undefined) {
      line.socket.close(CLOSE.notProven);
      return;
    }
    if (!verifyProof(key, hello, challenge, line.channel, proof.sig)) {
      line.socket.close(CLOSE.notProven);
      return;
    }
    if (!hello.logs.every((log) => verifyBirth(log.birth))) {
      line.socket.close(CLOSE.notProven);
      return;
    }
    line.proven = true;
    for (const { birth } of hello.logs) this.#know(birth);
    line.send(this.#welcome());
    if (this.groups.length > 0) line.send({ t: 'groups', add: this.groups, dead: [] });
  }

  #know(birth: Birth): void {
    if (this.logs.has(birth.log)) return;
    this.logs.set(birth.log, { birth, hashes: [toB64(birthHash(birth))], events: [], state: 'open' });
  }

  #welcome(): FrameOf<CollectorFrame, 'welcome'> {
    const cursors = [...this.logs.entries()].map(([log, { hashes, state }]) => ({
      log,
      through: hashes.length - 1,
      head: hashes.at(-1) ?? '',
      state,
    }));
    const credits = this.script.credits ?? FIRST_CREDITS;
    return { t: 'welcome', cursors, credits, commandsThrough: 0, time: toIso(systemClock.now()) };
  }

  #onBatch(line: Line, batch: FrameOf<AgentFrame, 'batch'>, bytes: number): void {
    const log = this.logs.get(batch.log);
    if (log === undefined) {
      line.socket.close(CLOSE.outOfOrder);
      return;
    }
    line.inFlight.events += batch.events.length;
    line.inFlight.bytes += bytes;
    this.peak.events = Math.max(this.peak.events, line.inFlight.events);
    this.peak.bytes = Math.max(this.peak.bytes, line.inFlight.bytes);
    for (const text of batch.events) {
      const leaf = readLeaf(text);
      if (typeof leaf === 'string' || leaf.log !== batch.log) {
        line.socket.close(CLOSE.badFrame);
        return;
      }
      if (leaf.seq !== log.hashes.length || leaf.prev !== log.hashes.at(-1)) {
        line.socket.close(CLOSE.outOfOrder);
        return;
      }
      log.hashes.push(toB64(leafHash(text)));
      log.events.push(text);
    }
    if (this.script.acks === false) return;
    line.inFlight.events -= batch.events.length;
    line.inFlight.bytes -= bytes;
    line.send({ t: 'ack', log: batch.log, through: log.hashes.length - 1 });
  }

  #http(ask: IncomingMessage, answer: ServerResponse): void {
    if (ask.url === '/v1/ca') {
      answer.setHeader('content-type', 'application/x-pem-file');
      answer.end(this.script.ca ?? this.ca.ca);
      return;
    }
    if (ask.url !== '/v1/enrol' || ask.method !== 'POST') {
      answer.statusCode = 404;
      answer.end('{}');
      return;
    }
    const chunks: Buffer[] = [];
    ask.on('data', (chunk) => chunks.push(chunk));
    ask.on('end', () => {
      const request: EnrolRequest = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      const { status, body } = this.script.onEnrol?.(request) ?? this.#enrol(request);
      answer.statusCode = status;
      answer.setHeader('content-type', 'application/json');
      answer.end(JSON.stringify(body));
    });
  }

  #enrol(request: EnrolRequest): { status: number; body: EnrolAnswer } {
    this.enrolments += 1;
    this.enrolled = request;
    const { name, identity, generation, groups } = this;
    return {
      status: 200,
      body: { name, identity, generation, mode: this.mode, state: 'approved', groups },
    };
  }
}
