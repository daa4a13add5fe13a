/**
 * Who was there, as one reader is shown it: by name from the roster, or by pseudonym.
 *
 * Q14 A role that is shown pseudonyms (`isVeiled`) gets no id, name or address of the people at either end from any
 *     answer about sessions, and finds sessions by pseudonym only. The names behind one session are a `session.revealed`
 *     event first.
 */
import type { GroupId, PersonId } from '../../protocol/ids.ts';
import type { Caller } from '../auth.ts';
import { activeIdentities, knownOf } from '../identities.ts';
import { isVeiled } from '../permissions.ts';
import { pseudonym, pseudonymOfSession } from '../pseudonyms.ts';
import { makeRoster, type Roster } from '../roster.ts';
import { type SessionPeople, sessionPeople } from '../session-people.ts';
import type { PersonRow, Pos } from '../store/types.ts';
import type { Context } from '../types.ts';
import type { OpenedWhole, Whole } from './merged.ts';

export interface Seen extends SessionPeople {
  /** Person of the roster; null: nobody that it knows. */
  person: PersonId | null;
  veiled: boolean;
}

export interface Lens {
  /** In the order of the sessions. */
  people(wholes: readonly Whole[], opened: readonly OpenedWhole[]): Promise<Seen[]>;
}
export interface LensPlan {
  /** Sealed parts that `open` will open. */
  count: number;
  /** Only after the reading of `count` parts was committed (Q1). */
  open(): Promise<Lens>;
}

/** `clear` true: a reveal, whatever the role. */
export async function planLens(ctx: Context, caller: Caller, clear = false): Promise<LensPlan> {
  const { read } = ctx.store;
  const rows = await activeIdentities(read);
  const ids = [...new Set(rows.map(({ person }) => person))];
  const people = (await Promise.all(ids.map((id) => read.people.get(id)))).filter((row) => row !== null);
  const veiled = !clear && isVeiled(caller.person.role);
  const names = veiled ? [] : people.flatMap(({ namePos }) => namePos ?? []);
  const positions = [...rows.map(({ valuePos }) => valuePos), ...names];
  return {
    count: positions.length,
    async open() {
      const opened = positions.length === 0 ? new Map() : await ctx.opener.open(read, positions);
      const roster = makeRoster(knownOf(rows, opened));
      if (veiled) return veil(ctx, roster);
      return named(roster, namesOf(people, opened));
    },
  };
}

function namesOf(
  people: readonly PersonRow[],
  opened: ReadonlyMap<Pos, { name?: unknown }>,
): Map<PersonId, string> {
  return new Map(
    people.flatMap(({ person, namePos }) => {
      const name = namePos === null ? undefined : opened.get(namePos)?.name;
      return typeof name === 'string' ? [[person, name] as const] : [];
    }),
  );
}

function found(roster: Roster, { row }: Whole, people: SessionPeople): PersonId | null {
  const { peer, technician, localUser } = people;
  return roster.find({
    ...{ tool: row.tool, startedAt: row.startedAt, technician, localUser },
    peerId: peer?.id ?? null,
    ips: peer?.ips.map(({ ip }) => ip) ?? [],
  });
}

function named(roster: Roster, names: ReadonlyMap<PersonId, string>): Lens {
  return {
    async people(wholes, opened) {
      return wholes.map((whole, i) => {
        const people = sessionPeople(opened[i]?.parts ?? []);
        const person = found(roster, whole, people);
        // Whoever the roster does not know is who the tool says, where it says that.
        const technician = person === null ? people.technician : (names.get(person) ?? person);
        return { ...people, technician, person, veiled: false };
      });
    },
  };
}

function veil(ctx: Context, roster: Roster): Lens {
  return {
    async people(wholes, opened) {
      const groups = await groupsOf(ctx, wholes);
      const accounts = new Map<PersonId, Buffer | null>();
      const accountKey = async (person: PersonId) => {
        if (!accounts.has(person)) accounts.set(person, await keyOfAccount(ctx, person));
        return accounts.get(person) ?? null;
      };
      const shown: Seen[] = [];
      for (const [i, whole] of wholes.entries()) {
        const clear = sessionPeople(opened[i]?.parts ?? []);
        const person = found(roster, whole, clear);
        const group = groups.get(whole);
        const span = group === undefined ? null : ctx.opener.originKey(group);
        const account = person === null ? null : await accountKey(person);
        const one = account === null || person === null ? null : pseudonym('P', account, person);
        shown.push({ ...veiledPeople(whole, clear, span, one), person, veiled: true });
      }
      return shown;
    },
  };
}

function veiledPeople(
  { row }: Whole,
  clear: SessionPeople,
  span: Buffer | null,
  rostered: string | null,
): SessionPeople {
  const hide = (prefix: 'P' | 'U', who: string) =>
    span === null ? pseudonymOfSession(prefix, row.session) : pseudonym(prefix, span, `${row.tool}\0${who}`);
  const { peer, technician, localUser } = clear;
  const who = peer?.id ?? technician ?? peer?.names.join('\0') ?? '';
  const far = rostered ?? hide('P', who === '' ? (peer?.ips[0]?.ip ?? '') : who);
  return {
    peer: peer === null ? null : { id: far, names: [], ips: [] },
    technician: rostered ?? (technician === null ? null : far),
    localUser: localUser === null ? null : hide('U', localUser),
    // A tool's own name for a session leads to its log, and from there to everybody in it.
    toolSessionId: null,
  };
}

/** The group that each session's parts lie under now. */
async function groupsOf(ctx: Context, wholes: readonly Whole[]): Promise<Map<Whole, GroupId>> {
  const parts = await ctx.store.read.parts(
    wholes.flatMap(({ row, mergedPos }) => [...row.partPos, ...mergedPos]),
  );
  const under = new Map(parts.map((part) => [part.pos, part.under]));
  const firsts = wholes.flatMap((whole) => {
    const group = [...whole.row.partPos, ...whole.mergedPos].map((pos) => under.get(pos)).find((g) => g);
    return group === undefined ? [] : [[whole, group] as const];
  });
  return new Map(firsts);
}

async function keyOfAccount(ctx: Context, person: PersonId): Promise<Buffer | null> {
  const [account] = await ctx.store.read.groups.list({
    ...{ class: 'person.account', subject: person, state: 'live' },
  });
  return account === undefined ? null : ctx.opener.originKey(account.group);
}
