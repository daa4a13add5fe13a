/**
 * What silence means: pure. The machine is `protocol/alert-machine.ts`; its rules for hosts are in
 * `protocol/alert-rules.ts`.
 *
 * U1  Silence is counted only while this collector listened: from the last word, but never from before it listened and
 *     every host had its time to come back. What was said of a host before a restart stands until it is heard, or
 *     was silent for long enough again.
 * U2  Late, offline and never connected are one alert each, and `agent.late` and `agent.offline` one event for each
 *     time that a host becomes so.
 */
import { ALERT_OK, type AlertState, type AlertTransition, stepAlert } from '../protocol/alert-machine.ts';
import { alertEvent, NEVER_CONNECTED, RULES } from '../protocol/alert-rules.ts';
import type { AgentId, Random } from '../protocol/ids.ts';
import { newId } from '../protocol/ids.ts';
import { MINUTE_MS, SECOND_MS } from '../protocol/time.ts';
import type { AlertId, SilentHost } from './store/types.ts';
import type { OwnDraft } from './types.ts';

export const LOOK_MS = 15 * SECOND_MS;
/** Agents that found nobody wait up to this long before they try again (back-off of the protocol). */
export const RETURN_MS = 5 * MINUTE_MS;
/** A machine whose last alert is this long ago has forgotten it. */
const FORGET_MS = 60 * MINUTE_MS;

/** What is kept of a host that is silent, or was not long ago. */
export interface Silent {
  /** The open episode. */
  alert: AlertId | null;
  state: AlertState;
}

/** When this collector began to listen, and until when a host was kept waiting for approval. */
export interface Heard {
  listening: number;
  waitedUntil?: number;
}

export const NOT_SILENT: Silent = { alert: null, state: ALERT_OK };

/** True where nothing of it matters any more. */
export function isOver({ alert, state }: Silent): boolean {
  const { phase, clearedAt, ran, notices } = state;
  return (
    alert === null &&
    phase === 'ok' &&
    notices.length === 0 &&
    (clearedAt === null || ran - clearedAt >= FORGET_MS)
  );
}

/** Seconds of silence as far as it was listened to; null: not known (U1). */
export function silenceOf(host: SilentHost, { state }: Silent, heard: Heard, now: number): number | null {
  const last = host.lastSeenAt ?? host.enrolledAt;
  const known = last >= heard.listening;
  const from = Math.max(known ? last : heard.listening + RETURN_MS, heard.waitedUntil ?? 0);
  const seconds = Math.max(0, (now - from) / SECOND_MS);
  const longEnough = seconds > ruleOf(host).warn.raise;
  return known || longEnough || state.level === null ? seconds : null;
}

function ruleOf({ firstSeenAt }: SilentHost) {
  return firstSeenAt === null ? NEVER_CONNECTED : RULES['agent-silent'];
}

export interface Looked {
  silent: Silent;
  events: OwnDraft[];
}

/** One look at one host. `host` null: it is not watched any more. */
export function lookAt(
  agent: AgentId,
  host: SilentHost | null,
  before: Silent,
  heard: Heard,
  now: number,
  random: Random,
): Looked {
  const rule = host === null ? RULES['agent-silent'] : ruleOf(host);
  const value = host === null ? ('gone' as const) : silenceOf(host, before, heard, now);
  const measured = { value, now, atMostMs: 1.5 * LOOK_MS };
  const { state, transition } = stepAlert(before.state, rule, measured);
  if (transition === null) return { silent: { ...before, state }, events: [] };
  const alert = before.alert ?? newId<'alert'>(random);
  const subject = { alert, check: 'agent-silent' as const, index: null, agent };
  const events = [
    alertEvent(subject, transition, 'all') as OwnDraft,
    ...became(agent, host, before, transition),
  ];
  return { silent: { alert: transition.type === 'cleared' ? null : alert, state }, events };
}

/** The event of becoming late or offline; a reminder, and a host that never connected, is neither. */
function became(
  agent: AgentId,
  host: SilentHost | null,
  { state }: Silent,
  { type, level }: AlertTransition,
): OwnDraft[] {
  if (host?.firstSeenAt == null || type === 'cleared' || level === state.level) return [];
  if (level === 'warn' && state.level !== null) return [];
  const reason = level === 'crit' ? 'offline' : 'late';
  return [{ type: `agent.${reason}`, data: { agent, token: null, reason } }];
}
