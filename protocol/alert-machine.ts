/**
 * The machine behind every alert: OK → PENDING → WARN → CRIT → CLEARING → OK. Pure: a state, a rule and one
 * measurement in, a state and at most one transition out. Each transition is one event; which of them are also told
 * to people is decided here too, and separately, so that the ledger has all of it and nobody is woken for nothing.
 *
 * The machine has a clock of its own that only counts what was watched: a measurement stands for the time since the
 * one before, and for no more than the time between two measurements. Its state is plain JSON.
 *
 * A11 Raising and clearing have each a threshold and a delay of their own; between the thresholds nothing changes.
 * A12 What stays past a threshold for longer than the delay is raised, at the level that it reached: no flapping and
 *     no limit on notices keeps an alert from being raised.
 * A13 Each return while an alert was clearing, and each raise soon after a clearing, makes clearing slower, by half,
 *     up to the rule's longest.
 * A14 In any hour at most two transitions of one alert are told, and one more where it is the first crit of that
 *     hour. Clearing waits for its turn; a raise that was not told is told once its turn has come, if it still holds.
 * A15 Whoever was told of a raise is told of its clearing, and of no other clearing.
 * A16 A clock that steps, a sample that is missing and a process that stood still neither raise nor clear: a gap
 *     counts for one measurement at most, and what is not known counts for nothing.
 * A17 What is watched may go away (a disk that is no longer mounted): then the alert clears after its delay.
 */
import type { AlertLevel } from './alert.ts';
import { HOUR_MS, MINUTE_MS } from './time.ts';

/** A value past `raise` begins an alert, back beyond `clear` ends it. */
export interface Thresholds {
  raise: number;
  clear: number;
}

export interface AlertRule {
  /** Which side of the threshold is the bad one. */
  bad: 'above' | 'below';
  warn: Thresholds;
  /** Null: this check has no worse level. */
  crit: (Thresholds & { also?: Thresholds }) | null;
  raiseAfterMs: number;
  clearAfterMs: number;
  /** Longest that flapping makes `clearAfterMs`. */
  clearAfterMaxMs: number;
}

export interface Measured {
  /** Null: could not be measured now. `gone`: what it is about is not there any more. */
  value: number | null | 'gone';
  /** What `crit.also` looks at; bad when below. Absent: it does not stand in the way. */
  also?: number;
  /** Any clock in milliseconds; may step. */
  now: number;
  /** Longest that one measurement stands for: the time between two, with some slack. */
  atMostMs?: number;
}

export type Phase = 'ok' | 'pending' | 'warn' | 'crit' | 'clearing';

export interface AlertState {
  phase: Phase;
  /** Level of the open alert; null: none is open. */
  level: AlertLevel | null;
  /** Highest level of the open alert. */
  top: AlertLevel | null;
  /** Milliseconds watched: the machine's clock. All times below are read from it. */
  ran: number;
  /** `now` of the last measurement; null before the first. */
  last: number | null;
  /** Since when the value is past `warn.raise`, `crit.raise`, back beyond `warn.clear`, `crit.clear`; null: it is not. */
  since: { warn: number | null; crit: number | null; noWarn: number | null; noCrit: number | null };
  flaps: number;
  /** When the last alert was cleared. */
  clearedAt: number | null;
  /** Level that people were last told of; null: that there is none. */
  told: AlertLevel | null;
  /** What was told in the last hour. */
  notices: { at: number; crit: boolean }[];
}

export interface AlertTransition {
  type: 'raised' | 'changed' | 'cleared';
  /** Reached; of `cleared`: the highest of the episode. */
  level: AlertLevel;
  /** Null: what was watched is gone. */
  value: number | null;
  threshold: number;
  /** How long that threshold was passed when this was said, as far as it was watched. */
  forSeconds: number;
  /** False: it stands in the ledger and nobody is told now (A14). */
  told: boolean;
}

export interface AlertStep {
  state: AlertState;
  transition: AlertTransition | null;
}

/** Slower clearing for each flap. */
export const FLAP_FACTOR = 1.5;
/** A raise so soon after a clearing is the same trouble again; and the hour of A14. */
export const FLAP_WINDOW_MS = HOUR_MS;
export const NOTICES_PER_HOUR = 2;
/** One measurement a minute, and half of one more because timers are late. */
export const AT_MOST_MS = 1.5 * MINUTE_MS;

export const ALERT_OK: AlertState = {
  phase: 'ok',
  level: null,
  top: null,
  ran: 0,
  last: null,
  since: { warn: null, crit: null, noWarn: null, noCrit: null },
  flaps: 0,
  clearedAt: null,
  told: null,
  notices: [],
};

/** Nothing has to be remembered of it: a fresh machine would decide the same from here on. */
export function isAtRest({ phase, told, ran, notices, clearedAt }: AlertState): boolean {
  const over = (at: number) => ran - at >= FLAP_WINDOW_MS;
  return (
    phase === 'ok' &&
    told === null &&
    notices.every(({ at }) => over(at)) &&
    over(clearedAt ?? -FLAP_WINDOW_MS)
  );
}

/** One measurement. */
export function stepAlert(before: AlertState, rule: AlertRule, measured: Measured): AlertStep {
  const { value, now } = measured;
  if (value === null) return { state: { ...before, last: now }, transition: null };
  const gone = value === 'gone';
  if (gone && before.phase === 'ok') return { state: { ...before, last: now }, transition: null };
  const ran = before.ran + passed(before, measured);
  const state: AlertState = {
    ...before,
    ran,
    last: now,
    since: sinceWhen(before, rule, measured, ran),
    notices: before.notices.filter(({ at }) => ran - at < FLAP_WINDOW_MS),
  };
  const transition = state.level === null ? closed(state, rule) : open(state, before, rule);
  if (transition === null) return { state, transition };
  return { state, transition: { ...transition, value: gone ? null : Math.round(value) } };
}

/** How long an alert that is clearing has to stay clear (A13). */
export function clearAfter({ flaps }: AlertState, rule: AlertRule): number {
  return Math.min(rule.clearAfterMaxMs, rule.clearAfterMs * FLAP_FACTOR ** flaps);
}

/** Time that this measurement stands for (A16): a clock that went back says nothing about how much. */
function passed({ last }: AlertState, { now, atMostMs = AT_MOST_MS }: Measured): number {
  return last === null ? 0 : Math.round(Math.min(Math.max(0, now - last), atMostMs));
}

function sinceWhen(
  { since }: AlertState,
  rule: AlertRule,
  measured: Measured,
  ran: number,
): AlertState['since'] {
  const is = {
    warn: past(rule, rule.warn.raise, measured),
    crit: critPast(rule, measured),
    noWarn: back(rule, rule.warn.clear, measured),
    noCrit: critBack(rule, measured),
  };
  const keep = (key: keyof typeof is) => (is[key] ? (since[key] ?? ran) : null);
  return { warn: keep('warn'), crit: keep('crit'), noWarn: keep('noWarn'), noCrit: keep('noCrit') };
}

function past({ bad }: AlertRule, threshold: number, { value }: Measured): boolean {
  if (typeof value !== 'number') return false;
  return bad === 'above' ? value > threshold : value < threshold;
}

function back({ bad }: AlertRule, threshold: number, { value }: Measured): boolean {
  if (typeof value !== 'number') return value === 'gone';
  return bad === 'above' ? value < threshold : value > threshold;
}

function critPast(rule: AlertRule, measured: Measured): boolean {
  const { crit } = rule;
  if (crit === null || !past(rule, crit.raise, measured)) return false;
  return crit.also === undefined || measured.also === undefined || measured.also < crit.also.raise;
}

function critBack(rule: AlertRule, measured: Measured): boolean {
  const { crit } = rule;
  if (crit === null || back(rule, crit.clear, measured)) return true;
  return crit.also !== undefined && measured.also !== undefined && measured.also > crit.also.clear;
}

type Said = Omit<AlertTransition, 'value'>;

/** No alert is open: pending, or raised. Changes the fresh state it is handed, as all below. */
function closed(state: AlertState, rule: AlertRule): Said | null {
  const { since, ran } = state;
  state.phase = since.warn === null ? 'ok' : 'pending';
  if (since.warn === null || ran - since.warn < rule.raiseAfterMs) return null;
  const level = lasts(since.crit, ran, rule.raiseAfterMs) ? 'crit' : 'warn';
  const soon = state.clearedAt !== null && ran - state.clearedAt < FLAP_WINDOW_MS;
  state.flaps = soon ? state.flaps + 1 : 0;
  state.phase = level;
  state.level = level;
  state.top = level;
  return upwards(state, rule, 'raised', level);
}

function open(state: AlertState, before: AlertState, rule: AlertRule): Said | null {
  const { since, ran, level } = state;
  if (level === 'warn' && lasts(since.crit, ran, rule.raiseAfterMs)) {
    state.phase = 'crit';
    state.level = 'crit';
    state.top = 'crit';
    return upwards(state, rule, 'changed', 'crit');
  }
  const clearing = since.noWarn !== null;
  if (before.phase === 'clearing' && !clearing) state.flaps += 1;
  state.phase = clearing ? 'clearing' : (level ?? 'warn');
  if (lasts(since.noWarn, ran, clearAfter(state, rule))) return cleared(state, rule);
  if (level === 'crit' && !clearing && lasts(since.noCrit, ran, clearAfter(state, rule))) {
    return relieved(state, rule);
  }
  return remind(state, rule);
}

function lasts(since: number | null, ran: number, ms: number): boolean {
  return since !== null && ran - since >= ms;
}

function mayTell(state: AlertState, level: AlertLevel): boolean {
  if (state.notices.length < NOTICES_PER_HOUR) return true;
  return level === 'crit' && !state.notices.some(({ crit }) => crit);
}

function tell(state: AlertState, level: AlertLevel | null): true {
  state.notices = [...state.notices, { at: state.ran, crit: level === 'crit' }];
  state.told = level;
  return true;
}

/** Never waits (A12); whether it is told depends on what was told before (A14). */
function upwards(state: AlertState, rule: AlertRule, type: 'raised' | 'changed', level: AlertLevel): Said {
  const told = mayTell(state, level) && tell(state, level);
  return said(type, level, raiseOf(rule, level), state.ran - (state.since[level] ?? state.ran), told);
}

/** From crit back to warn: waits until it may be told, where crit was told. */
function relieved(state: AlertState, rule: AlertRule): Said | null {
  if (state.told === 'crit' && !mayTell(state, 'warn')) return null;
  const told = state.told === 'crit' && tell(state, 'warn');
  state.phase = 'warn';
  state.level = 'warn';
  return said('changed', 'warn', clearOf(rule, 'crit'), state.ran - (state.since.noCrit ?? state.ran), told);
}

/** Waits until it may be told, where the alert was told (A15). */
function cleared(state: AlertState, rule: AlertRule): Said | null {
  if (state.told !== null && !mayTell(state, 'warn')) return null;
  const told = state.told !== null && tell(state, null);
  const { top, ran, since } = state;
  state.phase = 'ok';
  state.level = null;
  state.top = null;
  state.clearedAt = ran;
  return said('cleared', top ?? 'warn', clearOf(rule, 'warn'), ran - (since.noWarn ?? ran), told);
}

/** An open alert that nobody was told of in full, and that still holds, is told as soon as it may be. */
function remind(state: AlertState, rule: AlertRule): Said | null {
  const { level, told, since, ran } = state;
  if (level === null || level === told || told === 'crit' || state.phase === 'clearing') return null;
  if (since[level] === null || !mayTell(state, level)) return null;
  tell(state, level);
  return said('changed', level, raiseOf(rule, level), ran - (since[level] ?? ran), true);
}

function raiseOf(rule: AlertRule, level: AlertLevel): number {
  return (level === 'crit' ? rule.crit : rule.warn)?.raise ?? rule.warn.raise;
}

function clearOf(rule: AlertRule, level: AlertLevel): number {
  return (level === 'crit' ? rule.crit : rule.warn)?.clear ?? rule.warn.clear;
}

function said(
  type: AlertTransition['type'],
  level: AlertLevel,
  threshold: number,
  ms: number,
  told: boolean,
): Said {
  return { type, level, threshold, forSeconds: Math.floor(ms / 1000), told };
}
