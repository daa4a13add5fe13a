/**
 * Samples, indexes of disks and states of alerts in the agent's database. Whoever writes here decides under which
 * terms: events and the states they belong to through the journal, everything else through `spare`.
 *
 * T11 Samples are kept 14 days and no longer, whatever the clock does in between.
 * T31 Of an agreement that is being erased nothing stays here: samples, how far they were sent, disks, alerts.
 * T12 A mount point keeps its index for ever on this agent; an index stands for one mount point at a time.
 */
import { createHmac } from 'node:crypto';
import type { Sample } from '../../protocol/telemetry.ts';
import { DAY_MS, type UtcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';

export const KEEP_SAMPLES_MS = 14 * DAY_MS;
/** A disk that was not mounted for so long gives its index back, once there is no free one above it. */
const KEEP_INDEX_MS = 400 * DAY_MS;
/** Largest index that a sample may use. */
const MAX_INDEX = 4095;
/** Old samples dropped with each new one: a clock that was set wrong takes little with it before it is set right. */
const DROP_AT_ONCE = 20;
/** Rows that go in one transaction where all go, so that a disk that is nearly full has room for it. */
const ERASE_AT_ONCE = 2_000;

interface Row {
  n: number;
  at: number;
  body: string;
}

export interface Numbered {
  n: number;
  sample: Sample;
}

export interface AlertRow {
  name: string;
  /** JSON */
  state: string;
  /** 16 bytes. */
  alert: Buffer | null;
  raisedAt: number | null;
}

export class TelemetryStore {
  readonly #digestKey: Buffer;
  readonly #sql: ReturnType<typeof prepare>;
  /** Cursor of what was sent, as stored. */
  #sent: number;

  constructor(db: Db, digestKey: Buffer) {
    this.#digestKey = digestKey;
    this.#sql = prepare(db);
    this.#sent = this.#sql.sent.get()?.through ?? 0;
  }

  /** Inside a transaction. Drops what is too old on the way. */
  add(sample: Sample): void {
    this.#sql.insert.run(sample.at, bodyOf(sample));
    const stale = ({ at }: { at: number }) => at < sample.at - KEEP_SAMPLES_MS || at > sample.at + DAY_MS;
    for (const row of this.#sql.oldest.all(DROP_AT_ONCE)) {
      if (!stale(row)) break;
      this.#sql.drop.run(row.n);
    }
  }

  /** Inside a transaction. What is too old, also where nothing is measured any more; at most so many at a time (T11). */
  dropStale(now: UtcMs): boolean {
    return this.#sql.dropStale.run(now - KEEP_SAMPLES_MS, ERASE_AT_ONCE).changes > 0;
  }

  /** Inside a transaction, again and again: a part of all there is (T31). False: there was nothing left. */
  erase(): boolean {
    if (this.#sql.dropFirst.run(ERASE_AT_ONCE).changes > 0) return true;
    const { changes } = this.#sql.dropDisks.run();
    return changes + this.#sql.dropAlerts.run().changes + this.#sql.dropSent.run().changes > 0;
  }

  /** Samples after `n`, oldest first. */
  after(n: number, limit: number): Numbered[] {
    return this.#sql.after.all(n, limit).map(numbered);
  }

  /** The newest ones, oldest first. */
  newest(limit: number): Sample[] {
    return this.#sql.newest
      .all(limit)
      .map((row) => numbered(row).sample)
      .reverse();
  }

  get sentThrough(): number {
    return this.#sent;
  }

  /** Inside a transaction. */
  saveSent(through: number): void {
    this.#sql.saveSent.run(through);
    this.#sent = through;
  }

  counts(): { kept: number; unsent: number } {
    return { kept: this.#sql.count.get(0)?.n ?? 0, unsent: this.#sql.count.get(this.#sent)?.n ?? 0 };
  }

  /** The index of a mount point, null where it has none yet. */
  indexOf(mount: string): number | null {
    return this.#sql.index.get(this.#digest(mount))?.idx ?? null;
  }

  /** Inside a transaction: marks a disk as seen, with a new index where it has none; null where all are taken. */
  see(mount: string, now: UtcMs): number | null {
    const digest = this.#digest(mount);
    const known = this.#sql.index.get(digest)?.idx;
    const index = known ?? this.#freeIndex(now);
    if (index !== null) this.#sql.see.run(index, digest, now);
    return index;
  }

  #freeIndex(now: UtcMs): number | null {
    const next = (this.#sql.lastIndex.get()?.idx ?? -1) + 1;
    if (next <= MAX_INDEX) return next;
    this.#sql.forget.run(now - KEEP_INDEX_MS);
    const taken = new Set(this.#sql.indexes.all().map(({ idx }) => idx));
    for (let index = 0; index <= MAX_INDEX; index++) if (!taken.has(index)) return index;
    return null;
  }

  #digest(mount: string): Buffer {
    return createHmac('sha256', this.#digestKey).update(`disk\0${mount}`).digest();
  }

  alerts(): AlertRow[] {
    return this.#sql.alerts.all();
  }

  /** Inside a transaction; a null state is one at rest. */
  saveAlert({ name, state, alert, raisedAt }: Omit<AlertRow, 'state'> & { state: string | null }): void {
    if (state === null) this.#sql.dropAlert.run(name);
    else this.#sql.saveAlert.run(name, state, alert, raisedAt);
  }
}

function prepare(db: Db) {
  const statement = <P extends unknown[], R = unknown>(sql: string): Statement<P, R> => db.prepare<P, R>(sql);
  return {
    insert: statement<[number, string]>('INSERT INTO samples (at, body) VALUES (?, ?)'),
    oldest: statement<[number], { n: number; at: number }>('SELECT n, at FROM samples ORDER BY n LIMIT ?'),
    drop: statement<[number]>('DELETE FROM samples WHERE n = ?'),
    after: statement<[number, number], Row>('SELECT * FROM samples WHERE n > ? ORDER BY n LIMIT ?'),
    newest: statement<[number], Row>('SELECT * FROM samples ORDER BY n DESC LIMIT ?'),
    count: statement<[number], { n: number }>('SELECT count(*) AS n FROM samples WHERE n > ?'),
    sent: statement<[], { through: number }>('SELECT through FROM samples_sent'),
    saveSent: statement<[number]>(
      `INSERT INTO samples_sent (one, through) VALUES (1, ?)
       ON CONFLICT (one) DO UPDATE SET through = excluded.through`,
    ),
    index: statement<[Buffer], { idx: number }>('SELECT idx FROM disks WHERE mount = ?'),
    lastIndex: statement<[], { idx: number }>('SELECT idx FROM disks ORDER BY idx DESC LIMIT 1'),
    indexes: statement<[], { idx: number }>('SELECT idx FROM disks'),
    see: statement<[number, Buffer, number]>(
      `INSERT INTO disks (idx, mount, seen_at) VALUES (?, ?, ?)
       ON CONFLICT (idx) DO UPDATE SET seen_at = excluded.seen_at`,
    ),
    forget: statement<[number]>('DELETE FROM disks WHERE seen_at < ?'),
    alerts: statement<[], AlertRow>(
      'SELECT name, state, alert, raised_at AS raisedAt FROM alerts ORDER BY name',
    ),
    saveAlert: statement<[string, string, Buffer | null, number | null]>(
      `INSERT INTO alerts (name, state, alert, raised_at) VALUES (?, ?, ?, ?) ON CONFLICT (name)
       DO UPDATE SET state = excluded.state, alert = excluded.alert, raised_at = excluded.raised_at`,
    ),
    dropAlert: statement<[string]>('DELETE FROM alerts WHERE name = ?'),
    dropStale: statement<[number, number]>(
      'DELETE FROM samples WHERE n IN (SELECT n FROM samples WHERE at < ? ORDER BY n LIMIT ?)',
    ),
    dropFirst: statement<[number]>(
      'DELETE FROM samples WHERE n IN (SELECT n FROM samples ORDER BY n LIMIT ?)',
    ),
    dropDisks: statement<[]>('DELETE FROM disks'),
    dropAlerts: statement<[]>('DELETE FROM alerts'),
    dropSent: statement<[]>('DELETE FROM samples_sent'),
  };
}

/** A third of the size of the sample as JSON: a month of a minute each stays in a few megabytes. */
function bodyOf({ cpuPermille, memUsedPermille, memTotalMb, uptimeSeconds, disks }: Sample): string {
  return JSON.stringify([
    cpuPermille,
    memUsedPermille,
    memTotalMb,
    uptimeSeconds,
    ...disks.map((d) => [d.index, d.usedPermille, d.freeMb, d.totalMb, d.inodesUsedPermille]),
  ]);
}

function numbered({ n, at, body }: Row): Numbered {
  const [cpuPermille, memUsedPermille, memTotalMb, uptimeSeconds, ...disks] = JSON.parse(body);
  const sample: Sample = {
    at,
    cpuPermille,
    memUsedPermille,
    memTotalMb,
    uptimeSeconds,
    disks: disks.map(([index, usedPermille, freeMb, totalMb, inodesUsedPermille]: (number | null)[]) => ({
      index,
      usedPermille,
      freeMb,
      totalMb,
      inodesUsedPermille,
    })),
  };
  return { n, sample };
}
