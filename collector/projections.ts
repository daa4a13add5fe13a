/**
 * Projections: what leaves mean for sessions, sources, gaps and host names. The reducer is pure; this file loads
 * what a batch touches once, and writes it once.
 *
 * Y1  Projections depend on leaves and registry only, in the order of `pos`: rebuilt, they are the same.
 * Y2  A leaf whose type or fields this version does not know changes nothing. The first start of a version with
 *     other projections makes them anew, before anything is stored or read.
 * Y3  An agent's leaf touches its own sessions and sources only, whatever ids it names.
 * Y4  What comes before its session's start waits, and takes effect with the start.
 * Y5  No session costs more than its share: of what waits, and of leaves with sealed parts, the first ones count,
 *     the rest stay leaves; what found no room to wait is counted.
 * Y6  What a merged session knows and the one that stays does not is shown there, also when it comes later.
 * Y7  A leaf that a projection fails on is counted and changes nothing: it is stored and acked all the same, and the
 *     leaves around it count.
 */
import { TilsynError } from '../protocol/errors.ts';
import { isRecognised } from '../protocol/event.ts';
import type { AgentId, LogId, SessionId, SourceId } from '../protocol/ids.ts';
import type { Leaf } from '../protocol/leaf.ts';
import { noteAlert, touchedAlerts } from './projections-alerts.ts';
import { touchedAudits } from './projections-audits.ts';
import { type Fact, type HostOf, type Owner, PROJECTED_TYPES } from './projections-facts.ts';
import { loadRecordings, saveRecordings } from './projections-recordings.ts';
import { addWaiting, isBeginning, newState, reduce, type State } from './projections-reduce.ts';
import type { AgentRow, LeafRow, Pos, Reader, Store, Tx } from './store/types.ts';

const PROJECTED: ReadonlySet<string> = new Set(PROJECTED_TYPES);
/** Leaves per step of a rebuild: bounds memory, not the transaction. */
const REBUILD_STEP = 2_000;

/** To be raised with every change of what leaves mean: of the reducer, of `PROJECTED_TYPES`, of a schema of theirs. */
export const PROJECTION_VERSION = 8;
/** Meta key: the version that made the projections. */
const META_VERSION = 'projections';
/** Meta key: how many facts found no room to wait for their session's start (Y5). */
export const META_BEYOND = 'waiting_beyond';
/** Meta key: how many episodes of alerts found no room (Y9). */
export const META_ALERTS_BEYOND = 'alerts_beyond';
/** Meta key: how many leaves a projection failed on (Y7). */
export const META_FAILED = 'projections_failed';

/** A stored leaf; `leaf` where the caller has parsed it already. */
export type Stored = Pick<LeafRow, 'pos' | 'log' | 'seq' | 'bytes' | 'type' | 'at'> & { leaf?: Leaf };

/** Applies leaves that were just appended in this transaction, in the order of their positions. */
export async function applyLeaves(tx: Tx, leaves: readonly Stored[]): Promise<void> {
  const relevant = leaves.filter(({ type }) => PROJECTED.has(type));
  if (relevant.length > 0) await applyOrCount(tx, relevant);
}

/** By halves, so that of many only the one that fails is left out (Y7). */
async function applyOrCount(tx: Tx, leaves: readonly Stored[]): Promise<void> {
  try {
    await tx.attempt(() => apply(tx, leaves));
  } catch (error) {
    if (isOfStore(error)) throw error;
    if (leaves.length === 1) return await count(tx, META_FAILED, 1);
    const half = Math.ceil(leaves.length / 2);
    await applyOrCount(tx, leaves.slice(0, half));
    await applyOrCount(tx, leaves.slice(half));
  }
}

/** A full disk, a damaged file, a transaction that is over: no leaf is to blame. */
function isOfStore(error: unknown): boolean {
  return error instanceof TilsynError && (error.code !== 'store.failed' || error.retryable);
}

async function apply(tx: Tx, leaves: readonly Stored[]): Promise<void> {
  const facts = await factsOf(tx, leaves);
  if (facts.length === 0) return;
  const state = await load(tx, facts);
  for (const fact of facts) reduce(state, fact);
  await save(tx, state);
}

/** Drops all projections and makes them again from every leaf, in one transaction. */
export async function rebuild(tx: Tx): Promise<void> {
  await tx.clearProjections();
  for (const key of [META_BEYOND, META_ALERTS_BEYOND, META_FAILED]) await tx.setMeta(key, '0');
  for (let after = 0; ; ) {
    const leaves = await tx.leaves({ after, types: PROJECTED_TYPES, limit: REBUILD_STEP });
    await applyLeaves(tx, leaves);
    const last = leaves.at(-1);
    if (last === undefined) return;
    after = last.pos;
  }
}

/** Makes the projections anew where another version made them (Y2), an older one or a newer; says whether one did. */
export async function refreshProjections(store: Store): Promise<boolean> {
  const before = await store.read.meta(META_VERSION);
  if (before === String(PROJECTION_VERSION)) return false;
  await store.write(async (tx) => {
    await rebuild(tx);
    // A crash before this commit leaves the old ones and their version.
    await tx.setMeta(META_VERSION, String(PROJECTION_VERSION));
  });
  return before !== null;
}

/** The leaves that mean something here; the rest is `unrecognised` or of no projection (Y2). */
async function factsOf(reader: Reader, leaves: readonly Stored[]): Promise<Fact[]> {
  if (leaves.length === 0) return [];
  const owners = await ownersOf(reader, new Set(leaves.map(({ log }) => log)));
  return leaves.flatMap((stored) => {
    const owner = owners.get(stored.log);
    return owner === undefined ? [] : factOf(stored, owner);
  });
}

function factOf(stored: Stored, owner: Owner): Fact[] {
  const { data, pii } = stored.leaf ?? (JSON.parse(stored.bytes) as Leaf);
  const { pos, log, seq, at, type } = stored;
  if (!isRecognised(type, data)) return [];
  // Checked just now: `data` is what the schema of `type` says.
  return [{ pos, log, seq, at, type, data, owner, sealed: pii.length > 0 } as unknown as Fact];
}

/** Whose logs these are: agreement and site by the birth, for ever; the customer by the agreement. */
async function ownersOf(reader: Reader, logs: ReadonlySet<LogId>): Promise<Map<LogId, Owner>> {
  const owners = new Map<LogId, Owner>();
  for (const { log, agent, ...birth } of await reader.logStates([...logs])) {
    const row = agent === null ? null : await reader.agents.get(agent);
    if (agent === null) owners.set(log, null);
    if (row === null) continue;
    owners.set(log, await hostUnder(reader, row, birth.agreement ?? row.agreement, birth.site ?? row.site));
  }
  return owners;
}

async function hostUnder(
  reader: Reader,
  { agent, customer }: AgentRow,
  agreement: HostOf['agreement'],
  site: HostOf['site'],
): Promise<HostOf> {
  return { agent, customer: (await reader.agreements.get(agreement))?.customer ?? customer, site, agreement };
}

/** Reads once what the batch touches. */
async function load(tx: Tx, facts: readonly Fact[]): Promise<State> {
  const state = newState();
  const sessions = new Set<SessionId>();
  const sources = new Set<SourceId>();
  const starting = new Set<SessionId>();
  for (const { type, data } of facts) {
    if ('session' in data) sessions.add(data.session as SessionId);
    if ('into' in data) sessions.add(data.into as SessionId);
    if (isBeginning(type) && 'session' in data) starting.add(data.session as SessionId);
    if (type.startsWith('source.') && 'source' in data) sources.add(data.source as SourceId);
  }
  await loadSessions(tx, state, sessions);
  for (const source of sources) {
    const row = await tx.sources.get(source);
    if (row !== null) state.sources.set(source, row);
  }
  await loadWaiting(tx, state, sessions, starting);
  await loadAlerts(tx, state, facts);
  await loadAudits(tx, state, facts);
  await loadRecordings(tx, state.recordings, facts);
  return state;
}

/** The alerts that are named, and all that are open of the hosts that are spoken of. */
async function loadAlerts(tx: Tx, { alerts }: State, facts: readonly Fact[]): Promise<void> {
  const touched = touchedAlerts(facts);
  if (touched.alerts.length === 0 && touched.agents.length === 0) return;
  for (const row of await tx.alertsById(touched.alerts)) noteAlert(alerts, row);
  for (const row of await tx.openAlerts(touched.agents)) noteAlert(alerts, row);
  const told = facts.flatMap(({ owner, type, data }) =>
    owner === null && type.startsWith('alert.') && 'agent' in data
      ? ((data.agent as AgentId | null) ?? [])
      : [],
  );
  for (const agent of new Set(told)) {
    const row = await tx.agents.get(agent);
    if (row !== null) alerts.hosts.set(agent, await hostUnder(tx, row, row.agreement, row.site));
  }
}

/** Runs that are named, and who signed them. */
async function loadAudits(tx: Tx, { audits }: State, facts: readonly Fact[]): Promise<void> {
  const touched = touchedAudits(facts);
  for (const run of touched.runs) {
    const row = await tx.auditRuns.get(run);
    if (row !== null) audits.runs.set(run, row);
  }
  for (const signature of touched.signatures) {
    const row = await tx.auditSignatures.get(signature);
    if (row !== null) audits.signatures.set(signature, row);
  }
}

/** These sessions, and those that they were merged into. */
async function loadSessions(tx: Tx, state: State, sessions: Iterable<SessionId>): Promise<void> {
  const asked = new Set<SessionId>(state.sessions.keys());
  for (let next = [...sessions].filter((id) => !asked.has(id)); next.length > 0; ) {
    for (const id of next) asked.add(id);
    const rows = await tx.sessionsById(next);
    for (const row of rows) state.sessions.set(row.session, row);
    next = [...new Set(rows.flatMap(({ mergedInto }) => mergedInto ?? []))].filter((id) => !asked.has(id));
  }
}

/** Counts what waits for sessions without a row, and loads what waits for the starts of this batch (Y4). */
async function loadWaiting(
  tx: Tx,
  state: State,
  sessions: ReadonlySet<SessionId>,
  starting: ReadonlySet<SessionId>,
): Promise<void> {
  const absent = [...sessions].filter((id) => !state.sessions.has(id));
  const rows = absent.length === 0 ? [] : await tx.waiting(absent);
  if (rows.length === 0) return;
  const woken = rows.filter(({ session }) => starting.has(session));
  const facts = woken.length === 0 ? [] : await factsOf(tx, await tx.leavesAt(woken.map(({ pos }) => pos)));
  // What waits may be a merge, whose other session nothing else of this batch names.
  const into = facts.flatMap(({ data }) => ('into' in data ? (data.into as SessionId) : []));
  await loadSessions(tx, state, into);
  const byPos = new Map(facts.map((fact) => [fact.pos, fact]));
  for (const { session, pos } of rows) {
    state.waitingCount.set(session, (state.waitingCount.get(session) ?? 0) + 1);
    const fact = byPos.get(pos);
    if (fact !== undefined) addWaiting(state, session, fact);
  }
}

/** Writes once what changed. */
async function save(tx: Tx, state: State): Promise<void> {
  await tx.putSessions(present(state.sessions, state.changedSessions));
  await tx.sources.put(present(state.sources, state.changedSources));
  if (state.gaps.length > 0) await tx.putGaps(state.gaps);
  if (state.newWaiting.length > 0) await tx.putWaiting(state.newWaiting);
  // After the puts: one that began to wait in this very batch may have been woken in it.
  if (state.woken.size > 0) await tx.dropWaiting([...state.woken]);
  if (state.beyond > 0) await count(tx, META_BEYOND, state.beyond);
  await tx.putAlerts(present(state.alerts.rows, state.alerts.changed));
  if (state.alerts.beyond > 0) await count(tx, META_ALERTS_BEYOND, state.alerts.beyond);
  await saveAudits(tx, state);
  await saveRecordings(tx, state.recordings);
  for (const [agent, pos] of state.named) await nameHost(tx, agent, pos);
  if (state.devices.size > 0)
    await tx.devices.put([...state.devices].map(([agent, pos]) => ({ agent, pos })));
}

async function saveAudits(tx: Tx, { audits }: State): Promise<void> {
  await tx.auditRuns.put(present(audits.runs, audits.newRuns));
  await tx.auditHosts.put([...audits.hosts.values()]);
  await tx.auditSignatures.put(present(audits.signatures, audits.newSignatures));
}

async function count(tx: Tx, key: string, more: number): Promise<void> {
  await tx.setMeta(key, String(Number((await tx.meta(key)) ?? 0) + more));
}

function present<K, Row>(rows: ReadonlyMap<K, Row>, ids: ReadonlySet<K>): Row[] {
  return [...ids].map((id) => rows.get(id)).filter((row) => row !== undefined);
}

async function nameHost(tx: Tx, agent: AgentId, pos: Pos): Promise<void> {
  const row = await tx.agents.get(agent);
  if (row !== null && row.namePos !== pos) await tx.agents.put([{ ...row, namePos: pos }]);
}
