/**
 * What waits for a host that is away: orders that take effect on its return before anything is erased there (H4), and what lies
 * past its time by what the host told last.
 */
import type { AgentId } from '../protocol/ids.ts';
import { utcMs } from '../protocol/time.ts';
import { policyInForce } from './policy.ts';
import { asOf, isPast } from './recordings-told.ts';
import type { Reader } from './store/types.ts';
import type { Context } from './types.ts';

export interface Overdue {
  /** Recordings in days that are past their time; a hold may keep some, which only the host can say. */
  count: number;
  asOf: string;
}

export interface OnReturn {
  /** Holds that it puts in force, and that it lets go. */
  places: string[];
  releases: string[];
  overdue: Overdue | null;
}

/** Days that are read for it: those of a thousand cameras for three months. */
const MOST_DAYS = 100_000;

/** Null: it told of no root. */
export async function overdueTold(
  ctx: Pick<Context, 'store' | 'clock'>,
  agent: AgentId,
): Promise<Overdue | null> {
  const { read } = ctx.store;
  const told = asOf(await read.rootsOf([agent]));
  if (told === null) return null;
  const now = ctx.clock.now();
  const { policy } = await policyInForce(read);
  const span = { from: utcMs(0), to: now };
  const days = await read.daysOf({
    agents: [agent],
    camera: null,
    ...span,
    having: 'present',
    limit: MOST_DAYS,
  });
  const past = days.filter((day) => isPast(day, policy, now));
  return { count: past.reduce((sum, { present }) => sum + present, 0), asOf: told };
}

/** Null: nothing waits for it, or it is connected and gets what is ordered at once. */
export async function onReturn(ctx: Context, agent: AgentId): Promise<OnReturn | null> {
  if (ctx.links.isLive(agent)) return null;
  const overdue = await overdueTold(ctx, agent);
  const { places, releases } = await orders(ctx.store.read, agent);
  const nothing = places.length + releases.length === 0 && (overdue?.count ?? 0) === 0;
  return nothing ? null : { places, releases, overdue };
}

async function orders(read: Reader, agent: AgentId): Promise<{ places: string[]; releases: string[] }> {
  const [places, releases]: string[][] = [[], []];
  for (const { hold, state } of await read.holdHosts.list({ agent })) {
    if (state === 'released') continue;
    const row = await read.holds.get(hold);
    if (row?.state === 'placed' && state === 'pending') places?.push(hold);
    if (row?.state === 'released' && state === 'in-force') releases?.push(hold);
  }
  return { places: places ?? [], releases: releases ?? [] };
}
