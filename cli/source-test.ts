/** `tilsyn source test FILE --type T`. Unreadable lines exit 6. */
import { EXIT } from '../protocol/errors.ts';
import { toIso } from '../protocol/time.ts';
import { argument, format, required, wholeNumber, zone } from './args.ts';
import { csvOf } from './csv.ts';
import type { Input } from './io.ts';
import { printFields } from './print.ts';
import { jsonText, tableText } from './text.ts';
import { showTime } from './times.ts';

type Result = Awaited<ReturnType<typeof import('../agent/main.ts')['testSource']>>;

const FIELDS = ['startedAt', 'endedAt', 'kind', 'peerId', 'peerName', 'localUser'];

export async function sourceTest(input: Input): Promise<number> {
  const kind = format(input, 'table', 'json', 'csv');
  const type = required(input, 'type', '--type');
  const rows = wholeNumber(input, 'rows', '--rows');
  const { testSource } = await import('../agent/main.ts');
  const result = await testSource(argument(input), type, rows === undefined ? {} : { rows });
  const answer = asJson(result);
  if (kind === 'json') input.io.out(jsonText(answer));
  else if (kind === 'csv') {
    input.io.out(csvOf(answer.rows, FIELDS));
    input.io.err(`${result.sessions} sessions, ${result.unreadable.total} lines not understood`);
  } else show(input, result);
  return result.unreadable.total > 0 ? EXIT.findings : EXIT.done;
}

function asJson({ firstStart, lastEnd, rows, ...rest }: Result) {
  return {
    schema: 1,
    ...rest,
    firstStart: firstStart === null ? null : toIso(firstStart),
    lastEnd: lastEnd === null ? null : toIso(lastEnd),
    rows: rows.map((row) => ({ ...row, startedAt: toIso(row.startedAt), endedAt: toIso(row.endedAt) })),
  };
}

function show(input: Input, result: Result): void {
  const { io } = input;
  const tz = zone(input);
  const { firstStart, lastEnd, unreadable } = result;
  printFields(io, [
    ['type', result.type],
    ['size', `${result.sizeBytes} bytes, ${result.encoding}, ${result.lines} lines`],
    ['sessions', result.sessions],
    ['from', firstStart === null ? null : showTime(firstStart, tz)],
    ['to', lastEnd === null ? null : showTime(lastEnd, tz)],
    ['not understood', `${unreadable.total} lines`],
  ]);
  for (const { line, reason } of unreadable.first) io.out(`  line ${line}: ${reason}\n`);
  if (result.rows.length > 0) {
    const rows = result.rows.map((row) => [
      showTime(row.startedAt, tz),
      showTime(row.endedAt, tz),
      row.kind,
      row.peerId,
      row.peerName,
      row.localUser,
    ]);
    io.out(`\n${tableText(['started', 'ended', 'kind', 'peer', 'name', 'local user'], rows)}`);
  }
  if (result.lastRecordUnterminated)
    io.out('the last row has no newline, as TeamViewer leaves it; it is read all the same\n');
}
