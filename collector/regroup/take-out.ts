/**
 * Taking sessions out of their span: into one `single` group per agreement, to be erased at once or to be kept while
 * the span goes. Here it is said which sessions; `gather.ts` moves what is sealed of them, `follow.ts` what comes later.
 *
 * V52 What was said to be taken out stays so: from the transaction that says it, every sealed part of these sessions
 *     that comes later goes into their group, or is dropped where that group is dead; never back into the span.
 * V53 What is kept has no due time, not even by the end of its agreement, until it is let go; and a request for its
 *     erasure is refused until then.
 * V54 What was erased on request stays erased over a restore: the session's id lies as a tombstone in every copy of the
 *     keys before the request is committed.
 */
import { TilsynError } from '../../protocol/errors.ts';
import { type AgreementId, type GroupId, isId, type SessionId } from '../../protocol/ids.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import { wakeEraser } from '../erasing/wake.ts';
import type { GroupRow, Reader, SessionRow, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';
import { type Takes, takesOf, withTakes } from './takes.ts';

/** Sessions of one act: their ids stand in one row. */
export const MOST_SESSIONS = 1_000;

export interface Wanted {
  sessions: readonly SessionId[];
  why: Exclude<Takes['why'], 'let-go'>;
  /** The approval of a request. */
  approval: string | null;
  /** Also what is kept already: into a group of its own, because the rest of the one that it lies in is let go. */
  again?: boolean;
}

/** These sessions, what they were merged into, and all that was merged into that: one person's record is all of it. */
export async function familyOf(reader: Reader, sessions: readonly SessionId[]): Promise<SessionRow[]> {
  const found = new Map<SessionId, SessionRow>();
  let ids: SessionId[] = [...new Set(sessions)];
  while (ids.length > 0) {
    const rows = await reader.sessionsById(ids);
    for (const row of rows) found.set(row.session, row);
    const up = rows.flatMap(({ mergedInto }) => mergedInto ?? []);
    ids = [...new Set(up)].filter((id) => !found.has(id));
  }
  const under = await reader.mergedInto([...found.keys()], MOST_SESSIONS);
  for (const { row } of under) found.set(row.session, row);
  return [...found.values()];
}

/**
 * Says inside the caller's transaction, which is the commit point, which sessions are taken out and why: a crash before
 * it leaves an orphan slot at most, after it every start goes on. Safe to repeat: what is taken out for a request, or
 * kept already and to be kept, stays where it is.
 * @returns the groups that were made
 */
export async function takeOut(
  ctx: Pick<Context, 'groups' | 'clock' | 'bury'>,
  tx: Tx,
  { sessions, why, approval, again = false }: Wanted,
): Promise<GroupRow[]> {
  const family = await familyOf(tx, sessions);
  if (family.length > MOST_SESSIONS) throw tooMany();
  const rows = family.filter(({ session }) => mayTake(ctx.groups.takenOut(session), why, again));
  if (rows.length === 0) return [];
  if (why === 'request') await ctx.bury(rows.map(({ session }) => session));
  await release(ctx, tx, rows);
  const homes = await homesOf(ctx, tx, rows);
  const byAgreement = [...Map.groupBy(rows, (row) => homes.get(row.session) ?? row.agreement)];
  const at = ctx.clock.now();
  const prepared = await ctx.groups.prepare(
    byAgreement.map(([agreement, [first]]) => ({
      ...{ agreement, class: 'session' as const, kind: 'single' as const, at },
      subject: approval ?? first?.session ?? null,
    })),
  );
  await prepared.commit(tx);
  const made = prepared.groups.map((row, i) => {
    const taken = byAgreement[i]?.[1].map(({ session }) => session) ?? [];
    return withTakes(row, { sessions: taken, why, approval, gathered: false, ends: null });
  });
  await putGroups(ctx, tx, made);
  return made;
}

/**
 * The agreements that these lie under, where that is another one than their host's: a session with a managed device from
 * a machine of somebody else's.
 */
async function homesOf(
  { groups }: Pick<Context, 'groups'>,
  reader: Reader,
  rows: readonly SessionRow[],
): Promise<Map<SessionId, AgreementId>> {
  const homes = new Map<SessionId, AgreementId>();
  for (const { session, mode, partPos } of rows) {
    // All others lie under their host's.
    if (mode !== 'one-off') continue;
    for (const { under } of await reader.parts(partPos)) {
      const group = groups.byId(under);
      if (group?.state === 'live' && group.kind !== 'oneoff' && group.agreement !== null)
        homes.set(session, group.agreement);
    }
  }
  return homes;
}

function mayTake(group: GroupRow | null, why: Wanted['why'], again: boolean): boolean {
  const held = group === null ? null : takesOf(group);
  if (group === null || held === null || isCut(group, held)) return true;
  const kept = held.why === 'kept' && why === 'kept';
  return group.state === 'live' && held.why !== 'request' && (!kept || again);
}

/** Its key died elsewhere, before all of it was moved here: by a tombstone, in a database that was put back. */
function isCut({ state }: GroupRow, { gathered }: Takes): boolean {
  return state !== 'live' && !gathered;
}

/** Out of the groups that they were taken out into before; what lies there is moved with the rest. */
async function release(ctx: Pick<Context, 'groups'>, tx: Tx, rows: readonly SessionRow[]): Promise<void> {
  const going = new Set(rows.map(({ session }) => session));
  const groups = new Set(rows.flatMap(({ session }) => ctx.groups.takenOut(session)?.group ?? []));
  for (const group of groups) {
    const row = await tx.groups.get(group);
    const takes = row === null ? null : takesOf(row);
    if (row === null || takes === null) continue;
    const sessions = takes.sessions.filter((session) => !going.has(session));
    await putGroups(ctx, tx, [withTakes(row, { ...takes, sessions })]);
  }
}

export async function putGroups(
  { groups }: Pick<Context, 'groups'>,
  tx: Tx,
  rows: readonly GroupRow[],
): Promise<void> {
  await tx.groups.put(rows);
  tx.afterCommit(() => groups.committed(rows));
}

/** Keeps these sessions while their spans go, for whoever is no hold (`holds/sessions.ts`); `letGo` is its release. */
export async function keepSessions(ctx: Context, sessions: readonly SessionId[]): Promise<GroupId[]> {
  const made = await ctx.store.write((tx) => takeOut(ctx, tx, { sessions, why: 'kept', approval: null }));
  ctx.faults.hit?.('regroup.said');
  wakeEraser(ctx);
  return made.map(({ group }) => group);
}

/** From here on the policy says again when it goes, by the ends of its own sessions. */
export async function letGo(ctx: Context, group: GroupId): Promise<void> {
  await ctx.store.write((tx) => letGoIn(ctx, tx, group));
  wakeEraser(ctx);
}

/** As `letGo`, inside the caller's transaction. */
export async function letGoIn(ctx: Pick<Context, 'groups'>, tx: Tx, group: GroupId): Promise<void> {
  const row = await tx.groups.get(group);
  const takes = row === null ? null : takesOf(row);
  if (row?.state !== 'live' || takes?.why !== 'kept') return;
  const ends = await endsOf(tx, takes.sessions);
  await putGroups(ctx, tx, [withTakes(row, { ...takes, why: 'let-go', ends })]);
}

/** Null where the end of any of them is not known: then nothing bounds the group but its agreement (D2). */
async function endsOf(reader: Reader, sessions: readonly SessionId[]): Promise<Takes['ends']> {
  const rows = await reader.sessionsById(sessions);
  const ends = await Promise.all(rows.map((row) => endOf(reader, row)));
  const known = ends.filter((end) => end !== null);
  if (known.length === 0 || known.length < ends.length) return null;
  return { earliest: utcMs(Math.min(...known)), latest: utcMs(Math.max(...known)) };
}

/** When a session ended at the latest; null: it runs. What said that its end is not known came after it. */
export async function endOf(reader: Reader, row: SessionRow): Promise<UtcMs | null> {
  if (row.endedAt !== null) return row.endedAt;
  if (row.state === 'attempted' || row.state === 'rejected') return row.startedAt;
  if (row.state === 'active') return null;
  const [last] = await reader.leavesOf(row.log, row.lastSeq, row.lastSeq);
  return last === undefined ? null : utcMs(Math.max(row.startedAt, last.receivedAt));
}

/** Sessions whose erasure outlived the database that it was said in (V54): said again. Safe to repeat. */
export async function settleRequests(
  ctx: Pick<Context, 'store' | 'groups' | 'clock' | 'bury'>,
  buried: readonly string[],
): Promise<number> {
  let again = 0;
  for (let from = 0; from < buried.length; from += MOST_SESSIONS) {
    const page = buried.slice(from, from + MOST_SESSIONS).filter((one): one is SessionId => isId(one));
    const rows = await ctx.store.read.sessionsById(page);
    const lost = rows.map(({ session }) => session).filter((one) => isLost(ctx.groups.takenOut(one)));
    if (lost.length === 0) continue;
    await ctx.store.write((tx) => takeOut(ctx, tx, { sessions: lost, why: 'request', approval: null }));
    again += lost.length;
  }
  return again;
}

function isLost(group: GroupRow | null): boolean {
  const takes = group === null ? null : takesOf(group);
  if (group === null || takes === null) return true;
  return group.state === 'live' ? takes.why !== 'request' : isCut(group, takes);
}

function tooMany(): TilsynError {
  return new TilsynError(
    'session.too-many',
    `taking out sessions: with what is one with them these are more than ${MOST_SESSIONS}`,
    { hint: 'Ask for some of them at a time.', exit: 'usage' },
  );
}
