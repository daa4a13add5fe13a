/**
 * Lines that were read before, again: after a restart, what a log said of sessions that are still open. Files are found
 * by their inode and how they begin, at the followed path or beside it, or as a copy that was made before they were
 * emptied; a file that was compressed or removed is gone.
 */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Encoding } from './decode.ts';
import { READ_ONLY } from './follow-disk.ts';
import { beginsAs, continues, HEAD_BYTES, type Seen } from './follow-identity.ts';
import { cutLines } from './follow-lines.ts';
import type { FollowedLine } from './follow-state.ts';

const BLOCK_BYTES = 256 * 1024;
const MAX_LINE_BYTES = 64 * 1024;
/** Files of a folder that are looked at. */
const MOST_SIBLINGS = 512;

export interface Stretch {
  /** Generation, as lines name it. */
  file: number;
  ino: string;
  /** Fingerprint, as the follower has it; null: not known any more. */
  head: { fp: number; fpLength: number } | null;
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
  key: Buffer,
): Promise<AsyncIterable<FollowedLine> | null> {
  const handles: FileHandle[] = [];
  const taken = new Set<string>();
  for (const stretch of stretches.toReversed()) {
    const home = await homeOf(path, stretch, key);
    // An inode is given to another file when its own is gone.
    const reused = home !== null && taken.has(home.seen.ino);
    if (reused) await home.handle.close();
    if (home === null || reused) break;
    taken.add(home.seen.ino);
    handles.unshift(home.handle);
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

interface Found {
  handle: FileHandle;
  seen: Seen;
}

/** The file itself; else the longest copy of it. */
async function homeOf(path: string, stretch: Stretch, key: Buffer): Promise<Found | null> {
  const { ino, head, from, to } = stretch;
  let copy: Found | null = null;
  for (const name of await namesBeside(path)) {
    const found = await openSeen(join(dirname(path), name));
    if (found === null) continue;
    const { seen } = found;
    const own = seen.ino === ino && (head === null || beginsAs({ ino, ...head }, seen, key));
    const isCopy = head !== null && continues({ ino, ...head, offset: to ?? from }, seen, key);
    const better = own || (isCopy && (copy === null || seen.size > copy.seen.size));
    await (better ? copy : found)?.handle.close();
    if (own) return found;
    if (better) copy = found;
  }
  return copy;
}

/** Followed by that of everything else in its folder, up to a bound. */
async function namesBeside(path: string): Promise<string[]> {
  const own = basename(path);
  const entries = await readdir(dirname(path), { withFileTypes: true }).catch(() => []);
  const others = entries.filter((entry) => entry.isFile() && entry.name !== own).map(({ name }) => name);
  // Rotated ones begin with the same word.
  const word = own.slice(0, 3).toLowerCase();
  const far = (name: string) => Number(!name.toLowerCase().startsWith(word));
  return [own, ...others.sort((a, b) => far(a) - far(b)).slice(0, MOST_SIBLINGS)];
}

async function openSeen(path: string): Promise<Found | null> {
  const handle = await open(path, READ_ONLY).catch(() => null);
  if (handle === null) return null;
  try {
    const { ino, size, mtimeMs, isFile } = await statOf(handle);
    const head = Buffer.alloc(Math.min(HEAD_BYTES, size));
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    if (isFile) return { handle, seen: { ino, size, mtimeMs, head: head.subarray(0, bytesRead) } };
  } catch {
    // Cannot be read now: as good as gone.
  }
  await handle.close();
  return null;
}

async function statOf(handle: FileHandle) {
  const seen = await handle.stat({ bigint: true });
  const [size, mtimeMs] = [Number(seen.size), Number(seen.mtimeMs)];
  return { ino: seen.ino.toString(), size, mtimeMs, isFile: seen.isFile() };
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
