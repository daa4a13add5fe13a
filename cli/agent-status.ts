/** `tilsyn agent status`: on one screen what is read, what is not and why, and how the line is. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, stateDir, zone } from './args.ts';
import type { Input } from './io.ts';
import { printData, printFields } from './print.ts';
import { type Cell, tableText } from './text.ts';
import { showIso } from './times.ts';

type Status = Awaited<ReturnType<typeof import('../agent/main.ts')['status']>>;
type Running = Extract<Status, { running: true }>;

export async function agentStatus(input: Input): Promise<number> {
  const state = stateDir(input);
  checkOutput(input);
  const { status } = await import('../agent/main.ts');
  const found = await status({ state });
  if (printData(input, found)) {
    // Programs read `running` and `enrolled`.
  } else if (found.running) showRunning(input, found);
  else {
    printFields(input.io, [
      ['agent', found.agent ?? (found.enrolled ? 'enrolled' : 'not enrolled')],
      ['runs', 'no'],
      ['collector', found.url],
    ]);
    const next = found.enrolled
      ? `tilsyn agent run --state ${state}`
      : `tilsyn agent enrol --state ${state} --token-file F`;
    input.io.err(`hint: ${next}`);
  }
  return found.running && troubles(found).length === 0 ? EXIT.done : EXIT.findings;
}

/** What stands between this machine and a complete record, in words; rows that were not understood are missing in it (H1). */
export function troubles(status: Running): string[] {
  const { collector, sources } = status;
  const line =
    collector.state === 'live'
      ? []
      : [`the collector is not connected (${collector.state})${reasonOf(collector.problem)}`];
  const none = sources.length === 0 ? ['no source is read: none was found or configured'] : [];
  const blind = sources
    .filter((source) => source.problem !== null || !READS.has(source.state))
    .map((source) => `${source.type} ${source.file ?? ''} is not read: ${source.problem ?? source.state}`);
  const puzzled = sources
    .filter((source) => source.unreadable > 0)
    .map(({ type, file, unreadable }) => `${type} ${file ?? ''}: ${unreadable} rows were not understood`);
  return [...line, ...none, ...blind, ...puzzled];
}

const READS: ReadonlySet<string> = new Set(['starting', 'reading', 'caught-up']);

function reasonOf(problem: Running['collector']['problem']): string {
  return problem === null ? '' : `: ${problem.code}`;
}

function showRunning({ io, ...rest }: Input, status: Running): void {
  const tz = zone({ io, ...rest });
  const { collector } = status;
  printFields(io, [
    ['agent', `${status.agent} on ${status.host}, ${status.mode}`],
    ['version', `${status.version}, running since ${showIso(status.startedAt, tz)}`],
    ['collector', `${collector.name} ${collector.url}`],
    ['line', `${collector.state} since ${showIso(collector.since, tz)}`],
    ['waiting to be sent', `${status.backlog} events`],
    ['read through', showIso(status.readThrough, tz) ?? 'nothing yet'],
    ['health', healthLine(status.telemetry, tz)],
    ...status.alerts.map((alert): [string, string] => ['alert', alertLine(alert, tz)]),
  ]);
  io.out('\n');
  if (status.sources.length > 0) {
    io.out(
      tableText(
        ['type', 'file', 'state', 'rows', 'unreadable', 'skipped', 'last row'],
        status.sources.map((source) => sourceRow(source, tz)),
      ),
    );
    io.out('\n');
  }
  const found = troubles(status);
  io.out(
    found.length === 0 ? 'everything found is read\n' : found.map((one) => `not well: ${one}\n`).join(''),
  );
  if (collector.problem?.hint != null && collector.state !== 'live')
    io.err(`hint: ${collector.problem.hint}`);
}

function healthLine({ last, everyMs, unsent }: Running['telemetry'], tz: string): string {
  if (everyMs === null) return 'not measured: telemetry is off';
  if (last === null) return 'not measured yet';
  const { cpuPermille, memUsedPermille, disks } = last;
  const parts = [
    `processor ${percent(cpuPermille)}`,
    `memory ${percent(memUsedPermille)}`,
    ...disks.slice(0, SHOWN_DISKS).map(({ index, usedPermille }) => `disk ${index} ${percent(usedPermille)}`),
    ...(disks.length > SHOWN_DISKS ? [`${disks.length - SHOWN_DISKS} more disks`] : []),
  ];
  return `${parts.join(', ')} at ${showIso(last.at, tz)}; ${unsent} samples on their way`;
}

/** On one line. */
const SHOWN_DISKS = 6;

function percent(permille: number | null): string {
  return permille === null ? '?' : `${(permille / 10).toFixed(1)} %`;
}

function alertLine({ check, index, level, since, clearing }: Running['alerts'][number], tz: string): string {
  const what = index === null ? check : `${check} of disk ${index}`;
  return `${level}: ${what} since ${showIso(since, tz)}${clearing ? ', clearing' : ''}`;
}

function sourceRow(source: Running['sources'][number], tz: string): Cell[] {
  const { type, file, state, rows, unreadable, skipped, lastRowAt } = source;
  return [type, file, state, rows, unreadable, skipped, showIso(lastRowAt, tz)];
}
