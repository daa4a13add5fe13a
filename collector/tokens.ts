/**
 * Enrolment tokens. The text is shown once; only the SHA-256 of its secret is kept.
 *
 * N1  A token is useless after its use, its end or its revocation; late use is recognised for 90 days.
 * N6  From where a token may be used lies in a sealed part only; where that does not open any more, it is from nowhere.
 */
import { X509Certificate } from 'node:crypto';
import { sha256 } from '../protocol/canonical.ts';
import { tokenText } from '../protocol/enrolment.ts';
import { TilsynError } from '../protocol/errors.ts';
import {
  type AgreementId,
  type CustomerId,
  fromB64,
  newId,
  type PersonId,
  type TokenId,
  toB64,
} from '../protocol/ids.ts';
import { publicText } from '../protocol/sign.ts';
import { DAY_MS, MINUTE_MS, type UtcMs, utcMs } from '../protocol/time.ts';
import { defaultAgreement, openAgreement } from './agreements.ts';
import { readCidr } from './cidr.ts';
import { findOrCreateCustomerSite } from './customers.ts';
import type { TokenRow, Tx } from './store/types.ts';
import type { Context } from './types.ts';

export const TOKEN_TTL_MS = 30 * MINUTE_MS;
const MAX_TTL_MS = 90 * DAY_MS;
const MAX_USES = 10_000;
/** How long after its end a token is still recognised (N1). */
export const TOKEN_MEMORY_MS = 90 * DAY_MS;

export interface NewToken {
  /** Name or id; made where it is new. */
  customer: string;
  site: string;
  /** Absent: the customer's open default agreement of this mode, made on first use. */
  agreement?: AgreementId;
  /** Absent: the agreement's, else managed. */
  mode?: TokenRow['mode'];
  ttlMs?: number;
  uses?: number;
  cidr?: string | null;
  requireApproval?: boolean;
  person: PersonId | null;
}

export interface MadeToken {
  row: TokenRow;
  /** The one string that a technician pastes. Not kept. */
  text: string;
  /** True where the customer's default agreement was made now. */
  agreementMade: boolean;
}

/** @throws TilsynError `token.ttl`, `token.uses`, `cidr.malformed`, `agreement.*`, `name.malformed` */
export async function createToken(ctx: Context, wanted: NewToken): Promise<MadeToken> {
  const limits = checkedLimits(wanted);
  const { customer, site } = await findOrCreateCustomerSite(ctx, wanted.customer, wanted.site);
  const chosen = await chooseAgreement(ctx, wanted, customer.customer);
  const secret = toB64(ctx.random(32));
  const now = ctx.clock.now();
  const row: TokenRow = {
    token: newId<'token'>(ctx.random),
    secretHash: secretHash(secret),
    customer: customer.customer,
    site: site.site,
    agreement: chosen.agreement.agreement,
    mode: chosen.agreement.mode,
    uses: limits.uses,
    used: 0,
    cidrPos: null,
    requireApproval: wanted.requireApproval ?? false,
    state: 'open',
    createdBy: wanted.person,
    createdAt: now,
    expiresAt: utcMs(now + limits.ttlMs),
  };
  const stored = await ctx.store.write((tx) => putToken(ctx, tx, row, wanted.person, limits.cidr));
  ctx.notify(await ctx.store.read.lastPos());
  return { row: stored, text: textOf(ctx, row, secret), agreementMade: chosen.made };
}

async function putToken(
  ctx: Context,
  tx: Tx,
  row: TokenRow,
  person: PersonId | null,
  cidr: string | null,
): Promise<TokenRow> {
  const [pos] = await ctx.own.append(tx, [
    {
      type: 'token.created',
      data: { token: row.token, person },
      personal: cidr === null ? null : { cidr },
    },
  ]);
  const stored: TokenRow = { ...row, cidrPos: cidr === null ? null : (pos ?? null) };
  await tx.tokens.put([stored]);
  return stored;
}

/** Ranges of the tokens that have one, by token; of one whose sealed part is gone `erased`, which holds nobody (N6). */
export async function rangesOf(ctx: Context, rows: readonly TokenRow[]): Promise<Map<TokenId, string>> {
  const bound = rows.flatMap(({ token, cidrPos }) => (cidrPos === null ? [] : [{ token, cidrPos }]));
  if (bound.length === 0) return new Map();
  const opened = await ctx.opener.open(
    ctx.store.read,
    bound.map(({ cidrPos }) => cidrPos),
  );
  return new Map(
    bound.map(({ token, cidrPos }) => {
      const cidr = opened.get(cidrPos)?.cidr;
      return [token, typeof cidr === 'string' ? cidr : 'erased'];
    }),
  );
}

function checkedLimits(wanted: NewToken): { ttlMs: number; uses: number; cidr: string | null } {
  const { ttlMs = TOKEN_TTL_MS, uses = 1, cidr = null } = wanted;
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 1000 || ttlMs > MAX_TTL_MS) {
    throw new TilsynError('token.ttl', 'making an enrolment token: it would live too long or not at all', {
      hint: 'Give --ttl between 1s and 90d; the default is 30m.',
      exit: 'usage',
    });
  }
  if (!Number.isSafeInteger(uses) || uses < 1 || uses > MAX_USES) {
    throw new TilsynError('token.uses', 'making an enrolment token: the number of uses is out of range', {
      hint: `Give --uses between 1 and ${MAX_USES}.`,
      exit: 'usage',
    });
  }
  return { ttlMs, uses, cidr: cidr === null ? null : readCidr(cidr) };
}

async function chooseAgreement(ctx: Context, wanted: NewToken, customer: CustomerId) {
  const { mode, person } = wanted;
  if (wanted.agreement === undefined) {
    return await defaultAgreement(ctx, { customer, mode: mode ?? 'managed', person });
  }
  const agreement = await openAgreement(ctx, wanted.agreement, customer);
  if (mode === undefined || mode === agreement.mode) return { agreement, made: false };
  throw new TilsynError('token.mode', `making an enrolment token: the agreement is ${agreement.mode}`, {
    hint: 'Leave --mode away, or name an agreement of that mode.',
    exit: 'usage',
  });
}

/** base64url of the SHA-256 of a secret's 32 bytes; of nothing where it is none, which no token has. */
export function secretHash(secret: string): string {
  return toB64(sha256(fromB64(secret, 32) ?? Buffer.alloc(0)));
}

/** base64url of the SHA-256 of the identity key's 32 raw bytes. */
export function identityHash(ctx: Context): string {
  return toB64(sha256(Buffer.from(publicText(ctx.identity), 'base64url')));
}

function textOf(ctx: Context, row: TokenRow, secret: string): string {
  return tokenText({
    v: 1,
    url: ctx.url,
    identity: identityHash(ctx),
    trust: ctx.caPem === null ? 'system' : { pin: toB64(sha256(new X509Certificate(ctx.caPem).raw)) },
    agreement: row.agreement,
    site: row.site,
    token: row.token,
    secret,
  });
}

export type TokenState = 'open' | 'used' | 'expired' | 'revoked';

/** What the token is now; a revoked one stays revoked, whatever else it is. */
export function tokenState(row: TokenRow, now: UtcMs): TokenState {
  if (row.state === 'revoked') return 'revoked';
  if (row.used >= row.uses) return 'used';
  return now >= row.expiresAt ? 'expired' : 'open';
}

/** Tokens of these customers; null: of all. Oldest first. Secrets are not among them. */
export async function listTokens(ctx: Context, customers: readonly CustomerId[] | null): Promise<TokenRow[]> {
  const rows = await ctx.store.read.tokens.list();
  return customers === null ? rows : rows.filter((row) => customers.includes(row.customer));
}

/** Revoking twice is done already. @throws TilsynError `token.unknown` */
export async function revokeToken(ctx: Context, token: TokenId, person: PersonId | null): Promise<TokenRow> {
  const row = await ctx.store.write(async (tx) => {
    const found = await tx.tokens.get(token);
    if (found === null) {
      throw new TilsynError('token.unknown', 'revoking an enrolment token: there is no such one', {
        hint: 'List them with `tilsyn token list`.',
        exit: 'notFound',
      });
    }
    if (found.state === 'revoked') return found;
    const revoked: TokenRow = { ...found, state: 'revoked' };
    await tx.tokens.put([revoked]);
    await ctx.own.append(tx, [{ type: 'token.revoked', data: { token, person } }]);
    return revoked;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return row;
}
