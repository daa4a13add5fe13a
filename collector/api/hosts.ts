/** `GET /v1/hosts`, `/v1/hosts/:host`; `POST /v1/hosts/:host/approve`, `/resolve`, `/revoke`. */
import { z } from 'zod';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import { approveAgent, resolveAgent, revokeAgent } from '../agents.ts';
import type { Caller } from '../auth.ts';
import { HOST_STATES, type HostState, hostState } from '../host-state.ts';
import { onReturn } from '../on-return.ts';
import type { Verb } from '../permissions.ts';
import { rulesOfHost } from '../rules-courier.ts';
import type { AgentRow, LogStateRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { rowsAfter } from './registry.ts';
import { field, type Room, route } from './room.ts';
import { hostNamed, scopeOf } from './scope.ts';
import { askedOf, listAnswer, planView, type View } from './view.ts';

const listQuery = z.strictObject({
  customer: field.text.optional(),
  site: field.text.optional(),
  host: field.text.optional(),
  state: z.enum(HOST_STATES).optional(),
  limit: field.limit,
  after: field.after,
});
const actBody = z.strictObject({ reason: field.reason, dryRun: field.dryRun });

export function hostRoutes(room: Room): void {
  route(room, {
    method: 'GET',
    path: '/v1/hosts',
    verb: 'host.list',
    input: listQuery,
    handle: ({ caller, input }) => list(room.ctx, caller, input),
  });
  route<z.ZodObject, { host: string }>(room, {
    method: 'GET',
    path: '/v1/hosts/:host',
    verb: 'host.show',
    input: z.strictObject({}),
    handle: async ({ caller, params }) => {
      const agent = await hostNamed(room.ctx, caller, params.host);
      return shown(room.ctx, caller, 'host.show', agent);
    },
  });
  const acts = {
    approve: { run: approveAgent, after: { state: 'approved' } },
    resolve: { run: resolveAgent, after: { conflictAt: null } },
    revoke: { run: revokeAgent, after: { state: 'revoked' } },
  } as const;
  for (const [name, { run, after }] of Object.entries(acts)) {
    const verb = `host.${name}` as Verb;
    route<typeof actBody, { host: string }>(room, {
      method: 'POST',
      path: `/v1/hosts/:host/${name}`,
      verb,
      input: actBody,
      handle: async ({ caller, params, input }) => {
        const agent = await hostNamed(room.ctx, caller, params.host);
        if (input.dryRun) {
          const item = await shown(room.ctx, caller, 'host.show', { ...agent, ...after });
          return { ...item, dryRun: true };
        }
        // Who asks, and why, stands in this reading: the event of the act names the host only. It comes first, so
        // that no act is without it.
        return shown(room.ctx, caller, verb, agent, { reason: input.reason }, () =>
          run(room.ctx, agent.agent, caller.person.person),
        );
      },
    });
  }
}

async function list(ctx: Context, caller: Caller, input: z.infer<typeof listQuery>) {
  const scope = await scopeOf(ctx, caller, input);
  // The cursor first: the host that a page ended with may be in another state by now.
  const fitting = rowsAfter(scope.agents, (agent) => agent.agent, input.after).filter(
    (agent) => input.state === undefined || stateOf(ctx, agent) === input.state,
  );
  const page = fitting.slice(0, input.limit);
  const plan = await planView(ctx, page, askedOf(ctx, null, null));
  await recordReading(ctx, caller, 'host.list', plan.count, { ...input, limit: undefined });
  const view = await plan.open();
  const items = await Promise.all(page.map((agent) => hostItem(ctx, agent, view)));
  const next = page.length < fitting.length ? (page.at(-1)?.agent ?? null) : null;
  return listAnswer(items, view.coverage, next);
}

async function shown(
  ctx: Context,
  caller: Caller,
  verb: string,
  agent: AgentRow,
  filter: Record<string, unknown> = {},
  act: () => Promise<AgentRow> = async () => agent,
) {
  const plan = await planView(ctx, [agent], askedOf(ctx, null, null));
  await recordReading(ctx, caller, verb, plan.count, { host: agent.agent, ...filter });
  const item = await hostItem(ctx, await act(), await plan.open());
  return { ...item, onReturn: await onReturn(ctx, agent.agent) };
}

function stateOf(ctx: Context, agent: AgentRow): HostState {
  const live = ctx.links.isLive(agent.agent);
  return hostState(agent, { now: ctx.clock.now(), live, generation: ctx.generation() });
}

const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));

/** A host as the API shows it. `name` null: never told, or erased; `host` is then its id. */
async function hostItem(ctx: Context, agent: AgentRow, view: View) {
  const name = view.host(agent.agent);
  const logs = await ctx.store.read.logStatesOf([agent.agent]);
  const coverage = view.coverage.hosts.find((host) => host.hostId === agent.agent);
  const given = { agent: agent.agent, generation: ctx.generation(), verb: 'policy.set' };
  return {
    id: agent.agent,
    host: name ?? agent.agent,
    name,
    customer: view.customer(agent.customer),
    site: view.site(agent.site),
    agreement: agent.agreement,
    mode: agent.mode,
    state: stateOf(ctx, agent),
    approval: agent.state,
    enrolledAt: toIso(agent.enrolledAt),
    firstSeenAt: iso(agent.firstSeenAt),
    lastSeenAt: iso(agent.lastSeenAt),
    readThrough: iso(agent.readThrough),
    revokedAt: iso(agent.revokedAt),
    conflictAt: iso(agent.conflictAt),
    skewMs: agent.skewMs,
    backlog: agent.backlog,
    software: agent.software,
    sources: coverage?.sources ?? [],
    gaps: coverage?.gaps ?? [],
    logs: logs.map(logItem),
    rules: rulesOfHost(await ctx.store.read.commands.list(given)),
  };
}

function logItem({ log, through, state, createdAt }: LogStateRow) {
  return { log, through, state, createdAt: toIso(createdAt) };
}
