/**
 * `/v1/holds`: legal holds. What a person writes of one is stored sealed; what is shown of it is a reading.
 *
 * J30 Nothing is placed where anything is missing, contradicts itself or is wide without a reason; all of it is named at once.
 * J31 Who was not given restricted holds is told of one as of one that is not there.
 */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { type HoldKind, type HoldOrder, MAX_HELD_CAMERAS } from '../../protocol/hold.ts';
import { type AgentId, isId, type PersonId } from '../../protocol/ids.ts';
import { fromIso, MINUTE_MS, toIso, type UtcMs } from '../../protocol/time.ts';
import { ask, waiting } from '../approvals.ts';
import { withoutReason } from '../approvals-errors.ts';
import { type Caller, sees } from '../auth.ts';
import { GivenOrders } from '../holds/given.ts';
import { placeHold } from '../holds/place.ts';
import { orderFor, type Reached, reachOf } from '../holds/reach.ts';
import { releasable, unknownHold } from '../holds/release.ts';
import {
  holdFaults,
  refuseFaults,
  refuseWide,
  scopeFaults,
  type TypedHold,
  wideness,
} from '../holds/scope.ts';
import { makeSlips } from '../holds/slip.ts';
import { type HoldItem, historyItem, historyOf, holdItem } from '../holds/view.ts';
import { askHost } from '../ingest/queries.ts';
import type { AgentRow, HoldRow, LeafRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { field, type Room, route } from './room.ts';
import { hostNamed, visibleAgents } from './scope.ts';
import { askedOf, listAnswer, planView } from './view.ts';

const line = z.string().max(1024).optional();
const scope = {
  cameras: z.array(field.text).max(MAX_HELD_CAMERAS).optional(),
  sessions: z.array(field.id).max(1_000).optional(),
  hosts: z.array(field.text).max(1_000).optional(),
  site: field.text.optional(),
  from: field.iso.optional(),
  to: field.iso.optional(),
  padMs: z
    .int()
    .min(0)
    .max(24 * 60 * MINUTE_MS)
    .default(0),
};
const previewBody = z.strictObject(scope);
const placeBody = z.strictObject({
  ...scope,
  kind: line,
  case: z.string().max(256).optional(),
  basis: z.string().max(512).optional(),
  reason: line,
  wide: line,
  review: field.iso.optional(),
  restricted: z.boolean().default(false),
  dryRun: field.dryRun,
});
const notifyBody = z.strictObject({
  who: z.string().trim().min(1).max(256).optional(),
  how: z.string().trim().min(1).max(256).optional(),
  at: field.iso.optional(),
  notPossible: z.boolean().default(false),
  note: z.string().trim().min(1).max(1024).optional(),
  copyAsked: z.boolean().default(false),
  copyGiven: z.boolean().default(false),
  dryRun: field.dryRun,
});
const releaseBody = z.strictObject({
  reason: field.reason,
  alone: z.boolean().default(false),
  dryRun: field.dryRun,
});
const confirmBody = z.strictObject({
  host: field.text,
  note: z.string().trim().min(1).max(1024),
  dryRun: field.dryRun,
});
const listQuery = z.strictObject({
  overdue: field.flag,
  state: z.enum(['placed', 'released']).optional(),
  limit: field.limit,
  after: field.after,
});

/** `bare`: states and numbers only, nothing is opened: for whoever waits. */
const showQuery = z.strictObject({ bare: field.flag });

export function holdRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'POST',
    path: '/v1/holds/preview',
    verb: 'hold.preview',
    input: previewBody,
    handle: ({ caller, input }) => preview(ctx, caller, input),
  });
  route(room, {
    method: 'POST',
    path: '/v1/holds',
    verb: 'hold.place',
    input: placeBody,
    handle: ({ caller, input }) => place(ctx, caller, input),
  });
  route(room, {
    method: 'GET',
    path: '/v1/holds',
    verb: 'hold.list',
    input: listQuery,
    handle: ({ caller, input }) => list(ctx, caller, input),
  });
  route<typeof showQuery, { hold: string }>(room, {
    method: 'GET',
    path: '/v1/holds/:hold',
    verb: 'hold.show',
    input: showQuery,
    handle: async ({ caller, params, input }) => {
      const row = await holdNamed(ctx, caller, params.hold);
      return input.bare === true ? bare(ctx, row) : show(ctx, caller, row);
    },
  });
  route<typeof notifyBody, { hold: string }>(room, {
    method: 'POST',
    path: '/v1/holds/:hold/notify',
    verb: 'hold.notify',
    input: notifyBody,
    handle: async ({ caller, params, input }) =>
      notify(ctx, caller, await holdNamed(ctx, caller, params.hold), input),
  });
  route<typeof confirmBody, { hold: string }>(room, {
    method: 'POST',
    path: '/v1/holds/:hold/confirm',
    verb: 'hold.confirm',
    input: confirmBody,
    handle: async ({ caller, params, input }) =>
      confirm(ctx, caller, await holdNamed(ctx, caller, params.hold), input),
  });
  route<z.ZodType, { hold: string }>(room, {
    method: 'POST',
    path: '/v1/holds/:hold/slip',
    verb: 'hold.slip',
    input: z.strictObject({}),
    handle: async ({ caller, params }) => {
      const row = await holdNamed(ctx, caller, params.hold);
      return { slips: await makeSlips(ctx, row, caller.person.person) };
    },
  });
  route<typeof releaseBody, { hold: string }>(room, {
    method: 'POST',
    path: '/v1/holds/:hold/release',
    verb: 'hold.release',
    input: releaseBody,
    handle: async ({ caller, params, input }) =>
      release(ctx, caller, await holdNamed(ctx, caller, params.hold), input),
  });
}

type Typed = z.infer<typeof placeBody>;

function typedOf({ from, to, review, ...rest }: Partial<Typed>): TypedHold {
  const time = (text: string | undefined) => (text === undefined ? undefined : (fromIso(text) ?? undefined));
  return { ...rest, from: time(from as never), to: time(to as never), review: time(review as never) };
}

async function preview(ctx: Context, caller: Caller, input: z.infer<typeof previewBody>) {
  const typed = typedOf(input);
  refuseFaults(scopeFaults(typed, ctx.clock.now()), 'previewing a hold');
  const reached = await reachOf(ctx, caller, typed, input.padMs);
  return { ...(await seen(ctx, caller, reached, 'hold.preview')), wide: wideness(typed) };
}

/** What it would cover, asked of every host that is connected. */
async function seen(ctx: Context, caller: Caller, { reach, agents }: Reached, verb: string) {
  const plan = await planView(ctx, agents, askedOf(ctx, null, null));
  await recordReading(ctx, caller, verb, plan.count, {});
  const { host } = await plan.open();
  const hosts = await Promise.all(
    agents.map(async (agent) => {
      const order = orderFor(NO_HOLD, reach, agent);
      const named = { host: host(agent.agent) ?? agent.agent, hostId: agent.agent };
      const lastSeen = agent.lastSeenAt === null ? null : toIso(agent.lastSeenAt);
      const said = order === null ? null : await asked(ctx, agent.agent, order);
      return { ...named, lastSeen, answered: said !== null, ...(said ?? {}) };
    }),
  );
  const sum = (name: string) =>
    hosts.reduce((all, one) => all + numberOf((one as Record<string, unknown>)[name]), 0);
  return {
    scope: reach,
    hosts,
    recordings: sum('recordings'),
    bytes: sum('bytes'),
    erased: sum('erased'),
    erasing: sum('erasing'),
    sessions: reach.sessions?.length ?? null,
    complete: hosts.every(({ answered }) => answered),
  };
}

const NO_HOLD = '0'.repeat(32) as HoldRow['hold'];

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

/** Null: it is not connected, or does not answer in time. What it would cover is then not known, and said to be so. */
async function asked(
  ctx: Context,
  agent: AgentId,
  order: HoldOrder,
): Promise<Record<string, unknown> | null> {
  try {
    return await askHost(ctx, agent, 'hold.preview', { ...order });
  } catch (error) {
    if (error instanceof TilsynError) return null;
    throw error;
  }
}

async function place(ctx: Context, caller: Caller, input: Typed) {
  const now = ctx.clock.now();
  const typed = typedOf(input);
  refuseFaults(holdFaults(typed, now), 'placing a hold');
  refuseWide(wideness(typed), input.wide);
  const reached = await reachOf(ctx, caller, typed, input.padMs);
  if (input.dryRun)
    return { ...(await seen(ctx, caller, reached, 'hold.preview')), wide: wideness(typed), dryRun: true };
  const { kind, case: ref = '', basis = '', reason = '', wide = null, restricted } = input;
  const row = await placeHold(ctx, {
    ...{ kind: kind as HoldKind, case: ref, basis, reason, wide, restricted, ...reached },
    ...{ reviewAt: typed.review as UtcMs, person: caller.person.person },
  });
  return { ...(await itemOf(ctx, caller, row, 'hold.place')), dryRun: false };
}

/** J31: a restricted hold is not shown to technicians. */
function isShown({ customer, restricted }: HoldRow, caller: Caller): boolean {
  return sees(caller, customer) && !(restricted && caller.person.role === 'technician');
}

async function holdNamed(ctx: Context, caller: Caller, hold: string): Promise<HoldRow> {
  const row = isId(hold) ? await ctx.store.read.holds.get(hold) : null;
  if (row === null || !isShown(row, caller)) throw unknownHold();
  return row;
}

async function itemOf(ctx: Context, caller: Caller, row: HoldRow, verb: string): Promise<HoldItem> {
  const [item] = await itemsOf(ctx, caller, [row], verb);
  return item as HoldItem;
}

async function itemsOf(ctx: Context, caller: Caller, rows: readonly HoldRow[], verb: string) {
  const { read } = ctx.store;
  const visible = await visibleAgents(ctx, caller);
  const named = new Set<string>();
  for (const { hold } of rows) for (const { agent } of await read.holdHosts.list({ hold })) named.add(agent);
  const agents = visible.filter(({ agent }) => named.has(agent));
  const plan = await planView(ctx, agents, askedOf(ctx, null, null));
  const positions = rows.flatMap(({ placedPos }) => placedPos ?? []);
  await recordReading(ctx, caller, verb, plan.count + positions.length, {});
  const { host } = await plan.open();
  const opened = positions.length === 0 ? null : await ctx.opener.open(read, positions);
  const byId = new Map<AgentId, AgentRow>(agents.map((one) => [one.agent, one]));
  const items: HoldItem[] = [];
  const view = { host, agents: byId, opened, given: new GivenOrders(ctx), now: ctx.clock.now() };
  for (const row of rows) items.push(await holdItem(ctx, row, view));
  return items;
}

async function list(
  ctx: Context,
  caller: Caller,
  { overdue, state, limit, after }: z.infer<typeof listQuery>,
) {
  const rows = (await ctx.store.read.holds.list(state === undefined ? {} : { state })).filter((row) =>
    isShown(row, caller),
  );
  const start = after === undefined ? 0 : rows.findIndex(({ hold }) => hold === after) + 1;
  const items = await itemsOf(ctx, caller, rows.slice(start, start + limit), 'hold.list');
  const next = start + limit < rows.length ? (rows[start + limit - 1]?.hold ?? null) : null;
  const now = toIso(ctx.clock.now());
  const late = ({ notice, reviewAt, state: at }: HoldItem) =>
    at === 'placed' && (notice?.overdue === true || (reviewAt !== null && reviewAt < now));
  // The collector's own registry: no host has to be asked which holds there are.
  const { coverage } = await (await planView(ctx, [], askedOf(ctx, null, null))).open();
  return listAnswer(overdue === true ? items.filter(late) : items, coverage, next);
}

async function bare(ctx: Context, row: HoldRow): Promise<HoldItem> {
  const agents = new Map((await ctx.store.read.agents.list()).map((one) => [one.agent, one]));
  const view = { host: () => null, agents, opened: null, given: new GivenOrders(ctx), now: ctx.clock.now() };
  return await holdItem(ctx, row, view);
}

async function show(ctx: Context, caller: Caller, row: HoldRow) {
  const { read } = ctx.store;
  const leaves = await historyOf(read, row.hold);
  const item = await itemOf(ctx, caller, row, 'hold.show');
  // Recorded above with what the item opens; this opens what else stands in its history.
  await recordReading(ctx, caller, 'hold.show', leaves.length, { hold: row.hold });
  const opened = await ctx.opener.open(
    read,
    leaves.map(({ pos }) => pos),
  );
  const owners = await ownersOf(ctx, leaves);
  return { ...item, history: leaves.map((leaf) => historyItem(leaf, owners.get(leaf.log) ?? null, opened)) };
}

async function ownersOf(ctx: Context, leaves: readonly LeafRow[]): Promise<Map<string, AgentId | null>> {
  const logs = await ctx.store.read.logStates([...new Set(leaves.map(({ log }) => log))]);
  return new Map(logs.map(({ log, agent }) => [log, agent]));
}

async function notify(ctx: Context, caller: Caller, row: HoldRow, input: z.infer<typeof notifyBody>) {
  const { who, how, note, at, notPossible, copyAsked, copyGiven, dryRun } = input;
  const missing = notPossible
    ? note === undefined
      ? ['why it is not possible (--note)']
      : []
    : [...(who === undefined ? ['who was told (--who)'] : []), ...(how === undefined ? ['how (--how)'] : [])];
  refuseFaults(missing, 'recording a notice');
  if (row.kind !== 'dispute') throw withoutDuty();
  if (dryRun) return { ...(await itemOf(ctx, caller, row, 'hold.notify')), dryRun };
  const now = ctx.clock.now();
  const told = at === undefined ? now : (fromIso(at) ?? now);
  const person: PersonId = caller.person.person;
  await ctx.store.write(async (tx) => {
    const outcome = notPossible ? ('not-possible' as const) : ('told' as const);
    const data = { hold: row.hold, person, outcome, at: toIso(told), copyAsked, copyGiven };
    const personal = {
      ...(who === undefined ? {} : { who }),
      ...(how === undefined ? {} : { how }),
      ...(note === undefined ? {} : { note }),
    };
    const [notifiedPos = null] = await ctx.own.append(tx, [{ type: 'hold.notified', data, personal }]);
    const found = await tx.holds.get(row.hold);
    if (found !== null) await tx.holds.put([{ ...found, notifiedAt: told, notifiedPos }]);
  });
  ctx.notify(await ctx.store.read.lastPos());
  return { ...(await itemOf(ctx, caller, await again(ctx, row), 'hold.notify')), dryRun };
}

function withoutDuty(): TilsynError {
  return new TilsynError('hold.no-notice', 'recording a notice: this hold has no notice duty', {
    hint: 'Only a hold of the kind dispute has one; of a crime nobody is told by it.',
    exit: 'conflict',
  });
}

async function again(ctx: Context, row: HoldRow): Promise<HoldRow> {
  return (await ctx.store.read.holds.get(row.hold)) ?? row;
}

/** What a person did by hand where a recorder cannot be held from outside (H2). */
async function confirm(ctx: Context, caller: Caller, row: HoldRow, input: z.infer<typeof confirmBody>) {
  const { agent } = await hostNamed(ctx, caller, input.host);
  const hosts = await ctx.store.read.holdHosts.list({ hold: row.hold, agent });
  if (hosts.length === 0) throw unknownHold();
  if (!input.dryRun) {
    const { person } = caller.person;
    await ctx.store.write(async (tx) => {
      const data = { hold: row.hold, agent, person };
      const personal = { note: input.note };
      const [pos = null] = await ctx.own.append(tx, [{ type: 'hold.confirmed', data, personal }]);
      for (const one of await tx.holdHosts.list({ hold: row.hold, agent }))
        await tx.holdHosts.put([{ ...one, confirmedPos: pos }]);
    });
    ctx.notify(await ctx.store.read.lastPos());
  }
  return { ...(await itemOf(ctx, caller, await again(ctx, row), 'hold.confirm')), dryRun: input.dryRun };
}

/** H3: asked for, never done by one; it leaves with the id of the approval (exit 5). */
async function release(ctx: Context, caller: Caller, row: HoldRow, input: z.infer<typeof releaseBody>) {
  const { reason, alone, dryRun } = input;
  if (reason === null && !dryRun) throw withoutReason();
  await releasable(ctx.store.read, row.hold);
  if (dryRun) return { ...(await itemOf(ctx, caller, row, 'hold.release')), needsApproval: true, dryRun };
  const { person } = caller.person;
  const wanted = { verb: 'hold.release', body: { hold: row.hold }, person, reason, alone } as const;
  const approval = await ctx.store.write((tx) => ask(ctx, tx, wanted));
  ctx.notify(await ctx.store.read.lastPos());
  throw await waiting(ctx, approval);
}
