/**
 * What stood in a source's file when it was first seen, and how much of it was passed over.
 *
 * U3  With `startFrom: now` a row is passed over only if it stood in the file at first sight and ended before
 *     the enrolment; what is appended later is read, whatever its dates. With `beginning` everything is read.
 *     What was passed over is counted in one `source.skipped`.
 * U19 What ended before an earlier agreement of the site did is counted in one `source.skipped` of its own; lines of it
 *     that come later are counted with the step that read them.
 */
import type { UtcMs } from '../protocol/time.ts';
import type { FollowedLine, FollowState } from './sources/follow.ts';

/** Stored beside the cursor; `file` and `through` never change. */
export interface FirstSight {
  v: 1;
  /** Generation number of the file that lay there; 0: there was none. */
  file: number;
  /** Its size then: rows that begin before this stood in it. */
  through: number;
  /** Rows passed over so far. */
  skipped: number;
  /** Of an earlier agreement; absent: stored by an earlier version. */
  passed?: number;
  /** The `source.skipped` event was stored. */
  said: boolean;
}

export interface StartRule {
  startFrom: 'now' | 'beginning';
  enrolledAt: UtcMs;
}

/** Null while the file cannot be looked at: what it holds may be history. */
export function sightOf(state: FollowState): FirstSight | null {
  if (state.unreadable !== null) return null;
  const live = state.files.find((file) => file.live);
  return { v: 1, file: live?.file ?? 0, through: live?.size ?? 0, skipped: 0, passed: 0, said: false };
}

export function readSight(text: string | null): FirstSight | null {
  return text === null ? null : JSON.parse(text);
}

/** True where the line may be history by the rule above: what it tells of is, where that ended before the enrolment. */
export function isHistory(sight: FirstSight, rule: StartRule, line: FollowedLine): boolean {
  return rule.startFrom === 'now' && line.file === sight.file && line.start < sight.through;
}

/** True once everything that stood there at first sight has been read. */
export function isPast(sight: FirstSight, state: FollowState): boolean {
  const file = state.files.find((one) => one.file === sight.file);
  return file === undefined || file.offset >= sight.through;
}
