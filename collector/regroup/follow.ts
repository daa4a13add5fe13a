/**
 * Sessions that turn out to be one with a session that was taken out: a log that is read again, a second agent on it, the
 * row that a tool wrote later. What is said of the one is said of the other from then on (V52).
 *
 * V57 The origin of a session that was taken out stays in its span, under the span's key, and goes with it: by it what is
 *     read again is known to be the same session, and is dropped in the transaction that it came in, where that one was
 *     erased.
 */
import type { SessionId } from '../../protocol/ids.ts';
import { wakeEraser } from '../erasing/wake.ts';
import type { Merge } from '../ingest/merge.ts';
import type { GroupRow, SessionRow, Tx } from '../store/types.ts';
import type { Context, OwnDraft } from '../types.ts';
import { familyOf, putGroups } from './take-out.ts';
import { takesOf, withTakes } from './takes.ts';

/** Inside the transaction of ingest that merges these. @returns events to append */
export async function followMerges(ctx: Context, tx: Tx, merges: readonly Merge[]): Promise<OwnDraft[]> {
  const drafts: OwnDraft[] = [];
  for (const { session, into } of merges) {
    const known = ctx.groups.takenOut(into) ?? ctx.groups.takenOut(session);
    const row = known === null ? null : await tx.groups.get(known.group);
    const takes = row === null ? null : takesOf(row);
    if (row === null || takes === null) continue;
    const rows = await familyOf(tx, [session, into]);
    const fresh = rows.filter(
      (one) => one.agreement === row.agreement && !takes.sessions.includes(one.session),
    );
    if (fresh.length === 0) continue;
    await add(ctx, tx, row, fresh);
    if (takes.why === 'request') await ctx.bury(fresh.map((one) => one.session));
    if (row.state === 'live') tx.afterCommit(() => wakeEraser(ctx));
    else drafts.push(...(await drop(ctx, tx, fresh)));
  }
  return drafts;
}

async function add(ctx: Context, tx: Tx, row: GroupRow, fresh: readonly SessionRow[]): Promise<void> {
  const takes = takesOf(row);
  if (takes === null) return;
  const ids: SessionId[] = fresh.map(({ session }) => session);
  // Of a dead group what came is dropped below.
  const gathered = row.state !== 'live' && takes.gathered;
  await putGroups(ctx, tx, [withTakes(row, { ...takes, sessions: [...takes.sessions, ...ids], gathered })]);
}

/** What came of them in this very transaction, or before, under a group that lives. */
async function drop(ctx: Context, tx: Tx, rows: readonly SessionRow[]): Promise<OwnDraft[]> {
  const positions = rows.flatMap(({ partPos }) => partPos);
  const parts = (await tx.parts(positions)).filter(({ under }) => ctx.groups.byId(under)?.state === 'live');
  const leaves = new Map((await tx.leavesAt(positions)).map((leaf) => [leaf.pos, leaf]));
  await tx.entomb(parts);
  return parts.flatMap(({ pos, group }) => {
    const leaf = leaves.get(pos);
    if (leaf === undefined) return [];
    const { log, seq } = leaf;
    return [{ type: 'sealed.dropped' as const, data: { log, seq, from: group, to: null } }];
  });
}
