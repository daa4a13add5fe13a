/**
 * Which addresses a webhook may have.
 *
 * D2  What is sent to a webhook travels under TLS, except to this machine itself; no name makes another machine of it.
 */
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { TilsynError } from '../../protocol/errors.ts';

const MAX_URL = 2048;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, '');
  const family = isIP(plain);
  return family === 0 ? plain === 'localhost' : loopback.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

/** The address in its one form. @throws TilsynError `webhook.url` */
export function checkTarget(text: string): URL {
  const url = text.length > MAX_URL || !URL.canParse(text) ? null : new URL(text);
  if (url === null || url.hash !== '') throw wrong('it is no https:// address');
  if (url.username !== '' || url.password !== '') throw wrong('it holds a name or a password');
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) return url;
  throw wrong('it must be https://; http:// is for this machine only');
}

function wrong(why: string): TilsynError {
  return new TilsynError('webhook.url', `reading the address of a webhook: ${why}`, {
    hint: 'For example --url https://alerts.example/tilsyn, or --url http://127.0.0.1:9000/.',
    exit: 'usage',
  });
}

/** Where it is, without what may be secret in it. */
export function shownTarget(text: string): string {
  const url = new URL(text);
  return url.pathname === '/' && url.search === '' ? url.origin : `${url.origin}/…`;
}

/** `localhost` without asking anybody who that is (D2). */
export const lookupLoopback: LookupFunction = (_name, options, callback) => {
  const all = [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ];
  if (options.all === true) callback(null, all);
  else callback(null, '127.0.0.1', 4);
};
