/** Whether what this host is to watch is watched: each source is read, and no evidence was lost since the last audit. */

import { isId, type SourceId } from '../../protocol/ids.ts';
import { HOUR_MS, type UtcMs } from '../../protocol/time.ts';
import type { ShownSource } from '../status.ts';
import { add, type CheckResult, leave, nothing } from './types.ts';

/** Sources are read at least every second; who is an hour behind is not read. */
const BEHIND_MS = HOUR_MS;
/** States in which nothing comes from a source. */
const BLIND: ReadonlySet<ShownSource['state']> = new Set<ShownSource['state']>([
  'starting',
  'no-file',
  'unreadable',
  'waiting',
  'suspect',
  'not-accepted',
]);

export interface SourceFacts {
  now: UtcMs;
  shown: readonly Pick<ShownSource, 'source' | 'type' | 'state'>[];
  /** Sources of the configuration, recordings among them; null: they are detected. */
  configured: number | null;
  /** Every source of sessions was read up to this time; null: none was. */
  readThrough: UtcMs | null;
  /** Remote tools on this machine that nobody reads (A2). */
  uncovered: number;
  /** Losses that the journal tells of since the last audit. */
  gaps: number;
}

/** Pure. */
export function judgeSources(facts: SourceFacts): CheckResult {
  const { now, shown, configured, readThrough, uncovered, gaps } = facts;
  const result = nothing('sources');
  result.looked = shown.length;
  result.of = Math.max(configured ?? 0, shown.length);
  for (const { source, state } of shown) {
    if (BLIND.has(state)) add(result, 'source-unread', 1, idOf(source));
    if (state === 'first-scan') leave(result, 'first-scan');
  }
  // What is configured and not even shown: its declaration cannot be read, or nothing of it was found.
  add(result, 'source-unread', result.of - shown.length, null);
  const sessions = shown.filter(({ type, state }) => type !== 'recordings' && !BLIND.has(state));
  const behind = sessions.length > 0 && (readThrough === null || now - readThrough > BEHIND_MS);
  add(result, 'source-gap', gaps + (behind ? 1 : 0), null);
  add(result, 'tool-without-source', uncovered, null);
  return result;
}

function idOf(source: string | null): SourceId | null {
  return source !== null && isId(source) ? (source as SourceId) : null;
}
