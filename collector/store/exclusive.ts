/** An exclusive lock that the operating system releases when the process dies, however it dies. */
import Sqlite, { type Database } from 'better-sqlite3';
import { hasCode } from '../../protocol/errors.ts';
import { storeError } from './errors.ts';

/** A database that nobody refers to is closed by the garbage collector, and its lock would go with it. */
const HELD = new Set<Database>();

/** Null where another process holds it. The file stays; only the lock on it counts. */
export function exclusive(path: string): { release(): void } | null {
  let db: Database | null = null;
  try {
    db = new Sqlite(path, { timeout: 0 });
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
    throw storeError(error, 'locking the state directory');
  }
}
