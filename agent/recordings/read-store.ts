/** What the catalogue is only asked for: lists, figures, what was scanned when. */
import { DAY_MS, type UtcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';
import { fromBytes, toBytes } from './names.ts';
import { type RawRow, ROW, rowOf } from './rows.ts';
import { type ByteName, type OddKind, type RecordingRow, type RecordingState, STATES } from './types.ts';

/** Longer than any bound of a recording: a segment of a week at the most, and the day that a date stands for. */
export const LONGEST_MS = 9 * DAY_MS;

export interface ListFilter {
  /** Row id of one. */
  camera: number;
  /** Overlapping this interval; null: open. */
  from: UtcMs | null;
  to: UtcMs | null;
  state: RecordingState;
  after: ListPlace | null;
  limit: number;
}

/** Behind the last row that a page looked at. */
export interface ListPlace {
  end: number;
  folder: number;
  name: ByteName;
}

export interface ListPage {
  rows: RecordingRow[];
  /** Where the next page begins; null: there is none. */
  next: ListPlace | null;
}

/** What there is of a camera. `oldest`: earliest start, `newest`: latest end, of what is present; null: nothing is. */
export interface Tally {
  count: number;
  bytes: number;
  /** Present, without a bound for the end (D2). */
  unbounded: number;
  oldest: number | null;
  newest: number | null;
  erased: number;
  missing: number;
}

const NOTHING: Tally = {
  count: 0,
  bytes: 0,
  unbounded: 0,
  oldest: null,
  newest: null,
  erased: 0,
  missing: 0,
};
/** Counted in some milliseconds. */
const TALLY_PAGE = 4_000;
/** Deeper than any path that a system takes. */
const MAX_DEPTH = 64;

function addTally(all: Map<number, Tally>, { camera, ...row }: Tally & { camera: number }): void {
  const sum = all.get(camera) ?? { ...NOTHING };
  all.set(camera, {
    count: sum.count + row.count,
    bytes: sum.bytes + row.bytes,
    unbounded: sum.unbounded + row.unbounded,
    oldest: least(sum.oldest, row.oldest),
    newest: most(sum.newest, row.newest),
    erased: sum.erased + row.erased,
    missing: sum.missing + row.missing,
  });
}

function least(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

function most(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

export class ReadStore {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Db) {
    this.#sql = prepare(db);
  }

  /**
   * Rows of one camera and state that overlap an interval, in the order of their ends; those without one first. One page looks
   * at no more than `limit` rows, and may hold none though others follow.
   */
  list({ camera, from, to, state, after, limit }: ListFilter): ListPage {
    const { end, folder, name } = after ?? { end: -2, folder: 0, name: '' };
    const starts = to ?? Number.MAX_SAFE_INTEGER;
    // Rows without an end come first; what ended before `from` is passed over, not read.
    const boundless = from !== null && end < 0;
    // No recording is longer than that, so that nothing that ends later began before `to`.
    const ends = boundless ? -1 : Math.min(Number.MAX_SAFE_INTEGER, starts + LONGEST_MS);
    const place = { end, folder, name: toBytes(name) };
    const page = this.#sql.list.all({ camera, state: STATES.indexOf(state), ends, ...place, limit });
    const last = page.at(-1);
    const rows = page.filter((row) => row.start < starts && (row.ends === null || row.ends > (from ?? -1)));
    const whole = page.length === limit && last !== undefined;
    const next = whole
      ? { end: last.ends ?? -1, folder: last.folder, name: fromBytes(last.name) }
      : boundless
        ? { end: from, folder: Number.MAX_SAFE_INTEGER, name: '' }
        : null;
    return { rows: rows.map(rowOf), next };
  }

  /** When a source was first and last looked at as a whole, wall clock. */
  scanned(source: number): { firstAt: number | null; scannedAt: number | null; fullAt: number | null } {
    const found = this.#sql.scanned.get(source);
    return {
      firstAt: found?.first_at ?? null,
      scannedAt: found?.scanned_at ?? null,
      fullAt: found?.full_at ?? null,
    };
  }

  /** Parts of a folder's path below the root; empty: the root itself. */
  pathOf(folder: number): ByteName[] {
    const parts: ByteName[] = [];
    for (let at: number | null = folder; at !== null && parts.length < MAX_DEPTH; ) {
      const found: { parent: number | null; name: Buffer } | undefined = this.#sql.folder.get(at);
      if (found === undefined || found.parent === null) break;
      parts.unshift(fromBytes(found.name));
      at = found.parent;
    }
    return parts;
  }

  /** Files that are no recordings of the layout, or were left alone, by kind. */
  odds(source: number): Partial<Record<OddKind | 'refused', number>> {
    return Object.fromEntries(this.#sql.odds.all(source).map(({ kind, count }) => [kind, count]));
  }

  /**
   * What there is of each camera, a page of rows after the other: counting four million at once would keep everything else
   * from running. @param rest lets others have their turn
   */
  async tally(rest: () => Promise<void>): Promise<Map<number, Tally>> {
    const all = new Map<number, Tally>();
    for (let after: { folder: number; name: Buffer } = { folder: -1, name: Buffer.alloc(0) }; ; ) {
      const last = this.#sql.pageEnd.get(after.folder, after.name, TALLY_PAGE - 1);
      const to = last ?? { folder: Number.MAX_SAFE_INTEGER, name: Buffer.alloc(0) };
      for (const row of this.#sql.tally.all(after.folder, after.name, to.folder, to.name)) addTally(all, row);
      if (last === undefined) return all;
      after = last;
      await rest();
    }
  }

  /** Of one source, as `tally` has it. */
  async present(source: number, rest: () => Promise<void>): Promise<Tally> {
    const all = await this.tally(rest);
    const sum: Tally = { ...NOTHING };
    for (const { id } of this.#sql.cameras.all(source)) {
      const one = all.get(id);
      if (one === undefined) continue;
      sum.count += one.count;
      sum.bytes += one.bytes;
      sum.unbounded += one.unbounded;
      sum.oldest = least(sum.oldest, one.oldest);
      sum.newest = most(sum.newest, one.newest);
      sum.erased += one.erased;
      sum.missing += one.missing;
    }
    return sum;
  }
}

function prepare(db: Db) {
  const one = <R>(sql: string): Statement<unknown[], R> => db.prepare<unknown[], R>(sql);
  return {
    cameras: one<{ id: number }>('SELECT id FROM rec_cameras WHERE source = ? ORDER BY id'),
    pageEnd: one<{ folder: number; name: Buffer }>(
      `SELECT folder, name FROM recordings WHERE (folder, name) > (?, ?)
       ORDER BY folder, name LIMIT 1 OFFSET ?`,
    ),
    tally: one<Tally & { camera: number }>(
      `SELECT camera, sum(state = 0) AS count, coalesce(sum(CASE state WHEN 0 THEN size END), 0) AS bytes,
         sum(state = 0 AND ends IS NULL) AS unbounded, min(CASE state WHEN 0 THEN start END) AS oldest,
         max(CASE state WHEN 0 THEN ends END) AS newest, sum(state = 2) AS erased, sum(state = 3) AS missing
       FROM recordings WHERE (folder, name) > (?, ?) AND (folder, name) <= (?, ?) GROUP BY camera`,
    ),
    list: one<RawRow>(
      // The first bound is for the index alone (C63, `catalogue.ts`).
      `SELECT ${ROW} FROM recordings WHERE camera = @camera AND state = @state
       AND coalesce(ends, -1) >= @end AND coalesce(ends, -1) <= @ends
       AND (coalesce(ends, -1), folder, name) > (@end, @folder, @name)
       ORDER BY coalesce(ends, -1), folder, name LIMIT @limit`,
    ),
    folder: one<{ parent: number | null; name: Buffer }>('SELECT parent, name FROM rec_folders WHERE id = ?'),
    scanned: one<{ first_at: number | null; scanned_at: number | null; full_at: number | null }>(
      'SELECT first_at, scanned_at, full_at FROM rec_sources WHERE id = ?',
    ),
    odds: one<{ kind: OddKind | 'refused'; count: number }>(
      `SELECT u.kind, count(*) AS count FROM rec_unknown u JOIN rec_folders f ON f.id = u.folder
       WHERE f.source = ? GROUP BY u.kind`,
    ),
  };
}
