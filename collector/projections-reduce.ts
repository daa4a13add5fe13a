/** The pure part of the projections: one fact after the other changes the rows in memory. Laws: `projections.ts`. */

import type { EventData } from '../protocol/event.ts';
import type { AgentId, SessionId, SourceId } from '../protocol/ids.ts';
import { fromIso, SECOND_MS, type UtcMs, utcMs } from '../protocol/time.ts';
import { type AlertState, isAlert, newAlertState, reduceAlert } from './projections-alerts.ts';
import { type AuditState, isAudit, newAuditState, reduceAudit } from './projections-audits.ts';
import type { Fact, FactOf, Owner, ProjectedType } from './projections-facts.ts';
import {
  isRecording,
  newRecordingState,
  type RecordingState,
  reduceRecording,
} from './projections-recordings.ts';
import type { GapRow, Pos, SessionRow, SourceRow, WaitingRow } from './store/types.ts';

/** Facts of one session that wait for its start; what comes beyond them stays a leaf, and is counted (Y5). */
export const MAX_WAITING = 64;
/** Leaves with sealed parts that one session shows, its first ones (Y5). */
export const MAX_PART_POS = 64;

type SessionFact = FactOf<'session.updated' | 'session.ended' | 'session.merged' | 'session.explained'>;
type Beginning = FactOf<'session.attempted' | 'session.rejected' | 'session.started'>;
type SourceType = Extract<ProjectedType, `source.${string}`>;

/** Rows that a batch touches: loaded, changed, to be written. */
export interface State {
  sessions: Map<SessionId, SessionRow>;
  sources: Map<SourceId, SourceRow>;
  gaps: GapRow[];
  /** Newest `host.named` leaf. */
  named: Map<AgentId, Pos>;
  /** Newest `device.known` leaf. */
  devices: Map<AgentId, Pos>;
  /** Facts of sessions whose start has not come (Y4). */
  waiting: Map<SessionId, Fact[]>;
  /** How many wait for each session of the batch that has no row yet. */
  waitingCount: Map<SessionId, number>;
  /** Facts of this batch that found no more room to wait (Y5). */
  beyond: number;
  changedSessions: Set<SessionId>;
  changedSources: Set<SourceId>;
  /** Sessions that started with facts waiting for them. */
  woken: Set<SessionId>;
  /** New rows of those that wait. */
  newWaiting: WaitingRow[];
  alerts: AlertState;
  audits: AuditState;
  recordings: RecordingState;
}

export function newState(): State {
  return {
    ...{ sessions: new Map(), sources: new Map(), gaps: [], named: new Map(), devices: new Map() },
    ...{ waiting: new Map(), waitingCount: new Map(), beyond: 0, woken: new Set(), newWaiting: [] },
    changedSessions: new Set(),
    changedSources: new Set(),
    alerts: newAlertState(),
    audits: newAuditState(),
    recordings: newRecordingState(),
  };
}

/** Applies one fact to the state. Facts come in the order of `pos`. */
export function reduce(state: State, fact: Fact): void {
  if (begins(fact)) began(state, fact);
  else if (isSession(fact)) continued(state, fact);
  else if (isAlert(fact)) reduceAlert(state.alerts, fact);
  else if (isAudit(fact)) reduceAudit(state.audits, fact);
  else if (isRecording(fact)) reduceRecording(state.recordings, fact);
  else if (fact.type === 'journal.gap') gap(state, fact);
  else if (fact.type === 'host.named') newest(state.named, fact);
  else if (fact.type === 'device.known') newest(state.devices, fact);
  else source(state, fact);
}

const BEGINNINGS: ReadonlySet<string> = new Set<Beginning['type']>([
  'session.attempted',
  'session.rejected',
  'session.started',
]);

/** True for what a session's row is made of. */
export function isBeginning(type: string): boolean {
  return BEGINNINGS.has(type);
}

function begins(fact: Fact): fact is Beginning {
  return isBeginning(fact.type);
}

function isSession(fact: Fact): fact is SessionFact {
  return fact.type.startsWith('session.');
}

function newest(of: State['named'], { owner, sealed, pos }: Fact): void {
  if (owner !== null && sealed) of.set(owner.agent, pos);
}

function began(state: State, fact: Beginning): void {
  const { owner, data } = fact;
  if (owner === null) return;
  const session = data.session as SessionId;
  const present = state.sessions.get(session);
  if (present !== undefined) {
    // Told again, by a successor log: the first telling stands, its parts may be the only ones that open.
    if (present.agent === owner.agent) put(state, withLeaf(furtherThan(present, fact), fact));
    return;
  }
  put(state, withLeaf(newSession(fact, owner), fact));
  for (const waiting of state.waiting.get(session) ?? []) reduce(state, waiting);
  if (state.waiting.delete(session)) state.woken.add(session);
}

/** Who knocked was let in, or refused; nothing of it comes to pass twice. */
function furtherThan(row: SessionRow, fact: Beginning): SessionRow {
  if (row.state !== 'attempted' || fact.type === 'session.attempted') return row;
  return { ...row, ...beginningOf(fact) };
}

/** What the way of its beginning makes of a session. */
function beginningOf(fact: Beginning): Partial<SessionRow> {
  const { data, pos } = fact;
  const { kind, direction, startedAt, startBasis } = data;
  const begun = { kind, direction, startedAt: instant(startedAt), startBasis };
  if (fact.type === 'session.started') return { ...begun, state: 'active', startedPos: pos };
  if (fact.type === 'session.attempted') return { ...begun, state: 'attempted' };
  const { count = 1, until } = fact.data;
  const endedAt = until === undefined ? null : instant(until);
  return { ...begun, state: 'rejected', failedAttempts: count, endedAt };
}

function newSession(fact: Beginning, owner: NonNullable<Owner>): SessionRow {
  const { data, log, seq, pos } = fact;
  return {
    session: data.session as SessionId,
    ...owner,
    source: data.source as SourceId,
    tool: data.tool,
    direction: data.direction,
    kind: data.kind,
    mode: data.mode,
    state: 'active',
    startedAt: instant(data.startedAt),
    startBasis: data.startBasis,
    occurrence: data.occurrence,
    endedAt: null,
    endBasis: null,
    endReason: null,
    durationSeconds: null,
    auth: null,
    failedAttempts: null,
    files: null,
    confirmedBy: data.confirmedBy ?? [],
    log,
    firstSeq: seq,
    lastSeq: seq,
    startedPos: pos,
    partPos: [],
    mergedInto: null,
    explainedPos: null,
    connection: null,
    connectionAt: null,
    ...beginningOf(fact),
  };
}

/** An event about a session that has started, or will. */
function continued(state: State, fact: SessionFact): void {
  const session = fact.data.session as SessionId;
  const row = state.sessions.get(session);
  if (row === undefined) {
    wait(state, session, fact);
    return;
  }
  if (fact.type === 'session.merged') {
    // Only the collector says which sessions are one.
    if (fact.owner === null) merged(state, row, fact.data.into as SessionId);
    return;
  }
  if (fact.type === 'session.explained') {
    // Nor does a host say why somebody was there.
    if (fact.owner === null) explained(state, row, fact);
    return;
  }
  if (fact.owner?.agent !== row.agent) return;
  const next = {
    ...withLeaf(row, fact),
    ...(fact.type === 'session.ended' ? ended(row, fact) : updated(row, fact)),
  };
  put(state, next);
  fold(state, next);
}

function merged(state: State, row: SessionRow, into: SessionId): void {
  // A ring would have no session that stays.
  if (into === row.session || rootOf(state, into)?.session === row.session) return;
  const next = { ...row, mergedInto: into };
  put(state, next);
  fold(state, next);
}

/** Explained anew: the newest counts. */
function explained(state: State, row: SessionRow, { pos }: Fact): void {
  const next = { ...row, explainedPos: newer(row.explainedPos, pos) };
  put(state, next);
  fold(state, next);
}

function newer(a: Pos | null, b: Pos | null): Pos | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

/** What a merged session knows and the one that stays does not (Y6); what that one's own events say goes before. */
function fold(state: State, row: SessionRow): void {
  const root = row.mergedInto === null ? null : rootOf(state, row.mergedInto);
  if (root === null || root.session === row.session) return;
  const { endedAt, endBasis, endReason, durationSeconds } = row;
  const lacksEnd = root.endedAt === null && endedAt !== null;
  put(state, {
    ...root,
    ...(lacksEnd ? { state: row.state, endedAt, endBasis, endReason, durationSeconds } : {}),
    auth: root.auth ?? row.auth,
    failedAttempts: root.failedAttempts ?? row.failedAttempts,
    files: root.files ?? row.files,
    confirmedBy: union(root.confirmedBy, row.confirmedBy),
    explainedPos: newer(root.explainedPos, row.explainedPos),
    ...laterConnection(root, row),
  });
}

/** The session that stays, from any of its merged ones; null where it has no row. */
function rootOf(state: State, from: SessionId): SessionRow | null {
  const seen = new Set<SessionId>();
  for (let id = from; !seen.has(id); ) {
    seen.add(id);
    const row = state.sessions.get(id);
    if (row === undefined) return null;
    if (row.mergedInto === null) return row;
    id = row.mergedInto;
  }
  return null;
}

function union(some: readonly string[], more: readonly string[]): string[] {
  return [...new Set([...some, ...more])];
}

function wait(state: State, session: SessionId, fact: Fact): void {
  const count = state.waitingCount.get(session) ?? 0;
  if (count >= MAX_WAITING) {
    state.beyond += 1;
    return;
  }
  state.waitingCount.set(session, count + 1);
  addWaiting(state, session, fact);
  state.newWaiting.push({ session, pos: fact.pos });
}

/** Notes a fact that waits: in place, for a list that is copied per fact costs its square. */
export function addWaiting(state: State, session: SessionId, fact: Fact): void {
  const list = state.waiting.get(session);
  if (list === undefined) state.waiting.set(session, [fact]);
  else list.push(fact);
}

/** The end of an attempt makes no session of it. */
function ended({ state }: SessionRow, { data }: FactOf<'session.ended'>): Partial<SessionRow> {
  const over = data.reason === 'unknown' ? ('unknown-end' as const) : ('ended' as const);
  return {
    state: state === 'attempted' || state === 'rejected' ? state : over,
    endedAt: instant(data.endedAt),
    endBasis: data.endBasis,
    endReason: data.reason,
    durationSeconds: data.durationSeconds,
  };
}

/** What an update does not know stays as it was. */
function updated(row: SessionRow, { data }: FactOf<'session.updated'>): Partial<SessionRow> {
  return {
    auth: data.auth ?? row.auth,
    failedAttempts: data.failedAttempts ?? row.failedAttempts,
    files: data.files ?? row.files,
    kind: data.kind ?? row.kind,
    confirmedBy: union(row.confirmedBy, data.confirmedBy),
    ...(data.row === undefined ? {} : ofRow(row, data.row)),
    ...(data.connection === undefined
      ? {}
      : laterConnection(row, {
          connection: data.connection.state,
          connectionAt: instant(data.connection.at),
        })),
  };
}

type Connected = Pick<SessionRow, 'connection' | 'connectionAt'>;

/** Somebody leaves and comes back as often as they like: what was said of the latest instant counts, told last or not. */
function laterConnection(now: Connected, told: Connected): Connected {
  const later =
    (told.connectionAt ?? Number.NEGATIVE_INFINITY) >= (now.connectionAt ?? Number.NEGATIVE_INFINITY);
  const { connection, connectionAt } = later ? told : now;
  return { connection, connectionAt };
}

/** Times that the tool wrote in UTC stand above those of a log in local time; an end does once there is one. */
function ofRow(row: SessionRow, told: NonNullable<EventData<'session.updated'>['row']>): Partial<SessionRow> {
  const { kind, basis } = told;
  const [startedAt, endedAt] = [instant(told.startedAt), instant(told.endedAt)];
  const start = { startedAt, startBasis: basis, kind: row.kind === 'unknown' ? kind : row.kind };
  if (row.endedAt === null) return start;
  const durationSeconds = Math.max(0, Math.round((endedAt - startedAt) / SECOND_MS));
  return { ...start, endedAt, endBasis: basis, durationSeconds };
}

/** Notes the leaf: its place where it stands in the session's own log, its parts in any case. */
function withLeaf(row: SessionRow, { log, seq, pos, sealed }: Fact): SessionRow {
  return {
    ...row,
    lastSeq: log === row.log ? Math.max(row.lastSeq, seq) : row.lastSeq,
    partPos: sealed ? withPart(row.partPos, pos) : row.partPos,
  };
}

/** Ascending, and never longer than its limit: each event of a session costs the same. */
function withPart(list: Pos[], pos: Pos): Pos[] {
  if (list.length >= MAX_PART_POS) return list;
  const last = list.at(-1);
  if (last === undefined || pos > last) return [...list, pos];
  // What waited for the start stands before it.
  return list.includes(pos) ? list : [...list, pos].sort((a, b) => a - b);
}

function put(state: State, row: SessionRow): void {
  state.sessions.set(row.session, row);
  state.changedSessions.add(row.session);
}

function gap(state: State, { data, owner, pos, at }: FactOf<'journal.gap'>): void {
  if (owner === null) return;
  const from = data.fromAt === null ? null : instant(data.fromAt);
  const to = data.toAt === null ? null : instant(data.toAt);
  // Unknown bounds are as wide as the telling; a gap is never shown shorter than it is known to be.
  const [fromAt, toAt] = [from ?? at, to ?? at];
  state.gaps.push({
    pos,
    agent: owner.agent,
    source: data.source as SourceId | null,
    fromAt: utcMs(Math.min(fromAt, toAt)),
    toAt: utcMs(Math.max(fromAt, toAt)),
    reason: data.reason,
    count: data.count,
  });
}

function source(state: State, fact: FactOf<SourceType>): void {
  const { owner, data, at } = fact;
  if (owner === null) return;
  const id = data.source as SourceId;
  const present = state.sources.get(id);
  if (present !== undefined && present.agent !== owner.agent) return;
  const row = present ?? {
    source: id,
    agent: owner.agent,
    tool: data.tool,
    state: 'reading',
    since: at,
    skipped: 0,
    unreadable: 0,
  };
  state.sources.set(id, { ...row, ...sourceChange(row, fact) });
  state.changedSources.add(id);
}

function sourceChange(row: SourceRow, { type, data, at }: FactOf<SourceType>): Partial<SourceRow> {
  const become = (next: SourceRow['state']) => (row.state === next ? {} : { state: next, since: at });
  switch (type) {
    case 'source.lost':
      return become('lost');
    case 'source.skipped':
      return { skipped: sum(row.skipped, data.count ?? 1) };
    case 'source.unreadable':
      // With a count: lines that no parser knew. Without: the file itself could not be read.
      return data.count === null ? become('unreadable') : { unreadable: sum(row.unreadable, data.count) };
    default:
      return become('reading');
  }
}

/** Counts come from agents: a sum that no column holds would keep every later event from being stored. */
function sum(a: number, b: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, a + b);
}

/** The schema has checked the form. */
function instant(text: string): UtcMs {
  return fromIso(text) ?? utcMs(Number.NaN);
}
