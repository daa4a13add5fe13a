/** The rows of the vault. Everything that writes runs inside the caller's transaction. */
import { idBytes, idFrom } from '../../protocol/ids.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';
import { fromBytes, toBytes } from '../recordings/names.ts';
import { type RawRow, ROW, rowOf } from '../recordings/rows.ts';
import type { ByteName, RecordingRow } from '../recordings/types.ts';
import { COPY_STATES, type CopyRow, type CopyState, type VaultRow } from './types.ts';

/** What a copy begins with. */
export interface NewCopy extends Pick<CopyRow, 'file' | 'vault' | 'folder' | 'name' | 'source' | 'camera'> {
  bounds: CopyRow['bounds'];
  path: ByteName;
  sizeBytes: number;
  inode: number | null;
  state: 'copying' | 'lost';
  said: string | null;
}

/** Where a walk through a camera's originals stands. */
export interface At {
  end: number;
  folder: number;
  name: ByteName;
}

/** What may overlap: ends not before `from`, begins not after `to`. */
export interface Interval {
  from: number;
  to: number;
}

/** A camera, and how long after its start a recording of it can end at the latest. */
export interface Spanned {
  id: number;
  /** Random id. */
  camera: string;
  spanMs: number;
}

export interface EraseSlice {
  id: number;
  source: string;
  camera: string;
  policy: string;
  version: number;
  due: UtcMs;
  starts: UtcMs;
  ends: UtcMs;
  count: number;
  bytes: number;
  root: string;
}

export class VaultStore {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Db) {
    this.#sql = prepare(db);
  }

  vaults(): VaultRow[] {
    return this.#sql.vaults.all().map(({ vault, path, ...row }) => {
      return { ...row, vault: idFrom(vault), path: path.toString() };
    });
  }

  addVault({ vault, path, fs }: Omit<VaultRow, 'id'>): number {
    return (this.#sql.addVault.get(idBytes(vault as never), Buffer.from(path), fs) as { id: number }).id;
  }

  /** Originals of a camera that are there, overlap the interval and have no copy; those without an end first. */
  uncopied(
    { id: camera, spanMs }: Spanned,
    { from, to }: Interval,
    after: At | null,
    limit: number,
  ): RecordingRow[] {
    const { end, folder, name } = after ?? { end: -2, folder: 0, name: '' };
    // Without an end: all of them, whenever they began before `to` (D2).
    const open = end < 0 ? this.#sql.uncopied.all(camera, end, folder, toBytes(name), -1, to, limit) : [];
    if (open.length === limit) return open.map(rowOf);
    const at = end < from ? { end: from, folder: -1, name: '' } : { end, folder, name };
    const rest = limit - open.length;
    const most = lastEnd(to, spanMs);
    const ended = this.#sql.uncopied.all(camera, at.end, at.folder, toBytes(at.name), most, to, rest);
    return [...open, ...ended].map(rowOf);
  }

  /** How many those are, and how large as far as is known. */
  countUncopied({ id: camera, spanMs }: Spanned, { from, to }: Interval): { count: number; bytes: number } {
    return (
      this.#sql.countUncopied.get({ camera, from, to, last: lastEnd(to, spanMs) }) ?? { count: 0, bytes: 0 }
    );
  }

  /** Rows of a camera that overlap the interval, by their state. */
  copies(
    { camera, spanMs }: Spanned,
    { from, to }: Interval,
  ): { state: CopyState; count: number; bytes: number }[] {
    return this.#sql.copies
      .all({ camera: idBytes(camera as never), from, to, last: lastEnd(to, spanMs) })
      .map(({ state, ...sum }) => {
        return { ...sum, state: COPY_STATES[state] ?? 'copied' };
      });
  }

  begin(copy: NewCopy): number {
    const { file, vault, folder, name, path, source, camera, bounds, sizeBytes, inode, state, said } = copy;
    const { startEarliest, startLatest, endLatest } = bounds;
    const made = this.#sql.begin.get(
      ...[Buffer.from(file, 'hex'), vault, folder, toBytes(name), toBytes(path)],
      ...[idBytes(source as never), idBytes(camera as never), startEarliest, startLatest - startEarliest],
      ...[endLatest, sizeBytes, inode, COPY_STATES.indexOf(state), said],
    );
    return (made as { id: number }).id;
  }

  /** Read to its end and on the disk: from here on it is complete, whatever becomes of the original. */
  whole(
    id: number,
    { sha256, kept, sizeBytes }: { sha256: Buffer; kept: number | null; sizeBytes: number },
  ): void {
    this.#sql.whole.run(sha256, kept, sizeBytes, id);
  }

  copied(id: number, batch: number, at: UtcMs): void {
    this.#sql.copied.run(batch, at, id);
  }

  nextBatch(): number {
    return (this.#sql.lastBatch.get()?.batch ?? 0) + 1;
  }

  /** Nothing of value was made. */
  drop(id: number): void {
    this.#sql.drop.run(id);
  }

  say(id: number, what: string): void {
    this.#sql.say.run(what, id);
  }

  mark(id: number, state: CopyState, slice: number | null): void {
    this.#sql.mark.run(COPY_STATES.indexOf(state), slice, id);
  }

  /** The copy is gone, and with it what its original was called. */
  erased(id: number): void {
    this.#sql.erased.run(id);
  }

  /** Rows in a state after an id, in order. */
  inState(state: CopyState, after: number, limit: number): CopyRow[] {
    return this.#sql.inState.all(COPY_STATES.indexOf(state), after, limit).map(copyOf);
  }

  row(id: number): CopyRow | null {
    const found = this.#sql.row.get(id);
    return found === undefined ? null : copyOf(found);
  }

  /** Whether a file of the vault is one that a row names. */
  isKnown(file: string): boolean {
    return this.#sql.isKnown.get(Buffer.from(file, 'hex')) !== undefined;
  }

  /** True where the vault has a whole copy of it. */
  hasCopy(folder: number, name: ByteName): boolean {
    return this.#sql.hasCopy.get(folder, toBytes(name)) !== undefined;
  }

  /** Bytes that lie in a vault, or are about to. */
  used(vault: number): number {
    return this.#sql.used.get(vault)?.bytes ?? 0;
  }

  /** When the newest recording of a camera ends, at most at `until`; null: there is none. */
  newestEnd(camera: number, until: number): number | null {
    return this.#sql.newestEnd.get(camera, until)?.at ?? null;
  }

  /** What a camera recorded that ended in an interval: bytes, and the earliest start. */
  written(camera: number, { from, to }: Interval): { bytes: number; first: number | null } {
    return this.#sql.written.get(camera, from, to) ?? { bytes: 0, first: null };
  }

  beginSlice(slice: Omit<EraseSlice, 'id'>): number {
    const { source, camera, policy, version, due, starts, ends, count, bytes, root } = slice;
    const made = this.#sql.beginSlice.get(
      ...[idBytes(source as never), idBytes(camera as never), policy, version, due, starts, ends],
      ...[count, bytes, Buffer.from(root, 'base64url')],
    );
    return (made as { id: number }).id;
  }

  endSlice(id: number, at: UtcMs): void {
    this.#sql.endSlice.run(at, id);
  }

  openSlices(): EraseSlice[] {
    return this.#sql.openSlices.all().map(({ source, camera, root, ...row }) => {
      return { ...row, source: idFrom(source), camera: idFrom(camera), root: root.toString('base64url') };
    });
  }

  erasing(slice: number): CopyRow[] {
    return this.#sql.erasing.all(slice).map(copyOf);
  }

  /** Names of originals go with the agreement that they were known under; the copies stay (C43). */
  forgetNames(): void {
    this.#sql.forgetNames.run();
  }
}

interface RawCopy {
  id: number;
  file: Buffer;
  vault: number;
  folder: number;
  name: Buffer;
  source: Buffer;
  camera: Buffer;
  start: number;
  spread: number;
  ends: number | null;
  size: number;
  inode: number | null;
  sha256: Buffer | null;
  kept: number | null;
  state: number;
  said: string | null;
}

function copyOf({ file, name, source, camera, start, spread, ends, size, state, ...rest }: RawCopy): CopyRow {
  return {
    ...{ ...rest, file: file.toString('hex'), name: fromBytes(name), sizeBytes: size },
    ...{ source: idFrom(source), camera: idFrom(camera), state: COPY_STATES[state] ?? 'copied' },
    bounds: {
      startEarliest: utcMs(start),
      startLatest: utcMs(start + spread),
      endLatest: ends === null ? null : utcMs(ends),
    },
  };
}

type RawSlice = Omit<EraseSlice, 'source' | 'camera' | 'root'> & {
  source: Buffer;
  camera: Buffer;
  root: Buffer;
};

const COPY =
  'id, file, vault, folder, name, source, camera, start, spread, ends, size, inode, sha256, kept, state, said';
/** What ends later began after `to`. */
function lastEnd(to: number, spanMs: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, to + spanMs);
}

/**
 * Another inode, or more bytes than were copied, is another recording. A copy that is being erased is none; what was given up
 * for lost is tried again once the catalogue knows it by another size.
 */
const NO_COPY = `NOT EXISTS (SELECT 1 FROM vault_copies v WHERE v.folder = r.folder AND v.name = r.name
  AND v.inode IS r.inode AND v.size >= coalesce(r.size, 0) AND v.state < 4 AND (v.state <> 3 OR v.size IS r.size))`;

function prepare(db: Db) {
  const one = <R>(sql: string): Statement<unknown[], R> => db.prepare<unknown[], R>(sql);
  return {
    vaults: one<Omit<VaultRow, 'vault' | 'path'> & { vault: Buffer; path: Buffer }>(
      'SELECT id, vault, path, fs FROM vaults ORDER BY id',
    ),
    addVault: one<{ id: number }>('INSERT INTO vaults (vault, path, fs) VALUES (?, ?, ?) RETURNING id'),
    uncopied: one<RawRow>(
      `SELECT ${ROW} FROM recordings r WHERE camera = ? AND state = 0
       AND (coalesce(ends, -1), folder, name) > (?, ?, ?) AND coalesce(ends, -1) <= ? AND start <= ? AND ${NO_COPY}
       ORDER BY coalesce(ends, -1), folder, name LIMIT ?`,
    ),
    // Two ranges of the index: those without an end, and those that end in or after the interval.
    countUncopied: one<{ count: number; bytes: number }>(
      `SELECT count(*) AS count, coalesce(sum(size), 0) AS bytes FROM (
         SELECT size FROM recordings r WHERE camera = @camera AND state = 0 AND coalesce(ends, -1) = -1
         AND start <= @to AND ${NO_COPY}
         UNION ALL
         SELECT size FROM recordings r WHERE camera = @camera AND state = 0
         AND coalesce(ends, -1) BETWEEN @from AND @last AND start <= @to AND ${NO_COPY})`,
    ),
    copies: one<{ state: number; count: number; bytes: number }>(
      `SELECT state, count(*) AS count, coalesce(sum(size), 0) AS bytes FROM vault_copies
       WHERE camera = @camera AND state IN (0, 1, 2, 3, 4)
       AND (coalesce(ends, -1) BETWEEN @from AND @last OR coalesce(ends, -1) = -1) AND start <= @to
       GROUP BY state`,
    ),
    begin: one<{ id: number }>(
      `INSERT INTO vault_copies (file, vault, folder, name, path, source, camera, start, spread, ends, size, inode,
         state, said) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    ),
    whole: one('UPDATE vault_copies SET sha256 = ?, kept = ?, size = ?, state = 1 WHERE id = ?'),
    copied: one('UPDATE vault_copies SET batch = ?, copied_at = ?, state = 2 WHERE id = ?'),
    lastBatch: one<{ batch: number | null }>('SELECT max(batch) AS batch FROM vault_copies'),
    drop: one('DELETE FROM vault_copies WHERE id = ?'),
    say: one('UPDATE vault_copies SET said = ? WHERE id = ?'),
    mark: one('UPDATE vault_copies SET state = ?, slice = ? WHERE id = ?'),
    erased: one("UPDATE vault_copies SET state = 5, name = x'', path = x'' WHERE id = ?"),
    inState: one<RawCopy>(`SELECT ${COPY} FROM vault_copies WHERE state = ? AND id > ? ORDER BY id LIMIT ?`),
    row: one<RawCopy>(`SELECT ${COPY} FROM vault_copies WHERE id = ?`),
    isKnown: one<{ id: number }>('SELECT id FROM vault_copies WHERE file = ?'),
    hasCopy: one<{ id: number }>(
      'SELECT id FROM vault_copies WHERE folder = ? AND name = ? AND state IN (1, 2) LIMIT 1',
    ),
    used: one<{ bytes: number }>(
      'SELECT coalesce(sum(size), 0) AS bytes FROM vault_copies WHERE vault = ? AND state IN (0, 1, 2, 4)',
    ),
    newestEnd: one<{ at: number }>(
      `SELECT coalesce(ends, -1) AS at FROM recordings WHERE camera = ? AND state = 0 AND coalesce(ends, -1) <= ?
       AND coalesce(ends, -1) >= 0 ORDER BY coalesce(ends, -1) DESC LIMIT 1`,
    ),
    written: one<{ bytes: number; first: number | null }>(
      `SELECT coalesce(sum(size), 0) AS bytes, min(start) AS first FROM recordings
       WHERE camera = ? AND state = 0 AND coalesce(ends, -1) > ? AND coalesce(ends, -1) <= ?`,
    ),
    beginSlice: one<{ id: number }>(
      `INSERT INTO vault_slices (source, camera, policy, version, due, starts, ends, count, bytes, root)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    ),
    endSlice: one('UPDATE vault_slices SET done_at = ? WHERE id = ?'),
    openSlices: one<RawSlice>(
      `SELECT id, source, camera, policy, version, due, starts, ends, count, bytes, root FROM vault_slices
       WHERE done_at IS NULL ORDER BY id`,
    ),
    erasing: one<RawCopy>(`SELECT ${COPY} FROM vault_copies WHERE slice = ? AND state = 4 ORDER BY id`),
    forgetNames: one("UPDATE vault_copies SET path = x'', name = x''"),
  };
}
