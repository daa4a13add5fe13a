/**
 * Imported tickets: stored sealed beside the sessions that they may explain, and looked at again as sessions come.
 *
 * W18 An imported ticket lies under the span group of its host's agreement and goes with it; in clear stand the host,
 *     the time and who imported it.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { isId, newId, type SessionId } from '../protocol/ids.ts';
import { scrub } from '../protocol/scrub.ts';
import { SECOND_MS, toIso, utcMs } from '../protocol/time.ts';
import { Looks } from './looks.ts';
import type { AgentRow, GroupRow, LeafRow, SessionRow, TicketRow } from './store/types.ts';
import { GRACE_MS, type Matched, matchSessions, type Ticket, ticketsAround } from './tickets-match.ts';
import type { Context, GroupWish, OwnDraft } from './types.ts';

/** Meta key: leaves up to here were looked at; absent: no ticket was ever imported. */
const META_CURSOR = 'tickets_cursor';
const LOOK_MS = 30 * SECOND_MS;
const PAGE = 500;
/** Pages of one look: others have their turn, the rest waits for the next. */
const PAGES = 20;
/** Pages of sessions that one import looks at. */
const MOST_PAGES = 40;
/** Events that are made in one go. */
const SLICE = 200;

/** A ticket that is to be stored. */
export interface NewTicket extends Ticket {
  host: AgentRow;
}

export function ticketWish({ host, from }: Pick<NewTicket, 'host' | 'from'>): GroupWish {
  return { agreement: host.agreement, class: 'session', kind: 'span', at: from };
}

/** Stores them in one transaction, all or none; those whose span died meanwhile are left out. */
export async function storeTickets(ctx: Context, tickets: readonly NewTicket[]): Promise<number> {
  if (tickets.length === 0) return 0;
  const prepared = await ctx.groups.prepare(tickets.map(ticketWish));
  const stored = await ctx.store.write(async (tx) => {
    await prepared.commit(tx);
    const live: { ticket: NewTicket; group: GroupRow }[] = [];
    for (const [i, ticket] of tickets.entries()) {
      const group = prepared.groups[i];
      const now = group === undefined ? null : await tx.groups.get(group.group);
      if (now?.state === 'live') live.push({ ticket, group: now });
    }
    for (let i = 0; i < live.length; i += SLICE) {
      const slice = live.slice(i, i + SLICE).map((one) => ({ ...one, row: rowOf(ctx, one.ticket) }));
      const positions = await ctx.own.append(
        tx,
        slice.map(({ ticket, group, row }) => imported(ticket, group, row)),
      );
      await tx.tickets.put(slice.map(({ row }, k) => ({ ...row, pos: positions[k] ?? 0 })));
      await turn();
    }
    if ((await tx.meta(META_CURSOR)) === null) await tx.setMeta(META_CURSOR, String(await tx.lastPos()));
    return live.length;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return stored;
}

function rowOf(ctx: Context, { agent, from, to, importedBy }: NewTicket): TicketRow {
  const ticket = newId<'ticket'>(ctx.random);
  return { ticket, agent, from, to, pos: 0, importedBy, importedAt: ctx.clock.now() };
}

function imported(
  { ticket, purpose, technician }: NewTicket,
  { group }: GroupRow,
  row: TicketRow,
): OwnDraft<'ticket.imported'> {
  const { agent, from, to, importedBy } = row;
  return {
    type: 'ticket.imported',
    data: { ticket: row.ticket, agent, person: importedBy, from: toIso(from), to: toIso(to) },
    personal: {
      ticket: scrub(ticket).text,
      technician,
      ...(purpose === null ? {} : { purpose: scrub(purpose).text }),
    },
    under: group,
  };
}

/**
 * Sessions of one file's hosts and times, page by page; what fits is explained. `tickets` are those of the file; the
 * ones that are stored count too, or a session would be anybody's whose file came last (W16).
 */
export async function matchStored(
  ctx: Context,
  tickets: readonly Ticket[],
  { opening, dryRun }: { opening: (count: number) => Promise<void>; dryRun: boolean },
): Promise<Matched> {
  const matched: Matched = { explained: [], ambiguous: [] };
  if (tickets.length === 0) return matched;
  const agents = [...new Set(tickets.map(({ agent }) => agent))];
  const [first, last] = spanOfTickets(tickets);
  const [from, to] = [utcMs(first - GRACE_MS), utcMs(last + GRACE_MS)];
  const stored = (await ticketsAround(ctx, agents, from, to)).map(({ ticket }) => ticket);
  const all = dryRun ? [...stored, ...tickets] : stored;
  const base = { customers: null, agents, unexplained: true, attempts: false, since: from, limit: PAGE };
  let after: Pick<SessionRow, 'startedAt' | 'session'> | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = { ...base, until: utcMs(to + 1), ...(after === undefined ? {} : { after }) };
    const rows = await ctx.store.read.sessions(query);
    const { explained, ambiguous } = await matchSessions(ctx, rows, { tickets: all, opening, dryRun });
    matched.explained.push(...explained);
    matched.ambiguous.push(...ambiguous);
    after = rows.at(-1);
    if (rows.length < PAGE) break;
  }
  return matched;
}

export function spanOfTickets(tickets: readonly Pick<Ticket, 'from' | 'to'>[]) {
  const from = tickets.reduce((least, ticket) => Math.min(least, ticket.from), Number.MAX_SAFE_INTEGER);
  const to = tickets.reduce((most, ticket) => Math.max(most, ticket.to), 0);
  return [utcMs(from), utcMs(to)] as const;
}

/** Looks at sessions as they come, every half minute. */
export class TicketMatcher {
  readonly #ctx: Context;
  readonly #looks: Looks;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#looks = new Looks(ctx, {
      everyMs: LOOK_MS,
      failed: 'tickets: a look at new sessions failed',
      look: () => this.#look(),
    });
  }

  start(): void {
    this.#looks.start();
  }

  /** One look. Never throws: the cursor stays, and the next look sees the same again. */
  look(): Promise<void> {
    return this.#looks.look();
  }

  async #look(): Promise<void> {
    for (let page = 0; page < PAGES && !this.#looks.closed; page += 1) {
      if (!(await this.#page())) return;
    }
  }

  /** True where there may be more. */
  async #page(): Promise<boolean> {
    const { read } = this.#ctx.store;
    const cursor = await read.meta(META_CURSOR);
    if (cursor === null) return false;
    const leaves = await read.leaves({ after: Number(cursor), types: NEWS, limit: PAGE });
    const last = leaves.at(-1);
    if (last === undefined) return false;
    await this.#match(await read.sessionsById([...new Set(leaves.flatMap(sessionOf))]));
    // A crash before this commit looks at the page again: what was explained by then is left as it is (W17).
    await this.#ctx.store.write((tx) => tx.setMeta(META_CURSOR, String(last.pos)));
    return leaves.length === PAGE;
  }

  async #match(sessions: readonly SessionRow[]): Promise<void> {
    if (sessions.length === 0) return;
    const times = sessions.map(({ startedAt }) => startedAt);
    const [from, to] = [times.reduce((a, b) => (b < a ? b : a)), times.reduce((a, b) => (b > a ? b : a))];
    const agents = [...new Set(sessions.map(({ agent }) => agent))];
    const tickets = (await ticketsAround(this.#ctx, agents, from, to)).map(({ ticket }) => ticket);
    await matchSessions(this.#ctx, sessions, { tickets });
  }

  /** Lets a look that runs finish; none begins after it. */
  close(): Promise<void> {
    return this.#looks.close();
  }
}

/** Who was there may be known only after the start. */
const NEWS = ['session.started', 'session.updated'];

function sessionOf({ bytes }: LeafRow): SessionId[] {
  const { data } = JSON.parse(bytes) as { data: Record<string, unknown> };
  return isId(data.session) ? [data.session as SessionId] : [];
}
