/**
 * The pure part of the projection of alerts: what raised, changed, cleared and acked mean for their rows.
 *
 * Y8  An alert is changed by its own teller only: the host that raised it, or the collector; whatever id is named.
 *     What is the collector's (`COLLECTOR_CHECKS`) is its alone.
 * Y9  Of one host at most `MAX_OPEN_ALERTS` are open, and of one check and disk one: a new episode ends the one
 *     before. What finds no room is counted and stays a leaf.
 */
import { isCollectorCheck } from '../protocol/alert.ts';
import type { AgentId } from '../protocol/ids.ts';
import type { Fact, FactOf, HostOf } from './projections-facts.ts';
import type { AlertId, AlertRow } from './store/types.ts';

/** Three checks for each of the 64 disks that a host may name, and the others. */
export const MAX_OPEN_ALERTS = 256;

const TOLD = ['alert.raised', 'alert.changed', 'alert.cleared'] as const;
type ToldFact = FactOf<(typeof TOLD)[number]>;
type AlertFact = ToldFact | FactOf<'alert.acked' | 'agent.revoked'>;

/** Alerts that a batch touches. */
export interface AlertState {
  rows: Map<AlertId, AlertRow>;
  /** Ids of the open ones, of each host that the batch speaks of. */
  open: Map<AgentId, Set<AlertId>>;
  /** Hosts that the collector's own leaves speak of. */
  hosts: Map<AgentId, HostOf>;
  changed: Set<AlertId>;
  /** Episodes of this batch that found no room (Y9). */
  beyond: number;
}

export function newAlertState(): AlertState {
  return { rows: new Map(), open: new Map(), hosts: new Map(), changed: new Set(), beyond: 0 };
}

export function isAlert(fact: Fact): fact is AlertFact {
  return fact.type.startsWith('alert.') || fact.type === 'agent.revoked';
}

function isTold(fact: Fact): fact is ToldFact {
  return (TOLD as readonly string[]).includes(fact.type);
}

/** Ids and hosts whose rows `reduceAlert` will look at. */
export function touchedAlerts(facts: readonly Fact[]): { alerts: AlertId[]; agents: AgentId[] } {
  const touched = facts.filter(isAlert);
  const alerts = touched.flatMap(({ data }) => ('alert' in data ? [data.alert as AlertId] : []));
  const agents = touched.flatMap(
    ({ owner, data }) => owner?.agent ?? ('agent' in data ? ((data.agent as AgentId | null) ?? []) : []),
  );
  return { alerts: [...new Set(alerts)], agents: [...new Set(agents)] };
}

/** Takes in a stored row. */
export function noteAlert(state: AlertState, row: AlertRow): void {
  state.rows.set(row.alert, row);
  const open = state.open.get(row.agent) ?? new Set();
  if (row.state === 'open') open.add(row.alert);
  else open.delete(row.alert);
  state.open.set(row.agent, open);
}

function put(state: AlertState, row: AlertRow): void {
  noteAlert(state, row);
  state.changed.add(row.alert);
}

export function reduceAlert(state: AlertState, fact: AlertFact): void {
  if (isTold(fact)) told(state, fact);
  // Only the collector says who looked and who was revoked.
  else if (fact.owner !== null) return;
  else if (fact.type === 'alert.acked') acked(state, fact);
  else endAll(state, fact);
}

function acked(state: AlertState, { data, at }: FactOf<'alert.acked'>): void {
  const row = state.rows.get(data.alert as AlertId);
  if (row === undefined || row.ackedAt !== null) return;
  put(state, { ...row, ackedAt: at, ackedBy: data.person as AlertRow['ackedBy'] });
}

/** A revoked host says nothing more, so nothing of it would ever be cleared. */
function endAll(state: AlertState, { data, at }: FactOf<'agent.revoked'>): void {
  for (const id of [...(state.open.get(data.agent as AgentId) ?? [])]) {
    const row = state.rows.get(id);
    if (row !== undefined) put(state, { ...row, state: 'cleared', clearedAt: at });
  }
}

/** The host that a leaf may speak of, by who wrote it (Y8). */
function hostOf(state: AlertState, { owner, data }: ToldFact): HostOf | null {
  if (owner === null) return state.hosts.get(data.agent as AgentId) ?? null;
  if (isCollectorCheck(data.check)) return null;
  return data.agent === null || data.agent === owner.agent ? owner : null;
}

function told(state: AlertState, fact: ToldFact): void {
  const host = hostOf(state, fact);
  if (host === null) return;
  const row = state.rows.get(fact.data.alert as AlertId);
  if (row !== undefined) {
    const theirs = row.agent === host.agent && row.own === (fact.owner === null);
    if (theirs && row.state === 'open') put(state, { ...row, ...saying(fact) });
    return;
  }
  // Of an episode whose beginning was lost with an agent's database the next telling is the first.
  if (fact.type !== 'alert.cleared') begin(state, host, fact);
}

function begin(state: AlertState, host: HostOf, fact: ToldFact): void {
  const { agent, customer, site, agreement } = host;
  const own = fact.owner === null;
  const { alert, check, index } = fact.data;
  const open = [...(state.open.get(agent) ?? [])].flatMap((id) => state.rows.get(id) ?? []);
  const before = open.filter((row) => row.own === own && row.check === check && row.index === index);
  for (const row of before) put(state, { ...row, state: 'cleared', clearedAt: fact.at });
  if (open.length - before.length >= MAX_OPEN_ALERTS) {
    state.beyond += 1;
    return;
  }
  put(state, {
    alert: alert as AlertId,
    ...{ agent, customer, site, agreement, own, check, index },
    raisedAt: fact.at,
    clearedAt: null,
    ackedAt: null,
    ackedBy: null,
    raisedPos: fact.pos,
    ...saying(fact),
  });
}

/** What each telling says anew. */
function saying({ type, data, at }: ToldFact) {
  const { level, notify, value, threshold, forSeconds } = data;
  const over =
    type === 'alert.cleared' ? { state: 'cleared' as const, clearedAt: at } : { state: 'open' as const };
  return { level, notify, value, threshold, forSeconds, changedAt: at, ...over };
}
