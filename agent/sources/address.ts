/** What an address that a log names says of where it lies. Pure. */
import { BlockList, isIP } from 'node:net';
import type { PeerIp } from './change.ts';

const PRIVATE = new BlockList();
for (const [net, bits] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  // Carriers' own: not reachable from outside either.
  ['100.64.0.0', 10],
] as const) {
  PRIVATE.addSubnet(net, bits, 'ipv4');
}
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** An address without what only its machine understands: `fe80::1%eth0` and `::ffff:192.0.2.1`. */
export function bareAddress(ip: string): string {
  const zone = ip.indexOf('%');
  const bare = zone === -1 ? ip : ip.slice(0, zone);
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(bare) ? bare.slice(7) : bare;
}

/** `own-adapter`: from this machine to itself. */
export function scopeOf(ip: string, ownIps: readonly string[]): PeerIp['scope'] {
  const bare = bareAddress(ip);
  const family = familyOf(bare);
  if (family === null) return 'unknown';
  if (LOOPBACK.check(bare, family) || ownIps.some((own) => bareAddress(own) === bare)) return 'own-adapter';
  return PRIVATE.check(bare, family) ? 'private' : 'public';
}

export function familyOf(ip: string): 'ipv4' | 'ipv6' | null {
  const family = isIP(ip);
  return family === 0 ? null : family === 4 ? 'ipv4' : 'ipv6';
}
