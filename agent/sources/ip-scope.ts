/** Addresses as logs write them. Pure. */
import { BlockList, isIP } from 'node:net';
import type { PeerIp } from './change.ts';

const PRIVATE = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  PRIVATE.addSubnet(network, bits, 'ipv4');
}
for (const [network, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  PRIVATE.addSubnet(network, bits, 'ipv6');
}

/** `203.0.113.7`, also from `203.0.113.7:5900`, `[2001:db8::1]:5900` and `::ffff:203.0.113.7`; null: none. */
export function addressOf(text: string): string | null {
  if (text.length > 100) return null;
  const bare = text
    .trim()
    .replace(/^\[([^\]]+)\](?::\d{1,5})?$/, '$1')
    .replace(/%[\w.]{1,32}$/, '');
  const mapped = bare.replace(/^::ffff:(?=[\d.]+$)/i, '');
  if (isIP(mapped) !== 0) return mapped;
  const [, address] = /^([\d.]{7,15}):\d{1,5}$/.exec(bare) ?? [];
  return address !== undefined && isIP(address) === 4 ? address : null;
}

export function scopeOf(ip: string, ownIps: readonly string[]): PeerIp['scope'] {
  if (ownIps.includes(ip)) return 'own-adapter';
  const family = isIP(ip);
  if (family === 0) return 'unknown';
  return PRIVATE.check(ip, family === 4 ? 'ipv4' : 'ipv6') ? 'private' : 'public';
}
