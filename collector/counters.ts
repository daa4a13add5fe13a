/**
 * What the collector counts while it runs: plain numbers in memory, from zero at each start.
 *
 * F1  A metric is a number. Nothing personal, no host and no address is counted by name.
 */
import type { AgentId } from '../protocol/ids.ts';

/** Every counter, and what it means; each is a metric `tilsyn_collector_<name>_total`. */
export const COUNTERS = {
  leaves_stored: 'Events of agents that were stored.',
  leaves_duplicate: 'Events that came again and were acked again.',
  leaves_acked: 'Events that were acked.',
  gaps: 'Losses that agents told of (journal.gap).',
  holes: 'Batches that began after a hole; their agents went back.',
  forks: 'Other bytes at a number that was taken; the log was frozen.',
  quarantines: 'Logs that were set aside for an event that is not well-formed.',
  connections: 'Connections of agents that were let in.',
  reconnects: 'Of these, those of agents that had been let in before in this run.',
  handshakes_refused: 'Handshakes that ended without the agent being let in.',
  turned_away: 'Connections that were sent away or cut before they said who they are.',
  telemetry_stored: 'Samples that were stored.',
  telemetry_duplicate: 'Samples that came again, or too late to tell.',
  telemetry_malformed: 'Samples that are not as they must be; dropped.',
  telemetry_clock: 'Samples of a time that cannot be; dropped.',
  telemetry_quota: 'Samples over what one agent may send; dropped.',
  telemetry_shed: 'Samples that were dropped because too many waited, or the disk is nearly full.',
  telemetry_failed: 'Samples that could not be written; dropped.',
  telemetry_ended: 'Samples of an agreement that has ended; dropped.',
} as const;
export type Counter = keyof typeof COUNTERS;

export class Counters {
  readonly #values = new Map<Counter, number>();
  /** Ids only, and as many as there are agents. */
  readonly #known = new Set<AgentId>();

  add(name: Counter, count = 1): void {
    this.#values.set(name, this.of(name) + count);
  }

  /** An agent was let in. */
  letIn(agent: AgentId): void {
    this.add('connections');
    if (this.#known.has(agent)) this.add('reconnects');
    this.#known.add(agent);
  }

  of(name: Counter): number {
    return this.#values.get(name) ?? 0;
  }
}
