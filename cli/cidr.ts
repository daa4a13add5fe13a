/**
 * Addresses and ranges as people type them. The collector reads them again; what is said here names the option.
 * An address may be a person's, so no message repeats it.
 */
import { isIP } from 'node:net';
import { TilsynError } from '../protocol/errors.ts';

export interface AddressRange {
  /** `address/prefix`. */
  range: string;
  /** Given without a prefix: this address and no other. */
  single: boolean;
}

/** @throws TilsynError `cidr.malformed`, `cidr.host-bits` */
export function readRange(text: string, option: string): AddressRange {
  const [address = '', bits, ...rest] = text.trim().split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  const longest = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (version === 0 || rest.length > 0 || !(prefix <= longest)) {
    throw new TilsynError(
      'cidr.malformed',
      `reading ${option}: it is no address and no range address/prefix`,
      {
        hint: `For example ${option} 192.0.2.7, ${option} 192.0.2.0/24 or ${option} 2001:db8::/32.`,
        exit: 'usage',
      },
    );
  }
  if ((numberOf(address, version) & ((1n << BigInt(longest - prefix)) - 1n)) !== 0n) {
    throw new TilsynError('cidr.host-bits', `reading ${option}: the address goes on behind the prefix`, {
      hint: `Give the network (192.0.2.0/24, not 192.0.2.7/24), or the one address without a prefix.`,
      exit: 'usage',
    });
  }
  return { range: `${address}/${prefix}`, single: bits === undefined };
}

function numberOf(address: string, version: number): bigint {
  if (version === 4) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  // The URL parser writes every form of an IPv6 address in groups of hexadecimal digits.
  const [left = '', right] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [head, tail] = [groups(left), groups(right ?? '')];
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n);
}
