import { describe, expect, test } from 'vitest';
import type { LineReader, ReaderOptions, SessionChange } from '../../../agent/sources/change.ts';
import { makeDeclaredReader } from '../../../agent/sources/declared.ts';
import { loadDeclared } from '../../../agent/sources/declared-load.ts';
import { SHIPPED_SPECS } from '../../../agent/sources/declared-shipped.ts';
import { type LineSpec, parseDeclared } from '../../../agent/sources/declared-spec.ts';
import { TilsynError } from '../../../protocol/errors.ts';
import { toIso, utcMs } from '../../../protocol/time.ts';
import { access, begin, gone, knock, refused, stopped } from '../../fixtures/x11vnc.ts';

const OPTIONS: ReaderOptions = {
  zone: 'UTC',
  near: () => utcMs(Date.UTC(2026, 10, 28)),
  ownIps: ['198.51.100.9'],
};
const A = '203.0.113.7';
const B = '203.0.113.8';

function shipped(name: (typeof SHIPPED_SPECS)[number]): LineSpec {
  const spec = loadDeclared(name);
  if (spec.format !== 'lines') throw new Error(`${name} is for reports`);
  return spec;
}

function spec(text: string): LineSpec {
  const parsed = parseDeclared(text, 'tool.yaml');
  if (parsed.format !== 'lines') throw new Error('not for lines');
  return parsed;
}

function read(reader: LineReader, lines: readonly string[]): SessionChange[] {
  return lines.flatMap((line) => {
    const result = reader.line(line);
    if (!result.ok) throw new Error(`not read: ${result.reason}: ${line}`);
    return result.changes;
  });
}

/** A change in a few words. */
function brief(change: SessionChange): string {
  const at = 'at' in change ? toIso(change.at).slice(11, 19) : '';
  const ip = 'known' in change ? (change.known?.peerIps?.[0]?.ip ?? '') : '';
  const reason = 'reason' in change ? change.reason : '';
  return [at, change.what, ip, reason].filter((word) => word !== '').join(' ');
}

function vnc(lines: readonly string[]): string[] {
  return read(makeDeclaredReader(shipped('x11vnc'))(OPTIONS), lines).map(brief);
}

describe('x11vnc, by the declaration that comes with Tilsyn', () => {
  test('a session: knocked, let in, gone; addresses with their scope', () => {
    const lines = [
      ...begin('10:00:00'),
      ...knock('10:01:00', A),
      ...access('10:01:01', A),
      ...gone('10:09:00', A),
    ];
    expect(vnc(lines)).toEqual([
      '10:00:00 tool-stopped',
      `10:01:00 attempted ${A}`,
      `10:01:01 started ${A}`,
      '10:09:00 ended completed',
    ]);
    const [, attempt, start, end] = read(makeDeclaredReader(shipped('x11vnc'))(OPTIONS), lines);
    expect(start).toMatchObject({
      direction: 'incoming',
      kind: 'remote-control',
      basis: 'assumed-zone',
      auth: null,
      failedAttempts: 0,
      known: { peerIps: [{ ip: A, basis: 'socket', scope: 'public' }] },
    });
    expect([start, end].map((one) => one !== undefined && 'key' in one && one.key)).toEqual([
      attempt !== undefined && 'key' in attempt && attempt.key,
      attempt !== undefined && 'key' in attempt && attempt.key,
    ]);
  });

  test('a wrong password is one refusal, whose "gone" ends nothing; who waits and leaves broke off', () => {
    expect(
      vnc([
        ...knock('10:01:00', A),
        ...access('10:01:01', A),
        ...knock('10:02:00', A, 2),
        ...refused('10:02:03', A),
        ...gone('10:02:03', A),
        ...knock('10:03:00', A, 3),
        ...gone('10:03:06', A),
        ...gone('10:09:00', A),
      ]),
    ).toEqual([
      `10:01:00 attempted ${A}`,
      `10:01:01 started ${A}`,
      `10:02:00 attempted ${A}`,
      `10:02:03 rejected ${A} wrong-password`,
      `10:03:00 attempted ${A}`,
      `10:03:06 rejected ${A} cancelled`,
      '10:09:00 ended completed',
    ]);
  });

  test('M3 two viewers from one address, one from another: the older is taken to end first', () => {
    expect(
      vnc([
        ...knock('10:01:00', A),
        ...access('10:01:01', A),
        ...knock('10:02:00', A),
        ...knock('10:02:00', B),
        ...access('10:02:01', B),
        ...access('10:02:01', A),
        ...gone('10:05:00', A),
        ...gone('10:06:00', B),
        ...gone('10:07:00', A),
        ...gone('10:08:00', A),
      ]).filter((line) => /started|ended/.test(line)),
    ).toEqual([
      `10:01:01 started ${A}`,
      `10:02:01 started ${B}`,
      `10:02:01 started ${A}`,
      '10:05:00 ended completed',
      '10:06:00 ended completed',
      '10:07:00 ended completed',
    ]);
  });

  test('stopped by a signal, and killed: the next start says that nothing goes on', () => {
    const open = [...knock('10:01:00', A), ...access('10:01:01', A)];
    expect(vnc([...open, ...stopped('10:04:00'), ...gone('10:04:01', A)])).toEqual([
      `10:01:00 attempted ${A}`,
      `10:01:01 started ${A}`,
      '10:04:00 tool-stopped',
    ]);
    expect(vnc([...open, ...begin('11:00:00')]).at(-1)).toBe('11:00:00 tool-stopped');
  });
});

const BASE = `format: lines
tool: T
time: {format: "%Y-%m-%d %H:%M:%S", zone: utc}
`;

describe('rules', () => {
  const pid = `${BASE}defaults: {auth: click}
lines:
  - match: 'pid (?P<pid>\\d+) internal'
    what: nothing
  - match: 'pid (?P<pid>\\d+) open (?P<who>\\S*) by (?P<how>\\w+)'
    what: started
    key: "{pid}"
    fields:
      peerId: "{who}"
      peerName: "name of {who}"
      auth: {of: "{how}", words: {pw: fixed-password, key: key}}
  - match: 'pid (?P<pid>\\d+) files (?P<n>\\d+)'
    what: updated
    key: "{pid}"
    fields: {files: "{n}", kind: file-transfer}
  - match: 'pid (?P<pid>\\d+) tried (?P<n>\\d+) times'
    what: rejected
    key: "{pid}"
    fields: {count: "{n}", reason: not-allowed}
  - match: 'pid (?P<pid>\\d*) close(?: at (?P<time>.*))?'
    what: ended
    key: "{pid}"
    fields: {reason: unknown}
`;
  const make = () => makeDeclaredReader(spec(pid))(OPTIONS);

  test('the first that fits counts; words become words of events, what is empty is left out', () => {
    const changes = read(make(), [
      '2026-11-27 10:00:00 pid 7 internal pid 7 open x by pw',
      '2026-11-27 10:00:01 pid 7 open 12345678 by pw',
      '2026-11-27 10:00:02 pid 8 open  by magic',
      '2026-11-27 10:00:03 pid 7 files 3',
      '2026-11-27 10:00:04 pid 9 tried 5 times',
      'whenever pid 7 close at 2026-11-27 10:00:05',
    ]);
    expect(changes.map(brief)).toEqual([
      '10:00:01 started',
      '10:00:02 started',
      'updated',
      '10:00:04 rejected not-allowed',
      '10:00:05 ended unknown',
    ]);
    expect(changes[0]).toMatchObject({
      auth: 'fixed-password',
      failedAttempts: null,
      known: { peerId: '12345678', peerNames: ['name of 12345678'] },
    });
    // No word for it: what the declaration says of all.
    expect(changes[1]).toMatchObject({ auth: 'click', known: {} });
    expect(changes[2]).toMatchObject({ files: 3, kind: 'file-transfer' });
    expect(changes[3]).toMatchObject({ count: 5 });
  });

  test('R4 a line of ours without a time or a key is unreadable; any other line is nothing', () => {
    const reader = make();
    expect(reader.line('27.11. pid 7 open a by pw')).toEqual({ ok: false, reason: 'start' });
    expect(reader.line('x pid 7 close at noon')).toEqual({ ok: false, reason: 'start' });
    expect(reader.line('2026-11-27 10:00:00 pid  close')).toEqual({ ok: false, reason: 'fields' });
    expect(reader.line('2026-11-27 10:00:00 nothing of interest')).toEqual({ ok: true, changes: [] });
    expect(reader.line(`2026-11-27 10:00:00 ${'x'.repeat(9_000)}`)).toEqual({
      ok: false,
      reason: 'too-long',
    });
  });

  test('the same key again replaces what was open under it, and its end is not known', () => {
    const changes = read(make(), [
      '2026-11-27 10:00:01 pid 7 open a by pw',
      '2026-11-27 10:05:00 pid 7 open b by pw',
      '2026-11-27 10:06:00 pid 7 close',
      '2026-11-27 10:07:00 pid 7 close',
    ]);
    expect(changes.map(brief)).toEqual([
      '10:00:01 started',
      '10:05:00 ended unknown',
      '10:05:00 started',
      '10:06:00 ended unknown',
    ]);
  });

  test('lines without a time take the last, where the declaration says so', () => {
    const text = `${BASE.replace('zone: utc}', 'zone: utc, missing: last}')}lines:
  - {match: '^open$', what: started}
  - {match: '^close$', what: ended}
`;
    const reader = makeDeclaredReader(spec(text))(OPTIONS);
    expect(reader.line('open')).toEqual({ ok: false, reason: 'start' });
    expect(
      read(reader, ['2026-11-27 10:00:00 hello', 'open', '2026-11-27 10:01:00 hello', 'close']).map(brief),
    ).toEqual(['10:00:00 started', '10:01:00 ended completed']);
  });

  test('R1 what is open is bounded: the oldest of a flood ends as unknown', () => {
    const reader = make();
    let ended = 0;
    for (let n = 0; n < 5_000; n++) {
      const [first] = read(reader, [`2026-11-27 10:00:01 pid ${n} open a by pw`]);
      if (first?.what === 'ended') ended += 1;
    }
    expect(ended).toBe(5_000 - 4_096);
  });

  test('sessions that begin in one second under one key are told apart, also when one has ended', () => {
    const keys = read(make(), [
      '2026-11-27 10:00:01 pid 7 open a by pw',
      '2026-11-27 10:00:01 pid 7 close',
      '2026-11-27 10:00:01 pid 7 open a by pw',
    ]).flatMap((one) => (one.what === 'started' ? [one.key] : []));
    expect(new Set(keys).size).toBe(2);
  });
});

describe('declarations', () => {
  test.each(SHIPPED_SPECS)('%s is one', (name) => {
    expect(loadDeclared(name).tool).not.toBe('');
  });

  test('UltraViewer and Supremo, in the forms that others published', () => {
    const ultra = makeDeclaredReader(shipped('ultraviewer'))(OPTIONS);
    const changes = read(ultra, [
      '11/27/2026 9:05:00 AM|12 345 678|DESKTOP-1',
      '11/27/2026 9:06:00 PM | Outgoing | 87654321',
      'something else',
    ]);
    expect(changes.map(brief)).toEqual([
      '09:05:00 started',
      '09:05:00 ended unknown',
      '21:06:00 started',
      '21:06:00 ended unknown',
    ]);
    expect(changes[0]).toMatchObject({
      direction: 'incoming',
      known: { peerId: '12 345 678', peerNames: ['DESKTOP-1'] },
    });
    expect(changes[2]).toMatchObject({ direction: 'unknown', known: { peerId: '87654321' } });
    const supremo = makeDeclaredReader(shipped('supremo'))(OPTIONS);
    expect(
      read(supremo, [
        '2026-11-27 10:00:00:123 [Incoming] Connected with ID 123456789',
        '2026-11-27 10:00:00:200 [File Transfer] Received file',
        '2026-11-27 10:30:00:001 [Incoming] Disconnected',
      ]).map(brief),
    ).toEqual(['10:00:00 started', '10:30:00 ended completed']);
  });

  function problems(text: string): string[] {
    try {
      parseDeclared(text, 'tool.yaml');
    } catch (error) {
      if (!(error instanceof TilsynError)) throw error;
      expect([error.code, error.exit]).toEqual(['spec.invalid', 'usage']);
      return error.message
        .split('\n')
        .slice(1)
        .map((line) => line.trim());
    }
    return [];
  }

  test('C5 every problem at once, with its line and the nearest known key', () => {
    const text = `format: lines
tol: x
time: {fromat: iso, zone: Mars/Base}
defaults: {direction: in}
lines:
  - mach: 'a'
    what: begun
  - match: '(?P<ip>\\S+'
    what: started
    fields: {peerld: "{ip}", auth: {of: "{ip", words: {a: b}}}
`;
    expect(problems(text)).toEqual([
      'line 1: tool: expected the name of a tool',
      'line 2: unknown key "tol"; did you mean "tool"?',
      'line 3: time.format: expected a preset (iso, syslog, epoch, epoch-ms) or a format such as "%Y-%m-%d %H:%M:%S"',
      'line 3: time.zone: expected machine, utc or a zone such as Europe/Copenhagen',
      'line 3: unknown key "fromat" in time; did you mean "format"?',
      'line 4: defaults.direction: expected one of: incoming, outgoing, unknown',
      'line 6: lines[0].match: expected a pattern',
      'line 6: unknown key "mach" in lines[0]; did you mean "match"?',
      'line 7: lines[0].what: expected one of: attempted, rejected, started, updated, ended, tool-stopped, record, nothing',
      expect.stringMatching(
        /^line 8: lines\[1\]\.match: the pattern is none that RE2 knows .*missing closing \)$/,
      ),
      expect.stringMatching(/^line 10: lines\[1\]\.fields\.auth: expected one of: one-time-password, /),
      'line 10: unknown key "peerld" in lines[1].fields; did you mean "peerId"?',
    ]);
  });

  test('what no schema sees: groups that are not there, reasons, sessions without an end', () => {
    const text = `${BASE}lines:
  - {match: '(?P<a>x)', what: started, key: "{b}", fields: {peerId: "{a|c}", peerName: "{d}"}}
  - {match: 'y', what: rejected, fields: {reason: completed}, end: "{e}"}
`;
    expect(problems(text)).toEqual([
      'line 5: lines[0].key: the pattern has no group of that name; it has: a',
      'line 5: lines[0].fields.peerName: the pattern has no group of that name; it has: a',
      'line 5: lines: sessions start and never end; where the log says no end, use what: record',
      'line 6: lines[1].end: the pattern has no group of that name; it has: none',
      expect.stringMatching(/^line 6: lines\[1\]\.fields\.reason: expected one of: wrong-password/),
      'line 6: lines[1]: end and duration belong to what: record',
    ]);
  });

  test('M2 a pattern that would hang other engines does not, and one that is too large is refused', () => {
    const rule = (pattern: string) =>
      `${BASE}lines:\n  - {match: '${pattern}', what: record}\n  - {match: 'x', what: ended}\n`;
    const reader = makeDeclaredReader(spec(rule('^(a+)+(a|a)*(.*.*)*=$')))(OPTIONS);
    for (let n = 0; n < 200; n++) expect(reader.line('a'.repeat(8_000)).ok).toBe(true);
    expect(problems(rule('\\w{1000}'))[0]).toContain('too large');
    expect(problems(rule('x'.repeat(1_001)))[0]).toContain('longer than 1000');
    expect(problems(rule('(?=a)b'))[0]).toContain('no look-around');
  });

  test('a declaration that is not there says which there are', () => {
    expect(() => loadDeclared('/none/at/all.yaml')).toThrow('there is no such file');
  });
});
