/**
 * Placing a hold: its row, its event, the orders to its hosts and the taking out of its sessions are one transaction. A
 * crash before that commit leaves nothing of it, after it every start and every connection goes on.
 *
 * V100 A hold that was placed is in force for sessions with that commit, and is ordered of every host that it names.
 */
import type { HoldReach } from '../../protocol/event-holds.ts';
import type { HoldKind } from '../../protocol/hold.ts';
import { type CustomerId, newId, type PersonId } from '../../protocol/ids.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import { wakeEraser } from '../erasing/wake.ts';
import { issueIn } from '../ingest/commands.ts';

import type { AgentRow, HoldHostRow, HoldId, HoldRow, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';
import { orderFor, placeOf } from './reach.ts';
import { keepHeld } from './sessions.ts';

export interface NewHold {
  kind: HoldKind;
  case: string;
  basis: string;
  reason: string;
  wide: string | null;
  reach: HoldReach;
  customer: CustomerId;
  agents: readonly AgentRow[];
  reviewAt: UtcMs;
  restricted: boolean;
  person: PersonId;
}

export async function placeHold(ctx: Context, wanted: NewHold): Promise<HoldRow> {
  const hold = newId<'hold'>(ctx.random);
  const row = await ctx.store.write(async (tx) => {
    const { reach, reviewAt, kind, person, restricted, agents } = wanted;
    const { case: ref, basis, reason, wide } = wanted;
    const data = { hold, kind, person, reach, hosts: agents.length, reviewAt: toIso(reviewAt), restricted };
    const personal = { case: ref, basis, reason, ...(wide === null ? {} : { wide }) };
    const [placedPos = null] = await ctx.own.append(tx, [{ type: 'hold.placed', data, personal }]);
    const made = rowOf({ hold, wanted, placedPos, now: ctx.clock.now() });
    await tx.holds.put([made]);
    for (const agent of agents) await orderHost(ctx, tx, made, agent, person);
    await keepHeld(ctx, tx, made);
    ctx.faults.hit?.('hold.placing');
    // Commit point: a crash before it leaves nothing of the hold, one after it all, though nobody was answered.
    return made;
  });
  ctx.faults.hit?.('hold.placed');
  wakeEraser(ctx);
  ctx.notify(await ctx.store.read.lastPos());
  return row;
}

function rowOf({
  hold,
  wanted,
  placedPos,
  now,
}: {
  hold: HoldId;
  wanted: NewHold;
  placedPos: number | null;
  now: UtcMs;
}): HoldRow {
  const { kind, reach, customer, person, reviewAt, restricted } = wanted;
  return {
    ...{ hold, kind, scope: reach, state: 'placed', placedPos, createdAt: now, customer, placedBy: person },
    ...{ reviewAt, restricted, notifiedAt: null, notifiedPos: null },
    ...{ releasedAt: null, releasedBy: null, releasedPos: null },
  };
}

/** Inside the caller's transaction: the host's row, and its command where it may get one. */
export async function orderHost(
  ctx: Context,
  tx: Tx,
  { hold, scope }: Pick<HoldRow, 'hold' | 'scope'>,
  agent: AgentRow,
  person: PersonId | null,
): Promise<void> {
  const orders = orderFor(hold, scope, agent);
  if (orders === null) return;
  const place = placeOf(hold, agent.agent);
  const known = await tx.holdHosts.get(place);
  const fresh: HoldHostRow = {
    ...{ place, hold, agent: agent.agent, orders, state: 'pending', appliedAt: null },
    ...{ report: null, reportedAt: null, confirmedPos: null },
    ...{ violated: 0, violatedAt: null },
  };
  await tx.holdHosts.put([known === null ? fresh : { ...known, orders }]);
  if (agent.state !== 'revoked')
    await issueIn(ctx, tx, agent.agent, { verb: 'hold.place', body: { ...orders }, person });
}
