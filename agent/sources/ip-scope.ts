/** Where an address of a log belongs: to this machine's own adapters, to a private network, to the world. Pure. */
import { BlockList, isIP } from 'node:net';
import type { PeerIp } from './change.ts';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** RFC 1918, link-local, shared address space of providers (CGNAT), and what IPv6 has for them. */
const PRIVATE = new BlockList();
PRIVATE.addSubnet('10.0.0.0', 8, 'ipv4');
PRIVATE.addSubnet('172.16.0.0', 12, 'ipv4');
PRIVATE.addSubnet('192.168.0.0', 16, 'ipv4');
PRIVATE.addSubnet('169.254.0.0', 16, 'ipv4');
PRIVATE.addSubnet('100.64.0.0', 10, 'ipv4');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');

/** The address without brackets, zone and mapping; null for anything that is none. */
export function plainIp(text: string): string | null {
  if (text.length > 64) return null;
  const bare = text.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  const plain = MAPPED.exec(bare)?.[1] ?? bare;
  return isIP(plain) === 0 ? null : plain.toLowerCase();
}

/** @param ip as `plainIp` gives it; `own` too */
export function scopeOf(ip: string, own: ReadonlySet<string>): PeerIp['scope'] {
  const family = isIP(ip) === 6 ? 'ipv6' : 'ipv4';
  if (own.has(ip) || LOOPBACK.check(ip, family)) return 'own-adapter';
  return PRIVATE.check(ip, family) ? 'private' : 'public';
}
