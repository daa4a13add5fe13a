/** What a pump is made of, and what it says of itself. */
import type { LogId, SourceId } from '../protocol/ids.ts';
import type { Clock, UtcMs } from '../protocol/time.ts';
import type { Aside } from './journal.ts';
import type { AgentLog } from './log.ts';
import type { SourceName } from './pump-events.ts';
import type { StartRule } from './pump-sight.ts';
import type { Part } from './sessions/part.ts';
import type { Feed } from './sources/feed.ts';
import type { FollowState } from './sources/follow.ts';
import type { CursorUpdate, Draft } from './types.ts';

/** What a pump needs of the journal. */
export interface PumpJournal {
  append(drafts: readonly Draft[], cursors?: readonly CursorUpdate[], aside?: Aside): unknown;
  cursor(source: SourceId): string | null;
  firstSight(source: SourceId): string | null;
  counted(name: string): number;
  openLog(): LogId | null;
}

/** Another file of the same tool (U18). */
export interface Beside {
  /** Its reading position with what its part remembers by now; null where that is stored already. */
  news(): CursorUpdate | null;
  /** They are durable. */
  stored(news: CursorUpdate): void;
}

export interface PumpOptions {
  journal: PumpJournal;
  source: SourceId;
  type: SourceName['tool'];
  /** What its lines mean. */
  part: Part;
  /** Where they come from, from a stored state on. */
  feed: (state: FollowState | null, part: Part) => Feed;
  start: StartRule;
  /** Files whose parts this one changes. */
  beside?: readonly Beside[];
  clock: Clock;
  /** `digest.key` of the state directory. */
  digestKey: Buffer;
  log: AgentLog;
}

export type PumpState = 'starting' | 'reading' | 'caught-up' | 'no-file' | 'unreadable' | 'waiting';

export interface SourceStatus {
  source: SourceId;
  type: SourceName['tool'];
  state: PumpState;
  /** Offset in the file at the path; null where there is none. */
  position: number | null;
  behindBytes: number;
  /** Counts over the life of this state directory. */
  rows: number;
  unreadable: number;
  skipped: number;
  /** Sessions that this agent is not to record. */
  unlisted: number;
  /** When the last row was stored, since this start of the agent. */
  lastRowAt: UtcMs | null;
  /** Why it cannot go on. */
  problem: string | null;
}

/** `more`: there are lines at once; `idle`: all read; `stuck`: to be tried again later. */
export type Turn = 'more' | 'idle' | 'stuck';
