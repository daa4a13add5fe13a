/** A webhook receiver, as somebody else would write it: it shares no code with the product. */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Loose } from './api-world.ts';

export interface Delivery {
  id: string;
  /** What the independent check says. */
  signed: boolean;
  body: Loose;
  text: string;
  headers: IncomingMessage['headers'];
}

/** What it does with a request; `dead`: takes no connection. */
export type Mood = number | 'silent' | 'endless' | 'redirect' | 'dead';

export class Receiver {
  secret = '';
  mood: Mood = 200;
  /** Requests that came in, answered or not. */
  asked = 0;
  /** Those that were answered with 2xx. */
  readonly taken: Delivery[] = [];
  /** Ids of all that came in. */
  readonly ids: string[] = [];
  #server;
  #port = 0;
  readonly #tls: boolean;

  constructor(pair?: { key: string; cert: string }) {
    this.#tls = pair !== undefined;
    const handle = (request: IncomingMessage, answer: ServerResponse) => void this.#take(request, answer);
    this.#server = pair === undefined ? createServer(handle) : createTls(pair, handle);
  }

  get url(): string {
    return `${this.#tls ? 'https' : 'http'}://127.0.0.1:${this.#port}/hook?key=of-the-receiver`;
  }

  /** Listens, at the same port as before. */
  async open(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    this.asked += 1;
    const { headers } = request;
    const id = String(headers['tilsyn-delivery']);
    this.ids.push(id);
    if (this.mood === 'silent') return;
    if (this.mood === 'endless') {
      answer.writeHead(200);
      const more = (error?: Error | null) => void (error == null && answer.write('x'.repeat(4096), more));
      more();
      return;
    }
    if (this.mood === 'redirect') {
      answer.writeHead(302, { location: this.url }).end();
      return;
    }
    const status = Number(this.mood);
    if (status >= 200 && status < 300) this.taken.push(this.#read(id, text, headers));
    answer.writeHead(status).end('{}');
  }

  #read(id: string, text: string, headers: IncomingMessage['headers']): Delivery {
    const signature = createHmac('sha256', this.secret).update(`${headers['tilsyn-timestamp']}.${text}`);
    const signed = headers['tilsyn-signature'] === `v1=${signature.digest('hex')}`;
    return { id, signed, body: JSON.parse(text), text, headers };
  }
}
