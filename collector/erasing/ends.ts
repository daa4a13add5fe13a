/**
 * The end of an agreement: ordered, cancelled, begun, completed. What each step means says `end-rules.ts`.
 *
 * V40 From the transaction in which its erasing begins an agreement has ended for ever: its id lies as a tombstone in
 *     every copy of the keys, and a database that was put back does not open it again.
 * V42 Every host of an agreement that ends has the order in the present generation, also one that comes later; the last
 *     one it was given is the one that holds. When erasing has begun it is told that too.
 */
import { TilsynError } from '../../protocol/errors.ts';
import type { AgreementId, Id, PersonId } from '../../protocol/ids.ts';
import { DAY_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { issueCommand } from '../ingest/commands.ts';
import type { Keyring } from '../keyring.ts';
import type { AgentRow, AgreementRow, Reader, Store, Tx } from '../store/types.ts';
import type { Context, OwnLog } from '../types.ts';
import {
  COOLING_MS,
  type EndVerb,
  type HostEnd,
  hostEnd,
  isComplete,
  isKept,
  mustBegin,
  mustTell,
  mustTellErasing,
  orderFor,
} from './end-rules.ts';
import { wakeEraser } from './wake.ts';

/** An effective date further away is a slip of the hand. */
const FURTHEST_MS = 3_660 * DAY_MS;

export interface Order {
  agreement: AgreementId;
  /** Null: now, or what was ordered before. */
  effectiveAt: UtcMs | null;
  person: PersonId;
  reason: string | null;
  /** Without a cooling-off; somebody else has approved it. */
  now?: { approval: Id<'approval'> };
}

/** What an order would come to. @throws TilsynError `agreement.*` */
export function ordered(row: AgreementRow | null, order: Order, at: UtcMs): AgreementRow {
  if (row === null) throw unknown();
  if (row.state === 'ended') throw over('ending an agreement: it has ended already');
  if (row.endsAt !== null && order.now === undefined) throw twice(row.endsAt);
  const endsAt = order.effectiveAt ?? row.endsAt ?? at;
  if (endsAt < row.startsAt || endsAt > at + FURTHEST_MS) throw outOfRange(row);
  const coolingUntil = order.now === undefined ? utcMs(at + COOLING_MS) : at;
  return { ...row, endsAt, coolingUntil, orderedAt: at, orderedBy: order.person };
}

/** Orders an end inside the caller's transaction. Nothing is erased by it: that is the eraser's, when it is time. */
export async function orderEnd(ctx: Context, tx: Tx, order: Order): Promise<AgreementRow> {
  const row = ordered(await tx.agreements.get(order.agreement), order, ctx.clock.now());
  await tx.agreements.put([row]);
  await ctx.own.append(tx, [
    {
      type: 'agreement.ending',
      data: {
        ...ending(row),
        person: order.person,
        ...(order.now === undefined ? {} : { approval: order.now.approval }),
      },
      personal: order.reason === null ? null : { reason: order.reason },
    },
  ]);
  tx.afterCommit(() => wakeEraser(ctx));
  return row;
}

function ending({ agreement, endsAt, coolingUntil }: AgreementRow) {
  const iso = (at: UtcMs | null | undefined) => toIso(at ?? utcMs(0));
  return { agreement, effectiveAt: iso(endsAt), coolingOffUntil: iso(coolingUntil ?? endsAt) };
}

/** What is left of an order that is taken back. @throws TilsynError `agreement.*` */
export function cancelled(row: AgreementRow | null, at: UtcMs): AgreementRow {
  if (row === null) throw unknown();
  if (row.state === 'ended') throw over('cancelling the end of an agreement: erasing has begun');
  if (row.endsAt === null) throw notEnding();
  if ((row.coolingUntil ?? 0) <= at)
    throw over('cancelling the end of an agreement: its cooling-off is over');
  return { ...row, endsAt: null, coolingUntil: null, orderedAt: null, orderedBy: null };
}

export async function cancelEnd(
  ctx: Context,
  { agreement, person, reason }: Pick<Order, 'agreement' | 'person' | 'reason'>,
): Promise<AgreementRow> {
  const row = await ctx.store.write(async (tx) => {
    const open = cancelled(await tx.agreements.get(agreement), ctx.clock.now());
    await tx.agreements.put([open]);
    await ctx.own.append(tx, [
      {
        type: 'agreement.cancelled',
        data: { agreement, person },
        personal: reason === null ? null : { reason },
      },
    ]);
    tx.afterCommit(() => wakeEraser(ctx));
    return open;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return row;
}

/**
 * Ends what must end now (V40): tokens are useless, no group is made any more, and its groups are due.
 * @returns those that have ended with this
 */
export async function beginEnds({
  store,
  clock,
  bury,
}: Pick<Context, 'store' | 'clock' | 'bury'>): Promise<AgreementRow[]> {
  const due = (await store.read.agreements.list({ state: 'open' })).filter((row) =>
    mustBegin(row, clock.now()),
  );
  if (due.length === 0) return [];
  return await store.write(async (tx) => {
    const rows: AgreementRow[] = [];
    for (const { agreement } of due) {
      // Once more: it may have been cancelled since.
      const row = await tx.agreements.get(agreement);
      if (row !== null && mustBegin(row, clock.now())) rows.push({ ...row, state: 'ended' });
    }
    // The tombstone first. A crash before the commit: the start finds it, and ends the agreement (`settleEnds`).
    await bury(rows.map(({ agreement }) => agreement));
    await tx.agreements.put(rows);
    return rows;
  });
}

/** Brings rows and tombstones together, both ways (V40). Safe to repeat. @returns what it ended */
export async function settleEnds(options: {
  store: Store;
  keyring: Keyring;
  own: OwnLog;
  clock: Context['clock'];
}): Promise<AgreementId[]> {
  const { store, keyring, own, clock } = options;
  const rows = await store.read.agreements.list();
  await keyring.bury(rows.filter(({ state }) => state === 'ended').map(({ agreement }) => agreement));
  const back = rows.filter((row) => row.state !== 'ended' && keyring.isBuried(row.agreement));
  if (back.length === 0) return [];
  await store.write(async (tx) => {
    const now = clock.now();
    const ended = back.map((row) => ({
      ...row,
      state: 'ended' as const,
      endsAt: row.endsAt ?? now,
      coolingUntil: row.coolingUntil ?? now,
    }));
    await tx.agreements.put(ended);
    await own.append(
      tx,
      ended.map((row) => ({ type: 'agreement.ending' as const, data: { ...ending(row), person: null } })),
    );
  });
  return back.map(({ agreement }) => agreement);
}

/** Gives every host of what ends, or no longer ends, the order that holds (V42). @returns how many were given */
export async function tellHosts(ctx: Context): Promise<number> {
  const { read } = ctx.store;
  const touched = new Set(
    (await read.commands.list({ verb: 'agreement.end', generation: ctx.generation() })).map(
      ({ body }) => body.agreement,
    ),
  );
  let told = 0;
  for (const row of await read.agreements.list()) {
    if (row.endedAt !== null || (row.endsAt === null && !touched.has(row.agreement))) continue;
    for (const agent of await hostsOf(read, row)) {
      if (agent.state !== 'revoked') told += await tellHost(ctx, row, agent);
    }
  }
  return told;
}

/** First that it ends, then that erasing has begun: a crash in between, and the next look says the rest. */
async function tellHost(ctx: Context, row: AgreementRow, { agent }: AgentRow): Promise<number> {
  const orders = await ordersTo(ctx, ctx.store.read, agent);
  const now = ctx.clock.now();
  const verbs: EndVerb[] = [];
  if (mustTell(row, orders, now)) verbs.push('agreement.end');
  if (mustTellErasing(row, orders, now)) verbs.push('agreement.erase');
  for (const verb of verbs) {
    const body = verb === 'agreement.end' ? orderFor(row) : { agreement: row.agreement };
    await issueCommand(ctx, agent, verb, body, row.orderedBy);
  }
  return verbs.length;
}

/** What a host was told of an end in the present generation. */
async function ordersTo(ctx: Context, reader: Reader, agent: AgentRow['agent']) {
  const generation = ctx.generation();
  return [
    ...(await reader.commands.list({ agent, generation, verb: 'agreement.end' })),
    ...(await reader.commands.list({ agent, generation, verb: 'agreement.erase' })),
  ];
}

function hostsOf(reader: Reader, { agreement }: AgreementRow): Promise<AgentRow[]> {
  return reader.agents.list({ agreement });
}

/** How each host of an agreement stands. */
export async function hostEnds(ctx: Context, reader: Reader, row: AgreementRow): Promise<HostEnd[]> {
  // What was kept and is erased after the end was complete never lay with a host (V59).
  const through = row.endedAt === null ? await reader.lastErased(row.agreement) : null;
  const ends: HostEnd[] = [];
  for (const agent of await hostsOf(reader, row)) {
    const facts = {
      agent,
      commands: await ordersTo(ctx, reader, agent.agent),
      confirmation: await reader.confirmations.get(agent.agent),
    };
    ends.push(hostEnd(row, facts, through, ctx.clock.now()));
  }
  return ends;
}

/** Says of what is complete that it is (V41). @returns what has become complete with this */
export async function completeEnds(ctx: Context): Promise<AgreementId[]> {
  const ended = await ctx.store.read.agreements.list({ state: 'ended', endedAt: null });
  const complete: AgreementId[] = [];
  for (const { agreement } of ended) {
    if (await ctx.store.write((tx) => complete1(ctx, tx, agreement))) complete.push(agreement);
  }
  return complete;
}

async function complete1(ctx: Context, tx: Tx, agreement: AgreementId): Promise<boolean> {
  const row = await tx.agreements.get(agreement);
  if (row === null || row.endedAt !== null) return false;
  const groups = await tx.groups.list({ agreement });
  const hosts = await hostEnds(ctx, tx, row);
  if (!isComplete(row, groups, hosts)) return false;
  await tx.agreements.put([{ ...row, endedAt: ctx.clock.now() }]);
  const done = hosts.filter(({ state }) => state === 'done').length;
  const kept = groups.filter(isKept).length;
  const counts = { groups: groups.length - kept, hosts: done, revoked: hosts.length - done };
  await ctx.own.append(tx, [
    {
      type: 'agreement.ended',
      data: { ...ending(row), ...counts, ...(kept === 0 ? {} : { kept }) },
    },
  ]);
  return true;
}

export function unknown(): TilsynError {
  return new TilsynError('agreement.unknown', 'looking up an agreement: there is none with this id', {
    hint: 'List them with `tilsyn agreement list`.',
    exit: 'notFound',
  });
}

function over(message: string): TilsynError {
  return new TilsynError('agreement.ended', message, {
    hint: 'See `tilsyn agreement list`. What is erased cannot be had back; make a new one with `tilsyn agreement create`.',
    exit: 'conflict',
  });
}

function twice(endsAt: UtcMs): TilsynError {
  return new TilsynError(
    'agreement.ending',
    `ending an agreement: that is ordered already, for ${toIso(endsAt)}`,
    {
      hint: 'For another date cancel it first: `tilsyn agreement cancel ID`.',
      exit: 'conflict',
    },
  );
}

function notEnding(): TilsynError {
  return new TilsynError(
    'agreement.not-ending',
    'cancelling the end of an agreement: its end was not ordered',
    {
      hint: 'See `tilsyn agreement list`.',
      exit: 'conflict',
    },
  );
}

function outOfRange({ startsAt }: AgreementRow): TilsynError {
  return new TilsynError(
    'agreement.effective',
    `ending an agreement: the effective date lies before its start (${toIso(startsAt)}) or more than ten years ahead`,
    { hint: 'Give another --effective, or leave it out: now.', exit: 'usage' },
  );
}
