/** What is shown of an agreement. */
import { type Column, field, type Item, time } from './print.ts';
import { showIso } from './times.ts';

/** How far the hosts of one that ends are; who is waited for, by name and when they were last seen. */
const hosts: Column = [
  'hosts',
  ({ hosts: all = [] }, tz) => {
    const rows = all as Item[];
    const waited = rows.filter(({ state }) => state === 'pending' || state === 'failed');
    if (rows.length === 0 || waited.length === 0) return rows.length === 0 ? '' : `${rows.length} done`;
    const named = waited.map(({ host, state, lastSeenAt }) => {
      const seen = lastSeenAt === null ? 'never seen' : `last seen ${showIso(lastSeenAt, tz)}`;
      return `${host} (${state}, ${seen})`;
    });
    return `${rows.length - waited.length} of ${rows.length} done; ${named.join(', ')}`;
  },
];

const ROW: readonly Column[] = [
  field('id', 'id'),
  field('customer', 'customer'),
  field('mode', 'mode'),
  field('state', 'state'),
  ['default', ({ isDefault }) => (isDefault ? 'yes' : 'no')],
  time('starts', 'startsAt'),
  time('ends', 'endsAt'),
  time('erased from', 'eraseAt'),
  time('complete', 'endedAt'),
];

export const AGREEMENT_ROW: readonly Column[] = [...ROW, hosts, ['kept', keptText]];

/** Hosts and certificates stand below it. */
export const AGREEMENT_CARD: readonly Column[] = [
  ...ROW,
  time('can be cancelled until', 'coolingOffUntil'),
  ['waiting for', ({ hosts: all = [] }) => waitedFor(all as Item[])],
  [
    'key groups',
    ({ groups: { live, erasing, erased } }) => `${live} live, ${erasing} erasing, ${erased} erased`,
  ],
];

/** What stays past the end, and why. */
function keptText({ kept = [] }: Item): string {
  const all = kept as Item[];
  const sessions = all.reduce((sum, one) => sum + one.sessions.length, 0);
  return sessions === 0
    ? ''
    : `${sessions} sessions (${[...new Set(all.map(({ reason }) => reason))].join(', ')})`;
}

function waitedFor(hosts: readonly Item[]): string {
  return hosts
    .filter(({ state }) => state === 'pending' || state === 'failed')
    .map(({ host }) => host)
    .join(', ');
}
