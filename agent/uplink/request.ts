/** One HTTPS request to the collector, for enrolment. Same TLS as the link; a limit on everything. */
import { request } from 'node:http';
import { TilsynError } from '../../protocol/errors.ts';
import { connectError, type Endpoint, openTls, type TlsOptions } from './tls.ts';

const MAX_ANSWER_BYTES = 2 * 1024 * 1024;

export interface Asked {
  method: 'GET' | 'POST';
  path: string;
  /** Sent as JSON. */
  body?: unknown;
}

/** @throws TilsynError `collector.unreachable`, `collector.certificate`, `proxy.*` */
export async function ask(
  endpoint: Endpoint,
  tls: TlsOptions,
  asked: Asked,
): Promise<{ status: number; text: string }> {
  const socket = await openTls(endpoint, tls);
  const body = asked.body === undefined ? '' : JSON.stringify(asked.body);
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return await new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      socket.destroy();
      reject(connectError(endpoint, cause));
    };
    const outgoing = request({
      method: asked.method,
      path: asked.path,
      headers: {
        host: `${host}:${endpoint.port}`,
        accept: 'application/json',
        connection: 'close',
        ...(body === '' ? {} : { 'content-type': 'application/json' }),
        'content-length': Buffer.byteLength(body),
      },
      createConnection: () => socket,
      timeout: tls.timeoutMs,
    });
    outgoing.once('error', fail);
    outgoing.once('timeout', () => fail({ code: 'ETIMEDOUT' }));
    outgoing.once('response', (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) return fail(tooLarge());
        chunks.push(chunk);
      });
      answer.once('error', fail);
      answer.once('end', () => {
        socket.destroy();
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    outgoing.end(body);
  });
}

function tooLarge(): TilsynError {
  return new TilsynError('collector.answer', "reading the collector's answer: over 2 MiB", {
    hint: 'Something else than a Tilsyn collector listens at this address.',
  });
}
