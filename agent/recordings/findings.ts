/**
 * What is told of cameras and roots beside their files: finished days, gaps, what is expired and still there, copies. All of
 * it as sums: no file is named, and nothing is told twice.
 *
 * C74 One event for each camera and finished day, and another one where it is not as it was told any more. After a pass the
 *     last three days are looked at; all of them once a day, so that erasing a day hour by hour corrects it once or twice.
 * C75 A camera that does not record has one open gap, told once; it is told closed when recording began again.
 * C76 After each sweep, and each one that waited, it is told what is expired and still there, by reason (R8), when it is
 *     another answer than the one before; and that there is none any more. Of a count that only grows once in a day.
 */
import { DAY_MS, MINUTE_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import type { AgentLog } from '../log.ts';
import type { Draft } from '../types.ts';
import { type Copies, copiesBeside, sameCopies } from './copies.ts';
import {
  corrected,
  type Day,
  Days,
  dayAround,
  gapBound,
  type Hole,
  judged,
  sameDay,
  shortestGap,
} from './days.ts';
import type { Surroundings } from './due.ts';
import type { Root } from './roots.ts';
import { camerasRows } from './rows-in-time.ts';
import type { Due, SweepReport } from './sweep.ts';
import type { SweepStore } from './sweep-store.ts';
import type { CameraRow, RecordingSource } from './types.ts';

export interface FindingsDeps {
  journal: Pick<AgentJournal, 'transact'>;
  sweeps: SweepStore;
  clock: { mono(): number };
  log: Pick<AgentLog, 'trouble' | 'recovered'>;
  /** Trusted time; null: there is none, and no day can be called finished. */
  now(): UtcMs | null;
  /** Of the site. */
  zone(): string;
  around(): Surroundings | null;
  due(source: RecordingSource, around: Surroundings, at: UtcMs): Promise<Due>;
  rest(): Promise<void>;
}

/** Days that are looked at after each pass. */
const RECENT_MS = 3 * DAY_MS;
/** A recording of the day's end is finished, and found by a pass, this long after its longest time. */
const SETTLE_MS = 20 * MINUTE_MS;
/** Closed gaps of one camera that one look tells; what is more comes with the next one. */
const GAPS_PER_LOOK = 16;
const PER_EVENT = 16;
const COPIES_EVERY_MS = 6 * 60 * MINUTE_MS;

interface Said<T> {
  what: T;
  at: number;
}

export class Findings {
  readonly #d: FindingsDeps;
  /** By row id of the root, on the clock that never steps. */
  readonly #whole = new Map<number, number>();
  readonly #left = new Map<number, Said<ReadonlyMap<string, number>>>();
  readonly #copies = new Map<number, Said<Copies[]>>();
  /** Passes that ended before anybody had said what time it is. */
  readonly #owed = new Set<Root>();
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: FindingsDeps) {
    this.#d = deps;
  }

  /** A whole pass ended: what it found is looked at after the looks before. Never throws. */
  later(root: Root): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (this.#stopped) return;
      try {
        await this.passed(root);
        this.#d.log.recovered('findings');
      } catch (error) {
        // Nothing of it was remembered that was not told: the next pass tells it.
        this.#d.log.trouble('findings', error);
      }
    });
    return this.#turn;
  }

  /** The time is known: what could not be looked at without it is looked at now, not with the next pass. */
  timed(): void {
    if (this.#owed.size === 0 || this.#d.now() === null) return;
    const owed = [...this.#owed];
    this.#owed.clear();
    for (const root of owed) void this.later(root);
  }

  /** Lets the look at a camera that runs finish. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#turn;
  }

  async passed(root: Root): Promise<void> {
    await this.#lookAtDays(root);
    if (!this.#stopped) await this.#lookForCopies(root);
  }

  /** Copies beside a root, as they were counted last; null: not yet. */
  copies(root: number): readonly Copies[] | null {
    return this.#copies.get(root)?.what ?? null;
  }

  async #lookAtDays(root: Root): Promise<void> {
    const { clock, sweeps } = this.#d;
    const now = this.#d.now();
    if (now === null) {
      this.#owed.add(root);
      return;
    }
    const last = this.#whole.get(root.id);
    const whole = last === undefined || clock.mono() - last >= DAY_MS;
    for (const camera of sweeps.cameras(root.id)) {
      if (this.#stopped) return;
      await this.#camera(root, camera, { now, whole });
    }
    if (whole) this.#whole.set(root.id, clock.mono());
  }

  async #camera(
    root: Root,
    camera: CameraRow,
    { now, whole }: { now: UtcMs; whole: boolean },
  ): Promise<void> {
    const { sweeps, rest } = this.#d;
    const zone = this.#d.zone();
    const told = sweeps.told.days(camera.id);
    const from = whole ? null : dayAround(now - RECENT_MS, zone, told).starts;
    const shortestMs = shortestGap(root.layout.longestSegmentMs);
    const covered = from === null ? null : sweeps.told.latestEnd(camera.id, from);
    const days = new Days({ zone, shortestMs, told, from, covered });
    const look = new CameraLook(told, root.layout.longestSegmentMs);
    for await (const { rows, through } of camerasRows(sweeps.told, camera.id, from, rest)) {
      // What is dated in the future, by a clock that was wrong, says nothing about when its camera recorded.
      for (const row of rows) if (row.start <= now) days.add(row);
      for (const day of days.take(through)) look.take(day);
    }
    for (const day of days.take(null)) look.take(day);
    const over = now - SETTLE_MS - Math.min(root.layout.longestSegmentMs, DAY_MS);
    const changed = look.changed().filter(({ ends }) => ends <= over);
    for (let at = 0; at < changed.length; at += PER_EVENT) {
      this.#tellDays(root, camera, changed.slice(at, at + PER_EVENT));
      await rest();
    }
    this.#tellGaps(root, camera, { look, covered: days.covered, now });
  }

  /** The commit point: the events and what is remembered of them, or neither. */
  #tellDays({ source }: Root, { id, camera }: CameraRow, days: readonly Day[]): void {
    this.#d.journal.transact(() => {
      for (const day of days) this.#d.sweeps.told.putDay(id, day);
      return {
        tell: days.map(
          ({ starts, ends, first, last, longestSeconds: _l, boundSeconds: _b, ...sums }): Draft => {
            const times = { from: iso(starts), to: iso(ends), first: iso(first), last: iso(last) };
            return { type: 'recordings.day', data: { source, camera, ...times, ...sums } };
          },
        ),
      };
    });
  }

  /** C75 */
  #tellGaps(
    { source }: Root,
    { id, camera }: CameraRow,
    { look, covered, now }: { look: CameraLook; covered: number | null; now: UtcMs },
  ): void {
    const { told } = this.#d.sweeps;
    const open = told.openGap(id);
    const over = open !== null && covered !== null && covered > open.starts;
    const filling = look.gaps.find(
      ({ from, to }) => open !== null && from <= open.starts && open.starts < to,
    );
    const closed = look.gaps
      .filter((gap) => gap !== filling && !told.knowsGap(id, gap))
      .slice(-GAPS_PER_LOOK);
    const silent = covered !== null && now - covered > look.boundMs ? covered : null;
    const opens = (open === null || over) && silent !== null && !told.knowsGap(id, { from: silent });
    if (!over && closed.length === 0 && !opens) return;
    this.#d.journal.transact(() => {
      const tell: Draft[] = [];
      const say = (from: number, to: number | null) => {
        told.putGap(id, { starts: from, ends: to });
        const span = { from: iso(from), to: to === null ? null : iso(to) };
        tell.push({
          type: 'camera.gap',
          data: { source, camera, state: to === null ? 'open' : 'closed', ...span },
        });
      };
      // Where what was recorded came later, there was no gap: it ends where it began.
      if (over && open !== null) say(open.starts, filling?.to ?? open.starts);
      for (const { from, to } of closed) say(from, to);
      if (opens && silent !== null) say(silent, null);
      return { tell };
    });
  }

  async #lookForCopies(root: Root): Promise<void> {
    const { clock, journal, rest } = this.#d;
    const before = this.#copies.get(root.id);
    if (before !== undefined && clock.mono() - before.at < COPIES_EVERY_MS) return;
    const found = await copiesBeside(root.config.root, rest);
    this.#copies.set(root.id, { what: found, at: clock.mono() });
    if (before !== undefined && sameCopies(before.what, found)) return;
    journal.transact(() => ({
      tell: [{ type: 'recordings.copies', data: { source: root.source, copies: found } }],
    }));
  }

  /** A sweep ended, or waits (C76). */
  async swept(root: Root, { source, waits, left }: SweepReport): Promise<void> {
    const found = new Map(Object.entries(left));
    if (waits !== null) {
      const [around, at] = [this.#d.around(), this.#d.now()];
      // Nothing can be called expired; why the sweep waits was told.
      if (around === null || at === null) return;
      const due = await this.#d.due(source, around, at);
      found.clear();
      for (const [reason, count] of due.left) found.set(reason, count);
      if (due.count > 0) found.set(waits, (found.get(waits) ?? 0) + due.count);
    }
    const before = this.#left.get(root.id);
    const now = this.#d.clock.mono();
    if (before !== undefined && !isNews(before.what, found, now - before.at)) return;
    this.#d.journal.transact(() => {
      const items = [...found].slice(0, PER_EVENT).map(([reason, count]) => ({ reason, count }));
      const count = [...found.values()].reduce((sum, n) => sum + n, 0);
      return { tell: [{ type: 'recordings.overdue', data: { source: root.source, count, left: items } }] };
    });
    this.#left.set(root.id, { what: found, at: now });
  }
}

function isNews(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
  passedMs: number,
): boolean {
  if (before.size !== now.size || [...now.keys()].some((reason) => !before.has(reason))) return true;
  return passedMs >= DAY_MS && [...now].some(([reason, count]) => before.get(reason) !== count);
}

/** What one look finds of a camera: its days in the order of time, with the measure of each. */
class CameraLook {
  readonly #told: Map<number, Day>;
  readonly #longestSegmentMs: number;
  readonly #longest: { starts: number; seconds: number }[];
  readonly #days = new Map<number, Day>();
  readonly gaps: Hole[] = [];

  constructor(told: readonly Day[], longestSegmentMs: number) {
    this.#told = new Map(told.map((day) => [day.starts, day]));
    this.#longestSegmentMs = longestSegmentMs;
    this.#longest = told.map(({ starts, longestSeconds }) => ({ starts, seconds: longestSeconds }));
  }

  /** As of now. */
  get boundMs(): number {
    return this.#boundAt(Number.POSITIVE_INFINITY);
  }

  #boundAt(starts: number): number {
    const before = this.#longest.filter((day) => day.starts < starts).map(({ seconds }) => seconds);
    return gapBound(before, this.#longestSegmentMs);
  }

  take(found: Parameters<typeof judged>[0]): void {
    const told = this.#told.get(found.starts);
    const boundMs = told === undefined ? this.#boundAt(found.starts) : told.boundSeconds * 1_000;
    const day = judged(found, boundMs);
    this.gaps.push(...found.holes.filter(({ from, to }) => to - from > boundMs));
    this.#days.set(day.starts, day);
    if (told === undefined) this.#longest.push({ starts: day.starts, seconds: day.longestSeconds });
  }

  /** As they are to be told: those that are new, or not as they were told. */
  changed(): Day[] {
    const days = [...this.#days.values()].sort((a, b) => a.starts - b.starts);
    return days.flatMap((found) => {
      const told = this.#told.get(found.starts);
      if (told === undefined) return [found];
      const day = corrected(told, found);
      return sameDay(told, day) ? [] : [day];
    });
  }
}

function iso(at: number): string {
  return toIso(utcMs(at));
}
