/** One act on one thing: shown first, confirmed where it takes something away, then done. */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, client, flag, text } from './args.ts';
import { confirm, requireConsent } from './confirm.ts';
import type { Input } from './io.ts';
import { type Column, type Item, printItem } from './print.ts';

interface Act {
  /** Path of the act on the thing that the first argument names. */
  path(thing: string): string;
  columns: readonly Column[];
  /** What a person is asked; absent: nothing is asked. */
  ask?(item: Item): string;
  /** More of the body than a reason. */
  more?: Record<string, unknown>;
}

export async function act(input: Input, { path, columns, ask, more = {} }: Act): Promise<number> {
  const where = path(encodeURIComponent(argument(input)));
  checkOutput(input);
  if (ask !== undefined) requireConsent(input);
  const collector = client(input);
  const dryRun = flag(input, 'dryRun');
  const reason = text(input, 'reason');
  const body = { ...more, ...(reason === undefined ? {} : { reason }) };
  if (dryRun || (ask !== undefined && !flag(input, 'yes'))) {
    const planned = await collector.post<Item>(where, { ...body, dryRun: true });
    if (dryRun) {
      printItem(input, planned, columns);
      return EXIT.done;
    }
    if (ask !== undefined) await confirm(input, ask(planned));
  }
  const done = await collector.post<Item>(where, { ...body, dryRun: false });
  printItem(input, done, columns);
  return EXIT.done;
}
