/**
 * A line that breaks as lines of managed hosts do: the host notices at once (its interface went down), the
 * collector hears nothing, no FIN, no RST, and goes on believing in its socket.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  agent: Socket;
  collector: Socket;
}

export class HalfOpenProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  /** Collector's halves of lines that broke: kept open, never answered. */
  readonly #silent: Socket[] = [];
  #down = false;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((agent) => this.#accept(agent));
  }

  static async start(target: number): Promise<HalfOpenProxy> {
    const proxy = new HalfOpenProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Sockets that the collector still believes in, as it seems from here. */
  get halfOpen(): number {
    return this.#silent.filter((socket) => !socket.destroyed).length;
  }

  cut(): void {
    this.#down = true;
    for (const { agent, collector } of this.#pairs) {
      agent.unpipe(collector);
      collector.unpipe(agent);
      collector.removeAllListeners('close');
      collector.removeAllListeners('end');
      // Read and thrown away, as by a router that has forgotten the connection; nothing ever answers.
      collector.on('data', () => {});
      collector.resume();
      this.#silent.push(collector);
      agent.removeAllListeners('close');
      agent.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  heal(): void {
    this.#down = false;
  }

  close(): void {
    this.#server.close();
    for (const { agent, collector } of this.#pairs) for (const one of [agent, collector]) one.destroy();
    for (const socket of this.#silent) socket.destroy();
  }

  #accept(agent: Socket): void {
    agent.on('error', () => {});
    if (this.#down) {
      agent.resetAndDestroy();
      return;
    }
    const collector = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    collector.on('error', () => {});
    const pair = { agent, collector };
    this.#pairs.add(pair);
    agent.pipe(collector);
    collector.pipe(agent);
    const gone = () => {
      this.#pairs.delete(pair);
      agent.destroy();
      collector.destroy();
    };
    agent.on('close', gone);
    collector.on('close', gone);
  }
}
