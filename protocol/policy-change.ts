/**
 * What another policy would make shorter.
 *
 * Y19 Wherever something could go earlier, or by an action that leaves less of it, the change is a shortening; what
 *     cannot be compared is one too.
 */
import { outlasts } from './period.ts';
import {
  type Policy,
  periodOf,
  RETENTION_CLASSES,
  type RetentionClass,
  RULE_MODES,
  type Rule,
  ruleFor,
} from './policy.ts';

/** Classes of which something could go earlier, or more of it, under `next`. */
export function shortened(now: Policy, next: Policy): RetentionClass[] {
  const zones = now.zone !== next.zone;
  return RETENTION_CLASSES.filter((cls) =>
    RULE_MODES.some((mode) => isShorter(ruleFor(now, cls, mode), ruleFor(next, cls, mode), zones)),
  );
}

/** @param zones true: another zone's months and years count, which can be hours earlier */
function isShorter(now: Rule | null, next: Rule | null, zones: boolean): boolean {
  if (leastIsShorter(now, next, zones)) return true;
  // What only reports erases nothing.
  if (next?.action === 'report') return false;
  if (now?.action === 'report' || endIsShorter(now, next)) return true;
  return next !== null && mostIsShorter(now, next, zones);
}

/** A time after the agreement's end: without it, what belongs to the agreement goes with the end itself (Y15). */
function endIsShorter(now: Rule | null, next: Rule | null): boolean {
  if (now?.trigger !== 'agreement-end' || now.keepAtMost === null) return false;
  if (next?.trigger === 'agreement-end' && next.keepAtMost !== null) return false;
  return outlasts(periodOf(now.keepAtMost), { months: 0, ms: 0 }) || now.round !== undefined;
}

function leastIsShorter(now: Rule | null, next: Rule | null, zones: boolean): boolean {
  if (now === null || now.keepAtLeast === null) return false;
  if (next === null || next.keepAtLeast === null || next.trigger !== now.trigger) return true;
  return endsEarlier(now.keepAtLeast, next.keepAtLeast, now, next, zones);
}

function mostIsShorter(now: Rule | null, next: Rule, zones: boolean): boolean {
  if (next.keepAtMost === null) return false;
  if (now === null || now.keepAtMost === null) return true;
  if (now.action === 'anonymise' && next.action === 'erase') return true;
  return now.trigger !== next.trigger || endsEarlier(now.keepAtMost, next.keepAtMost, now, next, zones);
}

function endsEarlier(was: string, is: string, now: Rule, next: Rule, zones: boolean): boolean {
  if (now.round !== undefined && next.round === undefined) return true;
  const [before, after] = [periodOf(was), periodOf(is)];
  const calendar = after.months > 0 || next.round !== undefined;
  return outlasts(before, after) || (zones && calendar);
}
