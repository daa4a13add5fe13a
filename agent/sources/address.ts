/** What an address that a log names says of where it lies. Pure. */
import { BlockList, isIP } from 'node:net';
import type { PeerIp } from './change.ts';

const PRIVATE_6 = new BlockList();
PRIVATE_6.addSubnet('fc00::', 7, 'ipv6');
PRIVATE_6.addSubnet('fe80::', 10, 'ipv6');
const LOOPBACK_6 = new BlockList();
LOOPBACK_6.addAddress('::1', 'ipv6');

/** An address without what only its machine understands: `fe80::1%eth0` and `::ffff:192.0.2.1`. */
export function bareAddress(ip: string): string {
  if (!ip.includes(':')) return ip;
  const zone = ip.indexOf('%');
  const bare = zone === -1 ? ip : ip.slice(0, zone);
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(bare) ? bare.slice(7) : bare;
}

/** `own-adapter`: from this machine to itself. */
export function scopeOf(ip: string, ownIps: readonly string[]): PeerIp['scope'] {
  const bare = bareAddress(ip);
  const family = familyOf(bare);
  if (family === null) return 'unknown';
  if (ownIps.some((own) => own === bare || bareAddress(own) === bare)) return 'own-adapter';
  if (family === 'ipv4') return scopeOf4(bare);
  if (LOOPBACK_6.check(bare, 'ipv6')) return 'own-adapter';
  return PRIVATE_6.check(bare, 'ipv6') ? 'private' : 'public';
}

/** By hand: a list of networks takes longer than all else that is read of a line. */
function scopeOf4(ip: string): PeerIp['scope'] {
  const dot = ip.indexOf('.');
  const first = Number(ip.slice(0, dot));
  const second = Number(ip.slice(dot + 1, ip.indexOf('.', dot + 1)));
  if (first === 127) return 'own-adapter';
  const isPrivate =
    first === 10 ||
    (first === 172 && second >= 16 && second <= 31) ||
    (first === 192 && second === 168) ||
    (first === 169 && second === 254) ||
    // Carriers' own: not reachable from outside either.
    (first === 100 && second >= 64 && second <= 127);
  return isPrivate ? 'private' : 'public';
}

export function familyOf(ip: string): 'ipv4' | 'ipv6' | null {
  const family = isIP(ip);
  return family === 0 ? null : family === 4 ? 'ipv4' : 'ipv6';
}
