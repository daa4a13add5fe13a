/** What waits for room in the journal (U20): a step with what was made of it, and whether the file still says the same. */
import type { FirstSight } from './pump-sight.ts';
import type { Plan } from './sessions/part.ts';
import type { FollowedLine, FollowStep } from './sources/follow.ts';

/** A step, and what its lines mean. */
export interface Made {
  step: FollowStep;
  plan: Plan;
  /** First sight as it is to be stored. */
  said: FirstSight | null;
}

/** The same lines once more. What became of the file meanwhile is told beside them, and is nothing that the part knows. */
export function isSame(one: FollowStep, other: FollowStep): boolean {
  return (
    one.lines.length === other.lines.length && one.lines.every((line, i) => isSameLine(line, other.lines[i]))
  );
}

function isSameLine(one: FollowedLine, other: FollowedLine | undefined): boolean {
  const { file, start, end, text, problem } = one;
  return (
    other !== undefined &&
    other.file === file &&
    other.start === start &&
    other.end === end &&
    other.problem === problem &&
    other.text === text
  );
}
