/**
 * One slice of a sweep, from the first transaction to the second (R1).
 *
 * R1  Transaction 1 re-reads the holds, marks `erasing`, writes one `recordings.erasing` → root check → per file: hold
 *     read once more, checks, unlink → fsync of each touched folder → transaction 2 marks `erased` and writes
 *     `recordings.erased`. A restart finds `erasing` rows: present = decide again; absent = complete, flagged.
 * R2  The commit of transaction 1 is the point of no return.
 * C84 Where more is to go, transaction 2 of a slice is transaction 1 of the next as well: one wait for the disk for each
 *     slice, and never more than one slice open.
 * C19 A folder goes when it is empty and its name is a time that is over; never by another call than rmdir, and never one
 *     that a recorder may count on, such as that of a camera.
 * C66 A folder that a slice touched is read again by the next pass, whatever its time of change says.
 */
import type { Hold } from '../../protocol/hold.ts';
import { ListRoot } from '../../protocol/list-root.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import { judge } from './due.ts';
import { type EraseFolder, openFolder } from './erase.ts';
import { shown } from './names.ts';
import { OpenFolders } from './open-folders.ts';
import { type OpenRoot, openRoot, type RootTrouble } from './root.ts';
import { type Begun, byFolder, count, end, type Opening, type Outcome, told } from './slice-end.ts';
import type { SliceDeps, SliceWork } from './slice-types.ts';
import { placeAfter, type SliceRow, type SweepStore } from './sweep-store.ts';
import type { Place, RecordingRow } from './types.ts';

export const SLICE_FILES = 500;
/** Longest that unlinking keeps everything else from running. */
const STRETCH_MS = 20;

/** Which rows of the camera the slice looks at: what ended by then, behind a place. */
export interface SlicePart {
  endBy: UtcMs;
  after: Place | null;
}

export interface SliceResult {
  /** Where the next slice of the camera begins; null: there is nothing left. */
  next: Place | null;
  /** The next slice, open already (C84). */
  opened: Begun | null;
  erased: number;
  bytes: number;
  /** Left alone past their due time, by reason. */
  left: Map<string, number>;
  /** The root is not the accepted one any more: nothing was erased. */
  trouble: RootTrouble | null;
}

/**
 * Erases what may go now of the next 500 rows of one camera.
 * @param opened what the slice before opened with its end (C84); null: it is opened here
 */
export async function eraseSlice(
  deps: SliceDeps,
  work: SliceWork,
  part: SlicePart,
  opened: Begun | null = null,
): Promise<SliceResult> {
  const begun = opened ?? begin(deps, work, part);
  const { slice, rows, next, left } = begun;
  if (slice === null) return { next, opened: null, erased: 0, bytes: 0, left, trouble: null };
  deps.faults.hit?.('agent.sweep.begun');
  // A crash from here to the end of transaction 2 leaves rows in `erasing`; `finishSlice` takes the same road.
  const more = next === null ? null : { endBy: part.endBy, after: next };
  return { next, ...(await carryOut(deps, work, { slice, rows, left, more })) };
}

/** Transaction 1. */
function begin(deps: SliceDeps, work: SliceWork, part: SlicePart): Begun {
  let begun: Begun = { slice: null, rows: [], next: null, left: new Map() };
  deps.journal.transact(() => {
    const { tell, ...made } = beginIn(deps, work, part);
    begun = made;
    return { tell };
  });
  return begun;
}

/** Inside the caller's transaction, which may be tried again: nothing outside of it is changed. */
function beginIn(
  { store, clock, faults, now }: SliceDeps,
  { source, camera, around }: SliceWork,
  { endBy, after }: SlicePart,
): Opening {
  const left = new Map<string, number>();
  const at = now();
  const holds = store.holds();
  const seen = store.ended(camera.id, endBy, after, SLICE_FILES);
  const next = placeAfter(seen, SLICE_FILES);
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
  if (going.length === 0 || due === null) return { slice: null, rows: [], next, left, tell: [] };
  const facts = factsOf(store, going);
  const made = { source: source.id, camera: camera.id, ...named, due, ...facts, begunAt: clock.now() };
  const id = store.beginSlice(made);
  for (const row of going) store.mark(row, 'erasing', id);
  const slice = { ...made, id, doneAt: null };
  faults.hit?.('agent.sweep.marking');
  return {
    slice,
    rows: going,
    next,
    left,
    tell: [{ type: 'recordings.erasing', data: told(source, camera, slice) }],
  };
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

interface Open {
  slice: SliceRow;
  rows: readonly RecordingRow[];
  left: Map<string, number>;
  /** Where the slice after it begins; null: this is the last of the camera. */
  more: SlicePart | null;
}

async function carryOut(
  deps: SliceDeps,
  work: SliceWork,
  { slice, rows, left, more }: Open,
): Promise<Omit<SliceResult, 'next'>> {
  const root = openRoot(work.accepted);
  if ('trouble' in root) {
    const outcomes = rows.map((row) => ({ row, was: 'root' as const }));
    end(deps, work, slice, outcomes, { left, unseen: false, next: null });
    return { erased: 0, bytes: 0, left, trouble: root.trouble, opened: null };
  }
  try {
    const outcomes = await unlinkAll(deps, work, root, rows);
    const next = more === null ? null : () => beginIn(deps, work, more);
    deps.faults.hit?.('agent.sweep.synced');
    const done = end(deps, work, slice, outcomes, { left, unseen: false, next });
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
