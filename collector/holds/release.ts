/**
 * Releasing a hold: always somebody's second word (`approvals.ts`), never by itself (H3). Row, event, orders and the letting
 * go of sessions are one transaction: a crash before it leaves the hold as it is.
 */
import { TilsynError } from '../../protocol/errors.ts';
import type { Id, PersonId } from '../../protocol/ids.ts';
import { wakeEraser } from '../erasing/wake.ts';
import { issueIn } from '../ingest/commands.ts';
import type { HoldRow, Reader, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';
import { letGoOf } from './sessions.ts';

/** @throws TilsynError `hold.unknown`, `hold.released` */
export async function releasable(reader: Reader, hold: string): Promise<HoldRow> {
  const row = await reader.holds.get(hold);
  if (row === null) throw unknownHold();
  if (row.state === 'placed') return row;
  throw new TilsynError('hold.released', 'releasing a hold: it was released before', {
    hint: '`tilsyn hold show ID` says when, and by whom.',
    exit: 'conflict',
  });
}

export function unknownHold(): TilsynError {
  return new TilsynError('hold.unknown', 'looking up a hold: there is none with this id', {
    hint: '`tilsyn hold list` shows the ids.',
    exit: 'notFound',
  });
}

/** Why it is released stands, sealed, in `approval.asked`. */
export async function releaseHold(
  ctx: Context,
  tx: Tx,
  hold: string,
  { person, approval }: { person: PersonId; approval: Id<'approval'> },
): Promise<void> {
  const row = await releasable(tx, hold);
  const data = { hold: row.hold, person, approval };
  const [releasedPos = null] = await ctx.own.append(tx, [{ type: 'hold.released', data }]);
  const done: HoldRow = {
    ...row,
    state: 'released',
    releasedAt: ctx.clock.now(),
    releasedBy: person,
    releasedPos,
  };
  await tx.holds.put([done]);
  for (const { agent } of await tx.holdHosts.list({ hold: row.hold })) {
    const owner = await tx.agents.get(agent);
    // Released for good: a host that was revoked keeps what it has.
    if (owner !== null && owner.state !== 'revoked')
      await issueIn(ctx, tx, agent, { verb: 'hold.release', body: { hold: row.hold }, person });
  }
  await letGoOf(ctx, tx, done);
  ctx.faults.hit?.('hold.releasing');
  tx.afterCommit(() => {
    ctx.faults.hit?.('hold.released');
    wakeEraser(ctx);
  });
}
