/** `tilsyn hold list`, `tilsyn hold show ID`: a hold and its whole history on one screen. */
import { EXIT } from '../protocol/errors.ts';
import { argument, checkOutput, client, flag, text, zone } from './args.ts';
import { HOLD_CSV } from './csv-fields.ts';
import { HOLD_ROW } from './hold-columns.ts';
import { printHold } from './hold-place.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Item, printList } from './print.ts';
import { clean } from './text.ts';
import { showIso } from './times.ts';

export async function holdList(input: Input): Promise<number> {
  const overdue = flag(input, 'overdue');
  const state = text(input, 'holdState');
  const answer = await fetchList(input, '/v1/holds', {
    ...(overdue ? { overdue: '1' } : {}),
    ...(state === undefined ? {} : { state }),
  });
  const code = printList(input, answer, { columns: HOLD_ROW, csv: HOLD_CSV, what: 'holds', watched: false });
  return overdue && answer.items.length > 0 ? EXIT.findings : code;
}

export async function holdShow(input: Input): Promise<number> {
  checkOutput(input);
  const item = await client(input).get<Item>(`/v1/holds/${encodeURIComponent(argument(input))}`, {});
  printHold(input, item);
  if ((text(input, 'output') ?? 'table') === 'table') {
    input.io.out('history\n');
    for (const one of item.history as Item[]) input.io.out(`  ${clean(lineOf(one, zone(input)))}\n`);
  }
  return EXIT.done;
}

const QUIET = new Set(['hold', 'reach', 'person']);

function lineOf({ at, type, hostId, data, text: written }: Item, tz: string): string {
  const facts = Object.entries((data ?? {}) as Item)
    .filter(([name, value]) => !QUIET.has(name) && value !== null)
    .map(([name, value]) => `${name} ${value}`);
  const words = Object.entries((written ?? {}) as Item).map(([name, value]) => `${name}: ${value}`);
  const who = hostId !== null ? ` host ${hostId}` : data?.person === undefined ? '' : ` by ${data.person}`;
  return `${showIso(at, tz)}  ${type}${who}  ${[...facts, ...words].join(', ')}`;
}
