/**
 * Whether the root is still the one that a person pointed at. A root that is not stops the sweep: an empty mount point, a
 * wrong disk or a moved link must not cost a single file, nor look as if all of them had vanished.
 *
 * R3  *Root checks*: marker file with the source's id, identity of the file system (type, device, UUID; `st_dev` only
 *     within one process), real path. A missing mount erases nothing.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { codeOf, hasCode, TilsynError } from '../../protocol/errors.ts';
import { id } from '../../protocol/group.ts';
import type { SourceId } from '../../protocol/ids.ts';
import { writeAtomic } from '../files.ts';

/** Lies in each root; says whose it is. No secret: who can write there can erase as well. */
export const MARKER_FILE = '.tilsyn-source';
const MAX_MARKER_BYTES = 4096;

const marker = z.object({ v: z.literal(1), source: id });

/** What a file system is known by over restarts. `device` is what is mounted, `uuid` where it has one. */
export interface FsIdentity {
  type: string;
  device: string;
  uuid: string | null;
}

/** What was accepted, by a person, as the root of a source. */
export interface AcceptedRoot {
  source: SourceId;
  root: string;
  fs: FsIdentity;
}

export type RootTrouble =
  | 'root-gone'
  | 'root-moved'
  | 'root-unreadable'
  | 'marker-missing'
  | 'marker-unreadable'
  | 'marker-other'
  | 'file-system-other';

export interface OpenRoot {
  /** Descriptor of the root's folder. */
  fd: number;
  /** Of this process run only. */
  dev: number;
  close(): void;
}

export function markerText(source: SourceId): string {
  return `${JSON.stringify({ v: 1, source })}\n`;
}

/**
 * A person says that this folder is meant: puts the marker of a source into it (C41).
 * @throws TilsynError `root.unusable`
 */
export function writeMarker(root: string, source: SourceId): void {
  try {
    if (realpathSync.native(root) !== resolve(root)) throw new Error('a link');
    writeAtomic(join(root, MARKER_FILE), markerText(source));
  } catch (error) {
    throw new TilsynError(
      'root.unusable',
      'accepting the root of a recordings source: its marker cannot be written',
      {
        hint: 'Is the disk mounted, writable for this account, and the path a real one without links?',
        cause: error,
      },
    );
  }
}

/** Opens the root where it is the accepted one; whoever erases goes on from this descriptor, not from the path. */
export function openRoot({ source, root, fs }: AcceptedRoot): OpenRoot | { trouble: RootTrouble } {
  let fd: number;
  try {
    // A link in the way would make it another path: what was accepted was a real one.
    if (realpathSync.native(root) !== resolve(root)) return { trouble: 'root-moved' };
    fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    return { trouble: hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP') ? 'root-gone' : 'root-unreadable' };
  }
  const trouble = troubleOf(fd, source, root, fs);
  if (trouble === null) return { fd, dev: fstatSync(fd).dev, close: () => closeSync(fd) };
  closeSync(fd);
  return { trouble };
}

function troubleOf(fd: number, source: SourceId, root: string, accepted: FsIdentity): RootTrouble | null {
  try {
    // Another folder was put in its place between the look at the path and the opening.
    const [there, held] = [statSync(root), fstatSync(fd)];
    if (there.ino !== held.ino || there.dev !== held.dev) return 'root-moved';
    const found = readMarker(root);
    if (found !== source)
      return found === 'missing' ? 'marker-missing' : found === null ? 'marker-unreadable' : 'marker-other';
    return sameFs(accepted, identityOf(root)) ? null : 'file-system-other';
  } catch {
    return 'root-unreadable';
  }
}

/** The source whose marker lies in a root; null: it is none of ours, or cut off. */
export function readMarker(root: string): SourceId | 'missing' | null {
  try {
    const text = readFileSync(join(root, MARKER_FILE), 'utf8').slice(0, MAX_MARKER_BYTES);
    const read = marker.safeParse(JSON.parse(text));
    return read.success ? (read.data.source as SourceId) : null;
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'missing' : null;
  }
}

function sameFs(a: FsIdentity, b: FsIdentity): boolean {
  if (a.type !== b.type) return false;
  // Device names change with the order in which disks are found; the UUID does not.
  if (a.uuid !== null && b.uuid !== null) return a.uuid === b.uuid;
  return a.device === b.device;
}

/** Of the file system that `path` lies on. Linux tells the mount; elsewhere the volume's number stands for it. */
export function identityOf(path: string): FsIdentity {
  const { dev } = statSync(path);
  const mount = mountOf(dev, path);
  if (mount === null) return { type: 'volume', device: String(dev), uuid: null };
  return { ...mount, uuid: uuidOf(mount.device) };
}

/** `/proc/self/mountinfo`, proc(5): id parent major:minor root point options [optional…] - type source options. */
function mountOf(dev: number, path: string): { type: string; device: string } | null {
  let text: string;
  try {
    text = readFileSync('/proc/self/mountinfo', 'latin1');
  } catch {
    return null;
  }
  const real = Buffer.from(realpathSync.native(path)).toString('latin1');
  const major = ((dev >> 8) & 0xfff) | (Math.floor(dev / 2 ** 32) & ~0xfff);
  const minor = (dev & 0xff) | ((dev >> 12) & ~0xff);
  let best: { point: string; type: string; device: string } | null = null;
  for (const line of text.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , number = '', , point = ''] = before.split(' ').map(plain);
    const [type = '', device = ''] = after.split(' ').map(plain);
    const over = point === '/' || real === point || real.startsWith(`${point}/`);
    if (!over || (best !== null && best.point.length > point.length)) continue;
    // A later mount on the same point covers the earlier one. btrfs gives a subvolume a device number of its own.
    if (number === `${major}:${minor}` || type === 'btrfs' || best === null) best = { point, type, device };
  }
  return best === null ? null : { type: best.type, device: best.device };
}

/** Blanks and the like stand as octal there. */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function uuidOf(device: string): string | null {
  const folder = '/dev/disk/by-uuid';
  try {
    const real = realpathSync.native(device);
    for (const uuid of readdirSync(folder)) {
      if (resolve(folder, readlinkSync(join(folder, uuid))) === real) return uuid;
    }
  } catch {
    // No such folder, or a file system without a device: the source's name has to do.
  }
  return null;
}
