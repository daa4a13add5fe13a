interface Entry<V> {
  key: string;
  value: V;
  /** Who came next before it, and next after it. */
  older: Entry<V> | null;
  younger: Entry<V> | null;
}

/**
 * A map that never holds more than so many: whoever came first gives way.
 *
 * The order is kept by hand. To ask a `Map` for its first entry walks over all that was removed before it, and an
 * iterator that is kept for that keeps every table that the map ever had.
 */
export class Bounded<V> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #max: number;
  #oldest: Entry<V> | null = null;
  #youngest: Entry<V> | null = null;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Returns what had to give way for it. */
  set(key: string, value: V): V | null {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.value = value;
      return null;
    }
    const pushed = this.#entries.size < this.#max ? null : this.#oldest;
    if (pushed !== null) this.delete(pushed.key);
    const entry: Entry<V> = { key, value, older: this.#youngest, younger: null };
    if (this.#youngest === null) this.#oldest = entry;
    else this.#youngest.younger = entry;
    this.#youngest = entry;
    this.#entries.set(key, entry);
    return pushed === null ? null : pushed.value;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    if (entry.older === null) this.#oldest = entry.younger;
    else entry.older.younger = entry.younger;
    if (entry.younger === null) this.#youngest = entry.older;
    else entry.younger.older = entry.older;
  }

  /** Oldest first. */
  values(): V[] {
    const values: V[] = [];
    for (let entry = this.#oldest; entry !== null; entry = entry.younger) values.push(entry.value);
    return values;
  }
}

/**
 * The same text in memory of its own. A part cut out of a line keeps the whole line alive, and what is kept for hours
 * would keep as many lines.
 */
export function ownText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
