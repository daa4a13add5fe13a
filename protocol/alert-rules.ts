/**
 * The rules of alerts as data. Thresholds and delays are those that Netdata ships, and for memory, clock and agents
 * those of node-mixin, Wazuh and Elastic Fleet; where a check needs another number here, the reason stands beside it.
 */
import type { AlertCheck, AlertLevel, Notify } from './alert.ts';
import type { AlertRule, AlertTransition } from './alert-machine.ts';
import type { EventData } from './event.ts';
import type { Id } from './ids.ts';
import { HOUR_MS, MINUTE_MS } from './time.ts';

const HOUR_S = 3600;
const GIB_MB = 1024;

/** Up after a minute, down after a quarter of an hour, at most an hour. */
const USUAL = { raiseAfterMs: MINUTE_MS, clearAfterMs: 15 * MINUTE_MS, clearAfterMaxMs: HOUR_MS };

/** Per mille used; crit only where less than 5 GB are free: 2 % of a large disk are plenty. `also`: MB free. */
const DISK: AlertRule = {
  ...USUAL,
  bad: 'above',
  warn: { raise: 900, clear: 800 },
  crit: { raise: 980, clear: 900, also: { raise: 5 * GIB_MB, clear: 10 * GIB_MB } },
};

/** What a forecast says of a disk that does not fill up: further than any threshold. Seconds. */
export const NEVER_FULL_S = 30 * 24 * HOUR_S;
/** How far back a forecast looks, and the least of it that it can be made from. */
export const FORECAST_MS = HOUR_MS;
export const FORECAST_MIN_MS = 15 * MINUTE_MS;
/** CPU is looked at as the mean of this long. */
export const CPU_MEAN_MS = 10 * MINUTE_MS;

/** A count of what should not be at all. It has lasted an hour by itself when it is gone. */
const SESSIONS: AlertRule = {
  bad: 'above',
  warn: { raise: 0, clear: 1 },
  crit: null,
  raiseAfterMs: 0,
  clearAfterMs: MINUTE_MS,
  clearAfterMaxMs: HOUR_MS,
};

/** Reminded of three days before, critical once it is due. */
const DUE: AlertRule = {
  ...SESSIONS,
  warn: { raise: 1, clear: 1 },
  crit: { raise: 72 * HOUR_S, clear: 1 },
};

export const RULES = {
  'disk-space': DISK,
  /** Seconds until it is full, by the slope of the last hour. */
  'disk-fill': {
    ...USUAL,
    bad: 'below',
    warn: { raise: 8 * HOUR_S, clear: 48 * HOUR_S },
    crit: { raise: 2 * HOUR_S, clear: 24 * HOUR_S },
  },
  /** Per mille used. */
  inodes: { ...USUAL, bad: 'above', warn: { raise: 900, clear: 800 }, crit: { raise: 980, clear: 900 } },
  /** Per mille of all cores, mean of ten minutes. */
  cpu: { ...USUAL, bad: 'above', warn: { raise: 850, clear: 750 }, crit: { raise: 950, clear: 850 } },
  /** Per mille used. No level above it is known to mean anything; five minutes, because builds and backups peak. */
  memory: {
    ...USUAL,
    bad: 'above',
    warn: { raise: 900, clear: 800 },
    crit: null,
    raiseAfterMs: 5 * MINUTE_MS,
  },
  /**
   * Milliseconds between the collector's clock and ours, either way. 50 ms, as for NTP, cannot be measured over one
   * way of a network; 2 s is where the order of events on two machines begins to be in doubt.
   */
  'clock-offset': {
    ...USUAL,
    bad: 'above',
    warn: { raise: 2_000, clear: 1_000 },
    crit: { raise: 60_000, clear: 30_000 },
    raiseAfterMs: 5 * MINUTE_MS,
  },
  /** Seconds that the oldest event has waited for its ack. */
  spool: {
    ...USUAL,
    bad: 'above',
    warn: { raise: HOUR_S, clear: HOUR_S / 6 },
    crit: { raise: 24 * HOUR_S, clear: HOUR_S },
  },
  /** As disk-space, of the disk that the state directory lies on. */
  'state-disk': DISK,
  /**
   * Seconds until a disk is full because of holds (R9): within a month somebody can buy a disk,
   * or ask for a release that wants four eyes.
   */
  'hold-disk': {
    ...USUAL,
    bad: 'below',
    warn: { raise: 30 * 24 * HOUR_S, clear: 35 * 24 * HOUR_S },
    crit: { raise: 7 * 24 * HOUR_S, clear: 10 * 24 * HOUR_S },
  },
  /** Seconds without a word: late after 2 minutes, offline after 15; clear a minute after the first word. */
  'agent-silent': {
    bad: 'above',
    warn: { raise: 120, clear: 120 },
    crit: { raise: 900, clear: 120 },
    // The value is a duration itself: what it has waited for is over when it is reached.
    raiseAfterMs: 0,
    clearAfterMs: MINUTE_MS,
    clearAfterMaxMs: HOUR_MS,
  },
  /** Sessions of the last hour, or that run, by somebody whom the roster does not know. */
  'session-unknown': SESSIONS,
  /** Denied attempts of the last hour; the number is a setting (`collector/session-alerts-rules.ts`). */
  'session-denied': { ...SESSIONS, warn: { raise: 4, clear: 1 } },
  /** Sessions of the last hour, or that run, that began outside working hours. */
  'session-hours': SESSIONS,
  /** Seconds that the longest running session has lasted; the number is a setting. */
  'session-long': { ...SESSIONS, warn: { raise: 8 * HOUR_S, clear: 8 * HOUR_S } },
  /** Per mille of the time between two self-audits of a host that has passed since its last one. */
  'audit-missed': {
    bad: 'above',
    warn: { raise: 1_500, clear: 1_500 },
    crit: { raise: 4_000, clear: 1_500 },
    // As silence: the value is a duration itself.
    raiseAfterMs: 0,
    clearAfterMs: MINUTE_MS,
    clearAfterMaxMs: HOUR_MS,
  },
  /** Seconds that the sweep of a root has waited: with an hour every scheduled one did, with a day H4 is broken. */
  'sweep-waiting': {
    ...SESSIONS,
    warn: { raise: HOUR_S, clear: 1 },
    crit: { raise: 24 * HOUR_S, clear: 1 },
    clearAfterMs: 5 * MINUTE_MS,
  },
  /** Roots under which something else lies than what was accepted. */
  'root-suspect': { ...SESSIONS, clearAfterMs: 5 * MINUTE_MS },
  /** Recordings past their time that are still there, for no reason that keeps them lawfully. */
  'recordings-overdue': { ...SESSIONS, clearAfterMs: 5 * MINUTE_MS },
  /** Steps of more than five minutes in the last hour, or a host without trusted time. */
  'clock-stepped': SESSIONS,
  /** Cameras that are in no register. */
  'camera-unknown': { ...SESSIONS, clearAfterMs: 5 * MINUTE_MS },
  /** Seconds since three days before a hold's notice is due, of the one that is due first (`collector/holds/alerts.ts`). */
  'hold-notice': DUE,
  /** The same of a hold's review. */
  'hold-review': DUE,
  /** Seconds that a hold has waited to be in force on a host, to be protected there, or to be seen to by hand. */
  'hold-pending': { ...SESSIONS, warn: { raise: HOUR_S, clear: 1 }, crit: { raise: 24 * HOUR_S, clear: 1 } },
  /** Held recordings that somebody else removed, cut off or replaced, told of within a day. */
  'hold-violated': SESSIONS,
} as const satisfies Record<AlertCheck, AlertRule>;

/** Seconds since enrolment without a first word; another rule of `agent-silent`. */
export const NEVER_CONNECTED: AlertRule = {
  bad: 'above',
  warn: { raise: 1800, clear: 1800 },
  crit: null,
  raiseAfterMs: 0,
  clearAfterMs: MINUTE_MS,
  clearAfterMaxMs: HOUR_MS,
};

/** Checks that are about Tilsyn itself: with `notify: audit` these and no others are told. */
const ABOUT_TILSYN: ReadonlySet<AlertCheck> = new Set([
  'clock-offset',
  'spool',
  'state-disk',
  'hold-disk',
  'agent-silent',
  'audit-missed',
]);

/** Who is told of a transition, as its event says it. `setting`: what the operator chose. */
export function notifyOf(check: AlertCheck, setting: Notify, told: boolean): Notify {
  if (!told || setting === 'none') return 'none';
  if (ABOUT_TILSYN.has(check)) return 'audit';
  return setting === 'all' ? 'all' : 'none';
}

export interface AlertSubject {
  /** The episode: a new id for each `raised`. */
  alert: Id<'alert'>;
  check: AlertCheck;
  /** Disk, as samples number them; null: the machine. */
  index: number | null;
  /** The host that the collector speaks of; null: the agent that speaks. */
  agent: EventData<'alert.raised'>['agent'];
}

/** Whether what an event says of who is told means that webhooks are. */
export function isForPeople(check: AlertCheck, notify: Notify): boolean {
  return notify === 'all' || (notify === 'audit' && ABOUT_TILSYN.has(check));
}

/** The event of a transition. */
export function alertEvent(
  subject: AlertSubject,
  transition: AlertTransition,
  setting: Notify,
): { type: 'alert.raised' | 'alert.changed' | 'alert.cleared'; data: EventData<'alert.raised'> } {
  const { type, told, ...rest } = transition;
  const level: AlertLevel = rest.level;
  return {
    type: `alert.${type}`,
    data: { ...subject, ...rest, level, notify: notifyOf(subject.check, setting, told) },
  };
}
