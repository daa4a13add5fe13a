import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SessionChange } from '../../agent/sources/change.ts';
import { joinRow } from '../../agent/sources/teamviewer-join.ts';
import { makeTeamviewerLogReader } from '../../agent/sources/teamviewer-log.ts';
import { LogClock } from '../../agent/sources/teamviewer-log-clock.ts';
import { TeamviewerSessions } from '../../agent/sources/teamviewer-log-sessions.ts';
import { MAX_OPEN } from '../../agent/sources/teamviewer-log-table.ts';
import {
  isCompleteOutgoingRow,
  isTornOutgoingRow,
  parseOutgoingRow,
} from '../../agent/sources/teamviewer-outgoing.ts';
import { isIso, toIso, utcMs } from '../../protocol/time.ts';
import { fromWall } from '../../protocol/zone.ts';
import { PLAIN, tvTime } from '../fixtures/teamviewer.ts';
import {
  AUTH,
  entry,
  header,
  incoming,
  interleaved,
  outgoing,
  type Version,
} from '../fixtures/teamviewer-log.ts';
import { outgoingRow } from '../fixtures/teamviewer-outgoing.ts';

const REASONS = ['fields', 'peer-id', 'start', 'end', 'encoding', 'too-long'];
const OPTIONS = { zone: 'Europe/Berlin', near: () => utcMs(Date.UTC(2024, 2, 6)), ownIps: [] };

const auth = fc.array(fc.constantFrom(...Object.values(AUTH)), { maxLength: 5 });
const minute = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 58 }));
const call = fc.record({
  version: fc.constantFrom<Version>(11, 12, 13, 15),
  minute: minute.map(([h, m]) => `${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`),
  shift: fc.integer({ min: 0, max: 30 }),
  gate: fc.integer({ min: 1, max: 5 }),
  peer: fc.constantFrom('1555000222', '1555000333', '155500044'),
  session: fc.integer({ min: -9, max: 9 }).map(String),
  number: fc.integer({ min: 2, max: 4 }).map(String),
  desktop: fc.integer({ min: 1, max: 3 }),
  pid: fc.constantFrom(2216, 2216, 2216, 777),
  auth,
  granted: fc.boolean(),
  ends: fc.boolean(),
});
const noise = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc.string({ maxLength: 60 }).map((text) => entry(text, { time: '06:00:00.000' })),
  fc
    .constantFrom(
      'TeamViewer is going offline!',
      'UDP: punch received a=203.0.113.7:1: (*)',
      'Write file C:\\a',
      'Trying connection to 1555000333, mode = 1',
      'CommandHandlerRouting[3]::CreatePassiveSession(): incoming session via r',
      `Write file ${' '.repeat(5000)}x`,
    )
    .map((text) => entry(text, { time: '06:00:00.000' })),
);
/** Whole calls, cut and shuffled with whatever else may stand in such a file. */
const file = fc
  .array(
    fc.oneof(
      call.map(incoming),
      fc.constant(header()),
      fc.constant(outgoing()),
      noise.map((line) => [line]),
    ),
    {
      maxLength: 12,
    },
  )
  .chain((parts) => fc.constantFrom(parts.flat(), interleaved(...parts)))
  .chain((lines) =>
    fc.shuffledSubarray(lines, { minLength: Math.floor(lines.length * 0.8) }).map((some) => [lines, some]),
  )
  .chain(([whole = [], some = []]) => fc.constantFrom(whole, some));

function read(lines: readonly string[]): SessionChange[] {
  const reader = makeTeamviewerLogReader(OPTIONS);
  const changes: SessionChange[] = [];
  for (const text of lines) {
    const result = reader.line(text);
    if (result.ok) changes.push(...result.changes);
    else expect(REASONS).toContain(result.reason);
  }
  return changes;
}

test('R1: any lines are changes or one of the known reasons, and never an error', () => {
  fc.assert(
    fc.property(file, (lines) => {
      for (const change of read(lines)) if ('at' in change) expect(isIso(toIso(change.at))).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('R2: read twice, the same is said', () => {
  fc.assert(
    fc.property(file, (lines) => {
      expect(read(lines)).toEqual(read(lines));
    }),
    { numRuns: 100 },
  );
});

test('a session starts once, of an attempt; it ends once, and nothing is said of it but of an open one', () => {
  fc.assert(
    fc.property(file, (lines) => {
      const open = new Map<string, 'attempted' | 'started'>();
      for (const change of read(lines)) {
        if (change.what === 'tool-stopped') open.clear();
        if (!('key' in change)) continue;
        const state = open.get(change.key);
        if (change.what === 'attempted') open.set(change.key, 'attempted');
        if (change.what === 'started') {
          expect(state).toBe('attempted');
          open.set(change.key, 'started');
        }
        if (change.what === 'updated' || change.what === 'ended') expect(state).toBe('started');
        if (change.what === 'rejected') expect(state).toBe('attempted');
        if (change.what === 'ended' || change.what === 'rejected') open.delete(change.key);
      }
    }),
    { numRuns: 300 },
  );
});

test('R1: what is remembered is bounded, however many come and never end', () => {
  const sessions = new TeamviewerSessions();
  const where = { pid: 1, tid: 1 };
  for (let n = 0; n < 5 * MAX_OPEN; n++) {
    const now = { at: utcMs(Date.UTC(2024, 0, 1) + n * 1500), basis: 'file-utc' as const };
    const peer = String(100_000_000 + n);
    sessions.take({ fact: 'called', gate: String(n) }, now, where);
    sessions.take({ fact: 'hello', peer }, now, where);
    sessions.take({ fact: 'incoming', session: String(n) }, now, where);
    sessions.take({ fact: 'login', session: String(n) }, now, { pid: 1, tid: n });
    if (n % 2 === 0) sessions.take({ fact: 'granted', kind: 'unknown' }, now, { pid: 1, tid: n });
    sessions.take({ fact: 'trying', peer: String(900_000_000 + n), kind: 'unknown' }, now, where);
    sessions.take({ fact: 'incoming', session: `-${n}` }, now, where);
    expect(sessions.size).toBeLessThanOrEqual(3 * MAX_OPEN);
  }
});

const instant = fc.integer({ min: Date.UTC(2005, 0, 1), max: Date.UTC(2040, 0, 1) });
const logTime = (wall: number) =>
  new Date(wall).toISOString().replaceAll('-', '/').replace('T', ' ').slice(0, 23);

test('R20: what the zone’s clocks showed is read back, whether a header says the offset or not', () => {
  fc.assert(
    fc.property(
      instant,
      fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/St_Johns'),
      (wall, zone) => {
        const clock = new LogClock(zone, () => utcMs(wall));
        expect(clock.read(`${logTime(wall)}  1  2 S0   x`)).toBe(23);
        expect(clock.wall).toBe(wall);
        expect(clock.momentOf(wall).at).toBe(fromWall(wall, zone));
        clock.start(`Start:   ${logTime(wall)} (UTC+9:45)`);
        expect(clock.momentOf(wall)).toEqual({ at: wall - 585 * 60_000, basis: 'file-offset' });
      },
    ),
    { numRuns: 500 },
  );
});

const rowText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc
    .array(
      fc.constantFrom('  ', '\t', ' ', '16-02-2024 14:16:32', '123456789', '{ab-12}', 'VPN', 'x', '\0'),
      { maxLength: 20 },
    )
    .map((parts) => parts.join('')),
);

test('any text is a row that goes out or one of the known reasons; what is complete is a row', () => {
  fc.assert(
    fc.property(rowText, (text) => {
      for (const some of [text, `123456789  16-02-2024 14:16:32  ${text}`]) {
        const result = parseOutgoingRow(some);
        if (!result.ok) expect(REASONS).toContain(result.reason);
        if (isCompleteOutgoingRow(some)) expect([result.ok, isTornOutgoingRow(some)]).toEqual([true, false]);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a row that goes out is read back as it was written', () => {
  const user = fc.string({ unit: 'grapheme-ascii', maxLength: 32 }).filter((text) => text === text.trim());
  const second = fc.integer({ min: 0, max: 253402300799 }).map((at) => at * 1000);
  fc.assert(
    fc.property(user, second, second, fc.boolean(), (name, start, end, withGuid) => {
      const guid = withGuid ? PLAIN.guid : '';
      const result = parseOutgoingRow(
        outgoingRow({ user: name, start: tvTime(start), end: tvTime(end), guid }),
      );
      const localUser = name === '' ? null : name;
      expect(result).toMatchObject({ ok: true, row: { startedAt: start, endedAt: end, localUser } });
    }),
    { numRuns: 1000 },
  );
});

test('R19: no row is given to two sessions, and none to another peer’s', () => {
  const peer = fc.constantFrom('155500011', '155500022');
  const at = fc.integer({ min: 0, max: 30_000 }).map(utcMs);
  const direction = fc.constantFrom('incoming' as const, 'outgoing' as const);
  const session = fc.record({
    ...{ peerId: peer, startedAt: at, endedAt: fc.option(at), direction, joined: fc.boolean() },
  });
  const rows = fc.array(fc.record({ peerId: peer, startedAt: at, endedAt: at, direction }), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(fc.array(session, { maxLength: 12 }), rows, (log, all) => {
      for (const row of all) {
        const index = joinRow(log, row);
        const found = index === null ? undefined : log[index];
        if (found === undefined) continue;
        expect([found.joined, found.peerId, found.direction]).toEqual([false, row.peerId, row.direction]);
        found.joined = true;
      }
    }),
    { numRuns: 500 },
  );
});
