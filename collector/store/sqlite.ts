/**
 * The store on SQLite: one connection that writes, one transaction at a time, and one that only reads.
 * The laws K1–K6 stand in `types.ts`.
 */
import type { Database } from 'better-sqlite3';
import { TilsynError } from '../../protocol/errors.ts';
import { halfQuarantined, quarantineDatabase, restrict } from '../files.ts';
import type { FaultSeam } from '../types.ts';
import { readAlerts, writeAlerts } from './alerts.ts';
import { auditTables, readAudits, writeAudits } from './audits.ts';
import {
  BUSY_MS,
  type Migration,
  migrations,
  openBesideWriter,
  openReader,
  openWriter,
} from './connection.ts';
import { corrupt, storeError } from './errors.ts';
import { guarded } from './guard.ts';
import { IdMap, type Ids } from './ids.ts';
import { readLeaves, writeLeaves } from './leaves.ts';
import { readParts, writeParts } from './parts.ts';
import { readRecordings, writeRecordings } from './recordings.ts';
import { readTickets, registry } from './registry.ts';
import { readSessions, writeSessions } from './sessions.ts';
import { type Sql, statements } from './table.ts';
import type { Pos, Reader, Store, Tx } from './types.ts';
import { readWatching, writeWatching } from './watching.ts';

export interface StoreOptions {
  faults?: FaultSeam;
  /** Told after each commit that appended leaves, with the highest position. */
  appended?: (through: Pos) => void;
  /** Tests only: other migrations than those of `schema/`. */
  steps?: readonly Migration[];
}

/**
 * Opens the store at `path`, and makes it where it is absent.
 * @throws TilsynError `store.corrupt` (set it aside with `quarantineStore`), `store.full`, `store.denied`
 */
export async function openStore(path: string, options: StoreOptions = {}): Promise<Store> {
  const faults = options.faults ?? {};
  // Its WAL was moved away already: what is left would open as an older state without saying so (K5).
  if (halfQuarantined(path)) throw corrupt();
  const db = openWriter(path, faults, options.steps ?? migrations());
  const reading = openReader(path);
  for (const suffix of ['', '-wal', '-shm']) restrict(path + suffix);
  const writer = new Writer(db, faults, options.appended ?? (() => {}));
  return storeOf(writer, reading, () => {
    db.pragma('wal_checkpoint(TRUNCATE)');
    db.close();
  });
}

/**
 * Opens a store that another process may be running on. For a short transaction; the WAL is left to that process.
 * @throws TilsynError `store.*`
 */
export function openStoreBeside(path: string): Store {
  const db = openBesideWriter(path);
  const reading = openReader(path);
  return storeOf(new Writer(db, {}, () => {}), reading, () => db.close());
}

function storeOf(writer: Writer, reading: Database, last: () => void): Store {
  const sql = statements(reading);
  const read = guarded(readerOf(sql, idsOf(sql)), 'reading the collector database');
  const close = () => {
    reading.close();
    last();
  };
  return {
    read,
    write: (fn) => writer.write(fn),
    settle: () => writer.settle(),
    close: () => writer.close(close),
  };
}

/** Renames a damaged database with its `-wal` and `-shm` to `….quarantined-<n>`; returns the new name. */
export function quarantineStore(path: string): string {
  return quarantineDatabase(path);
}

function idsOf(sql: Sql): Ids {
  return { logs: new IdMap(sql, 'logs', 'log'), groups: new IdMap(sql, 'key_groups', 'grp') };
}

function readerOf(sql: Sql, ids: Ids): Reader {
  return {
    ...registry(sql),
    ...readTickets(sql),
    ...readLeaves(sql, ids),
    ...readParts(sql, ids),
    ...readSessions(sql),
    ...readWatching(sql),
    ...readAlerts(sql),
    ...auditTables(sql),
    ...readAudits(sql),
    ...readRecordings(sql),
    async meta(key) {
      const row = sql('SELECT value FROM meta WHERE key = ?').get(key) as { value: string } | undefined;
      return row?.value ?? null;
    },
  };
}

type Statements = Omit<Tx, 'afterCommit' | 'attempt'>;

function writerOf(sql: Sql, ids: Ids): Statements {
  return {
    ...readerOf(sql, ids),
    ...registry(sql),
    ...writeLeaves(sql, ids),
    ...writeParts(sql, ids),
    ...writeSessions(sql),
    ...writeWatching(sql),
    ...writeAlerts(sql),
    ...auditTables(sql),
    ...writeAudits(sql),
    ...writeRecordings(sql),
    async dropOrphans(groups) {
      const drop = sql('DELETE FROM orphans WHERE grp = ?');
      for (const group of groups) drop.run(group);
    },
    async dropSessionWatch(watches) {
      const drop = sql('DELETE FROM session_watch WHERE watch = ?');
      for (const watch of watches) drop.run(watch);
    },
    async setMeta(key, value) {
      sql(`INSERT INTO meta (key, value) VALUES (?, ?)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value`).run(key, value);
    },
  };
}

/** One writing connection: transactions in the order of the calls (K2). */
class Writer {
  readonly #db: Database;
  readonly #faults: FaultSeam;
  readonly #appended: (through: Pos) => void;
  readonly #ids: Ids;
  readonly #statements: Statements;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(db: Database, faults: FaultSeam, appended: (through: Pos) => void) {
    const sql = statements(db);
    this.#db = db;
    this.#faults = faults;
    this.#appended = appended;
    this.#ids = idsOf(sql);
    this.#statements = writerOf(sql, this.#ids);
  }

  write<T>(fn: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closed());
    const run = this.#tail.then(() => this.#transact(fn));
    this.#tail = run.catch(() => {});
    return run;
  }

  settle(): Promise<boolean> {
    if (this.#closed) return Promise.reject(closed());
    const run = this.#tail.then(() => this.#empty());
    this.#tail = run.catch(() => {});
    return run;
  }

  /** True where no reader was in the way: `busy` is 0, and the log has no byte left. */
  #empty(): boolean {
    try {
      // A backup may read for minutes: nobody waits for it here.
      this.#db.pragma('busy_timeout = 0');
      const [row] = this.#db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
      return row?.busy === 0;
    } catch (error) {
      throw storeError(error, 'emptying the log of the collector database');
    } finally {
      this.#db.pragma(`busy_timeout = ${BUSY_MS}`);
    }
  }

  async close(fn: () => void): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#tail;
    fn();
  }

  async #transact<T>(fn: (tx: Tx) => Promise<T>): Promise<T> {
    const run = { alive: true, last: 0, after: [] as (() => void)[] };
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      const result = await fn(this.#tx(run));
      run.alive = false;
      this.#faults.hit?.('store.commit');
      // The commit point: fsynced before this returns (K1). A crash until here leaves nothing of it (K3).
      this.#db.exec('COMMIT');
      this.#committed(run);
      return result;
    } catch (error) {
      run.alive = false;
      this.#rollback();
      throw storeError(error, 'storing in the collector database');
    }
  }

  #tx(run: { alive: boolean; last: Pos; after: (() => void)[] }): Tx {
    const tx = guarded(this.#statements, 'storing in the collector database', () => run.alive);
    return {
      ...tx,
      async appendLeaves(rows) {
        const positions = await tx.appendLeaves(rows);
        run.last = positions.at(-1) ?? run.last;
        return positions;
      },
      attempt: (fn) => this.#attempt(fn),
      afterCommit: (call) => run.after.push(call),
    };
  }

  async #attempt<T>(fn: () => Promise<T>): Promise<T> {
    this.#db.exec('SAVEPOINT attempt');
    try {
      const result = await fn();
      this.#db.exec('RELEASE attempt');
      return result;
    } catch (error) {
      // On a full disk SQLite has rolled back all of it; then the transaction fails at its commit.
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK TO attempt; RELEASE attempt');
      this.#ids.logs.forget();
      this.#ids.groups.forget();
      throw error;
    }
  }

  #committed(run: { last: Pos; after: (() => void)[] }): void {
    this.#ids.logs.keep();
    this.#ids.groups.keep();
    for (const call of run.after) call();
    if (run.last > 0) this.#appended(run.last);
    this.#faults.hit?.('store.committed');
  }

  #rollback(): void {
    this.#ids.logs.forget();
    this.#ids.groups.forget();
    // On a full disk SQLite has rolled back by itself.
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
  }
}

function closed(): TilsynError {
  return new TilsynError('store.closed', 'storing in the collector database: it is closed');
}
