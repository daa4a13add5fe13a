/** How large a turn of ingest may be, so that nobody waits long behind it. Pure but for what it remembers. */

/** Longest that a turn should take: a live event waits for the rest of one and for its own. */
const TURN_MS = 200;
/** One transaction takes at most so much: an fsync is shared by many. */
const MOST_EVENTS = 2_000;
/** Below this the fsync costs more than what it makes durable. */
const LEAST_EVENTS = 100;
/** How much the newest turn counts against those before it. */
const WEIGHT = 0.3;

export class Pace {
  #msPerEvent = 0;

  /** Events that the next turn may take. */
  get events(): number {
    if (this.#msPerEvent === 0) return MOST_EVENTS;
    return Math.min(MOST_EVENTS, Math.max(LEAST_EVENTS, Math.floor(TURN_MS / this.#msPerEvent)));
  }

  took(ms: number, events: number): void {
    // A small turn is mostly its fsync and says little about a large one.
    if (events < LEAST_EVENTS) return;
    const now = ms / events;
    this.#msPerEvent = this.#msPerEvent === 0 ? now : this.#msPerEvent * (1 - WEIGHT) + now * WEIGHT;
  }
}
