/** `tilsyn session show ID`. */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, client } from './args.ts';
import { SESSION_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { type Item, printItem } from './print.ts';
import { SESSION_CARD } from './session-columns.ts';

export async function sessionShow(input: Input): Promise<number> {
  checkOutput(input);
  const item = await client(input).get<Item>(`/v1/sessions/${encodeURIComponent(argument(input))}`);
  printItem(input, item, SESSION_CARD, SESSION_CSV);
  return EXIT.done;
}
