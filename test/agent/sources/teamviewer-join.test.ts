import { describe, expect, test } from 'vitest';
import { joinRow, type LogSession, type RowSession } from '../../../agent/sources/teamviewer-join.ts';
import { utcMs } from '../../../protocol/time.ts';

const T = Date.UTC(2024, 1, 16, 14, 16, 32);

function session(startMs: number, of: Partial<LogSession> = {}): LogSession {
  const base = { peerId: '1555000222', endedAt: null, direction: 'incoming' as const, joined: false };
  return { ...base, startedAt: utcMs(T + startMs), ...of };
}

function row(startMs: number, of: Partial<RowSession> = {}): RowSession {
  const endedAt = utcMs(T + 124_000);
  return { peerId: '1555000222', startedAt: utcMs(T + startMs), endedAt, direction: 'incoming', ...of };
}

describe('R19: a row and a session are one by peer and time', () => {
  test.each([
    [0, 0],
    [5000, 0],
    [5001, null],
    [-3000, 0],
    [-3001, null],
  ])('the log’s hello %d ms behind the row', (behind, expected) => {
    expect(joinRow([session(behind)], row(0))).toBe(expected);
  });

  test('another peer, another direction, and one that has its row are not it', () => {
    const others = [session(500, { peerId: '1555000444' }), session(500, { direction: 'outgoing' })];
    expect(joinRow([...others, session(500, { joined: true })], row(0))).toBeNull();
    expect(joinRow([], row(0))).toBeNull();
    expect(joinRow([session(500, { direction: 'unknown' })], row(0))).toBe(0);
  });

  test('a call from here may stand in its row later', () => {
    const out = [session(0, { direction: 'outgoing' })];
    expect(joinRow(out, row(14_000, { direction: 'outgoing' }))).toBe(0);
    expect(joinRow(out, row(16_000, { direction: 'outgoing' }))).toBeNull();
  });

  test('of several, the one that ended when the row did', () => {
    const running = session(1600);
    const other = session(1000, { endedAt: utcMs(T + 60_000) });
    const ended = session(4000, { endedAt: utcMs(T + 124_600) });
    expect(joinRow([running, other, ended], row(0))).toBe(2);
    expect(joinRow([ended, running, other], row(0))).toBe(0);
  });

  test('of several that run, the one that began the usual moment after the row, the first of equals', () => {
    expect(joinRow([session(-1200), session(1800)], row(0))).toBe(1);
    expect(joinRow([session(1800), session(-1200)], row(0))).toBe(0);
    expect(joinRow([session(1600), session(1600)], row(0))).toBe(0);
  });

  test('rows in the order of their ends find each their own', () => {
    const log = [
      session(1200, { endedAt: utcMs(T + 900_000) }),
      session(4300, { endedAt: utcMs(T + 30_000) }),
      session(8000, { endedAt: utcMs(T + 40_000) }),
    ];
    const rows = [
      row(3000, { endedAt: utcMs(T + 29_000) }),
      row(7000, { endedAt: utcMs(T + 39_000) }),
      row(0, { endedAt: utcMs(T + 899_000) }),
    ];
    const found = rows.map((one) => {
      const index = joinRow(log, one);
      const hit = index === null ? undefined : log[index];
      if (hit !== undefined) hit.joined = true;
      return index;
    });
    expect(found).toEqual([1, 2, 0]);
  });
});
