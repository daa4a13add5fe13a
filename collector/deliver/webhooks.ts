/**
 * Webhooks in the registry: added, removed, tried.
 *
 * D11 Each act is an event in the transaction of the act. A secret is made or handed in once, and shown once, by the
 *     act that makes it.
 */
import { TilsynError } from '../../protocol/errors.ts';
import { type CustomerId, newId, type PersonId, toB64 } from '../../protocol/ids.ts';
import { toIso } from '../../protocol/time.ts';
import type { WebhookId, WebhookRow } from '../store/types.ts';
import type { Context, WebhookFile } from '../types.ts';
import { isDone } from './courier.ts';
import { testPost } from './payload.ts';
import { type Answer, openLine } from './send.ts';
import { checkTarget } from './target.ts';

const SECRET_BYTES = 32;
const SECRET = /^[\x21-\x7e]{16,512}$/;

export interface NewWebhook {
  url: string;
  customer: CustomerId | null;
  /** Null: one is made. */
  secret: string | null;
  ca: string | null;
  person: PersonId;
}

/** What will stand in its file. @throws TilsynError `webhook.url`, `webhook.secret`, `webhook.ca` */
export function checkWebhook(
  ctx: Context,
  { url, secret, ca }: Pick<NewWebhook, 'url' | 'secret' | 'ca'>,
): WebhookFile {
  const checked = checkTarget(url).href;
  if (secret !== null && !SECRET.test(secret)) {
    throw new TilsynError('webhook.secret', 'reading the secret of a webhook: it has not the form of one', {
      hint: '16 to 512 characters without a space, on one line; or let one be made with --make-secret.',
      exit: 'usage',
    });
  }
  if (ca !== null && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw new TilsynError('webhook.ca', 'reading the CA of a webhook: it holds no certificate', {
      hint: 'Give --ca the PEM file of the CA that signed the receiver’s certificate.',
      exit: 'usage',
    });
  }
  return { url: checked, secret: secret ?? toB64(ctx.random(SECRET_BYTES)), ca };
}

/** Adds one: it is told of what comes from now on. @throws TilsynError `webhook.*` */
export async function addWebhook(
  ctx: Context,
  wanted: NewWebhook,
): Promise<{ row: WebhookRow; file: WebhookFile }> {
  const file = checkWebhook(ctx, wanted);
  const webhook = newId<'webhook'>(ctx.random);
  // The file first: a crash before the commit leaves one that the next start removes.
  ctx.webhooks.write(webhook, file);
  const { customer, person } = wanted;
  const row = await ctx.store.write(async (tx) => {
    const made = newRow(webhook, wanted, await tx.lastPos(), ctx.clock.now());
    await tx.webhooks.put([made]);
    await ctx.own.append(tx, [{ type: 'webhook.added', data: { webhook, customer, person } }]);
    return made;
  });
  ctx.notify(await ctx.store.read.lastPos());
  return { row, file };
}

function newRow(
  webhook: WebhookId,
  { customer, person }: NewWebhook,
  cursor: number,
  createdAt: WebhookRow['createdAt'],
): WebhookRow {
  return {
    ...{ webhook, customer, cursor, createdAt },
    state: 'active',
    delivered: 0,
    deliveredAt: null,
    triedAt: null,
    failingSince: null,
    failures: 0,
    status: null,
    reason: null,
    told: false,
    createdBy: person,
    removedAt: null,
  };
}

/** Ends one; what was not delivered is not delivered any more, and stays in the ledger. */
export async function removeWebhook(ctx: Context, webhook: WebhookId, person: PersonId): Promise<WebhookRow> {
  const row = await ctx.store.write(async (tx) => {
    const found = await tx.webhooks.get(webhook);
    if (found === null) throw unknownWebhook();
    if (found.state === 'removed') return found;
    const removed: WebhookRow = { ...found, state: 'removed', removedAt: ctx.clock.now() };
    await tx.webhooks.put([removed]);
    const { customer } = found;
    await ctx.own.append(tx, [{ type: 'webhook.removed', data: { webhook, customer, person } }]);
    return removed;
  });
  // After the commit: a crash in between leaves a file that the next start removes.
  const active = await ctx.store.read.webhooks.list({ state: 'active' });
  ctx.webhooks.keepOnly(active.map((one) => one.webhook));
  ctx.notify(await ctx.store.read.lastPos());
  return row;
}

/** Sends a test now, past everything that waits. @throws TilsynError `webhook.no-file`, `webhook.not-delivered` */
export async function testWebhook(ctx: Context, { webhook }: WebhookRow): Promise<Answer> {
  const file = ctx.webhooks.read(webhook);
  if (file === null) {
    throw new TilsynError('webhook.no-file', 'testing a webhook: its file is not in the state directory', {
      hint: 'Remove it with `tilsyn webhook remove`, and add it again; a restore does not bring secrets back.',
      exit: 'conflict',
    });
  }
  const line = openLine(ctx.clock);
  try {
    const post = testPost(newId(ctx.random), toIso(ctx.clock.now()));
    const answer = await line.post(file, post, new AbortController().signal);
    if (isDone(answer)) return answer;
    throw notDelivered(answer);
  } finally {
    line.close();
  }
}

function notDelivered({ status, why }: Answer): TilsynError {
  const what = status === null ? `there was no answer (${why})` : `it answered with status ${status}`;
  return new TilsynError('webhook.not-delivered', `testing a webhook: ${what}`, {
    hint: 'It must answer with 200 to 299 within ten seconds; redirects are not followed.',
    exit: 'unreachable',
  });
}

export function unknownWebhook(): TilsynError {
  return new TilsynError('webhook.unknown', 'looking up a webhook: there is none with this id', {
    hint: 'List them with `tilsyn webhook list`.',
    exit: 'notFound',
  });
}
