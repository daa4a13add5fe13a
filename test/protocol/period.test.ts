import { describe, expect, it } from 'vitest';
import {
  addPeriod,
  endOfYear,
  longest,
  midnight,
  outlasts,
  type Period,
  readPeriod,
} from '../../protocol/period.ts';
import { DAY_MS, fromIso, HOUR_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';

const CPH = 'Europe/Copenhagen';

function at(text: string): UtcMs {
  const found = fromIso(text);
  if (found === null) throw new Error(`no time: ${text}`);
  return found;
}

function period(text: string): Period {
  const found = readPeriod(text);
  if (found === null) throw new Error(`no period: ${text}`);
  return found;
}

const over = (from: string, text: string, zone = CPH) => toIso(addPeriod(at(from), period(text), zone));

describe('periods (Y11, Y12)', () => {
  it.each([
    ['P0D', 0, 0],
    ['P30D', 0, 720 * HOUR_MS],
    ['P2W', 0, 14 * DAY_MS],
    ['P6M', 6, 0],
    ['P1Y2M3DT4H5M6S', 14, 3 * DAY_MS + 4 * HOUR_MS + 306_000],
    ['PT60M', 0, HOUR_MS],
    ['P100Y', 1_200, 0],
  ])('Y11 reads %s', (text, months, ms) => {
    expect(readPeriod(text)).toEqual({ months, ms });
  });

  it.each([
    '',
    'P',
    'PT',
    'P1',
    '30D',
    'P-1D',
    'P1.5D',
    'p30d',
    'P1DT',
    'P1D1M',
    'P101Y',
    'P36526D',
    ' P1D',
    'P1D\n',
  ])('Y11 %j is none', (text) => {
    expect(readPeriod(text)).toBeNull();
  });

  it('Y11 thirty days are 720 hours, over both changes of the clock', () => {
    for (const from of ['2026-03-15T12:00:00.000Z', '2026-10-10T12:00:00.000Z', '2026-06-01T12:00:00.000Z']) {
      expect(at(over(from, 'P30D')) - at(from)).toBe(720 * HOUR_MS);
    }
  });

  it('Y11 a month is the same reading of the clock, whatever the clock was changed by', () => {
    // 10:00 CET to 10:00 CEST, and back: an hour less and an hour more than whole days.
    expect(over('2026-03-10T09:00:00.000Z', 'P1M')).toBe('2026-04-10T08:00:00.000Z');
    expect(over('2026-10-10T08:00:00.000Z', 'P1M')).toBe('2026-11-10T09:00:00.000Z');
    expect(over('2026-03-10T09:00:00.000Z', 'P1M', 'UTC')).toBe('2026-04-10T09:00:00.000Z');
  });

  it.each([
    ['2026-08-31T10:00:00.000Z', 'P6M', '2027-02-28T11:00:00.000Z'],
    ['2027-08-31T10:00:00.000Z', 'P6M', '2028-02-29T11:00:00.000Z'],
    ['2028-02-29T11:00:00.000Z', 'P1Y', '2029-02-28T11:00:00.000Z'],
    ['2028-02-29T11:00:00.000Z', 'P4Y', '2032-02-29T11:00:00.000Z'],
    ['2026-01-31T23:30:00.000Z', 'P1M', '2026-02-28T23:30:00.000Z'],
    // In Copenhagen it is the first already.
    ['2026-01-31T22:30:00.000Z', 'P1M', '2026-02-28T22:30:00.000Z'],
  ])('Y11 a day that the month has not is its last one: %s and %s', (from, text, due) => {
    expect(over(from, text)).toBe(due);
  });

  it('Y11 the day is that of the zone: where it is the first already, nothing is clamped', () => {
    expect(over('2026-01-31T23:30:00.000Z', 'P1M', 'UTC')).toBe('2026-02-28T23:30:00.000Z');
    expect(over('2026-01-31T23:30:00.000Z', 'P1M', CPH)).toBe('2026-02-28T23:30:00.000Z');
    expect(over('2026-03-31T22:30:00.000Z', 'P1M', 'UTC')).toBe('2026-04-30T22:30:00.000Z');
    expect(over('2026-03-31T22:30:00.000Z', 'P11M', CPH)).toBe('2027-02-28T23:30:00.000Z');
  });

  it('Y12 a reading that the zone shows twice is the earlier, one that it never shows is by the offset of before', () => {
    expect(over('2026-09-25T00:30:00.000Z', 'P1M')).toBe('2026-10-25T00:30:00.000Z');
    expect(over('2026-02-28T01:30:00.000Z', 'P1M1D')).toBe('2026-03-29T01:30:00.000Z');
    expect(over('2027-02-28T01:30:00.000Z', 'P1M')).toBe('2027-03-28T01:30:00.000Z');
  });

  it('Y11 rounding is to the end of 31 December in the zone', () => {
    expect(toIso(endOfYear(at('2033-03-03T12:00:00.000Z'), CPH))).toBe('2033-12-31T23:00:00.000Z');
    expect(toIso(endOfYear(at('2033-12-31T22:59:59.999Z'), CPH))).toBe('2033-12-31T23:00:00.000Z');
    expect(toIso(endOfYear(at('2033-12-31T23:00:00.000Z'), CPH))).toBe('2034-12-31T23:00:00.000Z');
  });

  it('knows the midnights around an instant', () => {
    const noon = at('2026-10-25T11:00:00.000Z');
    expect(toIso(midnight(noon, 0, CPH))).toBe('2026-10-24T22:00:00.000Z');
    expect(toIso(midnight(noon, 1, CPH))).toBe('2026-10-25T23:00:00.000Z');
    expect(midnight(at('2026-10-24T22:00:00.000Z'), 0, CPH)).toBe(at('2026-10-24T22:00:00.000Z'));
  });

  it('Y11 says how long a period can be, and which outlasts which', () => {
    expect(longest(period('P1M'))).toBe(31 * DAY_MS);
    expect(longest(period('P2M'))).toBe(62 * DAY_MS);
    expect(longest(period('P3M'))).toBe(92 * DAY_MS);
    expect(longest(period('P1Y'))).toBe(366 * DAY_MS);
    const pairs: [string, string, boolean][] = [
      ['P1M', 'P30D', true],
      ['P1M', 'P31D', false],
      ['P1Y', 'P12M', false],
      ['P12M', 'P1Y', false],
      ['P1Y', 'P365D', true],
      ['P28D', 'P1M', false],
      ['P29D', 'P1M', true],
      ['P0D', 'P0D', false],
      ['P1MT1S', 'P1M', true],
      ['P13M', 'P1Y', true],
    ];
    for (const [a, b, wins] of pairs) expect([a, b, outlasts(period(a), period(b))]).toEqual([a, b, wins]);
  });

  it('Y11 every period takes time, and none goes back', () => {
    for (const text of ['P0D', 'P1D', 'P1M', 'P100Y']) {
      expect(addPeriod(utcMs(0), period(text), 'America/St_Johns')).toBeGreaterThanOrEqual(0);
    }
  });
});
