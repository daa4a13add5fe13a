/**
 * Which session of TeamViewer's log a row of its connections file tells of. Pure.
 *
 * R19  A row and a session are one by peer and time, never by name: names differ between the two, and repeat. A session
 *      has one row at most.
 */
import { SECOND_MS, type UtcMs } from '../../protocol/time.ts';
import type { Direction } from './change.ts';

/** A session as the log tells it. */
export interface LogSession {
  peerId: string;
  startedAt: UtcMs;
  /** Null while it runs. */
  endedAt: UtcMs | null;
  direction: Direction;
  /** A row was found for it before. */
  joined: boolean;
}

/** A session as its row tells it: whole seconds. */
export interface RowSession {
  peerId: string;
  startedAt: UtcMs;
  endedAt: UtcMs;
  direction: 'incoming' | 'outgoing';
}

/** Row before log, and after it. */
const EARLIEST_MS = 5 * SECOND_MS;
const LATEST_MS = 3 * SECOND_MS;
/** A call from here begins in the log when it is asked for, in the row perhaps when there is a way to the other side. */
const LATEST_OUTGOING_MS = 15 * SECOND_MS;
/** A row ends 0.0 to 1.7 s before the log says so, in whole seconds. */
const SAME_END_MS = 5 * SECOND_MS;
/** In every sample a row starts 0.1 to 2.2 s before the log's hello, and is cut to its second: in the middle. */
const USUAL_MS = 1.6 * SECOND_MS;

/**
 * Index of the session that the row tells of; null where it tells of none of them. Of several, the one that ended when
 * the row did; then the one that began the usual moment after it.
 */
export function joinRow(candidates: readonly LogSession[], row: RowSession): number | null {
  let best: { index: number; sameEnd: boolean; distance: number } | null = null;
  for (const [index, session] of candidates.entries()) {
    if (!fits(session, row)) continue;
    const sameEnd = session.endedAt !== null && Math.abs(session.endedAt - row.endedAt) <= SAME_END_MS;
    const distance = Math.abs(session.startedAt - row.startedAt - USUAL_MS);
    const closer = best === null || (sameEnd === best.sameEnd ? distance < best.distance : sameEnd);
    if (closer) best = { index, sameEnd, distance };
  }
  return best === null ? null : best.index;
}

function fits({ peerId, startedAt, direction, joined }: LogSession, row: RowSession): boolean {
  if (joined || peerId !== row.peerId) return false;
  if (direction !== 'unknown' && direction !== row.direction) return false;
  const after = row.startedAt - startedAt;
  return after >= -EARLIEST_MS && after <= (row.direction === 'outgoing' ? LATEST_OUTGOING_MS : LATEST_MS);
}
