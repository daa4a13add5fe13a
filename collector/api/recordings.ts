/**
 * `/v1/hosts/:host/sweeps/…`, `…/sources/…`: a host's sweeps and roots, asked of it and ordered. What lists recordings is
 * in `recordings-fleet.ts`.
 *
 * J20 Each answer is a reading, recorded before the host is asked; a host that is not connected is said to be so, and never
 *     answered for.
 * J21 What changes something on a host is a command: numbered, signed, told of, with who ordered it and, sealed, why.
 */
import { z } from 'zod';
import { hasCode } from '../../protocol/errors.ts';
import type { Caller } from '../auth.ts';
import { recordingCoverage } from '../coverage-recordings.ts';
import { issueCommand } from '../ingest/commands.ts';
import { type Answer, askHost } from '../ingest/queries.ts';
import type { AgentRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { field, type Room, route } from './room.ts';
import { hostNamed } from './scope.ts';
import { askedOf, planView } from './view.ts';

/** What the agent's own verbs take; it checks them as well. */
const query = z.strictObject({ source: field.id.optional() });
/** Path and verb of each question; the agent knows it by the path, with a dot. */
const QUESTIONS = {
  'sweeps/plan': 'sweep.plan',
  'sweeps/status': 'sweep.status',
} as const;

const { dryRun, reason } = field;
const runBody = z.strictObject({ source: field.id.optional(), reason, dryRun });
/** Another disk lies under a root, and is meant; or the root is given up, and what became of its disk. */
const acceptBody = z.strictObject({ source: field.id, reason, dryRun });
const retireBody = z.strictObject({
  source: field.id,
  disposition: z.enum(['destroyed', 'stored', 'returned']),
  reason,
  dryRun,
});
const approveBody = z.union([
  z.strictObject({ plan: field.id, reason, dryRun }),
  z.strictObject({ clock: z.literal(true), reason, dryRun }),
]);

/** Instead of the answer of a host that is not connected. */
const OFFLINE: Answer = {
  offline: true,
  items: [],
  next: null,
  watched: [],
  sources: [],
  plans: [],
  notLookedAt: [],
};

/** Longest that an order is waited for; it is carried out all the same. */
const WAIT_MS = 10_000;
const LOOK_MS = 100;

export function recordingRoutes(room: Room): void {
  for (const [path, verb] of Object.entries(QUESTIONS)) {
    const asks = path.replace('sweeps', 'sweep').replace('/', '.');
    route<typeof query, { host: string }>(room, {
      method: 'GET',
      path: `/v1/hosts/:host/${path}`,
      verb,
      input: query,
      handle: async ({ caller, params, input }) => {
        const agent = await hostNamed(room.ctx, caller, params.host);
        return await answer(room.ctx, caller, { agent, verb, asks, input });
      },
    });
  }
  order(room, { path: 'sweeps/run', verb: 'sweep.run', input: runBody });
  order(room, { path: 'sweeps/approve', verb: 'sweep.approve', input: approveBody });
  order(room, { path: 'sources/accept-root', verb: 'source.set', act: 'accept-root', input: acceptBody });
  order(room, { path: 'sources/retire', verb: 'source.set', act: 'retire', input: retireBody });
}

async function answer(
  ctx: Context,
  caller: Caller,
  { agent, verb, asks, input }: { agent: AgentRow; verb: string; asks: string; input: z.infer<typeof query> },
): Promise<Answer> {
  const plan = await planView(ctx, [agent], askedOf(ctx, null, null));
  await recordReading(ctx, caller, verb, plan.count, { host: agent.agent, ...input });
  // A2: of a host that is not connected nothing is said but that; its events say what it told of before.
  const found = await askHost(ctx, agent.agent, asks, { ...input }).catch(offline);
  const { host, coverage } = await plan.open();
  const said = found === OFFLINE ? null : found;
  const hosts = coverage.hosts.map((one) => recordingCoverage(one, said, agent.lastSeenAt));
  return { ...found, host: host(agent.agent) ?? agent.agent, hostId: agent.agent, hosts };
}

function offline(error: unknown): Answer {
  if (hasCode(error, 'host.offline')) return OFFLINE;
  throw error;
}

type OrderVerb = 'sweep.run' | 'sweep.approve' | 'source.set';

function order<S extends z.ZodType<{ dryRun: boolean; reason: string | null }>>(
  room: Room,
  { path, verb, act, input }: { path: string; verb: OrderVerb; act?: string; input: S },
): void {
  route<S, { host: string }>(room, {
    method: 'POST',
    path: `/v1/hosts/:host/${path}`,
    verb,
    input,
    handle: async ({ caller, params, input: body }) => {
      const { ctx } = room;
      const agent = await hostNamed(ctx, caller, params.host);
      const { dryRun: dry, reason: why, ...wanted } = body;
      if (dry) return { outcome: 'dry-run', hostId: agent.agent, dryRun: true };
      const { person } = caller.person;
      const order = act === undefined ? wanted : { ...wanted, act };
      const { n } = await issueCommand(ctx, agent.agent, verb, order, person, why);
      return await outcomeOf(ctx, agent, n);
    },
  });
}

/** What came of it so far; `pending`: it is carried out as soon as the host takes it. */
async function outcomeOf(ctx: Context, { agent }: AgentRow, n: number): Promise<Answer> {
  const end = ctx.clock.mono() + WAIT_MS;
  for (;;) {
    const [row] = await ctx.store.read.commands.list({ agent, generation: ctx.generation(), n });
    if (row !== undefined && row.resultAt !== null) return { n, ...row.result, ok: row.ok };
    if (!ctx.links.isLive(agent) || ctx.clock.mono() > end) return { n, outcome: 'pending', ok: null };
    await new Promise<void>((resolve) => ctx.clock.after(LOOK_MS, resolve));
  }
}
