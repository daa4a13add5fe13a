/**
 * One file of a tool, as the pump reads it: lines in, a plan out. What a part remembers can be made again at any time,
 * from what is stored and from the file itself.
 *
 * B9  A part is brought to where its cursor stands by one road, at the start and after anything that was not stored.
 */
import type { SourceId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { Unreadable } from '../journal-sources.ts';
import type { Feed } from '../sources/feed.ts';
import type { FileState, FollowedLine } from '../sources/follow.ts';
import type { Output } from './book.ts';
import { noOutput } from './book.ts';

/** What one transaction will store. */
export interface Plan extends Output {
  bad: Unreadable[];
}

export const noPlan = (): Plan => ({ ...noOutput(), bad: [] });

export interface LineSeen {
  /** The line stood in the file when it was first seen, and only what is newer than the enrolment counts. */
  history: boolean;
}

export interface Moment {
  now: UtcMs;
  /** Everything that stood there at first sight has been read. */
  past: boolean;
  /** Everything has been read for now. */
  atEnd: boolean;
}

export interface Part {
  /** True for the text of a record that is whole although no newline follows it. */
  isComplete(text: string): boolean;
  /** True for what can only be the beginning of a record. */
  isTorn(text: string): boolean;
  /** B9. `cursor`: as stored, null before the first time. What it finds to tell is told with the next plan. */
  restore(cursor: string | null, feed: Feed): Promise<void>;
  /** What `line` will need of the disk, before the transaction begins. */
  prepare(lines: readonly FollowedLine[], files: readonly FileState[]): Promise<void>;
  /** Adds what a line gives. Returns why it gives nothing, where it should. */
  line(plan: Plan, line: FollowedLine, seen: LineSeen): string | null;
  /** Adds what time gives; after the lines of a step, also where there were none. */
  tick(plan: Plan, moment: Moment): void;
  /** To be stored beside the follower's state. */
  stored(files: readonly FileState[]): object;
}

export interface PartOptions {
  source: SourceId;
  path: string;
}
