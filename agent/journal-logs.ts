/**
 * The logs of this agent: which is open, where it stands, what the collector has acked. Positions are cached;
 * after a transaction that failed they are read back, so the cache never runs ahead of the disk.
 */
import type { Birth } from '../protocol/birth.ts';
import { birthHash } from '../protocol/birth.ts';
import { TilsynError } from '../protocol/errors.ts';
import { idBytes, idFrom, type LogId } from '../protocol/ids.ts';
import { HOUR_MS, type UtcMs } from '../protocol/time.ts';
import type { Db, Statement } from './db.ts';
import type { LogSummary } from './types.ts';

/** One row of `logs`, in memory. */
export interface LogRow {
  id: number;
  log: LogId;
  birth: Birth;
  birthHash: Buffer;
  next: number;
  head: Buffer;
  acked: number;
  open: boolean;
  /** Closed only: nothing after this is sent. */
  last: number | null;
  lastHead: Buffer | null;
  closedAt: number | null;
}

type Raw = {
  id: number;
  log: Buffer;
  birth: string;
  birth_hash: Buffer;
  next: number;
  head: Buffer;
  acked: number;
  open: number;
  last: number | null;
  last_head: Buffer | null;
  closed_at: number | null;
};

/** `hello` takes this many. */
const MAX_LOGS = 64;

function fromRaw(raw: Raw): LogRow {
  return {
    id: raw.id,
    log: idFrom(raw.log),
    birth: JSON.parse(raw.birth),
    birthHash: raw.birth_hash,
    next: raw.next,
    head: raw.head,
    acked: raw.acked,
    open: raw.open === 1,
    last: raw.last,
    lastHead: raw.last_head,
    closedAt: raw.closed_at,
  };
}

export class LogBook {
  readonly #rows = new Map<LogId, LogRow>();
  readonly #all: Statement<[], Raw>;
  readonly #insert: Statement;
  readonly #saveHead: Statement;
  readonly #saveAck: Statement;
  readonly #saveMark: Statement;
  readonly #dropMarks: Statement;
  readonly #close: Statement;
  readonly #hash: Statement<[number, number], { hash: Buffer }>;
  readonly #madeAt: Statement<[number, number], { at: number }>;

  constructor(db: Db) {
    this.#all = db.prepare<[], Raw>('SELECT * FROM logs ORDER BY id');
    this.#insert = db.prepare('INSERT INTO logs (log, birth, birth_hash, next, head) VALUES (?, ?, ?, 1, ?)');
    this.#saveHead = db.prepare('UPDATE logs SET next = ?, head = ? WHERE id = ?');
    this.#saveAck = db.prepare('UPDATE logs SET acked = ? WHERE id = ?');
    this.#saveMark = db.prepare(
      `INSERT INTO ack_marks (log, hour, through) VALUES (?, ?, ?)
       ON CONFLICT (log, hour) DO UPDATE SET through = max(through, excluded.through)`,
    );
    this.#dropMarks = db.prepare('DELETE FROM ack_marks WHERE log = ? AND through > ?');
    this.#close = db.prepare(
      'UPDATE logs SET open = 0, last = ?, last_head = ?, acked = ?, closed_at = ? WHERE id = ?',
    );
    this.#hash = db.prepare<[number, number], { hash: Buffer }>(
      'SELECT hash FROM leaves WHERE log = ? AND seq = ?',
    );
    this.#madeAt = db.prepare<[number, number], { at: number }>(
      'SELECT at FROM leaves WHERE log = ? AND seq = ?',
    );
    this.reload();
  }

  /** Reads every position back from the disk. */
  reload(): void {
    this.#rows.clear();
    for (const raw of this.#all.all()) {
      const row = fromRaw(raw);
      this.#rows.set(row.log, row);
    }
  }

  rows(): LogRow[] {
    return [...this.#rows.values()];
  }

  /** The log that events are appended to; null in a database that has none yet. */
  openRow(): LogRow | null {
    for (const row of this.#rows.values()) if (row.open) return row;
    return null;
  }

  /** @throws TilsynError `journal.unknown-log` */
  row(log: LogId): LogRow {
    const row = this.#rows.get(log);
    if (row !== undefined) return row;
    throw new TilsynError(
      'journal.unknown-log',
      'looking up a log of this agent: there is none with that id',
    );
  }

  /** Inside a transaction; `reload` afterwards makes it visible. */
  insert(birth: Birth): void {
    const hash = birthHash(birth);
    this.#insert.run(idBytes(birth.log as LogId), JSON.stringify(birth), hash, hash);
  }

  /** Inside a transaction: the head after the leaves just stored. */
  saveHead(row: LogRow, next: number, head: Buffer): void {
    this.#saveHead.run(next, head, row.id);
  }

  /** Inside a transaction: `acked` and the hour of it, which decides how long the leaves are kept. */
  saveAck(row: LogRow, through: number, now: UtcMs): void {
    this.#saveAck.run(through, row.id);
    this.#saveMark.run(row.id, Math.floor(now / HOUR_MS), through);
  }

  /** Inside a transaction: the collector is behind; what it lost is unacked again. */
  saveRewind(row: LogRow, through: number): void {
    this.#saveAck.run(through, row.id);
    this.#dropMarks.run(row.id, through);
  }

  /** Inside a transaction: nothing after `last` is sent any more. */
  close(row: LogRow, last: number, lastHead: Buffer, acked: number, now: UtcMs): void {
    this.#close.run(last, lastHead, acked, now, row.id);
  }

  /**
   * Leaf hash at `seq`, of the birth at 0. Null where the log cannot be continued from there any more: the
   * leaf is not kept, or (at 0) leaf 1 is not.
   */
  hashAt(row: LogRow, seq: number): Buffer | null {
    if (seq === row.next - 1) return row.head;
    if (seq === 0) return this.kept(row, 1) ? row.birthHash : null;
    return this.#hash.get(row.id, seq)?.hash ?? null;
  }

  kept(row: LogRow, seq: number): boolean {
    return this.#hash.get(row.id, seq) !== undefined;
  }

  /**
   * Oldest first; the open one is always among them. Closed logs are named while their end is kept, acked or
   * not: a restored collector may have lost them, and nobody else can give them back.
   */
  summaries(): LogSummary[] {
    return this.rows()
      .filter((row) => row.open || row.acked < endOf(row) || (endOf(row) > 0 && this.kept(row, endOf(row))))
      .slice(-MAX_LOGS)
      .map((row) => ({
        log: row.log,
        birth: row.birth,
        next: endOf(row) + 1,
        head: row.open ? row.head : (row.lastHead ?? row.birthHash),
        acked: row.acked,
        open: row.open,
      }));
  }

  /** When the oldest leaf was made that waits for its ack, by the wall clock of then. */
  waitingSince(): UtcMs | null {
    let oldest: number | null = null;
    for (const row of this.#rows.values()) {
      if (row.acked >= endOf(row)) continue;
      const at = this.#madeAt.get(row.id, row.acked + 1)?.at;
      if (at !== undefined && (oldest === null || at < oldest)) oldest = at;
    }
    return oldest as UtcMs | null;
  }

  backlog(): number {
    let waiting = 0;
    for (const row of this.#rows.values()) waiting += Math.max(0, endOf(row) - row.acked);
    return waiting;
  }
}

/** Last seq of a log that is, or will be, sent. */
export function endOf(row: LogRow): number {
  return row.open ? row.next - 1 : (row.last ?? 0);
}
