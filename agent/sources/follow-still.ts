/**
 * A file at rest. Most looks find nothing new, and a whole look costs four ways through the thread pool; one `stat`
 * is enough to see that nothing was touched since a whole look found everything read.
 *
 * H1  Only a file that was read to its end, alone, by a whole look that began after the glance, counts as at rest.
 * H2  A change time so fresh that another write could carry the same one proves nothing.
 * H3  A whole look is taken every few seconds all the same: not every file system keeps its times.
 */
import { SECOND_MS, type UtcMs } from '../../protocol/time.ts';

/** What `stat` says of the path. Bytes, size, name and rights of a file do not change without its change time. */
export interface Glance {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

/** Coarsest time stamps of a file system in use (FAT and its kin): 2 s. */
const SETTLED_MS = 2 * SECOND_MS;
const WHOLE_LOOK_MS = 5 * SECOND_MS;

export class Still {
  #seen: Glance | null = null;
  /** Monotonic time of the whole look. */
  #at = 0;

  /** True where nothing can have changed since the look that `note` told of. */
  holds(glance: Glance | null, mono: number): boolean {
    const seen = this.#seen;
    if (seen === null || glance === null || mono - this.#at >= WHOLE_LOOK_MS) return false;
    return (
      seen.dev === glance.dev &&
      seen.ino === glance.ino &&
      seen.size === glance.size &&
      seen.mtimeNs === glance.mtimeNs &&
      seen.ctimeNs === glance.ctimeNs
    );
  }

  /** A whole look that began after `glance` found the file read to its end, at `now` by the clock of the machine. */
  note(glance: Glance | null, now: UtcMs, mono: number): void {
    this.#at = mono;
    const settled = glance !== null && now - Number(glance.ctimeNs / 1_000_000n) > SETTLED_MS;
    this.#seen = settled ? glance : null;
  }

  /** The look found something, or failed. */
  forget(): void {
    this.#seen = null;
  }
}
