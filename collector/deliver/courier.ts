/**
 * Delivers to one webhook: in order, one at a time, until it is answered with 2xx.
 *
 * D7  Nothing is passed over: whatever the receiver answers, and however long it is gone, the event stays the next one.
 *     Attempts are a random part of 2, 4, 8 … seconds apart, of five minutes at most, and never end.
 * D8  The cursor moves after a 2xx, in a transaction of its own. A crash in between sends the same id again: the
 *     receiver sees each id at least once, and of two equal ones the second can be left.
 * D9  A receiver that is gone or slow holds up itself only.
 * D10 A webhook that fails for longer than five minutes is an event, and so is its recovery.
 */
import { codeOf } from '../../protocol/errors.ts';
import { MINUTE_MS, SECOND_MS, type UtcMs } from '../../protocol/time.ts';
import type { Pos, WebhookId, WebhookRow } from '../store/types.ts';
import type { Context, OwnDraft } from '../types.ts';
import { Outbox } from './outbox.ts';
import { type Found, postOf } from './payload.ts';
import { type Answer, type Line, openLine } from './send.ts';

export const BACKOFF_MAX_MS = 5 * MINUTE_MS;
const TELL_MS = 5 * MINUTE_MS;

/** `random` in [0, 1); after so many failures in a row. */
export function backoff(failures: number, random: number): number {
  return random * Math.min(BACKOFF_MAX_MS, SECOND_MS * 2 ** Math.min(failures, 30));
}

export function isDone({ status }: Answer): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** The row after an attempt; `through` where it was done. */
export function after(row: WebhookRow, answer: Answer, through: Pos, now: UtcMs): WebhookRow {
  if (isDone(answer)) {
    const fine = { failingSince: null, failures: 0, status: answer.status, reason: null, told: false };
    const delivered = { cursor: through, delivered: row.delivered + 1, deliveredAt: now };
    return { ...row, ...fine, ...delivered, triedAt: now };
  }
  const failingSince = row.failingSince ?? now;
  const { status, why } = answer;
  const told = row.told || now - failingSince >= TELL_MS;
  return { ...row, failingSince, failures: row.failures + 1, status, reason: why, told, triedAt: now };
}

export class Courier {
  readonly #ctx: Context;
  readonly #webhook: WebhookId;
  readonly #outbox: Outbox;
  readonly #line: Line;
  readonly #stop = new AbortController();
  #cancelRetry: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #again = false;
  /** Attempts of this process that were not even stored. */
  #unstored = 0;

  constructor(ctx: Context, row: WebhookRow) {
    this.#ctx = ctx;
    this.#webhook = row.webhook;
    this.#outbox = new Outbox(ctx.store.read, row);
    this.#line = openLine(ctx.clock);
  }

  /** There may be something to deliver. While it waits for the next attempt, it goes on waiting. */
  wake(): void {
    if (this.#stop.signal.aborted || this.#cancelRetry !== null) return;
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      if (this.#again) this.wake();
    });
  }

  /** Resolves when nothing runs: all is delivered, or the next attempt is waited for. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#cancelRetry?.();
    await this.idle();
    this.#line.close();
  }

  async #run(): Promise<void> {
    this.#again = false;
    try {
      for (let next = await this.#outbox.first(); next !== null; next = await this.#outbox.first()) {
        if (!(await this.#deliver(next))) return;
        this.#outbox.done();
      }
    } catch (error) {
      // Stored or not, it comes again with its id (D8).
      this.#ctx.log.error({ code: codeOf(error) }, 'webhooks: an attempt could not be stored');
      this.#unstored += 1;
      this.#retry(this.#unstored);
    }
  }

  async #deliver(found: Found): Promise<boolean> {
    const { faults } = this.#ctx;
    const file = this.#ctx.webhooks.read(this.#webhook);
    const { signal } = this.#stop;
    const answer =
      file === null
        ? { status: null, why: 'no-file' }
        : await this.#line.post(file, postOf(found), signal).catch(() => ({ status: null, why: 'address' }));
    if (signal.aborted && !isDone(answer)) return false;
    faults.hit?.('collector.deliver.before-cursor');
    const row = await this.#store(answer, found.leaf.pos);
    this.#unstored = 0;
    if (row === null) return false;
    if (isDone(answer)) return true;
    this.#retry(row.failures);
    return false;
  }

  #retry(failures: number): void {
    if (this.#stop.signal.aborted) return;
    const random = this.#ctx.random(4).readUInt32BE() / 2 ** 32;
    this.#again = false;
    this.#cancelRetry = this.#ctx.clock.after(backoff(failures, random), () => {
      this.#cancelRetry = null;
      this.wake();
    });
  }

  /** Null: it was removed meanwhile. */
  #store(answer: Answer, pos: Pos): Promise<WebhookRow | null> {
    const { store, own, clock } = this.#ctx;
    return store.write(async (tx) => {
      const row = await tx.webhooks.get(this.#webhook);
      if (row === null || row.state === 'removed') return null;
      const next = after(row, answer, pos, clock.now());
      await tx.webhooks.put([next]);
      await own.append(tx, events(row, next));
      return next;
    });
  }
}

function events(row: WebhookRow, next: WebhookRow): OwnDraft[] {
  if (row.told === next.told) return [];
  const { webhook, customer } = row;
  const type = next.told ? 'webhook.failing' : 'webhook.recovered';
  return [{ type, data: { webhook, customer, person: null } }];
}
