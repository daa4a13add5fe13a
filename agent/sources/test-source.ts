/**
 * `tilsyn source test FILE --type T`: reads a file as the agent would, once and from its start, and says what
 * it makes of it. Nothing is stored or sent. The rows are for the operator's own terminal.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { codeOf, hasCode, TilsynError } from '../../protocol/errors.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import { detectEncoding, type Encoding } from './decode.ts';
import { READ_ONLY } from './follow-disk.ts';
import { cutLines, tailLine } from './follow-lines.ts';
import type { FollowedLine } from './follow-state.ts';
import { type ConnectionRow, parseConnectionRow, type RowProblem } from './teamviewer.ts';

export interface SourceTest {
  type: 'teamviewer';
  sizeBytes: number;
  encoding: Encoding;
  /** Lines that are not empty. */
  lines: number;
  sessions: number;
  unreadable: {
    total: number;
    /** The first 20: line number in the file, from 1. */
    first: { line: number; reason: RowProblem }[];
  };
  /** Earliest start and latest end of all rows. */
  firstStart: UtcMs | null;
  lastEnd: UtcMs | null;
  /** The first rows, as many as asked for. */
  rows: ConnectionRow[];
  /** True where no newline follows the last record, as TeamViewer writes them. */
  lastRecordUnterminated: boolean;
}

export interface SourceTestOptions {
  /** Rows to return, default 10. */
  rows?: number;
}

const TYPES = ['teamviewer'];
const BLOCK_BYTES = 256 * 1024;
const MAX_LINE_BYTES = 64 * 1024;
const SHOWN_UNREADABLE = 20;
const SHOWN_ROWS = 10;

/**
 * Streams the file in bounded memory.
 * @throws TilsynError `source.unknown-type`, `source.missing`, `source.not-a-file`, `source.unreadable`
 */
export async function testSource(
  file: string,
  type: string,
  options: SourceTestOptions = {},
): Promise<SourceTest> {
  if (type !== 'teamviewer') {
    throw new TilsynError('source.unknown-type', `testing ${file}: no such source type`, {
      exit: 'usage',
      hint: `Types of this version: ${TYPES.join(', ')}.`,
    });
  }
  const reading = new Reading(options.rows ?? SHOWN_ROWS);
  let handle: FileHandle | null = null;
  try {
    handle = await open(file, READ_ONLY);
    await readAll(handle, reading);
  } catch (error) {
    throw explained(file, error);
  } finally {
    await handle?.close();
  }
  return reading.result;
}

/** What has been read so far. */
class Reading {
  readonly result: SourceTest = {
    type: 'teamviewer',
    sizeBytes: 0,
    encoding: 'utf8',
    lines: 0,
    sessions: 0,
    unreadable: { total: 0, first: [] },
    firstStart: null,
    lastEnd: null,
    rows: [],
    lastRecordUnterminated: false,
  };
  readonly #rowsWanted: number;

  constructor(rowsWanted: number) {
    this.#rowsWanted = rowsWanted;
  }

  /** `number`: of the line in the file, from 1. */
  take(line: FollowedLine, number: number): void {
    const { result } = this;
    result.lines += 1;
    const parsed = line.problem === 'too-long' ? TOO_LONG : parseConnectionRow(line.text);
    if (parsed.ok) this.#takeRow(parsed.row);
    else this.#takeProblem(parsed.reason, number);
  }

  #takeProblem(reason: RowProblem, number: number): void {
    const { result } = this;
    result.unreadable.total += 1;
    if (result.unreadable.first.length < SHOWN_UNREADABLE) {
      result.unreadable.first.push({ line: number, reason });
    }
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

async function readAll(handle: FileHandle, reading: Reading): Promise<void> {
  const { result } = reading;
  const stat = await handle.stat();
  if (!stat.isFile()) throw Object.assign(new Error('not a file'), { code: 'EISDIR' });
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let feeds = 0;
  let offset = 0;
  let skipping = false;
  for (;;) {
    const { bytesRead } = await handle.read(block, 0, block.length, offset);
    // A short read may be followed by more; only an empty one is the end, and then nothing is left over.
    const final = offset + bytesRead >= (await handle.stat()).size;
    let part = block.subarray(0, bytesRead);
    if (offset === 0) {
      const detected = detectEncoding(part, true) ?? { encoding: 'utf8', markBytes: 0 };
      result.encoding = detected.encoding;
      offset = detected.markBytes;
      part = part.subarray(offset);
    }
    const cut = cutLines(part, offset, {
      file: 0,
      encoding: result.encoding,
      skipping,
      maxLineBytes: MAX_LINE_BYTES,
      maxLines: Number.POSITIVE_INFINITY,
    });
    for (const [index, line] of cut.lines.entries())
      reading.take(line, feeds + (cut.feedsBefore[index] ?? 0) + 1);
    feeds += cut.feeds;
    offset += cut.used;
    skipping = cut.skipping;
    if (!final && bytesRead > 0) continue;
    takeRest(reading, part.subarray(cut.used), offset, feeds);
    result.lastRecordUnterminated ||= skipping;
    result.sizeBytes = offset + part.length - cut.used;
    return;
  }
}

function takeRest(reading: Reading, rest: Buffer, offset: number, feeds: number): void {
  const last = tailLine(rest, offset, 0, reading.result.encoding);
  reading.result.lastRecordUnterminated = last.text !== '';
  if (last.text !== '') reading.take(last, feeds + 1);
}

function explained(file: string, cause: unknown): unknown {
  if (hasCode(cause, 'ENOENT', 'ENOTDIR')) {
    return new TilsynError('source.missing', `testing ${file}: there is no such file`, {
      exit: 'notFound',
      hint: "`tilsyn source detect` shows where this machine's files were looked for.",
      cause,
    });
  }
  if (hasCode(cause, 'EISDIR')) {
    const hint = 'Name the file itself, such as Connections_incoming.txt in that folder.';
    return new TilsynError('source.not-a-file', `testing ${file}: it is not a file`, {
      exit: 'usage',
      hint,
      cause,
    });
  }
  const denied = hasCode(cause, 'EACCES', 'EPERM');
  const hint = denied ? 'Run this as the account that the agent runs as, or as an administrator.' : undefined;
  return new TilsynError('source.unreadable', `testing ${file}: it cannot be read (${codeOf(cause)})`, {
    retryable: !denied,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}
