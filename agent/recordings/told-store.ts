/** What was told of cameras, and the rows that it is told from. Everything that writes runs inside the caller's transaction. */
import type { Db, Statement } from '../db.ts';
import type { Day, DayRow, Hole } from './days.ts';
import { toBytes } from './names.ts';
import type { ByteName } from './types.ts';

/** Where a page of rows ended. */
export interface RowPlace {
  state: number;
  end: number;
  folder: number;
  name: ByteName;
}

export interface GapRow {
  starts: number;
  /** Null: open. */
  ends: number | null;
}

export class ToldStore {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Db) {
    this.#sql = prepare(db);
  }

  /** Rows of a camera in one state that end after `after`, in the order of their ends; those without one first. */
  rows(camera: number, after: RowPlace, limit: number): { rows: DayRow[]; next: RowPlace | null } {
    const { state, end, folder, name } = after;
    // The end alone bounds the walk through the index; the rest of the place only says where in it to begin.
    const place = { camera, state, end, folder, name: toBytes(name) };
    const rows = this.#sql.rows.all({ ...place, limit });
    // Only where the page ended: the names of a million rows would be a million buffers.
    const last = rows.length < limit ? undefined : this.#sql.place.get({ ...place, limit: limit - 1 });
    const next = last === undefined ? null : { ...last, state, name: last.name.toString('latin1') };
    return { rows, next };
  }

  /** Latest end of a camera's recordings, at or before `by`; null: there is none. */
  latestEnd(camera: number, by: number): number | null {
    const ends = [0, 1, 2, 3].flatMap((state) => this.#sql.latest.get(camera, state, by)?.ends ?? []);
    return ends.length === 0 ? null : Math.max(...ends);
  }

  /** In the order of time. */
  days(camera: number): Day[] {
    return this.#sql.days.all(camera);
  }

  putDay(camera: number, day: Day): void {
    const { starts, ends, count, bytes, first, last, present, erased, missing } = day;
    this.#sql.putDay.run(
      ...[camera, starts, ends, count, bytes, first, last, present, erased, missing],
      ...[day.gaps, day.gapSeconds, day.longestSeconds, day.boundSeconds],
    );
  }

  openGap(camera: number): GapRow | null {
    return this.#sql.openGap.get(camera) ?? null;
  }

  knowsGap(camera: number, { from }: Pick<Hole, 'from'>): boolean {
    return this.#sql.gap.get(camera, from) !== undefined;
  }

  putGap(camera: number, { starts, ends }: GapRow): void {
    this.#sql.putGap.run(camera, starts, ends);
  }
}

function prepare(db: Db) {
  const one = <R>(sql: string): Statement<unknown[], R> => db.prepare<unknown[], R>(sql);
  return {
    rows: one<DayRow>(
      `SELECT start, spread, ends, size, state FROM recordings
       WHERE camera = @camera AND state = @state AND coalesce(ends, -1) >= @end
         AND (coalesce(ends, -1), folder, name) > (@end, @folder, @name)
       ORDER BY coalesce(ends, -1), folder, name LIMIT @limit`,
    ),
    place: one<{ end: number; folder: number; name: Buffer }>(
      `SELECT coalesce(ends, -1) AS end, folder, name FROM recordings
       WHERE camera = @camera AND state = @state AND coalesce(ends, -1) >= @end
         AND (coalesce(ends, -1), folder, name) > (@end, @folder, @name)
       ORDER BY coalesce(ends, -1), folder, name LIMIT 1 OFFSET @limit`,
    ),
    latest: one<{ ends: number }>(
      `SELECT ends FROM recordings WHERE camera = ? AND state = ? AND coalesce(ends, -1) >= 0
       AND coalesce(ends, -1) <= ? ORDER BY coalesce(ends, -1) DESC LIMIT 1`,
    ),
    days: one<Day>(
      `SELECT starts, ends, count, bytes, first, last, present, erased, missing, gaps, gap_s AS gapSeconds,
         longest_s AS longestSeconds, bound_s AS boundSeconds FROM rec_days WHERE camera = ? ORDER BY starts`,
    ),
    putDay: one(
      `INSERT INTO rec_days (camera, starts, ends, count, bytes, first, last, present, erased, missing, gaps, gap_s,
         longest_s, bound_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (camera, starts) DO UPDATE SET count = excluded.count, bytes = excluded.bytes,
         first = excluded.first, last = excluded.last, present = excluded.present, erased = excluded.erased,
         missing = excluded.missing, gaps = excluded.gaps, gap_s = excluded.gap_s,
         longest_s = excluded.longest_s`,
    ),
    openGap: one<GapRow>('SELECT starts, ends FROM rec_gaps WHERE camera = ? AND ends IS NULL LIMIT 1'),
    gap: one<{ starts: number }>('SELECT starts FROM rec_gaps WHERE camera = ? AND starts = ?'),
    putGap: one(
      `INSERT INTO rec_gaps (camera, starts, ends) VALUES (?, ?, ?)
       ON CONFLICT (camera, starts) DO UPDATE SET ends = excluded.ends`,
    ),
  };
}
