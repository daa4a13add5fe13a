/**
 * One connection: TLS, upgrade, WebSocket. Knows nothing of frames. After `closed` or `failed` it says nothing
 * more.
 */
import type { TLSSocket } from 'node:tls';
import WebSocket from 'ws';
import { TilsynError } from '../../protocol/errors.ts';
import { MAX_FRAME_BYTES, SUBPROTOCOL } from '../../protocol/frame.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { channelOf, connectError, type Endpoint, endpointOf, openTls } from './tls.ts';

/** Path of the agents' socket at the collector. */
export const AGENT_PATH = '/v1/agent';

/** A close that the other side does not answer is cut after this. */
const CLOSE_WAIT_MS = 2 * SECOND_MS;

// Every limit of ws is set on purpose; its defaults are for browsers and reach 100 MiB a message.
const LIMITS = {
  perMessageDeflate: false,
  maxPayload: MAX_FRAME_BYTES,
  // The collector sends each message in one fragment; some are allowed for what lies in between.
  maxFragments: 64,
  // A frame of 1 MiB in TCP segments of 536 bytes, the smallest there are.
  maxBufferedChunks: 2048,
  maxPendingAutoPongs: 8,
  autoPong: true,
  allowSynchronousEvents: true,
  skipUTF8Validation: false,
  followRedirects: false,
  closeTimeout: CLOSE_WAIT_MS,
} as const;

export interface WireOptions {
  /** `wss://host:port`. */
  url: string;
  ca: string | null;
  proxy: string | null;
  timeoutMs: number;
}

export interface WireEvents {
  /** @param channel the TLS exporter value, base64url */
  opened(channel: string): void;
  text(text: string): void;
  /** A binary message: no frame of ours is one. */
  binary(): void;
  /** A ping: a sign of life. */
  heard(): void;
  closed(code: number): void;
  failed(error: TilsynError): void;
}

export interface Wire {
  /** @param sent called when the system has taken the bytes */
  send(text: string, sent?: () => void): void;
  /** Bytes that the system has not taken yet. */
  buffered(): number;
  /** Says why and ends; cut after 2 s. No event follows. Resolves when the socket is gone. */
  close(code: number): Promise<void>;
}

/** Begins to connect; the outcome comes as an event. */
export function openWire(options: WireOptions, events: WireEvents): Wire {
  return new Connection(options, events);
}

class Connection implements Wire {
  #socket: WebSocket | null = null;
  #over = false;
  #open = false;
  readonly #giveUp = new AbortController();
  readonly #events: WireEvents;

  constructor(options: WireOptions, events: WireEvents) {
    this.#events = events;
    this.#connect(options).catch((error: unknown) => this.#fail(error));
  }

  send(text: string, sent?: () => void): void {
    if (this.#over || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(text, { binary: false }, (error) => {
      if (!error) sent?.();
    });
  }

  buffered(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  close(code: number): Promise<void> {
    this.#over = true;
    this.#giveUp.abort();
    const socket = this.#socket;
    if (socket === null || socket.readyState === WebSocket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once('close', () => resolve());
      // 1006 and 1005 are never sent; there is nobody to say it to either.
      if (socket.readyState === WebSocket.OPEN) socket.close(code);
      else socket.terminate();
    });
  }

  async #connect(options: WireOptions): Promise<void> {
    const endpoint = endpointOf(options.url);
    const tls = await openTls(endpoint, { ...options, signal: this.#giveUp.signal });
    // Closed while connecting: nobody waits for this socket any more.
    if (this.#over) return void tls.destroy();
    this.#upgrade(tls, endpoint, options);
  }

  #upgrade(tls: TLSSocket, endpoint: Endpoint, options: WireOptions): void {
    const limits = { ...LIMITS, handshakeTimeout: options.timeoutMs, createConnection: () => tls };
    const socket = new WebSocket(new URL(AGENT_PATH, options.url), SUBPROTOCOL, limits);
    this.#socket = socket;
    socket.on('open', () => {
      this.#open = true;
      this.#tell(() => this.#events.opened(channelOf(tls)));
    });
    socket.on('message', (data, isBinary) =>
      this.#tell(() => (isBinary ? this.#events.binary() : this.#events.text(String(data)))),
    );
    socket.on('ping', () => this.#tell(() => this.#events.heard()));
    socket.on('pong', () => this.#tell(() => this.#events.heard()));
    socket.on('unexpected-response', (_ask, answer) => {
      answer.destroy();
      this.#fail(notUpgraded(endpoint, answer.statusCode ?? 0));
    });
    // `error` comes before `close`; where it broke an open link, `close` follows with code 1006 and is enough.
    socket.on('error', (cause) => {
      if (!this.#open) this.#fail(connectError(endpoint, cause));
    });
    socket.on('close', (code) => {
      this.#tell(() => {
        this.#over = true;
        this.#events.closed(code);
      });
    });
  }

  #fail(error: unknown): void {
    this.#tell(() => {
      this.#over = true;
      this.#socket?.terminate();
      this.#events.failed(error instanceof TilsynError ? error : connectError({ host: '-', port: 0 }, error));
    });
  }

  #tell(fn: () => void): void {
    if (!this.#over) fn();
  }
}

function notUpgraded(endpoint: Endpoint, status: number): TilsynError {
  return new TilsynError(
    'collector.not-upgraded',
    `connecting to the collector at ${endpoint.host}:${endpoint.port}: it answered with status ${status} instead of a socket`,
    {
      hint: 'Something else listens at this address, or the collector takes no more connections now.',
      exit: 'unreachable',
      retryable: true,
    },
  );
}
