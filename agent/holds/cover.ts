/**
 * What a hold covers on this host: counted row by row, in pages between which everything else has its turn. A recording
 * is covered by the law that the sweep goes by (`protocol/hold.ts`), so that what is told is what is kept.
 */
import { covers, type Hold, type HoldOrder } from '../../protocol/hold.ts';
import { idBytes, isId } from '../../protocol/ids.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';
import { STATES } from '../recordings/types.ts';

export interface Covered {
  /** Present now. */
  recordings: number;
  bytes: number;
  /** Marked for erasing before the hold came: past the point of no return (R2). */
  erasing: number;
  erased: number;
  /** Vanished without us. */
  missing: number;
  /** Earliest start and latest end among those present; null: none, or not known. */
  oldest: UtcMs | null;
  newest: UtcMs | null;
}

interface RawCovered {
  ends: number;
  folder: number;
  name: Buffer;
  start: number;
  spread: number;
  size: number | null;
}

const PAGE = 2_000;
const [PRESENT, ERASING, ERASED, MISSING] = STATES.map((_, i) => i) as [number, number, number, number];

export class CoverCount {
  readonly #cameras: Statement<[], { id: number; source: number; camera: Buffer }>;
  readonly #page: Statement<unknown[], RawCovered>;

  constructor(db: Db) {
    this.#cameras = db.prepare('SELECT id, source, camera FROM rec_cameras ORDER BY id');
    this.#page = db.prepare(
      `SELECT coalesce(ends, -1) AS ends, folder, name, start, spread, size FROM recordings
       WHERE camera = ? AND state = ? AND (coalesce(ends, -1), folder, name) > (?, ?, ?)
       ORDER BY coalesce(ends, -1), folder, name LIMIT ?`,
    );
  }

  /**
   * What the catalogue knows of it now.
   * @param rest lets others have their turn
   * @param spanOf how long after its start a recording of this source can end; null: nobody can say
   */
  async count(
    order: HoldOrder,
    rest: () => Promise<void>,
    spanOf: (source: number) => number | null = () => null,
  ): Promise<Covered> {
    const sum: Covered = {
      ...{ recordings: 0, bytes: 0, erasing: 0, erased: 0, missing: 0 },
      oldest: null,
      newest: null,
    };
    const hold = orderAsHold(order);
    for (const { id, source, camera } of this.#camerasOf(order)) {
      const span = spanOf(source);
      // What ends later than that began after the hold.
      const last = order.to === null || span === null ? null : order.to + span;
      for (const state of [PRESENT, ERASING, ERASED, MISSING]) {
        // Recordings without a known end stand at -1; of the others none that ended before the hold begins.
        await this.#walk(sum, { hold, id, camera, state, after: -2, last: -1 }, rest);
        await this.#walk(sum, { hold, id, camera, state, after: (order.from ?? 0) - 1, last }, rest);
      }
    }
    return sum;
  }

  /** C80: a camera that is not known may be any. */
  #camerasOf({ cameras }: HoldOrder): { id: number; source: number; camera: string }[] {
    const all = this.#cameras.all().map(({ camera, ...row }) => ({ ...row, camera: camera.toString('hex') }));
    const known = new Set(all.map(({ camera }) => camera));
    if (cameras === undefined || cameras.some((camera) => !isId(camera) || !known.has(camera))) return all;
    const wanted = new Set(cameras.map((camera) => idBytes(camera as never).toString('hex')));
    return all.filter(({ camera }) => wanted.has(camera));
  }

  async #walk(
    sum: Covered,
    it: { hold: Hold; id: number; camera: string; state: number; after: number; last: number | null },
    rest: () => Promise<void>,
  ): Promise<void> {
    let [ends, folder, name]: [number, number, Buffer] = [it.after, Number.MAX_SAFE_INTEGER, Buffer.alloc(0)];
    for (;;) {
      const rows = this.#page.all(it.id, it.state, ends, folder, name, PAGE);
      for (const row of rows) {
        if (it.last !== null && row.ends > it.last) return;
        const bounds = {
          startEarliest: utcMs(row.start),
          startLatest: utcMs(row.start + row.spread),
          endLatest: row.ends < 0 ? null : utcMs(row.ends),
        };
        if (covers(it.hold, { ...THING, cameras: [it.camera], bounds })) add(sum, it.state, row);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      [ends, folder, name] = [last.ends, last.folder, last.name];
      await rest();
    }
  }
}

const THING = {
  kind: 'recording',
  class: 'recording',
  mode: 'managed',
  agreementEndsAt: null,
  restricted: false,
  requestedErasureAt: null,
  sessions: [],
} as const;

/** Its interval alone: its cameras are picked before. */
export function orderAsHold({ hold, from, to }: HoldOrder): Hold {
  return { hold, scope: { from: from === null ? null : utcMs(from), to: to === null ? null : utcMs(to) } };
}

function add(sum: Covered, state: number, { size, start, ends }: RawCovered): void {
  if (state === ERASING) sum.erasing += 1;
  else if (state === ERASED) sum.erased += 1;
  else if (state === MISSING) sum.missing += 1;
  if (state !== PRESENT) return;
  sum.recordings += 1;
  sum.bytes += size ?? 0;
  if (sum.oldest === null || start < sum.oldest) sum.oldest = utcMs(start);
  if (ends >= 0 && (sum.newest === null || ends > sum.newest)) sum.newest = utcMs(ends);
}
