/** Answers for people (tables), programs (JSON) and spreadsheets (CSV). */
import { EXIT } from '../protocol/errors.ts';
import { format, zone } from './args.ts';
import { coverageLines, type Item, isIncomplete, type ListAnswer, NOBODY } from './coverage-lines.ts';
import { csvOf } from './csv.ts';
import type { Input, Io } from './io.ts';
import { type Cell, cellText, jsonText, tableText } from './text.ts';
import { showIso } from './times.ts';

export type { Item, ListAnswer };

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
  /** Names of the CSV columns, also where nothing is listed (H4). */
  csv: readonly string[];
  /** What there is none of, where the list is empty: `sessions`. */
  what: string;
  /** False: a list of the collector's own registry, for which no host is watched. */
  watched?: boolean;
  /** Stands in the place of the table, where there is any item. */
  body?: (answer: ListAnswer, tz: string) => string;
}

/** Prints a list with its coverage; the exit code: an empty list that may not be all is 6 (H1). */
export function printList(input: Input, answer: ListAnswer, shape: ListShape): number {
  const { io } = input;
  const kind = format(input, 'table', 'json', 'csv');
  const tz = zone(input);
  const rows = () => answer.items.map((item) => shape.columns.map(([, cell]) => cell(item, tz)));
  const headings = shape.columns.map(([heading]) => heading);
  const closing = shape.watched === false ? [] : coverageLines(answer, tz);
  if (kind === 'json') io.out(jsonText(answer));
  else if (kind === 'csv') {
    io.out(csvOf(answer.items, shape.csv));
    for (const line of closing) io.err(line);
  } else {
    const body = () => shape.body?.(answer, tz) ?? tableText(headings, rows());
    io.out(answer.items.length === 0 ? `no ${shape.what}\n` : body());
    io.out(closing.map((line) => `${line}\n`).join(''));
  }
  if (kind === 'json' && shape.watched !== false && answer.coverage.hosts.length === 0) io.err(NOBODY);
  if (answer.next !== null) io.err(`more: --after ${answer.next}`);
  return answer.items.length === 0 && isIncomplete(answer) ? EXIT.findings : EXIT.done;
}

/** The whole answer for a program: one JSON document, or one CSV row of all its fields (H4). False: a table is wanted. */
export function printData(input: Input, item: Item, csv: readonly string[] = []): boolean {
  const kind = format(input, 'table', 'json', 'csv');
  if (kind === 'json') input.io.out(jsonText(item));
  if (kind === 'csv') input.io.out(csvOf([item], csv));
  return kind !== 'table';
}

/** One thing: `name  value` lines, or what programs get. */
export function printItem(
  input: Input,
  item: Item,
  columns: readonly Column[],
  csv: readonly string[] = [],
): void {
  const { io } = input;
  if (printData(input, item, csv)) return;
  const tz = zone(input);
  printFields(
    io,
    columns.map(([heading, cell]) => [heading, cell(item, tz)]),
  );
}

export function printFields(io: Io, fields: readonly (readonly [string, Cell])[]): void {
  const width = Math.max(...fields.map(([name]) => name.length));
  for (const [name, cell] of fields) io.out(`${name.padEnd(width)}  ${cellText(cell) || '-'}\n`);
}
