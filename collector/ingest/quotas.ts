/**
 * What one customer's agents may send in a day, all together. A bucket of one day's worth: who is over it goes on at
 * the pace of its quota, by small windows in turns. In RAM only: a restart begins a new day.
 *
 * S9  Over its quota a customer is slowed and nothing else: nothing is dropped or refused, and others do not notice.
 */
import { codeOf } from '../../protocol/errors.ts';
import type { CustomerId } from '../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, SECOND_MS } from '../../protocol/time.ts';
import { Bucket } from '../bucket.ts';
import type { Context } from '../types.ts';

/** 500 hosts that have been offline for a month are back in a day; ordinary use is below a hundredth of it. */
export const EVENTS_PER_DAY = 10_000_000;
/** A window in turn: a second's worth of the quota, at most this. */
const MOST_SHARE = 100;

interface Account {
  bucket: Bucket;
  waiting: ((events: number) => void)[];
  cancel: (() => void) | null;
  /** Monotonic time of the last event about it. */
  toldAt: number;
}

export class Quotas {
  readonly #ctx: Context;
  readonly #perDay: number;
  readonly #share: number;
  readonly #accounts = new Map<CustomerId, Account>();

  constructor(ctx: Context, perDay: number = EVENTS_PER_DAY) {
    this.#ctx = ctx;
    this.#perDay = perDay;
    this.#share = Math.min(MOST_SHARE, Math.max(1, Math.floor((perDay / DAY_MS) * SECOND_MS)));
  }

  spend(customer: CustomerId, events: number): void {
    this.#of(customer).bucket.spend(events);
  }

  /** True where it goes on at the pace of its quota. */
  over(customer: CustomerId): boolean {
    const account = this.#of(customer);
    const over = account.waiting.length > 0 || !account.bucket.has();
    if (over) this.#tell(customer, account);
    return over;
  }

  /** Calls back once with how many events may be sent; they count as spent. */
  wait(customer: CustomerId, give: (events: number) => void): void {
    const account = this.#of(customer);
    account.waiting.push(give);
    this.#arm(account);
  }

  /** No longer waits. */
  forget(customer: CustomerId, give: (events: number) => void): void {
    const account = this.#of(customer);
    account.waiting = account.waiting.filter((one) => one !== give);
  }

  close(): void {
    for (const { cancel } of this.#accounts.values()) cancel?.();
    this.#accounts.clear();
  }

  #of(customer: CustomerId): Account {
    const known = this.#accounts.get(customer);
    if (known !== undefined) return known;
    const bucket = new Bucket(this.#ctx.clock, {
      perSecond: (this.#perDay / DAY_MS) * SECOND_MS,
      burst: this.#perDay,
    });
    const account: Account = { bucket, waiting: [], cancel: null, toldAt: Number.NEGATIVE_INFINITY };
    this.#accounts.set(customer, account);
    return account;
  }

  #arm(account: Account): void {
    account.cancel ??= this.#ctx.clock.after(Math.max(1, account.bucket.wait(this.#share)), () => {
      account.cancel = null;
      const next = account.bucket.has(this.#share) ? account.waiting.shift() : undefined;
      if (next !== undefined) {
        account.bucket.spend(this.#share);
        next(this.#share);
      }
      if (account.waiting.length > 0) this.#arm(account);
    });
  }

  /** At most once in an hour. */
  #tell(customer: CustomerId, account: Account): void {
    const { clock, store, own, log } = this.#ctx;
    if (clock.mono() - account.toldAt < HOUR_MS) return;
    account.toldAt = clock.mono();
    const data = { customer, eventsPerDay: this.#perDay };
    store
      .write((tx) => own.append(tx, [{ type: 'customer.slowed', data }]))
      .then(async () => this.#ctx.notify(await store.read.lastPos()))
      .catch((error: unknown) => log.error({ code: codeOf(error) }, 'quota: not recorded'));
  }
}
