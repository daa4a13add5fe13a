/**
 * `tilsyn source test FILE --type T`: reads a file as the agent would, once and from its start, and says what
 * it makes of it. Nothing is stored or sent. The rows are for the operator's own terminal.
 */
import { TilsynError } from '../../protocol/errors.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import type { LineReader, MakeReader, ReaderOptions } from './change.ts';
import { loadDeclared } from './declared-load.ts';
import type { DeclaredSpec } from './declared-spec.ts';
import type { Encoding } from './decode.ts';
import type { FollowedLine } from './follow-state.ts';
import { readWhole, type WholeFile } from './read-whole.ts';
import { readerOf } from './registry.ts';
import { choiceOf, knownTypes, NEED_SPEC } from './source-types.ts';
import { type Tallied, Tally } from './tally.ts';
import { type ConnectionRow, parseConnectionRow, type RowProblem, type RowResult } from './teamviewer.ts';

interface Unreadable {
  total: number;
  /** The first 20: line number in the file, from 1. */
  first: { line: number; reason: RowProblem }[];
}

/** Files with one row for each session, which say nothing of those that still run. */
export interface SourceTest {
  type: string;
  sizeBytes: number;
  encoding: Encoding;
  /** Lines that are not empty. */
  lines: number;
  sessions: number;
  unreadable: Unreadable;
  /** Earliest start and latest end of all rows. */
  firstStart: UtcMs | null;
  lastEnd: UtcMs | null;
  /** The first rows, as many as asked for. */
  rows: ConnectionRow[];
  /** True where no newline follows the last record, as TeamViewer writes them. */
  lastRecordUnterminated: boolean;
}

/** What the log of any other tool holds: put together from what it says line by line. */
export interface ReaderTest extends Tallied {
  type: string;
  sizeBytes: number;
  encoding: Encoding;
  lines: number;
  unreadable: Unreadable;
}

export interface SourceTestOptions {
  /** Rows to return, default 10. */
  rows?: number;
  /** Of `declared` and `csv`: path of the declaration, or the name of one that is shipped. */
  spec?: string;
}

/** What readers are told of this machine; the year of times without one is taken from the file. */
export type TestSurroundings = Pick<ReaderOptions, 'zone' | 'ownIps'>;

/** Types whose lines are rows, and what reads one. */
const ROWS: Readonly<Record<string, (text: string) => RowResult>> = { teamviewer: parseConnectionRow };
const SHOWN_UNREADABLE = 20;
const SHOWN_ROWS = 10;

/**
 * Reads a file of rows, such as `Connections_incoming.txt`, in bounded memory.
 * @throws TilsynError `source.unknown-type`, `source.missing`, `source.not-a-file`, `source.unreadable`
 */
export async function testSource(
  file: string,
  type: string,
  options: SourceTestOptions = {},
): Promise<SourceTest> {
  const parse = rowsOf(type);
  if (parse === null) throw await unknownType(file);
  const reading = new Reading(type, parse, options.rows ?? SHOWN_ROWS);
  const whole = await readWhole(file, () => (line, number) => reading.take(line, number));
  const { result } = reading;
  const { sizeBytes, encoding, lines, unterminated } = whole;
  return { ...result, sizeBytes, encoding, lines, lastRecordUnterminated: unterminated };
}

/**
 * Reads a file of any type.
 * @throws TilsynError as `testSource`, and `source.spec-missing`, `source.wrong-spec`, `spec.missing`, `spec.invalid`
 */
export async function testAnySource(
  file: string,
  type: string,
  around: TestSurroundings,
  options: SourceTestOptions = {},
): Promise<SourceTest | ReaderTest> {
  if (rowsOf(type) !== null) return await testSource(file, type, options);
  const make = await makerOf(file, type, options.spec);
  const tally = new Tally(options.rows ?? SHOWN_ROWS);
  const unreadable: Unreadable = { total: 0, first: [] };
  const whole: WholeFile = await readWhole(file, (changedAt) => {
    const reader = make({ ...around, near: () => changedAt });
    return (line, number) => takeLine(reader, line, number, tally, unreadable);
  });
  const { sizeBytes, encoding, lines } = whole;
  return { type, sizeBytes, encoding, lines, unreadable, ...tally.result() };
}

function rowsOf(type: string): ((text: string) => RowResult) | null {
  return (Object.hasOwn(ROWS, type) ? ROWS[type] : undefined) ?? null;
}

function takeLine(
  reader: LineReader,
  { text, problem }: FollowedLine,
  number: number,
  tally: Tally,
  unreadable: Unreadable,
): void {
  const result = problem === 'too-long' ? TOO_LONG : reader.line(text);
  if (!result.ok) addProblem(unreadable, result.reason, number);
  else for (const change of result.changes) tally.take(change);
}

async function makerOf(file: string, type: string, specName: string | undefined): Promise<MakeReader> {
  const choice = choiceOf(type, file);
  const spec = NEED_SPEC.includes(type) ? specOf(file, type, specName) : null;
  const make = choice === null ? null : await readerOf(choice.type, choice.part, spec);
  if (make === null) throw await unknownType(file);
  return make;
}

function specOf(file: string, type: string, name: string | undefined): DeclaredSpec {
  if (name === undefined) {
    throw new TilsynError('source.spec-missing', `testing ${file}: its declaration is not named`, {
      exit: 'usage',
      hint: 'Give --spec FILE.yaml, or the name of one that comes with Tilsyn, such as --spec x11vnc.',
    });
  }
  const spec = loadDeclared(name);
  const wanted = type === 'csv' ? 'csv' : 'lines';
  if (spec.format === wanted) return spec;
  throw new TilsynError('source.wrong-spec', `testing ${file}: the declaration is for another type`, {
    exit: 'usage',
    hint: `Its format is ${spec.format}: use --type ${spec.format === 'csv' ? 'csv' : 'declared'}.`,
  });
}

async function unknownType(file: string): Promise<TilsynError> {
  return new TilsynError('source.unknown-type', `testing ${file}: no such source type`, {
    exit: 'usage',
    hint: `Types of this version: ${[...Object.keys(ROWS), ...(await knownTypes())].join(', ')}.`,
  });
}

function addProblem(unreadable: Unreadable, reason: RowProblem, line: number): void {
  unreadable.total += 1;
  if (unreadable.first.length < SHOWN_UNREADABLE) unreadable.first.push({ line, reason });
}

type Rows = Omit<SourceTest, 'sizeBytes' | 'encoding' | 'lines' | 'lastRecordUnterminated'>;

/** What has been read so far. */
class Reading {
  readonly result: Rows;
  readonly #parse: (text: string) => RowResult;
  readonly #rowsWanted: number;

  constructor(type: string, parse: (text: string) => RowResult, rowsWanted: number) {
    const unreadable: Unreadable = { total: 0, first: [] };
    this.result = { type, sessions: 0, unreadable, firstStart: null, lastEnd: null, rows: [] };
    this.#parse = parse;
    this.#rowsWanted = rowsWanted;
  }

  take(line: FollowedLine, number: number): void {
    const parsed = line.problem === 'too-long' ? TOO_LONG : this.#parse(line.text);
    if (parsed.ok) this.#takeRow(parsed.row);
    else addProblem(this.result.unreadable, parsed.reason, number);
  }

  #takeRow(row: ConnectionRow): void {
    const { result } = this;
    result.sessions += 1;
    result.firstStart = utcMs(Math.min(result.firstStart ?? row.startedAt, row.startedAt));
    result.lastEnd = utcMs(Math.max(result.lastEnd ?? row.endedAt, row.endedAt));
    if (result.rows.length < this.#rowsWanted) result.rows.push(row);
  }
}

const TOO_LONG = { ok: false, reason: 'too-long' } as const;
