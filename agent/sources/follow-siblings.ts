/** Which files of a folder are earlier generations of the followed one. Pure. */
import { basename, extname } from 'node:path';
import type { Sibling } from './follow-disk.ts';
import { continues, isSameFile, MIN_COPY_BYTES, type Seen } from './follow-identity.ts';
import type { FileState, FollowState } from './follow-state.ts';

/** What rotation tools put between name and extension or behind both: `.1`, `_OLD`, `-20261122`, `-2026-11-22T03`. */
const ROTATED = /^[._-](?:old|prev|\d[\d._T-]{0,40})$/i;

/** How many rotations during one stop are followed up. */
const GENERATIONS_TAKEN = 64;

/** True for `name.1`, `name.txt.1`, `name_OLD.txt`, `name-2026….txt` of a followed `name.txt`. */
export function rotatedNameOf(path: string): (name: string) => boolean {
  const base = basename(path).toLowerCase();
  const extension = extname(base);
  const stem = base.slice(0, base.length - extension.length);
  return (name) => {
    const lower = name.toLowerCase();
    if (lower.startsWith(base)) return ROTATED.test(lower.slice(base.length));
    if (!lower.startsWith(stem)) return false;
    const rest = lower.slice(stem.length);
    return ROTATED.test(rest.endsWith(extension) ? rest.slice(0, rest.length - extension.length) : rest);
  };
}

/** Where a file that left the followed path lies now: by inode and beginning, else the longest copy of it. */
export function findFile(file: FileState, siblings: Sibling[], key: Buffer): Sibling | null {
  const found = siblings.filter((sibling) => continues(file, sibling, key));
  const own = found.find((sibling) => sibling.ino === file.ino);
  return own ?? found.toSorted((a, b) => b.size - a.size)[0] ?? null;
}

/**
 * Generations that came and went unseen: named like rotated ones, not older than what was last seen live,
 * and neither known, nor a copy of one of the `present` files. Oldest first; of several copies of one file
 * the longest.
 */
export function unseenSiblings(
  state: FollowState,
  siblings: Sibling[],
  present: Seen[],
  isRotatedName: (name: string) => boolean,
  key: Buffer,
): Sibling[] {
  const known = [...state.files, ...state.known];
  const taken: Sibling[] = [];
  for (const sibling of siblings.toSorted((a, b) => b.size - a.size)) {
    if (sibling.size === 0 || sibling.mtimeMs < state.newestMs || !isRotatedName(sibling.name)) continue;
    if (known.some((file) => isSameFile(file, sibling, key))) continue;
    if (![...present, ...taken].some((other) => isCopyOf(sibling, other))) taken.push(sibling);
  }
  return taken.sort(byAge).slice(-GENERATIONS_TAKEN);
}

/** The same file, or a copy made of it while it was shorter. */
function isCopyOf(copy: Seen, other: Seen): boolean {
  if (copy.ino === other.ino) return true;
  if (copy.size < MIN_COPY_BYTES || copy.size > other.size) return false;
  return other.head.subarray(0, copy.head.length).equals(copy.head);
}

/** Two rotations within one tick of the file system's clock: the higher number is the older file. */
function byAge(a: Sibling, b: Sibling): number {
  return a.mtimeMs - b.mtimeMs || b.name.localeCompare(a.name, 'en', { numeric: true });
}
