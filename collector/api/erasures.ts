/** `GET /v1/erasures`, `GET /v1/erasures/:erasure`: certificates. An erasure goes by the id of its key group. */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { type GroupId, isId } from '../../protocol/ids.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import { type Caller, sees } from '../auth.ts';
import { backupHorizon, certificateOf, hostWord } from '../erasing/certificate.ts';
import { takesOf } from '../regroup/takes.ts';
import type { AgentRow, AgreementRow, ErasureRow, GroupRow, KeyCopyRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { rowsAfter } from './registry.ts';
import { field, type Room, route } from './room.ts';
import { customerNamed, scopeOf } from './scope.ts';
import { askedOf, listAnswer, planView, type View } from './view.ts';

const query = z.strictObject({
  customer: field.text.optional(),
  agreement: field.id.optional(),
  limit: field.limit,
  after: field.after,
});
type Query = z.infer<typeof query>;

export function erasureRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'GET',
    path: '/v1/erasures',
    verb: 'erasure.list',
    input: query,
    handle: ({ caller, input }) => list(ctx, caller, input),
  });
  route<z.ZodObject, { erasure: string }>(room, {
    method: 'GET',
    path: '/v1/erasures/:erasure',
    verb: 'erasure.show',
    input: z.strictObject({}),
    handle: ({ caller, params }) => show(ctx, caller, params.erasure),
  });
}

/** Dead groups that a person may see, oldest first. */
interface Seen {
  row: GroupRow;
  agreement: AgreementRow | null;
}

async function seenBy(ctx: Context, caller: Caller): Promise<Seen[]> {
  const { read } = ctx.store;
  const agreements = new Map((await read.agreements.list()).map((one) => [one.agreement as string, one]));
  const rows = [
    ...(await read.groups.list({ state: 'erased' })),
    ...(await read.groups.list({ state: 'erasing' })),
  ];
  return rows
    .map((row) => ({ row, agreement: agreements.get(row.agreement ?? '') ?? null }))
    .filter((one) => maySee(caller, one));
}

/** Q4. Our own records are no customer's: who is bound to some sees only what is theirs by name. */
function maySee(caller: Caller, { row, agreement }: Seen): boolean {
  const customer = agreement?.customer ?? (row.class === 'customer.name' ? row.subject : null);
  if (customer === null) return caller.person.customers === null;
  return sees(caller, customer as AgreementRow['customer']);
}

async function list(ctx: Context, caller: Caller, input: Query) {
  const wanted = input.customer === undefined ? null : await customerNamed(ctx, caller, input.customer);
  const seen = (await seenBy(ctx, caller)).filter(
    ({ row, agreement }) =>
      (wanted === null || agreement?.customer === wanted.customer) &&
      (input.agreement === undefined || row.agreement === input.agreement),
  );
  const rest = rowsAfter(seen, ({ row }) => row.group, input.after);
  const page = rest.slice(0, input.limit);
  const scope = await scopeOf(ctx, caller, { customer: input.customer });
  const agents = scope.agents.filter(
    (agent) => input.agreement === undefined || agent.agreement === input.agreement,
  );
  const plan = await planView(ctx, agents, askedOf(ctx, null, null));
  await recordReading(ctx, caller, 'erasure.list', plan.count, { ...input, limit: undefined });
  const view = await plan.open();
  const copies = await ctx.store.read.keyCopies.list();
  const items: object[] = [];
  for (const one of page) items.push(await itemOf(ctx, one, copies, view));
  const last = page.at(-1);
  return listAnswer(items, view.coverage, page.length < rest.length && last ? last.row.group : null);
}

async function show(ctx: Context, caller: Caller, id: string) {
  const { read } = ctx.store;
  const one = isId(id) ? (await seenBy(ctx, caller)).find(({ row }) => row.group === id) : undefined;
  if (one === undefined) throw unknown();
  const { agreement } = one;
  const agents = agreement === null ? [] : await read.agents.list({ agreement: agreement.agreement });
  const plan = await planView(ctx, agents, askedOf(ctx, null, null));
  await recordReading(ctx, caller, 'erasure.show', plan.count, { erasure: id });
  const view = await plan.open();
  const erasure = await read.erasures.get(id);
  const hosts: object[] = [];
  for (const agent of agents) hosts.push(await hostItem(ctx, agent, erasure, view));
  const item = await itemOf(ctx, one, await read.keyCopies.list(), view);
  return { ...item, events: await eventsOf(ctx, one.row.group, erasure), hosts };
}

const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));

async function itemOf(
  ctx: Context,
  { row, agreement }: Seen,
  copies: readonly KeyCopyRow[],
  view: View,
): Promise<object> {
  const found = certificateOf(row, await ctx.store.read.erasures.get(row.group));
  const { dueAt, begunAt, doneAt, ...said } = found;
  const horizon = backupHorizon(row, copies, ctx.backupsKeptFor ?? null);
  return {
    id: row.group,
    class: row.class,
    kind: row.kind,
    agreement: row.agreement,
    customer: agreement === null ? null : view.customer(agreement.customer),
    customerId: agreement?.customer ?? null,
    from: iso(row.from),
    to: iso(row.to),
    ...said,
    request: requestOf(row),
    dueAt: iso(dueAt),
    begunAt: iso(begunAt),
    doneAt: iso(doneAt),
    backupHorizon: { ...horizon, until: iso(horizon.until) },
  };
}

/** Of what went on request: the approval that was given for it, and which sessions it took. */
function requestOf(row: GroupRow) {
  const takes = takesOf(row);
  if (takes?.why !== 'request') return null;
  return { approval: takes.approval, sessions: takes.sessions };
}

async function hostItem(ctx: Context, agent: AgentRow, erasure: ErasureRow | null, view: View) {
  const word = hostWord(agent, await ctx.store.read.confirmations.get(agent.agent), erasure);
  return {
    host: view.host(agent.agent) ?? agent.agent,
    hostId: agent.agent,
    state: word.state,
    confirmedAt: iso(word.confirmedAt),
    lastSeenAt: iso(agent.lastSeenAt),
  };
}

/** Where the collector's log says so: what a verifier looks up. */
async function eventsOf(ctx: Context, group: GroupId, erasure: ErasureRow | null) {
  if (erasure?.donePos == null) return [];
  const leaves = await ctx.store.read.leavesAt([erasure.donePos]);
  return leaves
    .filter(({ bytes }) => bytes.includes(group))
    .map(({ pos, log, seq, type }) => ({ pos, log, seq, type }));
}

function unknown(): TilsynError {
  return new TilsynError('erasure.unknown', 'looking up an erasure: there is none with this id', {
    hint: 'List them with `tilsyn erasure list`.',
    exit: 'notFound',
  });
}
