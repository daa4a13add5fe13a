import { describe, expect, test } from 'vitest';
import { programAt, SyslogReader } from '../../../agent/sources/syslog-line.ts';
import { toIso, utcMs } from '../../../protocol/time.ts';

const NEAR = Date.UTC(2026, 10, 22, 12);

function read(text: string, near = NEAR, zone = 'UTC') {
  return new SyslogReader({ zone, near: () => utcMs(near), ownIps: [] }).read(text);
}

function when(text: string, near = NEAR, zone = 'UTC'): string {
  const line = read(text, near, zone);
  if (line === null || typeof line === 'string') return String(line);
  return `${toIso(line.at)} ${line.basis}`;
}

describe('the old form', () => {
  test('has a time without year, a host, a program, a process and the message', () => {
    expect(read('Nov  2 08:09:10 srv01 sshd[123]: Server listening')).toEqual({
      at: Date.UTC(2026, 10, 2, 8, 9, 10),
      basis: 'assumed-zone',
      host: 'srv01',
      program: 'sshd',
      pid: '123',
      message: 'Server listening',
      boot: null,
      leader: null,
    });
  });

  test('blanks before the message and the carriage return of a copied file are no part of it', () => {
    const line = read('<38>Nov  2 08:09:10 srv01 sshd-session[1]:  Server  listening \r');
    expect(line).toMatchObject({ program: 'sshd-session', message: 'Server  listening ' });
    expect(read('Nov 02 08:09:10 srv01 sshd: x')).toMatchObject({ pid: null, message: 'x' });
  });

  test('the year is the latest in which it is not more than a day after the file', () => {
    const line = (stamp: string) => `${stamp} 10:00:00 srv01 sshd[1]: x`;
    const year = (stamp: string, near: number, zone?: string) => when(line(stamp), near, zone).slice(0, 16);
    expect(year('Nov 23', NEAR)).toBe('2026-11-23T10:00');
    expect(year('Nov 24', NEAR)).toBe('2025-11-24T10:00');
    expect(year('Dec 31', Date.UTC(2026, 0, 1))).toBe('2025-12-31T10:00');
    expect(year('Jan  1', Date.UTC(2026, 0, 1))).toBe('2026-01-01T10:00');
    // Written in the new year of its zone, before that of UTC.
    expect(year('Jan  1', Date.UTC(2025, 11, 31, 20), 'Pacific/Kiritimati')).toBe('2025-12-31T20:00');
    expect(year('Feb 29', NEAR)).toBe('2024-02-29T10:00');
    expect(year('Feb 29', Date.UTC(2027, 5, 1))).toBe('2024-02-29T10:00');
    expect(year('Feb 29', Date.UTC(1899, 5, 1))).toBe('start');
  });

  test('R2 the year does not depend on what was read before, also where nothing but the year has changed', () => {
    let near = NEAR;
    const by = new SyslogReader({ zone: 'UTC', near: () => utcMs(near), ownIps: [] });
    const at = () => {
      const line = by.read('Nov 23 12:00:30 srv01 sshd[1]: x');
      return line === null || typeof line === 'string' ? String(line) : toIso(line.at).slice(0, 19);
    };
    const day = 86_400_000;
    const years = [0, 300, 365, 366, 900, -1, -400].map((days) => {
      near = NEAR + days * day;
      return at();
    });
    const fresh = [0, 300, 365, 366, 900, -1, -400].map((days) =>
      when('Nov 23 12:00:30 srv01 sshd[1]: x', NEAR + days * day).slice(0, 19),
    );
    expect(years).toEqual(fresh);
    expect(new Set(years.map((text) => text.slice(0, 4))).size).toBe(5);
  });

  test('the time is the zone’s, also around a change of the clocks', () => {
    const at = (stamp: string) => when(`${stamp} srv01 sshd[1]: x`, NEAR, 'Europe/Copenhagen').slice(0, 19);
    expect(at('Jul  1 12:00:00')).toBe('2026-07-01T10:00:00');
    expect(at('Nov  1 12:00:00')).toBe('2026-11-01T11:00:00');
    // Never shown, and shown twice: X13.
    expect(at('Mar 29 02:30:00')).toBe('2026-03-29T01:30:00');
    expect(at('Oct 25 02:30:00')).toBe('2026-10-25T00:30:00');
  });

  test.each(['Nix  2 08:09:10', 'Nov 31 08:09:10', 'Nov  2 24:00:00', 'Nov  2 08:61:10', 'Nov  x 08:09:10'])(
    'no such time: %s',
    (stamp) => {
      expect(read(`${stamp} srv01 sshd[123]: x`)).toBe('start');
    },
  );
});

describe('ISO 8601', () => {
  test.each([
    ['2026-11-22T06:12:00.123456+01:00', '2026-11-22T05:12:00.123Z file-offset'],
    ['2026-11-22T06:12:00.1-0230', '2026-11-22T08:42:00.100Z file-offset'],
    ['2026-11-22T06:12:00+0000', '2026-11-22T06:12:00.000Z file-offset'],
    ['2026-11-22T06:12:00Z', '2026-11-22T06:12:00.000Z file-utc'],
    ['2026-11-22T06:12:00', '2026-11-22T05:12:00.000Z assumed-zone'],
    ['2026-11-22T06:12:00+1', 'start'],
    ['2026-13-22T06:12:00Z', 'start'],
  ])('%s is %s', (stamp, expected) => {
    expect(when(`${stamp} srv01 sshd[1]: x`, NEAR, 'Europe/Copenhagen')).toBe(expected);
    expect(when(`<38>1 ${stamp} srv01 sshd 1 - - x`, NEAR, 'Europe/Copenhagen')).toBe(expected);
  });
});

describe('RFC 5424', () => {
  const line = (rest: string) => read(`<38>1 2026-11-22T06:12:00Z srv01 ${rest}`);

  test('has its fields apart, structured data between them and the message', () => {
    expect(line('sshd 123 - - x y')).toMatchObject({ program: 'sshd', pid: '123', message: 'x y' });
    expect(line('sshd - ID47 - \ufeffx')).toMatchObject({ pid: null, message: 'x' });
    expect(line('sshd 1 - [a b="\\"]"][c d="e"] x]')).toMatchObject({ message: 'x]' });
    expect(line('sshd 1 - -')).toMatchObject({ message: '' });
  });

  test.each(['sshd 1 - [a b="', 'sshd 1 - x', 'sshd 1', 'sshd'])('cut off: %s', (rest) => {
    const read = line(rest);
    expect(read === 'fields' || read === null).toBe(true);
  });
});

describe('journald’s JSON', () => {
  const entry = (fields: object) =>
    read(
      JSON.stringify({ __REALTIME_TIMESTAMP: '1795823756119999', _COMM: 'sshd', MESSAGE: 'x', ...fields }),
    );

  test('has a time in microseconds, and fields that journald adds itself', () => {
    expect(entry({ _HOSTNAME: 'srv01', _PID: '12', SYSLOG_PID: '13', _BOOT_ID: 'ab', LEADER: '9' })).toEqual({
      at: 1795823756119,
      basis: 'file-utc',
      host: 'srv01',
      program: 'sshd',
      pid: '12',
      message: 'x',
      boot: 'ab',
      leader: '9',
    });
  });

  test('the program is the one that journald saw, not the one that it called itself', () => {
    expect(entry({ _COMM: 'logger', SYSLOG_IDENTIFIER: 'sshd' })).toMatchObject({ program: 'logger' });
    expect(entry({ _COMM: undefined, SYSLOG_IDENTIFIER: 'sshd' })).toMatchObject({ program: 'sshd' });
  });

  test('a message may be bytes or stand twice; what a service prints has no process of its own', () => {
    const bytes = [...Buffer.from('æ\n')];
    expect(entry({ MESSAGE: bytes })).toMatchObject({ message: 'æ\n' });
    expect(entry({ MESSAGE: ['x', 'y'] })).toMatchObject({ message: 'x' });
    expect(entry({ _TRANSPORT: 'stdout', _PID: '12' })).toMatchObject({ pid: null });
    expect(entry({ _PID: 'x' })).toMatchObject({ pid: null });
  });

  test('what is no entry, or is cut off, is told apart', () => {
    expect(entry({ MESSAGE: null })).toBe('fields');
    expect(entry({ MESSAGE: [300] })).toBe('fields');
    expect(entry({ MESSAGE: undefined })).toBe('fields');
    expect(entry({ __REALTIME_TIMESTAMP: 'x' })).toBe('start');
    expect(entry({ __REALTIME_TIMESTAMP: '999999999999999999' })).toBe('start');
    expect(entry({ _COMM: undefined })).toBeNull();
    expect(read('{"_COMM":"ss')).toBe('fields');
    expect(read('{"__proto__":{"_COMM":"sshd"}}')).toBeNull();
  });
});

test('where the program stands is found in each form, and nowhere else', () => {
  const at = (text: string) => (programAt(text) === -1 ? '' : text.slice(programAt(text)));
  expect(at('Nov  2 08:09:10 srv01 sshd[123]: x')).toBe('sshd[123]: x');
  expect(at('<38>Nov  2 08:09:10 srv01 sshd[123]: x')).toBe('sshd[123]: x');
  expect(at('2026-11-22T06:12:00Z srv01 sshd[1]: x')).toBe('sshd[1]: x');
  expect(at('<38>1 2026-11-22T06:12:00Z srv01 sshd 1 - - x')).toBe('sshd 1 - - x');
  for (const none of [
    '',
    'x',
    '<',
    '<1234>1 x',
    'Nov  2 08:09:10 srv01',
    '2026-11-22 06:12:00 srv01 sshd[1]: x',
  ])
    expect(at(none)).toBe('');
});

test('texts longer than any daemon writes are refused unread', () => {
  expect(read(`Nov  2 08:09:10 srv01 sshd[1]: ${'x'.repeat(70_000)}`)).toBe('too-long');
});
