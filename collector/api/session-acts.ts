/** `POST /v1/sessions/:session/explain`, `/reveal`. */
import { z } from 'zod';
import type { Caller } from '../auth.ts';
import { erased, explainableUnder, explainIn } from '../explanations.ts';
import type { SessionRow, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';
import { field, type Room, route } from './room.ts';
import type { SessionItem } from './session-item.ts';
import { openSession, sessionNamed, standing } from './session-open.ts';

const explanation = z.strictObject({
  ticket: z.string().trim().min(1).max(128),
  purpose: z.string().trim().min(1).max(512).optional(),
  dryRun: field.dryRun,
});
const revealing = z.strictObject({ reason: z.string().trim().min(1).max(512) });

export function sessionActRoutes(room: Room): void {
  const { ctx } = room;
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
