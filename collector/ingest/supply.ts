/**
 * Key groups for agents. What an agent needs exists before it is let in: the group of the present span and the
 * next, `late` for what fits no span, `whole` for host names.
 *
 * S1  A group is made once: looking for it and making it is one act, one after the other.
 */
import type { AgreementId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { GroupRow } from '../store/types.ts';
import { turnsOf } from '../turns.ts';
import type { Context, GroupWish } from '../types.ts';

/** One row per wish, in order, dead ones included; missing ones are made, durably, before this resolves. */
export async function provide(ctx: Context, wishes: readonly GroupWish[]): Promise<GroupRow[]> {
  const found = findAll(ctx, wishes);
  if (found !== null) return found;
  return await turnsOf(ctx, 'groups').run(async () => {
    const prepared = await ctx.groups.prepare(wishes);
    const fresh = prepared.groups.filter(({ group }) => ctx.groups.byId(group) === null);
    if (fresh.length === 0) return prepared.groups;
    // A crash before this commit leaves slots without rows; the start keeps them as orphans.
    await ctx.store.write((tx) => prepared.commit(tx));
    ctx.groups.committed(fresh);
    return prepared.groups;
  });
}

function findAll(ctx: Context, wishes: readonly GroupWish[]): GroupRow[] | null {
  const rows: GroupRow[] = [];
  for (const { agreement, class: cls, kind, at } of wishes) {
    const row = ctx.groups.find(agreement, cls, kind, at);
    if (row === null) return null;
    rows.push(row);
  }
  return rows;
}

/** Makes what agents of this agreement need now. One-off data lies under keys of the agent's own making. */
export async function supply(
  ctx: Context,
  of: { agreement: AgreementId; mode: 'managed' | 'one-off' },
  at: UtcMs,
): Promise<void> {
  const { agreement } = of;
  const whole: GroupWish = { agreement, class: 'host.name', kind: 'whole', at };
  if (of.mode === 'one-off') {
    await provide(ctx, [whole]);
    return;
  }
  const span: GroupWish = { agreement, class: 'session', kind: 'span', at };
  const [present] = await provide(ctx, [span, { ...span, kind: 'late' }, whole]);
  const next = present?.to ?? null;
  if (next !== null) await provide(ctx, [{ ...span, at: next }]);
}
