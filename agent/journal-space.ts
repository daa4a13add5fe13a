/**
 * Room on the disk: what is kept for a restored collector, and what gives way when the disk is full.
 *
 * J7  A full disk loses nothing that is stored and moves no reading position: an append either fits, or is
 *     refused as a whole and may be tried again.
 * J8  Only acked leaves give way, oldest first; the last acked one stays, because the next leaf hangs on it.
 * J11 What is not evidence (samples) gives way before any leaf does, and is not written at all where space is short.
 */
import { DAY_MS, HOUR_MS, type UtcMs } from '../protocol/time.ts';
import type { Ballast } from './ballast.ts';
import { type Db, isFull, type Statement } from './db.ts';
import type { LogRow } from './journal-logs.ts';

/** Leaves given up at one moment of need, and in one transaction. */
const GIVE_UP = 4_000;
const SLICE = 200;
/** Samples given up in one transaction, each some fifty bytes. */
const SHED = 2_000;
const PAGE_BYTES = 4096;
/** Kept free beyond what a write is thought to need. */
const MARGIN = 64 * 1024;

export class Space {
  readonly #db: Db;
  readonly #ballast: Ballast;
  readonly #expired: Statement<[number, number], { through: number | null }>;
  readonly #first: Statement<[number], { first: number | null }>;
  readonly #drop: readonly Statement[];
  readonly #dropMarks: Statement;
  readonly #saveAck: Statement;
  readonly #shedSamples: Statement;
  /** The ballast is gone: every write is copied at once, and appends have to fit. */
  #pressed: boolean;

  constructor(db: Db, ballast: Ballast) {
    this.#db = db;
    this.#ballast = ballast;
    this.#pressed = !ballast.present();
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
    this.#shedSamples = db.prepare(
      'DELETE FROM samples WHERE n IN (SELECT n FROM samples ORDER BY n LIMIT ?)',
    );
    this.#dropMarks = db.prepare('DELETE FROM ack_marks WHERE log = ? AND hour < ?');
  }

  /**
   * Runs a write; where the disk is full, makes room and tries once more. Errors of the second try are thrown.
   * `need`: bytes that the write adds, about; 0 for writes that add next to nothing (an ack, a dead group), which
   * are let through as long as they fit at all.
   */
  withRoom<T>(rows: () => readonly LogRow[], need: number, write: () => T): T {
    if (this.#pressed && need > 0) this.#claim(rows(), need);
    let result: T;
    try {
      result = write();
    } catch (error) {
      if (!isFull(error)) throw error;
      this.#ballast.release();
      this.#pressed = true;
      this.#claim(rows(), need);
      result = write();
    }
    if (this.#pressed) this.#copyWal();
    return result;
  }

  /**
   * While the ballast is gone the database may not be left in need of growing: then neither the WAL could be
   * copied nor anything deleted, and the queue would be wedged for good. So what is added must fit into pages
   * that are free inside the file, or into twice its size on the disk.
   */
  #claim(rows: readonly LogRow[], need: number): void {
    if (this.#fits(need)) return;
    if (this.#shed(need)) return;
    let left = GIVE_UP;
    for (const row of rows) left -= this.#drain(row, row.acked - 1, left);
    if (!this.#fits(need)) throw Object.assign(new Error('no room for an append'), { code: 'SQLITE_FULL' });
  }

  /** True as soon as the write fits. Oldest first; where there is no room even to delete, fewer at a time. */
  #shed(need: number): boolean {
    for (let slice = SHED; slice >= 1; ) {
      const dropped = this.#dropSamples(slice);
      if (dropped === 0) return false;
      if (dropped === null) slice = Math.floor(slice / 4);
      else if (this.#fits(need)) return true;
    }
    return false;
  }

  /** Null: no room for that. */
  #dropSamples(slice: number): number | null {
    try {
      return this.#shedSamples.run(slice).changes;
    } catch (error) {
      if (isFull(error)) return null;
      throw error;
    }
  }

  /** There is room for what gives way: the ballast is in its place, and some more is free beside it. */
  plenty(): boolean {
    this.restock();
    return !this.#pressed && this.#ballast.roomy();
  }

  #fits(need: number): boolean {
    if (!this.#copyWal()) return false;
    if (need === 0) return true;
    const inside = Number(this.#db.pragma('freelist_count', { simple: true })) * PAGE_BYTES;
    return inside >= need + MARGIN || this.#ballast.free() >= 2 * need + MARGIN;
  }

  /** Copies the WAL into the database, so that its space is used again. False where that did not fit. */
  #copyWal(): boolean {
    try {
      const [state] = this.#db.pragma('wal_checkpoint(PASSIVE)') as { log: number; checkpointed: number }[];
      return state !== undefined && state.log === state.checkpointed;
    } catch (error) {
      if (isFull(error)) return false;
      throw error;
    }
  }

  /** Leaves that were acked longer ago than `keepMs`, and everything of closed logs as old as that. */
  prune(rows: readonly LogRow[], now: UtcMs, keepMs: number): void {
    const hour = Math.floor((now - keepMs) / HOUR_MS);
    for (const row of rows) {
      this.#drain(row, this.#expiredThrough(row, now - keepMs, hour), Number.POSITIVE_INFINITY);
      this.#dropMarks.run(row.id, hour - Math.ceil(DAY_MS / HOUR_MS));
    }
    this.restock();
  }

  /** Sets the ballast aside again where there is room. Cheap to call often. */
  restock(): void {
    if (this.#ballast.restock()) this.#pressed = false;
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
    let slice = SLICE;
    for (let from = first; from <= last; ) {
      const to = Math.min(last, from + slice - 1);
      if (this.#dropThrough(row, to)) from = to + 1;
      else if (slice === 1) return from - first;
      else slice = Math.ceil(slice / 4);
    }
    return Math.max(0, last - first + 1);
  }

  /** False where there is no room even for that: a smaller slice needs less. */
  #dropThrough(row: LogRow, to: number): boolean {
    try {
      // Oldest first: a crash between two slices leaves a log that begins a little later.
      this.#db
        .transaction(() => {
          // An ack that did not fit on the full disk is stored here: what is deleted must not look unacked.
          this.#saveAck.run(Math.min(to, row.acked), row.id);
          for (const statement of this.#drop) statement.run(row.id, to);
        })
        .immediate();
    } catch (error) {
      if (isFull(error)) return false;
      throw error;
    }
    if (this.#pressed) this.#copyWal();
    return true;
  }
}
