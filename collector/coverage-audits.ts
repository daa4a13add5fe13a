/**
 * Coverage of self-audits: what is not there cannot be listed, and has to be said.
 *
 * V84 A list of audits says as a gap of its coverage which hosts have none in time: from the last one that came, or from
 *     their enrolment, to the end of what was asked.
 */
import { fromIso, toIso, type UtcMs, utcMs } from '../protocol/time.ts';
import { LATE_PERMILLE, lateness } from './audit-watch-rules.ts';
import type { Coverage } from './coverage.ts';
import type { AgentRow } from './store/types.ts';
import type { Context } from './types.ts';

/** Adds the gap of each host whose audit is late (V84). */
export async function withLateAudits(
  ctx: Context,
  agents: readonly AgentRow[],
  coverage: Coverage,
): Promise<Coverage> {
  const late = new Map<string, UtcMs>();
  for (const agent of agents) {
    const since = await lateSince(ctx, agent);
    if (since !== null) late.set(agent.agent, since);
  }
  return {
    ...coverage,
    hosts: coverage.hosts.map((host) => {
      const since = late.get(host.hostId);
      const from = since === undefined ? host.to : toIso(utcMs(Math.max(since, fromIso(host.from) ?? since)));
      if (since === undefined || from >= host.to) return host;
      return { ...host, gaps: [...host.gaps, { from, to: host.to, reason: 'no-audit' }] };
    }),
  };
}

async function lateSince(ctx: Context, host: AgentRow): Promise<UtcMs | null> {
  const { read } = ctx.store;
  const newest = await read.auditHosts.get(host.agent);
  const [leaf] = newest === null ? [] : await read.leavesAt([newest.pos]);
  const known = newest === null || leaf === undefined ? null : { ...newest, receivedAt: leaf.receivedAt };
  const agreement = await read.agreements.get(host.agreement);
  const value = lateness(host, agreement, known, { now: ctx.clock.now(), listening: 0 });
  const late = typeof value === 'number' && value > LATE_PERMILLE;
  return late ? (known?.receivedAt ?? host.enrolledAt) : null;
}
