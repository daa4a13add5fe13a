/**
 * Same session twice: a re-installed agent, two agents on one log, a source read again.
 *
 * M1  Two sessions with one origin (tool and natural key, under the key of the span's group) are one session.
 * M2, M8, M9  Without an origin: see `twins.ts`
 * M3  The session that came first stays; the other one points to it. Both ids answer.
 * M4  The same session id again is no second session, and tells no second origin: a session has one at most, from
 *     the leaf that made it, so that no agent can tie two sessions together with one of its own.
 * M7  But one more from the row that its tool wrote about it, which somebody may read who never saw the log. A session
 *     that is one with another already tells none, and so never ties two together.
 * M5  A session that was merged is found under its own host still; the one that stays says what it was merged from.
 */
import { type GroupId, isId, type SessionId } from '../../protocol/ids.ts';
import type { OpenedPart } from '../../protocol/seal.ts';
import { naturalKeyOf, originOf } from '../origin.ts';
import type { OriginRow, Pos, SessionHead, SessionRow, Tx } from '../store/types.ts';
import type { Context } from '../types.ts';
import type { PlannedPart } from './parts.ts';
import { TwinSearch } from './twins.ts';

export interface Merge {
  session: SessionId;
  into: SessionId;
}

/** An origin that a leaf tells. */
export interface Told extends OriginRow {
  pos: Pos;
  /** By the row that its tool wrote, beside what made the session (M7). */
  byRow: boolean;
  /** The same under the key of the span that was split into this one: there it lies of what was not moved (V57). */
  before: OriginRow | null;
}

type OneTold = OriginRow & Pick<Told, 'before'>;

/** The origin of a session whose start lies opened here; null where there is none. */
export function originFor(
  ctx: Context,
  { leaf, under, opened, outcome }: PlannedPart,
  pos: Pos,
): Told | null {
  if (outcome !== 'store' || opened === null || ctx.groups.byId(under)?.kind !== 'span') return null;
  const told = originIn(ctx.opener, under, leaf.leaf, opened);
  if (told === null) return null;
  const over = ctx.groups.splitOver(under);
  const before = over === null ? null : originIn(ctx.opener, over.group, leaf.leaf, opened);
  return { ...told, pos, byRow: leaf.leaf.type === 'session.updated', before };
}

/** The origin that this leaf tells under the key of this group; null where it tells none. */
export function originIn(
  opener: Pick<Context['opener'], 'originKey'>,
  group: GroupId,
  { type, data }: { type: string; data: Record<string, unknown> },
  { p }: OpenedPart,
): OriginRow | null {
  const told = type === 'session.started' ? startOf(data) : type === 'session.updated' ? rowOf(data) : null;
  const key = told === null ? null : opener.originKey(group);
  if (told === null || key === null) return null;
  return { group, origin: originOf(key, told.tool, naturalKeyOf(told, p)), session: told.session };
}

type Key = Parameters<typeof naturalKeyOf>[0] & { tool: string; session: SessionId };

/** By hand, for what the natural key needs: projections hold it to the whole schema, on the same leaf. */
function startOf(data: Record<string, unknown>): Key | null {
  const { session, tool, direction, kind, startedAt, occurrence } = data;
  const words = [tool, direction, kind, startedAt].every((word) => typeof word === 'string');
  return isId(session) && words && Number.isSafeInteger(occurrence) ? (data as unknown as Key) : null;
}

/** Only TeamViewer writes rows beside its log. */
function rowOf({ session, row }: Record<string, unknown>): Key | null {
  if (typeof row !== 'object' || row === null) return null;
  return startOf({ ...row, session, tool: 'teamviewer' });
}

/**
 * Those that say what their session is: told by the leaf that made it, the first such one, and none before (M4).
 * A leaf that is new in this transaction had no row to tell of before, and nothing was merged into it.
 */
async function telling(tx: Tx, told: readonly Told[], isNew: (pos: Pos) => boolean): Promise<OneTold[]> {
  const sessions = [...new Set(told.map(({ session }) => session))];
  const rows = new Map((await tx.sessionHeads(sessions)).map((row) => [row.session, row]));
  const older = [...rows.values()]
    .filter(({ startedPos }) => !isNew(startedPos))
    .map(({ session }) => session);
  const settled = new Set(older.length === 0 ? [] : await tx.withOrigin(older));
  for (const root of older.length === 0 ? [] : await tx.rootsAmong(older)) settled.add(root);
  const first: OneTold[] = [];
  for (const { group, origin, session, pos, byRow, before } of told) {
    const row = rows.get(session);
    if (byRow || settled.has(session) || row?.startedPos !== pos || row.mergedInto !== null) continue;
    settled.add(session);
    first.push({ group, origin, session, before });
  }
  return [...first, ...(await tellingByRow(tx, told, rows))];
}

/** M7: the first row of each, where the session stands for itself and no row was told of it before. */
async function tellingByRow(
  tx: Tx,
  told: readonly Told[],
  rows: ReadonlyMap<SessionId, SessionHead>,
): Promise<OneTold[]> {
  const byRow = told.filter((one) => one.byRow && rows.get(one.session)?.mergedInto === null);
  if (byRow.length === 0) return [];
  const sessions = [...new Set(byRow.map(({ session }) => session))];
  const counts = await tx.originCounts(sessions);
  const done = new Set<SessionId>(await tx.rootsAmong(sessions));
  return byRow.flatMap(({ group, origin, session, before }) => {
    if (done.has(session) || (counts.get(session) ?? 0) > 1) return [];
    done.add(session);
    return [{ group, origin, session, before }];
  });
}

/**
 * Puts new origins; returns the pairs of sessions that share one (M1, M4). `isNew` knows the leaves that this very
 * transaction appended.
 */
export async function matchOrigins(
  tx: Tx,
  told: readonly Told[],
  isNew: (pos: Pos) => boolean,
): Promise<[SessionId, SessionId][]> {
  const found = await telling(tx, told, isNew);
  const known = new Map<string, SessionId>();
  const keyOf = ({ group, origin }: OriginRow) => `${group}/${origin.toString('hex')}`;
  for (const [group, rows] of byGroup(found)) {
    const origins = rows.map((row) => row.origin);
    for (const row of await tx.origins(group, origins)) known.set(keyOf(row), row.session);
  }
  for (const row of found) {
    const [old] = row.before === null ? [] : await tx.origins(row.before.group, [row.before.origin]);
    if (old !== undefined && !known.has(keyOf(row))) known.set(keyOf(row), old.session);
  }
  const fresh: OriginRow[] = [];
  const pairs: [SessionId, SessionId][] = [];
  const paired = new Set<SessionId>();
  for (const row of found) {
    const other = known.get(keyOf(row));
    // What it is one with by its beginning, or became one with just now, is all (M7).
    if (paired.has(row.session)) continue;
    if (other === undefined) {
      known.set(keyOf(row), row.session);
      fresh.push(row);
    } else if (other !== row.session) {
      for (const session of [row.session, other]) paired.add(session);
      pairs.push([row.session, other]);
    }
  }
  if (fresh.length > 0) await tx.putOrigins(fresh);
  return pairs;
}

function byGroup(rows: readonly OriginRow[]): Map<GroupId, OriginRow[]> {
  const groups = new Map<GroupId, OriginRow[]>();
  for (const row of rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  return groups;
}

/** Pairs of equal rows, for these sessions that just ended and have no origin (M2, M8, M9). */
export async function matchTwins(
  ctx: Context,
  tx: Tx,
  ended: readonly SessionId[],
): Promise<[SessionId, SessionId][]> {
  const twinned = await tx.twinned(ended);
  if (twinned.length === 0) return [];
  const search = new TwinSearch(ctx, tx, new Set(ended));
  for (const row of await tx.sessionsById(twinned)) await search.add(row);
  return search.pairs;
}

/** Which of each pair stays, by roots: the lower position wins (M3). Pairs that are one already are left out. */
export async function resolveMerges(
  tx: Tx,
  pairs: readonly (readonly [SessionId, SessionId])[],
): Promise<Merge[]> {
  const merges: Merge[] = [];
  const moved = new Map<SessionId, SessionId>();
  for (const [a, b] of pairs) {
    const one = await rootOf(tx, a, moved);
    const other = await rootOf(tx, b, moved);
    if (one === null || other === null || one.session === other.session) continue;
    const [stays, goes] = one.startedPos < other.startedPos ? [one, other] : [other, one];
    moved.set(goes.session, stays.session);
    merges.push({ session: goes.session, into: stays.session });
  }
  return merges;
}

/** Follows `mergedInto`, and what this transaction has decided already. A ring, which must not be, ends it. */
async function rootOf(
  tx: Tx,
  session: SessionId,
  moved: ReadonlyMap<SessionId, SessionId>,
): Promise<SessionRow | null> {
  const seen = new Set<SessionId>();
  let at = session;
  for (;;) {
    const [row] = await tx.sessionsById([at]);
    if (row === undefined || seen.has(at)) return row ?? null;
    seen.add(at);
    const next = moved.get(at) ?? row.mergedInto;
    if (next === null) return row;
    at = next;
  }
}
