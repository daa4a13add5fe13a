/** `tilsyn source test FILE --type T`. Unreadable lines and findings exit 6. */
import { EXIT } from '../protocol/errors.ts';
import { toIso, type UtcMs } from '../protocol/time.ts';
import { argument, format, required, text, wholeNumber, zone } from './args.ts';
import { csvOf } from './csv.ts';
import type { Input } from './io.ts';
import { printFields } from './print.ts';
import { readTextFile } from './settings.ts';
import { jsonText, tableText } from './text.ts';
import { showTime } from './times.ts';

type Result = Awaited<ReturnType<typeof import('../agent/main.ts')['testSource']>>;
type Rows = Extract<Result, { lastRecordUnterminated: boolean }>;
type Read = Exclude<Result, Rows>;

const ROW_FIELDS = ['startedAt', 'endedAt', 'kind', 'peerId', 'peerName', 'localUser'];
const READ_FIELDS = [
  'state',
  'startedAt',
  'endedAt',
  'endReason',
  'direction',
  'kind',
  'auth',
  'failedAttempts',
];
const KNOWN_FIELDS = ['peer.id', 'peer.names', 'peer.ips.ip', 'technician', 'localUser', 'toolSessionId'];

export async function sourceTest(input: Input): Promise<number> {
  const kind = format(input, 'table', 'json', 'csv');
  const type = required(input, 'type', '--type');
  const rows = wholeNumber(input, 'rows', '--rows');
  const spec = text(input, 'spec');
  const agent = await import('../agent/main.ts');
  const options = { ...(rows === undefined ? {} : { rows }), ...(spec === undefined ? {} : { spec }) };
  const result = await agent.testSource(argument(input), type, options);
  if ('findings' in result) result.findings.push(...nobodyListed(input, type, agent));
  if ('lastRecordUnterminated' in result) printRows(input, kind, result);
  else printRead(input, kind, result);
  const findings = 'findings' in result ? result.findings.length : 0;
  return result.unreadable.total + findings > 0 ? EXIT.findings : EXIT.done;
}

type Agent = Pick<typeof import('../agent/main.ts'), 'parseConfig' | 'listsNobody'>;

/** With a configuration: how many of its sources of this type record nobody, whatever the file holds. */
function nobodyListed(input: Input, type: string, { parseConfig, listsNobody }: Agent) {
  const path = text(input, 'config');
  if (path === undefined) return [];
  const { sources } = parseConfig(readTextFile(path, 'the configuration'), path);
  const count = (sources ?? []).filter((one) => one.type === type && listsNobody(one)).length;
  return count === 0 ? [] : [{ finding: 'nobody-listed' as const, count }];
}

function printRows(input: Input, kind: string, result: Rows): void {
  const answer = rowsAsJson(result);
  if (kind === 'json') input.io.out(jsonText(answer));
  else if (kind === 'csv') {
    input.io.out(csvOf(answer.rows, ROW_FIELDS));
    input.io.err(`${result.sessions} sessions, ${result.unreadable.total} lines not understood`);
  } else showRows(input, result);
}

function printRead(input: Input, kind: string, result: Read): void {
  const answer = readAsJson(result);
  if (kind === 'json') input.io.out(jsonText(answer));
  else if (kind === 'csv') {
    input.io.out(csvOf(answer.rows, [...READ_FIELDS, ...KNOWN_FIELDS]));
    const { sessions, rejected, unreadable } = result;
    input.io.err(`${sessions} sessions, ${rejected} refusals, ${unreadable.total} lines not understood`);
  } else showRead(input, result);
}

const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));

function rowsAsJson({ firstStart, lastEnd, rows, ...rest }: Rows) {
  return {
    schema: 1,
    ...rest,
    firstStart: iso(firstStart),
    lastEnd: iso(lastEnd),
    rows: rows.map((row) => ({ ...row, startedAt: toIso(row.startedAt), endedAt: toIso(row.endedAt) })),
  };
}

/** Sessions in the shape that `session show` has, as far as a log alone can tell. */
function readAsJson({ firstStart, lastEnd, rows, attempts, ...rest }: Read) {
  return {
    schema: 1,
    ...rest,
    firstStart: iso(firstStart),
    lastEnd: iso(lastEnd),
    rows: rows.map(({ known, startedAt, endedAt, ...row }) => ({
      ...row,
      startedAt: toIso(startedAt),
      endedAt: iso(endedAt),
      durationSeconds: endedAt === null ? null : Math.max(0, Math.round((endedAt - startedAt) / 1000)),
      ...person(known),
    })),
    attempts: attempts.map(({ known, at, ...attempt }) => ({ ...attempt, at: toIso(at), ...person(known) })),
  };
}

function person(known: Read['rows'][number]['known']) {
  const { peerId = null, peerNames = [], peerIps = [], technician = null, localUser = null } = known;
  const peer = { id: peerId, names: peerNames, ips: peerIps };
  return { peer, technician, localUser, toolSessionId: known.toolSessionId ?? null };
}

function showRows(input: Input, result: Rows): void {
  const { io } = input;
  const tz = zone(input);
  const { firstStart, lastEnd } = result;
  printFields(io, [
    ['type', result.type],
    ['size', `${result.sizeBytes} bytes, ${result.encoding}, ${result.lines} lines`],
    ['sessions', result.sessions],
    ['from', firstStart === null ? null : showTime(firstStart, tz)],
    ['to', lastEnd === null ? null : showTime(lastEnd, tz)],
    ['not understood', `${result.unreadable.total} lines`],
  ]);
  showUnreadable(input, result);
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

function showRead(input: Input, result: Read): void {
  const { io } = input;
  const tz = zone(input);
  const at = (time: UtcMs | null) => (time === null ? null : showTime(time, tz));
  const { sessions, active, ended, unknownEnd, unreadable } = result;
  printFields(io, [
    ['type', result.type],
    ['size', `${result.sizeBytes} bytes, ${result.encoding}, ${result.lines} lines`],
    ['sessions', `${sessions}: ${ended} ended, ${active} open at the end, ${unknownEnd} without a known end`],
    ['refused', result.rejected],
    ['attempts without an outcome', result.unanswered],
    ['from', at(result.firstStart)],
    ['to', at(result.lastEnd)],
    ['not understood', `${unreadable.total} lines`],
  ]);
  showUnreadable(input, result);
  for (const { finding, count } of result.findings) io.out(`finding: ${finding} (${count})\n`);
  if (result.rows.length > 0) {
    const rows = result.rows.map(({ known, ...row }) => [
      at(row.startedAt),
      at(row.endedAt),
      row.state,
      row.kind,
      row.auth,
      row.failedAttempts,
      known.peerId ?? known.peerIps?.[0]?.ip ?? null,
      known.peerNames?.join(', ') ?? known.technician ?? null,
      known.localUser ?? null,
    ]);
    const headings = ['started', 'ended', 'state', 'kind', 'auth', 'failed', 'peer', 'name', 'local user'];
    io.out(`\n${tableText(headings, rows)}`);
  }
  if (result.attempts.length > 0) {
    const rows = result.attempts.map(({ known, ...one }) => [
      at(one.at),
      one.reason ?? 'no outcome',
      one.count,
      known.peerId ?? known.peerIps?.[0]?.ip ?? null,
      known.localUser ?? null,
    ]);
    io.out(`\n${tableText(['attempt', 'outcome', 'times', 'peer', 'local user'], rows)}`);
  }
}

function showUnreadable({ io }: Input, { unreadable }: Result): void {
  for (const { line, reason } of unreadable.first) io.out(`  line ${line}: ${reason}\n`);
}
