/** What a table says of a host. */
import { SECOND_MS } from '../protocol/time.ts';
import type { Column, Item } from './print.ts';
import { field, time } from './print.ts';

/** `+2.5s`: so far the host's clock is ahead of the collector's, as measured when it was last let in. */
export function showAhead(ms: number | null): string | null {
  if (ms === null) return null;
  return `${ms < 0 ? '-' : '+'}${(Math.abs(ms) / SECOND_MS).toFixed(1)}s`;
}

const sources: Column = [
  'reads',
  ({ sources: all }) =>
    (all as Item[]).map(({ type, state }) => (state === 'reading' ? type : `${type} (${state})`)).join(', '),
];

export const HOST_ROW: readonly Column[] = [
  field('host', 'host'),
  field('state', 'state'),
  field('customer', 'customer'),
  field('site', 'site'),
  field('mode', 'mode'),
  sources,
  time('last seen', 'lastSeenAt'),
  time('last evidence', 'readThrough'),
  field('waiting', 'backlog'),
  ['clock', ({ skewMs }) => showAhead(skewMs)],
  ['version', ({ software }) => software?.version],
  field('id', 'id'),
];

/** V70: rules for recordings that a host could not take are tried again; until then it erases by those before, or not at all. */
function rulesText(rules: Item | null | undefined): string | null {
  if (rules == null) return null;
  const { policy, version, state, since, why, tries } = rules;
  const words = {
    given: 'given, not answered yet',
    taken: 'taken',
    refused: `not taken after ${tries} tries (${why})`,
  };
  return `${policy} ${version}: ${words[state as keyof typeof words] ?? state}, ${since}`;
}

/** H4: in which order things happen when it comes back. */
function returnText(waits: Item | null | undefined): string | null {
  if (waits == null) return null;
  const { places, releases, overdue } = waits;
  const orders = [
    ...(places.length === 0 ? [] : [`puts ${places.length} hold(s) in force (${places.join(', ')})`]),
    ...(releases.length === 0 ? [] : [`lets ${releases.length} hold(s) go (${releases.join(', ')})`]),
  ].join(' and ');
  const first = orders === '' ? 'takes its orders' : orders;
  if (overdue === null || overdue.count === 0) return first;
  return `first ${first}, then erases what is due and not held: ${overdue.count} recordings are past their time, as told ${overdue.asOf}`;
}

export const HOST_CARD: readonly Column[] = [
  ...HOST_ROW,
  field('approval', 'approval'),
  field('agreement', 'agreement'),
  time('enrolled', 'enrolledAt'),
  time('first seen', 'firstSeenAt'),
  time('revoked', 'revokedAt'),
  time('conflict since', 'conflictAt'),
  field('clock ahead by ms', 'skewMs'),
  [
    'software',
    ({ software }) =>
      software === null ? null : `${software.version} on ${software.platform}, Node ${software.node}`,
  ],
  ['rules', ({ rules }) => rulesText(rules)],
  ['on its return', ({ onReturn }) => returnText(onReturn)],
  [
    'gaps',
    ({ gaps }) => (gaps as Item[]).map(({ from, to, reason }) => `${from} to ${to} ${reason}`).join('; '),
  ],
];
