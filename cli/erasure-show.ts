/** `tilsyn erasure show ID`. */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, client } from './args.ts';
import { ERASURE_CSV } from './csv-fields.ts';
import { ERASURE_CARD } from './erasure-columns.ts';
import type { Input } from './io.ts';
import { type Item, printItem } from './print.ts';

export async function erasureShow(input: Input): Promise<number> {
  checkOutput(input);
  const item = await client(input).get<Item>(`/v1/erasures/${encodeURIComponent(argument(input))}`);
  printItem(input, item, ERASURE_CARD, ERASURE_CSV);
  return EXIT.done;
}
