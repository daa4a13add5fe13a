/** Addresses as logs write them, and where they lie seen from this machine. Pure. */
import { BlockList, isIP } from 'node:net';
import type { PeerIp } from './change.ts';

/** Not routed on the internet: RFC 4193, 4291. */
const PRIVATE_6 = new BlockList();
PRIVATE_6.addSubnet('fc00::', 7, 'ipv6');
PRIVATE_6.addSubnet('fe80::', 10, 'ipv6');

export function familyOf(ip: string): 'ipv4' | 'ipv6' | null {
  const family = isIP(ip);
  return family === 0 ? null : family === 4 ? 'ipv4' : 'ipv6';
}

/** Without brackets, zone and the IPv6 dress of an IPv4 address; null where it is no address. */
export function plainIp(text: string): string | null {
  // Most lines have plain IPv4, and this is read for each of them.
  if (text.length > 64 || isIP(text) === 4) return text.length > 64 ? null : text;
  const bare = text
    .trim()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/%.*$/, '');
  const mapped = /^::ffff:(\d[\d.]*)$/i.exec(bare)?.[1];
  const ip = mapped ?? bare.toLowerCase();
  return isIP(ip) === 0 ? null : ip;
}

/** The address of `203.0.113.7:5900` or `[2001:db8::1]:5900`, also without a port; null: none. */
export function addressOf(text: string): string | null {
  const plain = plainIp(text);
  if (plain !== null || text.length > 100) return plain;
  const [, address = ''] = /^\s*(\[[^\]]*\]|[\d.]{7,15}):\d{1,5}\s*$/.exec(text) ?? [];
  return plainIp(address);
}

/** What a log says somebody's address is, with where it lies; null where the text is none. */
export function peerIpOf(text: string, basis: PeerIp['basis'], ownIps: Iterable<string>): PeerIp | null {
  const ip = plainIp(text);
  return ip === null ? null : { ip, basis, scope: scopeOf(ip, ownIps) };
}

/** A peer that comes from one of the machine's own addresses sits behind a tunnel, or on a virtual machine here. */
export function scopeOf(ip: string, ownIps: Iterable<string>): PeerIp['scope'] {
  const plain = plainIp(ip);
  if (plain === null || plain === '0.0.0.0' || plain === '::') return 'unknown';
  for (const own of ownIps) if (own === plain || plainIp(own) === plain) return 'own-adapter';
  if (isIP(plain) === 4) return scopeOf4(plain);
  if (plain === '::1') return 'own-adapter';
  return PRIVATE_6.check(plain, 'ipv6') ? 'private' : 'public';
}

/** RFC 1918, 3927, 6598. By hand: a list of networks takes longer than all else that is read of a line. */
function scopeOf4(ip: string): PeerIp['scope'] {
  const [first = 0, second = 0] = ip.split('.', 2).map(Number);
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
