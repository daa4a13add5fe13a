/** `tilsyn telemetry show H`. */
import { SECOND_MS, utcMs } from '../protocol/time.ts';
import { argument, format, range, text } from './args.ts';
import { type ChartLine, chartText, columnsLeft, type Dot } from './chart.ts';
import { TELEMETRY_CSV } from './csv-fields.ts';
import type { Input, Io } from './io.ts';
import { fetchList } from './lists.ts';
import { type Item, type ListAnswer, printList } from './print.ts';
import { clean } from './text.ts';
import { showSeconds, showTime } from './times.ts';

/** Points of a chart: an hour each, more than a year. */
const CHART_ROWS = 10_000;
const DEFAULT_WIDTH = 80;
/** A sample stands for so long: they come every minute, and a little later than that. */
const SAMPLE_MS = 90 * SECOND_MS;
/** Characters of a disk's name. */
const MAX_LABEL = 24;
const FULL = 1000;

export async function telemetryShow(input: Input): Promise<number> {
  const path = `/v1/hosts/${encodeURIComponent(argument(input))}/telemetry`;
  const chart = format(input, 'table', 'json', 'csv') === 'table' && text(input, 'limit') === undefined;
  const asked = chart ? { ...input, options: { ...input.options, limit: String(CHART_ROWS) } } : input;
  const answer = await fetchList(asked, path, range(input));
  return printList(input, answer, {
    columns: [],
    csv: TELEMETRY_CSV,
    what: 'samples',
    body: (all, tz) => chartOf(input.io, all, tz),
  });
}

function chartOf(io: Io, answer: ListAnswer, tz: string): string {
  const { items, coverage } = answer;
  const watched = coverage.hosts[0];
  const [first, last] = [items[0], items.at(-1)];
  const from = Date.parse(answer.next === null ? (watched?.from ?? first?.at) : first?.at);
  const to = Math.max(
    answer.next === null ? Date.parse(watched?.to ?? last?.at) : 0,
    last === undefined ? 0 : Date.parse(last.at) + lengthOf(last),
  );
  const chart = {
    from,
    to,
    most: FULL,
    width: widthOf(io),
    blocks: isUtf8(io),
    show: percent,
    lines: linesOf(items),
  };
  const column = showSeconds(Math.max(1, Math.round((to - from) / columnsLeft(chart) / SECOND_MS)));
  const head = `${clean(watched?.host ?? '')}  ${showTime(utcMs(from), tz)} to ${showTime(utcMs(to), tz)}, a column is ${column}`;
  const memory = `memory of ${size(last?.memTotalMb)}, up for ${showSeconds(last?.uptimeSeconds)}`;
  return `${head}\n${chartText(chart)}${memory}\n`;
}

/** What an item stands for, milliseconds. */
const lengthOf = ({ spanSeconds }: Item): number => Math.max(spanSeconds * SECOND_MS, SAMPLE_MS);

const percent = (permille: number) => `${Math.round(permille / 10)}%`;

function linesOf(items: readonly Item[]): ChartLine[] {
  const of = (name: string, prefix: string): Dot[] =>
    items.map((item) => ({
      at: Date.parse(item.at),
      ms: lengthOf(item),
      value: item[name],
      min: item[`${prefix}MinPermille`],
      max: item[`${prefix}MaxPermille`],
    }));
  return [
    { label: 'cpu', dots: of('cpuPermille', 'cpu') },
    { label: 'memory', dots: of('memUsedPermille', 'mem') },
    ...disksOf(items),
  ];
}

/** One line per disk that any item has, by index. */
function disksOf(items: readonly Item[]): ChartLine[] {
  const dots = new Map<number, { dots: Dot[]; last: Item }>();
  for (const item of items) {
    for (const disk of item.disks as Item[]) {
      const line = dots.get(disk.index) ?? { dots: [], last: disk };
      line.dots.push({
        at: Date.parse(item.at),
        ms: lengthOf(item),
        value: disk.usedPermille,
        min: disk.usedMinPermille,
        max: disk.usedMaxPermille,
      });
      line.last = disk;
      dots.set(disk.index, line);
    }
  }
  return [...dots]
    .sort(([a], [b]) => a - b)
    .map(([index, { dots: its, last }]) => ({
      label: labelOf(index, last),
      dots: its,
      note: `free ${size(last.freeMb)} of ${size(last.totalMb)}`,
    }));
}

function labelOf(index: number, { name, label }: Item): string {
  const said = [name, label].filter((one) => one !== null).join(' ');
  return [...clean(said === '' ? `disk ${index}` : said)].slice(0, MAX_LABEL).join('');
}

/** `8.0 GiB`. */
function size(mb: number): string {
  if (mb >= 1024 * 1024) return `${(mb / 1024 / 1024).toFixed(1)} TiB`;
  return mb >= 1024 ? `${(mb / 1024).toFixed(1)} GiB` : `${mb} MiB`;
}

function widthOf({ columns, env }: Io): number {
  const said = Number(env.COLUMNS);
  return columns ?? (Number.isInteger(said) && said > 0 ? said : DEFAULT_WIDTH);
}

/** By the locale, as other programs tell; terminals of Windows and macOS are. */
function isUtf8({ env, platform }: Io): boolean {
  if (platform !== 'linux') return true;
  return /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '');
}
