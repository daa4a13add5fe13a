/** Sessions by their ids: found for the person who asks, and opened for them. */
import { TilsynError } from '../../protocol/errors.ts';
import { isId, type SessionId } from '../../protocol/ids.ts';
import { type Caller, sees } from '../auth.ts';
import type { Reader, SessionRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { planLens } from './lens.ts';
import { openWholes, partCount, wholesOf } from './merged.ts';
import { recordReading } from './reading.ts';
import { type SessionItem, sessionItem } from './session-item.ts';
import { askedOf, planView } from './view.ts';

/**
 * The session itself, or the one that it was merged into.
 * @throws TilsynError `session.unknown`, also for one of a customer that this person may not see (Q4)
 */
export async function sessionNamed(ctx: Context, caller: Caller, session: string): Promise<SessionRow> {
  const row = isId(session) ? await standing(ctx.store.read, session as SessionId) : null;
  if (row !== null && sees(caller, row.customer)) return row;
  throw unknownSession();
}

export function unknownSession(): TilsynError {
  return new TilsynError('session.unknown', 'looking up a session: there is none with this id', {
    hint: '`tilsyn session list` shows the ids.',
    exit: 'notFound',
  });
}

/** Null where there is none. */
export async function standing(reader: Reader, session: SessionId): Promise<SessionRow | null> {
  const seen = new Set<SessionId>();
  for (let id: SessionId | null = session; id !== null && !seen.has(id); ) {
    seen.add(id);
    const [row]: SessionRow[] = await reader.sessionsById([id]);
    if (row === undefined) return null;
    if (row.mergedInto === null) return row;
    id = row.mergedInto;
  }
  return null;
}

export async function openSession(
  ctx: Context,
  caller: Caller,
  verb: string,
  row: SessionRow,
  clear = false,
): Promise<SessionItem> {
  const [item] = await openSessions(ctx, caller, verb, [row], clear);
  return item as SessionItem;
}

/** Items of these rows; the reading is committed before anything is opened (Q1). `clear`: a reveal. */
export async function openSessions(
  ctx: Context,
  caller: Caller,
  verb: string,
  rows: readonly SessionRow[],
  clear = false,
): Promise<SessionItem[]> {
  const ids = new Set(rows.map((row) => row.agent));
  const agents = (await Promise.all([...ids].map((id) => ctx.store.read.agents.get(id)))).filter(
    (a) => a !== null,
  );
  const plan = await planView(ctx, agents, askedOf(ctx, null, null));
  const lens = await planLens(ctx, caller, clear);
  const wholes = await wholesOf(ctx.store.read, rows);
  const filter = { session: rows.map((row) => row.session) };
  await recordReading(ctx, caller, verb, partCount(wholes) + plan.count + lens.count, filter);
  const [view, parts] = [await plan.open(), await openWholes(ctx, wholes)];
  const people = await (await lens.open()).people(wholes, parts);
  return wholes.flatMap((whole, i) => {
    const [opened, seen] = [parts[i], people[i]];
    return opened === undefined || seen === undefined ? [] : [sessionItem(whole, view, opened, seen)];
  });
}
