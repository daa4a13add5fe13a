/** A map that never holds more than so many: whoever came first gives way. */
export class Bounded<V> {
  readonly #map = new Map<string, V>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#map.size;
  }

  get(key: string): V | undefined {
    return this.#map.get(key);
  }

  /** Returns what had to give way for it. */
  set(key: string, value: V): V | null {
    const oldest = this.#map.size < this.#max || this.#map.has(key) ? null : this.#map.entries().next().value;
    if (oldest) this.#map.delete(oldest[0]);
    this.#map.set(key, value);
    return oldest?.[1] ?? null;
  }

  delete(key: string): void {
    this.#map.delete(key);
  }

  values(): IterableIterator<V> {
    return this.#map.values();
  }
}

/**
 * The same text in memory of its own. A part cut out of a line keeps the whole line alive, and what is kept for hours
 * would keep as many lines.
 */
export function ownText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
