/**
 * Sessions of which nothing is left to tell them apart by but times and words: erased, or never sealed.
 *
 * M2  Without an origin (no sealed part, or a dead span): rows of one host that agree in tool, kind, start, end
 *     and occurrence are one session.
 * M8  Also rows of two hosts of one site that agree in direction too, where one was heard of last before the other was
 *     enrolled: a machine that was enrolled anew reads its old log. Two that live are never one by times alone.
 * M9  One reading takes each session once: of several that are alike, the one that was found again least often. So as
 *     many are left as there were.
 */
import type { AgentId, SessionId } from '../../protocol/ids.ts';
import type { AgentRow, SessionRow, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';

/** Readings of one session that are looked at. */
const MOST_READINGS = 64;

/** Of one transaction. */
export class TwinSearch {
  readonly pairs: [SessionId, SessionId][] = [];
  readonly #ctx: Context;
  readonly #tx: Tx;
  /** Sessions that just ended: read now, and no older reading of one another. */
  readonly #now: ReadonlySet<SessionId>;
  readonly #paired = new Set<SessionId>();
  /** Hosts that found a session again in this transaction. */
  readonly #found = new Map<SessionId, AgentId[]>();
  readonly #agents = new Map<AgentId, AgentRow | null>();

  constructor(ctx: Context, tx: Tx, now: ReadonlySet<SessionId>) {
    this.#ctx = ctx;
    this.#tx = tx;
    this.#now = now;
  }

  async add(row: SessionRow): Promise<void> {
    if (row.mergedInto !== null || this.#paired.has(row.session) || !this.#hasNoOrigin(row)) return;
    const twin = await this.#twinOf(row);
    if (twin === null) return;
    this.pairs.push([row.session, twin.session]);
    this.#paired.add(row.session);
    this.#found.set(twin.session, [...(this.#found.get(twin.session) ?? []), row.agent]);
  }

  async #twinOf(row: SessionRow): Promise<SessionRow | null> {
    const fitting: { twin: SessionRow; rank: [number, number, number] }[] = [];
    for (const twin of await this.#tx.twins(row)) {
      if (this.#paired.has(twin.session) || !this.#hasNoOrigin(twin)) continue;
      if (twin.agent !== row.agent && twin.direction !== row.direction) continue;
      const readers = await this.#readersOf(twin);
      if (!(await this.#areOf(row.agent, [twin.agent, ...readers]))) continue;
      const isNew = this.#now.has(twin.session) ? 1 : 0;
      fitting.push({ twin, rank: [isNew, readers.length, twin.startedPos] });
    }
    fitting.sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || a.rank[2] - b.rank[2]);
    return fitting[0]?.twin ?? null;
  }

  /** Whose reading each was that was found to be this session. */
  async #readersOf({ session }: SessionRow): Promise<AgentId[]> {
    const merged = await this.#tx.mergedInto([session], MOST_READINGS);
    return [...merged.map(({ row }) => row.agent), ...(this.#found.get(session) ?? [])];
  }

  /** True where all of them are this host itself, or what it was before it was enrolled anew (M8). */
  async #areOf(agent: AgentId, others: readonly AgentId[]): Promise<boolean> {
    for (const other of new Set(others)) {
      if (other !== agent && !(await this.#wasBefore(other, agent))) return false;
    }
    return true;
  }

  async #wasBefore(other: AgentId, agent: AgentId): Promise<boolean> {
    const [before, after] = [await this.#agent(other), await this.#agent(agent)];
    // What is stored of a host that is connected may be a beat behind.
    if (before === null || after === null || this.#ctx.links.isLive(other)) return false;
    return (before.lastSeenAt ?? before.enrolledAt) <= after.enrolledAt;
  }

  async #agent(agent: AgentId): Promise<AgentRow | null> {
    const known = this.#agents.get(agent);
    if (known !== undefined) return known;
    const row = await this.#tx.agents.get(agent);
    this.#agents.set(agent, row);
    return row;
  }

  #hasNoOrigin(row: SessionRow): boolean {
    if (row.partPos.length === 0 || row.mode === 'one-off') return true;
    const span = this.#ctx.groups.find(row.agreement, 'session', 'span', row.startedAt);
    return span !== null && span.state !== 'live';
  }
}
