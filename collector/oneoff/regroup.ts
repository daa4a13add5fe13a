/**
 * A one-off session that turns out to be managed: its device is known to an agreement. While the key is here, what is
 * sealed under the group of the agent's making is sealed anew under that agreement's span; P, `r` and the leaf's `c`
 * stay. The end of the session, and of the agent's group, takes nothing of it then.
 *
 * O9  What a session leaves under an agreement is what was opened while its key was here; without the key nothing
 *     moves, and the session stays one-off.
 * O10 From the move on the group's row names the span: later parts of the session go there as they come.
 */
import type { GroupId, SessionId } from '../../protocol/ids.ts';
import { Resealer } from '../ingest/regroup.ts';
import { movedOf, storeMoved } from '../regroup/move.ts';
import type { GroupRow, Reader, Tx } from '../store/types.ts';
import { turnsOf } from '../turns.ts';
import type { Context, GroupWish } from '../types.ts';

/** Where parts of a one-off group go since its session was found to be managed; null: it is not. */
export function intoOf(row: GroupRow): GroupId | null {
  const { into } = row.record as GroupRow['record'] & { into?: unknown };
  return row.kind === 'oneoff' && typeof into === 'string' ? (into as GroupId) : null;
}

/**
 * Moves a live one-off session into the span that `wish` asks for, between two turns of ingest: none of its parts may
 * be on the way then. Safe to repeat.
 * @param stands asked in the transaction that moves: whether it is still to be done
 * @returns how many parts were moved; null where there is nothing to move, no key, or no live span
 */
export async function regroupOneoff(
  ctx: Context,
  session: SessionId,
  wish: GroupWish,
  stands: (reader: Reader) => Promise<boolean> = () => Promise.resolve(true),
): Promise<number | null> {
  const resealer = new Resealer(ctx.clock, ctx.random);
  try {
    return await turnsOf(ctx, 'ingest').run(() => regroup(ctx, resealer, session, wish, stands));
  } finally {
    resealer.close();
  }
}

async function regroup(
  ctx: Context,
  resealer: Resealer,
  session: SessionId,
  wish: GroupWish,
  stands: (reader: Reader) => Promise<boolean>,
): Promise<number | null> {
  // Of an agreement that ends meanwhile the slot is left without a row, and ends as an orphan (V43).
  const prepared = await ctx.groups.prepare([wish]);
  return await ctx.store.write(async (tx) => {
    if (!(await stands(tx))) return null;
    await prepared.commit(tx);
    const target = prepared.groups[0];
    const [row] = await tx.sessionsById([session]);
    if (row === undefined || target?.state !== 'live' || target.kind !== 'span') return null;
    const parts = (await tx.parts(row.partPos)).filter(({ under }) => isHere(ctx, under));
    const sources = new Set(parts.map(({ under }) => under));
    if (sources.size === 0) return null;
    const leaves = new Map((await tx.leavesAt(parts.map(({ pos }) => pos))).map((leaf) => [leaf.pos, leaf]));
    const moved = parts.flatMap((part) => {
      // What does not open is left to its group (O9).
      const key = ctx.opener.oneoff.get(part.under);
      return movedOf(resealer, target, part, leaves.get(part.pos), key) ?? [];
    });
    await storeMoved(ctx.own, tx, moved);
    await point(ctx, tx, [...sources], target.group);
    return moved.length;
  });
}

function isHere(ctx: Context, group: GroupId): boolean {
  const row = ctx.groups.byId(group);
  return row?.kind === 'oneoff' && row.state === 'live' && ctx.opener.oneoff.get(group) !== null;
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
