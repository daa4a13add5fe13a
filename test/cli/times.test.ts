import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationMs, readDuration, readTime, showSeconds, showTime, zoneOffsetMs } from '../../cli/times.ts';
import { DAY_MS, fromIso, HOUR_MS, MINUTE_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';

const now = fromIso('2026-11-22T12:00:00.000Z') as UtcMs;
const read = (text: string, zone = 'Europe/Copenhagen') => readTime(text, '--since', { now, zone });

describe('durations', () => {
  it.each([
    ['30m', 30 * MINUTE_MS],
    ['24h', DAY_MS],
    ['7d', 7 * DAY_MS],
    ['2w', 14 * DAY_MS],
    ['500ms', 500],
    ['P3D', 3 * DAY_MS],
    ['PT12H', 12 * HOUR_MS],
    ['P1DT2H30M', DAY_MS + 2 * HOUR_MS + 30 * MINUTE_MS],
    ['P1W', 7 * DAY_MS],
    ['P', null],
    ['PT', null],
    ['P1M', null],
    ['3', null],
    ['-24h', null],
    ['1.5h', null],
    ['', null],
  ])('%s', (text, expected) => {
    expect(durationMs(text)).toBe(expected);
  });

  it('nothing, and what is not one, is refused with the name of the option', () => {
    for (const text of ['0m', 'soon']) {
      expect(() => readDuration(text, '--ttl')).toThrow(
        expect.objectContaining({ code: 'cli.duration', exit: 'usage' }),
      );
    }
  });
});

describe('times', () => {
  it.each([
    ['now', '2026-11-22T12:00:00.000Z'],
    ['24h', '2026-11-21T12:00:00.000Z'],
    ['-24h', '2026-11-21T12:00:00.000Z'],
    ['7d', '2026-11-15T12:00:00.000Z'],
    ['P3D', '2026-11-19T12:00:00.000Z'],
    ['2026-11-22T06:12:00Z', '2026-11-22T06:12:00.000Z'],
    ['2026-11-22T06:12:00.1Z', '2026-11-22T06:12:00.100Z'],
    ['2026-11-22T07:12+01:00', '2026-11-22T06:12:00.000Z'],
    ['2026-11-22 07:12:00 +0100', '2026-11-22T06:12:00.000Z'],
    ['2026-11-21T23:30:00-05:30', '2026-11-22T05:00:00.000Z'],
  ])('%s says for itself when it is', (text, expected) => {
    expect(read(text)).toEqual({ at: fromIso(expected), echo: null });
  });

  it.each([
    ['2026-11-22', 'Europe/Copenhagen', '2026-11-21T23:00:00.000Z'],
    ['2026-07-01 08:00', 'Europe/Copenhagen', '2026-07-01T06:00:00.000Z'],
    ['2026-07-01T08:00:00', 'UTC', '2026-07-01T08:00:00.000Z'],
    ['2026-07-01T08:00', 'Asia/Kathmandu', '2026-07-01T02:15:00.000Z'],
  ])('W1 %s in %s is local time, and is echoed in UTC', (text, zone, expected) => {
    expect(read(text, zone)).toEqual({
      at: fromIso(expected),
      echo: `--since ${text} in ${zone} is ${expected}`,
    });
  });

  it('W1 an hour that the clocks showed twice is refused, as is one that they never showed', () => {
    expect(() => read('2026-10-25 02:30')).toThrow(
      expect.objectContaining({ code: 'cli.time-ambiguous', exit: 'usage' }),
    );
    expect(() => read('2026-03-29 02:30')).toThrow(
      expect.objectContaining({ code: 'cli.time-missing', exit: 'usage' }),
    );
    expect(read('2026-10-25 02:30+01:00').at).toBe(fromIso('2026-10-25T01:30:00.000Z'));
    expect(read('2026-10-25 01:59').at).toBe(fromIso('2026-10-24T23:59:00.000Z'));
    expect(read('2026-10-25 03:00').at).toBe(fromIso('2026-10-25T02:00:00.000Z'));
    expect(read('2026-03-29 03:00').at).toBe(fromIso('2026-03-29T01:00:00.000Z'));
  });

  it.each([
    'yesterday',
    '2026-02-30',
    '2026-13-01',
    '2026-11-22T25:00',
    '22-11-2026',
    '2026-11-22T06:12:00X',
    '',
  ])('%j is no time', (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'cli.time', exit: 'usage' }));
  });

  it('an unknown zone is refused', () => {
    expect(() => read('2026-11-22', 'Mars/Olympus')).toThrow(
      expect.objectContaining({ code: 'cli.zone', exit: 'usage' }),
    );
  });

  it('W1 what is read back in the zone is what was typed, or it is refused', () => {
    const zones = ['Europe/Copenhagen', 'America/St_Johns', 'Australia/Lord_Howe', 'UTC', 'Asia/Kolkata'];
    const minutes = fc.integer({ min: Date.UTC(2000, 0) / MINUTE_MS, max: Date.UTC(2040, 0) / MINUTE_MS });
    fc.assert(
      fc.property(fc.constantFrom(...zones), minutes, (zone, minute) => {
        const at = utcMs(minute * MINUTE_MS);
        const typed = toIso(utcMs(at + zoneOffsetMs(at, zone))).slice(0, 16);
        try {
          expect(read(typed, zone).at).toBe(at);
        } catch (error) {
          expect(error).toMatchObject({ code: 'cli.time-ambiguous' });
        }
      }),
    );
  });
});

describe('shown', () => {
  it('with the offset of that day', () => {
    expect(showTime(now, 'Europe/Copenhagen')).toBe('2026-11-22 13:00:00 +01:00');
    expect(showTime(now, 'America/St_Johns')).toBe('2026-11-22 08:30:00 -03:30');
    expect(showTime(fromIso('2026-07-01T00:00:00.000Z') as UtcMs, 'Europe/Copenhagen')).toBe(
      '2026-07-01 02:00:00 +02:00',
    );
  });

  it.each([
    [0, '0s'],
    [59, '59s'],
    [124, '2m 4s'],
    [7380, '2h 3m'],
  ])('%d seconds', (seconds, expected) => {
    expect(showSeconds(seconds)).toBe(expected);
  });
});
