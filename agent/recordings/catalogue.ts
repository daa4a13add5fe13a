/**
 * The half of the catalogue that the scan fills. Everything that writes runs inside the caller's transaction; rows give
 * way to events when the disk is full, because a scan can always read again what the events cannot say twice.
 *
 * C20 A scan never touches a row in `erasing`: only the sweep decides about it. A file that lies there again under the name
 *     of an `erased` row, from a backup perhaps, is a recording like any other: present, told, and erased on its day again.
 * C63 Every statement over recordings reads a part of them by an index: none reads all, none sorts what it reads.
 * C21 A folder is skipped as unchanged only when its time of change is more than ten seconds older than the scan that
 *     read it: two changes within the grain of that time would look like one.
 */
import { type Id, idBytes, idFrom, newId, type Random, type SourceId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';
import { fromBytes, toBytes } from './names.ts';
import { ReadStore } from './read-store.ts';
import {
  FOLDER,
  type FolderRow,
  type FoundRow,
  folderOf,
  type KnownRow,
  type NearRow,
  type RawFolder,
} from './rows.ts';
import { type ByteName, type CameraRow, type OddKind, STATES } from './types.ts';

const PRESENT = STATES.indexOf('present');
const ERASED = STATES.indexOf('erased');

/** A folder is as it was only if it had rested this long before it was read (C21). */
export const RESTED_MS = 10_000;

export class Catalogue {
  readonly #db: Db;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #random: Random;
  /** What is only read: lists, figures, paths. */
  readonly read: ReadStore;

  constructor(db: Db, random: Random) {
    this.#db = db;
    this.read = new ReadStore(db);
    this.#sql = prepare(db);
    this.#random = random;
  }

  /** The row of a source; made, or brought in line with the configuration. Another root or layout is another catalogue. */
  source(source: SourceId, root: string, layout: string, zone: string): number {
    const found = this.#sql.putSource.get(idBytes(source), Buffer.from(root), layout, zone);
    return (found as { id: number }).id;
  }

  camera(source: number, name: ByteName): CameraRow {
    const bytes = toBytes(name);
    const known = this.#sql.camera.get(source, bytes);
    if (known !== undefined) return { id: known.id, camera: idFrom(known.camera), name };
    const camera = newId<'camera'>(this.#random);
    const made = this.#sql.putCamera.get(source, idBytes(camera), bytes) as { id: number };
    return { id: made.id, camera, name };
  }

  /** Cameras that no event named yet. */
  untold(source: number): CameraRow[] {
    return this.#sql.untold.all(source).map(({ id, camera, name }) => {
      return { id, camera: idFrom(camera), name: fromBytes(name) };
    });
  }

  told(camera: number): void {
    this.#sql.told.run(camera);
  }

  /** The folder below `parent` (null: the root itself, with an empty name); made where it is not known. */
  folder(source: number, parent: number | null, name: ByteName): FolderRow {
    const bytes = toBytes(name);
    const found =
      this.#sql.folder.get(source, parent ?? 0, bytes) ?? this.#sql.putFolder.get(source, parent, bytes);
    return folderOf(found as RawFolder);
  }

  folderAt(id: number): FolderRow | null {
    const found = this.#sql.folderAt.get(id);
    return found === undefined ? null : folderOf(found);
  }

  /** Random id of a camera, as events name it. */
  cameraId(camera: number): Id<'camera'> | null {
    const found = this.#sql.cameraId.get(camera);
    return found === undefined ? null : idFrom(found.camera);
  }

  children(source: number, parent: number): FolderRow[] {
    return this.#sql.children.all(source, parent).map(folderOf);
  }

  /** What a scan saw of a folder, when it had read it. */
  scanned(folder: number, mtime: number | null, inode: number | null, at: UtcMs): void {
    this.#sql.scanned.run(mtime, inode, at, folder);
  }

  /** The folder is not there any more, and nothing below it. */
  folderGone(folder: number): void {
    this.#sql.folderGone.run(folder);
    this.#sql.oddsGone.run(folder);
  }

  rows(folder: number): KnownRow[] {
    return this.#sql.rows.all(folder).map(({ name, ...row }) => ({ ...row, name: fromBytes(name) }));
  }

  /**
   * A new file, or one whose size, inode or bounds changed (C20).
   * @param again the row was `erased` when the file was listed; otherwise a row that a sweep erased meanwhile stays erased
   */
  put({ folder, name, camera, start, spread, ends, size, inode }: FoundRow, again = false): void {
    const values = [folder, toBytes(name), camera, start, spread, ends, size, inode];
    this.#sql.put.run(...values, again ? ERASED : PRESENT);
  }

  /** What is there of a camera and ends after `from`, at most at `to`; the earliest first. */
  around(camera: number, from: number, to: number, limit: number): NearRow[] {
    return this.#sql.around.all(camera, from, to, limit).map(({ name, ...row }) => {
      return { ...row, name: fromBytes(name) };
    });
  }

  /** Only the latest end: another recording of this camera began (D3). */
  setEnd(folder: number, name: ByteName, ends: number | null): void {
    this.#sql.setEnd.run(ends, folder, toBytes(name));
  }

  /** The newest finished recording of a camera; null: there is none. */
  newestOf(camera: number): { folder: number; name: ByteName } | null {
    const found = this.#sql.newestOf.get(camera);
    return found === undefined ? null : { folder: found.folder, name: fromBytes(found.name) };
  }

  /** Vanished without us. */
  missing(folder: number, name: ByteName): void {
    this.#sql.missing.run(folder, toBytes(name));
  }

  odd(folder: number, name: ByteName, kind: OddKind, at: UtcMs): void {
    this.#sql.odd.run(folder, toBytes(name), kind, at);
  }

  /** Folders that changed last, the newest first. */
  newest(source: number, limit: number): FolderRow[] {
    return this.#sql.newest.all(source, limit).map(folderOf);
  }

  cameraNames(source: number): ByteName[] {
    return this.#sql.cameraNames.all(source).map(({ name }) => fromBytes(name));
  }

  /** What the scan wrote moves out of the WAL, so that it stays small. */
  checkpoint(): void {
    this.#db.pragma('wal_checkpoint(TRUNCATE)');
  }

  odds(folder: number): { name: ByteName; kind: OddKind | 'refused' }[] {
    return this.#sql.odds.all(folder).map(({ name, kind }) => ({ name: fromBytes(name), kind }));
  }

  oddGone(folder: number, name: ByteName): void {
    this.#sql.oddGone.run(folder, toBytes(name));
  }

  /** A whole pass ended. `full`: every file was looked at with stat. */
  passed(source: number, at: UtcMs, full: boolean): void {
    this.#sql.passed.run(at, at, full ? at : null, source);
  }

  passes(source: number): { scannedAt: number | null; fullAt: number | null; state: string } {
    const found = this.#sql.passes.get(source);
    return {
      scannedAt: found?.scanned_at ?? null,
      fullAt: found?.full_at ?? null,
      state: found?.state ?? 'first-scan',
    };
  }

  setState(source: number, state: 'first-scan' | 'watched' | 'suspect' | 'retired'): void {
    this.#sql.setState.run(state, source);
  }

  /** One that was never read as a whole stays as it is: a sweep waits for its first pass. */
  suspect(source: number): void {
    this.#sql.suspect.run(source);
  }

  /** A person accepted what lies under the root: its file system, as JSON. The marker is in the root by now. */
  accept(source: number, marker: Id<'source'>, fs: string): void {
    this.#sql.accept.run(marker, fs, source);
  }

  /** Erasing waits for a person again (R6). */
  unapprove(source: number): void {
    this.#sql.unapprove.run(source);
  }
}

function prepare(db: Db) {
  const one = <R>(sql: string): Statement<unknown[], R> => db.prepare<unknown[], R>(sql);
  return {
    putSource: one<{ id: number }>(
      `INSERT INTO rec_sources (source, root, layout, zone) VALUES (?, ?, ?, ?)
       ON CONFLICT (source) DO UPDATE SET root = excluded.root, layout = excluded.layout, zone = excluded.zone
       RETURNING id`,
    ),
    camera: one<{ id: number; camera: Buffer }>(
      'SELECT id, camera FROM rec_cameras WHERE source = ? AND name = ?',
    ),
    putCamera: one<{ id: number }>(
      'INSERT INTO rec_cameras (source, camera, name) VALUES (?, ?, ?) RETURNING id',
    ),
    untold: one<{ id: number; camera: Buffer; name: Buffer }>(
      'SELECT id, camera, name FROM rec_cameras WHERE source = ? AND told = 0',
    ),
    told: one('UPDATE rec_cameras SET told = 1 WHERE id = ?'),
    folder: one<RawFolder>(
      `SELECT ${FOLDER} FROM rec_folders WHERE source = ? AND coalesce(parent, 0) = ? AND name = ?`,
    ),
    putFolder: one<RawFolder>(
      `INSERT INTO rec_folders (source, parent, name) VALUES (?, ?, ?) RETURNING ${FOLDER}`,
    ),
    children: one<RawFolder>(
      `SELECT ${FOLDER} FROM rec_folders WHERE source = ? AND coalesce(parent, 0) = ? AND gone = 0`,
    ),
    scanned: one('UPDATE rec_folders SET mtime = ?, inode = ?, scanned_at = ?, gone = 0 WHERE id = ?'),
    folderGone: one('UPDATE rec_folders SET gone = 1, mtime = NULL WHERE id = ?'),
    rows: one<Omit<KnownRow, 'name'> & { name: Buffer }>(
      'SELECT name, camera, start, spread, ends, size, inode, state FROM recordings WHERE folder = ?',
    ),
    put: one(
      `INSERT INTO recordings (folder, name, camera, start, spread, ends, size, inode) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (folder, name) DO UPDATE SET camera = excluded.camera, start = excluded.start,
         spread = excluded.spread, ends = excluded.ends, size = excluded.size, inode = excluded.inode, state = 0, slice = NULL
       WHERE state IN (0, 3, ?)`,
    ),
    around: one<Omit<NearRow, 'name'> & { name: Buffer }>(
      // As the index has it (C63): asked for each folder, and a camera has a million rows.
      `SELECT folder, name, start, spread, ends FROM recordings
       WHERE camera = ? AND state = 0 AND coalesce(ends, -1) > ? AND coalesce(ends, -1) <= ?
       ORDER BY coalesce(ends, -1) LIMIT ?`,
    ),
    newest: one<RawFolder>(
      `SELECT ${FOLDER} FROM rec_folders WHERE source = ? AND gone = 0 ORDER BY mtime IS NOT NULL, mtime DESC LIMIT ?`,
    ),
    folderAt: one<RawFolder>(`SELECT ${FOLDER} FROM rec_folders WHERE id = ?`),
    cameraId: one<{ camera: Buffer }>('SELECT camera FROM rec_cameras WHERE id = ?'),
    cameraNames: one<{ name: Buffer }>('SELECT name FROM rec_cameras WHERE source = ?'),
    setEnd: one('UPDATE recordings SET ends = ? WHERE folder = ? AND name = ?'),
    newestOf: one<{ folder: number; name: Buffer }>(
      `SELECT folder, name FROM recordings WHERE camera = ? AND state = 0 AND size > 0
       ORDER BY coalesce(ends, -1) DESC LIMIT 1`,
    ),
    missing: one('UPDATE recordings SET state = 3 WHERE folder = ? AND name = ? AND state = 0'),
    odd: one(
      `INSERT INTO rec_unknown (folder, name, kind, seen_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (folder, name) DO UPDATE SET kind = excluded.kind WHERE kind <> 'refused'`,
    ),
    odds: one<{ name: Buffer; kind: OddKind | 'refused' }>(
      'SELECT name, kind FROM rec_unknown WHERE folder = ?',
    ),
    oddsGone: one('DELETE FROM rec_unknown WHERE folder = ?'),
    oddGone: one('DELETE FROM rec_unknown WHERE folder = ? AND name = ?'),
    passed: one(
      'UPDATE rec_sources SET first_at = coalesce(first_at, ?), scanned_at = ?, full_at = coalesce(?, full_at) WHERE id = ?',
    ),
    passes: one<{ scanned_at: number | null; full_at: number | null; state: string }>(
      'SELECT scanned_at, full_at, state FROM rec_sources WHERE id = ?',
    ),
    setState: one('UPDATE rec_sources SET state = ? WHERE id = ?'),
    suspect: one("UPDATE rec_sources SET state = 'suspect' WHERE id = ? AND state = 'watched'"),
    accept: one('UPDATE rec_sources SET marker = ?, fs = ? WHERE id = ?'),
    unapprove: one('UPDATE rec_sources SET approved = 0 WHERE id = ?'),
  };
}
