/** All webhooks of a running collector: a courier for each, woken by commits. */
import { codeOf } from '../../protocol/errors.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import type { WebhookId } from '../store/types.ts';
import type { Context } from '../types.ts';
import { Courier } from './courier.ts';

/** Commits in between are one look. */
const WAKE_MS = SECOND_MS / 5;

export class Deliverer {
  readonly #ctx: Context;
  readonly #couriers = new Map<WebhookId, Courier>();
  #stopListening = () => {};
  #cancel: (() => void) | null = null;
  #passing: Promise<void> | null = null;
  #closed = false;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  async start(): Promise<void> {
    const rows = await this.#ctx.store.read.webhooks.list({ state: 'active' });
    // Files that a crash left behind: of a webhook that was not stored any more, or was removed already.
    this.#ctx.webhooks.keepOnly(rows.map(({ webhook }) => webhook));
    this.#stopListening = this.#ctx.onCommit(() => this.#later());
    await this.pass();
  }

  #later(): void {
    if (this.#closed) return;
    this.#cancel ??= this.#ctx.clock.after(WAKE_MS, () => {
      this.#cancel = null;
      this.pass().catch((error: unknown) => {
        this.#ctx.log.error({ code: codeOf(error) }, 'webhooks: they could not be read');
        this.#later();
      });
    });
  }

  /** Looks which webhooks there are, and wakes them. */
  pass(): Promise<void> {
    this.#passing ??= this.#pass().finally(() => {
      this.#passing = null;
    });
    return this.#passing;
  }

  async #pass(): Promise<void> {
    const rows = await this.#ctx.store.read.webhooks.list({ state: 'active' });
    if (this.#closed) return;
    const active = new Set(rows.map(({ webhook }) => webhook));
    for (const [webhook, courier] of this.#couriers) {
      if (active.has(webhook)) continue;
      this.#couriers.delete(webhook);
      void courier.close();
    }
    for (const row of rows) {
      const courier = this.#couriers.get(row.webhook) ?? new Courier(this.#ctx, row);
      this.#couriers.set(row.webhook, courier);
      courier.wake();
    }
  }

  /** Resolves when every courier has delivered all, or waits for its next attempt. */
  async idle(): Promise<void> {
    await this.#passing;
    await Promise.all([...this.#couriers.values()].map((courier) => courier.idle()));
  }

  /** Gives up what is under way: it is sent again, with its id, after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    this.#cancel?.();
    await this.#passing?.catch(() => {});
    await Promise.all([...this.#couriers.values()].map((courier) => courier.close()));
  }
}
