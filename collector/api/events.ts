/**
 * `GET /v1/events`, `/v1/events/tail`: leaves as stored.
 *
 * Q10 What the collector says of an event is the collector's own: no field that a host made up stands beside a leaf's
 *     own fields.
 * Q15 The sealed parts of sessions are not opened for whoever is shown pseudonyms: an event's part is as its host
 *     sealed it, and has no pseudonym in it.
 */
import { z } from 'zod';
import { eventDefinition, isRecognised } from '../../protocol/event.ts';
import type { AgentId, LogId } from '../../protocol/ids.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { fromIso, toIso } from '../../protocol/time.ts';
import type { Caller } from '../auth.ts';
import { isVeiled } from '../permissions.ts';
import type { LeafQuery, LeafRow, Pos, Reader } from '../store/types.ts';
import type { Context } from '../types.ts';
import { type OpenedParts, openParts } from './parts.ts';
import { recordReading } from './reading.ts';
import { field, type Room, route } from './room.ts';
import { type Scope, type ScopeQuery, scopeOf } from './scope.ts';
import { afterOf, type TailStep } from './tail.ts';
import { askedOf, listAnswer, planView } from './view.ts';

const which = { host: field.text.optional(), customer: field.text.optional(), type: field.many };
const listQuery = z.strictObject({
  ...which,
  since: field.since,
  until: field.until,
  /** Opens the sealed parts of the answer's rows; without it an event is ids, numbers and times. */
  personal: field.flag,
  limit: field.limit,
  after: field.after,
});
type ListQuery = z.infer<typeof listQuery>;
const tailQuery = z.strictObject({ ...which, after: field.after });

/** A leaf's own fields and nothing else that its writer put there (Q10), and what the collector knows of it. */
export type EventItem = Record<string, unknown> & {
  pos: Pos;
  receivedAt: string;
  /** False: stored and proven, but of a later version than this collector. */
  recognised: boolean;
  /** The host whose log it is; null: the collector's own. */
  hostId: AgentId | null;
};

export function eventRoutes(room: Room): void {
  route(room, {
    method: 'GET',
    path: '/v1/events',
    verb: 'event.list',
    input: listQuery,
    handle: ({ caller, input }) => list(room, caller, input),
  });
  route(room, {
    method: 'GET',
    path: '/v1/events/tail',
    verb: 'event.tail',
    input: tailQuery,
    handle: async ({ caller, input, request, reply }) => {
      // Names are looked up once; afterwards the same hosts by id, and whatever the person may see is read anew.
      const named = input.host === undefined && input.customer === undefined;
      const first = named ? null : await scopeOf(room.ctx, caller, input);
      const step: TailStep = (asks, after) => tailStep(room.ctx, asks, first, input.type, after);
      await room.tails.run(caller, request, reply, afterOf(input.after), step);
    },
  });
}

async function list({ ctx, auth }: Room, caller: Caller, input: ListQuery) {
  if (input.personal === true) await auth.permit(caller, 'event.personal');
  const scope = await scopeOf(ctx, caller, input as ScopeQuery);
  const since = input.since === undefined ? null : fromIso(input.since);
  const until = input.until === undefined ? null : fromIso(input.until);
  const plan = await planView(ctx, scope.agents, askedOf(ctx, since, until));
  const { read } = ctx.store;
  const rows = await read.leaves({
    ...(await boundTo(read, scope)),
    ...(input.type === undefined ? {} : { types: input.type }),
    ...(since === null ? {} : { since }),
    ...(until === null ? {} : { until }),
    after: afterOf(input.after) ?? 0,
    limit: input.limit + 1,
  });
  const page = rows.slice(0, input.limit);
  const opening = input.personal === true ? page : [];
  const veiled = isVeiled(caller.person.role);
  const opens = (leaf: LeafRow) => hasParts(leaf) && !(veiled && isOfSession(leaf));
  const filter = { ...input, limit: undefined };
  await recordReading(ctx, caller, 'event.list', plan.count + opening.filter(opens).length, filter);
  const view = await plan.open();
  const parts = await openParts(
    ctx,
    opening.map((leaf) => (opens(leaf) ? [leaf.pos] : [])),
  );
  const hosts = await hostsOf(read, page);
  const items = page.map((leaf, i) => ({
    ...eventItem(leaf, hosts.get(leaf.log) ?? null),
    ...(hasParts(leaf) && !opens(leaf) ? withheld(parts[i]) : personalOf(parts[i])),
  }));
  const last = page.at(-1);
  return listAnswer(items, view.coverage, rows.length > page.length && last ? String(last.pos) : null);
}

/** Only the logs of these hosts; the collector's own log is for those who see all (Q4). */
async function boundTo(read: Reader, scope: Scope): Promise<Pick<LeafQuery, 'logs'>> {
  if (!scope.narrowed) return {};
  const logs = await read.logStatesOf(scope.agents.map(({ agent }) => agent));
  return { logs: logs.map(({ log }) => log) };
}

async function hostsOf(read: Reader, leaves: readonly LeafRow[]): Promise<Map<LogId, AgentId | null>> {
  const ids = [...new Set(leaves.map((leaf) => leaf.log))];
  return new Map((await read.logStates(ids)).map(({ log, agent }) => [log, agent]));
}

function hasParts(leaf: LeafRow): boolean {
  return !leaf.bytes.includes('"pii":[]');
}

function eventItem(leaf: LeafRow, hostId: AgentId | null): EventItem {
  const { v, log, seq, prev, at, boot, up, type, data, pii } = JSON.parse(leaf.bytes) as Leaf;
  return {
    ...{ v, log, seq, prev, at, boot, up, type, data },
    pii: pii.map(({ group, c }) => ({ group, c })),
    pos: leaf.pos,
    receivedAt: toIso(leaf.receivedAt),
    recognised: isRecognised(leaf.type, data),
    hostId,
  };
}

function personalOf(parts: OpenedParts | undefined) {
  if (parts === undefined) return {};
  return { personal: parts.state, opened: parts.parts[0] ?? null };
}

/** Also of a type that this version does not know: what it holds is not known either. */
function isOfSession({ type }: LeafRow): boolean {
  const definition = eventDefinition(type);
  return definition === undefined || definition.class === 'session';
}

function withheld(parts: OpenedParts | undefined) {
  return parts === undefined ? {} : { personal: 'pseudonym', opened: null };
}

const TAIL_PAGE = 200;

async function tailStep(
  ctx: Context,
  caller: Caller,
  first: Scope | null,
  types: readonly string[] | undefined,
  after: Pos,
) {
  const { read } = ctx.store;
  const through = await read.lastPos();
  const scope = await scopeOf(ctx, caller);
  const asked = first === null ? null : new Set(first.agents.map(({ agent }) => agent));
  const agents = asked === null ? scope.agents : scope.agents.filter(({ agent }) => asked.has(agent));
  const bound = await boundTo(read, { agents, narrowed: scope.narrowed || asked !== null });
  const leaves = await read.leaves({
    ...bound,
    ...(types === undefined ? {} : { types }),
    after,
    limit: TAIL_PAGE,
  });
  const more = leaves.length === TAIL_PAGE;
  const last = leaves.at(-1)?.pos ?? 0;
  const hosts = await hostsOf(read, leaves);
  return {
    items: leaves.map((leaf) => ({ pos: leaf.pos, item: eventItem(leaf, hosts.get(leaf.log) ?? null) })),
    after: more ? last : Math.max(through, last),
    more,
  };
}
