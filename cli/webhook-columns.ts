/** What a table says of a webhook. */
import type { Column } from './print.ts';
import { field, time } from './print.ts';

export const WEBHOOK_ROW: readonly Column[] = [
  field('id', 'id'),
  field('url', 'url'),
  ['customer', ({ customer }) => (customer === null ? 'all' : String(customer))],
  field('state', 'state'),
  time('failing since', 'failingSince'),
  [
    'last answer',
    ({ lastStatus, lastReason }) => (lastStatus ?? lastReason ?? null) as string | number | null,
  ],
  field('delivered', 'delivered'),
  field('waiting', 'waiting'),
];
