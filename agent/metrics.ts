/** What the agent tells of itself in numbers, and whether it is well. No path, no name, no id (X11). */
import { type Health, healthOf, type Metric, type Watched } from '../protocol/metrics.ts';
import { type Clock, HOUR_MS, MINUTE_MS, SECOND_MS, type UtcMs } from '../protocol/time.ts';
import type { AgentJournal } from './journal.ts';
import type { MetricsPort } from './metrics-port.ts';
import type { AgentStatus } from './status.ts';

/** What is looked at. */
export interface Looks {
  clock: Clock;
  status(): AgentStatus;
  /** When the oldest event was made that is not acked yet; null where all are. */
  waitingSince(): UtcMs | null;
  /** Losses that were told in this run. */
  gaps(): number;
  /** Live links in this run, and for how long there is none now, milliseconds. */
  pulse(): { lives: number; downMs: number | null };
  /** Resident memory of the process, bytes. */
  memory(): number;
}

/** A link that is down for longer is not well: the collector shows the host as offline by then. */
const DOWN_MS = 15 * MINUTE_MS;
/** An event that waits for longer is not well. */
const WAITING_MS = HOUR_MS;

/** Opens the port of an agent that tells its numbers; loaded where it is wanted: most agents tell nobody. */
export async function openAgentMetrics(
  address: string,
  looks: Omit<Looks, 'waitingSince' | 'gaps'> & { journal: Pick<AgentJournal, 'waitingSince' | 'gaps'> },
): Promise<MetricsPort> {
  const { openMetrics } = await import('./metrics-port.ts');
  const { journal } = looks;
  const all = { ...looks, waitingSince: () => journal.waitingSince(), gaps: () => journal.gaps() };
  return await openMetrics(address, watchAgent(all));
}

export function watchAgent(looks: Looks): Watched {
  const started = looks.clock.mono();
  return {
    metrics: async () => metricsNow(looks, (looks.clock.mono() - started) / SECOND_MS),
    health: async () => healthNow(looks),
  };
}

function gauge(name: string, help: string, value: number | null): Metric {
  return { name: `tilsyn_agent_${name}`, help, kind: 'gauge', value };
}

function counter(name: string, help: string, value: number): Metric {
  return { name: `tilsyn_agent_${name}_total`, help, kind: 'counter', value };
}

/** Age of the oldest event that waits, seconds; 0: none does. */
function oldestSeconds({ clock, waitingSince }: Looks): number {
  const since = waitingSince();
  return since === null ? 0 : Math.max(0, clock.now() - since) / SECOND_MS;
}

function metricsNow(looks: Looks, uptime: number): Metric[] {
  const { collector, logs, backlog, database, telemetry, sources } = looks.status();
  const { lives, downMs } = looks.pulse();
  const skew = collector.skewMs === null ? null : -collector.skewMs / SECOND_MS;
  return [
    gauge('uptime_seconds', 'Since this process was started.', uptime),
    gauge('memory_bytes', 'Resident memory of the process.', looks.memory()),
    gauge('link_up', 'Whether the collector is connected.', downMs === null ? 1 : 0),
    counter('reconnects', 'Times that the link came back in this run.', Math.max(0, lives - 1)),
    gauge('skew_seconds', 'Our clock minus the collector’s, at the last handshake.', skew),
    gauge('spool_rows', 'Events that wait for their ack.', backlog),
    gauge('oldest_unacked_seconds', 'Age of the oldest of these.', oldestSeconds(looks)),
    gauge('acked', 'Events that were acked, of the logs that are kept.', sum(logs.map((log) => log.acked))),
    counter('gaps', 'Losses that were told in this run (journal.gap).', looks.gaps()),
    gauge('database_bytes', 'Size of the database with its log.', database.sizeBytes + database.walBytes),
    gauge('free_bytes', 'Free space where it lies.', database.freeBytes),
    gauge('sources', 'Sources that are read, or should be.', sources.length),
    gauge(
      'sources_behind_bytes',
      'What is in their files and was not read yet.',
      sum(sources.map((one) => one.behindBytes)),
    ),
    gauge('telemetry_rows', 'Samples that are kept here.', telemetry.kept),
    gauge('telemetry_unsent', 'Samples that wait to be sent.', telemetry.unsent),
    counter('telemetry_not_stored', 'Samples that were dropped for want of room.', telemetry.notStored),
  ];
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

function healthNow(looks: Looks): Health {
  const { sources } = looks.status();
  const { downMs } = looks.pulse();
  const oldest = oldestSeconds(looks);
  const troubled = sources.filter(({ problem }) => problem !== null).length;
  return healthOf({
    link: { ok: (downMs ?? 0) <= DOWN_MS, downSeconds: (downMs ?? 0) / SECOND_MS },
    spool: { ok: oldest * SECOND_MS <= WAITING_MS, oldestUnackedSeconds: oldest },
    sources: { ok: troubled === 0, troubled },
  });
}
