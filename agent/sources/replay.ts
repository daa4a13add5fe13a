/**
 * Lines that were read before, again: after a restart, what a log said of sessions that are still open. Files are found
 * by their inode, at the followed path or beside it; a file that was compressed or removed is gone.
 */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Encoding } from './decode.ts';
import { cutLines } from './follow-lines.ts';
import type { FollowedLine } from './follow-state.ts';

const BLOCK_BYTES = 256 * 1024;
const MAX_LINE_BYTES = 64 * 1024;

export interface Stretch {
  /** Generation, as lines name it. */
  file: number;
  ino: string;
  encoding: Encoding;
  /** Bytes: the first one of a line, and the end; null: to the end of the file. */
  from: number;
  to: number | null;
}

/**
 * The lines of these stretches, in order. Where a file is gone, those behind it only: what began there is found again.
 * @returns null where even the last one is gone
 */
export async function replayLines(
  path: string,
  stretches: readonly Stretch[],
): Promise<AsyncIterable<FollowedLine> | null> {
  const handles: FileHandle[] = [];
  const seen = new Set<string>();
  for (const { ino } of stretches.toReversed()) {
    // An inode is given to another file when its own is gone.
    const handle = seen.has(ino) ? null : await findByInode(path, ino);
    if (handle === null) break;
    seen.add(ino);
    handles.unshift(handle);
  }
  return handles.length === 0 ? null : linesOf(stretches.slice(-handles.length), handles);
}

async function* linesOf(
  stretches: readonly Stretch[],
  handles: readonly FileHandle[],
): AsyncGenerator<FollowedLine> {
  try {
    for (const [i, stretch] of stretches.entries()) {
      const handle = handles[i];
      if (handle !== undefined) yield* linesIn(handle, stretch);
    }
  } finally {
    await closeAll(handles);
  }
}

async function* linesIn(
  handle: FileHandle,
  { file, encoding, from, to }: Stretch,
): AsyncGenerator<FollowedLine> {
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  let [at, skipping] = [from, false];
  for (;;) {
    const most = to === null ? block.length : Math.min(block.length, to - at);
    const { bytesRead } = await handle.read(block, 0, most, at);
    const bytes = block.subarray(0, bytesRead);
    const options = {
      file,
      encoding,
      skipping,
      maxLineBytes: MAX_LINE_BYTES,
      maxLines: Number.POSITIVE_INFINITY,
    };
    const cut = cutLines(bytes, at, options);
    yield* cut.lines;
    skipping = cut.skipping;
    at += cut.used;
    // What is left has no line feed: the end, or a line longer than any that is read.
    if (cut.used === 0) return;
  }
}

async function closeAll(handles: readonly FileHandle[]): Promise<void> {
  for (const handle of handles) await handle.close();
}

/** The file with this inode: at the path, or under another name in its folder. Null where there is none. */
export async function findByInode(path: string, ino: string): Promise<FileHandle | null> {
  const folder = dirname(path);
  const own = await openWithInode(path, ino);
  if (own !== null) return own;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const other = entry.isFile() ? await openWithInode(join(folder, entry.name), ino) : null;
    if (other !== null) return other;
  }
  return null;
}

async function openWithInode(path: string, ino: string): Promise<FileHandle | null> {
  const handle = await open(path, 'r').catch(() => null);
  if (handle === null) return null;
  const seen = await handle.stat({ bigint: true }).catch(() => null);
  if (seen?.isFile() === true && seen.ino.toString() === ino) return handle;
  await handle.close();
  return null;
}
