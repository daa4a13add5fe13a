/**
 * Where the agent's control socket lies: `control.sock` in the state directory. A socket's path is cut at about
 * 108 bytes (104 on macOS), so a long one is reached another way; both sides of the socket ask here.
 */
import { closeSync, lstatSync, openSync } from 'node:fs';
import { platform, tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { sha256 } from '../protocol/canonical.ts';
import { hasCode, TilsynError } from '../protocol/errors.ts';
import { DIR_MODE, ensureStateDir, inState } from './files.ts';

export const CONTROL_FILE = 'control.sock';
/** Below the shortest limit of the systems that we run on. */
export const MAX_PATH_BYTES = 100;

export interface ControlPath {
  /** What to listen at or connect to. */
  address: string;
  /** The socket as an ordinary path, to remove and restrict; null where it is no file (Windows). */
  file: string | null;
  /** Gives up what `address` needed; once connected or closed. */
  release(): void;
}

const nothing = () => {};

/**
 * @param listens true: what is missing on the way is made
 * @throws TilsynError `control.unsafe` where the way leads through a folder of someone else
 */
export function controlPath(dir: string, listens: boolean): ControlPath {
  if (platform() === 'win32') {
    return { address: `\\\\.\\pipe\\tilsyn-${shortName(dir)}`, file: null, release: nothing };
  }
  const file = inState(dir, CONTROL_FILE);
  if (Buffer.byteLength(file) <= MAX_PATH_BYTES) return { address: file, file, release: nothing };
  if (platform() === 'linux') return throughDescriptor(dir, file);
  return inTemporary(dir, listens);
}

/** Linux: the folder is opened, and the socket named by its descriptor. The file is where it would be anyway. */
function throughDescriptor(dir: string, file: string): ControlPath {
  const fd = openFolder(dir);
  let open = true;
  const release = () => {
    if (open) closeSync(fd);
    open = false;
  };
  return { address: `/proc/self/fd/${fd}/${CONTROL_FILE}`, file, release };
}

function openFolder(dir: string): number {
  try {
    return openSync(dir, 'r');
  } catch (cause) {
    if (!hasCode(cause, 'ENOENT', 'ENOTDIR')) throw cause;
    throw new TilsynError('state.missing', 'looking for the agent: there is no such state directory', {
      hint: 'Name it with --state DIR.',
      exit: 'notFound',
      cause,
    });
  }
}

/** Elsewhere: a short folder of this user's own. */
function inTemporary(dir: string, listens: boolean): ControlPath {
  const folder = join(tmpdir(), `tilsyn-${shortName(dir)}`);
  if (listens) ensureStateDir(folder);
  checkOwn(folder);
  const file = join(folder, CONTROL_FILE);
  return { address: file, file, release: nothing };
}

/** In a folder that everyone may write to, someone else may have been first. */
function checkOwn(folder: string): void {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (stat.isDirectory() && stat.uid === userInfo().uid && (stat.mode & 0o777) === DIR_MODE) return;
  throw new TilsynError('control.unsafe', 'opening the control socket: its folder belongs to someone else', {
    hint: 'Use a state directory with a path of less than 88 bytes.',
    exit: 'forbidden',
  });
}

function shortName(dir: string): string {
  return sha256(resolve(dir)).toString('hex').slice(0, 24);
}
