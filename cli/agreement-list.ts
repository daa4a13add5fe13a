/** `tilsyn agreement list`. */
import { AGREEMENT_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Column, field, printList, time } from './print.ts';

const COLUMNS: readonly Column[] = [
  field('id', 'id'),
  field('customer', 'customer'),
  field('mode', 'mode'),
  field('state', 'state'),
  ['default', ({ isDefault }) => (isDefault ? 'yes' : 'no')],
  time('starts', 'startsAt'),
  time('ends', 'endsAt'),
];

export async function agreementList(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/agreements', {});
  return printList(input, answer, {
    columns: COLUMNS,
    csv: AGREEMENT_CSV,
    what: 'agreements',
    watched: false,
  });
}
