/**
 * The end of this agent's agreement, as the collector ordered it: remembered, and kept.
 *
 * M1  From its effective date on nothing is read and nothing is measured, also after a restart, also without the
 *     collector; what stands in the files is left as it is (S4).
 * M2  The last order holds; only an order takes one back.
 */
import { z } from 'zod';
import { id } from '../protocol/group.ts';
import type { AgreementId } from '../protocol/ids.ts';
import { type Clock, HOUR_MS, type UtcMs, utcMs } from '../protocol/time.ts';
import type { Journal } from './types.ts';
import type { Doing } from './uplink/commands.ts';

/** Timers of the system reach about 24 days: it is looked at again in between. */
const LOOK_MS = HOUR_MS;

const order = z.object({ agreement: id, effectiveAt: z.int().nullable() });
const stored = z.object({ effectiveAt: z.int().nullable() });

export interface EndDeps {
  agreement: AgreementId;
  journal: Pick<Journal, 'append' | 'cursor' | 'sourceId'>;
  clock: Clock;
  /** Told when it is over, and when an order was taken back that had made it so. */
  changed(over: boolean): void | Promise<void>;
}

export class AgreementEnd {
  readonly #deps: EndDeps;
  #at: UtcMs | null;
  #told = false;
  #cancel: () => void = () => {};

  constructor(deps: EndDeps) {
    this.#deps = deps;
    this.#at = this.#read();
  }

  /** Effective date; null: there is no order. */
  get at(): UtcMs | null {
    return this.#at;
  }

  get over(): boolean {
    return this.#at !== null && this.#at <= this.#deps.clock.now();
  }

  /** Waits for the date, and tells of it. */
  async start(): Promise<void> {
    this.#cancel();
    const { clock, changed } = this.#deps;
    if (this.over !== this.#told) {
      this.#told = this.over;
      await changed(this.#told);
    }
    if (this.#at === null || this.over) return;
    const wait = Math.min(LOOK_MS, this.#at - clock.now());
    this.#cancel = clock.after(wait, () => void this.start());
  }

  stop(): void {
    this.#cancel();
  }

  /** Carries out `agreement.end`. Durable when it resolves; safe to be called again. */
  async take(body: Record<string, unknown>): Promise<Doing> {
    const read = order.safeParse(body);
    if (!read.success || read.data.agreement !== this.#deps.agreement) {
      return { outcome: 'failed', body: { code: 'agreement.not-ours' } };
    }
    const { effectiveAt } = read.data;
    this.#at = effectiveAt === null ? null : utcMs(effectiveAt);
    this.#write();
    await this.start();
    return { outcome: 'done', body: { over: this.over } };
  }

  /** The journal keeps a reading position for anything that has a label: here it is the date. */
  #memory() {
    return this.#deps.journal.sourceId('agreement.end');
  }

  #read(): UtcMs | null {
    const text = this.#deps.journal.cursor(this.#memory());
    const read = text === null ? null : stored.safeParse(JSON.parse(text));
    return read?.success && read.data.effectiveAt !== null ? utcMs(read.data.effectiveAt) : null;
  }

  #write(): void {
    const state = JSON.stringify({ effectiveAt: this.#at });
    this.#deps.journal.append([], [{ source: this.#memory(), state }]);
  }
}
