/**
 * The one way to the collector: TLS 1.3 with the collector's own CA as the only root (or the system's roots),
 * server name checked, through an HTTP proxy where one is configured. Enrolment and the link both use it.
 */
import { isIP } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { codeOf, TilsynError } from '../../protocol/errors.ts';
import { EXPORTER_BYTES, EXPORTER_LABEL } from '../../protocol/handshake.ts';
import { toB64 } from '../../protocol/ids.ts';
import { openTunnel } from './proxy.ts';

export interface Endpoint {
  host: string;
  port: number;
}

/**
 * Host and port of a collector's URL.
 * @throws TilsynError `collector.url` for anything but `wss://`: without TLS nothing is sent, loopback included
 */
export function endpointOf(url: string): Endpoint {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || parsed.protocol !== 'wss:' || parsed.username !== '' || parsed.hostname === '') {
    throw new TilsynError('collector.url', "reading the collector's address: it does not start with wss://", {
      hint: 'Create the token again at a collector whose --url starts with wss://.',
      exit: 'usage',
    });
  }
  const port = parsed.port === '' ? 443 : Number(parsed.port);
  // URL keeps the brackets of an IPv6 address; sockets want it without.
  return { host: parsed.hostname.replace(/^\[|\]$/g, ''), port };
}

export interface TlsOptions {
  /** PEM of the only accepted root; null: the system's roots. */
  ca: string | null;
  /** `http://host:port` of a proxy that takes CONNECT; null: none. */
  proxy: string | null;
  /** Milliseconds for DNS, TCP, proxy and TLS together. */
  timeoutMs: number;
  /**
   * True only for fetching a CA whose hash is known beforehand: nothing that comes over such a connection is
   * believed before it was compared with that hash.
   */
  unverified?: boolean;
  /** Gives up at once, also while a name is looked up or nobody answers. */
  signal?: AbortSignal;
}

/**
 * A TLS connection that was checked. Destroyed on every failure.
 * @throws TilsynError `collector.unreachable` (retryable), `collector.certificate`
 */
export async function openTls(endpoint: Endpoint, options: TlsOptions): Promise<TLSSocket> {
  const tunnel = options.proxy === null ? null : await openTunnel(options.proxy, endpoint, options);
  const socket = tlsConnect({
    ...(tunnel === null ? endpoint : { socket: tunnel, host: endpoint.host }),
    servername: isIP(endpoint.host) === 0 ? endpoint.host : '',
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: options.unverified !== true,
    ...(options.ca === null ? {} : { ca: [options.ca] }),
  });
  return await ready(socket, endpoint, options);
}

/** RFC 9266 `tls-exporter` value of this connection, base64url. */
export function channelOf(socket: TLSSocket): string {
  return toB64(socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0)));
}

function ready(socket: TLSSocket, endpoint: Endpoint, options: TlsOptions): Promise<TLSSocket> {
  const { timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      socket.destroy();
      reject(connectError(endpoint, cause));
    };
    const onAbort = () => fail({ code: 'ECANCELED' });
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', fail);
    socket.setTimeout(timeoutMs, () => fail({ code: 'ETIMEDOUT' }));
    socket.once('secureConnect', () => {
      socket.setTimeout(0);
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}

const CERTIFICATE_CODES = /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO|UNABLE_TO|SELF_SIGNED|ERR_SSL_)/;

/** Turns a socket's error into one with a hint. The address is the operator's own setting, not personal. */
export function connectError(endpoint: Endpoint, cause: unknown): TilsynError {
  if (cause instanceof TilsynError) return cause;
  const code = codeOf(cause);
  const where = `${endpoint.host}:${endpoint.port}`;
  if (CERTIFICATE_CODES.test(code)) {
    return new TilsynError(
      'collector.certificate',
      `connecting to the collector at ${where}: its certificate was not accepted (${code})`,
      {
        hint: 'TLS must end at the collector itself: look for a TLS-inspecting proxy, or for a certificate that does not name this host.',
        exit: 'unreachable',
        retryable: true,
        cause,
      },
    );
  }
  return new TilsynError('collector.unreachable', `connecting to the collector at ${where}: ${code}`, {
    hint: 'Check name, port and firewall from this host, and that `tilsyn collector run` is up; a proxy goes into `proxy:` of agent.yaml.',
    exit: 'unreachable',
    retryable: true,
    cause,
  });
}
