/** What several lines say of one person, put together. Pure. */
import type { Known } from './change.ts';

/** Names and addresses of one session. */
const MAX_JOINED = 16;

/** What was known, and what is now: the newer word holds, lists grow. */
export function joined(before: Known, now: Known): Known {
  const all: Known = { ...before, ...now };
  const names = [...new Set([...(before.peerNames ?? []), ...(now.peerNames ?? [])])].slice(0, MAX_JOINED);
  const ips = [...(before.peerIps ?? []), ...(now.peerIps ?? [])];
  const distinct = ips.filter((one, index) => ips.findIndex(({ ip }) => ip === one.ip) === index);
  if (names.length > 0) all.peerNames = names;
  if (distinct.length > 0) all.peerIps = distinct.slice(0, MAX_JOINED);
  return all;
}
