/** One after the other: acts that look first and make then, and must not be mixed with each other. */
import type { Context } from './types.ts';

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `fn` after everything that was given before it, failures included. */
  run<T>(fn: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(fn, fn);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

const queues = new WeakMap<Context, Map<string, Turns>>();

/** The queue of this name; one per collector. */
export function turnsOf(ctx: Context, what: 'customers' | 'groups' | 'generation' | 'ingest'): Turns {
  const ofCtx = queues.get(ctx) ?? new Map<string, Turns>();
  queues.set(ctx, ofCtx);
  const turns = ofCtx.get(what) ?? new Turns();
  ofCtx.set(what, turns);
  return turns;
}
