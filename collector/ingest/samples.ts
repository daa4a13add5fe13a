/**
 * Telemetry on its way in: checked, bounded, written together. Beside the ledger, and never in its way.
 *
 * J7  Samples wait in a bounded queue and are written per agreement, once a second or 500 together; where too many
 *     wait they are shed and counted. No audit event waits for them longer than for one such write.
 * J8  A sample that is not as it must be, or of a time that cannot be, is dropped alone and counted; its connection
 *     and the samples beside it stay.
 * J9  Of one agent so many samples a minute are taken, and once what an agent keeps while it is offline.
 */
import { codeOf } from '../../protocol/errors.ts';
import type { AgentId, AgreementId } from '../../protocol/ids.ts';
import { sample as sampleShape } from '../../protocol/telemetry.ts';
import { DAY_MS, SECOND_MS, type UtcMs } from '../../protocol/time.ts';
import { Bucket, Buckets } from '../bucket.ts';
import type { Counter } from '../counters.ts';
import { pointOf } from '../store/points.ts';
import type { NewSample } from '../store/telemetry-file.ts';
import type { Context } from '../types.ts';

/** An agent makes one a minute (J9). */
export const SAMPLES_PER_MINUTE = 120;
/** What an agent keeps locally, 14 days of one a minute, and some more (J9). */
export const SAMPLES_AT_ONCE = 25_000;
/** Older ones were not kept by an agent for so long (J8). */
export const OLDEST_MS = 15 * DAY_MS;
/** A clock in the wrong zone is believed, one in another year is not (J8). */
export const NEWEST_MS = DAY_MS;
/** One write takes at most so many: a few milliseconds (J7). */
export const WRITE_SAMPLES = 500;
export const WRITE_MS = SECOND_MS;
/** Of all agents together, about 20 MB (J7). */
export const MAX_WAITING = 50_000;
/** Agents whose quota is remembered: more than may be connected. */
const MAX_QUOTAS = 32_768;

/** Whose samples they are. */
export interface Sampled {
  agent: AgentId;
  agreement: AgreementId;
}

/** Null: it may be taken. Otherwise what it is counted as. Pure (J8). */
export function wrongTime(at: number, now: UtcMs): 'telemetry_clock' | null {
  return at < now - OLDEST_MS || at > now + NEWEST_MS ? 'telemetry_clock' : null;
}

export class Samples {
  readonly #ctx: Context;
  readonly #quotas: Buckets;
  readonly #waiting = new Map<AgreementId, NewSample[]>();
  #count = 0;
  #cancel: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #failing = false;
  #closed = false;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    const limits = { perSecond: SAMPLES_PER_MINUTE / 60, burst: SAMPLES_AT_ONCE };
    this.#quotas = new Buckets(() => new Bucket(ctx.clock, limits), MAX_QUOTAS);
  }

  /** Samples that wait to be written. */
  get waiting(): number {
    return this.#count;
  }

  /** Takes what is good of a frame; returns at once. */
  take(of: Sampled, samples: readonly unknown[]): void {
    const quota = this.#quotas.of(of.agent);
    const now = this.#ctx.clock.now();
    for (const raw of samples) {
      const drop = this.#closed ? 'telemetry_shed' : this.#takeOne(of, raw, quota, now);
      if (drop !== null) this.#ctx.counters.add(drop);
    }
    if (this.#count === 0 || this.#running !== null) return;
    if ((this.#waiting.get(of.agreement)?.length ?? 0) >= WRITE_SAMPLES) this.#begin();
    else this.#arm();
  }

  #takeOne({ agent, agreement }: Sampled, raw: unknown, quota: Bucket, now: UtcMs): Counter | null {
    if (!quota.take()) return 'telemetry_quota';
    const { data } = sampleShape.safeParse(raw);
    if (data === undefined) return 'telemetry_malformed';
    const wrong = wrongTime(data.at, now);
    if (wrong !== null) return wrong;
    if (this.#count >= MAX_WAITING) return 'telemetry_shed';
    const waiting = this.#waiting.get(agreement) ?? [];
    this.#waiting.set(agreement, waiting);
    waiting.push({ agent, point: pointOf(data) });
    this.#count += 1;
    return null;
  }

  #arm(): void {
    this.#cancel ??= this.#ctx.clock.after(WRITE_MS, () => this.#begin());
  }

  #begin(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#running ??= this.#run();
  }

  /** Writes all that waits; sockets and the ledger are served between two writes (J7). */
  async #run(): Promise<void> {
    try {
      while (this.#count > 0) {
        for (const [agreement, waiting] of [...this.#waiting]) {
          const part = waiting.splice(0, WRITE_SAMPLES);
          if (waiting.length === 0) this.#waiting.delete(agreement);
          this.#count -= part.length;
          await this.#write(agreement, part);
          await new Promise<void>((resolve) => setImmediate(resolve));
        }
      }
    } finally {
      this.#running = null;
    }
  }

  async #write(agreement: AgreementId, samples: readonly NewSample[]): Promise<void> {
    const { store, telemetry, counters, log } = this.#ctx;
    try {
      const row = await store.read.agreements.get(agreement);
      if (row?.state !== 'open') {
        counters.add('telemetry_ended', samples.length);
        return;
      }
      if (!telemetry.hasRoom()) {
        counters.add('telemetry_shed', samples.length);
        return;
      }
      const { stored, duplicates } = await telemetry.add(agreement, samples);
      counters.add('telemetry_stored', stored);
      counters.add('telemetry_duplicate', duplicates);
      if (this.#failing) log.info('telemetry: samples are stored again');
      this.#failing = false;
    } catch (error) {
      counters.add('telemetry_failed', samples.length);
      // Once until it works again; samples may be shed, and the ledger goes on.
      if (!this.#failing) log.warn({ code: codeOf(error) }, 'telemetry: samples cannot be stored');
      this.#failing = true;
    }
  }

  /** Writes what waits now. */
  async flush(): Promise<void> {
    if (this.#count > 0) this.#begin();
    while (this.#running !== null) await this.#running;
  }

  /** Takes nothing more; resolves when what was taken is written. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.flush();
  }
}
