/**
 * What is to be copied, what begins first before what begins later, over all cameras: a page of each at a time, so that a wide
 * hold over millions of recordings is neither read at once nor sorted (I1).
 */
import type { Hold } from '../../protocol/hold.ts';
import type { Standing } from '../recordings/due.ts';
import type { RecordingRow } from '../recordings/types.ts';
import { heldBy } from './plan.ts';
import type { HeldCamera } from './sources.ts';
import type { At, Interval, VaultStore } from './store.ts';

export interface Wanted {
  from: HeldCamera;
  row: RecordingRow;
}

/** One camera's, from interval to interval. */
interface Stream {
  from: HeldCamera;
  left: Interval[];
  after: At | null;
  page: RecordingRow[];
}

const PAGE = 128;

export class Queue {
  readonly #store: VaultStore;
  readonly #standing: Standing;
  readonly #streams: Stream[];

  constructor(store: VaultStore, cameras: readonly HeldCamera[], standing: Standing) {
    this.#store = store;
    this.#standing = standing;
    this.#streams = cameras.map((from) => ({ from, left: [...from.intervals], after: null, page: [] }));
  }

  /** The next one that one of `holds` covers; null: there is none. Skipped: what is being written still. */
  next(holds: readonly Hold[]): Wanted | null {
    for (;;) {
      let first: Stream | null = null;
      for (const stream of this.#streams) {
        this.#fill(stream);
        const [row] = stream.page;
        const best = first?.page[0];
        if (row !== undefined && (best === undefined || begins(row) < begins(best))) first = stream;
      }
      const row = first?.page.shift();
      if (first === null || row === undefined) return null;
      const held = heldBy(row, first.from.camera.camera, this.#standing, holds).length > 0;
      if (held && row.sizeBytes !== null) return { from: first.from, row };
    }
  }

  #fill(stream: Stream): void {
    while (stream.page.length === 0) {
      const [interval] = stream.left;
      if (interval === undefined) return;
      stream.page = this.#store.uncopied(stream.from.camera, interval, stream.after, PAGE);
      const last = stream.page.at(-1);
      if (last === undefined || stream.page.length < PAGE) {
        stream.left.shift();
        stream.after = null;
      } else stream.after = { end: last.bounds.endLatest ?? -1, folder: last.folder, name: last.name };
    }
  }
}

function begins({ bounds }: RecordingRow): number {
  return bounds.startEarliest;
}
