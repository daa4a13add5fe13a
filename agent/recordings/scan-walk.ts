/**
 * Reads folders below a root and tells the catalogue, step by step: each step runs inside the caller's transaction, and
 * between two of them the caller may commit and answer something else. What a crash leaves is a folder without its time
 * of change, which the next scan reads again (C21, `catalogue.ts`). Ends come from
 * `bounds.ts`.
 *
 * C24 Nothing that is no regular file and no folder is followed; it is counted.
 * C25 Another file system below the root is not entered: what lay there before is not known to be gone.
 * C26 A folder that holds something that is still being written is not cold, whatever its time of change says.
 */
import { type Dirent, lstatSync, readdirSync, type Stats } from 'node:fs';
import { codeOf } from '../../protocol/errors.ts';
import { DAY_MS, type UtcMs } from '../../protocol/time.ts';
import { latestEnds, neighbourEnds, type Timed } from './bounds.ts';
import { type Catalogue, RESTED_MS } from './catalogue.ts';
import { forSystem } from './names.ts';
import { MARKER_FILE } from './root.ts';
import type { FolderRow, KnownRow } from './rows.ts';
import type { ByteName, FolderReading, Layout, OddKind, PathSays } from './types.ts';

/** What is counted of a pass and told when it ended. */
export type Note = 'empty' | 'returned' | 'future-dated' | 'unreadable-folder' | 'file-system-other';

export interface Walk {
  catalogue: Catalogue;
  layout: Layout;
  source: number;
  /** As a byte string. */
  root: ByteName;
  dev: number;
  now(): UtcMs;
  /** Every file is looked at again. */
  full: boolean;
  /** Only the folder itself and what is new in it. */
  shallow: boolean;
  /** Null where inode numbers do not last. */
  inodes: boolean;
  /** Rows written since the caller last set it to nothing. */
  written: number;
  folders: number;
  files: number;
  /** How much of the whole is done, of 1. */
  share: number;
  notes: Map<Note, number>;
  /** Names that were in a folder's rows and are not there now. */
  vanished: { folder: number; path: ByteName[]; names: ByteName[] }[];
  /** Folders that are not there now. */
  gone: { folder: number; path: ByteName[] }[];
  /** Folders in which something is being written. */
  pending: Set<number>;
}

interface Found {
  name: ByteName;
  says: PathSays & { is: 'recording' };
  camera: number;
  size: number | null;
  inode: number | null;
  /** A recording of this name was erased (C20). */
  again: boolean;
}

type Steps = Generator<void, void, void>;
/** Files that are looked at in one step. */
const STEP_FILES = 256;
/** Neighbours of one camera outside a folder; more would be a clock that stood still. */
const MAX_NEAR = 5_000;

export function* visit(walk: Walk, folder: FolderRow, path: ByteName[], weight: number): Steps {
  const there = lstat(join(walk.root, path));
  if (there === 'gone' || (there !== 'unreadable' && !there.isDirectory())) {
    walk.gone.push({ folder: folder.id, path });
    return;
  }
  walk.folders += 1;
  if (there === 'unreadable') return note(walk, 'unreadable-folder');
  if (there.dev !== walk.dev) return note(walk, 'file-system-other');
  const children = yield* look(walk, folder, path, there);
  if (children.length === 0) walk.share += weight;
  yield;
  for (const child of children) yield* visit(walk, child, [...path, child.name], weight / children.length);
}

/** The folder's own files; returns the folders to go on with. */
function* look(
  walk: Walk,
  folder: FolderRow,
  path: ByteName[],
  there: Stats,
): Generator<void, FolderRow[], void> {
  const known = walk.catalogue.children(walk.source, folder.id);
  if (!walk.full && isCold(folder, there)) return walk.shallow ? [] : known;
  const at = walk.now();
  const entries = list(join(walk.root, path));
  if (entries === null) {
    note(walk, 'unreadable-folder');
    return [];
  }
  const one = new Folder(walk, folder, path);
  let count = 0;
  for (const entry of entries) {
    one.entry(entry);
    if (++count % STEP_FILES === 0) yield;
  }
  yield* one.settle();
  const busy = one.busy();
  if (busy) walk.pending.add(folder.id);
  else walk.pending.delete(folder.id);
  // From the commit of this on the folder may be skipped; what vanished is marked first, in a transaction of its own.
  const mtime = busy || one.lost ? null : Math.floor(there.mtimeMs);
  walk.catalogue.scanned(folder.id, mtime, inodeOf(walk, there), at);
  walk.written += 1;
  return one.below(known, walk.shallow);
}

/** C21 */
function isCold({ mtime, inode, scannedAt }: FolderRow, there: Stats): boolean {
  if (mtime === null || scannedAt === null || mtime !== Math.floor(there.mtimeMs)) return false;
  return scannedAt - mtime > RESTED_MS && (inode === null || inode === there.ino);
}

class Folder {
  readonly #walk: Walk;
  readonly #row: FolderRow;
  readonly #path: ByteName[];
  readonly #dir: ByteName;
  readonly #reading: FolderReading;
  readonly #known: Map<ByteName, KnownRow>;
  readonly #odds: Map<ByteName, string>;
  readonly #found: Found[] = [];
  readonly #folders = new Set<ByteName>();
  readonly #cameras = new Map<ByteName, number>();
  /** Of each camera, the latest start in this folder. */
  readonly #newest = new Map<number, number>();
  #open = 0;
  lost = false;

  constructor(walk: Walk, row: FolderRow, path: ByteName[]) {
    this.#walk = walk;
    this.#row = row;
    this.#path = path;
    this.#dir = join(walk.root, path);
    this.#reading = walk.layout.folder(path);
    this.#known = new Map(walk.catalogue.rows(row.id).map((known) => [known.name, known]));
    this.#odds = new Map(walk.catalogue.odds(row.id).map(({ name, kind }) => [name, kind]));
    for (const { camera, start, state } of this.#known.values()) if (state === 0) this.#began(camera, start);
  }

  entry(entry: Dirent): void {
    const { name } = entry;
    if (entry.isDirectory()) {
      this.#folders.add(name);
      return;
    }
    this.#walk.files += 1;
    const regular = entry.isFile();
    const known = this.#known.get(name);
    if (known !== undefined && regular) {
      this.#known.delete(name);
      // Why a sweep left it alone stays with it (D5), until it goes or is another file.
      if (known.state === 0 && this.#odds.get(name) === 'refused') this.#odds.delete(name);
      // C20: only the sweep decides about a row that it marked; what it erased and is there again is another file.
      if (known.state === 1 || (known.state === 0 && known.size !== null && !this.#walk.full)) return;
    }
    const says = this.#reading.file(name);
    if (says.is === 'recorder' || (name === MARKER_FILE && this.#path.length === 0)) return;
    if (!regular) this.#odd(name, 'unknown');
    else if (says.is === 'in-flight') this.#open += 1;
    else if (says.is === 'recording') this.#recording(name, says, known ?? null);
    else this.#odd(name, says.is);
  }

  #recording(name: ByteName, says: PathSays & { is: 'recording' }, known: KnownRow | null): void {
    const camera = this.#camera(says.camera);
    this.#began(camera, says.startEarliest);
    const again = known?.state === 2;
    const { size = null, inode = null } = again ? {} : (known ?? {});
    this.#found.push({ name, says, camera, size, inode, again });
  }

  #camera(name: ByteName): number {
    const known = this.#cameras.get(name);
    if (known !== undefined) return known;
    const { id } = this.#walk.catalogue.camera(this.#walk.source, name);
    this.#cameras.set(name, id);
    return id;
  }

  #began(camera: number, start: number): void {
    this.#newest.set(camera, Math.max(start, this.#newest.get(camera) ?? start));
  }

  #odd(name: ByteName, kind: OddKind): void {
    if (this.#odds.get(name) === kind || this.#odds.get(name) === 'refused') {
      this.#odds.delete(name);
      return;
    }
    this.#odds.delete(name);
    this.#walk.catalogue.odd(this.#row.id, name, kind, this.#walk.now());
    this.#walk.written += 1;
  }

  /** Looks at what is new, bounds it, and writes it; then what is not there any more. */
  *settle(): Steps {
    const fresh = new Map<number, Found[]>();
    let count = 0;
    for (const found of this.#found) {
      if (this.#looked(found)) push(fresh, found.camera, found);
      if (++count % STEP_FILES === 0) yield;
    }
    for (const [camera, items] of fresh) yield* this.#bound(camera, items);
    this.#leave();
  }

  /** Stat of a name; false where there is no recording to write. */
  #looked(found: Found): boolean {
    const there = lstat(`${this.#dir}/${found.name}`);
    if (there === 'gone' || there === 'unreadable') {
      // Between the list and the look it went: the next scan of this folder says what it was.
      this.#open += 1;
      return false;
    }
    if (!there.isFile()) {
      this.#odd(found.name, 'unknown');
      return false;
    }
    const now = this.#walk.now();
    const newest = this.#newest.get(found.camera) === found.says.startEarliest;
    const writing = newest && Math.abs(now - there.mtimeMs) < RESTED_MS;
    const before = found.size;
    if (writing) this.#open += 1;
    else if (before === null) this.#noteOf(found, there.size, now);
    found.size = writing ? null : there.size;
    found.inode = inodeOf(this.#walk, there);
    return true;
  }

  #noteOf({ says, again }: Found, size: number, now: UtcMs): void {
    if (again) note(this.#walk, 'returned');
    if (size === 0) note(this.#walk, 'empty');
    if (says.startEarliest > now + DAY_MS) note(this.#walk, 'future-dated');
  }

  /** D3: among the camera's others here and in other folders, whose ends may become earlier by it. */
  *#bound(camera: number, fresh: readonly Found[]): Steps {
    const { catalogue, layout } = this.#walk;
    let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const { says } of fresh) {
      first = Math.min(first, says.startEarliest);
      last = Math.max(last, says.startLatest);
    }
    const [from, to] = neighbourEnds(first, last, layout.longestSegmentMs);
    const names = new Set(fresh.map(({ name }) => name));
    const near = catalogue.around(camera, from, to, MAX_NEAR).filter(({ folder, name }) => {
      return folder !== this.#row.id || !names.has(name);
    });
    const items: Timed[] = fresh.map(({ says }) => timed(says));
    for (const { folder, name, start, spread, ends } of near) {
      const reading = folder === this.#row.id ? this.#reading : layout.folder(catalogue.read.pathOf(folder));
      const says = reading.file(name);
      const stated = says.is === 'recording' ? says.endStated : ends;
      items.push({ start, spread, stated, known: ends });
    }
    const ends = latestEnds(items, layout.longestSegmentMs);
    let count = 0;
    for (const [at, found] of fresh.entries()) {
      this.#put(found, ends[at] as number);
      if (++count % STEP_FILES === 0) yield;
    }
    for (const [at, { folder, name, ends: before }] of near.entries()) {
      const after = ends[fresh.length + at] as number;
      if (after === before) continue;
      catalogue.setEnd(folder, name, after);
      this.#walk.written += 1;
    }
  }

  #put({ name, says, camera, size, inode, again }: Found, ends: number): void {
    const start = says.startEarliest;
    const spread = says.startLatest - start;
    this.#walk.catalogue.put({ folder: this.#row.id, name, camera, start, spread, ends, size, inode }, again);
    this.#walk.written += 1;
  }

  /** What stands in the catalogue and was not listed. */
  #leave(): void {
    for (const name of this.#odds.keys()) {
      if (this.#folders.has(name)) continue;
      this.#walk.catalogue.oddGone(this.#row.id, name);
    }
    const names: ByteName[] = [];
    for (const [name, { state }] of this.#known) if (state === 0) names.push(name);
    if (names.length === 0) return;
    this.lost = true;
    this.#walk.vanished.push({ folder: this.#row.id, path: this.#path, names });
  }

  busy(): boolean {
    return this.#open > 0;
  }

  /** Folders to go on with. `shallow`: only those that nobody knew. */
  below(known: readonly FolderRow[], shallow: boolean): FolderRow[] {
    const { catalogue, layout, source } = this.#walk;
    const rows = new Map(known.map((row) => [row.name, row]));
    const below: FolderRow[] = [];
    for (const name of [...this.#folders].sort()) {
      const row = rows.get(name);
      rows.delete(name);
      if (row !== undefined) {
        if (!shallow) below.push(row);
        continue;
      }
      const says = layout.folder([...this.#path, name]).is;
      if (says === 'unknown') this.#odd(name, 'unknown');
      else if (says !== 'recorder') below.push(catalogue.folder(source, this.#row.id, name));
    }
    for (const { id, name } of rows.values())
      this.#walk.gone.push({ folder: id, path: [...this.#path, name] });
    if (rows.size > 0) catalogue.scanned(this.#row.id, null, null, this.#walk.now());
    return below;
  }
}

function timed({ startEarliest, startLatest, endStated }: PathSays & { is: 'recording' }): Timed {
  return { start: startEarliest, spread: startLatest - startEarliest, stated: endStated, known: null };
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function note(walk: Walk, what: Note): void {
  walk.notes.set(what, (walk.notes.get(what) ?? 0) + 1);
}

export function join(root: ByteName, path: readonly ByteName[]): ByteName {
  return path.length === 0 ? root : `${root}/${path.join('/')}`;
}

export function lstat(path: ByteName): Stats | 'gone' | 'unreadable' {
  try {
    return lstatSync(forSystem(path));
  } catch (error) {
    const code = codeOf(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'gone' : 'unreadable';
  }
}

/** Null: it cannot be read now. */
function list(path: ByteName): Dirent[] | null {
  try {
    return readdirSync(forSystem(path), { withFileTypes: true, encoding: 'latin1' });
  } catch {
    return null;
  }
}

function inodeOf({ inodes }: Walk, { ino }: Stats): number | null {
  return inodes && Number.isSafeInteger(ino) ? ino : null;
}
