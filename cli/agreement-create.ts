/** `tilsyn agreement create`. */
import { EXIT } from '../protocol/errors.ts';
import { toIso } from '../protocol/time.ts';
import { checkOutput, client, flag, required, text, zone } from './args.ts';
import type { Input } from './io.ts';
import { field, type Item, printItem, time } from './print.ts';
import { readTime } from './times.ts';

export async function agreementCreate(input: Input): Promise<number> {
  const { io } = input;
  checkOutput(input);
  const typed = text(input, 'starts');
  const starts =
    typed === undefined ? null : readTime(typed, '--starts', { now: io.clock.now(), zone: zone(input) });
  if (starts?.echo != null) input.note(starts.echo);
  const customer = required(input, 'customer', '--customer');
  const item = await client(input).post<Item>('/v1/agreements', {
    customer,
    mode: text(input, 'mode'),
    ...(starts === null ? {} : { startsAt: toIso(starts.at) }),
    dryRun: flag(input, 'dryRun'),
  });
  // A dry run makes no customer that could be named: it is the one that was typed.
  printItem(input, { customer, ...item }, [
    field('id', 'id'),
    field('customer', 'customer'),
    field('mode', 'mode'),
    time('starts', 'startsAt'),
  ]);
  return EXIT.done;
}
