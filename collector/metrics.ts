/** What the collector tells of itself in numbers, and whether it is well. Host by host it says nothing (X11). */
import { type Check, type Health, healthOf, type Metric, type Watched } from '../protocol/metrics.ts';
import { MINUTE_MS, SECOND_MS } from '../protocol/time.ts';
import { COUNTERS, type Counter } from './counters.ts';
import { HOST_STATES, hostState } from './host-state.ts';
import type { AgentRow } from './store/types.ts';
import type { Context } from './types.ts';

/** What is looked at beside the context. */
export interface Looks {
  /** Resident memory of the process, bytes. */
  memory(): number;
  /** How long the oldest batch waits for its commit, milliseconds; null: none does. */
  oldestWaitingMs(): number | null;
  /** Samples that wait to be written. */
  waitingSamples(): number;
  /** False where a copy of the keys is not there. */
  keysComplete(): boolean;
}

/** Rows of a fleet are read at most so often, however often somebody asks. */
const FLEET_MS = 10 * SECOND_MS;
/** A batch that waits longer than this for its commit is not well. */
const STUCK_MS = MINUTE_MS;

interface Fleet {
  at: number;
  agents: readonly AgentRow[];
}

export function watchCollector(ctx: Context, looks: Looks): Watched & { stop(): void } {
  const started = ctx.clock.mono();
  let lastCommit: number | null = null;
  const stop = ctx.onCommit(() => {
    lastCommit = ctx.clock.mono();
  });
  let fleet: Fleet | null = null;
  const agents = async () => {
    const now = ctx.clock.mono();
    if (fleet === null || now - fleet.at > FLEET_MS)
      fleet = { at: now, agents: await ctx.store.read.agents.list() };
    return fleet.agents;
  };
  const since = (mono: number | null) => (mono === null ? null : (ctx.clock.mono() - mono) / SECOND_MS);
  return {
    stop,
    metrics: async () => [
      ...counters(ctx),
      ...fleetMetrics(ctx, await agents()),
      gauge('uptime_seconds', 'Since this process was started.', since(started)),
      gauge('memory_bytes', 'Resident memory of the process.', looks.memory()),
      gauge(
        'position',
        'Highest committed position: how many events there are.',
        await ctx.store.read.lastPos(),
      ),
      gauge('last_commit_age_seconds', 'Since the last event was committed in this run.', since(lastCommit)),
      gauge(
        'oldest_uncommitted_seconds',
        'Age of the oldest batch that waits for its commit.',
        (looks.oldestWaitingMs() ?? 0) / SECOND_MS,
      ),
      gauge('telemetry_waiting', 'Samples that wait to be written.', looks.waitingSamples()),
    ],
    health: () => healthNow(ctx, looks),
  };
}

function gauge(name: string, help: string, value: number | null, labels?: Metric['labels']): Metric {
  return {
    name: `tilsyn_collector_${name}`,
    help,
    kind: 'gauge',
    value,
    ...(labels === undefined ? {} : { labels }),
  };
}

function counters({ counters: values }: Context): Metric[] {
  return (Object.entries(COUNTERS) as [Counter, string][]).map(([name, help]) => ({
    name: `tilsyn_collector_${name}_total`,
    help,
    kind: 'counter',
    value: values.of(name),
  }));
}

function fleetMetrics(ctx: Context, agents: readonly AgentRow[]): Metric[] {
  const [now, generation] = [ctx.clock.now(), ctx.generation()];
  const live = agents.filter(({ agent }) => ctx.links.isLive(agent));
  const states = Map.groupBy(agents, (row) =>
    hostState(row, { now, generation, live: ctx.links.isLive(row.agent) }),
  );
  const skews = live.flatMap(({ skewMs }) => (skewMs === null ? [] : [Math.abs(skewMs)]));
  const backlog = agents.reduce((sum, row) => sum + (row.state === 'approved' ? (row.backlog ?? 0) : 0), 0);
  return [
    gauge('connections', 'Agents that are connected now.', live.length),
    ...HOST_STATES.map((state) =>
      gauge('hosts', 'Hosts by state.', states.get(state)?.length ?? 0, { state }),
    ),
    gauge(
      'skew_max_seconds',
      'Largest difference between the clock of a connected host and ours.',
      skews.length === 0 ? null : Math.max(...skews) / SECOND_MS,
    ),
    gauge('backlog', 'Events that wait at the agents, as they said last.', backlog),
  ];
}

async function healthNow(ctx: Context, looks: Looks): Promise<Health> {
  const waiting = looks.oldestWaitingMs() ?? 0;
  return healthOf({
    database: await databaseCheck(ctx),
    ingest: { ok: waiting <= STUCK_MS, oldestUncommittedSeconds: waiting / SECOND_MS },
    keys: { ok: looks.keysComplete() },
  });
}

async function databaseCheck({ store }: Context): Promise<Check> {
  // Throws where the database cannot be read; `replyTo` makes a failed check of it.
  return { ok: true, position: await store.read.lastPos() };
}
