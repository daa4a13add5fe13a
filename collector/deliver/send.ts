/**
 * One attempt to deliver: one POST, signed, and what became of it.
 *
 * D3  A receiver costs at most one connection, ten seconds and 16 KiB at a time. Redirects are not followed: the
 *     address that an admin gave is the only one that is asked.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { deliverySignature } from '../../protocol/sign.ts';
import { type Clock, SECOND_MS } from '../../protocol/time.ts';
import type { WebhookFile } from '../types.ts';
import { checkTarget, lookupLoopback } from './target.ts';

export const SEND_MS = 10 * SECOND_MS;
const MAX_ANSWER_BYTES = 16 * 1024;

export interface Answer {
  /** HTTP status; null: there was none. */
  status: number | null;
  /** A word: why there was none. */
  why: string | null;
}

export interface Post {
  /** The same for every attempt of one event. */
  id: string;
  body: string;
}

/** Connections to one receiver: kept open while much is to be said, one at a time. */
export interface Line {
  /** Never throws. `signal` gives up. */
  post(file: WebhookFile, what: Post, signal: AbortSignal): Promise<Answer>;
  close(): void;
}

export function openLine(clock: Clock): Line {
  const options = { keepAlive: true, maxSockets: 1, maxFreeSockets: 1 };
  const agents = { https: new HttpsAgent(options), http: new HttpAgent(options) };
  return {
    post: (file, what, signal) => post(clock, agents, file, what, signal),
    close() {
      agents.https.destroy();
      agents.http.destroy();
    },
  };
}

type Agents = { https: HttpsAgent; http: HttpAgent };

function headersOf(
  clock: Clock,
  { secret }: WebhookFile,
  { id, body }: Post,
): Record<string, string | number> {
  const timestamp = String(Math.floor(clock.now() / SECOND_MS));
  return {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'user-agent': 'tilsyn',
    'tilsyn-delivery': id,
    'tilsyn-timestamp': timestamp,
    'tilsyn-signature': deliverySignature(secret, timestamp, body),
  };
}

function post(
  clock: Clock,
  agents: Agents,
  file: WebhookFile,
  what: Post,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve) => {
    const url = checkTarget(file.url);
    const common = { method: 'POST', headers: headersOf(clock, file, what), signal };
    const outgoing =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...common, agent: agents.https, ...(file.ca === null ? {} : { ca: file.ca }) })
        : httpRequest(url, { ...common, agent: agents.http, lookup: lookupLoopback });
    let status: number | null = null;
    const done = (why: string | null) => {
      cancel();
      resolve({ status, why: status === null ? why : null });
    };
    const cancel = clock.after(SEND_MS, () => {
      done('timeout');
      outgoing.destroy();
    });
    outgoing.on('error', (error) => done(wordOf(error)));
    outgoing.on('response', (answer) => {
      status = answer.statusCode ?? null;
      drain(answer, () => done(null));
    });
    outgoing.end(what.body);
  });
}

/** The status is the answer; what else is said is read only so that the connection can be used again. */
function drain(answer: IncomingMessage, done: () => void): void {
  let bytes = 0;
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) answer.destroy();
  });
  answer.on('error', done);
  answer.on('close', done);
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'name',
  EAI_AGAIN: 'name',
  EHOSTUNREACH: 'no-route',
  ENETUNREACH: 'no-route',
  ETIMEDOUT: 'timeout',
  ABORT_ERR: 'stopped',
};

/** What went wrong, as a word: never the text of an error, which names addresses. */
function wordOf(error: Error & { code?: unknown; errors?: unknown }): string {
  const first = Array.isArray(error.errors) ? (error.errors[0] as { code?: unknown }) : error;
  const code = String(first?.code ?? error.code ?? '');
  if (/CERT|_TLS_|SSL|SELF_SIGNED|ISSUER|VERIFY|EPROTO/.test(code)) return 'tls';
  return WORDS[code] ?? 'broken';
}
