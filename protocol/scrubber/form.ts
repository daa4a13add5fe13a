/**
 * A rule with a name, an example and the place where its form is written down, so that a reader sees what it is for and
 * a test sees that it does it: of `example` what stands between ⟦ and ⟧ goes, and nothing else.
 */
import { type Rule, rule } from './rule.ts';

export interface Form extends Rule {
  name: string;
  example: string;
  source: string;
}

export const form = (
  [name, example, source]: readonly [name: string, example: string, source: string],
  pattern: RegExp,
  takes?: Rule['takes'],
): Form => ({ ...rule(pattern, takes), name, example, source });
