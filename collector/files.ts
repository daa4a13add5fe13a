/**
 * The collector's own files: the one named door for making, replacing, renaming and removing them. The content
 * of `keys.slots` is written in place by `slots.ts`, never through here.
 *
 * W1  A file that is replaced is, after a crash at any moment, wholly the old one or wholly the new one.
 * W2  Every own file has mode 0600 in a folder of mode 0700.
 * W3  A damaged database is renamed, never removed.
 */
import {
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
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hasCode, TilsynError } from '../protocol/errors.ts';

export const FILE_MODE = 0o600;
export const DIR_MODE = 0o700;

const CHUNK = 1024 * 1024;

/** What a system error means to the operator. `doing` names the act and the thing, never a content. */
export function fileError(error: unknown, doing: string): TilsynError {
  if (error instanceof TilsynError) return error;
  if (hasCode(error, 'EACCES', 'EPERM')) {
    return new TilsynError('state.denied', `${doing}: permission denied`, {
      hint: 'Run the collector as the user who owns the state directory (mode 0700).',
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
      hint: 'Free some space on the volume of the state directory.',
      retryable: true,
      cause: error,
    });
  }
  return new TilsynError('state.failed', `${doing}: the file system answered with an error`, {
    hint: 'Look at the volume of the state directory.',
    cause: error,
  });
}

function guarded<T>(doing: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw fileError(error, doing);
  }
}

/** Makes the folder where it is absent, and closes it to everyone else (W2). */
export function ensureStateDir(dir: string): void {
  guarded('preparing the state directory', () => {
    mkdirSync(dir, { recursive: true, mode: DIR_MODE });
    // Only where needed: on a read-only mount a chmod that changes nothing fails all the same.
    if (modeOf(dir) !== DIR_MODE) chmodSync(dir, DIR_MODE);
  });
}

/** Permission bits of a file or folder; null where it is not there. Windows has none that mean anything. */
export function modeOf(path: string): number | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? null : stat.mode & 0o777;
}

/** Bytes of a file; null where it is not there. */
export function sizeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.size ?? null;
}

/** Bytes that this account may still write where a folder lies; null where the system does not say. */
export function freeBytes(dir: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  } catch {
    return null;
  }
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

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
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

/** A new file with this content under its final name: temporary, fsync, rename, fsync of the folder (W1). */
function replace(path: string, mode: number, fill: (fd: number) => void): void {
  const temporary = `${path}.tmp`;
  // A temporary of an earlier crash may have another mode; it holds nothing that is needed.
  drop(temporary);
  try {
    const fd = openSync(temporary, 'wx', mode);
    try {
      fill(fd);
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
}

/** Writes a whole file (W1). Not for keys of key groups: the old content stays behind on the device. */
export function writeAtomic(path: string, content: string | Uint8Array, mode = FILE_MODE): void {
  guarded('writing a file of the state directory', () =>
    replace(path, mode, (fd) => writeAll(fd, Buffer.from(content))),
  );
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

/** Removes an own file. True where it was there. */
export function removeFile(path: string): boolean {
  return guarded('removing a file of the state directory', () => drop(path));
}

/** Tightens the mode of an own file that another library made (SQLite's `-wal` follows its database). */
export function restrict(path: string): void {
  guarded('closing a file of the state directory to others', () => {
    const mode = modeOf(path);
    if (mode !== null && mode !== FILE_MODE) chmodSync(path, FILE_MODE);
  });
}

/** Makes a file of `bytes` zeros that really occupies the disk, durable before this returns. */
export function preallocateZeros(path: string, bytes: number): void {
  guarded('setting space aside in the state directory', () =>
    replace(path, FILE_MODE, (fd) => writeZeros(fd, 0, bytes)),
  );
}

/** Fills an own file with zeros from its present end up to `bytes`, durable before this returns. */
export function extendZeros(path: string, bytes: number): void {
  guarded('setting space aside in the state directory', () => {
    const fd = openSync(path, 'r+');
    try {
      // A crash in between leaves a shorter file; the next start fills it up again.
      writeZeros(fd, sizeOf(path) ?? 0, bytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  });
}

function writeZeros(fd: number, from: number, to: number): void {
  const zeros = Buffer.alloc(CHUNK);
  for (let at = from; at < to; ) at += writeSync(fd, zeros, 0, Math.min(CHUNK, to - at), at);
}

/** An own file that is open for the length of a call. */
interface OpenFile {
  fd: number;
  /** Writes all of it at this place. */
  write(bytes: Uint8Array, at: number): void;
}

/** Opens an own file in place, calls `use`, and closes it. What was written is durable before this returns. */
export function withFile<T>(path: string, mode: 'r' | 'r+', use: (file: OpenFile) => T): T {
  return guarded('reading or writing a file of the collector', () => {
    const fd = openSync(path, mode);
    try {
      const result = use({
        fd,
        write: (bytes, at) => {
          for (let done = 0; done < bytes.length; ) {
            done += writeSync(fd, bytes, done, bytes.length - done, at + done);
          }
        },
      });
      if (mode === 'r+') fsyncSync(fd);
      return result;
    } finally {
      closeSync(fd);
    }
  });
}

/** Makes an empty file of mode 0600, for a library to fill (W2); one of an earlier crash is dropped. */
export function makeEmpty(path: string): void {
  guarded('making a file', () => {
    drop(path);
    closeSync(openSync(path, 'wx', FILE_MODE));
  });
}

/** Gives a finished file its name: flushed, renamed, the folder flushed. Until the rename nothing has that name. */
export function publish(temporary: string, path: string): void {
  guarded('giving a finished file its name', () => {
    const fd = openSync(temporary, 'r+');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    syncDir(dirname(path));
  });
}

/** A copy with mode 0600; a reflink where the file system has them. */
export function copyOwn(from: string, to: string): void {
  guarded('copying a file', () => {
    makeEmpty(to);
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
    chmodSync(to, FILE_MODE);
  });
}

/** The bytes of a file that a person named; null where it is not there. */
export function readBytes(path: string): Buffer | null {
  return guarded('reading a file', () => (existsSync(path) ? readFileSync(path) : null));
}

/** Opens an own file for reading only. */
export function openToRead(path: string): number {
  return guarded('opening a file of the state directory', () => openSync(path, 'r'));
}

/** Opens an own file for reading and writing in place. */
export function openInPlace(path: string): number {
  return guarded('opening a file of the state directory', () => openSync(path, 'r+'));
}

/** `-wal` and `-shm` go first: an old WAL beside a new database would be replayed into it. */
const DATABASE_FILES = ['-wal', '-shm', ''] as const;

const quarantined = (path: string, n: number, suffix = '') => `${path}.quarantined-${n}${suffix}`;

/**
 * Sets a damaged database aside, all its files, under the first free number (W3); returns its new name. A crash
 * between two renames leaves the database in place without its WAL: `halfQuarantined` recognises that.
 */
export function quarantineDatabase(path: string): string {
  return guarded('setting the damaged database aside', () => {
    let n = 1;
    while (existsSync(quarantined(path, n))) n += 1;
    for (const suffix of DATABASE_FILES) {
      if (existsSync(path + suffix)) renameSync(path + suffix, quarantined(path, n, suffix));
    }
    syncDir(dirname(path));
    return quarantined(path, n);
  });
}

/** Names in an own folder; none where it is not there. */
export function namesIn(dir: string): string[] {
  return guarded('listing a folder of the state directory', () => (existsSync(dir) ? readdirSync(dir) : []));
}

/**
 * Removes a database that ended with what it was for, all its files, those that were set aside included; durable
 * before this returns. True where there was any. A crash in between leaves some of them, and repeating it is safe.
 */
export function removeDatabase(path: string): boolean {
  return guarded('removing a database of the state directory', () => {
    const [dir, name] = [dirname(path), basename(path)];
    const own = namesIn(dir).filter(
      (one) => one === name || one.startsWith(`${name}-`) || one.startsWith(`${name}.`),
    );
    const removed = own.filter((one) => drop(join(dir, one)));
    if (removed.length > 0) syncDir(dir);
    return removed.length > 0;
  });
}

/** Sets the side files of a database that is gone aside: they would be replayed into the next one of that name. */
export function setSidesAside(path: string): void {
  guarded('setting the rest of an old database aside', () => {
    const sides = ['-wal', '-shm'].filter((suffix) => existsSync(path + suffix));
    let n = 1;
    while (sides.some((suffix) => existsSync(`${path}.left-${n}${suffix}`))) n += 1;
    for (const suffix of sides) renameSync(path + suffix, `${path}.left-${n}${suffix}`);
    if (sides.length > 0) syncDir(dirname(path));
  });
}

/** True where a crash interrupted a quarantine: side files moved, the database itself still in place. */
export function halfQuarantined(path: string): boolean {
  let n = 1;
  while (existsSync(quarantined(path, n))) n += 1;
  const sides = ['-wal', '-shm'].some((suffix) => existsSync(quarantined(path, n, suffix)));
  return sides && existsSync(path);
}
