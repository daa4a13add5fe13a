/**
 * What hosts say of holds, taken in with the leaves that say it.
 *
 * V103 A hold's state on a host is what that host's own log says of it, never what was sent.
 * V104 A hold that a host has and this collector does not know is taken back (H7): it was restored to a time before it.
 */
import { type EventData, isRecognised } from '../../protocol/event.ts';
import { type AgentId, isId } from '../../protocol/ids.ts';
import type { HoldHostRow, HoldId, Tx } from '../store/types.ts';
import type { Context, OwnDraft } from '../types.ts';
import { orderFor, placeOf } from './reach.ts';

export interface HeldSaid {
  agent: AgentId;
  type: string;
  data: unknown;
}

/** Holds that one host may bring back: a hostile one cannot fill the table. */
const MAX_ADOPTED = 1_000;

/** Inside the transaction that stores the leaves. @returns events to append */
export async function noteHolds(ctx: Context, tx: Tx, said: readonly HeldSaid[]): Promise<OwnDraft[]> {
  const drafts: OwnDraft[] = [];
  for (const { agent, type, data } of said) {
    if (type === 'hold.applied' && isRecognised('hold.applied', data)) {
      drafts.push(...(await noteApplied(ctx, tx, agent, data as EventData<'hold.applied'>)));
    }
    if (type === 'hold.reported' && isRecognised('hold.reported', data)) {
      drafts.push(...(await noteReport(ctx, tx, agent, data as EventData<'hold.reported'>)));
    }
    if (type === 'hold.violated' && isRecognised('hold.violated', data)) {
      await noteViolation(ctx, tx, agent, data as EventData<'hold.violated'>);
    }
  }
  return drafts;
}

async function noteApplied(
  ctx: Context,
  tx: Tx,
  agent: AgentId,
  { hold, outcome }: EventData<'hold.applied'>,
): Promise<OwnDraft[]> {
  const drafts: OwnDraft[] = [];
  const id = hold as HoldId;
  const known = await tx.holdHosts.get(placeOf(id, agent));
  const row = known ?? (await adopted(ctx, tx, agent, id, outcome, drafts));
  if (row !== null) await tx.holdHosts.put([{ ...row, state: outcome, appliedAt: ctx.clock.now() }]);
  return drafts;
}

/** V104. Null: nothing is to be kept of it. */
async function adopted(
  ctx: Context,
  tx: Tx,
  agent: AgentId,
  hold: HoldId,
  outcome: 'in-force' | 'released',
  drafts: OwnDraft[],
): Promise<HoldHostRow | null> {
  const owner = await tx.agents.get(agent);
  if (owner === null || outcome === 'released' || !isId(hold)) return null;
  const row = await tx.holds.get(hold);
  // Somebody else's: an id that is taken is no way into another customer's hold.
  if (row !== null && row.customer !== owner.customer) return null;
  if (row === null) {
    if ((await tx.holdHosts.list({ agent })).length >= MAX_ADOPTED) return null;
    drafts.push({ type: 'hold.adopted', data: { hold, agent } });
    await tx.holds.put([
      {
        ...{ hold, kind: 'unknown', scope: { from: null, to: null, padSeconds: 0, hosts: [agent] } },
        ...{ state: 'placed', placedPos: null, createdAt: ctx.clock.now(), customer: owner.customer },
        ...{ placedBy: null, reviewAt: null, restricted: false, notifiedAt: null, notifiedPos: null },
        ...{ releasedAt: null, releasedBy: null, releasedPos: null },
      },
    ]);
  }
  // A hold that is known is about what it says; of one that is not, the host alone knows.
  const orders = (row === null ? null : orderFor(hold, row.scope, owner)) ?? { hold, from: null, to: null };
  return {
    ...{ place: placeOf(hold, agent), hold, agent, orders },
    ...{ state: 'in-force', appliedAt: null, report: null, reportedAt: null, confirmedPos: null },
    ...{ violated: 0, violatedAt: null },
  };
}

/** A report alone is enough: a restored collector may lack the leaf before it, and the host may not have it any more. */
async function noteReport(
  ctx: Context,
  tx: Tx,
  agent: AgentId,
  report: EventData<'hold.reported'>,
): Promise<OwnDraft[]> {
  const drafts: OwnDraft[] = [];
  const id = report.hold as HoldId;
  const known = await tx.holdHosts.get(placeOf(id, agent));
  const row = known ?? (await adopted(ctx, tx, agent, id, 'in-force', drafts));
  if (row === null) return drafts;
  // H5 counts from the earliest that was ever kept: originals of a recorder that deletes by itself go, their copies stay.
  const oldest = earlier(row.report?.oldest ?? null, report.oldest);
  await tx.holdHosts.put([{ ...row, report: { ...report, oldest }, reportedAt: ctx.clock.now() }]);
  return drafts;
}

/** Of two times in UTC, as events have them. */
function earlier<T extends string>(a: T | null, b: T | null): T | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}

async function noteViolation(
  ctx: Context,
  tx: Tx,
  agent: AgentId,
  { hold, count }: EventData<'hold.violated'>,
): Promise<void> {
  const row = await tx.holdHosts.get(placeOf(hold as HoldId, agent));
  if (row === null) return;
  await tx.holdHosts.put([{ ...row, violated: row.violated + count, violatedAt: ctx.clock.now() }]);
}
