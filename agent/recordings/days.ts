/**
 * A camera's recordings day by day, and the holes between them. Pure: rows in the order of their latest ends go in, days in
 * the order of time come out.
 *
 * C71 A recording belongs to the day, in site time, in which it began at the earliest, whatever became of it since. A hole
 *     belongs to the day in which recording began again: a camera that was off for days has one.
 * C72 What is a gap goes by the camera's own rhythm: a hole longer than two of its longest segments, than ten minutes, and
 *     than twice the longest hole of an ordinary day of the last seven, but never more than a day. One that records without
 *     a pause has a gap after ten minutes; one that records what moves has not got one each night.
 * C73 A day that was told keeps its bounds and its measure of a gap; what was recorded in it does not become less because
 *     the catalogue forgot what is gone.
 */
import { DAY_MS, MINUTE_MS, SECOND_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { fromWall, zoneOffsetMs } from '../../protocol/zone.ts';
import { LONGEST_MS } from './read-store.ts';

export interface DayRow {
  start: number;
  spread: number;
  /** Latest end; null: nobody can say. */
  ends: number | null;
  size: number | null;
  /** As the column holds it. */
  state: number;
}

export interface Hole {
  from: number;
  to: number;
}

/** As it is told and kept; times in milliseconds. */
export interface Day {
  starts: number;
  ends: number;
  count: number;
  bytes: number;
  first: number;
  last: number;
  present: number;
  erased: number;
  missing: number;
  gaps: number;
  gapSeconds: number;
  longestSeconds: number;
  boundSeconds: number;
}

/** A day as the rows say; what is a gap in it is for `judged` to say. */
export type FoundDay = Omit<Day, 'gaps' | 'gapSeconds' | 'longestSeconds' | 'boundSeconds'> & {
  holes: Hole[];
};

const ERASED = 2;
const MISSING = 3;
const SHORTEST_GAP_MS = 10 * MINUTE_MS;
const LONGEST_BOUND_MS = DAY_MS;
/** Days that an ordinary one is taken from, and the least of them. */
const RHYTHM_DAYS = 7;
const LEAST_DAYS = 3;

/** Holes shorter than this are nobody's. */
export function shortestGap(longestSegmentMs: number): number {
  return Math.min(LONGEST_BOUND_MS, Math.max(2 * longestSegmentMs, SHORTEST_GAP_MS));
}

/** C72. @param longest the longest hole of each of the days before, in seconds, the newest last */
export function gapBound(longest: readonly number[], longestSegmentMs: number): number {
  const last = longest.slice(-RHYTHM_DAYS).sort((a, b) => a - b);
  // Nobody knows the rhythm of a camera that is two days old.
  if (last.length < LEAST_DAYS) return LONGEST_BOUND_MS;
  const ordinary = (last[Math.floor(last.length / 2)] ?? 0) * SECOND_MS;
  return Math.min(LONGEST_BOUND_MS, Math.max(2 * ordinary, shortestGap(longestSegmentMs)));
}

export function judged({ holes, ...day }: FoundDay, boundMs: number): Day {
  const long = holes.map(({ from, to }) => to - from);
  const gaps = long.filter((ms) => ms > boundMs);
  const seconds = (ms: number) => Math.round(ms / SECOND_MS);
  return {
    ...day,
    gaps: gaps.length,
    gapSeconds: seconds(gaps.reduce((sum, ms) => sum + ms, 0)),
    longestSeconds: seconds(Math.max(0, ...long)),
    boundSeconds: seconds(boundMs),
  };
}

/** C73: what was told of a day, and what is found of it now. */
export function corrected(told: Day, found: Day): Day {
  if (found.erased >= told.erased) return { ...found, starts: told.starts, ends: told.ends };
  const { present, missing } = found;
  return { ...told, present, missing, erased: Math.max(0, told.count - present - missing) };
}

export function sameDay(a: Day, b: Day): boolean {
  return TOLD.every((key) => a[key] === b[key]);
}
const TOLD = [
  'count',
  'bytes',
  'first',
  'last',
  'present',
  'erased',
  'missing',
  'gaps',
  'gapSeconds',
] as const satisfies (keyof Day)[];

interface Open extends FoundDay {
  /** Starts and ends, one after the other. */
  spans: number[];
}

export interface DaysOptions {
  zone: string;
  /** Holes shorter than this are nobody's. */
  shortestMs: number;
  /** Days that were told of this camera, in the order of time (C73). */
  told: readonly Pick<Day, 'starts' | 'ends'>[];
  /** Days that begin before it are not looked at; null: all. */
  from: number | null;
  /** Latest end of what ended before `from`; null: nothing did. */
  covered: number | null;
}

export class Days {
  readonly #o: DaysOptions;
  readonly #open = new Map<number, Open>();
  #covered: number | null;
  #at: Open | null = null;

  constructor(options: DaysOptions) {
    this.#o = options;
    this.#covered = options.covered;
  }

  /** Until when this camera recorded, as far as rows were taken out. */
  get covered(): number | null {
    return this.#covered;
  }

  add({ start, spread, ends, size, state }: DayRow): void {
    const end = ends ?? start + spread;
    if (this.#o.from !== null && start < this.#o.from) {
      this.#covered = Math.max(this.#covered ?? end, end);
      return;
    }
    const day = this.#dayAt(start);
    day.count += 1;
    day.bytes += size ?? 0;
    day.first = Math.min(day.first, start);
    day.last = Math.max(day.last, end);
    if (state === ERASED) day.erased += 1;
    else if (state === MISSING) day.missing += 1;
    else day.present += 1;
    day.spans.push(start, end);
  }

  /** Days that no row which ends after `through` can belong to; null: all of them. */
  take(through: number | null): FoundDay[] {
    const over = [...this.#open.values()]
      .filter(({ ends }) => through === null || ends + LONGEST_MS <= through)
      .sort((a, b) => a.starts - b.starts);
    return over.map((day) => this.#close(day));
  }

  #close({ spans, ...day }: Open): FoundDay {
    this.#open.delete(day.starts);
    if (this.#at?.starts === day.starts) this.#at = null;
    const order = spans
      .flatMap((at, i) => (i % 2 === 0 ? [{ from: at, to: spans[i + 1] ?? at }] : []))
      .sort((a, b) => a.from - b.from);
    for (const { from, to } of order) {
      const covered = this.#covered;
      if (covered !== null && from - covered > this.#o.shortestMs)
        day.holes.push({ from: covered, to: from });
      this.#covered = Math.max(covered ?? to, to);
    }
    return day;
  }

  #dayAt(at: number): Open {
    const now = this.#at;
    if (now !== null && at >= now.starts && at < now.ends) return now;
    const { starts, ends } = dayAround(at, this.#o.zone, this.#o.told);
    const day = this.#open.get(starts) ?? newDay(starts, ends);
    this.#open.set(starts, day);
    this.#at = day;
    return day;
  }
}

function newDay(starts: number, ends: number): Open {
  const times = { first: Number.POSITIVE_INFINITY, last: 0 };
  return {
    ...{ starts, ends, count: 0, bytes: 0, ...times, present: 0, erased: 0, missing: 0 },
    ...{ holes: [], spans: [] },
  };
}

/** The day of the site that holds an instant; where another one was told there, as that one says. */
export function dayAround(
  at: number,
  zone: string,
  told: readonly Pick<Day, 'starts' | 'ends'>[] = [],
): { starts: UtcMs; ends: UtcMs } {
  const wall = at + zoneOffsetMs(at, zone);
  const midnight = Math.floor(wall / DAY_MS) * DAY_MS;
  let [starts, ends]: number[] = [fromWall(midnight, zone), fromWall(midnight + DAY_MS, zone)];
  for (const day of told) {
    if (at >= day.starts && at < day.ends) return { starts: utcMs(day.starts), ends: utcMs(day.ends) };
    if (day.ends <= at) starts = Math.max(starts ?? 0, day.ends);
    else ends = Math.min(ends ?? day.starts, day.starts);
  }
  return { starts: utcMs(starts ?? at), ends: utcMs(ends ?? at) };
}
