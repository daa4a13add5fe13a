/**
 * When something falls due by a policy, and what follows for the spans of key groups. Pure.
 *
 * Y15 The end of an agreement is the latest time for what belongs to it, whatever the period of its class and also
 *     where its class has none: a person ended it. Only a keep-at-least, and what `decide` keeps, comes before it.
 * Y16 A key group is due with its earliest item where a keep-at-most binds, with its latest where a keep-at-least does.
 */
import type { DataClass, GroupKind, SpanUnit } from './group.ts';
import { addPeriod, endOfYear, longest, midnight } from './period.ts';
import { type Policy, periodOf, type RetentionClass, type Rule, ruleFor } from './policy.ts';
import { DAY_MS, MINUTE_MS, type UtcMs, utcMs } from './time.ts';

/** A day's span is enough where a month would keep the first item of it for too much of its own period. */
const DAY_SPAN_UP_TO_MS = 90 * DAY_MS;

/** Spans of the key groups of a class: days for periods up to 90 days counted from an event, else months. */
export function spanUnitOf(policy: Policy, cls: DataClass): SpanUnit {
  const rule = ruleFor(policy, cls, 'managed');
  if (rule === null || rule.trigger === 'agreement-end' || rule.keepAtMost === null) return 'month';
  return longest(periodOf(rule.keepAtMost)) <= DAY_SPAN_UP_TO_MS ? 'day' : 'month';
}

/** First and last item that a thing holds, where they are known better than by its span. */
export interface Ends {
  earliest: UtcMs;
  /** When the last one ended. */
  latest: UtcMs;
}

/** A key group, as its row has it. */
export interface GroupOf {
  kind: GroupKind;
  class: RetentionClass;
  from: UtcMs | null;
  to: UtcMs | null;
}

export interface GroupFacts {
  /** When the agreement that it belongs to ends, or did, cooling-off included; null: open, or belongs to none. */
  agreementEndsAt: UtcMs | null;
  /** Zone of the site; absent: the policy's. */
  zone?: string | undefined;
  ends?: Ends | null | undefined;
}

/**
 * When a key group falls due (Y16); null: never by this policy, as far as is known, or its rule only reports. Of a
 * `oneoff` or `single` group it is known only with `ends`. `dueOfGroup` has the rule, and so the action.
 */
export function dueOf(group: GroupOf, policy: Policy, facts: GroupFacts): UtcMs | null {
  const { dueAt, rule } = dueOfGroup(group, policy, facts);
  return rule?.action === 'report' ? null : dueAt;
}

export type DueReason =
  | 'keep-at-most'
  | 'keep-at-least'
  | 'agreement-end'
  | 'agreement-open'
  | 'no-policy'
  | 'no-period'
  | 'unbounded';

export interface Due {
  /** Null: `reason` says why there is none. */
  dueAt: UtcMs | null;
  reason: DueReason;
  rule: Rule | null;
  /** Nothing goes before it, not even on request; null: no such bound. */
  notBefore: UtcMs | null;
}

/** As `dueOf`, with what the time comes from or why there is none. */
export function dueOfGroup(group: GroupOf, policy: Policy, facts: GroupFacts): Due {
  const rule = ruleFor(policy, group.class, group.kind === 'oneoff' ? 'one-off' : 'managed');
  // A house group belongs to no agreement: only its own rule can let it go with one.
  const own = group.kind === 'house' && rule?.trigger !== 'agreement-end';
  const spanned = group.from !== null && group.to !== null && group.from < group.to;
  const span = spanned ? { earliest: group.from, latest: utcMs((group.to ?? 0) - 1) } : null;
  const ends = facts.ends ?? span;
  return dueBy(rule, {
    endsAt: own ? null : facts.agreementEndsAt,
    zone: facts.zone ?? policy.zone,
    earliest: ends?.earliest ?? null,
    // Sessions that began within a span may end after it: only who looked knows when the last one did.
    latest: rule?.trigger === 'session-end' ? (facts.ends?.latest ?? null) : (ends?.latest ?? null),
  });
}

export interface DueFacts {
  endsAt: UtcMs | null;
  zone: string;
  /** What keep-at-most counts from; null: unknown. */
  earliest: UtcMs | null;
  /** What keep-at-least counts from; null: unknown. */
  latest: UtcMs | null;
}

/** The law of bounds: what `dueOfGroup` and `decide` share. */
export function dueBy(rule: Rule | null, facts: DueFacts): Due {
  const { endsAt } = facts;
  if (rule === null) {
    return { dueAt: endsAt, reason: endsAt === null ? 'no-policy' : 'agreement-end', rule, notBefore: null };
  }
  const least = boundOf(rule, 'keepAtLeast', facts);
  const most = boundOf(rule, 'keepAtMost', facts);
  const open = rule.trigger === 'agreement-end' && endsAt === null;
  if (least === 'unbounded') {
    return { dueAt: null, reason: open ? 'agreement-open' : 'unbounded', rule, notBefore: null };
  }
  // A period that counts from the end stands for it; any other comes beside it (Y15).
  const withEnd = rule.trigger === 'agreement-end' && most !== null ? null : endsAt;
  const limits = [most === 'unbounded' ? null : most, withEnd];
  const known = limits.filter((limit) => limit !== null);
  const notBefore = least;
  if (known.length > 0) {
    const limit = utcMs(Math.min(...known));
    if (least !== null && least > limit) return { dueAt: least, reason: 'keep-at-least', rule, notBefore };
    const byAgreement = rule.trigger === 'agreement-end' || limit !== most;
    return { dueAt: limit, reason: byAgreement ? 'agreement-end' : 'keep-at-most', rule, notBefore };
  }
  const unknown = most === 'unbounded' ? 'unbounded' : 'no-period';
  return { dueAt: null, reason: open ? 'agreement-open' : unknown, rule, notBefore };
}

/** Null: the rule has no such bound. */
function boundOf(
  rule: Rule,
  bound: 'keepAtMost' | 'keepAtLeast',
  { endsAt, zone, earliest, latest }: DueFacts,
): UtcMs | null | 'unbounded' {
  const text = rule[bound];
  if (text === null) return null;
  const fromItem = bound === 'keepAtMost' ? earliest : latest;
  const from = rule.trigger === 'agreement-end' ? endsAt : fromItem;
  if (from === null) return 'unbounded';
  const period = periodOf(text);
  const end = (at: UtcMs) => {
    const over = addPeriod(at, period, zone);
    return rule.round === 'year-end' ? endOfYear(over, zone) : over;
  };
  if (period.months === 0 || earliest === latest || rule.trigger === 'agreement-end') return end(from);
  // Several items: where a month is shorter, or the clock was changed, a later one can fall due before an earlier one.
  const key = [bound, text, rule.round, zone, earliest, latest].join('\0');
  return known(key, () => {
    const steps = bound === 'keepAtMost' ? after(from, latest, zone) : before(from, earliest, zone);
    const all = steps.map(end);
    return utcMs(bound === 'keepAtMost' ? Math.min(...all) : Math.max(...all));
  });
}

/** Spans are few and groups are many: what was found for one span is so for all groups of it. */
const MAX_REMEMBERED = 4_096;
const remembered = new Map<string, UtcMs>();

function known(key: string, find: () => UtcMs): UtcMs {
  const old = remembered.get(key);
  if (old !== undefined) return old;
  const found = find();
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(key, found);
  return found;
}

/** Days at the end of a month that a shorter one takes for its last day. */
const CLAMPED_DAYS = 3;
/** Clocks are changed, in either direction by two hours at most, at a quarter of an hour of UTC. */
const QUARTER_MS = 15 * MINUTE_MS;
const QUARTERS = 8;

/** Instants among which the earliest to fall due is, of all from `first` on: where the order can break. */
function after(first: UtcMs, last: UtcMs | null, zone: string): UtcMs[] {
  const days = Array.from({ length: CLAMPED_DAYS }, (_, i) => midnight(first, i + 1, zone));
  const all = [first, ...days].flatMap((day) => [day, ...quarters(day, 1)]);
  return all.filter((at) => last === null || at <= last);
}

/** Instants among which the latest to fall due is, of all up to `last`: just before the order can break. */
function before(last: UtcMs, first: UtcMs | null, zone: string): UtcMs[] {
  const days = Array.from({ length: CLAMPED_DAYS }, (_, i) => utcMs(midnight(last, -i, zone) - 1));
  const all = [last, ...days].flatMap((day) => [day, ...quarters(day, -1).map((at) => utcMs(at - 1))]);
  return all.filter((at) => first === null || at >= first);
}

/** The whole quarters of an hour that follow `at`, or go before it. */
function quarters(at: UtcMs, step: 1 | -1): UtcMs[] {
  const first = Math.floor(at / QUARTER_MS) + (step === 1 ? 1 : 0);
  return Array.from({ length: QUARTERS }, (_, i) => utcMs((first + step * i) * QUARTER_MS));
}
