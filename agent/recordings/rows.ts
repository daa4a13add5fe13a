/** Rows of the catalogue: as the database has them, as a scan writes and compares them, and as all others read them. */
import { utcMs } from '../../protocol/time.ts';
import { fromBytes } from './names.ts';
import { type ByteName, type RecordingRow, STATES } from './types.ts';

export interface RawRow {
  folder: number;
  name: Buffer;
  camera: number;
  start: number;
  spread: number;
  ends: number | null;
  size: number | null;
  inode: number | null;
  state: number;
  slice: number | null;
}

/** D3: the bounds as they are stored. */
export function rowOf({ name, start, spread, ends, size, state, ...rest }: RawRow): RecordingRow {
  return {
    ...rest,
    name: fromBytes(name),
    bounds: {
      startEarliest: utcMs(start),
      startLatest: utcMs(start + spread),
      endLatest: ends === null ? null : utcMs(ends),
    },
    sizeBytes: size,
    state: STATES[state] ?? 'present',
  };
}

export const ROW = 'folder, name, camera, start, spread, ends, size, inode, state, slice';

/** A folder of a catalogue. */
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

/** A folder as its table has it. */
export interface RawFolder {
  id: number;
  parent: number | null;
  name: Buffer;
  mtime: number | null;
  inode: number | null;
  scanned_at: number | null;
}

export function folderOf({ name, scanned_at, ...rest }: RawFolder): FolderRow {
  return { ...rest, name: fromBytes(name), scannedAt: scanned_at };
}

export const FOLDER = 'id, parent, name, mtime, inode, scanned_at';
