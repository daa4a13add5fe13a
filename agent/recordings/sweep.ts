/**
 * One pass over the expired of one source: whether it may run, what it would do, whether that waits for a person, and
 * then slice after slice.
 *
 * R1, R2  `slice.ts` · R3 `root.ts`, `erase.ts` · R6 `due.ts`
 * R5  A layout that is not erasable is only ever reported, whatever the mode says.
 * R8  What is expired and still there when the sweep ends is counted by its reason.
 * R9  Free space is asked by nobody here.
 * C68 A sweep that waits says what for; nothing waits for `unknown`, in no mode.
 * H4  Footage is erased only while the collector's commands are confirmed within the freshness that was set.
 */
import { covers, type Hold } from '../../protocol/hold.ts';
import { type Id, newId, type Random } from '../../protocol/ids.ts';
import { ListRoot } from '../../protocol/list-root.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import type { Reason } from '../../protocol/words.ts';
import type { TimeTrouble } from '../trusted-time.ts';
import type { Draft } from '../types.ts';
import { endedBy, judge, type Surroundings, thingOf, waitsFor } from './due.ts';
import { shown } from './names.ts';
import { add, isFailure, MAX_REASONS } from './reasons.ts';
import { type AcceptedRoot, openRoot, type RootTrouble } from './root.ts';
import { eraseSlice, type SliceResult } from './slice.ts';
import { type Begun, finishSlice } from './slice-end.ts';
import type { SliceDeps, SliceWork } from './slice-types.ts';
import { Suspects } from './suspects.ts';
import { type PlanRow, placeAfter } from './sweep-store.ts';
import type { CameraRow, Layout, Place, RecordingRow, RecordingSource } from './types.ts';

/** A source with all that a sweep of it needs. */
export interface SweepSource {
  source: RecordingSource;
  /** Null: nobody accepted a root yet. */
  accepted: AcceptedRoot | null;
  mode: 'report' | 'erase';
  layout: Pick<Layout, 'erasable' | 'folder'>;
}

export interface SweepDeps extends SliceDeps {
  random: Random;
  /** Null: the collector ordered no policy yet. */
  around(): Surroundings | null;
  /** Why nothing may be erased now although time is trusted; null: nothing speaks against it (H4). */
  unconfirmed(): boolean;
  /** Why there is no trusted time. */
  timeTrouble(): TimeTrouble | null;
  /** Shared with the scan; absent: nobody scans. */
  suspects?: Suspects;
}

/** What a sweep waits for (C68). */
export type WaitReason = Extract<Reason, (typeof WAITS)[number]> | RootTrouble | TimeTrouble;
const WAITS = [
  'first-scan',
  'not-accepted',
  'no-policy',
  'holds-unreadable',
  'time-untrusted',
  'commands-unconfirmed',
  'first-sweep',
  'large-plan',
] as const;

export interface SweepReport {
  source: RecordingSource;
  /** Null: it ran. */
  waits: WaitReason | null;
  plan: PlanRow | null;
  erased: number;
  bytes: number;
  failed: number;
  /** Expired and still there, by reason (R8). */
  left: Record<string, number>;
}

/** What is due in one source by now. */
export interface Due {
  count: number;
  bytes: number;
  oldest: UtcMs | null;
  /** Root of the list, by path; what a person approves. */
  root: string;
  fresh: number;
  /** Were tried before, and left alone: they stand in every plan, and say nothing about this one (R6). */
  tried: number;
  left: Map<string, number>;
}

/** What a sweep goes by when nothing hinders it. */
interface Ready {
  accepted: AcceptedRoot;
  around: Surroundings;
  at: UtcMs;
}

const PAGE = 1_000;

export class Sweep {
  readonly #deps: SweepDeps;
  readonly #suspects: Suspects;
  #running = false;

  constructor(deps: SweepDeps) {
    this.#deps = deps;
    this.#suspects = deps.suspects ?? new Suspects(deps.journal, { suspect: () => {} });
  }

  get running(): boolean {
    return this.#running;
  }

  /** Runs over one source. Null: another sweep runs. */
  async run(source: SweepSource): Promise<SweepReport | null> {
    if (this.#running) return null;
    this.#running = true;
    try {
      return await this.#run(source);
    } finally {
      this.#running = false;
    }
  }

  async #run(it: SweepSource): Promise<SweepReport> {
    const { store } = this.#deps;
    const ready = this.#ready(it);
    if (typeof ready === 'string') return this.#waits(it, ready, null);
    const hindered = this.#finish(it, ready);
    if (hindered !== null) return this.#waits(it, hindered, null);
    const { accepted, around, at } = ready;
    // Most sweeps wait for nobody: the list is hashed only where a person has to see it.
    const due = await this.due(it.source, around, at, false);
    if (it.mode === 'report' || !it.layout.erasable) return this.#reported(it, due);
    const plan = store.plan(it.source.id);
    const approved = plan?.approvedAt !== null && plan?.approvedAt !== undefined ? plan : null;
    const waits = approved === null ? await this.#mustWait(it.source, due) : null;
    if (waits !== null) {
      const list = await this.due(it.source, around, at);
      return this.#waits(it, waits, this.#planned(it.source, list, { at, waits, before: plan }));
    }
    // An approved plan reaches as far as what was shown; what became due since then comes with the next sweep.
    const dueBy = approved?.dueBy ?? at;
    return await this.#erase({ ...it, accepted }, around, dueBy, at);
  }

  /** Why this source may not be swept now, or what it is swept by. */
  #ready({ source, accepted, mode }: SweepSource): WaitReason | Ready {
    const { store, now, unconfirmed, timeTrouble } = this.#deps;
    if (source.state === 'first-scan') return 'first-scan';
    // Not even a report of it would be of a root that anybody meant.
    if (accepted === null) return 'not-accepted';
    const around = this.#deps.around();
    if (around === null) return 'no-policy';
    if (store.holds() === null) return 'holds-unreadable';
    const at = now();
    if (at === null) return timeTrouble() ?? 'time-untrusted';
    return mode === 'erase' && unconfirmed() ? 'commands-unconfirmed' : { accepted, around, at };
  }

  /** Slices that a crash left open come first. Not null: the root is not the accepted one. */
  #finish({ source, layout }: SweepSource, { accepted, around }: Ready): WaitReason | null {
    const { store } = this.#deps;
    const root = openRoot(accepted);
    if ('trouble' in root) return this.#suspects.tell(source, root.trouble);
    root.close();
    this.#suspects.well(source.id);
    const cameras = new Map(store.cameras(source.id).map((camera) => [camera.id, camera]));
    for (const slice of store.openSlices()) {
      const camera = cameras.get(slice.camera);
      if (slice.source !== source.id || camera === undefined) continue;
      if (finishSlice(this.#deps, { source, accepted, layout, camera, around }, slice) === null)
        return 'root-gone';
    }
    return null;
  }

  /**
   * What would go by `at`, and what stays past its due time. Reads in pages and lets others have their turn.
   * @param listed false: `root` is left empty
   */
  async due(source: RecordingSource, around: Surroundings, at: UtcMs, listed = true): Promise<Due> {
    const { store, rest } = this.#deps;
    const found: Due = { count: 0, bytes: 0, oldest: null, root: '', fresh: 0, tried: 0, left: new Map() };
    const list = listed ? new ListRoot() : null;
    const holds = store.holds();
    const { sweptAt } = source;
    const released = sweptAt === null ? [] : store.releasedSince(sweptAt);
    for await (const { camera, rows } of this.#pages(source, around, at)) {
      for (const row of rows) this.#weigh(found, list, { row, camera, around, at, holds, sweptAt, released });
      await rest();
    }
    found.root = list?.root() ?? '';
    return found;
  }

  /** How many of each camera are due and may go, and how many of them a hold keeps. */
  async dueByCamera(
    source: RecordingSource,
    around: Surroundings,
    at: UtcMs,
  ): Promise<Map<number, { due: number; held: number }>> {
    const found = new Map<number, { due: number; held: number }>();
    const holds = this.#deps.store.holds();
    for await (const { camera, rows } of this.#pages(source, around, at)) {
      const sum = found.get(camera.id) ?? { due: 0, held: 0 };
      for (const row of rows) {
        const verdict = judge(row, camera.camera, around, holds, at);
        if (verdict.verdict === 'expire') sum.due += 1;
        else if (verdict.reason === 'hold') sum.held += 1;
      }
      found.set(camera.id, sum);
      await this.#deps.rest();
    }
    return found;
  }

  #weigh(
    found: Due,
    list: ListRoot | null,
    it: {
      row: RecordingRow;
      camera: CameraRow;
      around: Surroundings;
      at: UtcMs;
      holds: readonly Hold[] | null;
      sweptAt: UtcMs | null;
      released: readonly Hold[];
    },
  ): void {
    const { row, camera, around, at, holds, sweptAt, released } = it;
    const verdict = judge(row, camera.camera, around, holds, at);
    if (verdict.verdict === 'keep') {
      // What is not due yet is in a page only because months differ in length.
      if (verdict.reason !== 'not-due' && verdict.reason !== 'floor') add(found.left, verdict.reason);
      return;
    }
    found.count += 1;
    found.bytes += row.sizeBytes ?? 0;
    const { startEarliest } = row.bounds;
    if (found.oldest === null || startEarliest < found.oldest) found.oldest = startEarliest;
    const late = sweptAt !== null && verdict.dueAt !== null && verdict.dueAt > sweptAt;
    // What a hold kept until it was released became due with that, and somebody gave the word for it (R6).
    const thing = () => thingOf(row, camera.camera, around);
    if (late || released.some((hold) => covers(hold, thing()))) found.fresh += 1;
    else if (this.#deps.store.refusal(row) !== null) found.tried += 1;
    list?.add({ folder: row.folder, name: shown(row.name), bytes: row.sizeBytes });
  }

  async *#pages(source: RecordingSource, around: Surroundings, at: UtcMs) {
    const { store } = this.#deps;
    const endBy = endedBy(around, at);
    if (endBy === null) return;
    for (const camera of store.cameras(source.id)) {
      for (let after: Place | null = null, more = true; more; more = after !== null) {
        const rows: RecordingRow[] = store.ended(camera.id, endBy, after, PAGE);
        if (rows.length > 0) yield { camera, rows };
        after = placeAfter(rows, PAGE);
      }
    }
  }

  async #mustWait(source: RecordingSource, { count, fresh, tried }: Due): Promise<WaitReason | null> {
    const { count: present } = await this.#deps.store.read.present(source.id, this.#deps.rest);
    return waitsFor({ count, fresh, tried, present, approved: source.approved });
  }

  /** The plan that waits; told once, as long as it lists the same. */
  #planned(
    source: RecordingSource,
    due: Due,
    { at, waits, before }: { at: UtcMs; waits: WaitReason; before: PlanRow | null },
  ): PlanRow {
    if (before !== null && before.root === due.root) return before;
    const { store, journal, clock, random } = this.#deps;
    const plan: PlanRow = {
      plan: newId<'plan'>(random),
      source: source.id,
      madeAt: clock.now(),
      count: due.count,
      bytes: due.bytes,
      oldest: due.oldest ?? at,
      dueBy: at,
      root: due.root,
      approvedAt: null,
    };
    journal.transact(() => {
      store.savePlan(plan);
      return { tell: [this.#waiting(source, waits, plan)] };
    });
    return plan;
  }

  #waiting(source: RecordingSource, reason: WaitReason, plan: PlanRow | null): Draft<'sweep.waiting'> {
    const since = plan === null ? null : toIso(plan.madeAt);
    const { count = 0, bytes = null } = plan ?? {};
    return {
      type: 'sweep.waiting',
      data: { source: source.source, reason, count, bytes, plan: plan?.plan ?? null, since },
    };
  }

  #waits({ source }: SweepSource, reason: WaitReason, plan: PlanRow | null): SweepReport {
    return { source, waits: reason, plan, erased: 0, bytes: 0, failed: 0, left: {} };
  }

  /** `mode: report`: the recorder should have removed these (R5). */
  #reported({ source }: SweepSource, due: Due): Promise<SweepReport> {
    const left = new Map(due.left);
    if (due.count > 0) left.set('report-only', due.count);
    return this.#done(source, { erased: 0, bytes: 0, failed: 0 }, left, this.#deps.now());
  }

  async #erase(
    it: SweepSource & { accepted: AcceptedRoot },
    around: Surroundings,
    dueBy: UtcMs,
    at: UtcMs,
  ): Promise<SweepReport> {
    const { source, accepted, layout } = it;
    const sum = { erased: 0, bytes: 0, failed: 0 };
    const left = new Map<string, number>();
    const endBy = endedBy(around, dueBy);
    if (endBy === null) return this.#done(source, sum, left, at);
    for (const camera of this.#deps.store.cameras(source.id)) {
      const work: SliceWork = { source, accepted, layout, camera, around };
      let opened: Begun | null = null;
      for (let after: Place | null = null, more = true; more; more = after !== null) {
        const result: SliceResult = await eraseSlice(this.#deps, work, { endBy, after }, opened);
        sum.erased += result.erased;
        sum.bytes += result.bytes;
        for (const [reason, n] of result.left) add(left, reason, n);
        if (result.trouble !== null) {
          this.#suspects.tell(source, result.trouble);
          return { ...this.#waits(it, result.trouble, null), ...sum, left: Object.fromEntries(left) };
        }
        ({ next: after, opened } = result);
        await this.#deps.rest();
      }
    }
    return this.#done(source, sum, left, at);
  }

  /** The sweep is complete: what is left is told, and the next one counts from here (R6, R8). */
  async #done(
    source: RecordingSource,
    sum: { erased: number; bytes: number; failed: number },
    left: Map<string, number>,
    at: UtcMs | null,
  ): Promise<SweepReport> {
    const { store, journal, rest } = this.#deps;
    left.delete('not-due');
    left.delete('floor');
    const { unbounded } = await store.read.present(source.id, rest);
    if (unbounded > 0) left.set('unbounded', unbounded);
    const failed = [...left].reduce((all, [reason, n]) => all + (isFailure(reason) ? n : 0), 0);
    const { erased, bytes } = sum;
    journal.transact(() => {
      if (at !== null) store.swept(source.id, at);
      store.dropPlans(source.id);
      const items = [...left].slice(0, MAX_REASONS).map(([reason, count]) => ({ reason, count }));
      return { tell: [{ type: 'sweep.done', data: { source: source.source, erased, failed, left: items } }] };
    });
    return { source, waits: null, plan: null, erased, bytes, failed, left: Object.fromEntries(left) };
  }

  /**
   * A person approves a plan, after what would go was looked at again.
   * @returns `stale` where it is not the plan that waits, or the list is another by now
   */
  async approve(it: SweepSource, plan: Id<'plan'>): Promise<'approved' | 'stale' | 'unknown'> {
    const { store, journal, now, clock } = this.#deps;
    const waiting = store.plan(it.source.id);
    const around = this.#deps.around();
    if (waiting === null || waiting.plan !== plan) return 'unknown';
    if (around === null || now() === null) return 'stale';
    const due = await this.due(it.source, around, waiting.dueBy);
    if (due.root !== waiting.root) {
      journal.transact(() => {
        store.dropPlans(it.source.id);
        return { tell: [] };
      });
      return 'stale';
    }
    journal.transact(() => {
      store.approve(it.source.id, plan, clock.now());
      return { tell: [] };
    });
    return 'approved';
  }
}
