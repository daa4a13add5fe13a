/**
 * What sessions people are told of: pure. The machine is `protocol/alert-machine.ts`.
 *
 * U18 Sessions outside working hours, and long ones, judge staff: they are told of only where `collector.json` says so,
 *     for everybody or for one customer.
 * U19 An alert from sessions says how many or how long, and of which host: never whose session it was, nor which.
 */
import type { AlertRule } from '../protocol/alert-machine.ts';
import { RULES } from '../protocol/alert-rules.ts';
import type { AgentId, CustomerId } from '../protocol/ids.ts';
import { HOUR_MS, SECOND_MS, type UtcMs } from '../protocol/time.ts';
import { zoneOffsetMs } from '../protocol/zone.ts';
import type { SessionAlerts, SessionRules } from './config.ts';

export const SESSION_CHECKS = ['session-unknown', 'session-denied', 'session-hours', 'session-long'] as const;
export type SessionCheck = (typeof SESSION_CHECKS)[number];

/** What began within this long counts. */
export const WINDOW_MS = HOUR_MS;

/** Of a session, what the rules look at. */
export interface Watched {
  agent: AgentId;
  customer: CustomerId;
  startedAt: UtcMs;
  active: boolean;
  failedAttempts: number;
  /** Whether the roster knows who came; null: nothing is known to ask it by. */
  known: boolean | null;
}

/** The rules of a customer; absent ones are off. */
export function rulesOf(
  settings: SessionAlerts,
  customer: CustomerId,
  hasRoster: boolean,
): Partial<Record<SessionCheck, AlertRule>> {
  const { unknown, deniedMoreThan, workingHours, longerThanHours } = settingsOf(settings, customer);
  const denied = deniedMoreThan === undefined ? RULES['session-denied'].warn.raise : deniedMoreThan;
  const seconds = longerThanHours === undefined ? null : (longerThanHours * HOUR_MS) / SECOND_MS;
  return {
    // Without a roster everybody is unknown, and an alert for each session says nothing.
    ...((unknown ?? hasRoster) ? { 'session-unknown': RULES['session-unknown'] } : {}),
    ...(denied === null ? {} : { 'session-denied': above('session-denied', denied, 1) }),
    ...(workingHours === undefined ? {} : { 'session-hours': RULES['session-hours'] }),
    ...(seconds === null ? {} : { 'session-long': above('session-long', seconds, seconds) }),
  };
}

export function settingsOf(settings: SessionAlerts, customer: CustomerId): SessionRules {
  return settings.customers?.[customer] ?? settings;
}

function above(check: SessionCheck, raise: number, clear: number): AlertRule {
  return { ...RULES[check], warn: { raise, clear } };
}

/** What is measured of one host, of each check. */
export function measure(
  sessions: readonly Watched[],
  denied: number,
  { workingHours }: SessionRules,
  now: UtcMs,
): Record<SessionCheck, number> {
  const recent = sessions.filter(({ startedAt }) => startedAt > now - WINDOW_MS);
  const present = sessions.filter((one) => one.active || recent.includes(one));
  const count = (is: (one: Watched) => boolean) => present.filter(is).length;
  const lasted = sessions.filter(({ active }) => active).map(({ startedAt }) => now - startedAt);
  return {
    'session-unknown': count(({ known }) => known === false),
    'session-denied': denied + recent.reduce((sum, { failedAttempts }) => sum + failedAttempts, 0),
    'session-hours': count(
      ({ startedAt }) => workingHours !== undefined && isOutside(startedAt, workingHours),
    ),
    'session-long': Math.floor(Math.max(0, ...lasted) / SECOND_MS),
  };
}

/** By the clocks of the zone at that instant. */
export function isOutside(at: UtcMs, hours: NonNullable<SessionRules['workingHours']>): boolean {
  const local = new Date(at + zoneOffsetMs(at, hours.zone));
  const day = local.getUTCDay() === 0 ? 7 : local.getUTCDay();
  const clock = local.toISOString().slice(11, 16);
  return !hours.days.includes(day) || clock < hours.from || clock >= hours.to;
}
