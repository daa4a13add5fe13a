/** `POST /v1/agreements/:agreement/end`, `/end-now`, `/cancel`: ordering the end of an agreement, and taking it back. */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { type AgreementId, isId } from '../../protocol/ids.ts';
import { fromIso } from '../../protocol/time.ts';
import { ask, waiting } from '../approvals.ts';
import { type Caller, sees } from '../auth.ts';
import { isKept } from '../erasing/end-rules.ts';
import { cancelEnd, cancelled, type Order, orderEnd, ordered, unknown } from '../erasing/ends.ts';
import type { AgreementRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { agreementItems } from './agreements.ts';
import { field, type Room, route } from './room.ts';

const end = z.strictObject({
  /** Absent: now. */
  effectiveAt: field.iso.optional(),
  reason: field.reason,
  dryRun: field.dryRun,
});
const cancel = z.strictObject({ reason: field.reason, dryRun: field.dryRun });
type Params = { agreement: string };

export function agreementEndRoutes(room: Room): void {
  const { ctx } = room;
  route<typeof end, Params>(room, {
    method: 'POST',
    path: '/v1/agreements/:agreement/end',
    verb: 'agreement.end',
    input: end,
    handle: async ({ caller, params, input }) => {
      const order = await orderOf(ctx, caller, params.agreement, input);
      if (input.dryRun) return planned(ctx, caller, 'agreement.end', order);
      const row = await ctx.store.write((tx) => orderEnd(ctx, tx, order));
      ctx.notify(await ctx.store.read.lastPos());
      return shown(ctx, caller, 'agreement.end', row, false);
    },
  });
  route<typeof end, Params>(room, {
    method: 'POST',
    path: '/v1/agreements/:agreement/end-now',
    verb: 'agreement.end-now',
    input: end,
    handle: async ({ caller, params, input }) => {
      const order = await orderOf(ctx, caller, params.agreement, input);
      if (input.dryRun) return planned(ctx, caller, 'agreement.end-now', order);
      return endNow(ctx, order);
    },
  });
  route<typeof cancel, Params>(room, {
    method: 'POST',
    path: '/v1/agreements/:agreement/cancel',
    verb: 'agreement.cancel',
    input: cancel,
    handle: async ({ caller, params, input }) => {
      const { agreement } = await agreementSeen(ctx, caller, params.agreement);
      const { reason, dryRun } = input;
      const row = dryRun
        ? cancelled(await ctx.store.read.agreements.get(agreement), ctx.clock.now())
        : await cancelEnd(ctx, { agreement, person: caller.person.person, reason });
      return shown(ctx, caller, 'agreement.cancel', row, dryRun);
    },
  });
}

/** @throws TilsynError `agreement.unknown`, also for one of a customer that this person may not see (Q4) */
export async function agreementSeen(ctx: Context, caller: Caller, id: string): Promise<AgreementRow> {
  const row = isId(id) ? await ctx.store.read.agreements.get(id) : null;
  if (row !== null && sees(caller, row.customer)) return row;
  throw unknown();
}

async function orderOf(
  ctx: Context,
  caller: Caller,
  id: string,
  { effectiveAt, reason, dryRun }: z.infer<typeof end>,
): Promise<Order> {
  const { agreement } = await agreementSeen(ctx, caller, id);
  if (reason === null && !dryRun) throw withoutReason();
  const at = effectiveAt === undefined ? null : fromIso(effectiveAt);
  return { agreement: agreement as AgreementId, effectiveAt: at, person: caller.person.person, reason };
}

async function planned(
  ctx: Context,
  caller: Caller,
  verb: 'agreement.end' | 'agreement.end-now',
  order: Order,
): Promise<object> {
  const now = verb === 'agreement.end-now' ? { now: { approval: NONE } } : {};
  const row = ordered(
    await ctx.store.read.agreements.get(order.agreement),
    { ...order, ...now },
    ctx.clock.now(),
  );
  return shown(ctx, caller, verb, row, true);
}
const NONE = '0'.repeat(32) as NonNullable<Order['now']>['approval'];

/** Asked for, never done by one: it leaves with the id of the approval (exit 5). */
async function endNow(ctx: Context, { agreement, effectiveAt, person, reason }: Order): Promise<never> {
  const body = { agreement, effectiveAt, now: true };
  const row = await ctx.store.write((tx) =>
    ask(ctx, tx, { verb: 'agreement.end-now', body, person, reason, alone: false }),
  );
  ctx.notify(await ctx.store.read.lastPos());
  throw await waiting(ctx, row);
}

/** What it is about: hosts that will be told, key groups that will be erased. */
async function shown(ctx: Context, caller: Caller, verb: string, row: AgreementRow, dryRun: boolean) {
  const [item] = await agreementItems(ctx, caller, verb, [row]);
  const groups = await ctx.store.read.groups.list({ agreement: row.agreement, state: 'live' });
  const agents = await ctx.store.read.agents.list({ agreement: row.agreement });
  const waited = agents.filter(({ state }) => state !== 'revoked').length;
  const erased = groups.filter((group) => !isKept(group)).length;
  return { ...item, hostsToTell: waited, groupsToErase: erased, groupsKept: groups.length - erased, dryRun };
}

function withoutReason(): TilsynError {
  return new TilsynError('agreement.reason', 'ending an agreement: there is no reason', {
    hint: 'Give --reason TEXT; it is recorded, sealed.',
    exit: 'usage',
  });
}
