/**
 * Ends one-off groups whose agent does not come back: a look every minute, the first one before the port opens.
 *
 * O8  Nothing of a one-off session is here a day after the last contact with its agent, whoever is down, and whatever
 *     the clock does; of a revoked agent, which cannot come back, nothing at all.
 */
import type { AgentId, AgreementId } from '../../protocol/ids.ts';
import { DAY_MS, MINUTE_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { Looks } from '../looks.ts';
import type { AgentRow, GroupRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { type EndedBy, endGroups } from './end.ts';

/** How often is looked. */
export const CARE_LOOK_MS = MINUTE_MS;

/** What is known of an agent's last sign of life. */
export interface Contact {
  /** A proven socket is open. */
  linked: boolean;
  /** By the wall clock, as it is stored. */
  lastSeenAt: UtcMs | null;
  /** Monotonic milliseconds since this run first saw that time, or a socket; a wall clock set back hides nothing. */
  silentMs: number;
}

/** Why groups of this agent have to end now, and when they had to be gone by; null: not yet. Pure (O8). */
export function dueNow(
  agent: Pick<AgentRow, 'state' | 'enrolledAt' | 'revokedAt'> | null,
  { linked, lastSeenAt, silentMs }: Contact,
  now: UtcMs,
): { by: EndedBy; dueAt: UtcMs | null } | null {
  if (agent === null || agent.state === 'revoked') return { by: 'revoked', dueAt: agent?.revokedAt ?? null };
  if (linked) return null;
  const dueAt = utcMs((lastSeenAt ?? agent.enrolledAt) + DAY_MS);
  // One look early: at the next one it would be too late.
  const over = now >= dueAt - CARE_LOOK_MS || silentMs >= DAY_MS - CARE_LOOK_MS;
  return over ? { by: 'contact', dueAt } : null;
}

export class OneoffCare {
  readonly #ctx: Context;
  /** When this run first saw each agent's last sign of life. */
  readonly #seen = new Map<AgentId, { at: UtcMs | null; mono: number }>();
  readonly #looks: Looks;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#looks = new Looks(ctx, {
      everyMs: CARE_LOOK_MS,
      failed: 'one-off: groups of absent agents could not be ended',
      look: () => this.#look(),
    });
  }

  start(): void {
    this.#looks.start();
  }

  /** One look. Never throws: what could not be ended is seen again at the next. */
  look(): Promise<void> {
    return this.#looks.look();
  }

  async #look(): Promise<void> {
    const owned = Map.groupBy(this.#ctx.groups.oneoff(null), ({ subject }) => subject as AgentId);
    for (const agent of this.#seen.keys()) if (!owned.has(agent)) this.#seen.delete(agent);
    for (const [agent, rows] of owned) await this.#lookAt(agent, rows);
  }

  async #lookAt(agent: AgentId, rows: readonly GroupRow[]): Promise<void> {
    const ctx = this.#ctx;
    const row = await ctx.store.read.agents.get(agent);
    const due = dueNow(row, this.#contact(agent, row), ctx.clock.now());
    if (due === null) return;
    const groups = rows.map(({ group }) => group);
    const agreement = row?.agreement ?? (rows[0]?.agreement as AgreementId);
    await endGroups(ctx, { agent, agreement }, groups, due.by, due.dueAt);
  }

  #contact(agent: AgentId, row: AgentRow | null): Contact {
    const { clock, links } = this.#ctx;
    const linked = links.isLive(agent);
    const lastSeenAt = row?.lastSeenAt ?? null;
    const known = this.#seen.get(agent);
    const fresh = linked || known === undefined || known.at !== lastSeenAt;
    const seen = fresh ? { at: lastSeenAt, mono: clock.mono() } : known;
    this.#seen.set(agent, seen);
    return { linked, lastSeenAt, silentMs: clock.mono() - seen.mono };
  }

  /** Lets a look that runs finish; none begins after it. */
  close(): Promise<void> {
    return this.#looks.close();
  }
}
