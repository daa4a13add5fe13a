/**
 * What hosts say about erasures, without a frame of its own: a host names the groups that it holds, is told which of
 * them are dead, and answers a ping that was sent after that once it has taken it in.
 *
 * V44 A host counts as clear of what was erased only by its own word after it was told: it held none of it, or has
 *     answered behind the frame that named it.
 */
import type { AgentRow, Pos } from '../store/types.ts';
import type { Context } from '../types.ts';
import { wakeEraser } from './wake.ts';

/**
 * The leaf up to which a host is to confirm now; null: there is nothing new. Read before it is told which groups are
 * dead: what dies after that is confirmed another time.
 */
export async function toConfirm(
  { store }: Pick<Context, 'store'>,
  { agent, agreement }: Pick<AgentRow, 'agent' | 'agreement'>,
): Promise<Pos | null> {
  const through = await store.read.lastErased(agreement);
  if (through === null) return null;
  const known = await store.read.confirmations.get(agent);
  return known !== null && known.pos >= through ? null : through;
}

export async function noteConfirmed(
  ctx: Context,
  { agent }: Pick<AgentRow, 'agent'>,
  through: Pos,
): Promise<void> {
  await ctx.store.write(async (tx) => {
    const known = await tx.confirmations.get(agent);
    if (known !== null && known.pos >= through) return;
    await tx.confirmations.put([{ agent, pos: through, at: ctx.clock.now() }]);
    tx.afterCommit(() => wakeEraser(ctx));
  });
}
