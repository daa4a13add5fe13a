/**
 * Projections: what leaves mean for sessions, sources, gaps and host names. The reducer is pure; this file loads
 * what a batch touches once, and writes it once.
 *
 * Y1  Projections depend on leaves and registry only, in the order of `pos`: rebuilt, they are the same.
 * Y2  A leaf whose type or fields this version does not know changes nothing; a rebuild after an upgrade does.
 * Y3  An agent's leaf touches its own sessions and sources only, whatever ids it names.
 * Y4  What comes before its session's start waits, and takes effect with the start.
 */
import { isRecognised } from '../protocol/event.ts';
import type { AgentId, AgreementId, LogId, SessionId, SiteId, SourceId } from '../protocol/ids.ts';
import type { Leaf } from '../protocol/leaf.ts';
import {
  type Fact,
  newState,
  type Owner,
  PROJECTED_TYPES,
  reduce,
  type State,
} from './projections-reduce.ts';
import type { LeafRow, Pos, Reader, Tx } from './store/types.ts';

const PROJECTED: ReadonlySet<string> = new Set(PROJECTED_TYPES);
/** Leaves per step of a rebuild: bounds memory, not the transaction. */
const REBUILD_STEP = 2_000;

/** A stored leaf; `leaf` where the caller has parsed it already. */
export type Stored = Pick<LeafRow, 'pos' | 'log' | 'seq' | 'bytes' | 'type' | 'at'> & { leaf?: Leaf };

/** Applies leaves that were just appended in this transaction, in the order of their positions. */
export async function applyLeaves(tx: Tx, leaves: readonly Stored[]): Promise<void> {
  const facts = await factsOf(tx, leaves);
  if (facts.length === 0) return;
  const state = await load(tx, facts);
  for (const fact of facts) reduce(state, fact);
  await save(tx, state);
}

/** Drops all projections and makes them again from every leaf, in one transaction. */
export async function rebuild(tx: Tx): Promise<void> {
  await tx.clearProjections();
  for (let after = 0; ; ) {
    const leaves = await tx.leaves({ after, types: PROJECTED_TYPES, limit: REBUILD_STEP });
    await applyLeaves(tx, leaves);
    const last = leaves.at(-1);
    if (last === undefined) return;
    after = last.pos;
  }
}

/** The leaves that mean something here; the rest is `unrecognised` or of no projection (Y2). */
async function factsOf(reader: Reader, leaves: readonly Stored[]): Promise<Fact[]> {
  const relevant = leaves.filter(({ type }) => PROJECTED.has(type));
  if (relevant.length === 0) return [];
  const owners = await ownersOf(reader, new Set(relevant.map(({ log }) => log)));
  return relevant.flatMap((stored) => {
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
  for (const { log, agent, birth } of await reader.logs([...logs])) {
    const row = agent === null ? null : await reader.agents.get(agent);
    if (agent === null) owners.set(log, null);
    if (row === null) continue;
    const agreement = (birth.agreement as AgreementId | null) ?? row.agreement;
    const customer = (await reader.agreements.get(agreement))?.customer ?? row.customer;
    const site = (birth.site as SiteId | null) ?? row.site;
    owners.set(log, { agent: row.agent, customer, site, agreement });
  }
  return owners;
}

/** Reads once what the batch touches. */
async function load(tx: Tx, facts: readonly Fact[]): Promise<State> {
  const state = newState();
  const sessions = new Set<SessionId>();
  const sources = new Set<SourceId>();
  const starting = new Set<SessionId>();
  for (const { type, data } of facts) {
    if ('session' in data) sessions.add(data.session as SessionId);
    if (type === 'session.started') starting.add(data.session as SessionId);
    if (type.startsWith('source.') && 'source' in data) sources.add(data.source as SourceId);
  }
  for (const row of await tx.sessionsById([...sessions])) state.sessions.set(row.session, row);
  for (const source of sources) {
    const row = await tx.sources.get(source);
    if (row !== null) state.sources.set(source, row);
  }
  await wake(tx, state, [...starting]);
  return state;
}

/** Loads what waits for the starts of this batch (Y4). */
async function wake(tx: Tx, state: State, starting: readonly SessionId[]): Promise<void> {
  const rows = starting.length === 0 ? [] : await tx.waiting(starting);
  if (rows.length === 0) return;
  const facts = await factsOf(tx, await tx.leavesAt(rows.map((row) => row.pos)));
  const byPos = new Map(facts.map((fact) => [fact.pos, fact]));
  for (const { session, pos } of rows) {
    const fact = byPos.get(pos);
    if (fact !== undefined) state.waiting.set(session, [...(state.waiting.get(session) ?? []), fact]);
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
  for (const [agent, pos] of state.named) await nameHost(tx, agent, pos);
}

function present<K, Row>(rows: ReadonlyMap<K, Row>, ids: ReadonlySet<K>): Row[] {
  return [...ids].map((id) => rows.get(id)).filter((row) => row !== undefined);
}

async function nameHost(tx: Tx, agent: AgentId, pos: Pos): Promise<void> {
  const row = await tx.agents.get(agent);
  if (row !== null && row.namePos !== pos) await tx.agents.put([{ ...row, namePos: pos }]);
}
