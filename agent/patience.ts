/** Asks what may never answer, a disk behind a network for one: each thing once at a time, and nobody waits for long. */
import { type Clock, SECOND_MS } from '../protocol/time.ts';

const ANSWER_MS = 5 * SECOND_MS;

export class Patience {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #asked = new Set<string>();

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock;
  }

  /** Null where it fails, does not answer now, or still owes an answer. @param what names the thing that is asked */
  async ask<T>(what: string, ask: () => Promise<T>): Promise<T | null> {
    if (this.#asked.has(what)) return null;
    this.#asked.add(what);
    const answer = ask()
      .catch(() => null)
      .finally(() => this.#asked.delete(what));
    let cancel = () => {};
    const late = new Promise<null>((resolve) => {
      cancel = this.#clock.after(ANSWER_MS, () => resolve(null));
    });
    return await Promise.race([answer, late]).finally(cancel);
  }
}
