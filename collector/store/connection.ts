/** Opening the collector's SQLite: settings, check, migrations. */
import { readdirSync, readFileSync } from 'node:fs';
import Sqlite, { type Database } from 'better-sqlite3';
import type { FaultSeam } from '../types.ts';
import { corrupt, storeError } from './errors.ts';

/** Nothing else writes; a backup tool that locks the file for a moment is waited for this long. */
export const BUSY_MS = 5_000;
/**
 * WAL pages (4 KiB) after which a commit moves them into the database; the file stays about this large. Ids are
 * random, so that each transaction touches most pages of an index: a page that many of them changed is moved once.
 * At a quarter of it a backlog with parts took about 10 % more CPU.
 */
const WAL_PAGES = 16_000;
const WAL_KEEP_BYTES = 64 * 1024 * 1024;
const CACHE_KIB = 32 * 1024;
/** The writer touches random pages of four indexes for each session: at 32 MiB about 6 % more CPU per event. */
const WRITER_CACHE_KIB = 128 * 1024;
/** Up to here the whole file is checked at start (about 1 s); beyond, damage is found where a page is read. */
const CHECK_WHOLE_PAGES = 65_536;

export interface Migration {
  version: number;
  sql: string;
}

/** The plain numbered files of `schema/`, in order. */
export function migrations(folder: URL = new URL('./schema/', import.meta.url)): Migration[] {
  return readdirSync(folder)
    .filter((name) => /^\d{3}\.sql$/.test(name))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 3)), sql: readFileSync(new URL(name, folder), 'utf8') }));
}

/**
 * Opens (and makes, where it is absent) the database for writing and brings its schema up to date.
 * @throws TilsynError `store.corrupt` (K5), `store.denied`, `store.full`
 */
export function openWriter(path: string, faults: FaultSeam, steps: readonly Migration[]): Database {
  let db: Database | null = null;
  try {
    db = new Sqlite(path, { timeout: BUSY_MS });
    configure(db, faults);
    check(db);
    migrate(db, steps);
    return db;
  } catch (error) {
    db?.close();
    throw storeError(error, 'opening the collector database');
  }
}

/**
 * Opens a database that another process may be running on, to write a little: nothing is checked or migrated, and no
 * page is moved out of the WAL.
 */
export function openBesideWriter(path: string): Database {
  try {
    const db = new Sqlite(path, { fileMustExist: true, timeout: BUSY_MS });
    configure(db, {});
    db.pragma('wal_autocheckpoint = 0');
    return db;
  } catch (error) {
    throw storeError(error, 'opening the collector database beside its process');
  }
}

/** A second connection that can only read; it sees what was committed (K2). */
export function openReader(path: string): Database {
  try {
    const db = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
    db.pragma('query_only = ON');
    db.pragma('temp_store = MEMORY');
    db.pragma(`cache_size = -${CACHE_KIB}`);
    return db;
  } catch (error) {
    throw storeError(error, 'opening the collector database for reading');
  }
}

function configure(db: Database, faults: FaultSeam): void {
  db.pragma('journal_mode = WAL');
  // better-sqlite3 is built with NORMAL for WAL: a power cut could then lose what was already acked (K1).
  db.pragma(`synchronous = ${faults.broken?.('synchronous-off') ? 'OFF' : 'FULL'}`);
  db.pragma('fullfsync = ON'); // macOS: fsync alone stops at the drive's cache
  db.pragma('checkpoint_fullfsync = ON');
  db.pragma('secure_delete = ON');
  db.pragma('temp_store = MEMORY');
  db.pragma(`cache_size = -${WRITER_CACHE_KIB}`);
  db.pragma(`wal_autocheckpoint = ${WAL_PAGES}`);
  db.pragma(`journal_size_limit = ${WAL_KEEP_BYTES}`);
}

function check(db: Database): void {
  const pages = Number(db.pragma('page_count', { simple: true }));
  if (pages > CHECK_WHOLE_PAGES) return;
  if (db.pragma('quick_check(1)', { simple: true }) !== 'ok') throw corrupt();
}

/** A version newer than ours has nothing to apply and stays as it is (K6). */
export function migrate(db: Database, steps: readonly Migration[]): void {
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
