/**
 * The half of the catalogue that the scan fills. Everything that writes runs inside the caller's transaction; rows give
 * way to events when the disk is full, because a scan can always read again what the events cannot say twice.
 *
 * C20 A row in `erasing` is never made `present` by a scan: only the sweep decides about it. A file that lies there under
 *     the name of an `erased` one is another recording: its row gives way, and it is catalogued like any new one.
 * C21 A folder is skipped as unchanged only when its time of change is more than ten seconds older than the scan that
 *     read it: two changes within the grain of that time would look like one.
 */
import { type Id, idBytes, idFrom, newId, type Random, type SourceId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';
import { fromBytes, toBytes } from './names.ts';
import type { ByteName, CameraRow } from './types.ts';

export interface FolderRow {
  id: number;
  parent: number | null;
  name: ByteName;
  /** Milliseconds; null: read it again. */
  mtime: number | null;
  inode: number | null;
  scannedAt: number | null;
}

/** A recording as a scan found it. */
export interface FoundRow {
  folder: number;
  name: ByteName;
  camera: number;
  start: number;
  spread: number;
  /** Latest end; null: nobody can say. */
  ends: number | null;
  size: number | null;
  inode: number | null;
}

/** A row of a folder, as much as a scan compares. */
export interface KnownRow extends Omit<FoundRow, 'folder'> {
  state: number;
}

/** A recording beside others of its camera. */
export interface NearRow {
  folder: number;
  name: ByteName;
  start: number;
  spread: number;
  ends: number;
}

/** Deeper than any path that a system takes. */
const MAX_DEPTH = 64;

export type OddKind = 'unknown' | 'untimed' | 'stray';

/** A folder is as it was only if it had rested this long before it was read (C21). */
export const RESTED_MS = 10_000;

export class Catalogue {
  readonly #db: Db;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #random: Random;

  constructor(db: Db, random: Random) {
    this.#db = db;
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
  }

  rows(folder: number): KnownRow[] {
    return this.#sql.rows.all(folder).map(({ name, ...row }) => ({ ...row, name: fromBytes(name) }));
  }

  /** A new file, or one whose size, inode or bounds changed (C20). */
  put({ folder, name, camera, start, spread, ends, size, inode }: FoundRow): void {
    this.#sql.put.run(folder, toBytes(name), camera, start, spread, ends, size, inode);
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

  /** The row of an erased recording gives way to another one of its name (C20). */
  giveWay(folder: number, name: ByteName): void {
    this.#sql.giveWay.run(folder, toBytes(name));
  }

  /** Vanished without us. */
  missing(folder: number, name: ByteName): void {
    this.#sql.missing.run(folder, toBytes(name));
  }

  odd(folder: number, name: ByteName, kind: OddKind, at: UtcMs): void {
    this.#sql.odd.run(folder, toBytes(name), kind, at);
  }

  /** How many there are of each kind. */
  oddCounts(source: number): { kind: OddKind | 'refused'; count: number }[] {
    return this.#sql.oddCounts.all(source);
  }

  /** Folders that changed last, the newest first. */
  newest(source: number, limit: number): FolderRow[] {
    return this.#sql.newest.all(source, limit).map(folderOf);
  }

  /** The folder is read again by the next scan. */
  warm(source: number): void {
    this.#sql.warm.run(source);
  }

  /** Parts of a folder's path below the root; empty: the root itself. */
  pathOf(folder: number): ByteName[] {
    const parts: ByteName[] = [];
    for (let at: number | null = folder; at !== null && parts.length < MAX_DEPTH; ) {
      const found: { parent: number | null; name: Buffer } | undefined = this.#sql.parent.get(at);
      if (found === undefined || found.parent === null) break;
      parts.unshift(fromBytes(found.name));
      at = found.parent;
    }
    return parts;
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

  /** A person accepted what lies under the root: its file system, as JSON. The marker is in the root by now. */
  accept(source: number, marker: Id<'source'>, fs: string): void {
    this.#sql.accept.run(marker, fs, source);
  }

  /** Erasing waits for a person again (R6). */
  unapprove(source: number): void {
    this.#sql.unapprove.run(source);
  }

  /** Rows of what is gone for longer than they are kept, at most `limit`; returns how many went. */
  dropGone(before: UtcMs, limit: number): number {
    return this.#sql.dropGone.run(before, limit).changes;
  }
}

interface RawFolder {
  id: number;
  parent: number | null;
  name: Buffer;
  mtime: number | null;
  inode: number | null;
  scanned_at: number | null;
}

function folderOf({ name, scanned_at, ...rest }: RawFolder): FolderRow {
  return { ...rest, name: fromBytes(name), scannedAt: scanned_at };
}

const FOLDER = 'id, parent, name, mtime, inode, scanned_at';

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
         spread = excluded.spread, ends = excluded.ends, size = excluded.size, inode = excluded.inode, state = 0
       WHERE state IN (0, 3)`,
    ),
    around: one<Omit<NearRow, 'name'> & { name: Buffer }>(
      `SELECT folder, name, start, spread, ends FROM recordings
       WHERE state = 0 AND camera = ? AND ends > ? AND ends <= ? ORDER BY ends LIMIT ?`,
    ),
    oddCounts: one<{ kind: OddKind | 'refused'; count: number }>(
      `SELECT kind, count(*) AS count FROM rec_unknown u JOIN rec_folders f ON f.id = u.folder
       WHERE f.source = ? GROUP BY kind`,
    ),
    newest: one<RawFolder>(
      `SELECT ${FOLDER} FROM rec_folders WHERE source = ? AND gone = 0 ORDER BY mtime IS NOT NULL, mtime DESC LIMIT ?`,
    ),
    warm: one('UPDATE rec_folders SET mtime = NULL WHERE source = ?'),
    folderAt: one<RawFolder>(`SELECT ${FOLDER} FROM rec_folders WHERE id = ?`),
    cameraId: one<{ camera: Buffer }>('SELECT camera FROM rec_cameras WHERE id = ?'),
    parent: one<{ parent: number | null; name: Buffer }>('SELECT parent, name FROM rec_folders WHERE id = ?'),
    cameraNames: one<{ name: Buffer }>('SELECT name FROM rec_cameras WHERE source = ?'),
    setEnd: one('UPDATE recordings SET ends = ? WHERE folder = ? AND name = ?'),
    newestOf: one<{ folder: number; name: Buffer }>(
      `SELECT folder, name FROM recordings WHERE camera = ? AND state = 0 AND size > 0
       ORDER BY coalesce(ends, -1) DESC LIMIT 1`,
    ),
    giveWay: one('DELETE FROM recordings WHERE folder = ? AND name = ? AND state = 2'),
    missing: one('UPDATE recordings SET state = 3 WHERE folder = ? AND name = ? AND state = 0'),
    odd: one(
      `INSERT INTO rec_unknown (folder, name, kind, seen_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (folder, name) DO UPDATE SET kind = excluded.kind WHERE kind <> 'refused'`,
    ),
    odds: one<{ name: Buffer; kind: OddKind | 'refused' }>(
      'SELECT name, kind FROM rec_unknown WHERE folder = ?',
    ),
    oddGone: one('DELETE FROM rec_unknown WHERE folder = ? AND name = ?'),
    passed: one(
      'UPDATE rec_sources SET first_at = coalesce(first_at, ?), scanned_at = ?, full_at = coalesce(?, full_at) WHERE id = ?',
    ),
    passes: one<{ scanned_at: number | null; full_at: number | null; state: string }>(
      'SELECT scanned_at, full_at, state FROM rec_sources WHERE id = ?',
    ),
    setState: one('UPDATE rec_sources SET state = ? WHERE id = ?'),
    accept: one('UPDATE rec_sources SET marker = ?, fs = ? WHERE id = ?'),
    unapprove: one('UPDATE rec_sources SET approved = 0 WHERE id = ?'),
    dropGone: one(
      `DELETE FROM recordings WHERE (folder, name) IN (
         SELECT r.folder, r.name FROM recordings r JOIN rec_slices s ON s.id = r.slice
         WHERE r.state = 2 AND s.done_at < ? LIMIT ?)`,
    ),
  };
}
