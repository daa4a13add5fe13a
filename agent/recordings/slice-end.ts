/** How a slice ends: by itself, or after a crash (R1, transaction 2). What is not erased is `present` again, and why is kept (D5). */
import { SECOND_MS, toIso, type UtcMs } from '../../protocol/time.ts';
import type { Draft } from '../types.ts';
import type { Kept } from './due.ts';
import { type Erased, openFolder } from './erase.ts';
import { openRoot } from './root.ts';
import type { SliceDeps, SliceWork } from './slice-types.ts';
import type { SliceRow, SweepStore } from './sweep-store.ts';
import type { CameraRow, Place, RecordingRow, RecordingSource } from './types.ts';

/** What came of one row. */
export type Outcome = { row: RecordingRow; was: Erased | 'held' | 'blocked' | 'root' };

/** How a slice ends. */
interface Ending {
  /** Takes what is left past its due time, by reason. */
  left: Map<string, number>;
  /** A crash came between: what is absent was erased, by us as far as can be known. */
  unseen: boolean;
  /** Opens the next slice in the same transaction (C84). It may be tried again. */
  next: (() => Opening) | null;
}

/** A slice that is open, or that there is nothing to open for. */
export interface Begun {
  /** Null: nothing of these may go. */
  slice: SliceRow | null;
  /** What was marked. */
  rows: RecordingRow[];
  next: Place | null;
  /** Left alone past their due time, by reason. */
  left: Map<string, number>;
}

export interface Opening extends Begun {
  tell: Draft<'recordings.erasing'>[];
}

/**
 * Transaction 2, and transaction 1 of the next slice where there is one (C84). `unseen`: a crash came between; what is absent
 * was erased, by us as far as can be known.
 */
export function end(
  deps: SliceDeps,
  work: SliceWork,
  slice: SliceRow,
  outcomes: readonly Outcome[],
  { left, unseen, next }: Ending,
): { erased: number; bytes: number; opened: Begun | null } {
  const { journal, store, clock, faults, now } = deps;
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
  const outcome = { lateSeconds, ...counts, count: done.erased, bytes: done.bytes };
  const data = told(work.source, work.camera, slice, outcome);
  let opened: Begun | null = null;
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
    const erased: Draft = { type: 'recordings.erased', data };
    if (next === null) return { tell: [erased] };
    const { tell, ...begun } = next();
    opened = begun;
    return { tell: [erased, ...tell] };
  });
  faults.hit?.('agent.sweep.ended');
  return { ...done, opened };
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
    return end(deps, work, slice, outcomes, { left: new Map(), unseen: true, next: null });
  } finally {
    root.close();
  }
}

export function told(
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

export function byFolder(rows: readonly RecordingRow[]): Map<number, RecordingRow[]> {
  const folders = new Map<number, RecordingRow[]>();
  for (const row of rows) {
    const list = folders.get(row.folder);
    if (list === undefined) folders.set(row.folder, [row]);
    else list.push(row);
  }
  return folders;
}

export function count(left: Map<string, number>, reason: Kept | string): void {
  left.set(reason, (left.get(reason) ?? 0) + 1);
}
