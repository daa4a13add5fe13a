/** `POST /v1/tickets`: a file of tickets, taken as a whole or not at all (W15). */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import type { PersonId } from '../../protocol/ids.ts';
import { DAY_MS, utcMs } from '../../protocol/time.ts';
import { isZone } from '../../protocol/zone.ts';
import type { Caller } from '../auth.ts';
import { activeIdentities } from '../identities.ts';
import { listPeople } from '../people.ts';
import { plain } from '../roster.ts';
import type { AgentRow } from '../store/types.ts';
import { matchStored, type NewTicket, spanOfTickets, storeTickets, ticketWish } from '../tickets.ts';
import { type Problem, readTicketFile, type TicketLine } from '../tickets-csv.ts';
import { ticketsAround } from '../tickets-match.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { field, type Room, route } from './room.ts';
import { openHostNames, visibleAgents } from './scope.ts';

/** The body of a request is bounded; this is what of it a file may be. */
const MAX_CSV_CHARACTERS = 240_000;
const importing = z.strictObject({
  csv: z.string().min(1).max(MAX_CSV_CHARACTERS),
  zone: field.text.refine(isZone, 'no time zone').default('UTC'),
  dryRun: field.dryRun,
});
/** Windows further away than this are a slip of the hand, and would each make a key group. */
const OLDEST_MS = 366 * DAY_MS;
const FURTHEST_MS = 92 * DAY_MS;
/** Problems that an error names; the rest is counted. */
const MOST_NAMED = 50;

export function ticketRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'POST',
    path: '/v1/tickets',
    verb: 'ticket.import',
    input: importing,
    handle: ({ caller, input }) => importFile(ctx, caller, input),
  });
}

async function importFile(ctx: Context, caller: Caller, { csv, zone, dryRun }: z.infer<typeof importing>) {
  const { lines, problems } = readTicketFile(csv, zone);
  const read = lines.length === 0 ? [] : await resolve(ctx, caller, lines, problems);
  if (problems.length > 0) throw refused(problems);
  const fresh = await unknownOf(ctx, caller, read);
  const imported = dryRun ? fresh.length : await storeTickets(ctx, fresh);
  const opening = (count: number) => recordReading(ctx, caller, 'ticket.import', count);
  const { explained, ambiguous } = await matchStored(ctx, read, { opening, dryRun });
  return { tickets: read.length, imported, known: read.length - fresh.length, explained, ambiguous, dryRun };
}

/** Lines as tickets; what names nothing that this person sees joins the problems (Q4). */
async function resolve(
  ctx: Context,
  caller: Caller,
  lines: readonly TicketLine[],
  problems: Problem[],
): Promise<NewTicket[]> {
  const hosts = await hostsBy(ctx, caller);
  const people = await peopleBy(ctx, caller);
  const resolved: NewTicket[] = [];
  for (const line of lines) {
    const wrong = (column: Problem['column'], what: string) =>
      void problems.push({ line: line.line, column, what });
    const before = problems.length;
    const host = only(hosts, fold(line.host), (what) => wrong('host', what));
    const technician = only(people, fold(line.technician), (what) => wrong('technician', what));
    if (host !== null) for (const what of await unfit(ctx, host, line)) wrong(what.column, what.what);
    if (problems.length > before || host === null || technician === null) continue;
    const { ticket, purpose, from, to } = line;
    const importedBy = caller.person.person;
    resolved.push({ host, agent: host.agent, technician, ticket, purpose, from, to, importedBy });
  }
  return resolved.filter(unique());
}

/** The one thing of this name; a problem where there is none, or several. */
function only<T>(known: ReadonlyMap<string, Set<T>>, name: string, wrong: (what: string) => void): T | null {
  const found = known.get(name) ?? new Set<T>();
  const [one] = found;
  if (found.size === 1 && one !== undefined) return one;
  wrong(found.size === 0 ? 'there is none with this id or name' : 'several have this name; give the id');
  return null;
}

function add<T>(map: Map<string, Set<T>>, name: string, one: T): void {
  const set = map.get(fold(name)) ?? new Set<T>();
  map.set(fold(name), set.add(one));
}

function fold(name: string): string {
  return name.trim().normalize('NFC').toLocaleLowerCase('en');
}

async function hostsBy(ctx: Context, caller: Caller): Promise<Map<string, Set<AgentRow>>> {
  const agents = await visibleAgents(ctx, caller);
  const names = await openHostNames(ctx, caller, agents);
  const map = new Map<string, Set<AgentRow>>();
  for (const agent of agents) {
    add(map, agent.agent, agent);
    const name = names.get(agent.agent);
    if (name !== undefined && name !== '') add(map, name, agent);
  }
  return map;
}

/** People by id, by name, and by the accounts of the roster. */
async function peopleBy(ctx: Context, caller: Caller): Promise<Map<string, Set<PersonId>>> {
  const { read } = ctx.store;
  const people = (await listPeople(read, caller.person.customers)).map(({ person }) => person);
  const ids = new Set(people.map(({ person }) => person));
  const accounts = (await activeIdentities(read)).filter(
    (row) => row.kind === 'account' && ids.has(row.person),
  );
  const positions = [
    ...people.flatMap(({ namePos }) => namePos ?? []),
    ...accounts.map(({ valuePos }) => valuePos),
  ];
  await recordReading(ctx, caller, 'ticket.import', positions.length);
  const opened = await ctx.opener.open(read, positions);
  const map = new Map<string, Set<PersonId>>();
  for (const { person, namePos } of people) {
    add(map, person, person);
    const name = namePos === null ? undefined : opened.get(namePos)?.name;
    if (typeof name === 'string') add(map, name, person);
  }
  for (const { person, valuePos } of accounts) {
    const value = opened.get(valuePos)?.value;
    if (typeof value === 'string') add(map, plain('account', value), person);
  }
  return map;
}

/** Why a ticket of this host and time could not be kept. */
async function unfit(
  ctx: Context,
  host: AgentRow,
  line: TicketLine,
): Promise<Pick<Problem, 'column' | 'what'>[]> {
  const now = ctx.clock.now();
  if (line.from < now - OLDEST_MS) return [{ column: 'from', what: 'it is more than a year ago' }];
  if (line.from > now + FURTHEST_MS)
    return [{ column: 'from', what: 'it is more than three months from now' }];
  if (host.mode === 'one-off')
    return [{ column: 'host', what: 'of a one-off machine nothing is kept to explain' }];
  const agreement = await ctx.store.read.agreements.get(host.agreement);
  if (agreement?.state !== 'open') return [{ column: 'host', what: 'its agreement has ended' }];
  const { class: cls, kind, at } = ticketWish({ host, from: line.from });
  const group = ctx.groups.find(host.agreement, cls, kind, at);
  if (group !== null && group.state !== 'live')
    return [{ column: 'from', what: 'what was kept of then is erased' }];
  return [];
}

/** Once per content: the same line twice is one ticket. */
function unique(): (ticket: NewTicket) => boolean {
  const seen = new Set<string>();
  return (ticket) => {
    const key = keyOf(ticket);
    return seen.has(key) ? false : seen.add(key).has(key);
  };
}

function keyOf({ agent, from, to, technician, ticket }: Omit<NewTicket, 'host'>): string {
  return JSON.stringify([agent, from, to, technician, ticket]);
}

/** Those of the file that no earlier import brought: a file can be imported again, and grows. */
async function unknownOf(ctx: Context, caller: Caller, tickets: readonly NewTicket[]): Promise<NewTicket[]> {
  if (tickets.length === 0) return [];
  const [from, to] = spanOfTickets(tickets);
  const agents = [...new Set(tickets.map(({ agent }) => agent))];
  await recordReading(ctx, caller, 'ticket.import', tickets.length);
  const stored = await ticketsAround(ctx, agents, utcMs(from), utcMs(to));
  const known = new Set(stored.map(({ ticket }) => keyOf(ticket)));
  return tickets.filter((ticket) => !known.has(keyOf(ticket)));
}

function refused(problems: readonly Problem[]): TilsynError {
  const said = [...problems]
    .sort((a, b) => a.line - b.line)
    .slice(0, MOST_NAMED)
    .map(({ line, column, what }) => `line ${line}${column === null ? '' : `, ${column}`}: ${what}`);
  const rest = problems.length - said.length;
  const more = rest > 0 ? `; and ${rest} more` : '';
  return new TilsynError('ticket.file', `importing tickets: nothing was taken; ${said.join('; ')}${more}`, {
    hint: 'Mend the file and import it again; what was imported before is not doubled.',
    exit: 'usage',
  });
}
