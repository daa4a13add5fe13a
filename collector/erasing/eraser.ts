/**
 * What a collector does by itself about what falls due: agreements end, groups are erased, hosts are told, and what is
 * complete is said to be. At a start before the port opens, then whenever something falls due, and every ten minutes.
 *
 * V46 What fell due while the collector was away is erased before the port opens.
 * V47 A host that is connected hears of dead groups as soon as they are dying, and what it says of itself is taken in.
 */
import { codeOf } from '../../protocol/errors.ts';
import { spansOf } from '../../protocol/packs.ts';
import type { Policy } from '../../protocol/policy.ts';
import { MINUTE_MS, SECOND_MS, type UtcMs } from '../../protocol/time.ts';
import { keepAllHeld, mayErase } from '../holds/sessions.ts';
import { policyInForce } from '../policy.ts';
import { type GatherOptions, gatherAll } from '../regroup/gather.ts';
import { splitAll } from '../regroup/split.ts';
import type { AgreementRow, GroupRow, Reader, Store } from '../store/types.ts';
import { turnsOf } from '../turns.ts';
import type { Context } from '../types.ts';
import { dueFor, planDue } from './due.ts';
import { eraseAtOf, phaseOf } from './end-rules.ts';
import { beginEnds, completeEnds, tellHosts } from './ends.ts';
import { type EraseOptions, emptyLog, eraseAll, type StillDue } from './erase.ts';
import { onWake } from './wake.ts';

const LOOK_MS = 10 * MINUTE_MS;
/** Between two looks, however often it is woken. */
const REST_MS = 50;
/** After a look that failed. */
const RETRY_MS = 30 * SECOND_MS;
/** Rows whose due time is written in one transaction. */
const ROWS = 500;

export interface Look {
  /** Groups whose erasure began. */
  erased: number;
  /** False: a copy of the keys is not there, or the log of the database could not be emptied. */
  complete: boolean;
  /** When the next group or agreement falls due; null: none that is known of. */
  next: UtcMs | null;
}

type Around = EraseOptions & GatherOptions & Pick<Context, 'telemetry' | 'bury'>;

/** Everything of this collector that is due now. Safe to repeat; a crash anywhere is met by the next look (V34). */
export async function eraseDue(around: Around): Promise<Look> {
  const { store, clock } = around;
  const { policy } = await policyInForce(store.read);
  await beginEnds(around);
  for (const { agreement } of await store.read.agreements.list({ state: 'ended', endedAt: null })) {
    await around.telemetry.dropAgreement(agreement);
  }
  await keepAllHeld(around);
  await gatherAll(around);
  await splitAll(around, spansOf(policy));
  const agreements = await agreementsOf(store);
  const rows = await store.read.groups.list({ state: 'live' });
  const plan = planDue(rows, policy, agreements, clock.now(), await releasesOf(store.read));
  await writeDue(around, plan.changed);
  const { count, complete } = await eraseAll(around, plan.due, stillDue(around, policy));
  const ends = [...agreements.values()].filter((row) => phaseOf(row) === 'ending').map(eraseAtOf);
  return { erased: count, complete, next: earliest([plan.next, ...ends]) };
}

async function agreementsOf(store: Store): Promise<Map<string, AgreementRow>> {
  return new Map((await store.read.agreements.list()).map((row) => [row.agreement, row]));
}

async function releasesOf(reader: Reader): Promise<Map<string, UtcMs>> {
  const holds = await reader.holds.list({ state: 'released' });
  return new Map(holds.flatMap(({ hold, releasedAt }) => (releasedAt === null ? [] : [[hold, releasedAt]])));
}

/** V38, and V101 of holds. */
function stillDue(around: Around, policy: Policy): StillDue {
  return async (tx, row) => {
    const agreement = row.agreement === null ? null : await tx.agreements.get(row.agreement);
    const hold = row.class === 'hold.record' ? await tx.holds.get(row.subject ?? '') : null;
    const found = dueFor(row, policy, agreement, hold?.releasedAt ?? null);
    const isDue = found?.dueAt != null && found.dueAt <= around.clock.now();
    return isDue && (await mayErase(around, tx, row));
  };
}

/** Due times for people to see; what is erased is decided anew. */
async function writeDue({ store, groups }: Around, changed: readonly GroupRow[]): Promise<void> {
  for (let from = 0; from < changed.length; from += ROWS) {
    const slice = changed.slice(from, from + ROWS);
    await store.write(async (tx) => {
      const rows: GroupRow[] = [];
      for (const { group, dueAt } of slice) {
        const row = await tx.groups.get(group);
        if (row?.state === 'live') rows.push({ ...row, dueAt });
      }
      await tx.groups.put(rows);
      tx.afterCommit(() => groups.committed(rows));
    });
  }
}

function earliest(times: readonly (UtcMs | null)[]): UtcMs | null {
  return times.reduce<UtcMs | null>((first, at) => {
    return at !== null && (first === null || at < first) ? at : first;
  }, null);
}

export interface EraserOptions {
  ctx: Context;
  around: Around;
}

export class Eraser {
  readonly #o: EraserOptions;
  #cancel: () => void = () => {};
  #running: Promise<void> | null = null;
  #again = false;
  #closed = false;

  constructor(options: EraserOptions) {
    this.#o = options;
    onWake(options.ctx, () => this.wake());
  }

  start(): void {
    this.#later(0);
  }

  /** Something changed: looks soon. */
  wake(): void {
    if (this.#running === null) this.#later(REST_MS);
    else this.#again = true;
  }

  /** Lets the look that runs come to its end; none begins after it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#running;
  }

  #later(ms: number): void {
    this.#cancel();
    if (this.#closed) return;
    this.#cancel = this.#o.ctx.clock.after(ms, () => {
      this.#running = this.#look().then((next) => {
        this.#running = null;
        this.#later(this.#again ? REST_MS : next);
        this.#again = false;
      });
    });
  }

  /** @returns when to look again */
  async #look(): Promise<number> {
    const { ctx, around } = this.#o;
    try {
      const { complete, next } = await this.#erase();
      await tellHosts(ctx);
      const ended = await completeEnds(ctx);
      if (ended.length > 0) ctx.log.info({ count: ended.length }, 'erasing: agreements have ended');
      ctx.notify(await ctx.store.read.lastPos());
      if (!complete) await emptyLog(around);
      const inMs = next === null ? LOOK_MS : Math.max(0, next - ctx.clock.now());
      return Math.min(inMs, LOOK_MS);
    } catch (error) {
      // Nothing is lost by it: what is due stays due, and what began is `erasing`.
      ctx.log.error({ code: codeOf(error) }, 'erasing: a look at what is due failed');
      return RETRY_MS;
    }
  }

  async #erase(): Promise<Look> {
    const { around, ctx } = this.#o;
    const turn = (fn: () => Promise<void>) => turnsOf(ctx, 'ingest').run(fn);
    const look = await eraseDue({ ...around, turn });
    if (look.erased > 0) ctx.log.info({ count: look.erased }, 'erasing: what was due is erased');
    return look;
  }
}
