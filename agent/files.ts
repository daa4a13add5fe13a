/**
 * The agent's own files: the one named door for writing, renaming and removing them. Recordings have another
 * (`recordings/erase.ts`); a source's own file is never written at all (S4).
 *
 * W1  A file that is replaced is, after a crash at any moment, wholly the old one or wholly the new one.
 * W2  Every own file has mode 0600 in a folder of mode 0700.
 * W3  A damaged file is renamed, and never removed while its agreement lasts.
 * W4  A state directory that cannot serve (read-only, another's, a file) is refused by that name, alike by every
 *     command, before anything is made in it.
 */
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hasCode, TilsynError } from '../protocol/errors.ts';
import type { Random } from '../protocol/ids.ts';

export const FILE_MODE = 0o600;
export const DIR_MODE = 0o700;

const CHUNK = 1024 * 1024;

/**
 * What a system error means to the person who installed the agent. `doing` names the act and the thing.
 * Errors that are none of these come back as `state.failed`.
 */
export function fileError(error: unknown, doing: string): TilsynError {
  if (error instanceof TilsynError) return error;
  if (hasCode(error, 'EACCES', 'EPERM')) {
    return new TilsynError('state.denied', `${doing}: permission denied`, {
      hint: 'Run the agent as the user who owns the state directory (mode 0700).',
      exit: 'forbidden',
      cause: error,
    });
  }
  if (hasCode(error, 'EROFS')) {
    return new TilsynError('state.read-only', `${doing}: the file system is mounted read-only`, {
      hint: 'Mount it writable, or name another folder with --state.',
      cause: error,
    });
  }
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
    return new TilsynError('state.full', `${doing}: no space left on the device`, {
      hint: 'Free some space on the volume of the state directory; the agent goes on by itself.',
      retryable: true,
      cause: error,
    });
  }
  if (hasCode(error, 'ENOTDIR')) return notAFolder(doing, error);
  return new TilsynError('state.failed', `${doing}: the file system answered with an error`, {
    hint: 'Look at the volume of the state directory; `tilsyn agent check` says what is damaged.',
    cause: error,
  });
}

function notAFolder(doing: string, cause?: unknown): TilsynError {
  return new TilsynError('state.not-a-folder', `${doing}: a file stands where the folder should be`, {
    hint: 'Name a folder with --state DIR; the files of the agent lie in it.',
    exit: 'usage',
    cause,
  });
}

function guarded<T>(doing: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw fileError(error, doing);
  }
}

/**
 * Makes the state directory where it is absent, and closes it to everyone else (W2). Whether it can be written is
 * asked here: SQLite answers a read-only mount and a forbidden folder alike, and differently from case to case.
 */
export function ensureStateDir(dir: string): void {
  const doing = 'preparing the state directory';
  guarded(doing, () => {
    try {
      mkdirSync(dir, { recursive: true, mode: DIR_MODE });
    } catch (error) {
      throw hasCode(error, 'EEXIST') ? notAFolder(doing, error) : error;
    }
    // Only where needed: on a read-only mount a chmod that changes nothing fails all the same.
    if (modeOf(dir) !== DIR_MODE) chmodSync(dir, DIR_MODE);
    accessSync(dir, constants.W_OK);
  });
}

/** For commands that only look. @throws TilsynError `state.missing`, `state.not-a-folder` */
export function requireStateDir(dir: string, doing: string): void {
  const stat = guarded(doing, () => statSync(dir, { throwIfNoEntry: false }));
  if (stat === undefined) {
    throw new TilsynError('state.missing', `${doing}: there is no such state directory`, {
      hint: 'Name it with --state DIR.',
      exit: 'notFound',
    });
  }
  if (!stat.isDirectory()) throw notAFolder(doing);
}

/** Permission bits of a file or folder; null where it is not there. Windows has none that mean anything. */
export function modeOf(path: string): number | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? null : stat.mode & 0o777;
}

/** Makes the entries of a folder durable. Windows cannot open a folder for this, and needs it not. */
function syncDir(dir: string): void {
  let fd: number;
  try {
    fd = openSync(dir, 'r');
  } catch (error) {
    if (hasCode(error, 'EPERM', 'EACCES', 'EISDIR')) return;
    throw error;
  }
  try {
    fsyncSync(fd);
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'EINVAL')) throw error;
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** Writes a whole file: temporary, fsync, rename, fsync of the folder (W1). */
export function writeAtomic(path: string, content: string | Buffer, mode = FILE_MODE): void {
  const temporary = `${path}.tmp`;
  guarded('writing a file of the state directory', () => {
    // A temporary of an earlier crash may have another mode; it holds nothing that is needed.
    drop(temporary);
    try {
      const fd = openSync(temporary, 'wx', mode);
      try {
        writeAll(fd, Buffer.from(content));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      // Until here a crash leaves the old file and a temporary; from here on the new one.
      renameSync(temporary, path);
    } catch (error) {
      drop(temporary);
      throw error;
    }
    syncDir(dirname(path));
  });
}

/** The text of an own file; null where it is not there. */
export function readText(path: string): string | null {
  return guarded('reading a file of the state directory', () => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return null;
      throw error;
    }
  });
}

function drop(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Removes an own file. True where it was there. */
export function removeFile(path: string): boolean {
  return guarded('removing a file of the state directory', () => drop(path));
}

/** Opens a new own file for writing and reading; the caller closes it. What an earlier crash left of that name goes. */
export function createFile(path: string): number {
  return guarded('making a file of the vault', () => {
    drop(path);
    return openSync(path, 'wx+', FILE_MODE);
  });
}

/** Makes `to` of the same extents as what is open as `fd`; false where the file systems cannot: nothing is left then. */
export function cloneFile(fd: number, to: string): boolean {
  guarded('making a file of the vault', () => drop(to));
  try {
    copyFileSync(`/proc/self/fd/${fd}`, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    // The copy takes the mode of what it was made of.
    chmodSync(to, FILE_MODE);
    return true;
  } catch {
    drop(to);
    return false;
  }
}

/** Gives an own file its name, for ever: rename, fsync of the folder (W1). */
export function settleFile(temporary: string, path: string): void {
  guarded('naming a file of the vault', () => {
    renameSync(temporary, path);
    syncDir(dirname(path));
  });
}

/** A folder of ours, for nobody else; made where it is absent, its parent is not (W2). */
export function ensureOwnDir(dir: string): void {
  guarded('preparing the folder of the vault', () => {
    try {
      mkdirSync(dir, { mode: DIR_MODE });
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    if (modeOf(dir) !== DIR_MODE) chmodSync(dir, DIR_MODE);
    syncDir(dirname(dir));
  });
}

/** Tightens the mode of an own file that another library made (SQLite's `-wal` follows its database). */
export function restrict(path: string): void {
  guarded('closing a file of the state directory to others', () => {
    const mode = modeOf(path);
    if (mode !== null && mode !== FILE_MODE) chmodSync(path, FILE_MODE);
  });
}

/**
 * Makes a file that really occupies `bytes` on the disk. Random content, so that no file system compresses it
 * away or leaves a hole.
 */
export function preallocate(path: string, bytes: number, random: Random): void {
  const temporary = `${path}.tmp`;
  guarded('setting space aside in the state directory', () => {
    drop(temporary);
    try {
      const fd = openSync(temporary, 'wx', FILE_MODE);
      try {
        for (let left = bytes; left > 0; left -= CHUNK) writeAll(fd, random(Math.min(left, CHUNK)));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, path);
    } catch (error) {
      drop(temporary);
      throw error;
    }
  });
}

export function sizeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.size ?? null;
}

/** Free bytes of the volume for an ordinary user; null where the system does not say. */
export function freeBytes(dir: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** Size of the volume; null where the system does not say. */
export function volumeBytes(dir: string): number | null {
  try {
    const { blocks, bsize } = statfsSync(dir);
    return blocks * bsize;
  } catch {
    return null;
  }
}

/** `-wal` and `-shm` go first: an old WAL beside a new database would be replayed into it. */
const DATABASE_FILES = ['-wal', '-shm', ''] as const;

/** The name of file number n of a quarantined database. */
function quarantined(path: string, suffix: string, n: number): string {
  return `${path}${suffix}.quarantined-${n}`;
}

/**
 * Sets a damaged database aside under the first free number (W3), all its files. A crash between two renames is
 * found by `halfQuarantined` and finished by the next start.
 */
export function quarantineDatabase(path: string): number {
  return guarded('setting the damaged database aside', () => {
    const n = halfQuarantined(path) ?? firstFree(path);
    for (const suffix of DATABASE_FILES) {
      if (existsSync(path + suffix)) renameSync(path + suffix, quarantined(path, suffix, n));
    }
    syncDir(dirname(path));
    return n;
  });
}

/** Removes databases that were set aside, to the last file. A crash in between leaves some: call it again. */
export function removeQuarantined(path: string): void {
  guarded('removing a database that was set aside', () => {
    for (const name of readdirSync(dirname(path))) {
      if (name.startsWith(basename(path)) && /\.quarantined-\d+$/.test(name)) drop(join(dirname(path), name));
    }
    syncDir(dirname(path));
  });
}

function firstFree(path: string): number {
  let n = 1;
  while (DATABASE_FILES.some((suffix) => existsSync(quarantined(path, suffix, n)))) n += 1;
  return n;
}

/** The number of a quarantine that a crash interrupted: side files moved, the database itself still in place. */
export function halfQuarantined(path: string): number | null {
  if (!existsSync(path)) return null;
  const last = firstFree(path) - 1;
  return last > 0 && !existsSync(quarantined(path, '', last)) ? last : null;
}

/** Path of one of the agent's own files. */
export function inState(dir: string, name: string): string {
  return join(dir, name);
}

/** Writes a file that nobody misses after a crash, with the folders above it, as if it had been written at `atMs`. */
export function plantFile(path: string, content: string, atMs: number): void {
  guarded('planting a file below the state directory', () => {
    mkdirSync(dirname(path), { recursive: true, mode: DIR_MODE });
    const fd = openSync(path, 'wx', FILE_MODE);
    try {
      writeAll(fd, Buffer.from(content));
    } finally {
      closeSync(fd);
    }
    utimesSync(path, atMs / 1000, atMs / 1000);
  });
}

/** Folders of the state directory whose names begin so. */
export function ownFolders(dir: string, prefix: string): string[] {
  return guarded('looking for folders of the state directory', () => {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith(prefix))
      .map(({ name }) => inState(dir, name));
  });
}

/** Removes a folder of our own with all that is in it; follows no link. */
export function removeFolder(path: string): void {
  guarded('removing a folder of the state directory', () => rmSync(path, { recursive: true, force: true }));
}
