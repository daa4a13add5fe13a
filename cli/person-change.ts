/** `tilsyn person change ID`. */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, client, flag, text } from './args.ts';
import type { Input } from './io.ts';
import { field, type Item, printItem } from './print.ts';

const COLUMNS = [
  field('id', 'id'),
  field('role', 'role'),
  field('state', 'state'),
  field('reads personal data', 'reading'),
  field('nda signed', 'nda'),
];

export async function personChange(input: Input): Promise<number> {
  checkOutput(input);
  const path = `/v1/people/${encodeURIComponent(argument(input))}/change`;
  const { reading } = input.options;
  const item = await client(input).post<Item>(path, {
    nda: text(input, 'nda'),
    reading: typeof reading === 'boolean' ? reading : undefined,
    dryRun: flag(input, 'dryRun'),
  });
  printItem(input, item, COLUMNS);
  return EXIT.done;
}
