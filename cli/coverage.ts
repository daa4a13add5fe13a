/** `tilsyn coverage [HOST]`: every gap is an item; a gap exits 6. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, client, range, text } from './args.ts';
import type { Input } from './io.ts';
import { type Column, field, gapCount, type ListAnswer, printList, time } from './print.ts';
import { cellText, tableText } from './text.ts';

const GAPS: readonly Column[] = [
  field('host', 'host'),
  time('from', 'from'),
  time('to', 'to'),
  field('reason', 'reason'),
];

export async function coverage(input: Input): Promise<number> {
  checkOutput(input);
  const answer = await client(input).get<ListAnswer>('/v1/coverage', {
    ...range(input),
    host: input.args[0],
    customer: text(input, 'customer'),
    site: text(input, 'site'),
  });
  if ((text(input, 'output') ?? 'table') === 'table') input.io.out(sourceTable(answer));
  printList(input, answer, { columns: GAPS, what: 'gaps' });
  return gapCount(answer) > 0 ? EXIT.findings : EXIT.done;
}

/** What is read on each host; a host without a source is a line too. */
function sourceTable({ coverage: { hosts } }: ListAnswer): string {
  const rows = hosts.flatMap(({ host, sources }) =>
    sources.length === 0
      ? [[host, 'nothing is read', '', '', '']]
      : sources.map(({ type, state, skipped, unreadable }) => [
          host,
          cellText(type),
          cellText(state),
          skipped,
          unreadable,
        ]),
  );
  return rows.length === 0
    ? ''
    : `${tableText(['host', 'source', 'state', 'skipped', 'unreadable'], rows)}\n`;
}
