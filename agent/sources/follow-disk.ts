/**
 * The follower's only way to the disk: open read-only, look, read, list. It never locks, writes, renames or
 * removes. Failures are system errors with their code; `missing` is null.
 */
import { constants, type Dirent } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasCode } from '../../protocol/errors.ts';
import { HEAD_BYTES, type Seen } from './follow-identity.ts';
import type { Glance } from './follow-still.ts';

/** Test seam: `hit` may throw a system error in place of the call named. */
export interface FollowFaults {
  hit(point: string): void;
}

export interface Opened {
  handle: FileHandle;
  seen: Seen;
}

/** Another file of the same folder. */
export interface Sibling extends Seen {
  name: string;
}

/** Folders with more files than this are looked at by name first (install folders hold a few hundred). */
const SIBLINGS_LOOKED_AT = 512;

/** A named pipe put in the file's place must not hang the agent. Not defined on Windows. */
export const READ_ONLY = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

export class FollowDisk {
  readonly path: string;
  readonly #faults: FollowFaults | undefined;
  readonly #handles = new Set<FileHandle>();

  constructor(path: string, faults: FollowFaults | undefined) {
    this.path = path;
    this.#faults = faults;
  }

  /** Inode at the followed path; null where nothing lies there. */
  async inodeAtPath(): Promise<string | null> {
    this.#faults?.hit('follow.stat');
    const found = await orMissing(stat(this.path, { bigint: true }));
    return found === null ? null : found.ino.toString();
  }

  /** The followed path as it lies there; null where it is missing or cannot be looked at. */
  async glance(): Promise<Glance | null> {
    try {
      this.#faults?.hit('follow.glance');
      const { dev, ino, size, mtimeNs, ctimeNs } = await stat(this.path, { bigint: true });
      return { dev, ino, size, mtimeNs, ctimeNs };
    } catch {
      return null;
    }
  }

  /** Opens a file of the folder (the followed one unless named). Null where it is missing. */
  async open(name = basename(this.path)): Promise<Opened | null> {
    this.#faults?.hit('follow.open');
    const handle = await orMissing(open(join(dirname(this.path), name), READ_ONLY));
    if (handle === null) return null;
    this.#handles.add(handle);
    return { handle, seen: await this.look(handle) };
  }

  async look(handle: FileHandle): Promise<Seen> {
    const now = await handle.stat({ bigint: true });
    if (!now.isFile()) throw notAFile(now.isDirectory());
    const head = Buffer.allocUnsafe(Math.min(HEAD_BYTES, Number(now.size)));
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    return {
      ino: now.ino.toString(),
      size: Number(now.size),
      mtimeMs: Number(now.mtimeNs / 1000n) / 1000,
      head: head.subarray(0, bytesRead),
    };
  }

  /** Bytes read into `block` from `offset`; 0 at the end. */
  async read(handle: FileHandle, block: Buffer, offset: number): Promise<number> {
    this.#faults?.hit('follow.read');
    return (await handle.read(block, 0, block.length, offset)).bytesRead;
  }

  /** The other regular files of the folder; those that cannot be opened are left out, as is a whole folder. */
  async siblings(prefer: (name: string) => boolean): Promise<Sibling[]> {
    this.#faults?.hit('follow.list');
    const entries = await readdir(dirname(this.path), { withFileTypes: true }).catch(unlessRefused);
    const own = basename(this.path);
    const names = entries.filter((entry) => entry.isFile() && entry.name !== own).map((entry) => entry.name);
    names.sort((a, b) => Number(prefer(b)) - Number(prefer(a)));
    const found: Sibling[] = [];
    for (const name of names.slice(0, SIBLINGS_LOOKED_AT)) {
      const seen = await this.#glance(join(dirname(this.path), name));
      if (seen !== null) found.push({ ...seen, name });
    }
    return found;
  }

  /** Closes every handle but those in `keep`. */
  async closeExcept(keep: Iterable<FileHandle>): Promise<void> {
    const kept = new Set(keep);
    for (const handle of this.#handles) {
      if (kept.has(handle)) continue;
      this.#handles.delete(handle);
      await handle.close();
    }
  }

  async #glance(path: string): Promise<Seen | null> {
    const handle = await open(path, READ_ONLY).catch(() => null);
    if (handle === null) return null;
    try {
      return await this.look(handle);
    } catch {
      return null;
    } finally {
      await handle.close();
    }
  }
}

async function orMissing<T>(act: Promise<T>): Promise<T | null> {
  try {
    return await act;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** A folder that may be entered but not listed must not keep us from the followed file itself. */
function unlessRefused(error: unknown): Dirent[] {
  if (hasCode(error, 'ENOENT', 'EACCES', 'EPERM')) return [];
  throw error;
}

function notAFile(isDirectory: boolean): Error {
  const code = isDirectory ? 'EISDIR' : 'not-a-file';
  return Object.assign(new Error('the followed path is not a regular file'), { code });
}
