/**
 * What may go: pure, from a policy, the holds and the time. Nothing here erases.
 *
 * D1  A thing covered by a hold is never erased. Adding a hold never makes anything erasable.
 * D2  What cannot be bounded is kept and reported: no policy, no bound for its end, unreadable hold table, untrusted
 *     time, unknown layout.
 * D3  Retention of a recording counts from the latest end that it can have; a hold covers the whole of its bound.
 * D5  Every erasure names policy, version and due time; every skip past due names its reason; lateness is recorded.
 * Y17 Hold (an authority's order is one) before restriction before keep-at-least before the subject's request for
 *     erasure before keep-at-most. A rule that is not there, has no period or only reports keeps nothing from who asks
 *     for what is held of them; footage goes by the rule of its source alone.
 */
import { type Due, dueBy } from './due.ts';
import { contradicts, covers, type Hold, type Thing } from './hold.ts';
import { type Action, type Policy, ruleFor } from './policy.ts';
import { type UtcMs, utcMs } from './time.ts';

export { dueOf, dueOfGroup, spanUnitOf } from './due.ts';

export type KeepReason =
  | 'holds-unreadable'
  | 'hold'
  | 'restriction'
  | 'time-untrusted'
  | 'unknown-layout'
  | 'unbounded'
  | 'keep-at-least'
  | 'report-only'
  | 'not-due'
  | 'agreement-open'
  | 'no-policy'
  | 'no-period';
export type ExpireReason = 'request' | 'keep-at-most' | 'keep-at-least' | 'agreement-end';

interface Named {
  /** By the policy, or by the request that is followed; null: there is none. */
  dueAt: UtcMs | null;
  policy: string;
  version: number;
}
export type Decision =
  | (Named & { verdict: 'keep'; reason: KeepReason; holds: string[] })
  | (Named & { verdict: 'expire'; reason: ExpireReason; action: Exclude<Action, 'report'>; lateMs: number });

/**
 * @param holds null: they cannot be read (D2)
 * @param now trusted time; null: there is none (D2)
 */
export function decide(
  thing: Thing,
  policy: Policy,
  holds: readonly Hold[] | null,
  now: UtcMs | null,
): Decision {
  const due = dueOfThing(thing, policy);
  const named = { dueAt: due.dueAt, policy: policy.name, version: policy.version };
  const kept = (reason: KeepReason, by: string[] = []): Decision => {
    return { ...named, verdict: 'keep', reason, holds: by };
  };
  if (holds === null) return kept('holds-unreadable');
  const covering = holds.filter((hold) => covers(hold, thing)).map(({ hold }) => hold);
  if (covering.length > 0) return kept('hold', covering);
  if (thing.restricted) return kept('restriction');
  if (now === null) return kept('time-untrusted');
  if (thing.unknownLayout === true) return kept('unknown-layout');
  if (isUnsure(thing)) return kept('unbounded');
  if (due.notBefore !== null && now < due.notBefore) return kept('keep-at-least');
  const request = requestOf(thing, due, now);
  const reports = due.rule?.action === 'report';
  // What is only reported does not go by the policy: it comes neither before the request nor after it.
  const end = firstOf(reports && request !== null ? { ...due, dueAt: null } : due, request);
  if (end === null) return kept(isAsked(thing, now) && endOf(thing) === null ? 'unbounded' : keptFor(due));
  if (now < end.at) return kept('not-due');
  const action = end.reason === 'request' ? 'erase' : (due.rule?.action ?? 'erase');
  if (action === 'report') return kept('report-only');
  return { ...named, dueAt: end.at, verdict: 'expire', reason: end.reason, action, lateMs: now - end.at };
}

interface End {
  at: UtcMs;
  reason: ExpireReason;
}

/** What comes first; equal: the policy, which would have done it anyway. */
function firstOf({ dueAt, reason }: Due, request: UtcMs | null): End | null {
  if (request !== null && (dueAt === null || request < dueAt)) return { at: request, reason: 'request' };
  if (dueAt === null) return null;
  return {
    at: dueAt,
    reason: reason === 'keep-at-least' || reason === 'agreement-end' ? reason : 'keep-at-most',
  };
}

function keptFor({ reason }: Due): KeepReason {
  return reason === 'unbounded' || reason === 'agreement-open' || reason === 'no-policy'
    ? reason
    : 'no-period';
}

function isAsked({ requestedErasureAt, kind }: Thing, now: UtcMs): boolean {
  return requestedErasureAt !== null && requestedErasureAt <= now && kind !== 'group';
}

/** When a granted request may be followed; null: there is none, or what must be kept cannot be told (D2). */
function requestOf(thing: Thing, { rule, reason, notBefore }: Due, now: UtcMs): UtcMs | null {
  const asked = thing.requestedErasureAt;
  if (asked === null || asked > now || reason === 'unbounded') return null;
  if (thing.kind === 'recording' && (rule === null || rule.action === 'report')) return null;
  // A keep-at-least that counts from an agreement's end has not begun.
  if (rule !== null && rule.keepAtLeast !== null && notBefore === null) return null;
  return thing.kind !== 'group' && endOf(thing) === null ? null : utcMs(Math.max(asked, notBefore ?? asked));
}

function endOf({ bounds }: Thing): UtcMs | null {
  return bounds?.endLatest ?? null;
}

/** D3: a recording, and a session, count from their own end; a group by its first and last item (Y16). */
function dueOfThing(thing: Thing, policy: Policy): Due {
  const end = endOf(thing);
  return dueBy(ruleFor(policy, thing.class, thing.mode), {
    endsAt: thing.agreementEndsAt,
    zone: thing.zone ?? policy.zone,
    earliest: thing.kind === 'group' ? (thing.bounds?.startEarliest ?? null) : end,
    latest: end,
  });
}

/** Bounds that contradict each other bound nothing; footage needs them whatever else is known. */
function isUnsure({ kind, bounds }: Thing): boolean {
  if (bounds !== null && contradicts(bounds)) return true;
  return kind === 'recording' && (bounds === null || bounds.endLatest === null);
}
