/** `tilsyn host show H`. */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, client } from './args.ts';
import { HOST_CSV } from './csv-fields.ts';
import { HOST_CARD } from './host-columns.ts';
import type { Input } from './io.ts';
import { type Item, printItem } from './print.ts';

export async function hostShow(input: Input): Promise<number> {
  checkOutput(input);
  const item = await client(input).get<Item>(`/v1/hosts/${encodeURIComponent(argument(input))}`);
  printItem(input, item, HOST_CARD, HOST_CSV);
  return EXIT.done;
}
