/**
 * Key groups for agents. What an agent needs exists before it is let in: the group of the present span and the
 * next, `late` for what fits no span, `whole` for host names.
 *
 * V43 No key group is made for an agreement that has ended.
 */
import type { AgreementId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { GroupRow } from '../store/types.ts';
import type { Context, GroupWish } from '../types.ts';

/** One row per wish, in order, dead ones included; missing ones are made, durably, before this resolves. */
export async function provide(ctx: Context, wishes: readonly GroupWish[]): Promise<GroupRow[]> {
  if (wishes.length === 0) return [];
  const prepared = await ctx.groups.prepare(wishes);
  if (prepared.groups.some(({ group }) => ctx.groups.byId(group) === null)) {
    // A crash before this commit leaves slots without rows; the start keeps them as orphans.
    await ctx.store.write((tx) => prepared.commit(tx));
  }
  return prepared.groups;
}

/** Makes what agents of this agreement need now. One-off data lies under keys of the agent's own making. */
export async function supply(
  ctx: Context,
  of: { agreement: AgreementId; mode: 'managed' | 'one-off' },
  at: UtcMs,
): Promise<void> {
  const { agreement } = of;
  // Of one that has ended nothing is made any more: what is sealed from then on could not be erased with it (V43).
  if ((await ctx.store.read.agreements.get(agreement))?.state === 'ended') return;
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
