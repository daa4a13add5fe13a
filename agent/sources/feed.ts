/** Where lines come from: a followed file (`follow.ts`), or something that can be asked for lines in order. */
import type { FollowedLine, FollowStep } from './follow-state.ts';
import type { Stretch } from './replay.ts';

export interface Feed {
  /** At most so many lines, in order; the state to store with them. Never throws for the source's sake. */
  step(maxLines: number): Promise<FollowStep>;
  /** The step's state is durable. */
  accept(step: FollowStep): void;
  /** The step was not stored: it comes again. */
  reject(): void;
  /** Lines that were accepted before, again, in order. Null where some of them are gone. */
  replay(stretches: readonly Stretch[]): Promise<AsyncIterable<FollowedLine> | null>;
  close(): Promise<void>;
}
