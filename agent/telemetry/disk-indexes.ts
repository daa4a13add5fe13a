/** Which index a mount point has: known ones from memory, new ones from the database. */
import type { Clock } from '../../protocol/time.ts';
import type { TelemetryStore } from './store.ts';

export interface NamedMount {
  index: number;
  mount: string;
}

export class DiskIndexes {
  readonly #store: TelemetryStore;
  readonly #journal: { spare(act: () => void): boolean };
  readonly #clock: Clock;
  readonly #known = new Map<string, number>();

  constructor(store: TelemetryStore, journal: { spare(act: () => void): boolean }, clock: Clock) {
    this.#store = store;
    this.#journal = journal;
    this.#clock = clock;
  }

  /**
   * @returns values under their indexes, and whether one of them was not known to this process before. Left out:
   *   new disks while there is no room to remember them, or while all indexes are taken.
   */
  index<V>(disks: ReadonlyMap<string, V>): { fresh: boolean; indexed: Map<number, V> } {
    const unknown = [...disks.keys()].filter((mount) => !this.#known.has(mount));
    if (unknown.length > 0) this.#learn(unknown);
    const indexed = new Map<number, V>();
    for (const [mount, value] of disks) {
      const index = this.#known.get(mount);
      if (index !== undefined) indexed.set(index, value);
    }
    return { fresh: unknown.some((mount) => this.#known.has(mount)), indexed };
  }

  /** Where there is no room to write, an index that is stored already serves all the same. */
  #learn(mounts: readonly string[]): void {
    const found = new Map<string, number | null>();
    const now = this.#clock.now();
    const fitted = this.#journal.spare(() => {
      for (const mount of mounts) found.set(mount, this.#store.see(mount, now));
    });
    for (const mount of mounts) {
      const index = fitted ? found.get(mount) : this.#store.indexOf(mount);
      if (index !== null && index !== undefined) this.#known.set(mount, index);
    }
  }

  named(): NamedMount[] {
    return [...this.#known].map(([mount, index]) => ({ index, mount })).sort((a, b) => a.index - b.index);
  }
}
