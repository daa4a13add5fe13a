/**
 * From samples to what alerts look at: the mean load of ten minutes, and when a disk will be full. Pure.
 *
 * T16 What has too little behind it is not known: no forecast from a few minutes, no mean from half of its time.
 */
import { CPU_MEAN_MS, FORECAST_MIN_MS, FORECAST_MS, NEVER_FULL_S } from '../../protocol/alert-rules.ts';
import type { Sample } from '../../protocol/telemetry.ts';

/** Samples that are looked back at. */
export const HISTORY_MS = Math.max(FORECAST_MS, CPU_MEAN_MS);
/** Of the time that a mean is of, this much has to be covered by samples. */
const COVERED = 0.9;
/** A forecast is made from this many samples at least. */
const FORECAST_SAMPLES = 3;

/** Samples of the last hour by the wall clock at `now`; a clock that stepped leaves fewer of them. */
export function recent(samples: readonly Sample[], now: number): Sample[] {
  return samples.filter(({ at }) => at <= now && now - at <= HISTORY_MS);
}

/**
 * Per mille of all cores, the mean of ten minutes; null where they are not covered.
 * @param samples oldest first
 * @param atMostMs what one sample stands for at most
 */
export function meanCpu(samples: readonly Sample[], now: number, atMostMs: number): number | null {
  let sum = 0;
  let covered = 0;
  for (const [n, { at, cpuPermille }] of samples.entries()) {
    const before = samples[n - 1]?.at ?? Number.NEGATIVE_INFINITY;
    const from = Math.max(before, now - CPU_MEAN_MS, at - atMostMs);
    if (cpuPermille === null || at <= from) continue;
    sum += cpuPermille * (at - from);
    covered += at - from;
  }
  return covered < COVERED * CPU_MEAN_MS ? null : Math.round(sum / covered);
}

/**
 * Seconds until a disk is full, by the slope of the last hour (least squares); null where there is too little of it.
 * @param samples oldest first
 */
export function secondsToFull(samples: readonly Sample[], index: number): number | null {
  const points = samples.flatMap(({ at, disks }) => {
    const disk = disks.find((one) => one.index === index);
    return disk === undefined ? [] : [{ at, free: disk.freeMb }];
  });
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || points.length < FORECAST_SAMPLES) return null;
  if (last.at - first.at < FORECAST_MIN_MS) return null;
  const mbPerSecond = slope(points) * 1000;
  if (mbPerSecond >= 0) return NEVER_FULL_S;
  return Math.min(NEVER_FULL_S, Math.round(last.free / -mbPerSecond));
}

function slope(points: readonly { at: number; free: number }[]): number {
  const mean = (of: (point: { at: number; free: number }) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [at, free] = [mean((point) => point.at), mean((point) => point.free)];
  let both = 0;
  let square = 0;
  for (const point of points) {
    both += (point.at - at) * (point.free - free);
    square += (point.at - at) ** 2;
  }
  return square === 0 ? 0 : both / square;
}
