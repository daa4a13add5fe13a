/**
 * Agreements: the contract between MSP and customer that managed data hangs on.
 *
 * A1  A customer has at most one open default agreement per mode that is not ordered to end; it is made on its first
 *     use and says so.
 */
import { TilsynError } from '../protocol/errors.ts';
import { type AgreementId, type CustomerId, newId, type PersonId } from '../protocol/ids.ts';
import type { UtcMs } from '../protocol/time.ts';
import { isOver } from './erasing/end-rules.ts';
import type { AgreementRow, Tx } from './store/types.ts';
import type { Context } from './types.ts';

export interface NewAgreement {
  customer: CustomerId;
  mode: AgreementRow['mode'];
  /** Absent: now. */
  startsAt?: UtcMs;
  person: PersonId | null;
}

/** @throws TilsynError `customer.unknown` */
export async function createAgreement(ctx: Context, wanted: NewAgreement): Promise<AgreementRow> {
  const row = await ctx.store.write(async (tx) => {
    if ((await tx.customers.get(wanted.customer)) === null) {
      throw new TilsynError('customer.unknown', 'making an agreement: there is no such customer', {
        hint: 'Name the customer as `tilsyn agreement list` shows it.',
        exit: 'notFound',
      });
    }
    return await put(ctx, tx, wanted, false);
  });
  ctx.notify(await ctx.store.read.lastPos());
  return row;
}

/** The open default agreement of a customer, made where there is none (A1). */
export async function defaultAgreement(
  ctx: Context,
  wanted: NewAgreement,
): Promise<{ agreement: AgreementRow; made: boolean }> {
  const result = await ctx.store.write(async (tx) => {
    const { customer, mode } = wanted;
    const open = await tx.agreements.list({ customer, mode, state: 'open', isDefault: true });
    const found = open.find(({ endsAt }) => endsAt === null);
    if (found !== undefined) return { agreement: found, made: false };
    return { agreement: await put(ctx, tx, wanted, true), made: true };
  });
  if (result.made) ctx.notify(await ctx.store.read.lastPos());
  return result;
}

async function put(ctx: Context, tx: Tx, wanted: NewAgreement, isDefault: boolean): Promise<AgreementRow> {
  const now = ctx.clock.now();
  const row: AgreementRow = {
    agreement: newId<'agreement'>(ctx.random),
    customer: wanted.customer,
    mode: wanted.mode,
    state: 'open',
    isDefault,
    startsAt: wanted.startsAt ?? now,
    endsAt: null,
    createdAt: now,
    coolingUntil: null,
    orderedAt: null,
    orderedBy: null,
    endedAt: null,
  };
  await tx.agreements.put([row]);
  const { agreement, customer, mode } = row;
  await ctx.own.append(tx, [
    { type: 'agreement.created', data: { agreement, customer, mode, person: wanted.person } },
  ]);
  return row;
}

/** Agreements of these customers; null: of all. Oldest first. */
export async function listAgreements(
  ctx: Context,
  customers: readonly CustomerId[] | null,
): Promise<AgreementRow[]> {
  const rows = await ctx.store.read.agreements.list();
  return customers === null ? rows : rows.filter((row) => customers.includes(row.customer));
}

/**
 * An open agreement of this customer.
 * @throws TilsynError `agreement.unknown`, `agreement.ended`
 */
export async function openAgreement(
  ctx: Context,
  agreement: AgreementId,
  customer: CustomerId,
): Promise<AgreementRow> {
  const row = await ctx.store.read.agreements.get(agreement);
  if (row === null || row.customer !== customer) {
    throw new TilsynError('agreement.unknown', 'choosing an agreement: this customer has no such one', {
      hint: 'List them with `tilsyn agreement list`.',
      exit: 'notFound',
    });
  }
  if (!isOver(row, ctx.clock.now())) return row;
  throw new TilsynError('agreement.ended', 'choosing an agreement: it has ended', {
    hint: 'Make a new one with `tilsyn agreement create`.',
    exit: 'conflict',
  });
}
