/**
 * `match: listed`: which sessions of a tool that everybody of the house uses too are those of technicians. Pure.
 *
 * R70 A session is listed if its account, its key or one of its addresses is; one of which none of these is known is
 *     not.
 */
import { BlockList } from 'node:net';
import type { Known } from './change.ts';
import { familyOf, plainIp } from './ip-scope.ts';

export interface Listed {
  /** Accounts of this machine, `name` or `DOMAIN\name`, and accounts that a technician proves (`name@REALM`). */
  accounts: readonly string[];
  /** Fingerprints as the tools write them: `SHA256:…`, or MD5 with or without that word. */
  keys: readonly string[];
  /** `192.0.2.0/24`, `2001:db8::/32`, or one address. */
  networks: readonly string[];
}

/** An entry of `networks` that cannot be read matches nothing; `networkOf` says so to whoever checks a list. */
export function makeMatcher(listed: Listed): (known: Known) => boolean {
  const accounts = new Set(listed.accounts.map((account) => account.toLowerCase()));
  const keys = new Set(listed.keys.map(plainKey));
  const networks = new BlockList();
  for (const network of listed.networks.map(networkOf)) {
    if (network !== null) networks.addSubnet(network.address, network.bits, network.family);
  }
  const has = (account: string | undefined) =>
    account !== undefined && accountForms(account).some((form) => accounts.has(form));
  return (known) =>
    has(known.localUser) ||
    has(known.technician) ||
    (known.technician !== undefined && keys.has(plainKey(known.technician))) ||
    (known.peerIps ?? []).some(({ ip }) => isIn(networks, ip));
}

export interface Network {
  address: string;
  bits: number;
  family: 'ipv4' | 'ipv6';
}

/** Null for what is no network and no address. */
export function networkOf(text: string): Network | null {
  const [, ip = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? [];
  const address = ip.includes('/') || ip.includes('%') ? '' : ip;
  const family = familyOf(address);
  if (family === null) return null;
  const most = family === 'ipv4' ? 32 : 128;
  const wanted = bits === undefined ? most : Number(bits);
  return wanted > most ? null : { address, bits: wanted, family };
}

/** Windows tells `SRV01\Name` and `name` apart by nothing but where it was asked. */
function accountForms(account: string): string[] {
  const lower = account.toLowerCase();
  const domain = lower.lastIndexOf('\\');
  return domain === -1 ? [lower] : [lower, lower.slice(domain + 1)];
}

function plainKey(key: string): string {
  // Base64 tells cases apart, hexadecimal digits do not.
  const text = key.trim();
  return /^SHA256:/i.test(text)
    ? `SHA256:${text.slice(7).replace(/=+$/, '')}`
    : text.replace(/^MD5:/i, '').toLowerCase();
}

function isIn(networks: BlockList, ip: string): boolean {
  const bare = plainIp(ip);
  if (bare === null) return false;
  return networks.check(bare, familyOf(bare) ?? 'ipv4');
}
