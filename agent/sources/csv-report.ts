/**
 * Connection reports: one record a session, columns by the names in the line of headings. Pure (R1–R4). A record begins
 * and ends its session, so nothing is open between two of them.
 */
import type { LineReader, LineResult, MakeReader, ReaderOptions } from './change.ts';
import { NOTHING } from './change.ts';
import { CsvLines, type Delimiter, sniffDelimiter } from './csv-lines.ts';
import { endOf, type PartOf, readFields } from './declared-fields.ts';
import { DeclaredBook } from './declared-open.ts';
import type { CsvSpec } from './declared-schema.ts';
import { fill, placesOf } from './template.ts';
import { TimeFormat } from './time-format.ts';

/** Records before the headings: a title, a date, blank fields. More is no report of this declaration. */
const MAX_PREAMBLE = 5;

export function makeCsvReader(spec: CsvSpec): MakeReader {
  return (options) => new CsvReader(spec, options);
}

class CsvReader implements LineReader {
  /** The names of the columns stand there, also for rows that come after a restart. */
  readonly fromHead = true;
  readonly #spec: CsvSpec;
  readonly #options: ReaderOptions;
  readonly #time: TimeFormat;
  readonly #book: DeclaredBook;
  #lines: CsvLines | null = null;
  /** Column of each name, in lower case; null: no headings yet. */
  #columns: Map<string, number> | null = null;
  #preamble = 0;

  constructor(spec: CsvSpec, options: ReaderOptions) {
    this.#spec = spec;
    this.#options = options;
    this.#time = new TimeFormat(spec.time);
    this.#book = new DeclaredBook({ sameKey: 'another', attemptsEnd: false, defaults: spec.defaults });
    this.newFile();
  }

  newFile(): void {
    const { columns } = this.#spec;
    this.#lines = null;
    this.#columns = columns === undefined ? null : columnsOf(columns);
    this.#preamble = 0;
  }

  line(text: string): LineResult {
    this.#lines ??= new CsvLines(this.#delimiter(text));
    const step = this.#lines.take(text);
    if (step === 'more') return NOTHING;
    if (step === 'too-long') return { ok: false, reason: 'too-long' };
    return this.#record(step.record);
  }

  #record(record: readonly string[]): LineResult {
    if (record.every((field) => field.trim() === '')) return NOTHING;
    const headings = columnsOf(record);
    // Also in the middle: reports that were put one behind the other.
    if (this.#isHeadings(headings)) {
      this.#columns = headings;
      return NOTHING;
    }
    const columns = this.#columns;
    if (columns !== null) return this.#session(record, columns);
    this.#preamble += 1;
    // A preamble may have other signs between its fields, or none.
    this.#lines = null;
    return this.#preamble <= MAX_PREAMBLE ? NOTHING : { ok: false, reason: 'fields' };
  }

  /** The columns that say when a session began are there. */
  #isHeadings(columns: Map<string, number>): boolean {
    return placesOf(this.#spec.start).every((names) => names.some((name) => columns.has(name.toLowerCase())));
  }

  #session(record: readonly string[], columns: Map<string, number>): LineResult {
    const spec = this.#spec;
    const parts: PartOf = (name) => {
      const column = columns.get(name.toLowerCase());
      return column === undefined ? undefined : record[column];
    };
    const { only } = spec;
    if (only !== undefined && !only.is.includes(fill(only.of, parts) ?? '')) return NOTHING;
    const start = fill(spec.start, parts);
    const time = start === null ? null : this.#time.whole(start, this.#options);
    if (time === null) return { ok: false, reason: start === null ? 'fields' : 'start' };
    const end = endOf(spec, time, this.#time, parts, this.#options);
    if (end === 'unreadable') return { ok: false, reason: 'end' };
    const said = readFields(spec.fields, parts, spec.defaults.ipBasis, this.#options);
    const name = JSON.stringify([said.known, said.kind, end?.at ?? null]);
    return { ok: true, changes: this.#book.recorded(name, time, end, said) };
  }

  #delimiter(line: string): Delimiter {
    const { delimiter } = this.#spec;
    if (delimiter === 'tab') return '\t';
    return delimiter === 'auto' ? sniffDelimiter(line) : delimiter;
  }
}

function columnsOf(names: readonly string[]): Map<string, number> {
  const columns = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    const key = name.trim().toLowerCase();
    if (!columns.has(key)) columns.set(key, index);
  }
  return columns;
}
