/**
 * The one door through which a recording is removed. Nothing else in the product unlinks a file that is not our own.
 *
 * C18 The file checks of R3 leave a file alone that is not what the catalogue knows: a regular file of that size and,
 *     where it lasts, that inode. Unlinking goes through the open parent folder, reached from the open root without following a
 *     link and without leaving its file system: a parent that is swapped meanwhile erases nothing.
 * C16 A file with a second name is left alone: removing one name would erase nothing, and say that it had.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  lstatSync,
  openSync,
  rmdirSync,
  type Stats,
  unlinkSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { codeOf, hasCode } from '../../protocol/errors.ts';
import { forSystem } from './names.ts';
import type { OpenRoot } from './root.ts';
import type { ByteName } from './types.ts';

/** What the catalogue knows of a file; null: it does not. */
export interface Expected {
  sizeBytes: number | null;
  inode: number | null;
}

export type Erased =
  | 'erased'
  /** Was not there any more. */
  | 'absent'
  /** Left alone: what lies there is not what the catalogue knows. */
  | 'not-regular'
  | 'linked'
  | 'changed'
  | { failed: string };

/** A folder below an accepted root, open. */
export interface EraseFolder {
  erase(name: ByteName, expected: Expected): Erased;
  /** False only where it is certain that nothing of that name is there. Looks only. */
  has(name: ByteName): boolean;
  /** What lies there, without following a link; a text: why nobody can say. */
  look(name: ByteName): Stats | 'absent' | 'unreadable';
  /** Descriptor of a regular file, for reading; the caller closes it. Null: there is none, or it cannot be read. */
  read(name: ByteName): number | null;
  /** Removes an empty folder in this one; false where it is not empty, or no folder. */
  removeEmpty(name: ByteName): boolean;
  /** What was removed stays removed after a power cut. Others have their turn meanwhile. */
  sync(): Promise<void>;
  close(): void;
}

const synced = promisify(fsync);
const FOLDER = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0) | (constants.O_NOFOLLOW ?? 0);

/** True where this system can reach a name through an open folder. Elsewhere recordings are only reported. */
export function canErase(platform: string): boolean {
  return platform === 'linux';
}

/**
 * Opens a folder below the root, one part after the other.
 * @returns `absent`: it is not there; `blocked`: a link, a file or another file system stands in the way
 */
export function openFolder(root: OpenRoot, path: readonly ByteName[]): EraseFolder | 'absent' | 'blocked' {
  let fd = openSync(`/proc/self/fd/${root.fd}`, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const part of path) {
      const next = openSync(inside(fd, part), FOLDER);
      closeSync(fd);
      fd = next;
    }
    if (fstatSync(fd).dev === root.dev) return folderOf(fd);
  } catch (error) {
    closeSync(fd);
    return hasCode(error, 'ENOENT') ? 'absent' : 'blocked';
  }
  closeSync(fd);
  return 'blocked';
}

function folderOf(fd: number): EraseFolder {
  return {
    erase: (name, expected) => eraseIn(fd, name, expected),
    has(name) {
      try {
        lstatSync(inside(fd, name));
        return true;
      } catch (error) {
        return codeOf(error) !== 'ENOENT';
      }
    },
    look(name) {
      try {
        return lstatSync(inside(fd, name));
      } catch (error) {
        return codeOf(error) === 'ENOENT' ? 'absent' : 'unreadable';
      }
    },
    read: (name) => readIn(fd, name),
    removeEmpty(name) {
      try {
        rmdirSync(inside(fd, name));
        return true;
      } catch {
        // Not empty, a mount point, not ours to remove: it stays.
        return false;
      }
    },
    sync: () => synced(fd),
    close: () => closeSync(fd),
  };
}

function readIn(folder: number, name: ByteName): number | null {
  let fd: number;
  try {
    // Not to wait for the other end of a pipe that somebody laid there.
    fd = openSync(inside(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return null;
}

function eraseIn(fd: number, name: ByteName, { sizeBytes, inode }: Expected): Erased {
  const path = inside(fd, name);
  try {
    const found = lstatSync(path);
    if (!found.isFile()) return 'not-regular';
    if (found.nlink > 1) return 'linked';
    if ((sizeBytes !== null && found.size !== sizeBytes) || (inode !== null && found.ino !== inode))
      return 'changed';
    unlinkSync(path);
    return 'erased';
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'absent' : { failed: codeOf(error) };
  }
}

/** The system resolves the number to the folder that is open, wherever its name leads by now (proc(5)). */
function inside(fd: number, name: ByteName): string | Buffer {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new RangeError('no name of a file');
  }
  return forSystem(`/proc/self/fd/${fd}/${name}`);
}
