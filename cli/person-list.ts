/** `tilsyn person list`. */
import { PERSON_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Column, field, type Item, printList, time } from './print.ts';
import { showIso } from './times.ts';

const newest = (item: Item, name: string): string | null =>
  (item.signins as Item[])
    .map((signin) => signin[name] as string | null)
    .reduce((a, b) => ((a ?? '') > (b ?? '') ? a : b), null);

const COLUMNS: readonly Column[] = [
  field('id', 'id'),
  field('role', 'role'),
  field('name', 'name'),
  field('state', 'state'),
  ['reads', ({ reading }) => (reading === false ? 'no' : 'yes')],
  ['customers', ({ customers }) => (customers === null ? 'all' : customers.length)],
  field('nda', 'nda'),
  ['sign-in ends', (item, tz) => showIso(newest(item, 'expiresAt'), tz)],
  ['last used', (item, tz) => showIso(newest(item, 'lastUsedAt'), tz)],
  time('added', 'createdAt'),
];

export async function personList(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/people', {});
  return printList(input, answer, { columns: COLUMNS, csv: PERSON_CSV, what: 'people', watched: false });
}
