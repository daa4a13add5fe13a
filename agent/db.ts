/**
 * The agent's SQLite: opening, settings, migrations, and what its errors mean. The only place of the agent that
 * drives better-sqlite3; other rooms are handed the open database.
 *
 * Q1  A commit has reached the disk when it returns: `synchronous=FULL` in WAL mode.
 * Q4  What can be read again need not wait for the disk: its commit reaches it with the next one that has to, in order, so
 *     that nothing which was committed later outlasts it.
 * Q2  Migrations only add; a database of a newer version is opened as it is.
 * Q3  A damaged database is recognised before it is used.
 */
import { readdirSync, readFileSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { hasCode, TilsynError } from '../protocol/errors.ts';
import { fileError } from './files.ts';
import type { FaultSeam } from './types.ts';

export type Db = Sqlite.Database;
export type Statement<P extends unknown[] = unknown[], R = unknown> = Sqlite.Statement<P, R>;

/** Other processes only ever read (`agent check`); a writer never waits for them longer than this. */
const BUSY_MS = 250;
/** The WAL keeps this much when it is reset: space that is already ours when the disk is full. */
const WAL_KEEP_BYTES = 8 * 1024 * 1024;
const CACHE_KIB = 4096;
/** As SQLite numbers it. */
const FULL = 2;
/**
 * Pages in the WAL before it is copied into the database. What is still to be copied when the disk fills up must
 * fit into the ballast, or a full disk would keep the agent from ever copying, and so from deleting.
 */
const CHECKPOINT_PAGES = 512;

const SCHEMA = new URL('./schema/', import.meta.url);

export interface Migration {
  version: number;
  sql: string;
}

/** The plain numbered files of `schema/`, in order. */
export function migrations(folder: URL = SCHEMA): Migration[] {
  return readdirSync(folder)
    .filter((name) => /^\d{3}\.sql$/.test(name))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 3)), sql: readFileSync(new URL(name, folder), 'utf8') }));
}

/**
 * Opens (and makes, where it is absent) the database at `path`, checks it and brings its schema up to date.
 * @throws TilsynError `database.corrupt` where it has to be set aside; `state.*` where the folder is the trouble
 */
export function openDatabase(path: string, faults: FaultSeam = {}, steps = migrations()): Db {
  let db: Db | null = null;
  try {
    db = new Sqlite(path, { timeout: BUSY_MS });
    configure(db, faults);
    quickCheck(db);
    migrate(db, steps);
    return db;
  } catch (error) {
    db?.close();
    throw databaseError(error, 'opening the agent database');
  }
}

function configure(db: Db, faults: FaultSeam): void {
  db.pragma('journal_mode = WAL');
  // better-sqlite3 is built with NORMAL for WAL: a power cut could then lose an event that was already sent.
  db.pragma(`synchronous = ${faults.broken?.('synchronous-off') ? 'OFF' : 'FULL'}`);
  db.pragma('fullfsync = ON'); // macOS: fsync alone stops at the drive's cache
  db.pragma('secure_delete = ON');
  db.pragma('temp_store = MEMORY');
  db.pragma('foreign_keys = ON');
  db.pragma(`cache_size = -${CACHE_KIB}`);
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma(`journal_size_limit = ${WAL_KEEP_BYTES}`);
}

/** Q4: `act` makes its own transactions, whose commits do not wait for the disk. */
export function unhurried<T>(db: Db, act: () => T): T {
  // Weakened by a fault seam: it stays so.
  if (db.pragma('synchronous', { simple: true }) !== FULL) return act();
  db.pragma('synchronous = NORMAL');
  try {
    return act();
  } finally {
    db.pragma('synchronous = FULL');
  }
}

/** @throws TilsynError `database.corrupt` (Q3) */
export function quickCheck(db: Db): void {
  const found = db.pragma('quick_check(1)', { simple: true });
  if (found !== 'ok') throw corrupt();
}

function migrate(db: Db, steps: readonly Migration[]): void {
  const present = Number(db.pragma('user_version', { simple: true }));
  for (const { version, sql } of steps) {
    if (version <= present) continue;
    // One transaction each: a crash leaves the version before it, and the next start goes on from there.
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${version}`);
    }).immediate();
  }
}

/** Opens for reading only, beside a running agent. */
export function openReadOnly(path: string): Db {
  try {
    return new Sqlite(path, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
  } catch (error) {
    throw databaseError(error, 'reading the agent database');
  }
}

/** A database that nobody refers to is closed by the garbage collector, and its lock would go with it. */
const HELD = new Set<Db>();

/**
 * An exclusive lock that the operating system releases when the process dies, however it dies. Null where
 * another process holds it.
 */
export function exclusive(path: string): { release(): void } | null {
  let db: Db | null = null;
  try {
    db = new Sqlite(path, { timeout: 0 });
    // Otherwise a journal file is written at once, for which a full disk has no room.
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
    const held = db;
    HELD.add(held);
    return {
      release: () => {
        HELD.delete(held);
        held.close();
      },
    };
  } catch (error) {
    db?.close();
    if (hasCode(error, 'SQLITE_BUSY', 'SQLITE_LOCKED')) return null;
    throw databaseError(error, 'locking the state directory');
  }
}

function corrupt(cause?: unknown): TilsynError {
  return new TilsynError('database.corrupt', 'reading the agent database: it is damaged', {
    hint: 'Restart the agent: it sets the damaged file aside, starts a new log and says what was lost.',
    exit: 'integrity',
    cause,
  });
}

/** True where there was no room to write: the transaction was rolled back as a whole. */
export function isFull(error: unknown): boolean {
  return hasCode(error, 'SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE', 'ENOSPC', 'EDQUOT', 'state.full');
}

/** What an error of the driver means. */
export function databaseError(error: unknown, doing: string): TilsynError {
  if (error instanceof TilsynError) return error;
  if (hasCode(error, 'SQLITE_CORRUPT', 'SQLITE_NOTADB') || startsWith(error, 'SQLITE_CORRUPT')) {
    return corrupt(error);
  }
  if (isFull(error)) return fileError({ code: 'ENOSPC', cause: error }, doing);
  if (startsWith(error, 'SQLITE_READONLY')) return fileError({ code: 'EROFS', cause: error }, doing);
  if (startsWith(error, 'SQLITE_CANTOPEN') || hasCode(error, 'SQLITE_PERM', 'SQLITE_AUTH')) {
    return fileError({ code: 'EACCES', cause: error }, doing);
  }
  return new TilsynError('database.failed', `${doing}: the database answered with an error`, {
    hint: 'Look at the volume of the state directory; `tilsyn agent check` says what is damaged.',
    retryable: startsWith(error, 'SQLITE_IOERR') || startsWith(error, 'SQLITE_BUSY'),
    cause: error,
  });
}

function startsWith(error: unknown, prefix: string): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return typeof error.code === 'string' && error.code.startsWith(prefix);
}
