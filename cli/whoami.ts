/** `tilsyn whoami`. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, client } from './args.ts';
import type { Input } from './io.ts';
import { field, type Item, printItem, time } from './print.ts';

export async function whoami(input: Input): Promise<number> {
  checkOutput(input);
  const me = await client(input).get<Item>('/v1/whoami');
  printItem(input, me, [
    field('id', 'id'),
    field('role', 'role'),
    ['customers', ({ customers }) => (customers === null ? 'all' : customers.join(', '))],
    ['reads personal data', ({ reading }) => (reading === false ? 'no' : 'as the role does')],
    field('collector', 'collector'),
    time('signed in until', 'expiresAt'),
  ]);
  return EXIT.done;
}
