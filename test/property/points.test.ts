/** J2: folding is one sum, whatever the order and however many steps. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  foldPoints,
  type Point,
  pointOf,
  type Stat,
  spansOf,
  startOf,
} from '../../collector/store/points.ts';
import { sample as sampleShape } from '../../protocol/telemetry.ts';
import { DAY_MS } from '../../protocol/time.ts';

const permille = fc.integer({ min: 0, max: 1000 });
const mb = fc.integer({ min: 0, max: 9_000_000 });
const disk = fc.record({
  index: fc.integer({ min: 0, max: 5 }),
  usedPermille: permille,
  freeMb: mb,
  totalMb: mb,
  inodesUsedPermille: fc.option(permille, { nil: null }),
});
const sample = fc.record({
  at: fc.integer({ min: 0, max: 3 * DAY_MS }),
  cpuPermille: fc.option(permille, { nil: null }),
  memUsedPermille: permille,
  memTotalMb: mb,
  uptimeSeconds: fc.integer({ min: 0, max: 10_000_000 }),
  disks: fc.uniqueArray(disk, { maxLength: 4, selector: (one) => one.index }),
});
const series = fc
  .uniqueArray(sample, { minLength: 1, maxLength: 60, selector: (one) => one.at })
  .map((all) => all.sort((a, b) => a.at - b.at));

const spans = (points: Iterable<Point>, seconds: number) => [...spansOf(points, seconds)];
const total = (points: readonly Point[], of: (point: Point) => Stat | null): Stat | null =>
  points.map(of).reduce<Stat | null>((a, b) => {
    if (a === null || b === null) return a ?? b;
    return { n: a.n + b.n, sum: a.sum + b.sum, min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
  }, null);

describe('points', () => {
  it('J2 a day folded by quarters and then by hours is the day folded by hours', () => {
    fc.assert(
      fc.property(series, (samples) => {
        const points = samples.map((one) => pointOf(sampleShape.parse(one)));
        expect(spans(spans(points, 900), 3600)).toEqual(spans(points, 3600));
      }),
    );
  });

  it('J2 no sample, sum, least or greatest value is lost on the way', () => {
    fc.assert(
      fc.property(series, fc.constantFrom(0, 900, 3600), (samples, seconds) => {
        const points = samples.map((one) => pointOf(sampleShape.parse(one)));
        const folded = spans(points, seconds);
        expect(folded.reduce((sum, point) => sum + point.n, 0)).toBe(samples.length);
        const looks: ((point: Point) => Stat | null)[] = [
          (point) => point.cpuPermille,
          (point) => point.memUsedPermille,
          (point) => point.disks.find(({ index }) => index === 0)?.usedPermille ?? null,
          (point) => point.disks.find(({ index }) => index === 1)?.inodesUsedPermille ?? null,
        ];
        for (const look of looks) expect(total(folded, look)).toEqual(total(points, look));
        expect(Math.min(...folded.map((point) => point.uptimeSeconds))).toBe(
          Math.min(...samples.map((one) => one.uptimeSeconds)),
        );
        for (const { at, seconds: length } of folded) expect(startOf(at, length)).toBe(at);
      }),
    );
  });

  it('J2 the order of two points changes nothing but where the sum stands', () => {
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const [x, y] = [pointOf(sampleShape.parse(a)), pointOf(sampleShape.parse({ ...b, at: a.at }))];
        expect(foldPoints(x, y)).toEqual(foldPoints(y, x));
      }),
    );
  });
});
