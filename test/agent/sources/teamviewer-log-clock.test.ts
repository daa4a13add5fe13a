import { describe, expect, test } from 'vitest';
import { LogClock } from '../../../agent/sources/teamviewer-log-clock.ts';
import { toIso, utcMs } from '../../../protocol/time.ts';

const near = () => utcMs(Date.UTC(2024, 0, 3));

function clockOf(zone: string, start?: string): LogClock {
  const clock = new LogClock(zone, near);
  if (start !== undefined) expect(clock.start(`Start:              ${start}`)).toBe(true);
  return clock;
}

/** Instant and basis of a line that begins with `stamp`. */
function at(clock: LogClock, stamp: string): string {
  if (clock.read(`${stamp}  1234  5678 S0   text`) === 0) return 'no entry';
  if (Number.isNaN(clock.wall)) return 'no clock shows it';
  const moment = clock.momentOf(clock.wall);
  return `${toIso(moment.at)} ${moment.basis}`;
}

describe('R20: local time is read by the header', () => {
  test.each([
    ['(UTC-8:00)', '2024-03-05T14:16:32.562Z file-offset'],
    ['(UTC+8:00)', '2024-03-04T22:16:32.562Z file-offset'],
    ['(UTC+5:30)', '2024-03-05T00:46:32.562Z file-offset'],
    ['(UTC)', '2024-03-05T06:16:32.562Z file-offset'],
    ['', '2024-03-05T05:16:32.562Z assumed-zone'],
  ])('%s', (zone, expected) => {
    const clock = clockOf('Europe/Berlin', `2024/03/05 06:00:00.000 ${zone}`);
    expect(at(clock, '2024/03/05 06:16:32.562')).toBe(expected);
  });

  test('without any header the zone of the machine is assumed, and none that is not there', () => {
    expect(at(clockOf('Europe/Berlin'), '2024/07/05 06:16:32.562')).toBe(
      '2024-07-05T04:16:32.562Z assumed-zone',
    );
    expect(at(clockOf('Nowhere/At-All'), '2024/07/05 06:16:32.562')).toBe(
      '2024-07-05T06:16:32.562Z assumed-zone',
    );
  });

  test('the clocks change while the service runs: the zone goes on where it agreed with the header', () => {
    const clock = clockOf('America/New_York', '2024/03/09 20:00:00.000 (UTC-5:00)');
    expect(at(clock, '2024/03/10 01:59:59.000')).toBe('2024-03-10T06:59:59.000Z file-offset');
    expect(at(clock, '2024/03/10 03:00:00.000')).toBe('2024-03-10T07:00:00.000Z assumed-zone');
    expect(at(clock, '2024/03/11 12:00:00.000')).toBe('2024-03-11T16:00:00.000Z assumed-zone');
  });

  test('a zone that did not agree with the header is never asked', () => {
    const clock = clockOf('America/New_York', '2024/03/09 20:00:00.000 (UTC-6:00)');
    expect(at(clock, '2024/03/11 12:00:00.000')).toBe('2024-03-11T18:00:00.000Z file-offset');
  });

  test('the next header and the next file say it anew', () => {
    const clock = clockOf('America/New_York', '2024/03/09 20:00:00.000 (UTC-6:00)');
    clock.start('Start:              2024/03/10 08:00:00.000 (UTC-4:00)');
    expect(at(clock, '2024/03/11 12:00:00.000')).toBe('2024-03-11T16:00:00.000Z file-offset');
    clock.newFile();
    expect(at(clock, '2024/03/11 12:00:00.000')).toBe('2024-03-11T16:00:00.000Z assumed-zone');
  });
});

describe('R21: a reading that the clocks showed twice', () => {
  const header = '2024/11/02 20:00:00.000 (UTC-4:00)';

  test('is the earlier instant, and the later one once the lines stepped back', () => {
    const clock = clockOf('America/New_York', header);
    expect(at(clock, '2024/11/03 01:10:00.000')).toBe('2024-11-03T05:10:00.000Z file-offset');
    expect(at(clock, '2024/11/03 01:55:00.000')).toBe('2024-11-03T05:55:00.000Z file-offset');
    expect(at(clock, '2024/11/03 01:10:00.000')).toBe('2024-11-03T06:10:00.000Z assumed-zone');
    expect(at(clock, '2024/11/03 02:30:00.000')).toBe('2024-11-03T07:30:00.000Z assumed-zone');
  });

  test('processes that write beside each other step back by seconds: that is no change of the clocks', () => {
    const clock = clockOf('America/New_York', header);
    at(clock, '2024/11/03 01:30:10.000');
    expect(at(clock, '2024/11/03 01:30:08.500')).toBe('2024-11-03T05:30:08.500Z file-offset');
  });

  test('a clock that somebody set back means no second showing', () => {
    const clock = clockOf('America/New_York', header);
    at(clock, '2024/11/03 12:00:00.000');
    at(clock, '2024/11/03 11:00:00.000');
    expect(at(clock, '2024/11/03 01:10:00.000')).toBe('2024-11-03T05:10:00.000Z file-offset');
  });

  test('a header inside the second showing says so itself', () => {
    const clock = clockOf('America/New_York', '2024/11/03 01:30:00.000 (UTC-5:00)');
    expect(at(clock, '2024/11/03 01:40:00.000')).toBe('2024-11-03T06:40:00.000Z file-offset');
  });
});

describe('dates of very old versions', () => {
  test('month and day take the year of the header, also over New Year', () => {
    const clock = clockOf('UTC', '2011/12/30 08:00:00.000');
    expect(at(clock, '12/30 09:01:02:345')).toBe('2011-12-30T09:01:02.345Z assumed-zone');
    expect(at(clock, '01/02 09:01:02:345')).toBe('2012-01-02T09:01:02.345Z assumed-zone');
  });

  test('two digits are a year of this century', () => {
    expect(at(clockOf('UTC'), '12/01/02 09:01:02:345')).toBe('2012-01-02T09:01:02.345Z assumed-zone');
  });

  test('without a header the year is that of the last such day', () => {
    expect(at(clockOf('UTC'), '01/02 09:01:02.345')).toBe('2024-01-02T09:01:02.345Z assumed-zone');
    expect(at(clockOf('UTC'), '12/30 09:01:02.345')).toBe('2023-12-30T09:01:02.345Z assumed-zone');
  });
});

test.each([
  ['2024/02/30 06:16:32.562', 'no clock shows it'],
  ['2024/13/01 06:16:32.562', 'no clock shows it'],
  ['2024/03/05 24:16:32.562', 'no clock shows it'],
  ['2024/03/05 06:61:32.562', 'no clock shows it'],
  ['9999/03/05 06:16:32.562', 'no clock shows it'],
  ['2024/03/05 06:16:32.5x2', 'no clock shows it'],
  ['2024-03-05 06:16:32.562', 'no entry'],
  ['2024/03/05T06:16:32.562', 'no entry'],
  ['0000  3c 68 74 6d 6c 3e', 'no entry'],
  ['', 'no entry'],
])('%s: %s', (stamp, expected) => {
  expect(at(clockOf('UTC'), stamp)).toBe(expected);
});

test.each(['Start:', 'Start: soon', 'Start:              2024/02/30 06:00:00.000 (UTC-8:00)'])(
  '"%s" is no header',
  (text) => {
    expect(clockOf('UTC').start(text)).toBe(false);
  },
);
