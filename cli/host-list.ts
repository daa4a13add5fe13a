/** `tilsyn host list`. */
import { text } from './args.ts';
import { HOST_CSV } from './csv-fields.ts';
import { HOST_ROW } from './host-columns.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { printList } from './print.ts';

export async function hostList(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/hosts', {
    customer: text(input, 'customer'),
    site: text(input, 'site'),
    state: text(input, 'state'),
  });
  return printList(input, answer, { columns: HOST_ROW, csv: HOST_CSV, what: 'hosts' });
}
