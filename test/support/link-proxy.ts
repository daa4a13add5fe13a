/**
 * A bad line between agent and collector: a TCP proxy that cuts, goes silent without a FIN, delays and throttles.
 * TLS passes through it untouched.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';

/** How the line is for now. */
export interface LineState {
  /** New connections: let through, refused at once, or accepted and never answered. */
  fresh: 'pass' | 'refuse' | 'swallow';
  delayMs: number;
  /** Bytes per second each way; 0: no limit. */
  rate: number;
}

const CLEAN: LineState = { fresh: 'pass', delayMs: 0, rate: 0 };
/** A direction that holds more than this is not read from until it has drained. */
const HELD_BYTES = 256 * 1024;

/** One direction of one connection: chunks leave in order, each at its time. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #line: () => LineState;
  #held = 0;
  #last = 0;
  frozen = false;

  constructor(from: Socket, to: Socket, line: () => LineState) {
    this.#from = from;
    this.#to = to;
    this.#line = line;
    from.on('data', (chunk: Buffer) => this.#take(chunk));
    from.on('end', () => this.#at(this.#due(0), () => to.end()));
  }

  #due(bytes: number): number {
    const { delayMs, rate } = this.#line();
    const sending = rate > 0 ? (bytes / rate) * 1000 : 0;
    this.#last = Math.max(performance.now() + delayMs, this.#last) + sending;
    return this.#last;
  }

  #take(chunk: Buffer): void {
    if (this.frozen) return;
    this.#held += chunk.length;
    if (this.#held > HELD_BYTES) this.#from.pause();
    this.#at(this.#due(chunk.length), () => {
      this.#held -= chunk.length;
      if (this.#held <= HELD_BYTES) this.#from.resume();
      this.#to.write(chunk);
    });
  }

  #at(due: number, act: () => void): void {
    const guarded = () => {
      if (!this.frozen && !this.#to.destroyed) act();
    };
    const wait = due - performance.now();
    if (wait <= 0.5) guarded();
    else setTimeout(guarded, wait);
  }
}

class Pair {
  readonly agent: Socket;
  readonly collector: Socket;
  readonly #pipes: Pipe[];

  constructor(agent: Socket, collector: Socket, line: () => LineState) {
    this.agent = agent;
    this.collector = collector;
    this.#pipes = [new Pipe(agent, collector, line), new Pipe(collector, agent, line)];
    for (const socket of [agent, collector]) {
      socket.on('error', () => this.#fell());
      socket.on('close', () => this.#fell());
    }
  }

  /** Nothing passes any more, no FIN either: what a router that forgot the connection does. */
  freeze(): void {
    for (const pipe of this.#pipes) pipe.frozen = true;
  }

  get frozen(): boolean {
    return this.#pipes.some((pipe) => pipe.frozen);
  }

  destroy(): void {
    this.agent.resetAndDestroy();
    this.collector.resetAndDestroy();
  }

  #fell(): void {
    // A silent line does not tell the other side.
    if (!this.frozen) this.destroy();
  }
}

export class LinkProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #swallowed = new Set<Socket>();
  readonly #target: { port: number };
  #line: LineState = { ...CLEAN };

  private constructor(target: { port: number }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Listens on a free port of the loopback. */
  static async start(targetPort: number): Promise<LinkProxy> {
    const proxy = new LinkProxy({ port: targetPort });
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are being carried, silent ones included. */
  get connections(): number {
    return this.#pairs.size;
  }

  aimAt(port: number): void {
    this.#target.port = port;
  }

  set(state: Partial<LineState>): void {
    this.#line = { ...this.#line, ...state };
  }

  /** Resets every connection. */
  cut(): void {
    for (const pair of this.#pairs) pair.destroy();
    for (const socket of this.#swallowed) socket.resetAndDestroy();
  }

  /** The connections of now go silent for ever, without a FIN. */
  halfOpen(): void {
    for (const pair of this.#pairs) pair.freeze();
  }

  /** The line is good again; what had gone silent is reset. */
  heal(): void {
    this.#line = { ...CLEAN };
    for (const pair of this.#pairs) if (pair.frozen) pair.destroy();
    for (const socket of this.#swallowed) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(agent: Socket): void {
    agent.on('error', () => undefined);
    if (this.#line.fresh === 'refuse') return void agent.resetAndDestroy();
    if (this.#line.fresh === 'swallow') {
      this.#swallowed.add(agent);
      agent.on('close', () => this.#swallowed.delete(agent));
      return;
    }
    agent.setNoDelay(true);
    const collector = dial({
      port: this.#target.port,
      host: '127.0.0.1',
      noDelay: true,
      allowHalfOpen: true,
    });
    const pair = new Pair(agent, collector, () => this.#line);
    this.#pairs.add(pair);
    const gone = () => {
      if (agent.destroyed && collector.destroyed) this.#pairs.delete(pair);
    };
    agent.on('close', gone);
    collector.on('close', gone);
  }
}
