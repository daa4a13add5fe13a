/**
 * Sources: their random ids, reading positions, what could not be read, and how to get back to an earlier
 * position.
 *
 * J3  A source's label (a path may hold a name) is kept as a keyed digest only.
 * J4  For every event that came from a source, the reading position before its transaction is kept as long as
 *     the event is: what is lost with a log can be read again from there. Positions that moved together go back together.
 */
import { createHmac } from 'node:crypto';
import { idBytes, idFrom, newId, type Random, type SourceId } from '../protocol/ids.ts';
import type { UtcMs } from '../protocol/time.ts';
import type { Db, Statement } from './db.ts';

type Row = { id: number; source: Buffer; cursor: string | null; first_sight: string | null };

/** Rows kept per source; the events and counters go on counting beyond. */
const QUARANTINE_ROWS = 10_000;

export interface Unreadable {
  source: SourceId;
  offset: number;
  length: number;
  /** Keyed digest of the line, or of its place where the text is not known. */
  digest: Buffer;
  reason: string;
}

export class SourceBook {
  readonly #digestKey: Buffer;
  readonly #random: Random;
  readonly #find: Statement<[Buffer], Row>;
  readonly #byLabel: Statement<[Buffer], { source: Buffer }>;
  readonly #insert: Statement;
  readonly #saveCursor: Statement;
  readonly #saveSight: Statement;
  readonly #mark: Statement;
  readonly #markBefore: Statement<[number, number, number], { cursor: string | null }>;
  readonly #lost: Statement<[number, number, number, number], { source: number; first: number }>;
  readonly #restore: Statement;
  readonly #quarantine: Statement;
  readonly #trim: Statement;
  readonly #count: Statement;
  readonly #counted: Statement<[string], { n: number }>;

  constructor(db: Db, digestKey: Buffer, random: Random) {
    this.#digestKey = digestKey;
    this.#random = random;
    this.#find = db.prepare<[Buffer], Row>('SELECT * FROM sources WHERE source = ?');
    this.#byLabel = db.prepare<[Buffer], { source: Buffer }>('SELECT source FROM sources WHERE label = ?');
    this.#insert = db.prepare('INSERT INTO sources (source, label) VALUES (?, ?)');
    this.#saveCursor = db.prepare('UPDATE sources SET cursor = ? WHERE id = ?');
    this.#saveSight = db.prepare('UPDATE sources SET first_sight = ? WHERE id = ?');
    this.#mark = db.prepare(
      'INSERT INTO cursor_marks (source, log, first_seq, last_seq, cursor) VALUES (?, ?, ?, ?, ?)',
    );
    this.#markBefore = db.prepare<[number, number, number], { cursor: string | null }>(
      `SELECT cursor FROM cursor_marks WHERE source = ? AND log = ? AND first_seq <= ?
       ORDER BY first_seq DESC LIMIT 1`,
    );
    this.#lost = db.prepare<[number, number, number, number], { source: number; first: number }>(
      `SELECT source, min(first) AS first FROM (
         SELECT source, seq AS first FROM leaves WHERE log = ? AND seq > ? AND source IS NOT NULL
         UNION ALL SELECT source, first_seq FROM cursor_marks WHERE log = ? AND last_seq > ?
       ) GROUP BY source`,
    );
    this.#restore = db.prepare('UPDATE sources SET cursor = ? WHERE id = ?');
    this.#quarantine = db.prepare(
      'INSERT INTO quarantine (source, offset, length, digest, reason, at) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#trim = db.prepare(
      `DELETE FROM quarantine WHERE source = @source AND id <=
       (SELECT id FROM quarantine WHERE source = @source ORDER BY id DESC LIMIT 1 OFFSET ${QUARANTINE_ROWS})`,
    );
    this.#count = db.prepare(
      'INSERT INTO counters (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n',
    );
    this.#counted = db.prepare<[string], { n: number }>('SELECT n FROM counters WHERE name = ?');
  }

  idOf(label: string): SourceId {
    const digest = createHmac('sha256', this.#digestKey).update('source\0').update(label).digest();
    const present = this.#byLabel.get(digest);
    if (present !== undefined) return idFrom(present.source);
    const id = newId<'source'>(this.#random);
    this.#insert.run(idBytes(id), digest);
    return id;
  }

  cursor(source: SourceId): string | null {
    return this.#find.get(idBytes(source))?.cursor ?? null;
  }

  firstSight(source: SourceId): string | null {
    return this.#find.get(idBytes(source))?.first_sight ?? null;
  }

  saveFirstSight(source: SourceId, sight: string): void {
    this.#saveSight.run(sight, this.row(source).id);
  }

  /** The row of a source; made without a label where an event names one that has none. Inside a transaction. */
  row(source: SourceId): Row {
    const raw = idBytes(source);
    const present = this.#find.get(raw);
    if (present !== undefined) return present;
    this.#insert.run(raw, null);
    return this.#find.get(raw) as Row;
  }

  saveCursor(row: Row, cursor: string): void {
    this.#saveCursor.run(cursor, row.id);
  }

  /** Inside the transaction of events `first` … `last` of `log`: where this source stood before it (J4). */
  mark(row: Row, log: number, first: number, last: number): void {
    this.#mark.run(row.id, log, first, last, row.cursor);
  }

  /**
   * Inside a transaction: every source that led to leaves of `log` after `through`, or whose position moved with them,
   * goes back to where it stood before the first of them. Without a mark it starts over: reading too much is merged by origin at the
   * collector, reading too little is a loss.
   */
  goBack(log: number, through: number): void {
    for (const { source, first } of this.#lost.all(log, through, log, through)) {
      this.#restore.run(this.#markBefore.get(source, log, first)?.cursor ?? null, source);
    }
  }

  /** Inside a transaction. */
  quarantine(lines: readonly Unreadable[], now: UtcMs): void {
    for (const { source, offset, length, digest, reason } of lines) {
      this.#quarantine.run(this.row(source).id, offset, length, digest, reason, now);
    }
    for (const source of new Set(lines.map((line) => line.source)))
      this.#trim.run({ source: this.row(source).id });
  }

  count(name: string, by: number): void {
    if (by > 0) this.#count.run(name, by);
  }

  counted(name: string): number {
    return this.#counted.get(name)?.n ?? 0;
  }
}
