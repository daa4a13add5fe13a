/**
 * Moves what lies sealed of sessions that were taken out into their group. It goes by what the leaves say, through every
 * living group of the agreement, so that nothing is missed that a projection does not list.
 *
 * V55 A part lies under one group at any time: the new one is stored, the old one deleted and `sealed.regrouped`
 *     appended in one transaction, which touches `SLICE` parts at most. Whatever stops it, it goes on from there.
 * V56 What does not open cannot be moved: of a request it is deleted for ever and told of as dropped; else it stays.
 */
import type { GroupId } from '../../protocol/ids.ts';
import { breathe } from '../erasing/erase.ts';
import { Resealer } from '../ingest/regroup.ts';
import type { GroupRow, PartPlaceRow, PartRow, Pos, Tx } from '../store/types.ts';
import type { Context, OwnDraft } from '../types.ts';
import { movedOf, storeMoved } from './move.ts';
import { putGroups } from './take-out.ts';
import { takesOf, withTakes } from './takes.ts';

/** Parts of one transaction: some 20 ms. */
export const SLICE = 200;
/** Parts that are looked at in one go. */
const PAGE = 1_000;
const KINDS: ReadonlySet<GroupRow['kind']> = new Set(['span', 'late', 'single']);

export type GatherOptions = Pick<Context, 'store' | 'groups' | 'own' | 'opener' | 'clock' | 'random'> &
  Partial<Pick<Context, 'faults'>> & {
    /** Runs when no part is opened and not stored yet. Absent: nothing is taken in (a start). */
    turn?: (fn: () => Promise<void>) => Promise<void>;
  };

/** Every group that has not been looked through for yet. @returns how many parts were moved */
export async function gatherAll(options: GatherOptions): Promise<number> {
  const rows = await options.store.read.groups.list({ kind: 'single', state: 'live' });
  const open = rows.filter((row) => takesOf(row)?.gathered === false);
  if (open.length === 0) return 0;
  // What was on its way when the sessions were taken out is stored after this, and found below.
  await options.turn?.(async () => {});
  const resealer = new Resealer(options.clock, options.random);
  try {
    let count = 0;
    for (const row of open) count += await gather(options, resealer, row);
    return count;
  } finally {
    resealer.close();
  }
}

async function gather(options: GatherOptions, resealer: Resealer, row: GroupRow): Promise<number> {
  const { store, faults } = options;
  const { agreement, group } = row;
  const sessions = takesOf(row)?.sessions ?? [];
  const wanted = new Set<string>(sessions);
  const sources = await store.read.groups.list({ agreement, class: 'session', state: 'live' });
  let count = 0;
  for (const source of sources) {
    if (source.group === group || !KINDS.has(source.kind)) continue;
    for (let last: PartPlaceRow | null = null, more = true; more; ) {
      const page: PartPlaceRow[] = await store.read.partsUnder(source.group, last, PAGE);
      const found = await ofSessions(options, page, wanted);
      for (let from = 0; from < found.length; from += SLICE) {
        const slice = found.slice(from, from + SLICE);
        count += await store.write((tx) => moveSlice(options, tx, resealer, { row, source, slice }));
        // A crash here leaves some of it moved: each part lies under one group (V55).
        faults?.hit?.('regroup.slice');
      }
      last = page.at(-1) ?? last;
      more = page.length === PAGE;
      await breathe();
    }
  }
  await store.write((tx) => markGathered(options, tx, group, sessions));
  faults?.hit?.('regroup.gathered');
  return count;
}

async function ofSessions(
  { store }: GatherOptions,
  page: readonly PartPlaceRow[],
  wanted: ReadonlySet<string>,
): Promise<PartPlaceRow[]> {
  const leaves = await store.read.leavesAt([...new Set(page.map(({ pos }) => pos))]);
  const mine = new Set<Pos>();
  for (const { pos, bytes } of leaves) {
    const { data } = JSON.parse(bytes) as { data?: { session?: unknown } };
    if (typeof data?.session === 'string' && wanted.has(data.session)) mine.add(pos);
  }
  return page.filter(({ pos }) => mine.has(pos));
}

interface Slice {
  row: GroupRow;
  source: GroupRow;
  slice: readonly PartPlaceRow[];
}

/** As it stands in this transaction: whatever was erased or moved since it was looked at is left alone. */
async function moveSlice(
  options: GatherOptions,
  tx: Tx,
  resealer: Resealer,
  { row, source, slice }: Slice,
): Promise<number> {
  const target = await tx.groups.get(row.group);
  if (target?.state !== 'live' || (await tx.groups.get(source.group))?.state !== 'live') return 0;
  const listed = new Set(slice.map(({ pos, group }) => `${pos}/${group}`));
  const positions = [...new Set(slice.map(({ pos }) => pos))];
  const parts = (await tx.parts(positions)).filter(
    ({ pos, group, under }) => under === source.group && listed.has(`${pos}/${group}`),
  );
  const leaves = new Map((await tx.leavesAt(positions)).map((leaf) => [leaf.pos, leaf]));
  const wraps = new Map(
    (await tx.wraps([...new Set(parts.flatMap(({ wrap }) => wrap ?? []))])).map((w) => [w.wrap, w]),
  );
  const closed: PartRow[] = [];
  const drafts: OwnDraft[] = [];
  const moved = parts.flatMap((part) => {
    const wrap = part.wrap === null ? undefined : wraps.get(part.wrap);
    const key = wrap === undefined ? null : options.opener.contentKey(part.under, wrap);
    const leaf = leaves.get(part.pos);
    const one = movedOf(resealer, target, part, leaf, key);
    if (one !== null) return [one];
    if (takesOf(target)?.why === 'request' && leaf !== undefined) {
      closed.push(part);
      const { log, seq } = leaf;
      drafts.push({ type: 'sealed.dropped', data: { log, seq, from: part.group, to: null } });
    }
    return [];
  });
  await storeMoved(options.own, tx, moved);
  if (closed.length > 0) await tx.entomb(closed);
  await options.own.append(tx, drafts);
  return moved.length;
}

/** Not where more sessions were added meanwhile. */
async function markGathered(
  options: GatherOptions,
  tx: Tx,
  group: GroupId,
  sessions: readonly string[],
): Promise<void> {
  const row = await tx.groups.get(group);
  const takes = row === null ? null : takesOf(row);
  if (row?.state !== 'live' || takes === null || takes.sessions.some((one) => !sessions.includes(one)))
    return;
  await putGroups(options, tx, [withTakes(row, { ...takes, gathered: true })]);
}
