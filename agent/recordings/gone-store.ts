/**
 * Rows of what is not there any more, and their end. They stay for a time, so that the host answers what it erased and what
 * went without it; then they go, because they name cameras and hours. The events of it stay where they are.
 */
import type { UtcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';
import { toBytes } from './names.ts';
import type { RecordingRow } from './types.ts';

/** Folders of one transaction: each is looked for below all others. */
const FOLDERS = 50;

export class GoneStore {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Db) {
    this.#sql = prepare(db);
  }

  /**
   * The oldest slice of a source that ended before `before`, with the rows of what it erased. False: there is none. The newest
   * slice of all stays: its number stands in events, and would be given to another one.
   */
  dropSlice(source: number, before: UtcMs): boolean {
    const found = this.#sql.oldest.get(source, before);
    if (found === undefined) return false;
    this.#sql.dropErased.run(found.id);
    this.#sql.dropSlice.run(found.id);
    return true;
  }

  dropMissing({ folder, name }: Pick<RecordingRow, 'folder' | 'name'>): void {
    this.#sql.dropMissing.run(folder, toBytes(name));
  }

  /** Some folders of a source that are gone, and that no row is left of; returns how many. */
  dropFolders(source: number): number {
    return this.#sql.dropFolders.run(source, FOLDERS).changes;
  }
}

function prepare(db: Db) {
  const one = <R>(sql: string): Statement<unknown[], R> => db.prepare<unknown[], R>(sql);
  return {
    oldest: one<{ id: number }>(
      `SELECT id FROM rec_slices WHERE source = ? AND done_at < ? AND id < (SELECT max(id) FROM rec_slices)
       ORDER BY id LIMIT 1`,
    ),
    dropErased: one('DELETE FROM recordings WHERE slice = ? AND state = 2'),
    dropSlice: one('DELETE FROM rec_slices WHERE id = ?'),
    dropMissing: one('DELETE FROM recordings WHERE folder = ? AND name = ? AND state = 3'),
    // Numbers of folders are kept in mind by what watches them: the newest is not given away again.
    dropFolders: one(
      `DELETE FROM rec_folders WHERE id IN (
         SELECT f.id FROM rec_folders f
         WHERE f.source = ? AND f.gone = 1 AND f.parent IS NOT NULL AND f.id < (SELECT max(id) FROM rec_folders)
           AND NOT EXISTS (SELECT 1 FROM recordings r WHERE r.folder = f.id)
           AND NOT EXISTS (SELECT 1 FROM rec_unknown u WHERE u.folder = f.id)
           AND NOT EXISTS (SELECT 1 FROM rec_folders c WHERE c.source = f.source AND coalesce(c.parent, 0) = f.id)
         LIMIT ?)`,
    ),
  };
}
