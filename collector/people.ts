/**
 * People and their sign-in tokens. A token is shown once; only its SHA-256 is kept.
 *
 * Q5  Revoking a person revokes all their sign-ins in the same transaction.
 * Q6  The last admin who can still sign in is not revoked: nobody could add another.
 * Q7  A person's name lies in a sealed part only.
 */
import { sha256 } from '../protocol/canonical.ts';
import { TilsynError } from '../protocol/errors.ts';
import { type CustomerId, type Id, newId, type PersonId, toB64 } from '../protocol/ids.ts';
import { DAY_MS, type UtcMs, utcMs } from '../protocol/time.ts';
import type { PersonRow, Pos, Reader, SigninRow, Tx } from './store/types.ts';
import type { Context } from './types.ts';

export const SIGNIN_PREFIX = 'tilsyn_';
/** Sign-in tokens end after this, unless said otherwise. */
export const SIGNIN_TTL_MS = 90 * DAY_MS;
const MAX_SIGNIN_TTL_MS = 366 * DAY_MS;

export interface NewPerson {
  role: PersonRow['role'];
  /** Null: all customers. */
  customers: CustomerId[] | null;
  name?: string;
  /** Day on which they signed their non-disclosure agreement, `YYYY-MM-DD`. */
  nda?: string;
  /** False: they do not see the personal data that their role shows (Q12). */
  reading?: boolean;
  /** Null: `collector init`. */
  createdBy: PersonId | null;
  ttlMs?: number;
}

/** base64url of the SHA-256 of a sign-in token: what the store keeps. */
export function signinHash(token: string): string {
  return toB64(sha256(token));
}

/** Adds a person with one sign-in token, which is returned and never shown again. */
export async function addPerson(
  ctx: Context,
  wanted: NewPerson,
): Promise<{ person: PersonRow; token: string; expiresAt: UtcMs }> {
  const now = ctx.clock.now();
  const expiresAt = utcMs(now + checkedTtl(wanted.ttlMs ?? SIGNIN_TTL_MS));
  const token = SIGNIN_PREFIX + toB64(ctx.random(32));
  const row: PersonRow = {
    person: newId<'person'>(ctx.random),
    role: wanted.role,
    customers: wanted.customers,
    state: 'active',
    namePos: null,
    reading: wanted.reading ?? true,
    ndaPos: null,
    createdBy: wanted.createdBy,
    createdAt: now,
  };
  const person = await ctx.store.write(async (tx) => {
    const personal = accountOf(wanted);
    const [pos = null] = await ctx.own.append(tx, [
      { type: 'person.added', data: addedData(row, wanted), personal },
    ]);
    const stored = {
      ...row,
      namePos: personal === null ? null : pos,
      ndaPos: wanted.nda === undefined ? null : pos,
    };
    await tx.people.put([stored]);
    await tx.signins.put([newSignin(ctx, row.person, token, now, expiresAt)]);
    return stored;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return { person, token, expiresAt };
}

function addedData({ person, role }: PersonRow, { createdBy, reading }: NewPerson) {
  return {
    person,
    role,
    ...(createdBy === null ? {} : { by: createdBy }),
    ...(reading === undefined ? {} : { reading }),
  };
}

export interface PersonChange {
  person: PersonId;
  by: PersonId;
  nda?: string;
  reading?: boolean;
}

/**
 * Changes what may be changed of a person: not their role, nor their customers. Who shall have others is another
 * account, so that an approval by it can be told from one by the old.
 * @throws TilsynError `person.unknown`, `person.gone`
 */
export async function changePerson(
  ctx: Context,
  { person, by, nda, reading }: PersonChange,
): Promise<PersonRow> {
  const changed = await ctx.store.write(async (tx) => {
    const row = await tx.people.get(person);
    if (row === null) throw unknownPerson();
    if (row.state === 'revoked') throw revokedPerson();
    const data = { person, role: row.role, by, ...(reading === undefined ? {} : { reading }) };
    const personal = nda === undefined ? null : { nda };
    const [pos = null] = await ctx.own.append(tx, [{ type: 'person.changed', data, personal }]);
    const next = { ...row, reading: reading ?? row.reading, ndaPos: nda === undefined ? row.ndaPos : pos };
    await tx.people.put([next]);
    return next;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return changed;
}

function revokedPerson(): TilsynError {
  return new TilsynError('person.gone', 'changing a person: they were revoked', {
    hint: 'Add them anew: `tilsyn person add`.',
    exit: 'conflict',
  });
}

function checkedTtl(ttlMs: number): number {
  if (ttlMs > 0 && ttlMs <= MAX_SIGNIN_TTL_MS) return ttlMs;
  throw new TilsynError(
    'person.ttl',
    'adding a person: the sign-in token would live too long or not at all',
    {
      hint: 'Give --ttl between 1m and 366d.',
      exit: 'usage',
    },
  );
}

function accountOf(wanted: NewPerson): { name?: string; nda?: string } | null {
  const { name, nda } = wanted;
  if (name === undefined && nda === undefined) return null;
  return { ...(name === undefined ? {} : { name }), ...(nda === undefined ? {} : { nda }) };
}

function newSignin(ctx: Context, person: PersonId, token: string, at: UtcMs, expiresAt: UtcMs): SigninRow {
  return {
    signin: newId<'signin'>(ctx.random),
    person,
    tokenHash: signinHash(token),
    state: 'active',
    createdAt: at,
    expiresAt,
    lastUsedAt: null,
  };
}

export interface ListedPerson {
  person: PersonRow;
  signins: SigninRow[];
}

/** Everybody, or those who are bound to no other customers than these. */
export async function listPeople(
  reader: Reader,
  customers: readonly CustomerId[] | null,
): Promise<ListedPerson[]> {
  const people = (await reader.people.list()).filter((p) => within(p.customers, customers));
  return Promise.all(
    people.map(async (person) => ({ person, signins: await reader.signins.list({ person: person.person }) })),
  );
}

/** True where `inner` reaches nothing that `outer` does not. Null reaches everything. */
export function within(inner: readonly Id[] | null, outer: readonly Id[] | null): boolean {
  if (outer === null) return true;
  return inner !== null && inner.length > 0 && inner.every((id) => outer.includes(id));
}

/** Leaves whose sealed parts hold a person's name and the date of their non-disclosure agreement. */
export function accountPositions(people: readonly ListedPerson[]): Pos[] {
  const all = people.flatMap(({ person: { namePos, ndaPos } }) => [namePos, ndaPos]);
  return [...new Set(all.filter((pos) => pos !== null))];
}

export interface Revocation {
  person: PersonId;
  by: PersonId;
  reason: string | null;
  /** The approval that it rests on. */
  approval?: Id<'approval'>;
}

/**
 * Revokes a person and all their sign-ins at once (Q5), inside the caller's transaction. Idempotent.
 * @throws TilsynError `person.unknown`, `person.last-admin`
 */
export async function revokeIn(ctx: Context, tx: Tx, wanted: Revocation): Promise<PersonRow> {
  const { person, by, reason, approval } = wanted;
  const row = await tx.people.get(person);
  if (row === null) throw unknownPerson();
  if (row.state === 'revoked') return row;
  await refuseLastAdmin(tx, row, ctx.clock.now());
  // Before the rows (V24): a database that is put back from an older copy does not bring them back.
  await ctx.bury([person]);
  const gone: PersonRow = { ...row, state: 'revoked' };
  const signins = await tx.signins.list({ person });
  await tx.people.put([gone]);
  await tx.signins.put(signins.map((signin) => ({ ...signin, state: 'revoked' as const })));
  const data = { person, by, reason: 'asked', ...(approval === undefined ? {} : { approval }) };
  const personal = reason === null ? null : { reason };
  await ctx.own.append(tx, [{ type: 'person.revoked', data, personal }]);
  return gone;
}

/** The same in a transaction of its own. Whether it needs a second person, the caller has asked. */
export async function revokePerson(ctx: Context, wanted: Revocation): Promise<PersonRow> {
  const revoked = await ctx.store.write((tx) => revokeIn(ctx, tx, wanted));
  ctx.notify(await ctx.store.read.lastPos());
  return revoked;
}

export function unknownPerson(): TilsynError {
  return new TilsynError('person.unknown', 'looking up a person: there is none with this id', {
    hint: '`tilsyn person list` shows the ids.',
    exit: 'notFound',
  });
}

/** @throws TilsynError `person.last-admin` (Q6) */
export async function refuseLastAdmin(reader: Reader, leaving: PersonRow, now: UtcMs): Promise<void> {
  if (leaving.role !== 'admin' || leaving.state !== 'active') return;
  const others = await reader.people.list({ role: 'admin', state: 'active' });
  for (const other of others) {
    if (other.person === leaving.person || !within(leaving.customers, other.customers)) continue;
    const signins = await reader.signins.list({ person: other.person, state: 'active' });
    if (signins.some((signin) => signin.expiresAt > now)) return;
  }
  throw new TilsynError('person.last-admin', `revoking person ${leaving.person}: this is the last admin`, {
    hint: 'Add another first: `tilsyn person add --role admin`.',
    exit: 'conflict',
  });
}
