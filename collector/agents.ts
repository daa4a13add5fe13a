/**
 * Agents in the registry: approval, revocation, and the end of an identity conflict. Enrolment is in `enrol.ts`.
 *
 * A2  Revoked is for ever: refused at once, a live socket closed, history kept.
 * A3  Each act is an event in the transaction of the act; repeating it changes nothing and says nothing.
 * A5  What an agent says of its software is kept where it has the form of that; free text is not.
 */
import { TilsynError } from '../protocol/errors.ts';
import type { AgentId, CustomerId, PersonId } from '../protocol/ids.ts';
import { MINUTE_MS } from '../protocol/time.ts';
import { unconfirmedIn } from './host-state.ts';
import type { AgentRow } from './store/types.ts';
import type { Context, OwnDraft, Refusal } from './types.ts';

export const REVOKED: Refusal = {
  code: 'agent.revoked',
  message: 'letting the agent in: it was revoked',
  hint: 'Enrol the host again with a new token if that was a mistake.',
  retryAfter: null,
};

export const CONFLICT: Refusal = {
  code: 'agent.identity-conflict',
  message: 'letting the agent in: two running agents have this identity',
  hint: 'Stop one of them (a cloned machine is enrolled anew), then run `tilsyn host resolve`.',
  // Both may ask again soon: the honest one is back within a minute after a person resolved it.
  retryAfter: MINUTE_MS / 2,
};

export type Software = NonNullable<AgentRow['software']>;

const FORMS: Readonly<Record<keyof Software, RegExp>> = {
  version: /^\d{1,4}\.\d{1,4}\.\d{1,4}(-(alpha|beta|rc)\.\d{1,3})?$/,
  platform: /^(aix|android|cygwin|darwin|freebsd|haiku|linux|netbsd|openbsd|sunos|win32)$/,
  node: /^\d{1,3}(\.\d{1,4}){0,2}$/,
};

/** What of it may stand in a table (A5). */
export function softwareOf(said: Software): Software {
  const kept = (field: keyof Software) => (FORMS[field].test(said[field]) ? said[field] : 'unknown');
  return { version: kept('version'), platform: kept('platform'), node: kept('node') };
}

/**
 * True where this state was set back and the host has not been let in since: what it told in between is missing.
 *
 * A6  After a state was set back, a host is unconfirmed until it was let in again, and each answer about it says so.
 */
export function isUnconfirmed(ctx: Pick<Context, 'generation'>, row: AgentRow): boolean {
  return unconfirmedIn(ctx.generation(), row);
}

/** Agents of these customers; null: of all. In the order of enrolment. */
export async function listAgents(ctx: Context, customers: readonly CustomerId[] | null): Promise<AgentRow[]> {
  const rows = await ctx.store.read.agents.list();
  return customers === null ? rows : rows.filter((row) => customers.includes(row.customer));
}

type Change = { row: AgentRow; events: OwnDraft[] } | null;

/** Reads, changes and puts one agent in one transaction; `change` returns null where nothing is to be done. */
async function changeAgent(
  ctx: Context,
  agent: AgentId,
  doing: string,
  change: (row: AgentRow) => Change,
): Promise<AgentRow> {
  const row = await ctx.store.write(async (tx) => {
    const found = await tx.agents.get(agent);
    if (found === null) {
      throw new TilsynError('agent.unknown', `${doing}: there is no such host`, {
        hint: 'List them with `tilsyn host list`.',
        exit: 'notFound',
      });
    }
    const changed = change(found);
    if (changed === null) return found;
    // Before the row: what is revoked stays so, also where this database is put back from an older copy (V24).
    if (changed.row.state === 'revoked') await ctx.bury([agent]);
    await tx.agents.put([changed.row]);
    await ctx.own.append(tx, changed.events);
    return changed.row;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return row;
}

/** Lets a waiting agent in; it asks again by itself. @throws TilsynError `agent.unknown`, `agent.revoked` */
export async function approveAgent(ctx: Context, agent: AgentId, person: PersonId | null): Promise<AgentRow> {
  return await changeAgent(ctx, agent, 'approving a host', (row) => {
    if (row.state === 'approved') return null;
    if (row.state === 'revoked') {
      throw new TilsynError('agent.revoked', 'approving a host: it was revoked', {
        hint: 'Enrol it again with a new token.',
        exit: 'conflict',
      });
    }
    const data = { agent, token: row.token, person, reason: 'approved' };
    return { row: { ...row, state: 'approved' }, events: [{ type: 'agent.approved', data }] };
  });
}

/** Refuses the agent from now on and closes its socket (A2). @throws TilsynError `agent.unknown` */
export async function revokeAgent(ctx: Context, agent: AgentId, person: PersonId | null): Promise<AgentRow> {
  const row = await changeAgent(ctx, agent, 'revoking a host', (found) => {
    if (found.state === 'revoked') return null;
    const data = { agent, token: found.token, person, reason: 'revoked' };
    return {
      row: { ...found, state: 'revoked', revokedAt: ctx.clock.now() },
      events: [{ type: 'agent.revoked', data }],
    };
  });
  // After the commit: a socket that comes in between reads the row and is refused.
  ctx.links.close(agent, 'revoked', REVOKED);
  return row;
}

/** Ends an identity conflict: the next one that proves itself is let in. @throws TilsynError `agent.unknown` */
export async function resolveAgent(ctx: Context, agent: AgentId, person: PersonId | null): Promise<AgentRow> {
  return await changeAgent(ctx, agent, 'resolving an identity conflict', (row) => {
    if (row.conflictAt === null) return null;
    const data = { agent, token: null, person, reason: 'resolved' };
    return { row: { ...row, conflictAt: null }, events: [{ type: 'agent.resolved', data }] };
  });
}

/** Two running agents with one identity: both are refused until a person resolves it. Recorded once. */
export async function reportConflict(ctx: Context, agent: AgentId): Promise<void> {
  await changeAgent(ctx, agent, 'recording an identity conflict', (row) => {
    if (row.conflictAt !== null) return null;
    const data = { agent, token: null, reason: 'two-live' };
    return {
      row: { ...row, conflictAt: ctx.clock.now() },
      events: [{ type: 'agent.identity-conflict', data }],
    };
  });
}
