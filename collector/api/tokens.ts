/** `GET /v1/tokens`; `POST /v1/tokens`, `/v1/tokens/:token/revoke`. */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { MODES } from '../../protocol/event.ts';
import { type AgreementId, type CustomerId, isId, type SiteId } from '../../protocol/ids.ts';
import { toIso, utcMs } from '../../protocol/time.ts';
import { type Caller, sees } from '../auth.ts';
import { readCidr } from '../cidr.ts';
import { customerNames, siteNames } from '../customers.ts';
import type { CustomerRow, TokenRow } from '../store/types.ts';
import { createToken, listTokens, rangesOf, revokeToken, TOKEN_TTL_MS, tokenState } from '../tokens.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { registryAnswer } from './registry.ts';
import { field, type Room, route } from './room.ts';
import { customerOrNew } from './scope.ts';

const create = z.strictObject({
  customer: field.text,
  site: field.text,
  agreement: field.id.optional(),
  mode: z.enum(MODES).optional(),
  ttlMs: z.int().min(1000).optional(),
  uses: z.int().min(1).optional(),
  cidr: field.text.nullable().default(null),
  requireApproval: z.boolean().default(false),
  dryRun: field.dryRun,
});
type Create = z.infer<typeof create>;

export function tokenRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'GET',
    path: '/v1/tokens',
    verb: 'token.list',
    input: z.strictObject({ limit: field.limit, after: field.after }),
    handle: async ({ caller, input }) => {
      const rows = await listTokens(ctx, caller.person.customers);
      return registryAnswer(
        ctx,
        rows,
        (row) => row.token,
        input,
        (page) => items(ctx, caller, 'token.list', page),
      );
    },
  });
  route(room, {
    method: 'POST',
    path: '/v1/tokens',
    verb: 'token.create',
    input: create,
    handle: ({ caller, input }) => make(ctx, caller, input),
  });
  route<z.ZodType<{ reason: string | null; dryRun: boolean }>, { token: string }>(room, {
    method: 'POST',
    path: '/v1/tokens/:token/revoke',
    verb: 'token.revoke',
    input: z.strictObject({ reason: field.reason, dryRun: field.dryRun }),
    handle: async ({ caller, params, input }) => {
      const row = isId(params.token) ? await ctx.store.read.tokens.get(params.token) : null;
      if (row === null || !sees(caller, row.customer)) throw unknownToken();
      if (input.dryRun) {
        const [item] = await items(ctx, caller, 'token.list', [{ ...row, state: 'revoked' }]);
        return { ...item, dryRun: true };
      }
      // The reading comes first: it says who asked, and why.
      const [item] = await items(ctx, caller, 'token.revoke', [row], input.reason);
      const revoked = await revokeToken(ctx, row.token, caller.person.person);
      return { ...item, state: tokenState(revoked, ctx.clock.now()) };
    },
  });
}

function unknownToken(): TilsynError {
  return new TilsynError('token.unknown', 'revoking an enrolment token: there is no such one', {
    hint: 'List them with `tilsyn token list`.',
    exit: 'notFound',
  });
}

async function items(
  ctx: Context,
  caller: Caller,
  verb: string,
  rows: readonly TokenRow[],
  reason: string | null = null,
) {
  const filter = { token: rows.length === 1 ? rows[0]?.token : undefined, reason };
  const bound = rows.filter(({ cidrPos }) => cidrPos !== null).length;
  await recordReading(ctx, caller, verb, rows.length * 2 + bound, filter);
  const [customers, sites] = [await customerNames(ctx), await siteNames(ctx)];
  const ranges = await rangesOf(ctx, rows);
  return rows.map((row) => ({
    ...tokenItem(ctx, row, customers, sites),
    cidr: ranges.get(row.token) ?? null,
  }));
}

function tokenItem(
  ctx: Context,
  row: TokenRow,
  customers: ReadonlyMap<CustomerId, string>,
  sites: ReadonlyMap<SiteId, string>,
) {
  return {
    id: row.token,
    customer: customers.get(row.customer) ?? null,
    site: sites.get(row.site) ?? null,
    agreement: row.agreement,
    mode: row.mode,
    state: tokenState(row, ctx.clock.now()),
    uses: row.uses,
    used: row.used,
    requireApproval: row.requireApproval,
    createdBy: row.createdBy,
    createdAt: toIso(row.createdAt),
    expiresAt: toIso(row.expiresAt),
  };
}

async function make(ctx: Context, caller: Caller, input: Create) {
  const known = await customerOrNew(ctx, caller, input.customer);
  if (input.dryRun) return plan(ctx, known, input);
  const { customer, site, agreement, mode, ttlMs, uses, cidr, requireApproval } = input;
  const { row, text, agreementMade } = await createToken(ctx, {
    customer,
    site,
    cidr,
    requireApproval,
    person: caller.person.person,
    ...(agreement === undefined ? {} : { agreement: agreement as AgreementId }),
    ...(mode === undefined ? {} : { mode }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(uses === undefined ? {} : { uses }),
  });
  return {
    id: row.token,
    token: text,
    expiresAt: toIso(row.expiresAt),
    agreement: row.agreement,
    mode: row.mode,
    uses: row.uses,
    agreementMade,
    dryRun: false,
  };
}

/** What would be made: everything that needs no random bytes. */
async function plan(ctx: Context, customer: CustomerRow | null, input: Create) {
  if (input.cidr !== null) readCidr(input.cidr);
  const mode = input.mode ?? 'managed';
  const [open] =
    customer === null
      ? []
      : await ctx.store.read.agreements.list({
          customer: customer.customer,
          mode,
          state: 'open',
          isDefault: true,
        });
  const agreement = input.agreement ?? open?.agreement ?? null;
  return {
    id: null,
    token: null,
    expiresAt: toIso(utcMs(ctx.clock.now() + (input.ttlMs ?? TOKEN_TTL_MS))),
    agreement,
    mode,
    uses: input.uses ?? 1,
    agreementMade: agreement === null,
    dryRun: true,
  };
}
