import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  corrected,
  type Day,
  type DayRow,
  Days,
  dayAround,
  gapBound,
  judged,
  shortestGap,
} from '../../../agent/recordings/days.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../protocol/time.ts';

const NOON = Date.UTC(2026, 10, 22, 12);
const row = (start: number, minutes = 10, more: Partial<DayRow> = {}): DayRow => {
  return { start, spread: 0, ends: start + minutes * MINUTE_MS, size: 5, state: 0, ...more };
};

function daysOf(rows: readonly DayRow[], zone = 'UTC', options: { from?: number; covered?: number } = {}) {
  const { from = null, covered = null } = options;
  const days = new Days({ zone, shortestMs: 10 * MINUTE_MS, told: [], from, covered });
  for (const one of [...rows].sort((a, b) => (a.ends ?? -1) - (b.ends ?? -1))) days.add(one);
  return { found: days.take(null), covered: days.covered };
}

describe('agent/recordings/days', () => {
  it('C71 a recording belongs to the day of its earliest start in site time, across both clock changes', () => {
    const zone = 'Europe/Copenhagen';
    // 22:30 UTC is the next day there in summer, the same day in winter.
    const summer = daysOf([row(Date.UTC(2026, 6, 1, 22, 30))], zone).found[0];
    expect(new Date(summer?.starts ?? 0).toISOString()).toBe('2026-07-01T22:00:00.000Z');
    const short = dayAround(Date.UTC(2026, 2, 29, 12), zone);
    const long = dayAround(Date.UTC(2026, 9, 25, 12), zone);
    expect([short.ends - short.starts, long.ends - long.starts]).toEqual([23 * HOUR_MS, 25 * HOUR_MS]);
  });

  it('C71 days of a zone follow one another without a hole, whatever the zone and the instant', () => {
    const zones = ['UTC', 'Europe/Copenhagen', 'America/Sao_Paulo', 'Australia/Lord_Howe', 'Africa/Cairo'];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: Date.UTC(2035, 0, 1) }),
        (zone, at) => {
          const day = dayAround(at, zone);
          expect(day.starts).toBeLessThanOrEqual(at);
          expect(day.ends).toBeGreaterThan(at);
          expect(dayAround(day.ends, zone).starts).toBe(day.ends);
          expect(dayAround(day.starts, zone)).toEqual(day);
        },
      ),
    );
  });

  it('C71 a camera that was off for three days has one hole, in the day in which it began again', () => {
    const { found } = daysOf([row(NOON), row(NOON + 3 * DAY_MS)]);
    expect(found.map(({ holes }) => holes.length)).toEqual([0, 1]);
    expect(found[1]?.holes).toEqual([{ from: NOON + 10 * MINUTE_MS, to: NOON + 3 * DAY_MS }]);
  });

  it('C71 a long recording that holds short ones leaves no hole between them', () => {
    const { found } = daysOf([row(NOON, 300), row(NOON + HOUR_MS, 1), row(NOON + 3 * HOUR_MS, 1)]);
    expect(found[0]?.holes).toEqual([]);
  });

  it('C71 holes and sums are the same in whatever order the rows of a day come, and nothing is lost', () => {
    const rows = fc.array(
      fc.record({
        start: fc.integer({ min: NOON - 5 * DAY_MS, max: NOON }),
        minutes: fc.integer({ min: 0, max: 2_000 }),
        state: fc.integer({ min: 0, max: 3 }),
        open: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(rows, (given) => {
        const all = given.map(({ start, minutes, state, open }) =>
          row(start, minutes, { state, ...(open ? { ends: null } : {}) }),
        );
        const { found } = daysOf(all);
        expect(found.reduce((sum, { count }) => sum + count, 0)).toBe(all.length);
        for (const { count, present, erased, missing } of found)
          expect(present + erased + missing).toBe(count);
        // By the slow road: no instant of a hole lies in any recording.
        for (const { from, to } of found.flatMap(({ holes }) => holes)) {
          expect(to - from).toBeGreaterThan(10 * MINUTE_MS);
          expect(all.some(({ start, ends }) => start < to && (ends ?? start) > from)).toBe(false);
        }
      }),
    );
  });

  it('C71 a look at the last days begins with what was recorded before them', () => {
    const from = NOON - 12 * HOUR_MS;
    const late = daysOf([row(NOON)], 'UTC', { from, covered: from - 2 * DAY_MS }).found[0];
    expect(late?.holes).toEqual([{ from: from - 2 * DAY_MS, to: NOON }]);
    const across = daysOf([row(from - HOUR_MS, 240), row(NOON)], 'UTC', { from, covered: null as never });
    expect(across.found.map(({ count }) => count)).toEqual([1]);
    expect(across.found[0]?.holes[0]?.from).toBe(from + 3 * HOUR_MS);
  });

  it('C72 the measure of a gap goes by the rhythm of the last seven days, and is never more than a day', () => {
    const hours = (n: number) => n * 3600;
    expect(gapBound([], 10 * MINUTE_MS)).toBe(DAY_MS);
    expect(gapBound([0, 0], 10 * MINUTE_MS)).toBe(DAY_MS);
    // Without a pause, and once three days off.
    expect(gapBound([0, 0, 0, hours(72), 0, 0, 0], 10 * SECOND_MS)).toBe(10 * MINUTE_MS);
    expect(gapBound([0, 0, 0], HOUR_MS)).toBe(2 * HOUR_MS);
    expect(gapBound([hours(5), hours(5), hours(5)], HOUR_MS)).toBe(10 * HOUR_MS);
    // What moves: each night is quiet.
    expect(gapBound([hours(13), hours(60), hours(14)], HOUR_MS)).toBe(DAY_MS);
    expect(shortestGap(48 * HOUR_MS)).toBe(DAY_MS);
  });

  it('C73 a day that was told keeps its bounds, and does not become less by what the catalogue forgot', () => {
    const whole = daysOf([row(NOON), row(NOON + HOUR_MS, 10, { state: 2 })]).found[0];
    if (whole === undefined) throw new Error('no day');
    const told: Day = { ...judged(whole, HOUR_MS), starts: 5, present: 0, erased: 2 };
    const later = judged(whole, HOUR_MS);
    expect(corrected(told, { ...later, count: 1, present: 0, erased: 1 })).toMatchObject({
      ...{ starts: 5, count: 2, present: 0, erased: 2, missing: 0 },
    });
    expect(corrected(told, { ...later, erased: 2, present: 1, count: 3 })).toMatchObject({
      ...{ starts: 5, count: 3, present: 1, erased: 2 },
    });
  });

  it('C73 another zone of the site cuts no day that was told in two', () => {
    const told = [{ starts: Date.UTC(2026, 10, 22), ends: Date.UTC(2026, 10, 23) }];
    const zone = 'Europe/Copenhagen';
    expect(dayAround(NOON, zone, told)).toEqual(told[0]);
    const next = dayAround(Date.UTC(2026, 10, 23, 5), zone, told);
    expect([next.starts, next.ends]).toEqual([Date.UTC(2026, 10, 23), Date.UTC(2026, 10, 23, 23)]);
  });
});
