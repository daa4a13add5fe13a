/** A pattern whose first group stays and whose second is the secret, and what has to be so for it to go. */
import { dropped } from './values.ts';

export interface Rule {
  pattern: RegExp;
  takes: (secret: string, head: string) => boolean;
}

export const rule = (pattern: RegExp, takes: Rule['takes'] = () => true): Rule => ({ pattern, takes });

/** Every match of the rules, in their order; counts what went. */
export function apply(rules: readonly Rule[], text: string): { text: string; dropped: number } {
  const out = { text, dropped: 0 };
  for (const { pattern, takes } of rules) {
    out.text = out.text.replace(pattern, (match: string, head: string, secret: string) => {
      const kept = takes(secret, head) ? dropped(secret) : null;
      if (kept === null) return match;
      out.dropped += 1;
      return head + kept;
    });
  }
  return out;
}

/** A stretch of text, and the rules for what stands in it. Group 1 of `of` opens it, group 2 is it. */
export interface Within {
  of: RegExp;
  rules: readonly Rule[];
}

export function applyWithin(stretches: readonly Within[], text: string): { text: string; dropped: number } {
  const out = { text, dropped: 0 };
  for (const { of, rules } of stretches) {
    out.text = out.text.replace(of, (_all, opening: string, rest: string) => {
      const after = apply(rules, rest);
      out.dropped += after.dropped;
      return opening + after.text;
    });
  }
  return out;
}
