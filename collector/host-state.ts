/**
 * How a host is, from its row and the time alone.
 *
 * J12 A host has exactly one state; the first that fits counts: revoked, waiting, conflict, unconfirmed,
 *     never-connected, then by its silence offline (> 15 min), late (> 2 min) or online. A connection that answers
 *     its beats is online.
 */
import { RULES } from '../protocol/alert-rules.ts';
import { DEAD_MS } from '../protocol/frame.ts';
import type { Id } from '../protocol/ids.ts';
import { SECOND_MS, type UtcMs } from '../protocol/time.ts';
import type { AgentRow } from './store/types.ts';

/** Shown as late, as offline, after this long without a frame: the limits that raise the alert about it. */
export const LATE_MS = RULES['agent-silent'].warn.raise * SECOND_MS;
export const OFFLINE_MS = RULES['agent-silent'].crit.raise * SECOND_MS;

export const HOST_STATES = [
  'online',
  'late',
  'offline',
  'never-connected',
  'unconfirmed',
  'waiting',
  'conflict',
  'revoked',
] as const;
export type HostState = (typeof HOST_STATES)[number];

export interface HostLook {
  now: UtcMs;
  /** True where the host has a proven connection now. */
  live: boolean;
  /** Of this collector's state: a host that was let in by another one has not confirmed it yet. */
  generation: Id<'generation'>;
}

type Row = Pick<AgentRow, 'state' | 'conflictAt' | 'generation' | 'lastSeenAt' | 'firstSeenAt'>;

/**
 * True where the host was let in by a state that was set back since. One that was there and waits all the same waits
 * for a person to say so again (V32); one that never was there just waits.
 */
export function unconfirmedIn(
  generation: string,
  row: Pick<AgentRow, 'state' | 'generation' | 'firstSeenAt'>,
): boolean {
  const known = row.state === 'approved' || (row.state === 'waiting' && row.firstSeenAt !== null);
  return known && row.generation !== generation;
}

/** Pure (J12). */
export function hostState(row: Row, { now, live, generation }: HostLook): HostState {
  const unconfirmed = unconfirmedIn(generation, row);
  if (row.state === 'revoked' || (row.state === 'waiting' && !unconfirmed)) return row.state;
  if (row.conflictAt !== null) return 'conflict';
  if (unconfirmed) return 'unconfirmed';
  if (row.lastSeenAt === null) return 'never-connected';
  const silentMs = now - row.lastSeenAt;
  if (live && silentMs <= DEAD_MS) return 'online';
  if (silentMs > OFFLINE_MS) return 'offline';
  return silentMs > LATE_MS ? 'late' : 'online';
}
