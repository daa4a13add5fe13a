/** Whose rows an answer may hold (Q4), and what a person means by a host, a customer or a site. */
import { TilsynError } from '../../protocol/errors.ts';
import { type AgentId, type CustomerId, isId } from '../../protocol/ids.ts';
import { listAgents } from '../agents.ts';
import { type Caller, sees } from '../auth.ts';
import { findCustomer } from '../customers.ts';
import type { AgentRow, CustomerRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';

export interface ScopeQuery {
  /** Id or name. */
  host?: string | undefined;
  customer?: string | undefined;
  site?: string | undefined;
}

export interface Scope {
  /** Every host that the answer is about. */
  agents: AgentRow[];
  /** True where the person named hosts, or may not see all: queries must then be bound to `agents`. */
  narrowed: boolean;
}

/**
 * The hosts that a person may see and asked for.
 * @throws TilsynError `host.unknown`, `host.ambiguous`, `customer.unknown`
 */
export async function scopeOf(ctx: Context, caller: Caller, query: ScopeQuery = {}): Promise<Scope> {
  let agents = await visibleAgents(ctx, caller);
  if (query.customer !== undefined) {
    const { customer } = await customerNamed(ctx, caller, query.customer);
    agents = agents.filter((agent) => agent.customer === customer);
  }
  if (query.site !== undefined) agents = await atSite(ctx, caller, agents, query.site);
  if (query.host !== undefined) agents = [await hostNamed(ctx, caller, query.host, agents)];
  const asked = query.host !== undefined || query.customer !== undefined || query.site !== undefined;
  return { agents, narrowed: asked || caller.person.customers !== null };
}

export function visibleAgents(ctx: Context, caller: Caller): Promise<AgentRow[]> {
  return listAgents(ctx, caller.person.customers);
}

/**
 * One host by id or name.
 * @throws TilsynError `host.unknown`, `host.ambiguous` (names both ids)
 */
export async function hostNamed(
  ctx: Context,
  caller: Caller,
  text: string,
  among?: readonly AgentRow[],
): Promise<AgentRow> {
  const agents = among ?? (await visibleAgents(ctx, caller));
  const found = agents.find((agent) => agent.agent === text) ?? (await byName(ctx, caller, text, agents));
  if (found !== undefined) return found;
  throw new TilsynError('host.unknown', 'looking up a host: there is none with this id or name', {
    hint: '`tilsyn host list` shows ids and names.',
    exit: 'notFound',
  });
}

async function byName(
  ctx: Context,
  caller: Caller,
  text: string,
  agents: readonly AgentRow[],
): Promise<AgentRow | undefined> {
  if (isId(text)) return undefined;
  const names = await openHostNames(ctx, caller, agents);
  const wanted = fold(text);
  const found = agents.filter((agent) => fold(names.get(agent.agent) ?? '') === wanted);
  if (found.length <= 1) return found[0];
  const ids = found.map((agent) => agent.agent).join(', ');
  throw new TilsynError('host.ambiguous', `looking up a host: several have this name: ${ids}`, {
    hint: 'Give the id instead of the name.',
    exit: 'conflict',
  });
}

function fold(name: string): string {
  return name.normalize('NFC').toLocaleLowerCase('en');
}

/** Names of these hosts; the reading is committed first. */
export async function openHostNames(
  ctx: Context,
  caller: Caller,
  agents: readonly AgentRow[],
): Promise<Map<AgentId, string>> {
  const named = agents.flatMap(({ agent, namePos }) => (namePos === null ? [] : [{ agent, namePos }]));
  await recordReading(ctx, caller, 'host.list', named.length);
  const opened = await ctx.opener.open(
    ctx.store.read,
    named.map(({ namePos }) => namePos),
  );
  return new Map(named.map(({ agent, namePos }) => [agent, String(opened.get(namePos)?.name ?? '')]));
}

/** @throws TilsynError `customer.unknown`, also for a customer that this person may not see (Q4) */
export async function customerNamed(ctx: Context, caller: Caller, text: string): Promise<CustomerRow> {
  const found = await customerIfKnown(ctx, caller, text);
  if (found !== null && sees(caller, found.customer)) return found;
  throw unknownCustomer();
}

/** Null where there is none at all. */
async function customerIfKnown(ctx: Context, caller: Caller, text: string): Promise<CustomerRow | null> {
  if (isId(text)) return ctx.store.read.customers.get(text);
  const all = await ctx.store.read.customers.list();
  await recordReading(ctx, caller, 'customer.list', all.length);
  return findCustomer(ctx, text);
}

function unknownCustomer(): TilsynError {
  return new TilsynError('customer.unknown', 'looking up a customer: there is none with this id or name', {
    hint: '`tilsyn agreement list` and `tilsyn host list` show the customers.',
    exit: 'notFound',
  });
}

async function atSite(ctx: Context, caller: Caller, agents: AgentRow[], text: string): Promise<AgentRow[]> {
  if (isId(text)) return agents.filter((agent) => agent.site === text);
  const ids = new Set(agents.map((agent) => agent.site));
  const sites = (await ctx.store.read.sites.list()).filter((site) => ids.has(site.site));
  await recordReading(ctx, caller, 'site.list', sites.length);
  const positions = sites.flatMap((site) => (site.namePos === null ? [] : [site.namePos]));
  const opened = await ctx.opener.open(ctx.store.read, positions);
  const wanted = new Set(
    sites
      .filter((site) => fold(String(opened.get(site.namePos ?? 0)?.name ?? '')) === fold(text))
      .map((site) => site.site),
  );
  return agents.filter((agent) => wanted.has(agent.site));
}

/** Customers to bind a query to: null where the person sees all. */
export function customersOf(caller: Caller): readonly CustomerId[] | null {
  return caller.person.customers;
}

/**
 * The customer that a person names in order to add something to it; null: a new name, which they may make.
 * @throws TilsynError `customer.unknown`
 */
export async function customerOrNew(
  ctx: Context,
  caller: Caller,
  nameOrId: string,
): Promise<CustomerRow | null> {
  const known = await customerIfKnown(ctx, caller, nameOrId);
  // Who is bound to customers makes no new one, and does not learn that another's exists (Q4).
  const theirs = known === null ? caller.person.customers === null : sees(caller, known.customer);
  if (!theirs || (known === null && isId(nameOrId))) throw unknownCustomer();
  return known;
}
