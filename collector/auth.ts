/**
 * Sign-in by bearer token, and what is refused.
 *
 * Q2  A refused sign-in is an event; a flood of them is bounded and its rest counted.
 * Q3  A revoked or expired sign-in opens nothing, from the next request on.
 * Q4  A person sees their customers' rows only; another customer's row is as absent as one that never was.
 * Q13 What a role may not is refused before the request is looked at, and is an event: the first of a person and a
 *     verb at once, the rest of a minute counted.
 */
import { timingSafeEqual } from 'node:crypto';
import { TilsynError } from '../protocol/errors.ts';
import type { CustomerId } from '../protocol/ids.ts';
import { DAY_MS, MINUTE_MS, type UtcMs } from '../protocol/time.ts';
import { SIGNIN_PREFIX, signinHash } from './people.ts';
import { denied, may, ruleOf, type Verb, withoutNda } from './permissions.ts';
import { makeRefusals, type Refusals } from './refusals.ts';
import type { PersonRow, SigninRow } from './store/types.ts';
import type { Context, OwnDraft } from './types.ts';

/** Who asks, and from where. */
export interface Caller {
  person: PersonRow;
  signin: SigninRow;
  address: string;
}

/** Q4. */
export function sees(caller: Caller, customer: CustomerId): boolean {
  return caller.person.customers === null || caller.person.customers.includes(customer);
}

const TOKEN = new RegExp(`^${SIGNIN_PREFIX}[A-Za-z0-9_-]{43}$`);

type Refusal = 'malformed' | 'unknown' | 'expired' | 'revoked';

export interface Auth {
  /**
   * The person behind an `Authorization` header.
   * @throws TilsynError `signin.missing`, `signin.expired`, `signin.refused`
   */
  signIn(header: string | undefined, address: string): Promise<Caller>;
  /** Q13. @throws TilsynError `permission.denied`, `permission.reading`, `permission.nda` */
  permit(caller: Caller, verb: Verb): Promise<void>;
  /** Q13, for a refusal that only a look at the thing itself shows. */
  noteRefusal(caller: Caller, verb: Verb): Promise<void>;
  /**
   * The same sign-in, read again; null once it opens nothing any more (Q3), or not the same. For answers that go on
   * for long.
   */
  again(caller: Caller): Promise<Caller | null>;
  /** Writes what was counted and stops its timer. */
  close(): Promise<void>;
}

export function makeAuth(ctx: Context): Auth {
  // Apart, so that strangers who flood the one do not hide what is told by the other.
  const [signins, permissions] = [makeRefusals(ctx), makeRefusals(ctx)];
  return {
    async signIn(header, address) {
      if (header === undefined) throw signedOut('signin.missing', 'no sign-in token was given');
      const found = await lookUp(ctx, header);
      if (typeof found === 'string') {
        await refuseSignin(signins, found, address);
        // Only who holds the whole token learns that it has ended; of all others nobody learns which exist.
        if (found === 'expired') throw ended();
        throw signedOut('signin.refused', 'this sign-in token is not valid');
      }
      const caller: Caller = { ...found, address };
      await noteUse(ctx, caller);
      return caller;
    },
    async permit(caller, verb) {
      const error = refusalFor(ctx, caller.person, verb);
      if (error === null) return;
      await refusePermission(permissions, caller, verb);
      throw error;
    },
    noteRefusal: (caller, verb) => refusePermission(permissions, caller, verb),
    async again(caller) {
      const found = await stateOf(ctx, await ctx.store.read.signins.get(caller.signin.signin));
      if (typeof found === 'string' || found.person.reading !== caller.person.reading) return null;
      return { ...found, address: caller.address };
    },
    async close() {
      await signins.close();
      await permissions.close();
    },
  };
}

function signedOut(code: string, what: string): TilsynError {
  return new TilsynError(code, `signing in: ${what}`, {
    hint: 'Run `tilsyn login`, or set TILSYN_TOKEN_FILE; an admin gives tokens with `tilsyn person add`.',
    exit: 'signedOut',
  });
}

function ended(): TilsynError {
  return new TilsynError('signin.expired', 'signing in: this sign-in token has ended', {
    hint: 'Ask an admin for a new one: `tilsyn person add`; then run `tilsyn login` with it.',
    exit: 'signedOut',
  });
}

async function lookUp(
  ctx: Context,
  header: string,
): Promise<Refusal | { person: PersonRow; signin: SigninRow }> {
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1] ?? '';
  if (!TOKEN.test(token)) return 'malformed';
  const hash = signinHash(token);
  const [signin] = await ctx.store.read.signins.list({ tokenHash: hash });
  // The index compares a hash of 256 random bits, so its timing says nothing; compared once more in constant time.
  const same = signin !== undefined && timingSafeEqual(Buffer.from(signin.tokenHash), Buffer.from(hash));
  return stateOf(ctx, same ? signin : null);
}

async function stateOf(
  ctx: Context,
  signin: SigninRow | null,
): Promise<Refusal | { person: PersonRow; signin: SigninRow }> {
  if (signin === null) return 'unknown';
  const person = await ctx.store.read.people.get(signin.person);
  if (person === null) return 'unknown';
  if (signin.state === 'revoked' || person.state === 'revoked') return 'revoked';
  return signin.expiresAt <= ctx.clock.now() ? 'expired' : { person, signin };
}

/** `lastUsedAt` by the minute; the first use of a day is an event. */
async function noteUse(ctx: Context, caller: Caller): Promise<void> {
  const now = ctx.clock.now();
  if (sameUnit(caller.signin.lastUsedAt, now, MINUTE_MS)) return;
  await ctx.store.write(async (tx) => {
    const signin = await tx.signins.get(caller.signin.signin);
    if (signin === null || signin.state === 'revoked') return;
    if (!sameUnit(signin.lastUsedAt, now, DAY_MS)) {
      await ctx.own.append(tx, [signinEvent('signin.ok', caller.person, 'ok', caller.address)]);
    }
    await tx.signins.put([{ ...signin, lastUsedAt: now }]);
  });
  ctx.notify(await ctx.store.read.lastPos());
}

function sameUnit(before: UtcMs | null, now: UtcMs, unitMs: number): boolean {
  return before !== null && Math.floor(before / unitMs) === Math.floor(now / unitMs);
}

function signinEvent(
  type: 'signin.ok' | 'signin.refused',
  person: PersonRow | null,
  reason: string,
  address: string | null,
  count?: number,
): OwnDraft {
  return {
    type,
    data: {
      person: person?.person ?? null,
      role: person?.role ?? null,
      reason,
      ...(count === undefined ? {} : { count }),
    },
    personal: address === null ? null : { address: address.slice(0, 64) },
  } as OwnDraft;
}

/** Q2. */
function refuseSignin(refusals: Refusals, reason: Refusal, address: string): Promise<void> {
  const say = (from: string | null) => (n: number) => signinEvent('signin.refused', null, reason, from, n);
  return refusals.add(address, say(address), say(null));
}

/** Q11, Q12; null: they may. */
function refusalFor(ctx: Context, person: PersonRow, verb: Verb): TilsynError | null {
  if (!may(person, verb)) return denied(person, verb);
  const demanded = ctx.requireNda === true && ruleOf(verb).personal === true;
  return demanded && person.ndaPos === null ? withoutNda(verb) : null;
}

/** Q13. */
function refusePermission(refusals: Refusals, { person, address }: Caller, verb: Verb): Promise<void> {
  const { person: id, role } = person;
  const say = (count: number): OwnDraft => ({
    type: 'permission.refused',
    data: { person: id, role, verb, count },
    personal: { address: address.slice(0, 64) },
  });
  const beyond = (count: number): OwnDraft => ({
    type: 'permission.refused',
    data: { person: null, role: null, verb: 'other', count },
  });
  return refusals.add(`${id} ${verb}`, say, beyond);
}
