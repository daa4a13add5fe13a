/** What a table says of a host. */
import type { Column, Item } from './print.ts';
import { field, time } from './print.ts';

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
  time('read through', 'readThrough'),
  field('id', 'id'),
];

export const HOST_CARD: readonly Column[] = [
  ...HOST_ROW,
  field('approval', 'approval'),
  field('agreement', 'agreement'),
  time('enrolled', 'enrolledAt'),
  time('first seen', 'firstSeenAt'),
  time('revoked', 'revokedAt'),
  time('conflict since', 'conflictAt'),
  field('events waiting there', 'backlog'),
  field('clock ahead by ms', 'skewMs'),
  [
    'software',
    ({ software }) =>
      software === null ? null : `${software.version} on ${software.platform}, Node ${software.node}`,
  ],
  [
    'gaps',
    ({ gaps }) => (gaps as Item[]).map(({ from, to, reason }) => `${from} to ${to} ${reason}`).join('; '),
  ],
];
