/**
 * Forgets what has been gone for long, in slices that give way to events.
 *
 * C64 The row of an erased recording stays for 92 days after its slice ended, that of a missing one for 92 days after it
 *     would have been erased, longer while a hold covers it. An answer to a person may take three months (GDPR,
 *     Art. 12(3)), and a quarter that is audited has no more days.
 */
import { DAY_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import { endedBy, judge, type Surroundings } from './due.ts';
import type { ListPage, ListPlace } from './read-store.ts';
import type { SweepStore } from './sweep-store.ts';
import type { CameraRow } from './types.ts';

export const GONE_KEPT_MS = 92 * DAY_MS;
const PAGE = 500;

export interface GoneDeps {
  journal: Pick<AgentJournal, 'spare'>;
  store: SweepStore;
  rest(): Promise<void>;
}

/** @param now trusted time; the ends of slices are the wall clock's, which is near enough for this */
export async function forgetGone(
  deps: GoneDeps,
  source: number,
  around: Surroundings | null,
  now: UtcMs,
): Promise<void> {
  const { journal, store, rest } = deps;
  const before = utcMs(now - GONE_KEPT_MS);
  // A crash between two of them leaves whole slices, which the next sweep takes.
  for (let more = true; more; await rest()) {
    more = spared(journal, () => store.gone.dropSlice(source, before));
  }
  if (around !== null)
    for (const camera of store.cameras(source)) await forgetMissing(deps, camera, around, before);
  for (let more = true; more; await rest()) {
    more = spared(journal, () => store.gone.dropFolders(source) > 0);
  }
}

/** Of one camera: what would have been erased by `before`. */
async function forgetMissing(
  { journal, store, rest }: GoneDeps,
  camera: CameraRow,
  around: Surroundings,
  before: UtcMs,
): Promise<void> {
  const to = endedBy(around, before);
  if (to === null) return;
  let after: ListPlace | null = null;
  for (let more = true; more; await rest()) {
    const page: ListPage = store.read.list({
      ...{ camera: camera.id, state: 'missing', from: null, to, after, limit: PAGE },
    });
    const holds = store.holds();
    const over = page.rows.filter(
      (row) => judge(row, camera.camera, around, holds, before).verdict === 'expire',
    );
    const room = spared(journal, () => {
      for (const row of over) store.gone.dropMissing(row);
      return true;
    });
    after = page.next;
    more = room && after !== null;
  }
}

/** What `act` says, in a transaction of its own; false where there is no room for one. */
function spared(journal: GoneDeps['journal'], act: () => boolean): boolean {
  let said = false;
  return (
    journal.spare(() => {
      said = act();
    }) && said
  );
}
