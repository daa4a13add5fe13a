/** `GET /v1/sessions`, `/v1/sessions/:session`, `/v1/sessions/tail`. */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { SESSION_KINDS, TOOLS } from '../../protocol/event.ts';
import { isId, type SessionId } from '../../protocol/ids.ts';
import { fromIso } from '../../protocol/time.ts';
import { type Caller, sees } from '../auth.ts';
import { isVeiled } from '../permissions.ts';
import type { LeafRow, Pos, Reader, SessionQuery, SessionRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { planLens } from './lens.ts';
import { wholesOf } from './merged.ts';
import { field, type Room, route } from './room.ts';
import { customersOf, scopeOf } from './scope.ts';
import { type SessionItem, sessionItem } from './session-item.ts';
import { openSession, openSessions, sessionNamed, standing } from './session-open.ts';
import { findSessions, personalMatch, readCursor } from './session-search.ts';
import { afterOf, type TailStep } from './tail.ts';
import { askedOf, listAnswer, planView } from './view.ts';

const STATES = ['attempted', 'rejected', 'active', 'ended', 'unknown-end'] as const;

const listQuery = z.strictObject({
  since: field.since,
  until: field.until,
  overlaps: field.flag,
  host: field.text.optional(),
  customer: field.text.optional(),
  site: field.text.optional(),
  tool: z.enum(TOOLS).optional(),
  state: z.enum(STATES).optional(),
  kind: z.enum(SESSION_KINDS).optional(),
  mode: z.enum(['managed', 'one-off']).optional(),
  peer: field.text.optional(),
  ip: field.text.optional(),
  technician: field.text.optional(),
  /** Only those that nobody has explained. */
  unexplained: field.flag,
  /** Those that never began, too. */
  attempts: field.flag,
  limit: field.limit,
  after: field.after,
});
type ListQuery = z.infer<typeof listQuery>;

export function sessionRoutes(room: Room): void {
  route(room, {
    method: 'GET',
    path: '/v1/sessions',
    verb: 'session.list',
    input: listQuery,
    handle: ({ caller, input }) => list(room.ctx, caller, input),
  });
  route(room, {
    method: 'GET',
    path: '/v1/sessions/tail',
    verb: 'session.tail',
    input: z.strictObject({
      after: field.after,
      customer: field.text.optional(),
      host: field.text.optional(),
    }),
    handle: async ({ caller, input, request, reply }) => {
      const scope = await scopeOf(room.ctx, caller, input);
      const only = input.host ?? input.customer;
      const hosts = only === undefined ? null : new Set<string>(scope.agents.map((agent) => agent.agent));
      const step: TailStep = (asks, after) => tailStep(room.ctx, asks, hosts, after);
      await room.tails.run(caller, request, reply, afterOf(input.after), step);
    },
  });
  route<z.ZodObject, { session: string }>(room, {
    method: 'GET',
    path: '/v1/sessions/:session',
    verb: 'session.show',
    input: z.strictObject({}),
    handle: ({ caller, params }) => show(room.ctx, caller, params.session),
  });
}

async function list(ctx: Context, caller: Caller, input: ListQuery) {
  const match = personalMatch(input);
  if (input.ip !== undefined && isVeiled(caller.person.role)) throw byAddress();
  const scope = await scopeOf(ctx, caller, input);
  const since = input.since === undefined ? null : fromIso(input.since);
  const until = input.until === undefined ? null : fromIso(input.until);
  const plan = await planView(ctx, scope.agents, askedOf(ctx, since, until));
  const query = queryOf(
    caller,
    input,
    since,
    until,
    scope.narrowed ? scope.agents.map((a) => a.agent) : null,
  );
  const filter = { ...input, limit: undefined };
  const lens = await planLens(ctx, caller);
  const found = await findSessions(ctx, { caller, query, match, lens, extra: plan.count, filter });
  const view = await plan.open();
  const items = found.sessions.map((whole) => sessionItem(whole, view, whole.parts, whole.seen));
  return listAnswer(items, view.coverage, found.next);
}

function queryOf(
  caller: Caller,
  input: ListQuery,
  since: SessionQuery['since'] | null,
  until: SessionQuery['until'] | null,
  agents: NonNullable<SessionQuery['agents']> | null,
): SessionQuery {
  const after = input.after === undefined ? null : readCursor(input.after);
  if (input.after !== undefined && after === null) {
    throw new TilsynError('request.cursor', 'listing sessions: `after` is no cursor of this list', {
      hint: 'Give --after exactly what `next` said.',
      exit: 'usage',
    });
  }
  const { tool, state, kind, mode } = input;
  return {
    customers: customersOf(caller),
    ...(agents === null ? {} : { agents }),
    ...(since == null ? {} : { since }),
    ...(until == null ? {} : { until }),
    ...(tool === undefined ? {} : { tool }),
    ...(state === undefined ? {} : { state }),
    ...(kind === undefined ? {} : { kind }),
    ...(mode === undefined ? {} : { mode }),
    ...(after === null ? {} : { after }),
    overlaps: input.overlaps ?? false,
    unexplained: input.unexplained ?? false,
    attempts: input.attempts === true || state === 'attempted' || state === 'rejected',
    limit: input.limit,
  };
}

/** An address cannot be asked for by pseudonym, and by itself it would tell whose a pseudonym is (Q14). */
function byAddress(): TilsynError {
  return new TilsynError(
    'session.by-address',
    'listing sessions: who is shown pseudonyms does not ask by address',
    {
      hint: 'Ask by the pseudonym: --peer P-… . `tilsyn session reveal ID --reason R` shows the people of one session.',
      exit: 'forbidden',
    },
  );
}

async function show(ctx: Context, caller: Caller, session: string): Promise<SessionItem> {
  return openSession(ctx, caller, 'session.show', await sessionNamed(ctx, caller, session));
}

const SESSION_TYPES = [
  'session.attempted',
  'session.rejected',
  'session.started',
  'session.updated',
  'session.ended',
  'session.merged',
  'session.explained',
];
const TAIL_PAGE = 200;

async function tailStep(ctx: Context, caller: Caller, hosts: ReadonlySet<string> | null, after: Pos) {
  const { read } = ctx.store;
  const through = await read.lastPos();
  const leaves = await read.leaves({ after, types: SESSION_TYPES, limit: TAIL_PAGE });
  const more = leaves.length === TAIL_PAGE;
  const end = more ? (leaves.at(-1)?.pos ?? through) : Math.max(through, leaves.at(-1)?.pos ?? 0);
  const rows = new Map<SessionId, { row: SessionRow; pos: Pos }>();
  for (const leaf of leaves) {
    const id = sessionOf(leaf);
    const row = id === null ? null : await standing(read, id);
    const seen = row !== null && sees(caller, row.customer) && (await isOf(read, row, hosts));
    if (seen) rows.set(row.session, { row, pos: leaf.pos });
  }
  if (rows.size === 0) return { items: [], after: end, more };
  const list = [...rows.values()].sort((a, b) => a.pos - b.pos);
  const opened = await openSessions(
    ctx,
    caller,
    'session.tail',
    list.map(({ row }) => row),
  );
  return {
    items: opened.map((item, i) => ({ pos: list[i]?.pos ?? end, item: { ...item } })),
    after: end,
    more,
  };
}

/** True where the session, or one that was merged into it, is of these hosts (M5). */
async function isOf(reader: Reader, row: SessionRow, hosts: ReadonlySet<string> | null): Promise<boolean> {
  if (hosts === null || hosts.has(row.agent)) return true;
  const [whole] = await wholesOf(reader, [row]);
  return whole?.mergedFrom.some(({ hostId }) => hosts.has(hostId)) ?? false;
}

function sessionOf(leaf: LeafRow): SessionId | null {
  const { data } = JSON.parse(leaf.bytes) as { data: Record<string, unknown> };
  const id = leaf.type === 'session.merged' ? data.into : data.session;
  return isId(id) ? (id as SessionId) : null;
}
