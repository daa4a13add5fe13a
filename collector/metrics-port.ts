/** The collector's small HTTP port for what watches it: `/metrics` and `/health`, on loopback only (X12). */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hasCode, TilsynError } from '../protocol/errors.ts';
import { readLoopback, replyTo, type Watched } from '../protocol/metrics.ts';
import { SECOND_MS } from '../protocol/time.ts';

const LIMITS = {
  headersTimeout: 5 * SECOND_MS,
  requestTimeout: 5 * SECOND_MS,
  keepAliveTimeout: 5 * SECOND_MS,
  maxHeaderSize: 8 * 1024,
} as const;
const MAX_CONNECTIONS = 16;

export interface MetricsPort {
  /** `host:port` as bound. */
  address: string;
  close(): Promise<void>;
}

/** @throws TilsynError `metrics.address`, `metrics.in-use` */
export async function openMetrics(text: string, watched: Watched): Promise<MetricsPort> {
  const at = readLoopback(text);
  const server = createServer(LIMITS, (request, response) => {
    // A body that somebody sends is not read.
    request.resume();
    void replyTo(request.method ?? '', request.url ?? '', watched).then(({ status, type, body }) => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, at, text);
  const bound = server.address() as AddressInfo;
  return {
    address: `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, at: { host: string; port: number }, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(hasCode(cause, 'EADDRINUSE') ? inUse(text, cause) : cause));
    server.listen(at, () => {
      server.removeAllListeners('error');
      // One failed accept (too many open files) must not end the process.
      server.on('error', () => {});
      resolve();
    });
  });
}

function inUse(text: string, cause: unknown): TilsynError {
  return new TilsynError('metrics.in-use', `telling metrics on ${text}: the port is taken`, {
    hint: 'Choose another --metrics port, or stop what listens there.',
    exit: 'conflict',
    cause,
  });
}
