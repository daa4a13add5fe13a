/** A tunnel through an HTTP proxy (CONNECT, RFC 9110 section 9.3.6). TLS to the collector runs inside it. */
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { codeOf, TilsynError } from '../../protocol/errors.ts';

/**
 * @param proxy `http://host:port`
 * @throws TilsynError `proxy.url`, `proxy.refused`, `proxy.unreachable` (the last two retryable)
 */
export function openTunnel(
  proxy: string,
  target: { host: string; port: number },
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
): Promise<Socket> {
  const url = URL.canParse(proxy) ? new URL(proxy) : null;
  if (url === null || url.protocol !== 'http:') {
    throw new TilsynError('proxy.url', 'reading the proxy setting: it does not start with http://', {
      hint: 'Set `proxy: http://host:port` in agent.yaml, or `proxy: null`.',
      exit: 'usage',
    });
  }
  const authority = `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
  return new Promise((resolve, reject) => {
    const ask = request({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 80 : Number(url.port),
      method: 'CONNECT',
      path: authority,
      headers: { host: authority },
      timeout: timeoutMs,
      agent: false,
      ...(signal === undefined ? {} : { signal }),
    });
    ask.once('connect', (answer, socket) => {
      if (answer.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(refused(answer.statusCode ?? 0));
    });
    // A proxy that answers CONNECT with an ordinary page.
    ask.once('response', (answer) => {
      answer.destroy();
      reject(refused(answer.statusCode ?? 0));
    });
    ask.once('timeout', () => ask.destroy(new TilsynError('proxy.unreachable', 'timed out')));
    ask.once('error', (cause) => reject(unreachable(cause)));
    ask.end();
  });
}

function refused(status: number): TilsynError {
  return new TilsynError('proxy.refused', `asking the proxy for a way to the collector: status ${status}`, {
    hint: 'Let the proxy CONNECT to the host and port of the collector, without looking into TLS.',
    exit: 'unreachable',
    retryable: true,
  });
}

function unreachable(cause: unknown): TilsynError {
  return new TilsynError(
    'proxy.unreachable',
    `asking the proxy for a way to the collector: ${codeOf(cause)}`,
    {
      hint: 'Check `proxy:` in agent.yaml and that the proxy is up.',
      exit: 'unreachable',
      retryable: true,
      cause,
    },
  );
}
