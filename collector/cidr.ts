/** Address ranges of enrolment tokens. Addresses are compared, never stored or logged here. */
import { BlockList, isIP } from 'node:net';
import { TilsynError } from '../protocol/errors.ts';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** `::ffff:192.0.2.1` is the IPv4 address that it says; a zone (`%eth0`) is no part of an address. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, '');
  return MAPPED.exec(bare)?.[1] ?? bare;
}

interface Range {
  address: string;
  prefix: number;
  family: 'ipv4' | 'ipv6';
}

function parse(text: string): Range | null {
  const [address = '', bits, ...rest] = text.trim().split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return null;
  const longest = version === 4 ? 32 : 128;
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return null;
  const prefix = bits === undefined ? longest : Number(bits);
  return prefix > longest ? null : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/**
 * The range in one form: `address/prefix`.
 * @throws TilsynError `cidr.malformed`
 */
export function readCidr(text: string): string {
  const range = parse(text);
  if (range !== null) return `${range.address}/${range.prefix}`;
  throw new TilsynError('cidr.malformed', 'reading an address range: it is not of the form address/prefix', {
    hint: 'For example --cidr 192.0.2.0/24 or --cidr 2001:db8::/32.',
    exit: 'usage',
  });
}

/** True where the range holds the address. An unreadable range holds nothing. */
export function cidrHolds(cidr: string, address: string): boolean {
  return cidrTest(cidr)(address);
}

/** The same for many addresses: the range is read once. */
export function cidrTest(cidr: string): (address: string) => boolean {
  const range = parse(cidr);
  if (range === null) return () => false;
  const list = new BlockList();
  list.addSubnet(range.address, range.prefix, range.family);
  return (address) => {
    const plain = plainAddress(address);
    const version = isIP(plain);
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  };
}
