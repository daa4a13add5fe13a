/**
 * A machine's clock that can be moved ahead while a process runs: hours pass in a moment, for the wall clock, for the
 * monotonic one, and for everything that waits for either.
 */
import { type Clock, systemClock, type UtcMs, utcMs } from '../../protocol/time.ts';

interface Waiting {
  due: number;
  stop: () => void;
  fn: () => void;
}

export class AheadClock implements Clock {
  #aheadMs: number;
  readonly #waiting = new Set<Waiting>();

  constructor(aheadMs = 0) {
    this.#aheadMs = aheadMs;
  }

  now(): UtcMs {
    return utcMs(systemClock.now() + this.#aheadMs);
  }

  mono(): number {
    return systemClock.mono() + this.#aheadMs;
  }

  after(ms: number, fn: () => void): () => void {
    const one: Waiting = { due: this.mono() + ms, stop: () => {}, fn };
    this.#waiting.add(one);
    this.#wait(one, ms);
    return () => {
      one.stop();
      this.#waiting.delete(one);
    };
  }

  #wait(one: Waiting, ms: number): void {
    one.stop = systemClock.after(Math.max(0, ms), () => {
      this.#waiting.delete(one);
      one.fn();
    });
  }

  /** So far ahead of the machine from now on; what waited for less of it comes at once, in its order. */
  move(aheadMs: number): void {
    this.#aheadMs = aheadMs;
    const now = this.mono();
    for (const one of [...this.#waiting].sort((a, b) => a.due - b.due)) {
      one.stop();
      this.#wait(one, one.due - now);
    }
  }
}
