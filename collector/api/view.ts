/** Names and coverage of the hosts of an answer: planned first, opened once the reading is committed (Q1). */
import type { AgentId, CustomerId, SiteId } from '../../protocol/ids.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import { isUnconfirmed } from '../agents.ts';
import { type Asked, type Coverage, coverageOf } from '../coverage.ts';
import type { AgentRow, Pos } from '../store/types.ts';
import type { Context } from '../types.ts';

export interface View {
  host(agent: AgentId): string | null;
  customer(customer: CustomerId): string | null;
  site(site: SiteId): string | null;
  coverage: Coverage;
}
export interface ViewPlan {
  /** Sealed parts that `open` will open. */
  count: number;
  /** Only after the reading of `count` parts was committed. */
  open(): Promise<View>;
}

interface Named {
  id: string;
  namePos: Pos | null;
}

export async function planView(ctx: Context, agents: readonly AgentRow[], asked: Asked): Promise<ViewPlan> {
  const [customers, sites] = [new Set(agents.map((a) => a.customer)), new Set(agents.map((a) => a.site))];
  const named: Named[] = [
    ...agents.map(({ agent, namePos }) => ({ id: agent, namePos })),
    ...(await ctx.store.read.customers.list())
      .filter((row) => customers.has(row.customer))
      .map(({ customer, namePos }) => ({ id: customer, namePos })),
    ...(await ctx.store.read.sites.list())
      .filter((row) => sites.has(row.site))
      .map(({ site, namePos }) => ({ id: site, namePos })),
  ];
  const positions = named.flatMap(({ namePos }) => (namePos === null ? [] : [namePos]));
  return {
    count: positions.length,
    async open() {
      const opened = positions.length === 0 ? null : await ctx.opener.open(ctx.store.read, positions);
      const names = new Map<string, string>();
      for (const { id, namePos } of named) {
        const name = namePos === null ? undefined : opened?.get(namePos)?.name;
        if (typeof name === 'string') names.set(id, name);
      }
      const of = (id: string) => names.get(id) ?? null;
      return { host: of, customer: of, site: of, coverage: await coverage(ctx, agents, of, asked) };
    },
  };
}

async function coverage(
  ctx: Context,
  agents: readonly AgentRow[],
  name: (agent: AgentId) => string | null,
  asked: Asked,
): Promise<Coverage> {
  const ids = agents.map((agent) => agent.agent);
  const earliest = utcMs(agents.reduce<number>((min, agent) => Math.min(min, agent.enrolledAt), asked.now));
  const from = asked.since !== null && asked.since > earliest ? asked.since : earliest;
  const [sources, gaps] = [
    Map.groupBy(await ctx.store.read.sourcesOf(ids), (source) => source.agent),
    Map.groupBy(await ctx.store.read.gaps(ids, from, asked.until ?? asked.now), (gap) => gap.agent),
  ];
  const hosts = agents.map((agent) => ({
    agent,
    name: name(agent.agent),
    sources: sources.get(agent.agent) ?? [],
    gaps: gaps.get(agent.agent) ?? [],
    unconfirmed: isUnconfirmed(ctx, agent),
  }));
  return coverageOf(hosts, asked);
}

/** The answer of every list. */
export interface ListAnswer<T> {
  schema: 1;
  items: T[];
  coverage: Coverage;
  next: string | null;
}

export function listAnswer<T>(items: T[], coverage: Coverage, next: string | null = null): ListAnswer<T> {
  return { schema: 1, items, coverage, next };
}

/** `since`, `until` of a query, and now. */
export function askedOf(ctx: Context, since: UtcMs | null, until: UtcMs | null): Asked {
  return { since, until, now: ctx.clock.now() };
}
