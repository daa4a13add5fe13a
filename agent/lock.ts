/**
 * One process per state directory.
 *
 * The lock is an exclusive SQLite transaction on a file of its own: a byte-range lock of the operating system,
 * which it releases when the process dies, also after `kill -9` or a power cut. A file with a process id in it
 * would be stale then, and a socket needs a port or a path that someone else may remove. Nothing is ever
 * written to the file, so a full disk does not matter. Both agents of a cloned machine hold their own lock: that
 * is what `instance` is for.
 */
import { TilsynError } from '../protocol/errors.ts';
import { exclusive } from './db.ts';
import { ensureStateDir, inState, modeOf, restrict } from './files.ts';

export const LOCK_FILE = 'lock.db';

export interface StateLock {
  release(): void;
}

/** @throws TilsynError `state.locked` where another process runs on this state directory */
export function lockState(dir: string): StateLock {
  ensureStateDir(dir);
  const path = inState(dir, LOCK_FILE);
  const lock = exclusive(path);
  if (lock === null) {
    throw new TilsynError('state.locked', 'starting on a state directory: another agent runs on it', {
      hint: 'Stop the other one first, or give another folder with --state.',
      exit: 'conflict',
    });
  }
  restrict(path);
  return lock;
}

/** True where a process holds the lock now. */
export function isLocked(dir: string): boolean {
  const path = inState(dir, LOCK_FILE);
  if (modeOf(path) === null) return false;
  const lock = exclusive(path);
  lock?.release();
  return lock === null;
}
