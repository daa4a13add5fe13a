/** The day on which holds fill a disk: R9, C82, C83. */
import { describe, expect, it } from 'vitest';
import {
  type DayBytes,
  type Disk,
  type DiskCamera,
  forecast,
  isByHolds,
  rateOf,
} from '../../../agent/holds/forecast.ts';
import { DAY_MS, HOUR_MS, utcMs } from '../../../protocol/time.ts';

const NOW = utcMs(Date.UTC(2026, 10, 22));
const GB = 1e9;
/** As a rule of thirty days has it. */
const due = (endsAt: number) => endsAt + 30 * DAY_MS;
const never = () => null;
const ahead = (days: number) => utcMs(NOW + days * DAY_MS);
const back = (days: number) => NOW - days * DAY_MS;

/** The last `count` days, each with so many bytes. */
function daysOf(count: number, bytes = 10 * GB): DayBytes[] {
  return Array.from({ length: count }, (_, n) => {
    return { from: back(count - n), to: back(count - n - 1), present: bytes, written: bytes };
  });
}
function disk(free: number, camera: Partial<DiskCamera> = {}, copied = 0): Disk {
  return { free, copied, cameras: [{ role: 'swept', days: daysOf(30), held: [], ...camera }] };
}
const said = (one: Disk, at: (endsAt: number) => number | null = due) => forecast(one, NOW, at);

describe('agent/holds/forecast', () => {
  it('C82 a disk on which as much is erased as is written never fills', () => {
    expect(said(disk(1 * GB))).toEqual({ fullAt: null, withoutHolds: null, unknown: 0 });
  });

  it('R9 C82 a hold without an end fills it: from the first day that is not erased any more', () => {
    // What began yesterday would go in 29 days: until then all is as ever, and then a day's 10 GB a day are kept.
    const held = [{ from: back(1), to: Number.MAX_SAFE_INTEGER }];
    const found = said(disk(105 * GB, { held }));
    expect(found.withoutHolds).toBeNull();
    expect(isByHolds(found)).toBe(true);
    const days = ((found.fullAt ?? 0) - NOW) / DAY_MS;
    expect(days).toBeGreaterThanOrEqual(39);
    expect(days).toBeLessThanOrEqual(41);
  });

  it('C82 a hold with an end takes no more than it covers', () => {
    const held = [{ from: back(20), to: back(15) }];
    expect(said(disk(75 * GB, { held })).fullAt).toBeNull();
    expect(said(disk(35 * GB, { held })).fullAt).not.toBeNull();
    // Of two hours of a day not the whole day is reckoned.
    const short = [{ from: back(20), to: back(20) + 2 * HOUR_MS }];
    expect(said(disk(12 * GB, { held: short })).fullAt).toBeNull();
  });

  it('C82 a disk that fills up anyway is not said to be filled by holds', () => {
    const found = said(disk(45 * GB, { days: daysOf(10), held: [{ from: back(2), to: back(1) }] }));
    // Nothing goes for twenty days, and ten gigabytes come each day.
    expect(found.fullAt).toEqual(found.withoutHolds);
    expect(isByHolds(found)).toBe(false);
    expect(said(disk(45 * GB, { days: daysOf(30) }), never).withoutHolds).toEqual(ahead(5));
    expect(said(disk(45 * GB, { role: 'kept' })).withoutHolds).toEqual(ahead(5));
  });

  it('C83 of a recorder that deletes by itself only the vault grows, by what is held and not copied yet', () => {
    const open = [{ from: back(3), to: Number.MAX_SAFE_INTEGER }];
    const copied = { role: 'copied' as const, held: open };
    expect(said(disk(65 * GB, copied)).fullAt).toEqual(ahead(4));
    // What lies there already is not needed again.
    expect(said(disk(65 * GB, copied, 30 * GB)).fullAt).toEqual(ahead(7));
    expect(said(disk(1 * GB, { role: 'copied' })).fullAt).toBeNull();
  });

  it('T16 a camera without a finished day is not reckoned with, and counted', () => {
    const found = forecast(
      {
        free: GB,
        copied: 0,
        cameras: [
          { role: 'swept', days: [], held: [] },
          { role: 'swept', days: daysOf(30), held: [] },
        ],
      },
      NOW,
      due,
    );
    expect(found.unknown).toBe(1);
  });

  it('C82 the rate is that of the last days; one that has stopped writes nothing, a day off counts', () => {
    expect(rateOf(daysOf(30), NOW)).toBe(10 * GB);
    expect(rateOf(daysOf(30).slice(0, 25), NOW)).toBe(0);
    const everyOther = daysOf(30).filter((_, n) => n % 2 === 1);
    expect(rateOf(everyOther, NOW)).toBeCloseTo((7 * 10 * GB) / 13);
    expect(rateOf([], NOW)).toBe(0);
  });

  it('R9 more held is never later, more room never sooner', () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed / 2 ** 31;
    };
    const order = (at: number | null) => at ?? Number.MAX_SAFE_INTEGER;
    for (let round = 0; round < 300; round++) {
      const days = daysOf(1 + Math.floor(random() * 40), random() * 20 * GB);
      const from = back(random() * 40);
      const held = [{ from, to: from + random() * 80 * DAY_MS }];
      const free = random() * 200 * GB;
      const bare = said(disk(free, { days }));
      const one = said(disk(free, { days, held }));
      const wider = said(disk(free, { days, held: [{ from, to: Number.MAX_SAFE_INTEGER }] }));
      const larger = said(disk(free + random() * 50 * GB, { days, held }));
      expect(order(one.fullAt)).toBeLessThanOrEqual(order(bare.fullAt));
      expect(order(wider.fullAt)).toBeLessThanOrEqual(order(one.fullAt));
      expect(order(larger.fullAt)).toBeGreaterThanOrEqual(order(one.fullAt));
      expect(one.withoutHolds).toEqual(bare.withoutHolds);
      expect(bare.fullAt).toEqual(bare.withoutHolds);
    }
  });
});
