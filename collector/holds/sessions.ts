/**
 * Holds on sessions: what is covered is taken out of its span into a group that has no due time, the rest goes on its day.
 *
 * V101 A session that a hold covers, also one that is recorded later, is kept before the group that it lies in is erased:
 *      the eraser asks in the transaction that begins.
 * V102 What two holds cover stays until both are released; the rest of what one of them kept is let go.
 */
import { covers, type Hold } from '../../protocol/hold.ts';
import type { AgentId, AgreementId, CustomerId, SessionId } from '../../protocol/ids.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import { letGoIn, takeOut } from '../regroup/take-out.ts';
import { takesOf } from '../regroup/takes.ts';
import type { GroupRow, HoldRow, Reader, SessionRow, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';
import { msOf } from './reach.ts';

type Around = Pick<Context, 'groups' | 'clock' | 'bury'>;

const PAGE = 500;
/** Sessions of one taking out: merged ones come with them. */
const AT_ONCE = 100;

/** Holds that reach sessions: by their ids, or by their host or site. */
export function reachesSessions({ state, scope }: Pick<HoldRow, 'state' | 'scope'>): boolean {
  return state === 'placed' && scope.cameras === undefined;
}

export function holdOf({ hold, scope }: Pick<HoldRow, 'hold' | 'scope'>): Hold {
  const { sessions, hosts, site } = scope;
  return {
    hold,
    scope: {
      from: msOf(scope.from),
      to: msOf(scope.to),
      ...(sessions === undefined ? {} : { sessions }),
      ...(hosts === undefined ? {} : { hosts }),
      ...(site === undefined ? {} : { sites: [site] }),
    },
  };
}

/** Whether a hold covers a session (D4); one that runs, or whose end nobody knows, reaches as far as any. */
export function isHeld(row: SessionRow, hold: Hold): boolean {
  const { startedAt, endedAt } = row;
  return covers(hold, {
    ...{ kind: 'session', class: 'session', mode: 'managed', agreementEndsAt: null },
    ...{ restricted: false, requestedErasureAt: null, cameras: [] },
    bounds: { startEarliest: startedAt, startLatest: startedAt, endLatest: endedAt },
    ...{ sessions: [row.session], hosts: [row.agent], sites: [row.site], customers: [row.customer] },
  });
}

/** Sessions of a hold, page by page; merged ones are those of what they were merged into. */
export async function* coveredBy(reader: Reader, row: HoldRow): AsyncGenerator<SessionRow[]> {
  const hold = holdOf(row);
  if (row.scope.sessions !== undefined) {
    yield await reader.sessionsById(row.scope.sessions as SessionId[]);
    return;
  }
  const agents = await agentsOf(reader, row);
  if (agents.length === 0) return;
  const [since, until] = [msOf(row.scope.from), msOf(row.scope.to)];
  let after: { startedAt: SessionRow['startedAt']; session: SessionId } | undefined;
  for (;;) {
    const found = await reader.sessions({
      ...{ customers: [row.customer] as CustomerId[], agents, overlaps: true, merged: true, limit: PAGE },
      // Both ends of a hold are in it; the query leaves out what ends as it begins. `isHeld` has the word.
      ...(since === null ? {} : { since: utcMs(since - 1) }),
      ...(until === null ? {} : { until: utcMs(until + 1) }),
      ...(after === undefined ? {} : { after }),
    });
    yield found.filter((session) => isHeld(session, hold));
    const last = found.at(-1);
    if (last === undefined || found.length < PAGE) return;
    after = { startedAt: last.startedAt, session: last.session };
  }
}

/** The start of the earliest session that a hold names; null: it names none, or none of them is known. */
export async function earliestNamed(reader: Reader, { scope }: HoldRow): Promise<UtcMs | null> {
  if (scope.sessions === undefined) return null;
  return earliestOf(await reader.sessionsById(scope.sessions as SessionId[]));
}

/** Null: there is none. */
export function earliestOf(rows: readonly SessionRow[]): UtcMs | null {
  return rows.length === 0 ? null : utcMs(Math.min(...rows.map(({ startedAt }) => startedAt)));
}

async function agentsOf(reader: Reader, { scope }: HoldRow): Promise<AgentId[]> {
  if (scope.hosts !== undefined) return scope.hosts as AgentId[];
  if (scope.site === undefined) return [];
  return (await reader.agents.list({ site: scope.site as never })).map(({ agent }) => agent);
}

/** Takes out what the hold covers and is in no kept group yet. Inside the caller's transaction. */
export async function keepHeld(ctx: Around, tx: Tx, row: HoldRow): Promise<number> {
  if (!reachesSessions(row)) return 0;
  let count = 0;
  for await (const page of coveredBy(tx, row)) {
    const open = page.filter((session) => !isKept(ctx, session.session)).map(({ session }) => session);
    for (let from = 0; from < open.length; from += AT_ONCE) {
      const sessions = open.slice(from, from + AT_ONCE);
      await takeOut(ctx, tx, { sessions, why: 'kept', approval: null });
      count += sessions.length;
    }
  }
  return count;
}

/** Every hold that is in force; for each look of the eraser, before it gathers. @returns how many were taken out */
export async function keepAllHeld(around: Around & Pick<Context, 'store'>): Promise<number> {
  const holds = (await around.store.read.holds.list({ state: 'placed' })).filter(reachesSessions);
  let count = 0;
  for (const row of holds) count += await around.store.write((tx) => keepHeld(around, tx, row));
  return count;
}

function isKept({ groups }: Pick<Around, 'groups'>, session: SessionId): boolean {
  const group = groups.takenOut(session);
  // What was taken out to be erased is past keeping.
  return group !== null && takesOf(group)?.why !== 'let-go';
}

/** V101: false where something in this group is held, or is still to be moved out of it. */
export async function mayErase(around: Around, tx: Tx, row: GroupRow): Promise<boolean> {
  if (row.class !== 'session' || row.agreement === null) return true;
  // What was taken out to be erased was refused where a hold kept it; what was let go may have been held again since.
  if (row.kind === 'single' && takesOf(row)?.why === 'request') return true;
  const singles = await tx.groups.list({
    kind: 'single',
    state: 'live',
    agreement: row.agreement as AgreementId,
  });
  if (singles.some((one) => one.group !== row.group && takesOf(one)?.gathered === false)) return false;
  for (const hold of (await tx.holds.list({ state: 'placed' })).filter(reachesSessions)) {
    for await (const page of coveredBy(tx, hold)) {
      const open = page.filter(({ session }) => !isKept(around, session));
      const parts = await tx.parts(open.flatMap(({ partPos }) => partPos));
      if (parts.some(({ under }) => under === row.group)) return false;
    }
  }
  return true;
}

/** V102. Inside the transaction that releases `row`, after its state was written. */
export async function letGoOf(ctx: Context, tx: Tx, row: HoldRow): Promise<void> {
  if (row.scope.cameras !== undefined) return;
  const released = holdOf(row);
  const left = (await tx.holds.list({ state: 'placed' })).filter(reachesSessions).map(holdOf);
  for (const group of await tx.groups.list({ kind: 'single', state: 'live' })) {
    const takes = takesOf(group);
    if (takes?.why !== 'kept') continue;
    const rows = await tx.sessionsById(takes.sessions);
    if (!rows.some((one) => isHeld(one, released))) continue;
    const staying = rows.filter((one) => left.some((hold) => isHeld(one, hold)));
    if (staying.length === rows.length) continue;
    if (staying.length > 0) {
      const sessions = staying.map(({ session }) => session);
      await takeOut(ctx, tx, { sessions, why: 'kept', approval: null, again: true });
    }
    await letGoIn(ctx, tx, group.group);
  }
}
