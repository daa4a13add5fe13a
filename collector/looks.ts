/**
 * A look that is taken again and again while the collector runs: one at a time, and none after the close.
 *
 * V63 A look that fails is told of by its code and taken again: nothing ends for it but that look.
 */
import { codeOf } from '../protocol/errors.ts';
import type { Context } from './types.ts';

export interface LooksOptions {
  everyMs: number;
  /** What the diary says of one that failed. */
  failed: string;
  look: () => Promise<void>;
}

export class Looks {
  readonly #ctx: Pick<Context, 'clock' | 'log'>;
  readonly #o: LooksOptions;
  #running: Promise<void> | null = null;
  #cancel: () => void = () => {};
  #closed = false;

  constructor(ctx: Pick<Context, 'clock' | 'log'>, options: LooksOptions) {
    this.#ctx = ctx;
    this.#o = options;
  }

  /** True from the close on: a long look ends at its next step. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The first one after `everyMs`. */
  start(): void {
    if (this.#closed) return;
    const { clock } = this.#ctx;
    this.#cancel = clock.after(this.#o.everyMs, () => void this.look().finally(() => this.start()));
  }

  /** One look, or the one that runs. Never throws (V63). */
  look(): Promise<void> {
    this.#running ??= this.#o
      .look()
      .catch((error: unknown) => {
        this.#ctx.log.error({ code: codeOf(error) }, this.#o.failed);
      })
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  /** Lets a look that runs finish; none begins after it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#running;
  }
}
