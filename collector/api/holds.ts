/**
 * `/v1/holds`: legal holds. What a person writes of one is stored sealed; what is shown of it is a reading.
 *
 * J30 Nothing is placed where anything is missing, contradicts itself or is wide without a reason; all of it is named at once.
 * J31 Who was not given restricted holds is told of one as of one that is not there.
 */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { type HoldKind, type HoldOrder, MAX_HELD_CAMERAS } from '../../protocol/hold.ts';
import type { AgentId } from '../../protocol/ids.ts';
import { fromIso, MINUTE_MS, toIso, type UtcMs } from '../../protocol/time.ts';
import type { Caller } from '../auth.ts';
import { placeHold } from '../holds/place.ts';
import { orderFor, type Reached, reachOf } from '../holds/reach.ts';
import {
  holdFaults,
  refuseFaults,
  refuseWide,
  scopeFaults,
  type TypedHold,
  wideness,
} from '../holds/scope.ts';
import { makeSlips } from '../holds/slip.ts';
import { askHost } from '../ingest/queries.ts';
import type { HoldRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { confirm, confirmBody, notify, notifyBody, release, releaseBody } from './hold-acts.ts';
import { bare, holdNamed, itemOf, list, listQuery, show, showQuery } from './hold-items.ts';
import { recordReading } from './reading.ts';
import { field, type Room, route } from './room.ts';
import { askedOf, planView } from './view.ts';

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
  return { ...(await seen(ctx, caller, reached)), wide: wideness(typed) };
}

/** What it would cover, asked of every host that is connected. */
async function seen(ctx: Context, caller: Caller, { reach, agents }: Reached) {
  const plan = await planView(ctx, agents, askedOf(ctx, null, null));
  await recordReading(ctx, caller, 'hold.preview', plan.count, {});
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
  if (input.dryRun) return { ...(await seen(ctx, caller, reached)), wide: wideness(typed), dryRun: true };
  const { kind, case: ref = '', basis = '', reason = '', wide = null, restricted } = input;
  const row = await placeHold(ctx, {
    ...{ kind: kind as HoldKind, case: ref, basis, reason, wide, restricted, ...reached },
    ...{ reviewAt: typed.review as UtcMs, person: caller.person.person },
  });
  return { ...(await itemOf(ctx, caller, row, 'hold.place')), dryRun: false };
}
