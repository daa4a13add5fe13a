/** `tilsyn token list`. */
import { TOKEN_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Column, field, printList, time } from './print.ts';

const COLUMNS: readonly Column[] = [
  field('id', 'id'),
  field('state', 'state'),
  field('customer', 'customer'),
  field('site', 'site'),
  field('mode', 'mode'),
  ['used', (item) => `${item.used} of ${item.uses}`],
  field('cidr', 'cidr'),
  time('expires', 'expiresAt'),
];

export async function tokenList(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/tokens', {});
  return printList(input, answer, { columns: COLUMNS, csv: TOKEN_CSV, what: 'tokens', watched: false });
}
