/** Rows of the catalogue, as the database has them. */
import { utcMs } from '../../protocol/time.ts';
import { fromBytes } from './names.ts';
import { type RecordingRow, STATES } from './types.ts';

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
