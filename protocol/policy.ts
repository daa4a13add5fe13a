/**
 * Retention policies: named, versioned rules, one for each class of data (and mode of session).
 *
 * Y13 Nothing is invented. A class has the periods that a rule states, and none where no rule does.
 * Y14 A policy that keeps something for at least longer than at most, or says one thing twice, is no policy.
 * Y20 A policy is named by a plain word, as it then stands in clear in every erasure that it causes.
 */
import { z } from 'zod';
import { DATA_CLASSES } from './group.ts';
import { nearest } from './nearest.ts';
import { outlasts, type Period, readPeriod } from './period.ts';
import { isZone } from './zone.ts';

/** What a rule can be about: what lies in key groups, recordings (which stay where they are), and samples. */
export const RETENTION_CLASSES = [...DATA_CLASSES, 'recording', 'device.telemetry'] as const;
export type RetentionClass = (typeof RETENTION_CLASSES)[number];

/** What starts a period, in this version. */
export const TRIGGERS = ['session-end', 'recording-end', 'agreement-end', 'event'] as const;
export type Trigger = (typeof TRIGGERS)[number];
/** Of a later version: they need facts that nobody records yet. */
export const LATER_TRIGGERS = ['last-activity', 'service-end', 'year-end'] as const;

export const ACTIONS = ['erase', 'anonymise', 'report'] as const;
export type Action = (typeof ACTIONS)[number];
export const RULE_MODES = ['managed', 'one-off'] as const;
export type RuleMode = (typeof RULE_MODES)[number];

/** What each trigger can start; `agreement-end` and `event` anything that there is an agreement, or a time, of. */
const ONLY: Partial<Record<Trigger, RetentionClass>> = {
  'session-end': 'session',
  'recording-end': 'recording',
};
/** No agreement's end touches the collector's own records, except a customer's name. */
const OWN: readonly RetentionClass[] = ['audit.event', 'audit.reading', 'hold.record', 'person.account'];

const MAX_RULES = 64;
/**
 * It stands in clear in every event of an erasure, and so for ever: words of letters and digits, and no number that is
 * long enough to be somebody's (Y20).
 */
export const POLICY_NAME = /^(?=.{1,64}$)(?!.*\d{5})[a-z0-9]+(-[a-z0-9]+)*$/;

const period = z
  .string()
  .max(64)
  .refine((text) => readPeriod(text) !== null, {
    error: 'not an ISO 8601 period of whole units, at most a century: P30D, P6M, P1Y, P0D',
  });

const trigger = z.string().superRefine((text, ctx) => {
  if ((TRIGGERS as readonly string[]).includes(text)) return;
  const later = (LATER_TRIGGERS as readonly string[]).includes(text);
  const near = later ? null : nearest(text, TRIGGERS);
  const what = later ? `${text} comes with a later version, nothing records yet when that was` : 'no trigger';
  const meant = near === null ? `use one of ${TRIGGERS.join(', ')}` : `did you mean "${near}"?`;
  ctx.addIssue({ code: 'custom', message: `${what}; ${meant}` });
}) as unknown as z.ZodType<Trigger>;

export const ruleShape = {
  class: z.enum(RETENTION_CLASSES),
  trigger,
  /** The longest that it may be kept; null: no such bound, and so never erased by this rule. */
  keepAtMost: period.nullable(),
  /** The shortest that it must be kept; null: no such bound. */
  keepAtLeast: period.nullable().default(null),
  action: z.enum(ACTIONS),
  /** Of sessions: only these; absent: both. */
  mode: z.enum(RULE_MODES).optional(),
  /** `year-end`: what falls due within a year does so at the end of 31 December. */
  round: z.enum(['year-end']).optional(),
  /** Where the rule comes from: the promise's id, and why, in a few words. Nothing personal. */
  note: z.string().max(512).optional(),
};
const rule = z.strictObject(ruleShape).superRefine(checkRule);
export type Rule = z.infer<z.ZodObject<typeof ruleShape>>;

export const policyShape = {
  name: z
    .string()
    .regex(
      POLICY_NAME,
      'lower-case words joined by hyphens, at most 64 letters, no number of 5 digits or more',
    ),
  version: z.int().min(1).max(1_000_000),
  /** Who answers for it: a role or an office, not a person's name. */
  author: z.string().min(1).max(128),
  /** Zone of the tz database whose calendar months and years count. */
  zone: z.string().max(64).refine(isZone, 'not a zone of the tz database: Europe/Copenhagen, UTC'),
  rules: z.array(rule).max(MAX_RULES),
};
export const policySchema = z.strictObject(policyShape).superRefine(checkTwice);
export type Policy = z.infer<typeof policySchema>;

/** The periods of a rule as the schema has checked them. */
export function periodOf(text: string): Period {
  return readPeriod(text) ?? { months: 0, ms: 0 };
}

export interface Problem {
  field: keyof Rule;
  text: string;
}

/** Y14, within one rule: what does not go together, of the fields that are there. */
export function ruleProblems(rule: Partial<Rule>): Problem[] {
  const { class: cls, trigger, mode, keepAtMost, keepAtLeast } = rule;
  const problems: Problem[] = [];
  const bad = (field: keyof Rule, text: string) => problems.push({ field, text });
  const only = trigger === undefined ? undefined : ONLY[trigger];
  if (only !== undefined && cls !== undefined && only !== cls) {
    bad('trigger', `${trigger} is only of the class ${only}`);
  }
  if (trigger === 'agreement-end' && cls !== undefined && OWN.includes(cls)) {
    bad('trigger', `no agreement's end touches ${cls}: use event`);
  }
  if (mode !== undefined && cls !== undefined && cls !== 'session') {
    bad('mode', 'only rules for the class session have one');
  }
  if (mode === 'one-off' && trigger !== undefined && trigger !== 'session-end') {
    bad('trigger', 'a one-off session is counted from its end: use session-end');
  }
  const [most, least] = [readPeriod(keepAtMost ?? ''), readPeriod(keepAtLeast ?? '')];
  if (most !== null && least !== null && outlasts(least, most)) {
    bad('keepAtLeast', `longer than keepAtMost: ${keepAtLeast} can end after ${keepAtMost}`);
  }
  return problems;
}

/** Y14, between rules: each class and mode has one rule at most. Index of each that says again what another says. */
export function doubledRules(rules: readonly Partial<Rule>[]): { at: number; first: number }[] {
  const seen = new Map<string, number>();
  return rules.flatMap(({ class: cls, mode }, at) => {
    const key = `${cls} ${mode ?? 'any'}`;
    const first = seen.get(key);
    if (cls !== undefined && first === undefined) seen.set(key, at);
    return first === undefined ? [] : [{ at, first }];
  });
}

function checkRule(rule: Rule, ctx: z.RefinementCtx): void {
  for (const { field, text } of ruleProblems(rule)) {
    ctx.addIssue({ code: 'custom', path: [field], message: text });
  }
}

function checkTwice({ rules }: { rules: Rule[] }, ctx: z.RefinementCtx): void {
  for (const { at, first } of doubledRules(rules)) {
    ctx.addIssue({ code: 'custom', path: ['rules', at], message: againText(first) });
  }
}

/** What is said of a rule that stands there twice. */
export function againText(first: number): string {
  return `says again what rules[${first}] says`;
}

/** The rule for a class; for sessions the one of their mode before one for both. */
export function ruleFor(policy: Policy, cls: RetentionClass, mode: RuleMode): Rule | null {
  const mine = policy.rules.filter((rule) => rule.class === cls);
  return mine.find((rule) => rule.mode === mode) ?? mine.find((rule) => rule.mode === undefined) ?? null;
}
