/**
 * Splits spans that are longer than the policy in force would make them: a month whose class has days now. Everything
 * sealed in it goes into the day that its session began in; of the collector's own records, the day that it was said.
 * The other way round nothing is moved: a day that was made stays one, and goes on its own time.
 *
 * V61 First the row says that it is split, from when on nothing new stays in it; then its parts go, `SLICE` in one
 *     transaction, each with its origin under the day's key (V55). Whatever stops it, the next look goes on from there.
 * V63 A session is told apart by one origin at any time: the new one is put where the old one goes.
 */
import { spanOf } from '../../protocol/group.ts';
import type { SessionId } from '../../protocol/ids.ts';
import type { SpanTable } from '../../protocol/packs.ts';
import type { UtcMs } from '../../protocol/time.ts';
import { breathe } from '../erasing/erase.ts';
import { originIn } from '../ingest/merge.ts';
import { Resealer } from '../ingest/regroup.ts';
import type { GroupRow, LeafRow, PartPlaceRow, PartRow, Tx } from '../store/types.ts';
import type { GroupWish } from '../types.ts';
import { type GatherOptions, SLICE } from './gather.ts';
import { type Moved, movedOf, storeMoved } from './move.ts';
import { isTooLong, splitOf, withSplit } from './splits.ts';
import { putGroups } from './take-out.ts';

/** @returns how many parts were moved */
export async function splitAll(options: GatherOptions, spans: SpanTable): Promise<number> {
  const rows = await options.store.read.groups.list({ state: 'live' });
  const long = rows.filter((row) => isTooLong(row, spans));
  if (long.length === 0) return 0;
  const fresh = long.filter((row) => splitOf(row) === null);
  await mark(options, fresh, true);
  options.faults?.hit?.('split.said');
  // What was planned before the rows said so is stored after this, and found below.
  if (fresh.length > 0) await options.turn?.(async () => {});
  const resealer = new Resealer(options.clock, options.random);
  try {
    let count = 0;
    for (const row of long) count += await split(options, resealer, row);
    return count;
  } finally {
    resealer.close();
  }
}

/** Until it was looked through something may rest in it, which must not be kept for longer than it would have been. */
async function mark(options: GatherOptions, rows: readonly GroupRow[], rest: boolean): Promise<void> {
  for (let from = 0; from < rows.length; from += SLICE) {
    await options.store.write(async (tx) => {
      const found: GroupRow[] = [];
      for (const { group } of rows.slice(from, from + SLICE)) {
        const row = await tx.groups.get(group);
        if (row?.state === 'live' && splitOf(row)?.rest !== rest) found.push(withSplit(row, { rest }));
      }
      await putGroups(options, tx, found);
    });
  }
}

async function split(options: GatherOptions, resealer: Resealer, source: GroupRow): Promise<number> {
  const { store, faults } = options;
  let [count, left] = [0, 0];
  for (let last: PartPlaceRow | null = null, more = true; more; ) {
    const page: PartPlaceRow[] = await store.read.partsUnder(source.group, last, SLICE);
    if (page.length === 0) break;
    const days = await daysOf(options, source, page);
    const moved = await store.write((tx) => moveSlice(options, tx, resealer, { source, page, days }));
    // A crash here leaves some of it moved: each part lies under one group (V55).
    faults?.hit?.('split.slice');
    count += moved;
    left += page.length - moved;
    last = page.at(-1) ?? null;
    more = page.length === SLICE;
    await breathe();
  }
  await mark(options, [source], left > 0);
  faults?.hit?.('split.done');
  return count;
}

/** The day of each leaf, made where it is missing; its slot is durable before any transaction names it (V12). */
async function daysOf(
  options: GatherOptions,
  source: GroupRow,
  page: readonly PartPlaceRow[],
): Promise<Map<number, GroupRow>> {
  const { store, groups } = options;
  const leaves = await store.read.leavesAt([...new Set(page.map(({ pos }) => pos))]);
  const starts = source.class === 'session' ? await startsOf(options, leaves) : null;
  const wanted = leaves.flatMap((leaf): { pos: number; wish: GroupWish }[] => {
    const at = starts === null ? leaf.at : (starts.get(sessionOf(leaf) ?? '') ?? null);
    // Of what has no start, or one outside of the span, nobody can say a better time than the span's own.
    if (at === null || at < (source.from ?? at) || at >= (source.to ?? at)) return [];
    const { agreement, class: cls, kind, subject } = source;
    return [{ pos: leaf.pos, wish: { agreement, class: cls, kind, subject, at: spanOf(at, 'day').from } }];
  });
  const prepared = await groups.prepare(wanted.map(({ wish }) => wish));
  await store.write((tx) => prepared.commit(tx));
  return new Map(wanted.flatMap(({ pos }, i) => (prepared.groups[i] ? [[pos, prepared.groups[i]]] : [])));
}

async function startsOf({ store }: GatherOptions, leaves: readonly LeafRow[]): Promise<Map<string, UtcMs>> {
  const sessions = [...new Set(leaves.flatMap((leaf) => sessionOf(leaf) ?? []))];
  const heads = await store.read.sessionHeads(sessions);
  return new Map(heads.map(({ session, startedAt }) => [session, startedAt]));
}

function sessionOf({ bytes }: LeafRow): SessionId | null {
  const { data } = JSON.parse(bytes) as { data?: { session?: unknown } };
  return typeof data?.session === 'string' ? (data.session as SessionId) : null;
}

interface Slice {
  source: GroupRow;
  page: readonly PartPlaceRow[];
  days: ReadonlyMap<number, GroupRow>;
}

/** As it stands in this transaction: what was erased or moved since it was looked at is left alone. */
async function moveSlice(options: GatherOptions, tx: Tx, resealer: Resealer, slice: Slice): Promise<number> {
  const { source, page, days } = slice;
  if ((await tx.groups.get(source.group))?.state !== 'live') return 0;
  const listed = new Set(page.map(({ pos, group }) => `${pos}/${group}`));
  const positions = [...new Set(page.map(({ pos }) => pos))];
  const parts = (await tx.parts(positions)).filter(
    ({ pos, group, under }) => under === source.group && listed.has(`${pos}/${group}`),
  );
  const leaves = new Map((await tx.leavesAt(positions)).map((leaf) => [leaf.pos, leaf]));
  const wraps = new Map(
    (await tx.wraps([...new Set(parts.flatMap(({ wrap }) => wrap ?? []))])).map((w) => [w.wrap, w]),
  );
  const moved: Moved[] = [];
  const gone: PartRow[] = [];
  for (const part of parts) {
    const day = days.get(part.pos);
    const target = day === undefined ? null : await tx.groups.get(day.group);
    const wrap = part.wrap === null ? undefined : wraps.get(part.wrap);
    if (target === null || target.group === source.group) continue;
    // Its day was erased: it ought to have gone with it (V13).
    if (target.state !== 'live') gone.push(part);
    else {
      const key = wrap === undefined ? null : options.opener.contentKey(part.under, wrap);
      const one = movedOf(resealer, target, part, leaves.get(part.pos), key);
      if (one !== null) moved.push(one);
    }
  }
  await moveOrigins(options, tx, source, moved);
  await storeMoved(options.own, tx, moved);
  if (gone.length > 0) await tx.entomb(gone);
  await options.own.append(
    tx,
    gone.flatMap(({ pos, group }) => {
      const leaf = leaves.get(pos);
      if (leaf === undefined) return [];
      return [
        { type: 'sealed.dropped' as const, data: { log: leaf.log, seq: leaf.seq, from: group, to: null } },
      ];
    }),
  );
  return moved.length + gone.length;
}

/** V63. Only what tells an origin now is told again: which leaf does, was decided when it came. */
async function moveOrigins(
  { opener }: GatherOptions,
  tx: Tx,
  source: GroupRow,
  moved: readonly Moved[],
): Promise<void> {
  if (source.kind !== 'span') return;
  for (const { part, leaf, opened } of moved) {
    const old = originIn(opener, source.group, leaf, opened);
    const next = originIn(opener, part.under, leaf, opened);
    if (old === null || next === null) continue;
    const [known] = await tx.origins(source.group, [old.origin]);
    if (known === undefined) continue;
    await tx.putOrigins([{ group: part.under, origin: next.origin, session: known.session }]);
    await tx.dropOrigins([known]);
  }
}
