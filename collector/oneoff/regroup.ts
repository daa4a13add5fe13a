/**
 * A one-off session that turns out to be managed: its device is known to an agreement. While the key is here, what is
 * sealed under the group of the agent's making is sealed anew under that agreement's span; P, `r` and the leaf's `c`
 * stay. The end of the session, and of the agent's group, takes nothing of it then.
 *
 * O9  What a session leaves under an agreement is what was opened while its key was here; without the key nothing
 *     moves, and the session stays one-off.
 * O10 From the move on the group's row names the span: later parts of the session go there as they come.
 */
import { fitsPersonal } from '../../protocol/event.ts';
import type { GroupId, SessionId } from '../../protocol/ids.ts';
import { readLeaf } from '../../protocol/leaf.ts';
import { openPart } from '../../protocol/seal.ts';
import { commitmentFor, Resealer } from '../ingest/regroup.ts';
import type { GroupRow, LeafRow, PartRow, Tx, WrapRow } from '../store/types.ts';
import { turnsOf } from '../turns.ts';
import type { Context, GroupWish, OwnDraft } from '../types.ts';

/** Where parts of a one-off group go since its session was found to be managed; null: it is not. */
export function intoOf(row: GroupRow): GroupId | null {
  const { into } = row.record as GroupRow['record'] & { into?: unknown };
  return row.kind === 'oneoff' && typeof into === 'string' ? (into as GroupId) : null;
}

interface Moved {
  part: PartRow;
  wrap: WrapRow;
  body: Buffer;
  draft: OwnDraft;
}

/**
 * Moves a live one-off session into the span that `wish` asks for, between two turns of ingest: none of its parts may
 * be on the way then. Safe to repeat.
 * @returns how many parts were moved; null where there is nothing to move, no key, or no live span
 */
export async function regroupOneoff(
  ctx: Context,
  session: SessionId,
  wish: GroupWish,
): Promise<number | null> {
  const resealer = new Resealer(ctx.clock, ctx.random);
  try {
    return await turnsOf(ctx, 'ingest').run(() => regroup(ctx, resealer, session, wish));
  } finally {
    resealer.close();
  }
}

async function regroup(
  ctx: Context,
  resealer: Resealer,
  session: SessionId,
  wish: GroupWish,
): Promise<number | null> {
  const prepared = await ctx.groups.prepare([wish]);
  return await ctx.store.write(async (tx) => {
    await prepared.commit(tx);
    const target = prepared.groups[0];
    const [row] = await tx.sessionsById([session]);
    if (row === undefined || target?.state !== 'live' || target.kind !== 'span') return null;
    const parts = (await tx.parts(row.partPos)).filter(({ under }) => isHere(ctx, under));
    const sources = new Set(parts.map(({ under }) => under));
    if (sources.size === 0) return null;
    const leaves = new Map((await tx.leavesAt(parts.map(({ pos }) => pos))).map((leaf) => [leaf.pos, leaf]));
    const moved = parts.flatMap((part) => movedOf(ctx, resealer, target, part, leaves.get(part.pos)) ?? []);
    await store(ctx, tx, moved);
    await point(ctx, tx, [...sources], target.group);
    return moved.length;
  });
}

function isHere(ctx: Context, group: GroupId): boolean {
  const row = ctx.groups.byId(group);
  return row?.kind === 'oneoff' && row.state === 'live' && ctx.opener.oneoff.get(group) !== null;
}

/** Null where the part does not open: it is left to its group (O9). */
function movedOf(
  ctx: Context,
  resealer: Resealer,
  target: GroupRow,
  part: PartRow,
  leaf: LeafRow | undefined,
): Moved | null {
  const record = leaf === undefined ? null : readLeaf(leaf.bytes);
  const key = ctx.opener.oneoff.get(part.under);
  if (leaf === undefined || record === null || typeof record === 'string' || key === null) return null;
  const c = commitmentFor(record.pii, part.group);
  const { log, seq, type } = leaf;
  const place = { log, seq, group: part.group, under: part.under };
  const opened = c === undefined ? null : openPart(key, place, c, part.body);
  if (c === undefined || opened === null || fitsPersonal(type, opened.p) === false) return null;
  const resealed = resealer.seal(target, { ...place, under: target.group }, c, opened);
  if (resealed === null) return null;
  const data = { log, seq, from: part.group, to: target.group };
  const { wrap, body } = resealed;
  return {
    part: { ...part, under: target.group, wrap: wrap.wrap, body },
    wrap,
    body,
    draft: { type: 'sealed.regrouped', data },
  };
}

/** The new part stands in the transaction in which the old one goes: neither is ever without the other. */
async function store(ctx: Context, tx: Tx, moved: readonly Moved[]): Promise<void> {
  await tx.addWraps(moved.map(({ wrap }) => wrap));
  await tx.dropParts(moved.map(({ part }) => part));
  await tx.addParts(moved.map(({ part }) => part));
  await ctx.own.append(
    tx,
    moved.map(({ draft }) => draft),
  );
}

async function point(ctx: Context, tx: Tx, groups: readonly GroupId[], into: GroupId): Promise<void> {
  const rows: GroupRow[] = [];
  for (const group of groups) {
    const row = await tx.groups.get(group);
    // A field of ours beside those of the record: nobody signed it, and nobody is given it.
    if (row?.state === 'live') rows.push({ ...row, record: { ...row.record, into } as GroupRow['record'] });
  }
  await tx.groups.put(rows);
  tx.afterCommit(() => ctx.groups.committed(rows));
}
