/**
 * Slots that no row names: what a crash between slot and row leaves, or a database that was put back. Agents offer
 * the groups that they hold; when the last of them has forgotten, the key ends.
 *
 * V23 An orphan's key ends when no agent can offer its group any more, a day after `keepAcked`; not before, and not
 *     silently.
 */
import { KEEP_ACKED_MS } from '../protocol/frame.ts';
import type { GroupId } from '../protocol/ids.ts';
import { type Clock, DAY_MS } from '../protocol/time.ts';
import type { Keyring } from './keyring.ts';
import type { OrphanRow, Store } from './store/types.ts';
import type { OwnLog } from './types.ts';

export const KEEP_ORPHANS_MS = KEEP_ACKED_MS + DAY_MS;

export interface OrphanOptions {
  store: Store;
  keyring: Keyring;
  own: OwnLog;
  clock: Clock;
}

export interface Orphans {
  kept: { group: GroupId; slot: number }[];
  ended: GroupId[];
  /** Due, and not erased: a copy of the keys exists and is not there. */
  waiting: GroupId[];
}

/** Notes when each orphan was first seen, and ends those whose time is over. Safe to repeat, also after a crash. */
export async function endOrphans(options: OrphanOptions): Promise<Orphans> {
  const { store, keyring, clock } = options;
  const now = clock.now();
  const rows = new Set((await store.read.groups.list()).map(({ group }) => group));
  const noted = await store.read.orphans.list();
  const seen = new Map(noted.map(({ group, firstSeen }) => [group, firstSeen]));
  const orphans = keyring.groups().filter(({ group, state }) => state === 'live' && !rows.has(group));
  const isDue = ({ group }: { group: GroupId }) => now - (seen.get(group) ?? now) >= KEEP_ORPHANS_MS;
  const due = orphans.filter(isDue);
  // A crash from here on leaves tombstones that are noted and not told of: the next look tells of them.
  const complete = due.length === 0 || (await keyring.erase(due));
  const over = noted.filter(
    ({ group }) => rows.has(group) || (complete && keyring.stateOf(group) !== 'live'),
  );
  const ended = over.map(({ group }) => group).filter((group) => !rows.has(group));
  const fresh = orphans.filter(({ group }) => !seen.has(group));
  await note(options, fresh, over, ended);
  return {
    kept: orphans.filter((one) => !isDue(one)).map(({ group, slot }) => ({ group, slot })),
    ended,
    waiting: complete ? [] : due.map(({ group }) => group),
  };
}

async function note(
  { store, own, clock }: OrphanOptions,
  fresh: readonly { group: GroupId }[],
  over: readonly OrphanRow[],
  ended: readonly GroupId[],
): Promise<void> {
  if (fresh.length + over.length === 0) return;
  const firstSeen = clock.now();
  await store.write(async (tx) => {
    await tx.orphans.put(fresh.map(({ group }) => ({ group, firstSeen })));
    await tx.dropOrphans(over.map(({ group }) => group));
    await own.append(
      tx,
      ended.map((group) => ({ type: 'keyring.orphan-ended', data: { group, reason: 'expired' } })),
    );
  });
}
