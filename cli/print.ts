/** Answers for people (tables), programs (JSON) and spreadsheets (CSV). */
import { EXIT } from '../protocol/errors.ts';
import { format, zone } from './args.ts';
import type { Input, Io } from './io.ts';
import { type Cell, cellText, clean, csvText, jsonText, tableText } from './text.ts';
import { showIso } from './times.ts';

// biome-ignore lint/suspicious/noExplicitAny: rows of the API, shown as they come
export type Item = Record<string, any>;

export interface Gap {
  from: string;
  to: string;
  reason: string;
}
export interface Watched {
  host: string;
  hostId: string;
  from: string;
  to: string;
  gaps: Gap[];
  sources: Item[];
}
export interface ListAnswer {
  schema: 1;
  items: Item[];
  coverage: { from: string | null; to: string; hosts: Watched[] };
  next: string | null;
}

/** Heading and what to show under it; times are shown in `tz`. */
export type Column = readonly [heading: string, cell: (item: Item, tz: string) => Cell];

/** A column of a field; `time` ones are shown in the zone. */
export const field = (heading: string, name: string): Column => [heading, (item) => asCell(item[name])];
export const time = (heading: string, name: string): Column => [
  heading,
  (item, tz) => showIso(item[name], tz),
];

function asCell(value: unknown): Cell {
  if (Array.isArray(value)) return value.map(String).join(', ');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Cell);
}

interface ListShape {
  columns: readonly Column[];
  /** What there is none of, where the list is empty: `sessions`. */
  what: string;
  /** False: a list of the collector's own registry, for which no host is watched. */
  watched?: boolean;
}

/** Prints a list with its coverage; the exit code: an empty list with a gap is 6. */
export function printList(input: Input, answer: ListAnswer, shape: ListShape): number {
  const { io } = input;
  const kind = format(input, 'table', 'json', 'csv');
  const tz = zone(input);
  const rows = () => answer.items.map((item) => shape.columns.map(([, cell]) => cell(item, tz)));
  const headings = shape.columns.map(([heading]) => heading);
  const closing = shape.watched === false ? [] : coverageLines(answer, tz);
  if (kind === 'json') io.out(jsonText(answer));
  else if (kind === 'csv') {
    io.out(
      csvText(
        headings.map((h) => h.toLowerCase().replaceAll(' ', '_')),
        rows(),
      ),
    );
    for (const line of closing) io.err(line);
  } else {
    io.out(answer.items.length === 0 ? `no ${shape.what}\n` : tableText(headings, rows()));
    io.out(closing.map((line) => `${line}\n`).join(''));
  }
  if (kind === 'json' && shape.watched !== false && answer.coverage.hosts.length === 0) io.err(NOBODY);
  if (answer.next !== null) io.err(`more: --after ${answer.next}`);
  return answer.items.length === 0 && gapCount(answer) > 0 ? EXIT.findings : EXIT.done;
}

export function gapCount(answer: ListAnswer): number {
  return answer.coverage.hosts.reduce((sum, host) => sum + host.gaps.length, 0);
}

const NOBODY = 'no host was watched';
/** Gaps that are told one by one; the rest is a number. */
const SHOWN_GAPS = 20;

const WHY: Readonly<Record<string, string>> = {
  'never-connected': 'the agent was enrolled and has not connected yet',
  waiting: 'the host waits for `tilsyn host approve`',
  revoked: 'the host was revoked',
  'no-contact': 'nothing was heard from the agent',
  'not-read-yet': 'the agent has not read its sources yet',
  'no-source': 'nothing is read on this host: no source was found or configured',
  'source-lost': 'a source is no longer there',
  'source-unreadable': 'a source cannot be read',
};

/** Each gap with its reason in words, then the coverage line. */
export function coverageLines({ coverage }: ListAnswer, tz: string): string[] {
  if (coverage.hosts.length === 0) return [NOBODY];
  const gaps = coverage.hosts.flatMap((host) => host.gaps.map((gap) => ({ host: host.host, ...gap })));
  const lines = gaps.slice(0, SHOWN_GAPS).map((gap) => {
    const why = WHY[gap.reason] ?? 'evidence was lost';
    return `gap: ${clean(gap.host)}  ${showIso(gap.from, tz)} to ${showIso(gap.to, tz)}  ${clean(gap.reason)}: ${why}`;
  });
  if (gaps.length > SHOWN_GAPS) lines.push(`gap: and ${gaps.length - SHOWN_GAPS} more`);
  const hosts = coverage.hosts.length === 1 ? '1 host' : `${coverage.hosts.length} hosts`;
  const count = gaps.length === 0 ? 'no gap' : gaps.length === 1 ? '1 gap' : `${gaps.length} gaps`;
  // From when the first of them was watched: the time asked for may lie long before any enrolment.
  const from = coverage.hosts.map((host) => host.from).sort()[0] ?? coverage.from;
  return [
    ...lines,
    `coverage: ${hosts}, ${showIso(from, tz) ?? '-'} to ${showIso(coverage.to, tz)}, ${count}`,
  ];
}

/** One thing: `name  value` lines, or the JSON as it came. */
export function printItem(input: Input, item: Item, columns: readonly Column[]): void {
  const { io } = input;
  if (format(input, 'table', 'json', 'csv') === 'json') {
    io.out(jsonText(item));
    return;
  }
  const tz = zone(input);
  if (format(input, 'table', 'csv') === 'csv') {
    io.out(
      csvText(
        columns.map(([h]) => h.replaceAll(' ', '_')),
        [columns.map(([, cell]) => cell(item, tz))],
      ),
    );
    return;
  }
  printFields(
    io,
    columns.map(([heading, cell]) => [heading, cell(item, tz)]),
  );
}

export function printFields(io: Io, fields: readonly (readonly [string, Cell])[]): void {
  const width = Math.max(...fields.map(([name]) => name.length));
  for (const [name, cell] of fields) io.out(`${name.padEnd(width)}  ${cellText(cell) || '-'}\n`);
}
