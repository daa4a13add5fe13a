/**
 * When a host's self-audits are late: pure. The machine is `protocol/alert-machine.ts`.
 *
 * V82 The collector raises an alert once a host's newest audit came longer ago than one and a half of its periods, by this
 *     collector's clock; of a host that never told of one, a day is the period and its enrolment the beginning. It counts
 *     nothing while it has only begun to listen, and of no host that is revoked, waits, or whose agreement is over.
 */
import { stepAlert } from '../protocol/alert-machine.ts';
import { alertEvent, RULES } from '../protocol/alert-rules.ts';
import { newId, type Random } from '../protocol/ids.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../protocol/time.ts';
import type { AgentRow, AgreementRow, AuditWatchRow } from './store/types.ts';
import type { OwnDraft } from './types.ts';

export const LOOK_MS = MINUTE_MS;
/** One and a half of its periods. */
export const LATE_PERMILLE = RULES['audit-missed'].warn.raise;
/** Hosts come back within five minutes and send what waited: before that nothing is known. */
export const SETTLE_MS = 15 * MINUTE_MS;
/** Of a host that never said: what `schedule.selfAudit` is unless it is set. */
const USUAL_MS = DAY_MS;
/** A schedule of minutes is not held to half a minute. */
const LEAST_MS = HOUR_MS;

/** The newest audit of a host; null: it never told of one. */
export interface Newest {
  receivedAt: number;
  everySeconds: number | null;
}

/** Per mille of its period since the last audit; null: not known now; `gone`: nothing is expected of this host. */
export function lateness(
  host: Pick<AgentRow, 'state' | 'enrolledAt'>,
  agreement: Pick<AgreementRow, 'state' | 'endsAt'> | null,
  newest: Newest | null,
  { now, listening }: { now: number; listening: number },
): number | null | 'gone' {
  const over = agreement !== null && (agreement.state === 'ended' || (agreement.endsAt ?? now + 1) <= now);
  if (host.state !== 'approved' || over) return 'gone';
  if (now - listening < SETTLE_MS) return null;
  // A schedule that means nothing that is near: there is nothing to wait for.
  if (newest !== null && newest.everySeconds === null) return 0;
  const every = newest === null ? USUAL_MS : (newest.everySeconds ?? 0) * SECOND_MS;
  const since = newest?.receivedAt ?? host.enrolledAt;
  return Math.max(0, Math.floor(((now - since) * 1000) / Math.max(every, LEAST_MS)));
}

export interface AuditStep {
  row: AuditWatchRow;
  event: OwnDraft | null;
}

/** One look at one host. */
export function stepAudit(
  before: AuditWatchRow,
  value: number | null | 'gone',
  now: number,
  random: Random,
): AuditStep {
  const { agent } = before;
  const measured = { value, now, atMostMs: 1.5 * LOOK_MS };
  const { state, transition } = stepAlert(before.state, RULES['audit-missed'], measured);
  if (transition === null) return { row: { ...before, state }, event: null };
  const alert = before.alert ?? newId<'alert'>(random);
  const event = alertEvent({ alert, check: 'audit-missed', index: null, agent }, transition, 'all');
  return {
    row: { agent, alert: transition.type === 'cleared' ? null : alert, state },
    event: event as OwnDraft,
  };
}
