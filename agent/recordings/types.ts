/**
 * What the parts of the recordings room hand each other: what a layout says of a path, a row of the catalogue, a source.
 * Pure types; `layouts/` has the layouts, `catalogue.ts`, `sweep-store.ts` and `read-store.ts` the rows.
 *
 * Names of files and folders are byte strings: one character per byte (latin1), so that invalid UTF-8 survives. They
 * stay on this host and never stand in an event, a log line or an error; `names.ts` turns them into what the system
 * calls want and into what a person reads.
 */
import type { Bounds } from '../../protocol/hold.ts';
import type { SourceId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';

/** A name or a relative path (joined with `/`), one character per byte. */
export type ByteName = string;

/** How a layout's times are to be read. `site`: the zone that the source declares. */
export type LayoutZone = 'utc' | 'site' | 'epoch' | 'offset';

/** What one file is, by its path below the root alone. */
export type PathSays =
  | {
      is: 'recording';
      camera: ByteName;
      /** D3: bounds of the start; in a repeated hour they differ, for a path with only a date by a day. */
      startEarliest: UtcMs;
      startLatest: UtcMs;
      /** The end that the path states; null: it states none. */
      endStated: UtcMs | null;
    }
  /** Still being written, by its name: never touched, never told. */
  | { is: 'in-flight' }
  /** Belongs to the recorder and is needed by it (`init.mp4`, a database, our marker): never touched, not told. */
  | { is: 'recorder' }
  /** A copy or a derivative that has no retention of its own here (export, clip, thumbnail): told as a stray copy. */
  | { is: 'stray' }
  /** A recording of a layout that states no time in the path: kept and reported (D2). */
  | { is: 'untimed'; camera: ByteName }
  /** In no form that the layout knows: reported, never erased (R4). */
  | { is: 'unknown' };

/** Whether a folder can hold recordings, by its path alone; `above`: folders that can lie below it. */
export type FolderSays = 'recordings' | 'above' | 'stray' | 'recorder' | 'unknown';

/** What a layout says of one folder. Made once for each folder: its fields are read once. */
export interface FolderReading {
  is: FolderSays;
  /** It belongs to a date or an hour: nobody writes into it once that is over. */
  dated: boolean;
  /** What a file of this name in this folder is. */
  file(name: ByteName): PathSays;
}

export interface Layout {
  name: string;
  /** Name for people: `Frigate (since 0.12)`. */
  title: string;
  zone: LayoutZone;
  longestSegmentMs: number;
  /** R5: false for rings and databases: `mode: erase` is refused for them, whatever a file says. */
  erasable: boolean;
  /** Example paths below the root, each of which `says` a recording. */
  examples: readonly string[];
  /** `path`: parts below the root; empty: the root itself. */
  folder(path: readonly ByteName[]): FolderReading;
  /**
   * Folders (relative paths) in which a recorder writes between `from` and `to`, for cameras and folders that exist
   * already; null: this layout cannot say, so that the newest folders are taken.
   */
  hot(from: UtcMs, to: UtcMs, cameras: readonly ByteName[]): ByteName[] | null;
}

/** Why a file that is no recording of the layout is kept in mind. */
export type OddKind = 'unknown' | 'untimed' | 'stray';

export type RecordingState = 'present' | 'erasing' | 'erased' | 'missing';
/** As the column holds them. */
export const STATES: readonly RecordingState[] = ['present', 'erasing', 'erased', 'missing'];

/** One row of the catalogue. */
export interface RecordingRow {
  folder: number;
  name: ByteName;
  camera: number;
  bounds: Bounds;
  /** Null: not looked at since it was finished. */
  sizeBytes: number | null;
  /** Null where the file system has none that lasts. */
  inode: number | null;
  state: RecordingState;
  /** The slice that marked it; null: none did. */
  slice: number | null;
}

/** A source of recordings as the catalogue knows it. */
export interface RecordingSource {
  id: number;
  source: SourceId;
  root: string;
  layout: string;
  zone: string;
  /** What was accepted as the file system under the root; null: nothing yet. */
  fs: string | null;
  state: 'first-scan' | 'watched' | 'suspect' | 'retired';
  /** A person approved an erasing sweep of this catalogue (R6). */
  approved: boolean;
  /** Trusted time of the last completed sweep. */
  sweptAt: UtcMs | null;
}

export interface CameraRow {
  id: number;
  /** Random id, as events name it. */
  camera: string;
  name: ByteName;
}

/** How far a walk through a camera's rows is: the key of the last one. */
export interface Place {
  end: UtcMs;
  folder: number;
  name: ByteName;
}
