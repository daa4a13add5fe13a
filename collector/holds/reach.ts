/** What a scope comes to here: hosts, cameras by their ids, sessions, and what each host is to be ordered. */
import { TilsynError } from '../../protocol/errors.ts';
import type { HoldReach } from '../../protocol/event-holds.ts';
import type { HoldOrder } from '../../protocol/hold.ts';
import type { AgentId, CustomerId } from '../../protocol/ids.ts';
import { SECOND_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { cameraNamed } from '../api/cameras-scope.ts';
import { hostNamed, scopeOf } from '../api/scope.ts';
import { sessionNamed } from '../api/session-open.ts';
import { type Caller, sees } from '../auth.ts';
import type { AgentRow, HoldId } from '../store/types.ts';
import type { Context } from '../types.ts';
import type { TypedScope } from './scope.ts';

export interface Reached {
  reach: HoldReach;
  customer: CustomerId;
  /** Hosts with footage that it names; none for a hold on sessions. */
  agents: AgentRow[];
}

/** @throws TilsynError `hold.two-customers`, `hold.empty`, and what a look-up of each name throws */
export async function reachOf(
  ctx: Context,
  caller: Caller,
  typed: TypedScope,
  padMs: number,
): Promise<Reached> {
  const times = { ...padded(typed, padMs), padSeconds: Math.round(padMs / SECOND_MS) };
  if (typed.sessions !== undefined) {
    const rows = [];
    for (const id of new Set(typed.sessions)) rows.push(await sessionNamed(ctx, caller, id));
    const sessions = [...new Set(rows.map(({ session }) => session))].sort();
    return { reach: { ...times, sessions }, customer: oneOf(rows, caller), agents: [] };
  }
  const { agents: visible } = await scopeOf(ctx, caller);
  const host = (text: string) => hostNamed(ctx, caller, text, visible);
  if (typed.cameras !== undefined) {
    const cameras = [];
    for (const text of new Set(typed.cameras)) {
      const { row } = await cameraNamed(ctx, caller, text, visible);
      cameras.push({ host: row.agent, camera: row.camera });
    }
    const ids = new Set<string>(cameras.map((one) => one.host));
    const agents = visible.filter(({ agent }) => ids.has(agent));
    return { reach: { ...times, cameras }, customer: oneOf(agents, caller), agents };
  }
  if (typed.site !== undefined) {
    const { agents } = await scopeOf(ctx, caller, { site: typed.site });
    return { reach: { ...times, site: agents[0]?.site }, customer: oneOf(agents, caller), agents };
  }
  const agents: AgentRow[] = [];
  for (const text of new Set(typed.hosts ?? [])) agents.push(await host(text));
  const hosts = [...new Set(agents.map(({ agent }) => agent))].sort();
  return {
    reach: { ...times, hosts },
    customer: oneOf(agents, caller),
    agents: agents.filter(({ agent }, i) => agents.findIndex((one) => one.agent === agent) === i),
  };
}

function padded({ from, to }: TypedScope, padMs: number) {
  return {
    from: from === undefined ? null : toIso(utcMs(from - padMs)),
    to: to === undefined ? null : toIso(utcMs(to + padMs)),
  };
}

/** A hold is one customer's: its record is theirs to see. */
function oneOf(rows: readonly { customer: CustomerId }[], caller: Caller): CustomerId {
  const [first, ...more] = new Set(rows.map(({ customer }) => customer));
  if (first === undefined || !sees(caller, first)) {
    throw new TilsynError('hold.empty', 'placing a hold: there is nothing at what it names', {
      hint: '`tilsyn host list` and `tilsyn session list` show what there is.',
      exit: 'notFound',
    });
  }
  if (more.length === 0) return first;
  throw new TilsynError('hold.two-customers', 'placing a hold: it names things of several customers', {
    hint: 'Place one for each customer.',
    exit: 'usage',
  });
}

/** What this host is to be ordered (H8); null: it has no part in it. */
export function orderFor(
  hold: HoldId,
  reach: HoldReach,
  agent: Pick<AgentRow, 'agent' | 'site'>,
): HoldOrder | null {
  const times = { hold, from: msOf(reach.from), to: msOf(reach.to) };
  if (reach.sessions !== undefined) return null;
  if (reach.cameras !== undefined) {
    const cameras = reach.cameras.filter(({ host }) => host === agent.agent).map(({ camera }) => camera);
    return cameras.length === 0 ? null : { ...times, cameras };
  }
  if (reach.site !== undefined) return reach.site === agent.site ? times : null;
  return reach.hosts?.some((host) => host === agent.agent) === true ? times : null;
}

/** Key of a host's row of a hold. */
export function placeOf(hold: HoldId, agent: AgentId): string {
  return `${hold}.${agent}`;
}

export function msOf(iso: string | null): UtcMs | null {
  return iso === null ? null : utcMs(Date.parse(iso));
}

/** Hosts that a hold has a part in by what they are now: a machine that joins its site later is one of them. */
export function partOf(reach: HoldReach): { site: string | null; hosts: ReadonlySet<AgentId> } {
  const named = [...(reach.hosts ?? []), ...(reach.cameras ?? []).map(({ host }) => host)];
  return { site: reach.site ?? null, hosts: new Set(named as AgentId[]) };
}
