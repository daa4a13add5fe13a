/**
 * Space set aside for the moment when the disk is full: a file of random bytes that is removed so that the
 * journal can write, ack and drain, and made again as soon as there is room.
 *
 * Deleting needs space too: queues elsewhere wedged for good on a full disk because they could not even delete.
 */
import type { Random } from '../protocol/ids.ts';
import { type Clock, MINUTE_MS } from '../protocol/time.ts';
import { freeBytes, inState, preallocate, removeFile, sizeOf } from './files.ts';

export const BALLAST_BYTES = 8 * 1024 * 1024;
export const BALLAST_FILE = 'ballast';
/** Made again only where this many times its size is free, so that it is not the one to fill the disk. */
const ROOM = 4;
const RETRY_MS = 5 * MINUTE_MS;

export class Ballast {
  readonly #dir: string;
  readonly #bytes: number;
  readonly #clock: Clock;
  readonly #random: Random;
  #nextTry = Number.NEGATIVE_INFINITY;

  constructor(dir: string, options: { clock: Clock; random: Random; bytes?: number }) {
    this.#dir = dir;
    this.#bytes = options.bytes ?? BALLAST_BYTES;
    this.#clock = options.clock;
    this.#random = options.random;
  }

  get path(): string {
    return inState(this.#dir, BALLAST_FILE);
  }

  present(): boolean {
    return sizeOf(this.path) === this.#bytes;
  }

  /** Bytes free beside it; unlimited where the system does not say. */
  free(): number {
    return freeBytes(this.#dir) ?? Number.POSITIVE_INFINITY;
  }

  /** So much is free beside it that it would be made if it were not there. */
  roomy(): boolean {
    return this.free() >= this.#bytes * ROOM;
  }

  /** Frees the space. False where there was none set aside. */
  release(): boolean {
    this.#nextTry = this.#clock.mono() + RETRY_MS;
    return removeFile(this.path);
  }

  /** Sets the space aside where it is missing and there is room. Cheap to call often. True where it is there. */
  restock(): boolean {
    if (this.#clock.mono() < this.#nextTry) return false;
    this.#nextTry = this.#clock.mono() + RETRY_MS;
    if (this.present()) return true;
    if (!this.roomy()) return false;
    try {
      preallocate(this.path, this.#bytes, this.#random);
      return true;
    } catch {
      // Someone else took the room in between. Its absence is a finding of `agent check`; the next try is due.
      return false;
    }
  }
}
