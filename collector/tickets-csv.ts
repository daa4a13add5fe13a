/**
 * A file of tickets: comma, semicolon, tab or bar between the fields, quotes as in RFC 4180, a line of headings. Pure.
 *
 * W15 All that is wrong with a file is said at once, by line and column, without a value; a file with anything wrong
 *     is not taken at all.
 */
import { DAY_MS, MINUTE_MS, type UtcMs, utcMs } from '../protocol/time.ts';
import { wallOf, zoneOffsetMs } from '../protocol/zone.ts';

export const MAX_TICKET_ROWS = 5_000;
const COLUMNS = ['ticket', 'host', 'technician', 'from', 'to', 'purpose'] as const;
type Column = (typeof COLUMNS)[number];
const NEEDED: readonly Column[] = ['ticket', 'host', 'technician', 'from', 'to'];
const DELIMITERS = [',', ';', '\t', '|'] as const;
const LONGEST: Readonly<Partial<Record<Column, number>>> = {
  ticket: 128,
  host: 256,
  technician: 256,
  purpose: 512,
};
/** A window is no longer than this: otherwise a year's pass would be a ticket for everything. */
const MAX_WINDOW_MS = 31 * DAY_MS;

export interface TicketLine {
  line: number;
  ticket: string;
  host: string;
  technician: string;
  from: UtcMs;
  to: UtcMs;
  purpose: string | null;
}
export interface Problem {
  line: number;
  column: Column | null;
  what: string;
}

interface Row {
  line: number;
  cells: string[];
}

/** `zone`: of times without an offset. */
export function readTicketFile(text: string, zone: string): { lines: TicketLine[]; problems: Problem[] } {
  const clean = text.replace(/^\uFEFF/, '');
  const delimiter = sniff(clean);
  const parsed = split(clean, delimiter);
  if (parsed === null)
    return { lines: [], problems: [{ line: 1, column: null, what: 'a quote is never closed' }] };
  const [head, ...rows] = parsed.filter(({ cells }) => cells.some((cell) => cell.trim() !== ''));
  const at = placesOf(head?.cells ?? []);
  const missing = NEEDED.filter((column) => !at.has(column));
  if (missing.length > 0) {
    const what = 'there is no such column; the first line must name it';
    return { lines: [], problems: missing.map((column) => ({ line: head?.line ?? 1, column, what })) };
  }
  if (rows.length > MAX_TICKET_ROWS) {
    const what = `there are more than ${MAX_TICKET_ROWS} tickets; split the file`;
    return { lines: [], problems: [{ line: rows[MAX_TICKET_ROWS]?.line ?? 1, column: null, what }] };
  }
  const problems: Problem[] = [];
  const lines = rows.flatMap((row) => readRow(row, at, zone, problems));
  return { lines, problems };
}

/** The delimiter that finds the most headings that we know. */
function sniff(text: string): string {
  const head = text.split(/\r?\n/, 1)[0] ?? '';
  const known = (delimiter: string) => placesOf(split(head, delimiter)?.[0]?.cells ?? []).size;
  return [...DELIMITERS].sort((a, b) => known(b) - known(a))[0] ?? ',';
}

function placesOf(headings: readonly string[]): Map<Column, number> {
  const found = headings.map((text) => text.trim().toLowerCase());
  return new Map(
    COLUMNS.flatMap((column) => {
      const i = found.indexOf(column);
      return i < 0 ? [] : [[column, i] as const];
    }),
  );
}

/** Null: a quote is never closed. Once through the text, whatever is in it. */
function split(text: string, delimiter: string): Row[] | null {
  const rows: Row[] = [];
  let row: Row = { line: 1, cells: [] };
  let [cell, quoted, line] = ['', false, 1];
  const endRow = () => {
    row.cells.push(cell);
    rows.push(row);
    cell = '';
    row = { line, cells: [] };
  };
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i] ?? '';
    if (c === '\n') line += 1;
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else quoted = false;
    } else if (c === '"' && cell.trim() === '') [cell, quoted] = ['', true];
    else if (c === delimiter) {
      row.cells.push(cell);
      cell = '';
    } else if (c === '\n') endRow();
    else if (c !== '\r') cell += c;
  }
  if (cell !== '' || row.cells.length > 0) endRow();
  return quoted ? null : rows;
}

function readRow(
  { line, cells }: Row,
  at: ReadonlyMap<Column, number>,
  zone: string,
  problems: Problem[],
): TicketLine[] {
  const before = problems.length;
  const cell = (column: Column) => (cells[at.get(column) ?? -1] ?? '').trim().toWellFormed();
  const wrong = (column: Column, what: string) => void problems.push({ line, column, what });
  for (const column of COLUMNS) {
    if (NEEDED.includes(column) && cell(column) === '') wrong(column, 'it is empty');
    if (cell(column).length > (LONGEST[column] ?? 40)) wrong(column, 'it is too long');
  }
  const time = (column: 'from' | 'to'): UtcMs | null => {
    if (cell(column) === '') return null;
    const read = readStamp(cell(column), zone);
    if (typeof read === 'number') return read;
    wrong(column, read);
    return null;
  };
  const [from, to] = [time('from'), time('to')];
  if (from !== null && to !== null && to < from) wrong('to', 'it is before from');
  if (from !== null && to !== null && to - from > MAX_WINDOW_MS)
    wrong('to', 'it is more than 31 days after from');
  if (problems.length > before || from === null || to === null) return [];
  const purpose = cell('purpose') === '' ? null : cell('purpose');
  return [
    { line, ticket: cell('ticket'), host: cell('host'), technician: cell('technician'), from, to, purpose },
  ];
}

const STAMP = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?\s*(Z|[+-]\d\d:?\d\d)?$/;

/** An instant, or what is wrong with the text: without an offset it is local time, refused where that is in doubt. */
function readStamp(text: string, zone: string): UtcMs | string {
  const stamp = STAMP.exec(text);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (stamp ?? [])
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const millis = Number((stamp?.[7] ?? '0').padEnd(3, '0'));
  const wall = stamp === null ? null : wallOf(year, month, day, hour, minute, second, millis);
  if (wall === null) return 'this is no time; write it 2026-11-22T06:12:00Z or 2026-11-22 07:12';
  const offset = stamp?.[8];
  if (offset !== undefined) return utcMs(wall - offsetMs(offset));
  const offsets = new Set([-DAY_MS, 0, DAY_MS].map((shift) => zoneOffsetMs(wall + shift, zone)));
  const found = [...offsets].map((o) => wall - o).filter((at) => at + zoneOffsetMs(at, zone) === wall);
  const [only] = found;
  if (found.length === 1 && only !== undefined) return utcMs(only);
  return `the clocks of ${zone} showed it ${found.length === 0 ? 'at no time' : 'twice'}; give an offset`;
}

function offsetMs(text: string): number {
  if (text === 'Z') return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
  return (text.startsWith('-') ? -minutes : minutes) * MINUTE_MS;
}
