/** `tilsyn agreement list`. */
import { AGREEMENT_ROW } from './agreement-columns.ts';
import { AGREEMENT_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { printList } from './print.ts';

export async function agreementList(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/agreements', {});
  return printList(input, answer, {
    columns: AGREEMENT_ROW,
    csv: AGREEMENT_CSV,
    what: 'agreements',
    watched: false,
  });
}
