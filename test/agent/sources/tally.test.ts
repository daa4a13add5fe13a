import { describe, expect, test } from 'vitest';
import type { SessionChange } from '../../../agent/sources/change.ts';
import { Tally } from '../../../agent/sources/tally.ts';
import { utcMs } from '../../../protocol/time.ts';

const begin = (key: string, at: number) => ({
  key,
  at: utcMs(at),
  basis: 'file-utc' as const,
  direction: 'incoming' as const,
  kind: 'shell' as const,
  known: { peerIps: [{ ip: '203.0.113.7', basis: 'socket' as const, scope: 'public' as const }] },
});
const attempted = (key: string, at: number): SessionChange => ({ what: 'attempted', ...begin(key, at) });
const started = (key: string, at: number): SessionChange => ({
  what: 'started',
  auth: null,
  failedAttempts: null,
  ...begin(key, at),
});
const rejected = (key: string, at: number, count = 1): SessionChange => ({
  what: 'rejected',
  reason: 'wrong-password',
  count,
  ...begin(key, at),
});
const ended = (key: string, at: number, reason: 'completed' | 'unknown' = 'completed'): SessionChange => ({
  what: 'ended',
  key,
  at: utcMs(at),
  basis: 'file-utc',
  reason,
});

function tally(changes: readonly SessionChange[], wanted = 10) {
  const one = new Tally(wanted);
  for (const change of changes) one.take(change);
  return one.result();
}

describe('sessions from changes', () => {
  test('attempt, access, news, end: one session, and the attempt is no row of its own', () => {
    const result = tally([
      attempted('a', 1_000),
      started('a', 2_000),
      {
        what: 'updated',
        key: 'a',
        auth: 'key',
        files: 2,
        failedAttempts: 1,
        known: { technician: 'SHA256:x' },
      },
      ended('a', 5_000),
      { what: 'updated', key: 'a', known: { peerNames: ['late'] } },
    ]);
    expect(result).toMatchObject({
      sessions: 1,
      ended: 1,
      active: 0,
      unanswered: 0,
      rejected: 0,
      firstStart: 2_000,
      lastEnd: 5_000,
      attempts: [],
    });
    expect(result.rows).toEqual([
      expect.objectContaining({
        state: 'ended',
        startedAt: 2_000,
        endedAt: 5_000,
        auth: 'key',
        files: 2,
        failedAttempts: 1,
      }),
    ]);
    expect(result.rows[0]?.known).toMatchObject({ technician: 'SHA256:x', peerNames: ['late'] });
  });

  test('refusals are counted as often as they were, attempts without an outcome stay attempts', () => {
    const result = tally([
      attempted('a', 1),
      rejected('a', 2, 5),
      rejected('b', 3),
      attempted('c', 4),
      attempted('c', 5),
    ]);
    expect(result).toMatchObject({ sessions: 0, rejected: 6, unanswered: 1, rows: [] });
    expect(result.attempts.map(({ reason, count }) => [reason, count])).toEqual([
      ['wrong-password', 5],
      ['wrong-password', 1],
      [null, 1],
    ]);
  });

  test('the tool stopped: what was open ended then; ends of strangers are nothing', () => {
    const result = tally([
      started('a', 1),
      started('b', 2),
      ended('b', 3, 'unknown'),
      attempted('c', 3),
      { what: 'tool-stopped', at: utcMs(9), basis: 'file-utc' },
      ended('x', 10),
      ended('a', 11),
    ]);
    expect(result).toMatchObject({
      sessions: 2,
      ended: 1,
      unknownEnd: 1,
      active: 0,
      unanswered: 1,
      lastEnd: 9,
    });
    expect(result.rows.map(({ state, endReason }) => [state, endReason])).toEqual([
      ['ended', 'tool-stopped'],
      ['unknown-end', 'unknown'],
    ]);
  });

  test('findings are counted by name', () => {
    const finding: SessionChange = { what: 'finding', finding: 'logging-off', at: utcMs(1) };
    expect(tally([finding, finding]).findings).toEqual([{ finding: 'logging-off', count: 2 }]);
  });

  test('M5 everything is counted where only some rows are kept and sessions are never closed', () => {
    const many = Array.from({ length: 25_000 }, (_, n) => [
      attempted(`k${n}`, n),
      started(`k${n}`, n + 1),
    ]).flat();
    const result = tally(many, 3);
    expect(result).toMatchObject({ sessions: 25_000, active: 25_000, unanswered: 0 });
    expect(result.rows).toHaveLength(3);
    const knocks = tally(
      Array.from({ length: 25_000 }, (_, n) => attempted(`k${n}`, n)),
      2,
    );
    expect([knocks.unanswered, knocks.attempts.length]).toEqual([25_000, 2]);
  });
});
