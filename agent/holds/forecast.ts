/**
 * The day on which holds fill a disk. Pure: finished days and holds go in, a day comes out.
 *
 * R9  Free space is never a reason to erase: that a disk will be full is told while somebody can still act.
 * C82 A disk is walked day by day: each camera writes as much as on its last finished days; what the sweep would erase is
 *     erased on its day, less what a hold keeps of it. The same without any hold says whether the holds are the cause.
 * C83 Of a recorder that deletes by itself nothing grows but the vault, by what holds cover of what it will record.
 */
import { DAY_MS, type UtcMs, utcMs } from '../../protocol/time.ts';

/** Further ahead nothing is said. Days. */
export const HORIZON_DAYS = 400;
/** Finished days that a camera's rate is taken from: the newest. */
const RATE_DAYS = 7;
/** A camera whose newest finished day ended before that has stopped recording. */
const STOPPED_MS = 3 * DAY_MS;

export interface Span {
  from: number;
  to: number;
}

/** A finished day of a camera: what lies there of it now, and what was written in it. */
export interface DayBytes extends Span {
  present: number;
  written: number;
}

export interface DiskCamera {
  /**
   * `swept`: written here, and erased by our sweep when it is due. `kept`: written here, erased by nobody. `copied`: held
   * parts of it are copied here.
   */
  role: 'swept' | 'kept' | 'copied';
  /** In the order of time. */
  days: readonly DayBytes[];
  /** In the order of time, none touching another. */
  held: readonly Span[];
}

export interface Disk {
  /** Bytes. */
  free: number;
  /** Bytes of copies that lie here. */
  copied: number;
  cameras: readonly DiskCamera[];
}

export interface Forecast {
  /** Null: not within `HORIZON_DAYS`. */
  fullAt: UtcMs | null;
  /** The same as if nothing were held. */
  withoutHolds: UtcMs | null;
  /** Cameras of which no finished day is known: they are not in it. */
  unknown: number;
}

/** @param dueAt when what ended then is due; null: never */
export function forecast(disk: Disk, now: UtcMs, dueAt: (endsAt: number) => number | null): Forecast {
  const change = { held: new Float64Array(HORIZON_DAYS), free: new Float64Array(HORIZON_DAYS) };
  let unknown = 0;
  let uncopied = -disk.copied;
  for (const camera of disk.cameras) {
    if (camera.days.length === 0) unknown += 1;
    else uncopied += walk(camera, now, dueAt, change);
  }
  change.held[0] = (change.held[0] ?? 0) - Math.max(0, uncopied);
  return {
    fullAt: day(disk.free, change.held, now),
    withoutHolds: day(disk.free, change.free, now),
    unknown,
  };
}

/** Whether the holds are why it fills up: without them it would not, or a day later at least. */
export function isByHolds({ fullAt, withoutHolds }: Forecast): boolean {
  return fullAt !== null && (withoutHolds === null || withoutHolds - fullAt >= DAY_MS);
}

function day(free: number, change: Float64Array, now: UtcMs): UtcMs | null {
  let left = free;
  for (const [n, by] of change.entries()) {
    if (left < 0) return utcMs(now + n * DAY_MS);
    left += by;
  }
  return left < 0 ? utcMs(now + HORIZON_DAYS * DAY_MS) : null;
}

/** @returns bytes that lie there and are to be copied */
function walk(
  { role, days, held }: DiskCamera,
  now: UtcMs,
  dueAt: (endsAt: number) => number | null,
  change: { held: Float64Array; free: Float64Array },
): number {
  let toCopy = 0;
  const perDay = rateOf(days, now);
  const covered = new Covered(held);
  const add = (line: Float64Array, n: number, bytes: number) => {
    if (n < HORIZON_DAYS) line[n] = (line[n] ?? 0) + bytes;
  };
  // What is due over a span goes over that span: with the whole of it at its end a disk would seem a day fuller.
  const spread = (line: Float64Array, [first, last]: readonly [number, number], bytes: number) => {
    const [a, b] = [(first - now) / DAY_MS, (last - now) / DAY_MS].map((at) => Math.max(0, at)) as [
      number,
      number,
    ];
    if (b <= a) return add(line, Math.floor(b), bytes);
    for (let n = Math.floor(a); n < b && n < HORIZON_DAYS; n++)
      add(line, n, (bytes * (Math.min(n + 1, b) - Math.max(n, a))) / (b - a));
  };
  for (const { from, to, bytes, fresh } of [...lying(days, perDay, now), ...coming(perDay, now)]) {
    const share = covered.of(from, to);
    if (role === 'copied') {
      if (fresh === null) toCopy += bytes * share;
      else add(change.held, fresh, -bytes * share);
      continue;
    }
    if (fresh !== null) for (const line of [change.held, change.free]) add(line, fresh, -bytes);
    const [first, last] = role === 'swept' ? [dueAt(from), dueAt(to)] : [null, null];
    if (first === null || last === null) continue;
    spread(change.held, [first, last], bytes * (1 - share));
    spread(change.free, [first, last], bytes);
  }
  return toCopy;
}

interface Lying extends Span {
  bytes: number;
  /** The day, counted from now, in which it is written; null: it was. */
  fresh: number | null;
}

/** What is there, the part of today that nobody has told of yet included. Of a day what came first is gone first. */
function lying(days: readonly DayBytes[], perDay: number, now: UtcMs): Lying[] {
  const found = days.map(({ from, to, present, written }): Lying => {
    const left = written === 0 ? 1 : present / written;
    return { from: to - (to - from) * left, to, bytes: present, fresh: null };
  });
  const until = days.at(-1)?.to ?? now;
  if (until < now && perDay > 0)
    found.push({ from: until, to: now, bytes: (perDay * (now - until)) / DAY_MS, fresh: null });
  return found;
}

function coming(perDay: number, now: UtcMs): Lying[] {
  if (perDay === 0) return [];
  return Array.from({ length: HORIZON_DAYS }, (_, n) => {
    return { from: now + n * DAY_MS, to: now + (n + 1) * DAY_MS, bytes: perDay, fresh: n };
  });
}

/** Bytes a day: the mean of the last finished ones; nothing of a camera that has stopped. */
export function rateOf(days: readonly DayBytes[], now: UtcMs): number {
  const last = days.slice(-RATE_DAYS);
  const [first, end] = [last[0], last.at(-1)];
  if (first === undefined || end === undefined || end.to + STOPPED_MS < now) return 0;
  // Days without a recording have no row, and count as what they were.
  const long = Math.max(1, Math.round((end.to - first.from) / DAY_MS));
  return last.reduce((sum, { written }) => sum + written, 0) / long;
}

/** Which share of a span the holds cover; asked for spans in the order of time. */
class Covered {
  readonly #held: readonly Span[];
  #at = 0;

  constructor(held: readonly Span[]) {
    this.#held = held;
  }

  of(from: number, to: number): number {
    if (to <= from) return 0;
    while ((this.#held[this.#at]?.to ?? Number.POSITIVE_INFINITY) <= from) this.#at += 1;
    let covered = 0;
    for (let at = this.#at; ; at += 1) {
      const one = this.#held[at];
      if (one === undefined || one.from >= to) return covered / (to - from);
      covered += Math.min(to, one.to) - Math.max(from, one.from);
    }
  }
}
