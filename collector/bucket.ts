/** Token buckets: how often something may happen. In RAM only, so addresses may be keys. */
import { type Clock, SECOND_MS } from '../protocol/time.ts';

export class Bucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  #level: number;
  #at: number;

  constructor(clock: Clock, limits: { perSecond: number; burst: number }) {
    this.#clock = clock;
    this.#perSecond = limits.perSecond;
    this.#burst = limits.burst;
    this.#level = limits.burst;
    this.#at = clock.mono();
  }

  #fill(): void {
    const now = this.#clock.mono();
    const gained = ((now - this.#at) / SECOND_MS) * this.#perSecond;
    this.#level = Math.min(this.#burst, this.#level + Math.max(0, gained));
    this.#at = now;
  }

  /** True where there is one left, or so many, without taking them. */
  has(count = 1): boolean {
    this.#fill();
    return this.#level >= count;
  }

  take(count = 1): boolean {
    if (!this.has(count)) return false;
    this.#level -= count;
    return true;
  }

  /** Takes what was used already, also below nothing: what comes next waits so much longer. */
  spend(count: number): void {
    this.#fill();
    this.#level -= count;
  }

  /** Milliseconds until there is one again, or so many. */
  wait(count = 1): number {
    this.#fill();
    return Math.max(0, Math.ceil(((count - this.#level) / this.#perSecond) * SECOND_MS));
  }
}

/** One bucket per key; the oldest keys are forgotten, so that a flood of keys takes no memory. */
export class Buckets {
  readonly #of = new Map<string, Bucket>();
  readonly #make: () => Bucket;
  readonly #most: number;

  constructor(make: () => Bucket, most = 4096) {
    this.#make = make;
    this.#most = most;
  }

  of(key: string): Bucket {
    const bucket = this.#of.get(key) ?? this.#make();
    this.#of.delete(key);
    this.#of.set(key, bucket);
    if (this.#of.size > this.#most) {
      const [oldest] = this.#of.keys();
      if (oldest !== undefined) this.#of.delete(oldest);
    }
    return bucket;
  }
}
