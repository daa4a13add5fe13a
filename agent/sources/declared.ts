/** Reads the log of a tool by its declaration: the first rule that a line fits says what it means (R1–R4). Pure. */
import type { LineReader, LineResult, MakeReader, ReaderOptions, SessionChange } from './change.ts';
import { NOTHING } from './change.ts';
import { endOf, type PartOf, readFields, type Said } from './declared-fields.ts';
import { DeclaredBook } from './declared-open.ts';
import type { LineSpec, Rule } from './declared-schema.ts';
import { fill } from './template.ts';
import { type ReadTime, TimeFormat } from './time-format.ts';

/** Characters of a line that patterns see (M2). */
export const MAX_LINE_CHARS = 8 * 1024;

export function makeDeclaredReader(spec: LineSpec): MakeReader {
  return (options) => new DeclaredReader(spec, options);
}

class DeclaredReader implements LineReader {
  readonly #spec: LineSpec;
  readonly #options: ReaderOptions;
  readonly #time: TimeFormat;
  readonly #book: DeclaredBook;
  #last: ReadTime | null = null;

  constructor(spec: LineSpec, options: ReaderOptions) {
    this.#spec = spec;
    this.#options = options;
    this.#time = new TimeFormat(spec.time);
    this.#book = new DeclaredBook(spec);
  }

  line(text: string): LineResult {
    if (text.length > MAX_LINE_CHARS) return { ok: false, reason: 'too-long' };
    // Where lines without a time are meant too, any line may be the one that says what time it is.
    if (this.#spec.time.missing === 'last')
      this.#last = this.#time.atStart(text, this.#options) ?? this.#last;
    for (const rule of this.#spec.lines) {
      const parts = fits(rule, text);
      if (parts !== null) return this.#take(rule, parts, text);
    }
    return NOTHING;
  }

  #take(rule: Rule, parts: PartOf, text: string): LineResult {
    if (rule.what === 'nothing') return NOTHING;
    const time = this.#timeOf(parts, text);
    if (time === null) return { ok: false, reason: 'start' };
    const name = rule.key === undefined ? '' : fill(rule.key, parts);
    if (name === null) return { ok: false, reason: 'fields' };
    const said = readFields(rule.fields, parts, this.#spec.defaults.ipBasis, this.#options);
    const changes =
      rule.what === 'record'
        ? this.#record(rule, name, time, said, parts)
        : this.#change(rule.what, name, time, said);
    return changes === null ? { ok: false, reason: 'end' } : { ok: true, changes };
  }

  #change(
    what: Exclude<Rule['what'], 'nothing' | 'record'>,
    name: string,
    time: ReadTime,
    said: Said,
  ): SessionChange[] {
    const book = this.#book;
    switch (what) {
      case 'attempted':
        return book.attempted(name, time, said);
      case 'rejected':
        return book.rejected(name, time, said);
      case 'started':
        return book.started(name, time, said);
      case 'updated':
        return book.updated(name, said);
      case 'ended':
        return book.ended(name, time, said);
      case 'tool-stopped':
        book.clear();
        return [{ what, ...time }];
    }
  }

  #record(rule: Rule, name: string, time: ReadTime, said: Said, parts: PartOf): SessionChange[] | null {
    const end = endOf(rule, time, this.#time, parts, this.#options);
    return end === 'unreadable' ? null : this.#book.recorded(name, time, end, said);
  }

  /** A group of the name `time` holds it; otherwise the line begins with it. */
  #timeOf(parts: PartOf, text: string): ReadTime | null {
    const group = parts('time');
    const own =
      group === undefined ? this.#time.atStart(text, this.#options) : this.#time.whole(group, this.#options);
    return own ?? (this.#spec.time.missing === 'last' ? this.#last : null);
  }
}

/** The named parts of a line that a rule is for; null for any other line. */
function fits(rule: Rule, text: string): PartOf | null {
  if (rule.has !== undefined && !text.includes(rule.has)) return null;
  // The quick machine says no to most lines; only then is it worth to ask where the parts lie.
  if (!rule.match.test(text)) return null;
  const matcher = rule.match.matcher(text);
  if (!matcher.find()) return null;
  const names = rule.match.namedGroups();
  return (name) => (Object.hasOwn(names, name) ? (matcher.group(name) ?? undefined) : undefined);
}
