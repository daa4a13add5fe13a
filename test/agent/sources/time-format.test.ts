import { describe, expect, test } from 'vitest';
import { formatProblem, isTimeZone, TimeFormat } from '../../../agent/sources/time-format.ts';
import { toIso, utcMs } from '../../../protocol/time.ts';

const around = { zone: 'Europe/Copenhagen', near: () => utcMs(Date.UTC(2026, 10, 27, 12)) };

function read(format: string, text: string, zone = 'machine'): string | null {
  const time = new TimeFormat({ format, zone }).whole(text, around);
  return time === null ? null : `${toIso(time.at)} ${time.basis}`;
}

describe('times as logs write them', () => {
  test.each([
    ['%d/%m/%Y %H:%M:%S', '27/11/2026 23:51:30', 'machine', '2026-11-27T22:51:30.000Z assumed-zone'],
    ['%d/%m/%Y %H:%M:%S', '27/11/2026 23:51:30', 'utc', '2026-11-27T23:51:30.000Z file-utc'],
    ['%d/%m/%Y %H:%M:%S', '27/07/2026 23:51:30', 'America/New_York', '2026-07-28T03:51:30.000Z assumed-zone'],
    ['%m/%d/%Y %I:%M:%S %p', '11/27/2026 12:05:00 AM', 'utc', '2026-11-27T00:05:00.000Z file-utc'],
    ['%m/%d/%Y %I:%M:%S %p', '1/7/2026 9:05:00 p.m.', 'utc', '2026-01-07T21:05:00.000Z file-utc'],
    ['%Y-%m-%d %H:%M:%S:%f', '2026-11-27 10:00:01:042', 'utc', '2026-11-27T10:00:01.042Z file-utc'],
    ['%y.%m.%d %H:%M', '26.11.27 10:00', 'utc', '2026-11-27T10:00:00.000Z file-utc'],
    ['[%d/%b/%Y:%H:%M:%S %z]', '[27/Nov/2026:10:00:01 +0530]', 'utc', '2026-11-27T04:30:01.000Z file-offset'],
    ['iso', '2026-11-27T10:00:01.0425917Z', 'machine', '2026-11-27T10:00:01.042Z file-utc'],
    ['iso', '2026-11-27 10:00:01-08:00', 'machine', '2026-11-27T18:00:01.000Z file-offset'],
    ['iso', '2026-11-27T10:00:01', 'machine', '2026-11-27T09:00:01.000Z assumed-zone'],
    ['epoch', '1764237601', 'machine', '2025-11-27T10:00:01.000Z file-utc'],
    ['epoch-ms', '1764237601042', 'machine', '2025-11-27T10:00:01.042Z file-utc'],
    // No year: the newest that is not of the future.
    ['syslog', 'Nov 27 10:00:01', 'utc', '2026-11-27T10:00:01.000Z file-utc'],
    ['syslog', 'Nov  7 10:00:01', 'utc', '2026-11-07T10:00:01.000Z file-utc'],
    ['syslog', 'Dec 30 10:00:01', 'utc', '2025-12-30T10:00:01.000Z file-utc'],
    ['syslog', 'Feb 29 10:00:01', 'utc', '2024-02-29T10:00:01.000Z file-utc'],
  ])('%s reads %s, %s', (format, text, zone, expected) => {
    expect(read(format, text, zone)).toBe(expected);
  });

  test.each([
    ['%d/%m/%Y %H:%M:%S', '31/02/2026 10:00:00'],
    ['%d/%m/%Y %H:%M:%S', '11/27/2026 10:00:00'],
    ['%d/%m/%Y %H:%M:%S', '27/11/2026 24:00:00'],
    ['%d/%m/%Y %H:%M:%S', '27/11/2026 10:00:000'],
    ['%d/%m/%Y %H:%M:%S', '27/11/2026 10:00:00 and more'],
    ['%m/%d/%Y %I:%M:%S %p', '11/27/2026 13:05:00 PM'],
    ['syslog', 'Foo 27 10:00:01'],
    ['epoch', '17642376010'.repeat(3)],
    ['iso', ''],
  ])('M1 %s does not read %s', (format, text) => {
    expect(read(format, text, 'utc')).toBeNull();
  });

  test('M1 at the start of a line, and only there', () => {
    const format = new TimeFormat({ format: '%d/%m/%Y %H:%M:%S', zone: 'utc' });
    expect(format.atStart('27/11/2026 23:51:30 Got', around)?.at).toBe(Date.UTC(2026, 10, 27, 23, 51, 30));
    expect(format.atStart('at 27/11/2026 23:51:30', around)).toBeNull();
    expect(format.atStart('27/11/2026 23:51:301', around)).toBeNull();
  });

  test('what is wrong with a format is said, and signs of patterns are signs', () => {
    expect(formatProblem('%Y-%m-%d %H:%M')).toBeNull();
    expect(formatProblem('%Y-%m-%d %H:%M %q')).toBe('%q is no token of a time');
    expect(formatProblem('%Y-%m-%d')).toMatch(/hour/);
    expect(formatProblem('%H:%M')).toMatch(/day/);
    expect(formatProblem('%d %m %I:%M')).toBe('%I needs %p');
    expect(formatProblem('%d %m %d %H:%M')).toBe('%d says what was said before it');
    expect(formatProblem('%d %m %e %H:%M')).toBe('%e says what was said before it');
    expect(read('(%d.%m.%Y)+ %H:%M', '(27.11.2026)+ 10:00', 'utc')).toBe('2026-11-27T10:00:00.000Z file-utc');
    expect([isTimeZone('machine'), isTimeZone('Europe/Paris'), isTimeZone('Mars/Base')]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
