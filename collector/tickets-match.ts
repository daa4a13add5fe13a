/**
 * Which ticket a session belongs to.
 *
 * W16 A session is explained by itself only where the roster knows who was there and exactly one ticket fits: of this
 *     host, of this person, and of a time that it began in or close to. Several are nobody's guess: it stays unexplained.
 * W17 What a person has said is never replaced by a match.
 */
import type { Id, PersonId, SessionId } from '../protocol/ids.ts';
import type { Personal } from '../protocol/seal.ts';
import { MINUTE_MS, type UtcMs, utcMs } from '../protocol/time.ts';
import { explainableUnder, explainIn } from './explanations.ts';
import { activeIdentities, knownOf } from './identities.ts';
import { makeRoster, type Roster } from './roster.ts';
import { sessionPeople } from './session-people.ts';
import type { Pos, SessionRow, TicketRow } from './store/types.ts';
import type { Context } from './types.ts';

/** People begin early and end late. */
export const GRACE_MS = 30 * MINUTE_MS;
/** Tickets that are looked at for one batch of sessions. */
const MAX_TICKETS = 20_000;

/** A ticket, opened. */
export interface Ticket extends Pick<TicketRow, 'agent' | 'from' | 'to' | 'importedBy'> {
  ticket: string;
  purpose: string | null;
  technician: PersonId;
}

/** Pure (W16). */
export function ticketFor(
  session: Pick<SessionRow, 'agent' | 'startedAt'>,
  person: PersonId | null,
  tickets: readonly Ticket[],
): Ticket | 'ambiguous' | null {
  if (person === null) return null;
  const fits = tickets.filter(
    ({ agent, from, to, technician }) =>
      agent === session.agent &&
      technician === person &&
      from - GRACE_MS <= session.startedAt &&
      session.startedAt <= to + GRACE_MS,
  );
  const references = new Set(fits.map(({ ticket }) => ticket));
  if (references.size > 1) return 'ambiguous';
  return fits[0] ?? null;
}

/** Tickets of these hosts around these times, opened; those that are erased are left out. */
export async function ticketsAround(
  ctx: Context,
  agents: readonly TicketRow['agent'][],
  from: UtcMs,
  to: UtcMs,
): Promise<{ row: TicketRow; ticket: Ticket }[]> {
  const { read } = ctx.store;
  const rows = await read.ticketsOf(agents, utcMs(from - GRACE_MS), utcMs(to + GRACE_MS), MAX_TICKETS);
  const opened =
    rows.length === 0
      ? new Map<Pos, never>()
      : await ctx.opener.open(
          read,
          rows.map(({ pos }) => pos),
        );
  return rows.flatMap((row) => {
    const said = opened.get(row.pos);
    if (said === undefined) return [];
    const { ticket, purpose, technician } = said as {
      ticket: string;
      purpose?: string;
      technician: Id<'person'>;
    };
    const { agent, importedBy } = row;
    return [
      {
        row,
        ticket: {
          agent,
          from: row.from,
          to: row.to,
          importedBy,
          ticket,
          purpose: purpose ?? null,
          technician,
        },
      },
    ];
  });
}

export interface Matched {
  explained: SessionId[];
  ambiguous: SessionId[];
}

export interface Matching {
  tickets: readonly Ticket[];
  /** Told how many sealed parts are about to be opened. */
  opening?: (count: number) => Promise<void>;
  dryRun?: boolean;
}

/** Sessions that a match may explain: begun, on their own, and not explained yet (W17). */
export function isOpen({ explainedPos, mergedInto, state }: SessionRow): boolean {
  return explainedPos === null && mergedInto === null && state !== 'attempted' && state !== 'rejected';
}

/** Explains what fits, in one transaction: a crash before its commit leaves all of it to the next time. */
export async function matchSessions(
  ctx: Context,
  sessions: readonly SessionRow[],
  { tickets, opening, dryRun = false }: Matching,
): Promise<Matched> {
  const agents = new Set(tickets.map(({ agent }) => agent));
  const candidates = sessions.filter((row) => isOpen(row) && agents.has(row.agent));
  if (candidates.length === 0) return { explained: [], ambiguous: [] };
  const people = await peopleOf(ctx, candidates, opening);
  const found = candidates.map((row) => ({
    row,
    ticket: ticketFor(row, people.get(row)?.person ?? null, tickets),
  }));
  const ambiguous = found.flatMap(({ row, ticket }) => (ticket === 'ambiguous' ? [row.session] : []));
  const fitting = found.flatMap(({ row, ticket }) =>
    ticket === null || ticket === 'ambiguous' ? [] : [{ row, ticket }],
  );
  const explained = dryRun ? fitting.map(({ row }) => row.session) : await explainAll(ctx, fitting);
  return { explained, ambiguous };
}

async function explainAll(
  ctx: Context,
  fitting: readonly { row: SessionRow; ticket: Ticket }[],
): Promise<SessionId[]> {
  if (fitting.length === 0) return [];
  const done = await ctx.store.write(async (tx) => {
    const explained: SessionId[] = [];
    for (const { row, ticket: found } of fitting) {
      // Read again: somebody may have explained it meanwhile, or its month may be gone.
      const [session] = await tx.sessionsById([row.session]);
      if (session === undefined || !isOpen(session)) continue;
      if ((await explainableUnder(ctx, tx, session)) === null) continue;
      const { ticket, purpose, importedBy: person } = found;
      await explainIn(ctx, tx, { session, person, ticket, purpose, reason: 'matched' });
      explained.push(session.session);
    }
    return explained;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return done;
}

/** Who was there, by the roster. `seen`: something of the session was opened, so that it could be asked. */
export interface Found {
  person: PersonId | null;
  seen: boolean;
}

export async function peopleOf(
  ctx: Context,
  rows: readonly SessionRow[],
  opening?: Matching['opening'],
): Promise<Map<SessionRow, Found>> {
  const { read } = ctx.store;
  const known = await activeIdentities(read);
  const positions = [...rows.flatMap(({ partPos }) => partPos), ...known.map(({ valuePos }) => valuePos)];
  await opening?.(positions.length);
  const opened = await ctx.opener.open(read, positions);
  const roster = makeRoster(knownOf(known, opened));
  return new Map(rows.map((row) => [row, foundOf(roster, row, opened)]));
}

function foundOf(
  roster: Roster,
  { tool, startedAt, partPos }: SessionRow,
  opened: ReadonlyMap<Pos, Personal>,
): Found {
  const parts = partPos.map((pos) => opened.get(pos)).filter((part) => part !== undefined);
  const { peer, technician, localUser } = sessionPeople(parts);
  const ips = peer?.ips.map(({ ip }) => ip) ?? [];
  const traces = { tool, startedAt, technician, localUser, peerId: peer?.id ?? null, ips };
  return { person: roster.find(traces), seen: peer !== null || technician !== null };
}
