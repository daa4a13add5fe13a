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
import type { Lens, LensPlan, Seen } from './lens.ts';
import { type OpenedWhole, openWholes, partCount, type Whole, wholesOf } from './merged.ts';
import { type Filter, recordReading } from './reading.ts';

/** Candidates opened at a time, and in one answer; then `next` says where to go on. */
export const CANDIDATE_PAGE = 2_000;
export const MAX_CANDIDATES = 20_000;

export interface PersonalFilter {
  peer?: string | undefined;
  ip?: string | undefined;
  technician?: string | undefined;
}
export interface FoundSession extends Whole {
  parts: OpenedWhole;
  seen: Seen;
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
export function personalMatch(filter: PersonalFilter): ((seen: Seen) => boolean) | null {
  const { peer, ip, technician } = filter;
  if (peer === undefined && ip === undefined && technician === undefined) return null;
  const range = ip === undefined ? null : readCidr(ip);
  return (people) => {
    if (peer !== undefined && plainId(people.peer?.id) !== plainId(peer)) return false;
    if (technician !== undefined && !isTechnician(people, technician)) return false;
    return range === null || (people.peer?.ips.some((known) => cidrHolds(range, known.ip)) ?? false);
  };
}

/** By id of the roster, or by what the reader is shown: a name, an account, a pseudonym. */
function isTechnician({ person, technician, veiled }: Seen, asked: string): boolean {
  // The id would say whose pseudonym it is (Q14).
  if (!veiled && person === asked) return true;
  return technician !== null && fold(technician) === fold(asked);
}

function fold(text: string): string {
  return text.normalize('NFC').toLocaleLowerCase('en');
}

/** TeamViewer shows its ids in groups of digits; people paste them that way. */
function plainId(id: string | null | undefined): string {
  return (id ?? '').replace(/\s+/g, '');
}

interface Search {
  caller: Caller;
  query: SessionQuery;
  match: ((seen: Seen) => boolean) | null;
  lens: LensPlan;
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
  const { sessions } = await openRows(ctx, search, page, null);
  const last = page.at(-1);
  return { sessions, next: rows.length > limit && last !== undefined ? cursorText(last) : null };
}

async function sealed(ctx: Context, search: Search, match: (seen: Seen) => boolean): Promise<Found> {
  const found: FoundSession[] = [];
  const { limit } = search.query;
  let { after } = search.query;
  let lens: Lens | null = null;
  for (let seen = 0; seen < MAX_CANDIDATES; seen += CANDIDATE_PAGE) {
    const query = { ...search.query, ...(after === undefined ? {} : { after }), limit: CANDIDATE_PAGE };
    const rows = await ctx.store.read.sessions(query);
    const opened = await openRows(ctx, search, rows, lens);
    lens = opened.lens;
    for (const session of opened.sessions) if (match(session.seen)) found.push(session);
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

/** `lens` null: the first page of the answer, whose reading speaks of the roster and the names too. */
async function openRows(
  ctx: Context,
  search: Search,
  rows: readonly SessionRow[],
  lens: Lens | null,
): Promise<{ sessions: FoundSession[]; lens: Lens }> {
  const wholes = await wholesOf(ctx.store.read, rows);
  const first = lens === null ? search.extra + search.lens.count : 0;
  await recordReading(ctx, search.caller, 'session.list', partCount(wholes) + first, search.filter);
  const through = lens ?? (await search.lens.open());
  const parts = await openWholes(ctx, wholes);
  const people = await through.people(wholes, parts);
  const sessions = wholes.flatMap((whole, i) => {
    const [opened, seen] = [parts[i], people[i]];
    return opened === undefined || seen === undefined ? [] : [{ ...whole, parts: opened, seen }];
  });
  return { sessions, lens: through };
}
