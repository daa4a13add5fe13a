/**
 * Words and shapes of device alerts, as both sides use them. The state machine that makes them is `alert-machine.ts`.
 *
 * An alert is one episode: its id is made when it is raised and ends with it. What it is about is the check and, for
 * disks, the index that samples use for it; names of disks are personal to a host and lie sealed in `host.named`.
 */

/** What no host says of itself: it would have to know the roster or the register, or is what the host has not said, or how long ago. */
export const COLLECTOR_CHECKS = [
  'agent-silent',
  'session-unknown',
  'session-denied',
  'session-hours',
  'session-long',
  'audit-missed',
  'sweep-waiting',
  'root-suspect',
  'recordings-overdue',
  'clock-stepped',
  'camera-unknown',
  'hold-notice',
  'hold-review',
  'hold-pending',
  'hold-violated',
] as const;

/** What is watched. Those of `COLLECTOR_CHECKS` are the collector's; the others are the agent's own. */
export const ALERT_CHECKS = [
  'disk-space',
  'disk-fill',
  'inodes',
  'cpu',
  'memory',
  'clock-offset',
  'spool',
  'state-disk',
  'hold-disk',
  ...COLLECTOR_CHECKS,
] as const;
export type AlertCheck = (typeof ALERT_CHECKS)[number];

export type CollectorCheck = (typeof COLLECTOR_CHECKS)[number];

export function isCollectorCheck(check: AlertCheck): check is CollectorCheck {
  return (COLLECTOR_CHECKS as readonly string[]).includes(check);
}

export const ALERT_LEVELS = ['warn', 'crit'] as const;
export type AlertLevel = (typeof ALERT_LEVELS)[number];

/** Who is told beyond the ledger: `audit`, about Tilsyn itself and its disks only; `all`; `none`. */
export const NOTIFY = ['audit', 'all', 'none'] as const;
export type Notify = (typeof NOTIFY)[number];
