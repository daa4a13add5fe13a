/**
 * The roster: what tools know a person by, for a time. The value lies sealed with the person's account and goes with
 * it; matching is in `roster.ts`.
 */
import { TilsynError } from '../protocol/errors.ts';
import { newId, type PersonId } from '../protocol/ids.ts';
import { toIso, type UtcMs } from '../protocol/time.ts';
import { readCidr } from './cidr.ts';
import { unknownPerson } from './people.ts';
import { type IdentityKind, type Known, plain } from './roster.ts';
import type { IdentityRow, Pos, Reader, Tx } from './store/types.ts';
import type { Context, OwnDraft } from './types.ts';

/** Of one collector: all of them are opened for each list of sessions. */
export const MAX_IDENTITIES = 10_000;

export interface NewIdentity {
  person: PersonId;
  kind: IdentityKind;
  value: string;
  from: UtcMs | null;
  to: UtcMs | null;
  by: PersonId;
}

/** @throws TilsynError `identity.value`, `identity.range`, `identity.full`, `person.unknown`, `person.erased` */
export async function addIdentity(ctx: Context, wanted: NewIdentity, dryRun = false): Promise<IdentityRow> {
  const { person, kind, from, to, by } = wanted;
  const value = checkedValue(kind, wanted.value);
  if (from !== null && to !== null && from >= to) throw emptyRange();
  const row = {
    ...{ identity: newId<'identity'>(ctx.random), person, kind, from, to, state: 'active' as const },
    ...{ createdBy: by, createdAt: ctx.clock.now() },
  };
  if (dryRun) {
    await checkRoom(ctx.store.read, person);
    return { ...row, valuePos: 0 };
  }
  const stored = await ctx.store.write(async (tx) => {
    await checkRoom(tx, person);
    const [valuePos = 0] = await ctx.own.append(tx, [identified(row, value)]);
    const whole = { ...row, valuePos };
    // The commit point: the event and the row that finds it, or neither.
    await tx.identities.put([whole]);
    return whole;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return stored;
}

function identified(row: Omit<IdentityRow, 'valuePos'>, value: string): OwnDraft<'person.identified'> {
  const { person, identity, kind, from, to, createdBy } = row;
  const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));
  return {
    type: 'person.identified',
    data: { person, identity, kind, from: iso(from), to: iso(to), by: createdBy },
    personal: { value },
  };
}

async function checkRoom(reader: Reader, person: PersonId): Promise<void> {
  if ((await reader.people.get(person)) === null) throw unknownPerson();
  const account = await reader.groups.list({ class: 'person.account', subject: person });
  if (account.length > 0 && account.every(({ state }) => state !== 'live')) throw erasedAccount();
  if ((await activeIdentities(reader)).length >= MAX_IDENTITIES) throw full();
}

export function activeIdentities(reader: Reader): Promise<IdentityRow[]> {
  return reader.identities.list({ state: 'active' });
}

/** Not used from now on, also for sessions of before. Its event and its value stay with the account. Idempotent. */
export async function removeIdentity(
  ctx: Context,
  person: PersonId,
  identity: string,
  by: PersonId,
): Promise<IdentityRow> {
  const removed = await ctx.store.write(async (tx) => {
    const row = await identityOf(tx, person, identity);
    if (row.state === 'removed') return row;
    const gone = { ...row, state: 'removed' as const };
    await tx.identities.put([gone]);
    const data = { person: row.person, identity: row.identity, by };
    await ctx.own.append(tx, [{ type: 'person.unidentified', data }]);
    return gone;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return removed;
}

/** @throws TilsynError `identity.unknown` */
export async function identityOf(
  reader: Reader | Tx,
  person: PersonId,
  identity: string,
): Promise<IdentityRow> {
  const row = await reader.identities.get(identity);
  if (row !== null && row.person === person) return row;
  throw new TilsynError(
    'identity.unknown',
    'looking up what a person is known by: there is none with this id',
    {
      hint: '`tilsyn person id list PERSON` shows the ids.',
      exit: 'notFound',
    },
  );
}

/** Rows with what was sealed; those whose value does not open any more are left out. */
export function knownOf(
  rows: readonly IdentityRow[],
  opened: ReadonlyMap<Pos, { value?: unknown }>,
): Known[] {
  return rows.flatMap(({ person, kind, from, to, valuePos }) => {
    const value = opened.get(valuePos)?.value;
    return typeof value === 'string' ? [{ person, kind, from, to, value }] : [];
  });
}

/** Errors say what the kind takes, never what was given. */
function checkedValue(kind: IdentityKind, text: string): string {
  const value = text.trim().toWellFormed();
  if (kind === 'network') return readCidr(value);
  const fits =
    kind === 'ssh-key'
      ? /^SHA256:[A-Za-z0-9+/]{43}$/.test(value) || /^(MD5:)?([0-9a-f]{2}:){15}[0-9a-f]{2}$/i.test(value)
      : kind === 'account'
        ? /^\S.{0,254}$/u.test(value)
        : /^[\w@. -]{3,64}$/.test(value);
  if (fits && plain(kind, value) !== '') return value;
  throw new TilsynError('identity.value', `reading what a person is known by: this is no ${kind}`, {
    hint: HINTS[kind],
    exit: 'usage',
  });
}

const HINTS: Readonly<Record<Exclude<IdentityKind, 'network'>, string>> = {
  teamviewer: 'Give the TeamViewer ID, for example 1 660 360 496.',
  anydesk: 'Give the AnyDesk address or alias.',
  rustdesk: 'Give the RustDesk ID.',
  'ssh-key': 'Give the fingerprint as `ssh-keygen -lf KEY.pub` shows it: SHA256:….',
  account: 'Give the account’s name, for example EXAMPLE\\ada.',
};

function emptyRange(): TilsynError {
  return new TilsynError('identity.range', 'reading --from and --to: the range is empty', {
    hint: 'Give a --from before --to.',
    exit: 'usage',
  });
}

function erasedAccount(): TilsynError {
  return new TilsynError('person.erased', 'changing a person: what was kept of their account is erased', {
    hint: 'Add them anew: `tilsyn person add`.',
    exit: 'conflict',
  });
}

function full(): TilsynError {
  return new TilsynError('identity.full', `adding to the roster: it holds ${MAX_IDENTITIES} already`, {
    hint: 'Remove what is not used any more: `tilsyn person id remove PERSON ID`.',
    exit: 'conflict',
  });
}
