/**
 * Talks to a collector: TLS 1.3, one request a connection, no retries. Tails connect again and go on from their
 * cursor.
 */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { EXIT, type ExitName, hasCode, TilsynError } from '../protocol/errors.ts';
import { SECOND_MS } from '../protocol/time.ts';
import type { Io } from './io.ts';
import type { Remote } from './settings.ts';

/** A request that takes longer is given up, unless `--timeout` says otherwise. */
export const REQUEST_TIMEOUT_MS = 60 * SECOND_MS;
/** An answer is never larger; a server that sends more is not ours. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

export type Query = Record<string, string | readonly string[] | undefined>;

export interface Client {
  get<T>(path: string, query?: Query): Promise<T>;
  post<T>(path: string, body: Record<string, unknown>): Promise<T>;
  /** Lines of an open-ended answer; ends when the other side ends it. */
  lines(path: string, query: Query, idleMs: number): AsyncGenerator<string>;
}

export function makeClient(remote: Remote, io: Io, timeoutMs = REQUEST_TIMEOUT_MS): Client {
  const call = async <T>(method: string, path: string, query: Query, body?: Record<string, unknown>) => {
    const limit = AbortSignal.timeout(timeoutMs);
    try {
      const signal = AbortSignal.any([io.signal, limit]);
      const response = await open(remote, { method, path, query, body: body ?? null, signal });
      return readJson<T>(response, await readAll(response));
    } catch (error) {
      throw meaningOf(error, remote, io.signal.aborted, limit.aborted);
    }
  };
  return {
    get: (path, query = {}) => call('GET', path, query),
    post: (path, body) => call('POST', path, {}, body),
    lines: (path, query, idleMs) => readLines(remote, io, path, query, idleMs),
  };
}

interface Ask {
  method: string;
  path: string;
  query: Query;
  body: Record<string, unknown> | null;
  signal: AbortSignal;
}

function open(remote: Remote, ask: Ask): Promise<IncomingMessage> {
  const text = ask.body === null ? null : JSON.stringify(ask.body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      new URL(pathWith(ask.path, ask.query), remote.server),
      {
        method: ask.method,
        agent: false,
        minVersion: 'TLSv1.3',
        signal: ask.signal,
        ...(remote.ca === null ? {} : { ca: remote.ca }),
        headers: {
          accept: 'application/json',
          authorization: `Bearer ${remote.token}`,
          ...(text === null
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
      },
      resolve,
    );
    outgoing.on('error', reject);
    outgoing.end(text ?? undefined);
  });
}

function pathWith(path: string, query: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of value === undefined ? [] : [value].flat()) params.append(name, one);
  }
  const text = params.toString();
  return text === '' ? path : `${path}?${text}`;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).length;
    if (size > MAX_ANSWER_BYTES) throw notOurs('the answer is too large');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function notOurs(what: string): TilsynError {
  return new TilsynError('server.not-a-collector', `reading the collector's answer: ${what}`, {
    hint: 'Check TILSYN_SERVER: it must be the collector itself, not a proxy.',
    exit: 'unreachable',
  });
}

function readJson<T>(response: IncomingMessage, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notOurs('it is not JSON');
  }
  if (response.statusCode === 200) return value as T;
  throw errorOf(value) ?? notOurs(`status ${response.statusCode}`);
}

/** The collector's error, as it was thrown there. */
function errorOf(value: unknown): TilsynError | null {
  if (typeof value !== 'object' || value === null || !('error' in value)) return null;
  const { code, message, hint, exit, approval } = value.error as Record<string, unknown>;
  if (typeof code !== 'string' || typeof message !== 'string') return null;
  const known = typeof exit === 'string' && Object.hasOwn(EXIT, exit) ? (exit as ExitName) : 'failed';
  return new TilsynError(code, message, {
    exit: known,
    ...(typeof hint === 'string' ? { hint } : {}),
    ...(typeof approval === 'string' ? { approval } : {}),
  });
}

function meaningOf(error: unknown, remote: Remote, interrupted: boolean, late: boolean): unknown {
  if (interrupted) return interruption();
  if (late) {
    return new TilsynError('server.timeout', `waiting for ${remote.server}: no answer in time`, {
      hint: 'Give it longer with --timeout 5m.',
      exit: 'timeout',
    });
  }
  if (error instanceof TilsynError) return error;
  const untrusted = untrustedCertificate(error);
  return new TilsynError(
    untrusted ? 'server.untrusted' : 'server.unreachable',
    `connecting to ${remote.server}: ${untrusted ? 'its certificate is not trusted' : plainReason(error)}`,
    {
      hint: untrusted
        ? 'Set TILSYN_CA (or `tilsyn login --ca`) to the CA file that `tilsyn collector init` printed.'
        : 'Check TILSYN_SERVER and that `tilsyn collector run` is running there.',
      exit: 'unreachable',
      retryable: !untrusted,
      cause: error,
    },
  );
}

export function interruption(): TilsynError {
  return new TilsynError('cli.interrupted', 'interrupted', { exit: 'interrupted' });
}

function untrustedCertificate(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return /^(ERR_TLS_CERT|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/.test(code);
}

function plainReason(error: unknown): string {
  if (hasCode(error, 'ECONNREFUSED')) return 'nothing listens there';
  if (hasCode(error, 'ENOTFOUND', 'EAI_AGAIN')) return 'its name is not known';
  if (hasCode(error, 'ECONNRESET', 'EPIPE')) return 'the connection broke';
  if (hasCode(error, 'ENETUNREACH', 'EHOSTUNREACH', 'ETIMEDOUT')) return 'the network does not lead there';
  return 'no TLS 1.3 connection came about';
}

async function* readLines(
  remote: Remote,
  io: Io,
  path: string,
  query: Query,
  idleMs: number,
): AsyncGenerator<string> {
  const idle = new AbortController();
  let cancel = io.clock.after(idleMs, () => idle.abort());
  try {
    const signal = AbortSignal.any([io.signal, idle.signal]);
    const response = await open(remote, { method: 'GET', path, query, body: null, signal });
    if (response.statusCode !== 200) readJson(response, await readAll(response));
    response.setEncoding('utf8');
    let rest = '';
    for await (const chunk of response) {
      cancel();
      cancel = io.clock.after(idleMs, () => idle.abort());
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    throw meaningOf(error, remote, io.signal.aborted, false);
  } finally {
    cancel();
  }
}

/** What one line of a tail says. */
export type TailLine = { after: number; item: Record<string, unknown> | null };

/** @throws TilsynError where the collector ended the tail with a reason */
export function readTailLine(line: string): TailLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw notOurs('a line of it is not JSON');
  }
  const error = errorOf(value);
  if (error !== null) throw error;
  const { after, item } = value as { after?: unknown; item?: Record<string, unknown> };
  if (typeof after !== 'number') throw notOurs('a line of it has no cursor');
  return { after, item: item ?? null };
}
