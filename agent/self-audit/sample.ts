/**
 * A random sample of the catalogue against the disk, both ways. Only names and sizes are read, and only below a root that
 * is the accepted one; nothing of it leaves this host but counts.
 *
 * A23 What disagrees is looked at again after the scan had its turn: what it puts right by itself, and what changes while
 *     it is looked at, is no finding.
 * A24 The sample is bounded, and says that there is more.
 */
import { type Dirent, opendirSync } from 'node:fs';
import type { Random, SourceId } from '../../protocol/ids.ts';
import { fromBytes, toBytes } from '../recordings/names.ts';
import { MARKER_FILE, openRoot } from '../recordings/root.ts';
import { acceptedOf } from '../recordings/roots.ts';
import { join, lstat } from '../recordings/scan-walk.ts';
import type { ByteName, Layout, RecordingSource } from '../recordings/types.ts';
import type { AuditStore } from './store.ts';
import { add, type CheckResult, leave, nothing, type Pace } from './types.ts';

/** Of each root: folders, rows in all, rows of one folder, names of one folder. */
export const SAMPLE = { folders: 64, rows: 2_000, rowsOfFolder: 200, names: 5_000, namesOfFolder: 1_000 };

export type Wrong = 'row-without-file' | 'row-differs' | 'file-without-row' | 'erased-present';

/** What disagrees, for a second look. */
export interface Suspect {
  folder: number;
  path: ByteName[];
  name: ByteName;
  wrong: Wrong;
  /** As it was seen; null: nothing was there. */
  sizeBytes: number | null;
}

export interface Sampled {
  rows: number;
  files: number;
  /** There is more than what was looked at. */
  more: boolean;
  unreadable: boolean;
  suspects: Suspect[];
}

/** What lies at a place on the disk. */
export type There = { sizeBytes: number } | 'gone' | 'unreadable' | 'other';

/** Pure: what is wrong with a row and what lies there; null: nothing. */
export function wrongRow(row: { sizeBytes: number | null; state: number }, there: There): Wrong | null {
  if (there === 'unreadable') return null;
  if (row.state === 2) return typeof there === 'object' ? 'erased-present' : null;
  if (row.state !== 0) return null;
  if (there === 'gone') return 'row-without-file';
  // Not looked at since it was finished: nothing is claimed of it.
  if (row.sizeBytes === null) return null;
  return there === 'other' || there.sizeBytes !== row.sizeBytes ? 'row-differs' : null;
}

/** Pure: whether what was wrong at the first look is so still (A23). `now` null: nothing is wrong any more. */
export function stands(before: Suspect, now: { wrong: Wrong | null; sizeBytes: number | null }): boolean {
  return now.wrong === before.wrong && now.sizeBytes === before.sizeBytes;
}

export interface SampleDeps {
  store: AuditStore;
  /** Parts of a folder's path below its root. */
  pathOf(folder: number): ByteName[];
  random: Random;
  pace: Pace;
}

/** A source with the layout that reads its paths. */
export interface SampleSource {
  source: RecordingSource;
  layout: Pick<Layout, 'folder'>;
}

/** Draws a sample of one source. */
export async function sample(deps: SampleDeps, { source, layout }: SampleSource): Promise<Sampled> {
  const { store, random, pace, pathOf } = deps;
  const found: Sampled = { rows: 0, files: 0, more: false, unreadable: false, suspects: [] };
  const seen = new Set<number>();
  const last = store.lastFolder();
  for (let tries = 0; tries < 2 * SAMPLE.folders && seen.size < SAMPLE.folders; tries += 1) {
    const folder = store.folderFrom(source.id, below(random, last) + 1);
    if (folder === null) return found;
    if (seen.has(folder)) continue;
    seen.add(folder);
    const place = { folder, path: pathOf(folder), root: fromBytes(Buffer.from(source.root)) };
    await rowsIn(deps, place, found);
    await filesIn(deps, place, layout, found);
    await pace.step();
    if (found.rows >= SAMPLE.rows || found.files >= SAMPLE.names) break;
  }
  found.more = store.folderFrom(source.id, 0) !== null && (found.more || !(await wasAll(deps, source, seen)));
  return found;
}

/** Whether every folder of a small source was drawn. */
async function wasAll({ store }: SampleDeps, { id }: RecordingSource, seen: Set<number>): Promise<boolean> {
  for (let at = 0, n = 0; n <= SAMPLE.folders; n += 1) {
    const folder = store.folderFrom(id, at);
    if (folder === null || folder < at) return true;
    if (!seen.has(folder)) return false;
    at = folder + 1;
  }
  return false;
}

interface FolderPlace {
  folder: number;
  path: ByteName[];
  root: ByteName;
}

/** Rows of a folder, from a random one on, against what lies there. */
async function rowsIn(deps: SampleDeps, place: FolderPlace, found: Sampled): Promise<void> {
  const { store, random, pace } = deps;
  const { folder, path, root } = place;
  const most = SAMPLE.rowsOfFolder;
  let rows = store.rowsOf(folder, 0, most + 1);
  if (rows.length > most) {
    found.more = true;
    const later = store.rowsOf(folder, below(random, 50 * most), most);
    rows = later.length > 0 ? later : rows.slice(0, most);
  }
  for (const row of rows) {
    const there = look(root, path, row.name);
    found.rows += 1;
    const wrong = wrongRow(row, there);
    if (wrong !== null)
      found.suspects.push({ folder, path, name: row.name, wrong, sizeBytes: sizeIn(there) });
    await pace.step();
  }
}

/** Names in a folder against rows. */
async function filesIn(
  { store, pace }: SampleDeps,
  { folder, path, root }: FolderPlace,
  layout: Pick<Layout, 'folder'>,
  found: Sampled,
): Promise<void> {
  const reading = layout.folder(path);
  const open = list(join(root, path));
  if (open === null) {
    found.unreadable = true;
    return;
  }
  try {
    for (let n = 0; ; n += 1) {
      const entry = open.next();
      if (entry === null) return;
      if (n >= SAMPLE.namesOfFolder) {
        found.more = true;
        return;
      }
      await pace.step();
      const { name } = entry;
      if (!entry.isFile() || name === MARKER_FILE || reading.file(name).is !== 'recording') continue;
      found.files += 1;
      if (store.row(folder, name) !== null || store.odd(folder, name)) continue;
      const sizeBytes = sizeIn(look(root, path, name));
      found.suspects.push({ folder, path, name, wrong: 'file-without-row', sizeBytes });
    }
  } finally {
    open.close();
  }
}

/** The second look (A23): how many of each are wrong still, and whether any changed meanwhile. */
export async function lookAgain(
  { store, pace }: Pick<SampleDeps, 'store' | 'pace'>,
  source: RecordingSource,
  suspects: readonly Suspect[],
): Promise<{ standing: Map<Wrong, number>; changed: number }> {
  const standing = new Map<Wrong, number>();
  let changed = 0;
  const root = fromBytes(Buffer.from(source.root));
  for (const suspect of suspects) {
    const there = look(root, suspect.path, suspect.name);
    const row = store.row(suspect.folder, suspect.name);
    const stray = row === null && typeof there === 'object' && !store.odd(suspect.folder, suspect.name);
    const wrong = row === null ? (stray ? 'file-without-row' : null) : wrongRow(row, there);
    if (stands(suspect, { wrong, sizeBytes: sizeIn(there) }))
      standing.set(suspect.wrong, (standing.get(suspect.wrong) ?? 0) + 1);
    else changed += 1;
    await pace.step();
  }
  return { standing, changed };
}

/** Whether what is below a root may be judged, by what was accepted; null: it may. */
export function rootUnseen(source: RecordingSource): 'first-scan' | 'not-accepted' | 'root-suspect' | null {
  if (source.state === 'first-scan') return 'first-scan';
  const accepted = acceptedOf(source);
  if (accepted === null) return 'not-accepted';
  const open = openRoot(accepted);
  if ('trouble' in open) return 'root-suspect';
  open.close();
  return null;
}

export interface RowsDeps extends SampleDeps {
  sources: readonly SampleSource[];
  /** Of one source, as last counted; null: nobody counted. */
  present(source: RecordingSource): number | null;
  /** Every root is read again; null: nobody can do that now. */
  pass: (() => Promise<'done' | 'too-long'>) | null;
}

/** Rows against files, and files against rows: two checks of one sample. */
export async function checkRows(deps: RowsDeps): Promise<[CheckResult, CheckResult]> {
  const rows = nothing('rows', ['exports', 'copies-elsewhere', 'backups', 'snapshots']);
  const files = nothing('files');
  if (deps.sources.length === 0) leave(rows, 'no-root');
  const drawn: { source: RecordingSource; sampled: Sampled }[] = [];
  for (const one of deps.sources) {
    const unseen = rootUnseen(one.source);
    const present = deps.present(one.source);
    if (present !== null) rows.of = (rows.of ?? 0) + present;
    if (unseen !== null) {
      leave(rows, unseen);
      leave(files, unseen);
      continue;
    }
    const sampled = await sample(deps, one);
    rows.looked += sampled.rows;
    files.looked += sampled.files;
    if (sampled.more) leave(rows, 'beyond-sample');
    if (sampled.more) leave(files, 'beyond-sample');
    if (sampled.unreadable) leave(files, 'unreadable-folder');
    if (sampled.suspects.length > 0) drawn.push({ source: one.source, sampled });
  }
  if (drawn.length === 0) return [rows, files];
  // A pass that does not come to its end leaves the second look to what is so anyway.
  if (deps.pass !== null && (await deps.pass()) === 'too-long') leave(rows, 'changed-meanwhile');
  for (const { source, sampled } of drawn) {
    // What lay under the root is no witness once it is another one.
    if (rootUnseen(source) !== null) leave(rows, 'root-suspect');
    else await judgeSuspects(deps, source, sampled, rows, files);
  }
  return [rows, files];
}

async function judgeSuspects(
  deps: RowsDeps,
  source: RecordingSource,
  { suspects }: Sampled,
  rows: CheckResult,
  files: CheckResult,
): Promise<void> {
  const { standing, changed } = await lookAgain(deps, source, suspects);
  for (const [wrong, count] of standing)
    add(wrong === 'file-without-row' ? files : rows, wrong, count, source.source as SourceId);
  if (changed > 0) rows.explained += changed;
}

function look(root: ByteName, path: readonly ByteName[], name: ByteName): There {
  const there = lstat(`${join(root, path)}/${name}`);
  if (there === 'gone' || there === 'unreadable') return there;
  return there.isFile() ? { sizeBytes: there.size } : 'other';
}

function sizeIn(there: There): number | null {
  return typeof there === 'object' ? there.sizeBytes : null;
}

/** Null: it cannot be read, or is not there. */
function list(path: ByteName): { next(): Dirent | null; close(): void } | null {
  try {
    const dir = opendirSync(toBytes(path) as unknown as string, { encoding: 'latin1' as BufferEncoding });
    return { next: () => dir.readSync(), close: () => dir.closeSync() };
  } catch {
    return null;
  }
}

/** A whole number from 0 up to and without `most`. */
function below(random: Random, most: number): number {
  return most <= 0 ? 0 : random(6).readUIntBE(0, 6) % most;
}
