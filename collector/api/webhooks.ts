/** `GET /v1/webhooks`; `POST /v1/webhooks`, `/v1/webhooks/:webhook/remove`, `/test`. */
import { z } from 'zod';
import { TilsynError } from '../../protocol/errors.ts';
import { type CustomerId, isId } from '../../protocol/ids.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import { type Caller, sees } from '../auth.ts';
import { customerNames } from '../customers.ts';
import { Outbox } from '../deliver/outbox.ts';
import { shownTarget } from '../deliver/target.ts';
import { addWebhook, checkWebhook, removeWebhook, testWebhook, unknownWebhook } from '../deliver/webhooks.ts';
import type { WebhookId, WebhookRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { recordReading } from './reading.ts';
import { registryAnswer } from './registry.ts';
import { field, type Room, route } from './room.ts';
import { customerNamed } from './scope.ts';

/** Waiting events are counted up to here: `waiting` says 1000 for that many and more. */
const MAX_WAITING = 1_000;

const add = z.strictObject({
  url: z.string().max(4096),
  customer: field.text.optional(),
  secret: z.string().max(1024).nullable().default(null),
  ca: z.string().max(65_536).nullable().default(null),
  dryRun: field.dryRun,
});
const act = z.strictObject({ reason: field.reason, dryRun: field.dryRun });
type Named = { webhook: string };

export function webhookRoutes(room: Room): void {
  const { ctx } = room;
  route(room, {
    method: 'GET',
    path: '/v1/webhooks',
    verb: 'webhook.list',
    input: z.strictObject({ limit: field.limit, after: field.after }),
    handle: async ({ caller, input }) => {
      const rows = (await ctx.store.read.webhooks.list({ state: 'active' })).filter((row) =>
        mayUse(caller, row.customer),
      );
      const idOf = (row: WebhookRow) => row.webhook;
      return registryAnswer(ctx, rows, idOf, input, (page) => items(ctx, caller, 'webhook.list', page));
    },
  });
  route(room, {
    method: 'POST',
    path: '/v1/webhooks',
    verb: 'webhook.add',
    input: add,
    handle: ({ caller, input }) => make(ctx, caller, input),
  });
  route<typeof act, Named>(room, {
    method: 'POST',
    path: '/v1/webhooks/:webhook/remove',
    verb: 'webhook.remove',
    input: act,
    handle: async ({ caller, params, input }) => {
      const row = await webhookNamed(ctx, caller, params.webhook);
      if (input.dryRun) return { ...(await shown(ctx, caller, 'webhook.list', row)), dryRun: true };
      const item = await shown(ctx, caller, 'webhook.remove', row, input.reason);
      const removed = await removeWebhook(ctx, row.webhook, caller.person.person);
      return { ...item, state: stateOf(removed), waiting: 0 };
    },
  });
  route<typeof act, Named>(room, {
    method: 'POST',
    path: '/v1/webhooks/:webhook/test',
    verb: 'webhook.test',
    input: act,
    handle: async ({ caller, params, input }) => {
      const row = await webhookNamed(ctx, caller, params.webhook);
      const item = await shown(ctx, caller, 'webhook.test', row);
      return input.dryRun
        ? { ...item, dryRun: true }
        : { ...item, answered: (await testWebhook(ctx, row)).status };
    },
  });
}

/** Who is bound to customers has to do with their webhooks only: one for all tells of others too (Q4). */
function mayUse(caller: Caller, customer: CustomerId | null): boolean {
  return customer === null ? caller.person.customers === null : sees(caller, customer);
}

async function webhookNamed(ctx: Context, caller: Caller, text: string): Promise<WebhookRow> {
  const row = isId(text) ? await ctx.store.read.webhooks.get(text) : null;
  if (row !== null && row.state === 'active' && mayUse(caller, row.customer)) return row;
  throw unknownWebhook();
}

async function make(ctx: Context, caller: Caller, input: z.infer<typeof add>) {
  const { url, secret, ca } = input;
  const named = customerAsked(caller, input.customer);
  const customer = named === null ? null : (await customerNamed(ctx, caller, named)).customer;
  const wanted = { url, customer, secret, ca, person: caller.person.person };
  if (input.dryRun) {
    const file = checkWebhook(ctx, wanted);
    return { id: null, url: shownTarget(file.url), customer, secret: null, dryRun: true };
  }
  await recordReading(ctx, caller, 'webhook.add', 0, { customer });
  const { row, file } = await addWebhook(ctx, wanted);
  return {
    id: row.webhook,
    url: shownTarget(file.url),
    customer,
    secret: secret === null ? file.secret : null,
    dryRun: false,
  };
}

/** Somebody bound to customers adds none for all. @throws TilsynError `webhook.customer` */
function customerAsked({ person }: Caller, asked: string | undefined): string | null {
  if (asked !== undefined || person.customers === null) return asked ?? null;
  throw new TilsynError('webhook.customer', 'adding a webhook: it is not said for which customer', {
    hint: 'Give --customer: only who sees all customers adds a webhook for all of them.',
    exit: 'usage',
  });
}

async function shown(
  ctx: Context,
  caller: Caller,
  verb: string,
  row: WebhookRow,
  reason: string | null = null,
) {
  const [item] = await items(ctx, caller, verb, [row], reason);
  return item;
}

async function items(
  ctx: Context,
  caller: Caller,
  verb: string,
  rows: readonly WebhookRow[],
  reason: string | null = null,
) {
  const named = rows.filter(({ customer }) => customer !== null).length;
  await recordReading(ctx, caller, verb, named, {
    webhook: rows.length === 1 ? rows[0]?.webhook : null,
    reason,
  });
  const customers = named === 0 ? new Map<CustomerId, string>() : await customerNames(ctx);
  return await Promise.all(rows.map((row) => itemOf(ctx, row, customers)));
}

function stateOf({ state, failingSince }: WebhookRow): 'ok' | 'failing' | 'removed' {
  if (state === 'removed') return 'removed';
  return failingSince === null ? 'ok' : 'failing';
}

const iso = (at: UtcMs | null) => (at === null ? null : toIso(at));

async function itemOf(ctx: Context, row: WebhookRow, customers: ReadonlyMap<CustomerId, string>) {
  const file = ctx.webhooks.read(row.webhook as WebhookId);
  return {
    id: row.webhook,
    url: file === null ? null : shownTarget(file.url),
    customer: row.customer === null ? null : (customers.get(row.customer) ?? row.customer),
    customerId: row.customer,
    state: stateOf(row),
    failingSince: iso(row.failingSince),
    failures: row.failures,
    lastStatus: row.status,
    lastReason: row.reason,
    triedAt: iso(row.triedAt),
    delivered: row.delivered,
    deliveredAt: iso(row.deliveredAt),
    waiting: await new Outbox(ctx.store.read, row).count(MAX_WAITING),
    createdBy: row.createdBy,
    createdAt: toIso(row.createdAt),
  };
}
