/**
 * Room on the disk: what is kept for a restored collector, and what gives way when the disk is full.
 *
 * J7  A full disk loses nothing that is stored and moves no reading position: an append either fits, or is
 *     refused as a whole and may be tried again.
 * J8  Only acked leaves give way, oldest first; the last acked one stays, because the next leaf hangs on it.
 */
import { DAY_MS, HOUR_MS, type UtcMs } from '../protocol/time.ts';
import type { Ballast } from './ballast.ts';
import { type Db, isFull, type Statement } from './db.ts';
import type { LogRow } from './journal-logs.ts';

/** Leaves given up at one moment of need, and in one transaction. */
const GIVE_UP = 4_000;
const SLICE = 200;

export class Space {
  readonly #db: Db;
  readonly #ballast: Ballast;
  readonly #expired: Statement<[number, number], { through: number | null }>;
  readonly #first: Statement<[number], { first: number | null }>;
  readonly #drop: readonly Statement[];
  readonly #dropMarks: Statement;
  readonly #saveAck: Statement;

  constructor(db: Db, ballast: Ballast) {
    this.#db = db;
    this.#ballast = ballast;
    this.#expired = db.prepare<[number, number], { through: number | null }>(
      'SELECT max(through) AS through FROM ack_marks WHERE log = ? AND hour < ?',
    );
    this.#first = db.prepare<[number], { first: number | null }>(
      'SELECT min(seq) AS first FROM leaves WHERE log = ?',
    );
    this.#drop = [
      'DELETE FROM parts WHERE log = ? AND seq <= ?',
      'DELETE FROM leaves WHERE log = ? AND seq <= ?',
      'DELETE FROM wraps WHERE log = ? AND last_seq <= ?',
      'DELETE FROM cursor_marks WHERE log = ? AND last_seq <= ?',
    ].map((sql) => db.prepare(sql));
    this.#saveAck = db.prepare('UPDATE logs SET acked = max(acked, ?) WHERE id = ?');
    this.#dropMarks = db.prepare('DELETE FROM ack_marks WHERE log = ? AND hour < ?');
  }

  /** Runs a write; where the disk is full, makes room and tries once more. Errors of the second try are thrown. */
  withRoom<T>(rows: () => readonly LogRow[], write: () => T): T {
    try {
      return write();
    } catch (error) {
      if (!isFull(error)) throw error;
      this.#makeRoom(rows());
      return write();
    }
  }

  #makeRoom(rows: readonly LogRow[]): void {
    this.#ballast.release();
    try {
      let left = GIVE_UP;
      for (const row of rows) left -= this.#drain(row, row.acked - 1, left);
      // Puts what was deleted into the database file and starts the WAL over: its space is used again.
      this.#db.pragma('wal_checkpoint(RESTART)');
    } catch (error) {
      // Not even room to delete: the write that wanted it is tried all the same and gives the answer.
      if (!isFull(error)) throw error;
    }
  }

  /** Leaves that were acked longer ago than `keepMs`, and everything of closed logs as old as that. */
  prune(rows: readonly LogRow[], now: UtcMs, keepMs: number): void {
    const hour = Math.floor((now - keepMs) / HOUR_MS);
    for (const row of rows) {
      this.#drain(row, this.#expiredThrough(row, now - keepMs, hour), Number.POSITIVE_INFINITY);
      this.#dropMarks.run(row.id, hour - Math.ceil(DAY_MS / HOUR_MS));
    }
    this.#ballast.restock();
  }

  #expiredThrough(row: LogRow, before: number, hour: number): number {
    if (row.closedAt !== null && row.closedAt < before) return row.next - 1;
    return Math.min(this.#expired.get(row.id, hour)?.through ?? 0, row.acked - 1);
  }

  /** Deletes leaves through `through`, at most `limit`. Each slice is a transaction of its own. */
  #drain(row: LogRow, through: number, limit: number): number {
    const first = this.#first.get(row.id)?.first ?? null;
    if (first === null) return 0;
    const last = Math.min(through, first + limit - 1);
    for (let from = first; from <= last; from += SLICE) {
      const to = Math.min(last, from + SLICE - 1);
      // Oldest first: a crash between two slices leaves a log that begins a little later.
      this.#db
        .transaction(() => {
          // An ack that did not fit on the full disk is stored here: what is deleted must not look unacked.
          this.#saveAck.run(Math.min(to, row.acked), row.id);
          for (const statement of this.#drop) statement.run(row.id, to);
        })
        .immediate();
    }
    return Math.max(0, last - first + 1);
  }
}
