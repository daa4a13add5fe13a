/** `tilsyn agreement show A`. */
import { EXIT } from '../protocol/errors.ts';
import { AGREEMENT_CARD } from './agreement-columns.ts';
import { untilEnded } from './agreement-wait.ts';
import { argument, checkOutput, client, flag, zone } from './args.ts';
import { AGREEMENT_SHOW_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { field, type Item, printItem, time } from './print.ts';
import { tableText } from './text.ts';

const HOSTS = [
  field('host', 'host'),
  field('state', 'state'),
  time('last seen', 'lastSeenAt'),
  time('took the order', 'takenAt'),
  time('holds nothing', 'clearedAt'),
  time('measured erased', 'erasedAt'),
];
const ERASURES = [
  field('certificate', 'id'),
  field('class', 'class'),
  field('kind', 'kind'),
  time('from', 'from'),
  time('to', 'to'),
  field('state', 'state'),
  field('rule', 'by'),
  field('parts', 'parts'),
  time('done', 'doneAt'),
];

export async function agreementShow(input: Input): Promise<number> {
  checkOutput(input);
  const id = argument(input);
  const outcome = flag(input, 'wait') ? await untilEnded(input, id) : null;
  const item = await client(input).get<Item>(`/v1/agreements/${encodeURIComponent(id)}`);
  printItem(input, item, AGREEMENT_CARD, AGREEMENT_SHOW_CSV);
  if (!/^(json|csv)$/.test(String(input.options.output ?? ''))) printBelow(input, item);
  if (outcome !== null) throw outcome;
  return EXIT.done;
}

function printBelow(input: Input, item: Item): void {
  const tz = zone(input);
  for (const [columns, rows] of [
    [HOSTS, item.hosts],
    [ERASURES, item.erasures],
  ] as const) {
    if (!Array.isArray(rows) || rows.length === 0) continue;
    const cells = rows.map((row: Item) => columns.map(([, cell]) => cell(row, tz)));
    input.io.out(
      `\n${tableText(
        columns.map(([heading]) => heading),
        cells,
      )}`,
    );
  }
  if (item.moreErasures > 0) {
    input.io.out(`\nand ${item.moreErasures} more: tilsyn erasure list --agreement ${item.id}\n`);
  }
}
