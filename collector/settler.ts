/**
 * Empties the store's log after an erasure, so that what was deleted stands in no file (S3). One look at a time: what
 * was asked for while it runs is served by one more.
 */
import { codeOf } from '../protocol/errors.ts';
import { SECOND_MS } from '../protocol/time.ts';
import type { Context } from './types.ts';

/** A backup or another reader was in the way. */
const AGAIN_MS = SECOND_MS;

class Settler {
  readonly #ctx: Context;
  #running = false;
  #asked = false;
  #cancel: () => void = () => {};

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  ask(): void {
    this.#cancel();
    this.#asked = true;
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    let settled = true;
    while (this.#asked) {
      this.#asked = false;
      settled = await this.#settle();
    }
    this.#running = false;
    if (settled) this.#ctx.faults.hit?.('collector.settled');
    else this.#cancel = this.#ctx.clock.after(AGAIN_MS, () => this.ask());
  }

  /** True also where the store is closed: the next start settles it. A full disk is tried again, as a reader is. */
  #settle(): Promise<boolean> {
    return this.#ctx.store.settle().catch((error: unknown) => codeOf(error) === 'store.closed');
  }
}

const settlers = new WeakMap<Context, Settler>();

/** Asks for it; returns at once. */
export function settleSoon(ctx: Context): void {
  const settler = settlers.get(ctx) ?? new Settler(ctx);
  settlers.set(ctx, settler);
  settler.ask();
}
