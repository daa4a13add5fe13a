/**
 * Which of several equal rows is this one? TeamViewer writes equal rows (two short sessions in one second, an
 * empty GUID), and a row that is read twice must be recognised as the same one.
 *
 * U4  The occurrence of a row is the number of rows with an equal natural key that begin in the 64 KiB before it
 *     in the same file. It depends on the bytes of the file alone: a re-installed agent, a second agent and a
 *     restart count the same.
 */
import { unitBytes } from '../sources/decode.ts';
import type { FileState, FollowedLine } from '../sources/follow.ts';
import { cutLines } from '../sources/follow-lines.ts';
import { findByInode } from '../sources/replay.ts';

export const WINDOW_BYTES = 64 * 1024;
const MAX_LINE_BYTES = 64 * 1024;

interface Seen {
  start: number;
  key: string;
}

export class OccurrenceWindow {
  readonly #path: string;
  /** The natural key of a row as text; null for a line that is no row. */
  readonly #keyOf: (text: string) => string | null;
  #file: number | null = null;
  #rows: Seen[] = [];
  readonly #counts = new Map<string, number>();

  constructor(path: string, keyOf: (text: string) => string | null) {
    this.#path = path;
    this.#keyOf = keyOf;
  }

  /** Forgets what it saw: the lines come again, or from elsewhere. */
  reset(): void {
    this.#file = null;
    this.#rows = [];
    this.#counts.clear();
  }

  /**
   * Makes ready for lines of a file: where it was not followed in here so far, the 64 KiB before the first of
   * them are read again.
   */
  async prepare(lines: readonly FollowedLine[], files: readonly FileState[]): Promise<ReadyWindow[]> {
    const ready: ReadyWindow[] = [];
    for (const line of lines) {
      if (line.file === this.#file || ready.some((one) => one.file === line.file)) continue;
      const state = files.find((one) => one.file === line.file);
      const rows = state === undefined ? [] : await rowsBefore(this.#path, state, line.start, this.#keyOf);
      ready.push({ file: line.file, rows });
    }
    return ready;
  }

  /** The occurrence of a row with this key at this place. Rows are handed in in the order of their file. */
  next(line: FollowedLine, key: string, ready: readonly ReadyWindow[]): number {
    this.#enter(line.file, ready);
    this.#leave(line.start - WINDOW_BYTES);
    const before = this.#counts.get(key) ?? 0;
    this.#add({ start: line.start, key });
    return before;
  }

  #enter(file: number, ready: readonly ReadyWindow[]): void {
    if (file === this.#file) return;
    this.reset();
    this.#file = file;
    for (const row of ready.find((one) => one.file === file)?.rows ?? []) this.#add(row);
  }

  #add(row: Seen): void {
    this.#rows.push(row);
    this.#counts.set(row.key, (this.#counts.get(row.key) ?? 0) + 1);
  }

  #leave(before: number): void {
    const kept = this.#rows.findIndex((row) => row.start >= before);
    for (const { key } of this.#rows.splice(0, kept === -1 ? this.#rows.length : kept)) {
      const left = (this.#counts.get(key) ?? 1) - 1;
      if (left === 0) this.#counts.delete(key);
      else this.#counts.set(key, left);
    }
  }
}

export interface ReadyWindow {
  file: number;
  rows: Seen[];
}

/** The rows that begin in the 64 KiB before `start`, from the file itself. None where it cannot be found. */
async function rowsBefore(
  path: string,
  file: FileState,
  start: number,
  keyOf: (text: string) => string | null,
): Promise<Seen[]> {
  const unit = unitBytes(file.encoding);
  // One unit more, so that a line feed just before the window shows that its first line is whole.
  const from = Math.max(0, start - WINDOW_BYTES - unit);
  if (start === 0) return [];
  const block = await readRange(path, file.ino, from, start);
  if (block === null) return [];
  const cut = cutLines(block, from, {
    file: file.file,
    encoding: file.encoding,
    skipping: from > 0,
    maxLineBytes: MAX_LINE_BYTES,
    maxLines: Number.POSITIVE_INFINITY,
  });
  return cut.lines.flatMap(({ text, start: at }) => {
    const key = keyOf(text);
    return key === null ? [] : [{ start: at, key }];
  });
}

/** Bytes of the file with this inode: at the followed path, or under its rotated name in the same folder. */
async function readRange(path: string, ino: string, from: number, to: number): Promise<Buffer | null> {
  const handle = await findByInode(path, ino);
  if (handle === null) return null;
  try {
    const block = Buffer.alloc(to - from);
    const { bytesRead } = await handle.read(block, 0, block.length, from);
    return block.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
