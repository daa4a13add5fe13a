/** What the parts of the vault hand each other. Pure types; paths and names of originals never leave this host. */
import type { Bounds } from '../../protocol/hold.ts';
import type { ByteName } from '../recordings/types.ts';

export type CopyState = 'copying' | 'whole' | 'copied' | 'lost' | 'erasing' | 'erased';
/** As the column holds them. */
export const COPY_STATES: readonly CopyState[] = ['copying', 'whole', 'copied', 'lost', 'erasing', 'erased'];

/** A vault as it was made. */
export interface VaultRow {
  id: number;
  /** Random id; stands in the folder's marker. */
  vault: string;
  path: string;
  /** Identity of its file system, as JSON. */
  fs: string;
}

/** A recording that is there, is held, and has no copy. */
export interface Original {
  /** Row of its source and of its camera in the catalogue. */
  source: number;
  cameraRow: number;
  /** Random id. */
  camera: string;
  folder: number;
  name: ByteName;
  bounds: Bounds;
  /** As the catalogue knows it; null: still being written. */
  sizeBytes: number | null;
  inode: number | null;
}

export interface CopyRow {
  id: number;
  /** 32 hexadecimal characters. */
  file: string;
  vault: number;
  folder: number;
  name: ByteName;
  source: string;
  camera: string;
  bounds: Bounds;
  sizeBytes: number;
  inode: number | null;
  /** 32 bytes; null: not read to its end. */
  sha256: Buffer | null;
  kept: number | null;
  state: CopyState;
  said: string | null;
}

/** What `hold list` shows beside "in force" (H2). */
export interface Protection {
  state: 'not-needed' | 'copying' | 'copied' | 'failed';
  /** Whole, verified copies, of all that are there or were copied. */
  done: number;
  total: number;
  /** Of the copies. */
  bytes: number;
  /** Bytes that are still to be copied, as far as sizes are known; each is read twice. */
  leftBytes: number;
  /** Held recordings that went before they could be copied; each was told (`hold.violated`). */
  lost: number;
  /** Of `failed`; null otherwise. */
  reason: string | null;
}
