/**
 * Records of a CSV file from its lines: quotes, doubled quotes, line ends inside of quotes. Pure; fed a line at a time,
 * because a source is followed and may stop in the middle of a record.
 *
 * M4  A record holds at most 64 lines and 64 KiB: a quote that is never closed costs one record, not the file.
 */

export type Delimiter = ',' | ';' | '\t' | '|';

const MAX_RECORD_LINES = 64;
const MAX_RECORD_CHARS = 64 * 1024;
const MAX_FIELDS = 512;

export type CsvStep = { record: string[] } | 'more' | 'too-long';

export class CsvLines {
  readonly #delimiter: Delimiter;
  #fields: string[] = [];
  /** The field that is open inside quotes; null: none is. */
  #open: string | null = null;
  #lines = 0;
  #chars = 0;

  constructor(delimiter: Delimiter) {
    this.#delimiter = delimiter;
  }

  /** The next line, without its line end. */
  take(line: string): CsvStep {
    this.#lines += 1;
    this.#chars += line.length;
    if (this.#lines > MAX_RECORD_LINES || this.#chars > MAX_RECORD_CHARS) return this.#giveUp();
    let at = 0;
    if (this.#open !== null) {
      at = this.#quoted(line, 0, `${this.#open}\n`);
      if (at === -1) return 'more';
    }
    while (at <= line.length) {
      if (this.#fields.length >= MAX_FIELDS) return this.#giveUp();
      // A quote inside of a field that has none at its start is a sign like any other.
      at = line[at] === '"' ? this.#quoted(line, at + 1, '') : this.#plain(line, at);
      if (at === -1) return 'more';
    }
    const record = this.#fields;
    this.#clear();
    return { record };
  }

  /** Reads from inside of a quoted field; where the next field begins, or -1: the line ends inside of this one. */
  #quoted(line: string, from: number, before: string): number {
    let text = before;
    let at = from;
    for (;;) {
      const quote = line.indexOf('"', at);
      if (quote === -1) {
        this.#open = text + line.slice(at);
        return -1;
      }
      text += line.slice(at, quote);
      if (line[quote + 1] !== '"') {
        this.#open = null;
        return this.#closed(line, quote + 1, text);
      }
      text += '"';
      at = quote + 2;
    }
  }

  /** What stands between a closing quote and the delimiter belongs to the field all the same. */
  #closed(line: string, from: number, text: string): number {
    const end = line.indexOf(this.#delimiter, from);
    this.#fields.push(text + line.slice(from, end === -1 ? line.length : end));
    return end === -1 ? line.length + 1 : end + 1;
  }

  #plain(line: string, from: number): number {
    return this.#closed(line, from, '');
  }

  #giveUp(): 'too-long' {
    this.#clear();
    return 'too-long';
  }

  #clear(): void {
    this.#fields = [];
    this.#open = null;
    this.#lines = 0;
    this.#chars = 0;
  }
}

const DELIMITERS: readonly Delimiter[] = [';', '\t', ',', '|'];

/** The sign that cuts a line into most fields, quotes left aside; a comma where none does. */
export function sniffDelimiter(line: string): Delimiter {
  const bare = line.slice(0, MAX_RECORD_CHARS).replaceAll(/"[^"]*"/g, '');
  const counts = DELIMITERS.map((sign) => ({ sign, count: bare.split(sign).length - 1 }));
  const best = counts.toSorted((a, b) => b.count - a.count)[0];
  return best !== undefined && best.count > 0 ? best.sign : ',';
}
