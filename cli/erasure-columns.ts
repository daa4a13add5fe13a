/** What is shown of an erasure. */
import { type Column, field, type Item, time } from './print.ts';
import { showIso } from './times.ts';

const rule: Column = [
  'rule',
  ({ by, policy, version }) => (policy === null ? by : `${by} (${policy} v${version})`),
];

/** Until when a copy of the keys may exist elsewhere (S6): what nobody has said is said. */
const horizon: Column = ['backups until', ({ backupHorizon }, tz) => horizonText(backupHorizon, tz)];

function horizonText({ until, known, copies, images }: Item, tz: string): string {
  const open = known ? '' : images === 'not-declared' ? 'not declared' : 'a copy without an end';
  if (until === null) return open === '' ? 'none' : open;
  const held = copies > 0 ? ` (${copies} on record)` : '';
  return `${showIso(until, tz)}${held}${open === '' ? '' : `; ${open}`}`;
}

export const ERASURE_ROW: readonly Column[] = [
  field('id', 'id'),
  field('class', 'class'),
  field('customer', 'customer'),
  field('agreement', 'agreement'),
  time('from', 'from'),
  time('to', 'to'),
  field('state', 'state'),
  rule,
  time('due', 'dueAt'),
  time('done', 'doneAt'),
  field('late (s)', 'lateSeconds'),
  field('parts', 'parts'),
  horizon,
];

const hosts: Column = [
  'hosts',
  (item, tz) => {
    const all = (item.hosts ?? []) as Item[];
    if (all.length === 0) return 'none';
    return all
      .map(({ host, state, confirmedAt, lastSeenAt }) =>
        state === 'confirmed'
          ? `${host}: confirmed ${showIso(confirmedAt, tz)}`
          : `${host}: ${state}, last seen ${lastSeenAt === null ? 'never' : showIso(lastSeenAt, tz)}`,
      )
      .join('; ');
  },
];

export const ERASURE_CARD: readonly Column[] = [
  ...ERASURE_ROW,
  time('begun', 'begunAt'),
  field('method', 'method'),
  field('verified', 'verified'),
  field('list root', 'listRoot'),
  hosts,
];
