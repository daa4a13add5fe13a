/**
 * Finding sessions. What the projection knows is a query; what is sealed (`peer`, `ip`, `technician`) is found by
 * opening the candidates of the asked range, page by page, each page's reading committed first (Q1).
 */
import type { SessionId } from '../../protocol/ids.ts';
import { utcMs } from '../../protocol/time.ts';
import type { Caller } from '../auth.ts';
import { cidrHolds, readCidr } from '../cidr.ts';
import type { SessionQuery, SessionRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { openWholes, partCount, type Whole, wholesOf } from './merged.ts';
import type { OpenedParts } from './parts.ts';
import { type Filter, recordReading } from './reading.ts';
import { sessionPeople } from './session-item.ts';

/** Candidates opened at a time, and in one answer; then `next` says where to go on. */
export const CANDIDATE_PAGE = 2_000;
export const MAX_CANDIDATES = 20_000;

export interface PersonalFilter {
  peer?: string | undefined;
  ip?: string | undefined;
  technician?: string | undefined;
}
export interface FoundSession extends Whole {
  parts: OpenedParts;
}
export interface Found {
  sessions: FoundSession[];
  next: string | null;
}

export function cursorText(row: SessionRow): string {
  return `${row.startedAt}.${row.session}`;
}

/** Null where the text is none of ours. */
export function readCursor(text: string): NonNullable<SessionQuery['after']> | null {
  const match = /^(-?\d{1,16})\.([0-9a-f]{32})$/.exec(text);
  return match === null ? null : { startedAt: utcMs(Number(match[1])), session: match[2] as SessionId };
}

/** The predicate over what was opened; null where nothing sealed was asked for. @throws TilsynError `cidr.malformed` */
export function personalMatch(filter: PersonalFilter): ((parts: OpenedParts) => boolean) | null {
  const { peer, ip, technician } = filter;
  if (peer === undefined && ip === undefined && technician === undefined) return null;
  const range = ip === undefined ? null : readCidr(ip);
  return (parts) => {
    const people = sessionPeople(parts);
    if (peer !== undefined && plainId(people.peer?.id) !== plainId(peer)) return false;
    if (technician !== undefined && people.technician !== technician) return false;
    return range === null || (people.peer?.ips.some((known) => cidrHolds(range, known.ip)) ?? false);
  };
}

/** TeamViewer shows its ids in groups of digits; people paste them that way. */
function plainId(id: string | null | undefined): string {
  return (id ?? '').replace(/\s+/g, '');
}

interface Search {
  caller: Caller;
  query: SessionQuery;
  match: ((parts: OpenedParts) => boolean) | null;
  /** Parts that the answer opens besides the sessions' own: names of hosts, customers and sites. */
  extra: number;
  filter: Filter;
}

/** Rows of one answer, opened. Every reading is committed when this resolves. */
export async function findSessions(ctx: Context, search: Search): Promise<Found> {
  return search.match === null ? plain(ctx, search) : sealed(ctx, search, search.match);
}

async function plain(ctx: Context, search: Search): Promise<Found> {
  const { limit } = search.query;
  const rows = await ctx.store.read.sessions({ ...search.query, limit: limit + 1 });
  const page = rows.slice(0, limit);
  const sessions = await openRows(ctx, search, page, search.extra);
  const last = page.at(-1);
  return { sessions, next: rows.length > limit && last !== undefined ? cursorText(last) : null };
}

async function sealed(ctx: Context, search: Search, match: (parts: OpenedParts) => boolean): Promise<Found> {
  const found: FoundSession[] = [];
  const { limit } = search.query;
  let { after } = search.query;
  for (let seen = 0; seen < MAX_CANDIDATES; seen += CANDIDATE_PAGE) {
    const query = { ...search.query, ...(after === undefined ? {} : { after }), limit: CANDIDATE_PAGE };
    const rows = await ctx.store.read.sessions(query);
    const opened = await openRows(ctx, search, rows, seen === 0 ? search.extra : 0);
    for (const session of opened) if (match(session.parts)) found.push(session);
    const cut = found[limit - 1];
    const last = rows.at(-1);
    const more = rows.length === CANDIDATE_PAGE;
    if (cut !== undefined) {
      const ends = !more && found.length === limit;
      return { sessions: found.slice(0, limit), next: ends ? null : cursorText(cut.row) };
    }
    if (!more || last === undefined) return { sessions: found, next: null };
    after = { startedAt: last.startedAt, session: last.session };
  }
  return { sessions: found, next: after === undefined ? null : `${after.startedAt}.${after.session}` };
}

async function openRows(
  ctx: Context,
  search: Search,
  rows: readonly SessionRow[],
  extra: number,
): Promise<FoundSession[]> {
  const wholes = await wholesOf(ctx.store.read, rows);
  await recordReading(ctx, search.caller, 'session.list', partCount(wholes) + extra, search.filter);
  const parts = await openWholes(ctx, wholes);
  return wholes.flatMap((whole, i) => {
    const opened = parts[i];
    return opened === undefined ? [] : [{ ...whole, parts: opened }];
  });
}
