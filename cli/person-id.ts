/** `tilsyn person id add|list|remove`: the value comes by file, so that it stands in no list of processes. */
import { EXIT } from '../protocol/errors.ts';
import { toIso } from '../protocol/time.ts';
import { argument, checkOutput, client, flag, oneTime, required } from './args.ts';
import { IDENTITY_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Column, field, type Item, printItem, printList, time } from './print.ts';
import { readTextFile } from './settings.ts';

const CARD: readonly Column[] = [
  field('id', 'id'),
  field('person', 'person'),
  field('kind', 'kind'),
  time('from', 'from'),
  time('to', 'to'),
  field('state', 'state'),
];
const ROW: readonly Column[] = [
  field('id', 'id'),
  field('kind', 'kind'),
  field('value', 'value'),
  time('from', 'from'),
  time('to', 'to'),
  field('state', 'state'),
];

export async function personIdAdd(input: Input): Promise<number> {
  checkOutput(input);
  const [from, to] = [oneTime(input, 'from'), oneTime(input, 'to')];
  const item = await client(input).post<Item>(pathOf(input), {
    kind: required(input, 'kind', '--kind'),
    value: await typedValue(input),
    from: from === undefined ? undefined : toIso(from),
    to: to === undefined ? undefined : toIso(to),
    dryRun: flag(input, 'dryRun'),
  });
  printItem(input, item, CARD, IDENTITY_CSV);
  return EXIT.done;
}

export async function personIdList(input: Input): Promise<number> {
  const answer = await fetchList(input, pathOf(input), {});
  return printList(input, answer, { columns: ROW, csv: IDENTITY_CSV, what: 'ids', watched: false });
}

export async function personIdRemove(input: Input): Promise<number> {
  checkOutput(input);
  const path = `${pathOf(input)}/${encodeURIComponent(argument(input, 1))}/remove`;
  printItem(
    input,
    await client(input).post<Item>(path, { dryRun: flag(input, 'dryRun') }),
    CARD,
    IDENTITY_CSV,
  );
  return EXIT.done;
}

function pathOf(input: Input): string {
  return `/v1/people/${encodeURIComponent(argument(input))}/ids`;
}

async function typedValue(input: Input): Promise<string> {
  const file = required(input, 'valueFile', '--value-file');
  return (file === '-' ? await input.io.stdin() : readTextFile(file, 'the value')).trim();
}
