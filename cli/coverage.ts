/** `tilsyn coverage [HOST]`: every gap is an item; a gap, or a row that was not understood (H1), exits 6. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, client, range, text } from './args.ts';
import { hostNames, isIncomplete, type ListAnswer } from './coverage-lines.ts';
import { GAP_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { type Column, field, printList, time } from './print.ts';
import { cellText, tableText } from './text.ts';

const gapColumns = (names: ReadonlyMap<string, string>): readonly Column[] => [
  ['host', ({ host, hostId }) => names.get(hostId) ?? host],
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
  const names = hostNames(answer);
  if ((text(input, 'output') ?? 'table') === 'table') input.io.out(sourceTable(answer, names));
  printList(input, answer, { columns: gapColumns(names), csv: GAP_CSV, what: 'gaps' });
  return isIncomplete(answer) ? EXIT.findings : EXIT.done;
}

/** What is read on each host; a host without a source is a line too. */
function sourceTable({ coverage: { hosts } }: ListAnswer, names: ReadonlyMap<string, string>): string {
  const rows = hosts.flatMap(({ host: name, hostId, sources }) => {
    const host = names.get(hostId) ?? name;
    return sources.length === 0
      ? [[host, 'nothing is read', '', '', '']]
      : sources.map(({ type, state, skipped, unreadable }) => [
          host,
          cellText(type),
          cellText(state),
          skipped,
          unreadable,
        ]);
  });
  return rows.length === 0
    ? ''
    : `${tableText(['host', 'source', 'state', 'skipped', 'unreadable'], rows)}\n`;
}
