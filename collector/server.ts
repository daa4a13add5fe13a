/**
 * The one port: TLS 1.3, HTTP for people and enrolment, a WebSocket for agents.
 *
 * P1  TLS ends here and is never off, on no address.
 * P2  Agents come in by `/v1/agent` with subprotocol `tilsyn.v1` only, at most so many in a second; the others are
 *     told when to come again.
 * P3  Every limit is set on purpose; the defaults of the libraries are for browsers.
 */
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type FastifyInstance, fastify } from 'fastify';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { CLOSE } from '../protocol/close-code.ts';
import { hasCode, TilsynError } from '../protocol/errors.ts';
import { frameText, MAX_FRAME_BYTES, SUBPROTOCOL } from '../protocol/frame.ts';
import { EXPORTER_BYTES, EXPORTER_LABEL } from '../protocol/handshake.ts';
import { toB64 } from '../protocol/ids.ts';
import { type Clock, SECOND_MS } from '../protocol/time.ts';
import type { OffenceReason } from '../protocol/words.ts';
import type { KeyPairPem } from './certs.ts';
import { Doorway, type Visitor } from './doorway.ts';
import { Porch } from './porch.ts';
import type { FaultSeam, Refusal } from './types.ts';

export const AGENT_PATH = '/v1/agent';

const RETRY_SECONDS = 5;
const MAX_CONNECTIONS = 20_000;
const CLOSE_WAIT_MS = 900;
const STOP_WAIT_MS = 2 * SECOND_MS;

const LIMITS: ServerOptions & { closeTimeout: number; maxPendingAutoPongs: number } = {
  noServer: true,
  clientTracking: true,
  perMessageDeflate: false,
  maxPayload: MAX_FRAME_BYTES,
  // Agents send each message in one fragment; some are allowed for what lies in between.
  maxFragments: 64,
  // A frame of 1 MiB in TCP segments of 536 bytes, the smallest there are.
  maxBufferedChunks: 2_048,
  maxPendingAutoPongs: 8,
  autoPong: true,
  // One message per turn of the event loop: a full window of one agent does not hold the others up.
  allowSynchronousEvents: false,
  skipUTF8Validation: false,
  // Below the second within which a revoked agent's socket must be gone, also where it does not answer.
  closeTimeout: CLOSE_WAIT_MS,
  handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
};

const HTTP_LIMITS = {
  handshakeTimeout: 10 * SECOND_MS,
  headersTimeout: 10 * SECOND_MS,
  requestTimeout: 30 * SECOND_MS,
  connectionsCheckingInterval: 5 * SECOND_MS,
  keepAliveTimeout: 5 * SECOND_MS,
  maxHeaderSize: 16 * 1024,
} as const;
const MAX_BODY_BYTES = 256 * 1024;

export interface PortOptions {
  tls: KeyPairPem;
  clock: Clock;
  faults: FaultSeam;
  /** A socket of an agent; it has proven nothing yet. `proven` is called when it has. */
  agent(socket: WebSocket, channel: string, proven: () => void): void;
  /** Somebody was sent away or cut for too much of something. */
  offence(reason: OffenceReason): void;
}

export class Port {
  readonly app: FastifyInstance;
  readonly #options: PortOptions;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer(LIMITS);
  readonly #porch: Porch;
  readonly #doorway: Doorway;
  #stopping = false;

  constructor(options: PortOptions) {
    this.#options = options;
    this.#porch = new Porch(options.clock, () => options.offence('too-many-connects'));
    this.#doorway = new Doorway(options.clock);
    this.#server = createServer({ ...tlsOf(options.tls), ...HTTP_LIMITS });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#putPorchBefore();
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.app = fastify({
      logger: false,
      // A header says whatever its sender likes; the address is the connection's own.
      trustProxy: false,
      bodyLimit: MAX_BODY_BYTES,
      forceCloseConnections: true,
      serverFactory: (handler) => this.#server.on('request', handler),
    });
  }

  /** @throws TilsynError `listen.*` */
  async listen({ host, port }: { host: string; port: number }): Promise<string> {
    try {
      await this.app.listen({ host, port });
    } catch (error) {
      throw listenError(error, host, port);
    }
    const bound = this.#server.address() as AddressInfo;
    return `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
  }

  /** New connections get this certificate; open ones keep theirs. */
  renew(tls: KeyPairPem): void {
    this.#server.setSecureContext(tlsOf(tls));
  }

  /** TLS begins when the porch says so (P5). */
  #putPorchBefore(): void {
    const secure = this.#server.listeners('connection');
    this.#server.removeAllListeners('connection');
    this.#server.on('connection', (socket: Socket) => {
      const begin = () => {
        for (const listener of secure) listener.call(this.#server, socket);
      };
      if (this.#options.faults.broken?.('no-door')) begin();
      else this.#porch.enter(socket, begin);
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until `ws` takes over, a torn connection must not end the process.
    const onError = () => socket.destroy();
    socket.on('error', onError);
    const refusal = refusalOf(request);
    const channel = refusal === null ? channelOf(request.socket as TLSSocket) : null;
    if (refusal !== null || channel === null) {
      turnAway(socket, refusal ?? { status: '400 Bad Request', text: 'no TLS exporter' });
      return;
    }
    if (this.#stopping) {
      turnAway(socket, STOPPING);
      return;
    }
    const visitor = this.#enter(request.socket.remoteAddress ?? '');
    this.#sockets.handleUpgrade(request, socket, head, (ws) => {
      socket.off('error', onError);
      if (typeof visitor === 'number') this.#sendAway(ws, visitor);
      else this.#letIn(ws, socket, channel, visitor);
    });
    // Also where the upgrade came to nothing.
    if (typeof visitor !== 'number') socket.once('close', visitor.leave);
  }

  #enter(address: string): Visitor | number {
    // A build broken on purpose (P4, P9): everybody may come in, and send what they like.
    if (this.#options.faults.broken?.('no-door')) return { sent: () => true, leave: () => {} };
    return this.#doorway.enter(address);
  }

  #letIn(ws: WebSocket, socket: Duplex, channel: string, visitor: Visitor): void {
    const count = (bytes: Buffer) => {
      if (visitor.sent(bytes.length)) return;
      ws.terminate();
      this.#options.offence('unproven');
    };
    socket.on('data', count);
    this.#options.agent(ws, channel, () => {
      socket.off('data', count);
      visitor.leave();
    });
  }

  #sendAway(ws: WebSocket, retryAfter: number): void {
    ws.on('error', () => {});
    ws.send(frameText({ t: 'refuse', ...TOO_MANY, retryAfter }));
    ws.close(CLOSE.tryLater);
    this.#options.offence('too-many-connects');
  }

  /** Takes nothing new; open sockets go on until `close`. */
  refuse(): void {
    this.#stopping = true;
    this.#porch.close();
    this.#server.close();
  }

  /** Ends every socket that is still open, politely for two seconds, and the HTTP side. */
  async close(): Promise<void> {
    this.refuse();
    const open = [...this.#sockets.clients];
    await Promise.all(open.map((ws) => this.#end(ws)));
    await this.app.close();
  }

  #end(ws: WebSocket): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(STOP_WAIT_MS, () => ws.terminate());
      ws.once('close', () => {
        cancel();
        resolve();
      });
      ws.close(CLOSE.goingAway);
    });
  }
}

function tlsOf({ cert, key }: KeyPairPem) {
  return { cert, key, minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] } as const;
}

/** RFC 9266 `tls-exporter` value, base64url. */
function channelOf(socket: TLSSocket): string | null {
  if (socket.encrypted !== true) return null;
  return toB64(socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0)));
}

interface TurnedAway {
  status: string;
  text: string;
  retrySeconds?: number;
}

const STOPPING: TurnedAway = {
  status: '503 Service Unavailable',
  text: 'stopping',
  retrySeconds: RETRY_SECONDS,
};

const TOO_MANY: Omit<Refusal, 'retryAfter'> = {
  code: 'link.too-many',
  message: 'letting the agent in: too many connect at once',
  hint: 'The agent comes again by itself, at the time that it was told.',
};

function refusalOf(request: IncomingMessage): TurnedAway | null {
  const [path] = (request.url ?? '').split('?');
  if (path !== AGENT_PATH) return { status: '404 Not Found', text: '' };
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((text) => text.trim());
  if (offered.includes(SUBPROTOCOL)) return null;
  return { status: '400 Bad Request', text: `this collector speaks ${SUBPROTOCOL}` };
}

function turnAway(socket: Duplex, { status, text, retrySeconds }: TurnedAway): void {
  const headers = [
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${text.length}`,
    ...(retrySeconds === undefined ? [] : [`Retry-After: ${retrySeconds}`]),
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\n${headers.join('\r\n')}\r\n\r\n${text}`);
}

function listenError(error: unknown, host: string, port: number): unknown {
  const doing = `listening on ${host}:${port}`;
  if (hasCode(error, 'EADDRINUSE')) {
    return new TilsynError('listen.in-use', `${doing}: the port is taken`, {
      hint: 'Stop what listens there (see `ss -ltnp`), or choose another --listen.',
      exit: 'conflict',
      cause: error,
    });
  }
  if (hasCode(error, 'EACCES')) {
    return new TilsynError('listen.denied', `${doing}: not allowed for this user`, {
      hint: 'Use a port of 1024 or above, or grant CAP_NET_BIND_SERVICE.',
      exit: 'forbidden',
      cause: error,
    });
  }
  if (hasCode(error, 'EADDRNOTAVAIL')) {
    return new TilsynError('listen.no-address', `${doing}: this machine has no such address`, {
      hint: 'Use an address of this machine, or 0.0.0.0 for all of them.',
      exit: 'usage',
      cause: error,
    });
  }
  return error;
}
