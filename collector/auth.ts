/**
 * Sign-in by bearer token, and who may do what. One table of permissions: verb × role.
 *
 * Q2  A refused sign-in is an event; a flood of them is bounded and its rest counted.
 * Q3  A revoked or expired sign-in opens nothing, from the next request on.
 * Q4  A person sees their customers' rows only; another customer's row is as absent as one that never was.
 */
import { timingSafeEqual } from 'node:crypto';
import { codeOf, TilsynError } from '../protocol/errors.ts';
import type { CustomerId } from '../protocol/ids.ts';
import { DAY_MS, MINUTE_MS, type UtcMs } from '../protocol/time.ts';
import { SIGNIN_PREFIX, signinHash } from './people.ts';
import type { PersonRow, SigninRow } from './store/types.ts';
import type { Context, OwnDraft } from './types.ts';

type Role = PersonRow['role'];

const ALL: readonly Role[] = ['admin', 'auditor', 'technician', 'security', 'dpo'];
const READ: readonly Role[] = ['admin', 'auditor', 'technician'];
const INSTALL: readonly Role[] = ['admin', 'technician'];
const ADMIN: readonly Role[] = ['admin'];

/** Who may do what. Security and dpo sign in and read nothing yet: their issues add their columns. */
export const PERMISSIONS = {
  whoami: ALL,
  'session.list': READ,
  'session.show': READ,
  'session.tail': READ,
  'event.list': READ,
  'event.tail': READ,
  'host.list': READ,
  'host.show': READ,
  'host.approve': INSTALL,
  'host.resolve': INSTALL,
  'host.revoke': INSTALL,
  coverage: READ,
  'token.list': READ,
  'token.create': INSTALL,
  'token.revoke': INSTALL,
  'agreement.list': READ,
  'agreement.create': ADMIN,
  'person.list': ['admin', 'auditor'],
  'person.add': ADMIN,
  'person.revoke': ADMIN,
} as const satisfies Record<string, readonly Role[]>;
export type Verb = keyof typeof PERMISSIONS;

/** Who asks, and from where. */
export interface Caller {
  person: PersonRow;
  signin: SigninRow;
  address: string;
}

export function may(role: Role, verb: Verb): boolean {
  return (PERMISSIONS[verb] as readonly Role[]).includes(role);
}

/** @throws TilsynError `permission.denied` */
export function requirePermission(caller: Caller, verb: Verb): void {
  if (may(caller.person.role, verb)) return;
  throw new TilsynError('permission.denied', `${verb}: the role ${caller.person.role} may not do this`, {
    hint: `Ask someone whose role is one of: ${PERMISSIONS[verb].join(', ')}.`,
    exit: 'forbidden',
  });
}

/** Q4. */
export function sees(caller: Caller, customer: CustomerId): boolean {
  return caller.person.customers === null || caller.person.customers.includes(customer);
}

const TOKEN = new RegExp(`^${SIGNIN_PREFIX}[A-Za-z0-9_-]{43}$`);
/** Addresses told apart in one minute of refusals; the rest is counted together. */
const MAX_ADDRESSES = 32;

type Refusal = 'malformed' | 'unknown' | 'expired' | 'revoked';

export interface Auth {
  /**
   * The person behind an `Authorization` header.
   * @throws TilsynError `signin.missing`, `signin.refused`
   */
  signIn(header: string | undefined, address: string): Promise<Caller>;
  /** The same sign-in, read again; null once it opens nothing any more (Q3). For answers that go on for long. */
  again(caller: Caller): Promise<Caller | null>;
  /** Writes what was counted and stops its timer. */
  close(): Promise<void>;
}

export function makeAuth(ctx: Context): Auth {
  const refusals = makeRefusals(ctx);
  return {
    async signIn(header, address) {
      if (header === undefined) throw signedOut('signin.missing', 'no sign-in token was given');
      const found = await lookUp(ctx, header);
      if (typeof found === 'string') {
        await refusals.add(found, address);
        // One answer for every cause: which tokens exist is nobody's business.
        throw signedOut('signin.refused', 'this sign-in token is not valid');
      }
      const caller: Caller = { ...found, address };
      await noteUse(ctx, caller);
      return caller;
    },
    async again(caller) {
      const found = await stateOf(ctx, await ctx.store.read.signins.get(caller.signin.signin));
      return typeof found === 'string' ? null : { ...found, address: caller.address };
    },
    close: () => refusals.close(),
  };
}

function signedOut(code: string, what: string): TilsynError {
  return new TilsynError(code, `signing in: ${what}`, {
    hint: 'Run `tilsyn login`, or set TILSYN_TOKEN_FILE; an admin gives tokens with `tilsyn person add`.',
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

/**
 * The first refusal of an address is written at once; further ones within a minute are counted and written as one
 * event when it is over (Q2).
 */
function makeRefusals(ctx: Context) {
  const counts = new Map<string, { reason: Refusal; address: string | null; more: number }>();
  let cancel: (() => void) | null = null;

  async function write(drafts: OwnDraft[]): Promise<void> {
    if (drafts.length === 0) return;
    try {
      await ctx.store.write((tx) => ctx.own.append(tx, drafts));
      ctx.notify(await ctx.store.read.lastPos());
    } catch (error) {
      // The refusal itself stands, recorded or not; a full disk must not open a door.
      ctx.log.error({ code: codeOf(error), count: drafts.length }, 'refused sign-ins could not be recorded');
    }
  }

  async function flush(): Promise<void> {
    cancel?.();
    cancel = null;
    const rest = [...counts.values()].filter((entry) => entry.more > 0);
    counts.clear();
    await write(rest.map((e) => signinEvent('signin.refused', null, e.reason, e.address, e.more)));
  }

  return {
    async add(reason: Refusal, address: string): Promise<void> {
      const known = counts.has(address) || counts.size < MAX_ADDRESSES;
      const key = known ? address : '';
      const entry = counts.get(key);
      if (entry !== undefined) {
        entry.more++;
        return;
      }
      counts.set(key, { reason, address: known ? address : null, more: 0 });
      cancel ??= ctx.clock.after(MINUTE_MS, () => void flush());
      await write([signinEvent('signin.refused', null, reason, known ? address : null, 1)]);
    },
    close: flush,
  };
}
