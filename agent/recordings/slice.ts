/**
 * One slice of a sweep, from the first transaction to the second (R1).
 *
 * R1  Transaction 1 re-reads the holds, marks `erasing`, writes one `recordings.erasing` → root check → per file: hold
 *     read once more, checks, unlink → fsync of each touched folder → transaction 2 marks `erased` and writes
 *     `recordings.erased`. A restart finds `erasing` rows: present = decide again; absent = complete, flagged.
 * R2  The commit of transaction 1 is the point of no return.
 * C19 A folder goes when it is empty and its name is a time that is over; never by another call than rmdir, and never one
 *     that a recorder may count on, such as that of a camera.
 * C66 A folder that a slice touched is read again by the next pass, whatever its time of change says.
 */
import type { Hold } from '../../protocol/hold.ts';
import { ListRoot } from '../../protocol/list-root.ts';
import { SECOND_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import type { Draft, FaultSeam } from '../types.ts';
import { judge, type Kept, type Surroundings } from './due.ts';
import { type Erased, type EraseFolder, openFolder } from './erase.ts';
import { shown } from './names.ts';
import { OpenFolders } from './open-folders.ts';
import { type AcceptedRoot, type OpenRoot, openRoot, type RootTrouble } from './root.ts';
import { placeAfter, type SliceRow, type SweepStore } from './sweep-store.ts';
import type { CameraRow, Layout, Place, RecordingRow, RecordingSource } from './types.ts';

export const SLICE_FILES = 500;
/** Longest that unlinking keeps everything else from running. */
const STRETCH_MS = 20;

export interface SliceDeps {
  journal: Pick<AgentJournal, 'transact'>;
  store: SweepStore;
  /** Wall clock, for rows that are shown. */
  clock: { now(): UtcMs; mono(): number };
  faults: FaultSeam;
  /** Lets everything else have its turn. */
  rest(): Promise<void>;
  /** Trusted time; null: there is none. */
  now(): UtcMs | null;
}

export interface SliceWork {
  source: RecordingSource;
  accepted: AcceptedRoot;
  layout: Pick<Layout, 'folder'>;
  camera: CameraRow;
  around: Surroundings;
}

/** Which rows of the camera the slice looks at: what ended by then, behind a place. */
export interface SlicePart {
  endBy: UtcMs;
  after: Place | null;
}

export interface SliceResult {
  /** Where the next slice of the camera begins; null: there is nothing left. */
  next: Place | null;
  erased: number;
  bytes: number;
  /** Left alone past their due time, by reason. */
  left: Map<string, number>;
  /** The root is not the accepted one any more: nothing was erased. */
  trouble: RootTrouble | null;
}

/** Erases what may go now of the next 500 rows of one camera. */
export async function eraseSlice(deps: SliceDeps, work: SliceWork, part: SlicePart): Promise<SliceResult> {
  const left = new Map<string, number>();
  const { slice, rows, next } = begin(deps, work, part, left);
  if (slice === null) return { next, erased: 0, bytes: 0, left, trouble: null };
  deps.faults.hit?.('agent.sweep.begun');
  // A crash from here to the end of transaction 2 leaves rows in `erasing`; `finishSlice` takes the same road.
  return { next, ...(await carryOut(deps, work, slice, rows, left)) };
}

interface Begun {
  /** Null: nothing of these may go. */
  slice: SliceRow | null;
  /** What was marked. */
  rows: RecordingRow[];
  next: Place | null;
}

/** Transaction 1. */
function begin(
  { journal, store, clock, faults, now }: SliceDeps,
  { source, camera, around }: SliceWork,
  { endBy, after }: SlicePart,
  left: Map<string, number>,
): Begun {
  let begun: Begun = { slice: null, rows: [], next: null };
  journal.transact(() => {
    left.clear();
    const at = now();
    const holds = store.holds();
    const seen = store.ended(camera.id, endBy, after, SLICE_FILES);
    const next = placeAfter(seen, SLICE_FILES);
    begun = { slice: null, rows: [], next };
    const going: RecordingRow[] = [];
    let due: UtcMs | null = null;
    let named = { policy: around.policy.name, version: around.policy.version };
    for (const row of seen) {
      const verdict = judge(row, camera.camera, around, holds, at);
      if (verdict.verdict === 'keep') {
        count(left, verdict.reason);
        continue;
      }
      going.push(row);
      named = { policy: verdict.policy, version: verdict.version };
      if (verdict.dueAt !== null && (due === null || verdict.dueAt < due)) due = verdict.dueAt;
    }
    if (going.length === 0 || due === null) return { tell: [] };
    const facts = factsOf(store, going);
    const made = { source: source.id, camera: camera.id, ...named, due, ...facts, begunAt: clock.now() };
    const id = store.beginSlice(made);
    for (const row of going) store.mark(row, 'erasing', id);
    const slice = { ...made, id, doneAt: null };
    begun = { slice, rows: going, next };
    faults.hit?.('agent.sweep.marking');
    return { tell: [{ type: 'recordings.erasing', data: told(source, camera, slice) }] };
  });
  return begun;
}

function factsOf(store: SweepStore, rows: readonly RecordingRow[]) {
  const list = new ListRoot();
  const paths = new Map<number, string[]>();
  let [bytes, starts, ends] = [0, Number.POSITIVE_INFINITY, 0];
  for (const row of rows) {
    const path = paths.get(row.folder) ?? store.read.pathOf(row.folder).map(shown);
    paths.set(row.folder, path);
    list.add({ path: [...path, shown(row.name)].join('/'), bytes: row.sizeBytes });
    bytes += row.sizeBytes ?? 0;
    starts = Math.min(starts, row.bounds.startEarliest);
    ends = Math.max(ends, row.bounds.endLatest ?? row.bounds.startLatest);
  }
  return { count: rows.length, bytes, starts: utcMs(starts), ends: utcMs(ends), root: list.root() };
}

function told(
  source: RecordingSource,
  camera: CameraRow,
  slice: SliceRow,
  outcome: { lateSeconds: number | null; failed: number; unseen: number; count?: number; bytes?: number } = {
    ...{ lateSeconds: null, failed: 0, unseen: 0 },
  },
): Draft<'recordings.erasing'>['data'] {
  return {
    source: source.source,
    camera: camera.camera as Draft<'recordings.erasing'>['data']['camera'],
    count: slice.count,
    bytes: slice.bytes,
    from: toIso(slice.starts),
    to: toIso(slice.ends),
    slice: slice.id,
    policy: slice.policy,
    version: slice.version,
    dueAt: toIso(slice.due),
    listRoot: slice.root,
    ...outcome,
  };
}

/** What came of one row. */
type Outcome = { row: RecordingRow; was: Erased | 'held' | 'blocked' | 'root' };

async function carryOut(
  deps: SliceDeps,
  work: SliceWork,
  slice: SliceRow,
  rows: readonly RecordingRow[],
  left: Map<string, number>,
): Promise<Omit<SliceResult, 'next'>> {
  const root = openRoot(work.accepted);
  if ('trouble' in root) {
    end(
      deps,
      work,
      slice,
      rows.map((row) => ({ row, was: 'root' })),
      left,
      false,
    );
    return { erased: 0, bytes: 0, left, trouble: root.trouble };
  }
  try {
    const outcomes = await unlinkAll(deps, work, root, rows);
    deps.faults.hit?.('agent.sweep.synced');
    const done = end(deps, work, slice, outcomes, left, false);
    // Nothing is lost by a crash here: an empty folder stays, and holds nothing.
    tidyFolders(deps.store, work, root, outcomes);
    return { ...done, left, trouble: null };
  } finally {
    root.close();
  }
}

async function unlinkAll(
  deps: SliceDeps,
  work: SliceWork,
  root: OpenRoot,
  rows: readonly RecordingRow[],
): Promise<Outcome[]> {
  const { store, clock, faults, rest } = deps;
  const outcomes: Outcome[] = [];
  const watch = new HoldWatch(store);
  const folders = new OpenFolders(root);
  let since = clock.mono();
  const others = async (turn: Promise<void>) => {
    await turn;
    since = clock.mono();
    watch.rested();
  };
  try {
    for (const [folder, inIt] of byFolder(rows)) {
      if (folders.full) await others(folders.settle());
      const open = folders.open(store.read.pathOf(folder));
      for (const row of inIt) {
        if (clock.mono() - since > STRETCH_MS) await others(rest());
        faults.hit?.('agent.sweep.file');
        outcomes.push({ row, was: one(deps, work, open, row, watch.holds()) });
        faults.hit?.('agent.sweep.unlinked');
      }
    }
    await folders.settle();
  } finally {
    folders.close();
  }
  return outcomes;
}

function one(
  { now }: SliceDeps,
  { camera, around }: SliceWork,
  folder: EraseFolder | 'absent' | 'blocked',
  row: RecordingRow,
  holds: readonly Hold[] | null,
): Outcome['was'] {
  const verdict = judge(row, camera.camera, around, holds, now());
  if (verdict.verdict === 'keep') return 'held';
  if (typeof folder === 'string') return folder;
  return folder.erase(row.name, { sizeBytes: row.sizeBytes, inode: row.inode });
}

/** Holds as they are at this file: read again when another process committed, or others had their turn here. */
class HoldWatch {
  readonly #store: SweepStore;
  #version: number;
  #holds: readonly Hold[] | null;

  constructor(store: SweepStore) {
    this.#store = store;
    this.#version = store.dataVersion();
    this.#holds = store.holds();
  }

  rested(): void {
    this.#holds = this.#store.holds();
  }

  holds(): readonly Hold[] | null {
    const version = this.#store.dataVersion();
    if (version !== this.#version) {
      this.#version = version;
      this.#holds = this.#store.holds();
    }
    return this.#holds;
  }
}

function byFolder(rows: readonly RecordingRow[]): Map<number, RecordingRow[]> {
  const folders = new Map<number, RecordingRow[]>();
  for (const row of rows) {
    const list = folders.get(row.folder);
    if (list === undefined) folders.set(row.folder, [row]);
    else list.push(row);
  }
  return folders;
}

/** C19: folders that are empty now and named after a time, from the inside out; by rmdir alone. */
function tidyFolders(
  store: SweepStore,
  { layout }: SliceWork,
  root: OpenRoot,
  outcomes: readonly Outcome[],
): void {
  const touched = new Set(outcomes.filter(({ was }) => was === 'erased').map(({ row }) => row.folder));
  for (const folder of touched) {
    const path = store.read.pathOf(folder);
    while (path.length > 0 && layout.folder(path).dated) {
      const name = path.pop() ?? '';
      const parent = openFolder(root, path);
      if (typeof parent === 'string') break;
      const removed = parent.removeEmpty(name);
      parent.close();
      if (!removed) break;
    }
  }
}

/** Transaction 2. `unseen`: a crash came between; what is absent was erased, by us as far as can be known. */
function end(
  { journal, store, clock, faults, now }: SliceDeps,
  { source, camera }: SliceWork,
  slice: SliceRow,
  outcomes: readonly Outcome[],
  left: Map<string, number>,
  unseen: boolean,
): { erased: number; bytes: number } {
  const done = { erased: 0, bytes: 0 };
  const counts = { failed: 0, unseen: 0 };
  for (const { row, was } of outcomes) {
    if (was === 'erased' || was === 'absent') {
      done.erased += 1;
      done.bytes += row.sizeBytes ?? 0;
      // Absent without a crash: somebody else was quicker. Said as such, because we did not see it go.
      if (unseen || was === 'absent') counts.unseen += 1;
    } else {
      counts.failed += 1;
      count(left, typeof was === 'string' ? was : was.failed);
    }
  }
  const at = now();
  const lateSeconds = at === null ? null : Math.max(0, Math.floor((at - slice.due) / SECOND_MS));
  const data = told(source, camera, slice, { lateSeconds, ...counts, count: done.erased, bytes: done.bytes });
  journal.transact(() => {
    for (const { row, was } of outcomes) {
      if (was !== 'erased' && was !== 'absent')
        leave(store, row, typeof was === 'string' ? was : was.failed, clock.now());
    }
    // What is left in `erasing` is what went. Were it not, nothing of this would be committed.
    if (store.markErased(slice.id) !== done.erased)
      throw new Error('a slice does not end as it was carried out');
    // C66: a backup restores a folder's time of change with it, and the folder would look as it did before.
    for (const folder of new Set(outcomes.map(({ row }) => row.folder))) store.rescan(folder);
    store.endSlice(slice.id, clock.now());
    faults.hit?.('agent.sweep.ending');
    return { tell: [{ type: 'recordings.erased', data }] };
  });
  faults.hit?.('agent.sweep.ended');
  return done;
}

/** D5: back to `present`, and why. A file that is another one than the catalogue knows is catalogued anew. */
function leave(store: SweepStore, row: RecordingRow, reason: string, at: UtcMs): void {
  if (reason === 'changed' || reason === 'not-regular') {
    store.forgetFile(row);
    store.refuse(row, reason, at);
    return;
  }
  store.mark(row, 'present', null);
  if (reason !== 'held' && reason !== 'root') store.refuse(row, reason, at);
}

/**
 * After a restart: a slice that was left open. What is still there is decided again by the next sweep; what is gone is
 * complete, and said not to have been seen. Null: the root is not the accepted one, so that nothing is known of its files.
 */
export function finishSlice(deps: SliceDeps, work: SliceWork, slice: SliceRow): { erased: number } | null {
  const { store } = deps;
  const root = openRoot(work.accepted);
  if ('trouble' in root) return null;
  try {
    const outcomes: Outcome[] = [];
    for (const [folder, rows] of byFolder(store.erasing(slice.id))) {
      const open = openFolder(root, store.read.pathOf(folder));
      const there = (name: string) => (typeof open === 'object' ? open.has(name) : open === 'blocked');
      for (const row of rows) outcomes.push({ row, was: there(row.name) ? 'held' : 'absent' });
      if (typeof open === 'object') open.close();
    }
    return end(deps, work, slice, outcomes, new Map(), true);
  } finally {
    root.close();
  }
}

function count(left: Map<string, number>, reason: Kept | string): void {
  left.set(reason, (left.get(reason) ?? 0) + 1);
}
