/** Addresses as logs write them, and where they lie seen from this machine. Pure. */
import { BlockList, isIP } from 'node:net';
import type { PeerIp } from './change.ts';

/** Not routed on the internet: RFC 1918, 3927, 4193, 4291, 6598. */
const PRIVATE = new BlockList();
for (const [net, bits] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const) {
  PRIVATE.addSubnet(net, bits, 'ipv4');
}
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Without brackets, zone and the IPv6 dress of an IPv4 address; null where it is no address. */
export function plainIp(text: string): string | null {
  if (text.length > 64) return null;
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

/** A peer that comes from one of the machine's own addresses sits behind a tunnel, or on a virtual machine here. */
export function scopeOf(ip: string, ownIps: Iterable<string>): PeerIp['scope'] {
  const plain = plainIp(ip);
  if (plain === null || plain === '0.0.0.0' || plain === '::') return 'unknown';
  const family = isIP(plain) === 4 ? 'ipv4' : 'ipv6';
  if (LOOPBACK.check(plain, family)) return 'own-adapter';
  for (const own of ownIps) if (plainIp(own) === plain) return 'own-adapter';
  return PRIVATE.check(plain, family) ? 'private' : 'public';
}
