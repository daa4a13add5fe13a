/** `POST /v1/sessions/:session/explain`, `/reveal`; `POST /v1/sessions/erase`. */
import { z } from 'zod';
import type { SessionId } from '../../protocol/ids.ts';
import { ask, waiting } from '../approvals.ts';
import { withoutReason } from '../approvals-errors.ts';
import { type Caller, sees } from '../auth.ts';
import { erased, explainableUnder, explainIn } from '../explanations.ts';
import { requested } from '../regroup/request.ts';
import type { SessionRow, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';
import { field, type Room, route } from './room.ts';
import type { SessionItem } from './session-item.ts';
import { openSession, sessionNamed, standing, unknownSession } from './session-open.ts';

/** Sessions of one request: a body of 40 KB. */
const MOST_NAMED = 500;

const explanation = z.strictObject({
  ticket: z.string().trim().min(1).max(128),
  purpose: z.string().trim().min(1).max(512).optional(),
  dryRun: field.dryRun,
});
const revealing = z.strictObject({ reason: z.string().trim().min(1).max(512) });

const erasing = z.strictObject({
  sessions: z.array(field.id).min(1).max(MOST_NAMED),
  reason: field.reason,
  /** Without a second person, where there is none. */
  alone: z.boolean().default(false),
  dryRun: field.dryRun,
});

export function sessionActRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'POST',
    path: '/v1/sessions/erase',
    verb: 'session.erase',
    input: erasing,
    handle: ({ caller, input }) => erase(ctx, caller, input),
  });
  route<typeof explanation, { session: string }>(room, {
    method: 'POST',
    path: '/v1/sessions/:session/explain',
    verb: 'session.explain',
    input: explanation,
    handle: async ({ caller, params, input }) => {
      const row = await sessionNamed(ctx, caller, params.session);
      return explain(ctx, caller, row, input);
    },
  });
  route<typeof revealing, { session: string }>(room, {
    method: 'POST',
    path: '/v1/sessions/:session/reveal',
    verb: 'session.reveal',
    input: revealing,
    handle: async ({ caller, params, input }) => {
      const row = await sessionNamed(ctx, caller, params.session);
      return reveal(ctx, caller, row, input.reason);
    },
  });
}

async function explain(ctx: Context, caller: Caller, row: SessionRow, input: z.infer<typeof explanation>) {
  const { ticket, dryRun } = input;
  const purpose = input.purpose ?? null;
  if (dryRun) {
    if ((await explainableUnder(ctx, ctx.store.read, row)) === null) throw erased();
    const item = await openSession(ctx, caller, 'session.explain', row);
    return { ...item, ticket, purpose, dryRun };
  }
  const { person } = caller.person;
  const change = { person, ticket, purpose, reason: 'asked' as const };
  await ctx.store.write(async (tx) => explainIn(ctx, tx, { ...change, session: await again(tx, row) }));
  ctx.notify(await ctx.store.read.lastPos());
  const item = await openSession(ctx, caller, 'session.explain', await again(ctx.store.read, row));
  return { ...item, dryRun };
}

/** As it stands inside the transaction: it may have been merged since it was looked up. */
async function again(reader: Tx | Context['store']['read'], row: SessionRow): Promise<SessionRow> {
  return (await standing(reader, row.session)) ?? row;
}

/** The act is on disk before anything is opened (Q14); a crash in between has shown nothing. */
async function reveal(ctx: Context, caller: Caller, row: SessionRow, reason: string): Promise<SessionItem> {
  const { person } = caller.person;
  const data = { session: row.session, person };
  await ctx.store.write((tx) =>
    ctx.own.append(tx, [{ type: 'session.revealed', data, personal: { reason } }]),
  );
  return openSession(ctx, caller, 'session.reveal', row, true);
}

/** Asked for, never done by one: it leaves with the id of the approval (exit 5). */
async function erase(ctx: Context, caller: Caller, input: z.infer<typeof erasing>) {
  const { reason, alone, dryRun } = input;
  if (reason === null && !dryRun) throw withoutReason();
  const named: SessionRow[] = [];
  for (const id of new Set(input.sessions)) named.push(await sessionNamed(ctx, caller, id));
  const sessions = [...new Set(named.map(({ session }) => session))].sort();
  if (dryRun) return planned(ctx, caller, sessions);
  const { person } = caller.person;
  const wanted = { verb: 'session.erase', body: { sessions }, person, reason, alone } as const;
  const row = await ctx.store.write((tx) => ask(ctx, tx, wanted));
  ctx.notify(await ctx.store.read.lastPos());
  throw await waiting(ctx, row);
}

async function planned(ctx: Context, caller: Caller, sessions: SessionId[]) {
  const { rows, customers, parts } = await requested(ctx, ctx.store.read, sessions, ctx.clock.now());
  if (!customers.every((customer) => sees(caller, customer))) throw unknownSession();
  const hosts = new Set(rows.map(({ agent }) => agent)).size;
  return { sessions: rows.map(({ session }) => session), hosts, parts, needsApproval: true, dryRun: true };
}
