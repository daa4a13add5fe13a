/**
 * What a policy leaves open: findings, for a person to close. Nothing is mended here, and nothing made up (Y13).
 *
 * Y18 Every class that has no longest time to be kept is named, with why; so is each promise of a pack that this
 *     version cannot keep.
 */
import type { OpenPromise } from './pack.ts';
import { outlasts } from './period.ts';
import { type Policy, periodOf, RETENTION_CLASSES, type RetentionClass, type Rule } from './policy.ts';

export const FINDINGS = [
  'class-without-rule',
  'no-period',
  'kept-for-ever',
  'mode-without-rule',
  'gone-before',
  'promise-open',
  'pack-newer',
] as const;

export interface Finding {
  finding: (typeof FINDINGS)[number];
  class: RetentionClass | null;
  mode: Rule['mode'] | null;
  /** Of the rule, in `rules`; null: it is about no rule. */
  rule: number | null;
  text: string;
}

/** Classes that say whose a session was: without them it cannot be read as it was kept. */
const NAMES: readonly RetentionClass[] = ['host.name', 'customer.name', 'person.account'];

export function findingsOf(policy: Policy, notYet: readonly OpenPromise[] = []): Finding[] {
  const rules = [...policy.rules.entries()];
  return [
    ...RETENTION_CLASSES.flatMap((cls) => ofClass(policy, cls)),
    ...rules.flatMap(([at, rule]) => ofRule(at, rule)),
    ...rules.flatMap(([at, rule]) => ofOthers(at, rule, policy.rules)),
    ...notYet.map(({ promise, why }) => found('promise-open', null, null, `${promise}: ${why}`)),
  ];
}

function found(
  finding: Finding['finding'],
  at: number | null,
  rule: Pick<Rule, 'class' | 'mode'> | null,
  text: string,
): Finding {
  return { finding, class: rule?.class ?? null, mode: rule?.mode ?? null, rule: at, text };
}

function ofClass({ rules }: Policy, cls: RetentionClass): Finding[] {
  const mine = rules.filter((rule) => rule.class === cls);
  if (mine.length === 0) {
    const text = `${cls} has no rule, so no period: it is not erased by age`;
    return [found('class-without-rule', null, { class: cls }, text)];
  }
  const [only] = mine;
  if (mine.length > 1 || only?.mode === undefined) return [];
  const mode = only.mode === 'managed' ? 'one-off' : 'managed';
  const text = `${cls} has a rule for ${only.mode} ones only: ${mode} ones are not erased by age`;
  return [found('mode-without-rule', null, { class: cls, mode }, text)];
}

function ofRule(at: number, rule: Rule): Finding[] {
  const { class: cls, keepAtMost, keepAtLeast, note } = rule;
  if (keepAtMost !== null) return [];
  const from = note === undefined ? '' : ` (${note})`;
  if (keepAtLeast === null)
    return [found('no-period', at, rule, `the rule for ${cls} states no period${from}`)];
  const text = `${cls} is kept for at least ${keepAtLeast}, and for ever after${from}`;
  return [found('kept-for-ever', at, rule, text)];
}

/** What may go while something else that rests on it has to stay. */
function ofOthers(at: number, rule: Rule, all: readonly Rule[]): Finding[] {
  return all.flatMap((other) => {
    if (other === rule || !restsOn(other, rule)) return [];
    const { keepAtMost } = rule;
    const { keepAtLeast } = other;
    if (keepAtMost === null || keepAtLeast === null) return [];
    if (!outlasts(periodOf(keepAtLeast), periodOf(keepAtMost))) return [];
    const [mine, theirs] = [label(rule), label(other)];
    const text = `${mine} may be gone after ${keepAtMost}, while ${theirs} has to be kept for ${keepAtLeast}`;
    return [found('gone-before', at, rule, text)];
  });
}

function restsOn(other: Rule, rule: Rule): boolean {
  // A rule for one mode goes before the one for both, and with it before its keep-at-least.
  if (other.class === rule.class) return rule.mode !== undefined && other.mode === undefined;
  return other.class === 'session' && NAMES.includes(rule.class);
}

function label({ class: cls, mode }: Rule): string {
  return mode === undefined ? cls : `${cls} (${mode})`;
}
