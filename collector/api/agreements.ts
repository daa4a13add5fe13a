/** `GET /v1/agreements`, `POST /v1/agreements`. */
import { z } from 'zod';
import { MODES } from '../../protocol/event.ts';
import { fromIso, toIso } from '../../protocol/time.ts';
import { createAgreement, listAgreements } from '../agreements.ts';
import type { Caller } from '../auth.ts';
import { customerNames, findOrCreateCustomer } from '../customers.ts';
import type { AgreementRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { registryAnswer } from './registry.ts';
import { field, type Room, route } from './room.ts';
import { customerOrNew } from './scope.ts';

const create = z.strictObject({
  customer: field.text,
  mode: z.enum(MODES).default('managed'),
  startsAt: field.iso.optional(),
  dryRun: field.dryRun,
});

export function agreementRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'GET',
    path: '/v1/agreements',
    verb: 'agreement.list',
    input: z.strictObject({ limit: field.limit, after: field.after }),
    handle: async ({ caller, input }) => {
      const rows = await listAgreements(ctx, caller.person.customers);
      return registryAnswer(
        ctx,
        rows,
        (row) => row.agreement,
        input,
        (page) => items(ctx, caller, 'agreement.list', page),
      );
    },
  });
  route(room, {
    method: 'POST',
    path: '/v1/agreements',
    verb: 'agreement.create',
    input: create,
    handle: ({ caller, input }) => make(ctx, caller, input),
  });
}

async function items(ctx: Context, caller: Caller, verb: string, rows: readonly AgreementRow[]) {
  await recordReading(ctx, caller, verb, rows.length);
  return itemsOf(ctx, rows);
}

async function itemsOf(ctx: Context, rows: readonly AgreementRow[]) {
  const names = await customerNames(ctx);
  return rows.map((row) => ({
    id: row.agreement,
    customer: names.get(row.customer) ?? null,
    customerId: row.customer,
    mode: row.mode,
    state: row.state,
    isDefault: row.isDefault,
    startsAt: toIso(row.startsAt),
    endsAt: row.endsAt === null ? null : toIso(row.endsAt),
    createdAt: toIso(row.createdAt),
  }));
}

async function make(ctx: Context, caller: Caller, input: z.infer<typeof create>) {
  const known = await customerOrNew(ctx, caller, input.customer);
  const startsAt = input.startsAt === undefined ? null : fromIso(input.startsAt);
  if (input.dryRun) {
    const shown = startsAt ?? ctx.clock.now();
    return {
      id: null,
      customerId: known?.customer ?? null,
      mode: input.mode,
      state: 'open',
      startsAt: toIso(shown),
      dryRun: true,
    };
  }
  const { customer } = known ?? (await findOrCreateCustomer(ctx, input.customer));
  await recordReading(ctx, caller, 'agreement.create', 1, { customer });
  const row = await createAgreement(ctx, {
    customer,
    mode: input.mode,
    person: caller.person.person,
    ...(startsAt === null ? {} : { startsAt }),
  });
  const [item] = await itemsOf(ctx, [row]);
  return { ...item, dryRun: false };
}
