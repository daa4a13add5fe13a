/** Holds as the API answers them: one, a page of them, one with its whole history. */
import { z } from 'zod';
import { type AgentId, isId } from '../../protocol/ids.ts';
import { type Caller, sees } from '../auth.ts';
import { GivenOrders } from '../holds/given.ts';
import { unknownHold } from '../holds/release.ts';
import { type HoldItem, historyItem, historyOf, holdItem, isLate } from '../holds/view.ts';
import { overdueTold } from '../on-return.ts';
import type { AgentRow, HoldRow, LeafRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { field } from './room.ts';
import { visibleAgents } from './scope.ts';
import { askedOf, listAnswer, planView } from './view.ts';

export const listQuery = z.strictObject({
  overdue: field.flag,
  state: z.enum(['placed', 'released']).optional(),
  limit: field.limit,
  after: field.after,
});

/** `bare`: states and numbers only, nothing is opened: for whoever waits. */
export const showQuery = z.strictObject({ bare: field.flag });

/** J31: a restricted hold is not shown to technicians. */
function isShown({ customer, restricted }: HoldRow, caller: Caller): boolean {
  return sees(caller, customer) && !(restricted && caller.person.role === 'technician');
}

export async function holdNamed(ctx: Context, caller: Caller, hold: string): Promise<HoldRow> {
  const row = isId(hold) ? await ctx.store.read.holds.get(hold) : null;
  if (row === null || !isShown(row, caller)) throw unknownHold();
  return row;
}

export async function itemOf(ctx: Context, caller: Caller, row: HoldRow, verb: string): Promise<HoldItem> {
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
  const overdue = (agent: AgentId) => overdueTold(ctx, agent);
  const view = { host, agents: byId, opened, given: new GivenOrders(ctx), now: ctx.clock.now(), overdue };
  for (const row of rows) items.push(await holdItem(ctx, row, view));
  return items;
}

export async function list(
  ctx: Context,
  caller: Caller,
  { overdue, state, limit, after }: z.infer<typeof listQuery>,
) {
  const shown = (await ctx.store.read.holds.list(state === undefined ? {} : { state })).filter((row) =>
    isShown(row, caller),
  );
  const start = after === undefined ? 0 : shown.findIndex(({ hold }) => hold === after) + 1;
  const rest = shown.slice(start);
  // Before the page is cut: a page of what is overdue is full, or the last.
  const rows = overdue === true ? await late(ctx, rest) : rest;
  const page = rows.slice(0, limit);
  const items = await itemsOf(ctx, caller, page, 'hold.list');
  const next = page.length < rows.length ? (page.at(-1)?.hold ?? null) : null;
  // The collector's own registry: no host has to be asked which holds there are.
  const { coverage } = await (await planView(ctx, [], askedOf(ctx, null, null))).open();
  return listAnswer(items, coverage, next);
}

async function late(ctx: Context, rows: readonly HoldRow[]): Promise<HoldRow[]> {
  const now = ctx.clock.now();
  const found: HoldRow[] = [];
  for (const row of rows) if (await isLate(ctx.store.read, row, now)) found.push(row);
  return found;
}

export async function bare(ctx: Context, row: HoldRow): Promise<HoldItem> {
  const agents = new Map((await ctx.store.read.agents.list()).map((one) => [one.agent, one]));
  const view = { host: () => null, agents, opened: null, given: new GivenOrders(ctx), now: ctx.clock.now() };
  return await holdItem(ctx, row, view);
}

export async function show(ctx: Context, caller: Caller, row: HoldRow) {
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
