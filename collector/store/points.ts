/**
 * Samples and spans of samples as one thing: a point. Pure; folding points is all that thinning and reading do.
 *
 * J2  Folding keeps how many there were, their sum, the least and the greatest, whatever the order and however often
 *     it is done in between: a day folded by quarters and then by hours is the day folded by hours.
 */
import type { Sample } from '../../protocol/telemetry.ts';
import { SECOND_MS, type UtcMs, utcMs } from '../../protocol/time.ts';

/** Lengths of spans; 0 is one sample. */
export const QUARTER_SECONDS = 900;
export const HOUR_SECONDS = 3600;

/** What is kept of some values. */
export interface Stat {
  n: number;
  sum: number;
  min: number;
  max: number;
}

export interface DiskPoint {
  index: number;
  usedPermille: Stat;
  /** The least. */
  freeMb: number;
  /** The greatest. */
  totalMb: number;
  /** Null where no sample had one. */
  inodesUsedPermille: Stat | null;
}

export interface Point {
  /** Of a sample its time, of a span its start. */
  at: UtcMs;
  /** 0: one sample as it came. */
  seconds: number;
  /** Samples in it. */
  n: number;
  /** Null where no sample had one. */
  cpuPermille: Stat | null;
  memUsedPermille: Stat;
  /** The greatest. */
  memTotalMb: number;
  /** The least: a restart of the machine is seen. */
  uptimeSeconds: number;
  /** By index, ascending. */
  disks: DiskPoint[];
}

export const one = (value: number): Stat => ({ n: 1, sum: value, min: value, max: value });

export function foldStat(a: Stat | null, b: Stat | null): Stat | null {
  if (a === null || b === null) return a ?? b;
  return { n: a.n + b.n, sum: a.sum + b.sum, min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

/** Rounded to a whole permille. */
export const meanOf = ({ n, sum }: Stat): number => Math.round(sum / n);

export function pointOf(sample: Sample): Point {
  const { at, cpuPermille, memUsedPermille, memTotalMb, uptimeSeconds, disks } = sample;
  return {
    at: utcMs(at),
    seconds: 0,
    n: 1,
    cpuPermille: cpuPermille === null ? null : one(cpuPermille),
    memUsedPermille: one(memUsedPermille),
    memTotalMb,
    uptimeSeconds,
    disks: foldDisks(
      disks.map(({ index, usedPermille, freeMb, totalMb, inodesUsedPermille: inodes }) => ({
        index,
        usedPermille: one(usedPermille),
        freeMb,
        totalMb,
        inodesUsedPermille: inodes === null ? null : one(inodes),
      })),
    ),
  };
}

/** Start of the span that `at` lies in; spans lie at multiples of their length since 1970. */
export function startOf(at: number, seconds: number): UtcMs {
  const ms = seconds * SECOND_MS;
  return utcMs(ms === 0 ? at : Math.floor(at / ms) * ms);
}

/** Two points as one, with the start of `a` and the longer length. */
export function foldPoints(a: Point, b: Point): Point {
  return {
    at: a.at,
    seconds: Math.max(a.seconds, b.seconds),
    n: a.n + b.n,
    cpuPermille: foldStat(a.cpuPermille, b.cpuPermille),
    memUsedPermille: foldStat(a.memUsedPermille, b.memUsedPermille) ?? a.memUsedPermille,
    memTotalMb: Math.max(a.memTotalMb, b.memTotalMb),
    uptimeSeconds: Math.min(a.uptimeSeconds, b.uptimeSeconds),
    disks: foldDisks([...a.disks, ...b.disks]),
  };
}

function foldDisks(disks: readonly DiskPoint[]): DiskPoint[] {
  const found = new Map<number, DiskPoint>();
  for (const disk of disks) {
    const before = found.get(disk.index);
    found.set(disk.index, before === undefined ? disk : foldDisk(before, disk));
  }
  return [...found.values()].sort((a, b) => a.index - b.index);
}

function foldDisk(a: DiskPoint, b: DiskPoint): DiskPoint {
  return {
    index: a.index,
    usedPermille: foldStat(a.usedPermille, b.usedPermille) ?? a.usedPermille,
    freeMb: Math.min(a.freeMb, b.freeMb),
    totalMb: Math.max(a.totalMb, b.totalMb),
    inodesUsedPermille: foldStat(a.inodesUsedPermille, b.inodesUsedPermille),
  };
}

/**
 * Folds points, given in the order of `at`, into spans of at least `seconds`; longer ones stay as they are. Lazy, so
 * that a page is read and no more.
 */
export function* spansOf(points: Iterable<Point>, seconds: number): Generator<Point> {
  let open: Point | null = null;
  for (const point of points) {
    const at = startOf(point.at, seconds);
    const next: Point = { ...point, at, seconds: Math.max(seconds, point.seconds) };
    if (open !== null && open.at === at) open = foldPoints(open, next);
    else {
      if (open !== null) yield open;
      open = next;
    }
  }
  if (open !== null) yield open;
}
