/** A disk of a few megabytes that can be filled up and freed again: a tmpfs of its own. Needs root. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const CHUNK = Buffer.alloc(1024 * 1024);
const PAGE = Buffer.alloc(4096);

/** Mounted at this moment, by this process; `unmountAll` is for the way out, also after an error. */
const mounted = new Set<SmallDisk>();

export class SmallDisk {
  readonly path: string;
  readonly #filler: string;

  constructor(path: string, megabytes: number) {
    this.path = path;
    this.#filler = join(path, 'filler');
    mkdirSync(path, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tilsyn-faults', path]);
    mounted.add(this);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Takes all that is left. Called again it takes what others gave back since. */
  fill(): void {
    if (!mounted.has(this)) return;
    const fd = openSync(this.#filler, 'a');
    try {
      for (const piece of [CHUNK, PAGE]) while (writes(fd, piece));
    } finally {
      closeSync(fd);
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  unmount(): void {
    if (!mounted.delete(this)) return;
    execFileSync('umount', ['-l', this.path]);
  }
}

/** False where the disk is full. */
function writes(fd: number, piece: Buffer): boolean {
  try {
    return writeSync(fd, piece) === piece.length;
  } catch {
    return false;
  }
}

export function unmountAll(): void {
  for (const disk of mounted) disk.unmount();
}
