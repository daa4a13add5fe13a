/** `tilsyn erasure list`. */
import { text } from './args.ts';
import { ERASURE_CSV } from './csv-fields.ts';
import { ERASURE_ROW } from './erasure-columns.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { printList } from './print.ts';

export async function erasureList(input: Input): Promise<number> {
  const query = { customer: text(input, 'customer'), agreement: text(input, 'agreement') };
  const answer = await fetchList(input, '/v1/erasures', query);
  return printList(input, answer, { columns: ERASURE_ROW, csv: ERASURE_CSV, what: 'erasures' });
}
