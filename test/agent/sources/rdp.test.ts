/** Windows remote desktop events: R50 to R55, R60. */
import { describe, expect, it } from 'vitest';
import { makeRdpReader } from '../../../agent/sources/rdp.ts';
import { MAX_EVENT_CHARS, readWindowsEvent } from '../../../agent/sources/windows-event.ts';
import { toIso } from '../../../protocol/time.ts';
import {
  ACTIVITY,
  boot,
  disconnectedBy,
  disconnectedFor,
  eventLogStarted,
  failed,
  IP,
  knock,
  logoff,
  logon,
  lsm,
  security,
  USER,
  windowStation,
  wrongPassword,
} from '../../fixtures/rdp.ts';
import { atOf, changesOf, keysOf, made, problemOf, whats } from './reader.ts';

const read = (...lines: string[]) => changesOf(made(makeRdpReader), lines);
const OTHER = '198.51.100.9';

describe('an event', () => {
  it('R60 is read with either quotes, prefixes, newlines, empty elements, entities and numbers', () => {
    const copied = `- <e:Event xmlns:e="x">
- <e:System>
  <e:Provider  Name = "Microsoft-Windows-TerminalServices-LocalSessionManager" />
  <e:EventID Qualifiers="0">21</e:EventID>
  <e:TimeCreated SystemTime="2026-03-12T12:46:43.1684648Z" />
  <e:EventRecordID>1544</e:EventRecordID>
  <!-- <e:EventID>99</e:EventID> -->
  </e:System>
- <UserData>
- <EventXML xmlns="Event_NS">
  <User>PLANT01\\o&apos;neil &#38; &#x42;&bogus;</User>
  <SessionID>4</SessionID>
  <Address><![CDATA[203.0.113.57]]></Address>
  <Empty/></EventXML></UserData></e:Event>`;
    const event = readWindowsEvent(copied);
    if (event === null || typeof event === 'string') throw new Error('not read');
    expect(event).toMatchObject({ id: 21, record: 1544, activity: null });
    expect(toIso(event.at)).toBe('2026-03-12T12:46:43.168Z');
    expect(event.values.get('User')).toBe("PLANT01\\o'neil & B&bogus;");
    expect(event.values.get('Address')).toBe(IP);
    expect(event.values.get('Empty')).toBe('');
  });

  it.each([
    ['2026-03-12T12:46:43Z', '2026-03-12T12:46:43.000Z'],
    ['2026-03-12T12:46:43.915229300Z', '2026-03-12T12:46:43.915Z'],
    ['2026-02-30T12:46:43Z', 'start'],
    ['yesterday', 'start'],
  ])('time %s', (at, read) => {
    const event = readWindowsEvent(lsm(21, { at: at.includes('T') ? at : `T${at}` }));
    expect(typeof event === 'string' || event === null ? event : toIso(event.at)).toBe(read);
  });

  it('R60 R4 damage has a reason; what is no event is nothing', () => {
    const reader = made(makeRdpReader);
    expect(problemOf(reader, lsm(21).replace('<EventID>21</EventID>', ''))).toBe('fields');
    expect(problemOf(reader, lsm(21).replace(/<SessionID>.*<\/SessionID>/, ''))).toBe('fields');
    expect(problemOf(reader, lsm(21).slice(0, 200))).toBe('fields');
    expect(problemOf(reader, `${lsm(21)}${' '.repeat(MAX_EVENT_CHARS)}`)).toBe('too-long');
    expect(problemOf(reader, 'No event, 21')).toBe('0 changes');
    expect(problemOf(reader, '')).toBe('0 changes');
  });

  it('what a program writes into its data is no field of the system', () => {
    const event = lsm(21).replace('<User>', '<EventRecordID>7</EventRecordID><EventID>23</EventID><User>');
    expect(readWindowsEvent(event)).toMatchObject({ id: 21, record: 1 });
  });
});

describe('the session manager', () => {
  it('a logon is a session, its logoff the end', () => {
    const changes = read(
      lsm(21, { at: '12:00:00.5' }),
      lsm(22, { at: '12:00:01' }),
      lsm(23, { at: '12:30:00' }),
    );
    expect(whats(changes)).toEqual(['started', 'ended']);
    expect(changes[0]).toMatchObject({
      direction: 'incoming',
      kind: 'remote-control',
      basis: 'file-utc',
      auth: 'account',
      failedAttempts: null,
      known: {
        localUser: USER,
        technician: USER,
        toolSessionId: ACTIVITY,
        peerIps: [{ ip: IP, basis: 'socket', scope: 'public' }],
      },
    });
    expect(changes.map(atOf)).toEqual(['2026-03-12T12:00:00.500Z', '2026-03-12T12:30:00.000Z']);
    expect(changes[1]).toMatchObject({ reason: 'completed' });
    expect(keysOf(changes).size).toBe(1);
  });

  it('R50 the console is no remote session; a tunnel is one', () => {
    expect(read(lsm(21, { address: 'LOCAL' }), lsm(22, { address: 'LOCAL' }), lsm(23))).toEqual([]);
    const [tunnel] = read(lsm(21, { address: '::1' }));
    expect(tunnel).toMatchObject({
      what: 'started',
      known: { peerIps: [{ ip: '::1', scope: 'own-adapter' }] },
    });
  });

  it('R3 an address that is none is left out', () => {
    const [started] = read(lsm(21, { address: 'Unknown' }));
    expect(started).toMatchObject({ what: 'started' });
    expect(JSON.stringify(started)).not.toContain('peerIps');
  });

  it('one logon with its connection cut and taken up again is one session', () => {
    const changes = read(
      lsm(21, { at: '12:00:00' }),
      lsm(24, { at: '12:10:00' }),
      disconnectedFor({ at: '12:10:00.1' }),
      lsm(25, { at: '15:00:00', address: OTHER, activity: '{aaaaaaaa-0000-0000-0000-000000000000}' }),
      disconnectedBy({ at: '15:30:00' }),
      lsm(24, { at: '15:30:00.1' }),
      lsm(25, { at: '16:00:00', address: OTHER }),
      lsm(23, { at: '17:00:00' }),
    );
    expect(whats(changes)).toEqual(['started', 'updated', 'updated', 'updated', 'updated', 'ended']);
    const states = changes.flatMap((one) => (one.what === 'updated' ? [one.connection?.state] : []));
    expect(states).toEqual(['cut', 'taken-up', 'cut', 'taken-up']);
    expect(changes[2]).toMatchObject({ known: { peerIps: [{ ip: IP }, { ip: OTHER }] } });
    expect(keysOf(changes).size).toBe(1);
  });

  it('R55 a session taken up at the console ends, and one begun there begins when taken up from elsewhere', () => {
    const changes = read(
      lsm(21, { at: '08:00:00', address: 'LOCAL', session: 1 }),
      lsm(25, { at: '20:00:00', session: 1 }),
      lsm(24, { at: '21:00:00', session: 1 }),
      lsm(25, { at: '22:00:00', session: 1, address: 'LOCAL' }),
      lsm(25, { at: '23:00:00', session: 1, address: OTHER }),
    );
    expect(whats(changes)).toEqual(['started', 'updated', 'ended', 'started']);
    expect(changes[2]).toMatchObject({ reason: 'completed' });
    expect(keysOf(changes).size).toBe(2);
  });

  it('R53 a number that is used again ends who was in it as unknown', () => {
    const anna = 'PLANT01\\a.dahl';
    const changes = read(
      lsm(21, { at: '12:00:00' }),
      lsm(21, { at: '18:00:00', user: anna, activity: '{bbbbbbbb-0000-0000-0000-000000000000}' }),
      lsm(24, { at: '18:30:00', user: USER }),
      lsm(23, { at: '19:00:00', user: anna }),
    );
    expect(whats(changes)).toEqual(['started', 'ended', 'started', 'ended']);
    expect(changes[1]).toMatchObject({ reason: 'unknown' });
    expect(atOf(changes[1])).toBe('2026-03-12T18:00:00.000Z');
    const again = read(lsm(21, { at: '12:00:00' }), lsm(21, { at: '18:00:00', activity: null }));
    expect(whats(again)).toEqual(['started', 'ended', 'started']);
    const other = read(lsm(21, { at: '12:00:00' }), lsm(23, { at: '13:00:00', user: anna }));
    expect(other[1]).toMatchObject({ what: 'ended', reason: 'unknown' });
  });

  it('two sessions at once keep apart, and events of nobody are nothing', () => {
    const anna = { user: 'PLANT01\\a.dahl', session: 5, activity: null };
    const changes = read(
      lsm(24, { session: 9 }),
      lsm(23, { session: 9 }),
      lsm(21, { at: '12:00:00' }),
      lsm(21, { at: '12:05:00', ...anna }),
      lsm(23, { at: '12:10:00' }),
      lsm(23, { at: '12:15:00', ...anna }),
    );
    expect(whats(changes)).toEqual(['started', 'started', 'ended', 'ended']);
    const keys = changes.map((one) => ('key' in one ? one.key : ''));
    expect([keys[2], keys[3]]).toEqual([keys[0], keys[1]]);
  });

  it.each([
    ['4608', boot],
    ['6005', eventLogStarted],
  ])('R53 a start of the machine (%s) ends everything', (_name, started) => {
    const changes = read(lsm(21), started({ at: '12:10:00' }), lsm(23, { at: '12:20:00' }));
    expect(whats(changes)).toEqual(['started', 'tool-stopped']);
  });
});

describe('the listener', () => {
  it('R52 authentication alone is an attempt', () => {
    const changes = read(knock());
    expect(changes).toMatchObject([
      { what: 'attempted', known: { localUser: 'm.berg', peerIps: [{ ip: IP }] } },
    ]);
  });

  it('R52 the session that comes of it has its key', () => {
    const changes = read(knock({ at: '12:00:00' }), lsm(21, { at: '12:00:03' }));
    expect(whats(changes)).toEqual(['attempted', 'started']);
    expect(keysOf(changes).size).toBe(1);
    const late = read(knock({ at: '12:00:00' }), lsm(21, { at: '12:10:00' }));
    expect(keysOf(late).size).toBe(2);
    const elsewhere = read(knock({ at: '12:00:00', ip: OTHER }), lsm(21, { at: '12:00:03' }));
    expect(keysOf(elsewhere).size).toBe(2);
  });

  it('R52 of an account with a session it is told when nothing has come of it', () => {
    const taken = read(
      lsm(21, { at: '12:00:00' }),
      lsm(24, { at: '12:10:00' }),
      knock({ at: '13:00:00' }),
      lsm(25, { at: '13:00:04' }),
      lsm(23, { at: '14:00:00' }),
    );
    expect(whats(taken)).toEqual(['started', 'updated', 'updated', 'ended']);
    const nothing = read(
      lsm(21, { at: '12:00:00' }),
      knock({ at: '13:00:00', ip: OTHER }),
      lsm(23, { at: '14:00:00' }),
    );
    expect(whats(nothing)).toEqual(['started', 'attempted', 'ended']);
    expect(atOf(nothing[1])).toBe('2026-03-12T13:00:00.000Z');
  });

  it('R51 a wrong password is a refusal', () => {
    expect(read(wrongPassword())).toMatchObject([
      { what: 'rejected', reason: 'wrong-password', count: 1, known: { peerIps: [{ ip: IP }] } },
    ]);
  });
});

describe('the security log', () => {
  it('alone tells of a session: logon to logoff by its id', () => {
    const changes = read(
      logon({ at: '12:00:00' }),
      windowStation(4779, { at: '12:10:00' }),
      windowStation(4778, { at: '12:20:00', ip: OTHER }),
      logoff(4634, { at: '12:30:00' }),
    );
    expect(whats(changes)).toEqual(['started', 'updated', 'updated', 'ended']);
    expect(changes[0]).toMatchObject({
      auth: 'account',
      known: { localUser: USER, toolSessionId: '0x4367b1' },
    });
    // The workstation of a logon of type 10 is this machine; the client is named when it comes back.
    expect(changes[0]).not.toHaveProperty('known.peerNames');
    expect(changes[2]).toMatchObject({
      known: { peerNames: ['LAPTOP-7'], peerIps: [{ ip: IP }, { ip: OTHER }] },
    });
    expect(whats(read(logon(), logoff(4647, { at: '13:00:00' })))).toEqual(['started', 'ended']);
    expect(read(logoff(4634), logoff(4647), windowStation(4779))).toEqual([]);
  });

  it.each([
    [3, 0],
    [2, 0],
    [5, 0],
    [7, 0],
    [10, 1],
  ])('R51 logon type %i begins %i sessions', (type, sessions) => {
    expect(read(logon({ type }))).toHaveLength(sessions);
  });

  it('joins what the session manager says of the same logon, whichever comes first', () => {
    for (const both of [
      [logon({ at: '12:00:00' }), lsm(21, { at: '12:00:02' })],
      [lsm(21, { at: '12:00:00' }), logon({ at: '12:00:00.3' })],
    ]) {
      const changes = read(
        knock({ at: '11:59:59' }),
        ...both,
        lsm(23, { at: '13:00:00' }),
        logoff(4634, { at: '13:00:01' }),
      );
      expect(whats(changes).filter((what) => what !== 'updated')).toEqual(['attempted', 'started', 'ended']);
      expect(keysOf(changes).size).toBe(1);
    }
    const known = read(logon({ at: '12:00:00' }), lsm(21, { at: '12:00:02' }));
    expect(known[1]).toMatchObject({ what: 'updated', known: { toolSessionId: ACTIVITY } });
  });

  it("an administrator's two logons are one session", () => {
    const linked = read(
      logon({ at: '12:00:00', logon: '0xa1', linked: '0xa2' }),
      logon({ at: '12:00:00', logon: '0xa2', linked: '0xa1' }),
      logoff(4634, { at: '12:00:01', logon: '0xa1' }),
      logoff(4634, { at: '13:00:00', logon: '0xa2' }),
    );
    expect(whats(linked)).toEqual(['started', 'ended']);
    expect(atOf(linked[1])).toBe('2026-03-12T13:00:00.000Z');
    const older = read(logon({ logon: '0xa1' }), logon({ at: '12:00:01', logon: '0xa2' }));
    expect(whats(older)).toEqual(['started']);
  });

  it('R54 the logon that takes a session up again lives a second and is no session', () => {
    const changes = read(
      logon({ at: '12:00:00', logon: '0xa1' }),
      lsm(21, { at: '12:00:02' }),
      lsm(24, { at: '12:30:00' }),
      logon({ at: '14:00:00', logon: '0xb1', ip: OTHER }),
      lsm(25, { at: '14:00:01', address: OTHER }),
      logoff(4634, { at: '14:00:01.5', logon: '0xb1' }),
      windowStation(4778, { at: '14:00:02', logon: '0xa1', ip: OTHER }),
      lsm(23, { at: '15:00:00' }),
    );
    expect(whats(changes).filter((what) => what !== 'updated')).toEqual(['started', 'ended']);
    expect(keysOf(changes).size).toBe(1);
    const refused = read(
      logon({ at: '12:00:00', logon: '0xa1' }),
      logon({ at: '14:00:00', logon: '0xb1' }),
      logoff(4634, { at: '14:00:05', logon: '0xb1' }),
      logoff(4634, { at: '15:00:00', logon: '0xa1' }),
    );
    expect(whats(refused)).toEqual(['started', 'ended']);
  });

  it('R54 a second one that lives on is a session of its own, also beside the first', () => {
    const alone = read(
      logon({ at: '12:00:00', logon: '0xa1' }),
      logon({ at: '14:00:00', logon: '0xb1', ip: OTHER }),
      logoff(4634, { at: '15:00:00', logon: '0xb1' }),
    );
    expect(whats(alone)).toEqual(['started', 'started', 'ended']);
    expect(atOf(alone[1])).toBe('2026-03-12T14:00:00.000Z');
    const managed = read(
      lsm(21, { at: '12:00:00' }),
      logon({ at: '14:00:00', logon: '0xb1', ip: OTHER }),
      lsm(21, { at: '14:00:02', session: 6, activity: null, address: OTHER }),
      logoff(4647, { at: '15:00:00', logon: '0xb1' }),
    );
    expect(whats(managed)).toEqual(['started', 'started', 'ended']);
    expect(atOf(managed[1])).toBe('2026-03-12T14:00:02.000Z');
  });

  it('a session taken up at the console, or first seen when taken up', () => {
    const console = read(logon(), windowStation(4778, { at: '12:30:00', name: 'Console', ip: 'LOCAL' }));
    expect(whats(console)).toEqual(['started', 'ended']);
    const late = read(windowStation(4778, { at: '12:30:00' }), lsm(25, { at: '12:30:01' }));
    expect(whats(late)).toEqual(['started', 'updated']);
    expect(whats(read(lsm(25), windowStation(4778, { at: '12:00:01' })))).toEqual(['started', 'updated']);
  });

  it('an unlock from elsewhere adds its address', () => {
    const changes = read(lsm(21), logon({ type: 7, ip: OTHER }), logon({ type: 7, ip: '127.0.0.1' }));
    expect(changes[1]).toMatchObject({ what: 'updated', known: { peerIps: [{ ip: IP }, { ip: OTHER }] } });
    expect(changes).toHaveLength(2);
  });

  it.each([
    ['0xc000006d', '0xc000006a', 'wrong-password'],
    ['0xC000006D', '0xC0000064', 'unknown-account'],
    ['0xc0000234', '0x0', 'not-allowed'],
    ['0xc000015b', '0x0', 'not-allowed'],
    ['0xc000006d', '0x0', 'unknown'],
  ])('a refusal %s %s is %s', (status, sub, reason) => {
    const [refused] = read(failed({ status, sub }));
    expect(refused).toMatchObject({ what: 'rejected', reason, count: 1, known: { localUser: USER } });
  });

  it('R51 a refused network logon is nobody knows what', () => {
    expect(read(failed({ type: 3 }), failed({ type: 7, ip: '-' }))).toEqual([]);
    expect(whats(read(failed({ type: 7 })))).toEqual(['rejected']);
  });

  it('damage of one of ours is said', () => {
    const reader = made(makeRdpReader);
    expect(problemOf(reader, security(4624, {}, { LogonType: '10', TargetUserName: 'x' }))).toBe('fields');
    expect(problemOf(reader, security(4634, {}, {}))).toBe('fields');
    expect(problemOf(reader, security(4663, {}, {}))).toBe('0 changes');
  });
});

describe('what is remembered', () => {
  it('R1 is bounded: the oldest of very many sessions ends as unknown', () => {
    const reader = made(makeRdpReader);
    const many = Array.from({ length: 1_030 }, (_, n) =>
      lsm(21, { session: n, user: `P\\u${n}`, activity: null }),
    );
    const changes = changesOf(reader, many);
    const gone = changes.filter((one) => one.what === 'ended');
    expect(gone).toHaveLength(6);
    expect(gone[0]).toMatchObject({ reason: 'unknown' });
  });

  it('R1 attempts that wait are told when there are too many', () => {
    const knocks = Array.from({ length: 300 }, (_, n) =>
      knock({ at: `12:00:00.${String(n).padStart(3, '0')}` }),
    );
    const changes = read(lsm(21, { at: '11:00:00' }), ...knocks);
    expect(changes.filter((one) => one.what === 'attempted')).toHaveLength(300 - 256);
  });
});
