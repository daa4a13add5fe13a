import { describe, expect, test } from 'vitest';
import { makeTeamviewerLogReader } from '../../../agent/sources/teamviewer-log.ts';
import {
  AUTH,
  entry,
  header,
  incoming,
  interleaved,
  outgoing,
  PEER,
  SERVICE,
} from '../../fixtures/teamviewer-log.ts';
import { all, first, iso, known, OPTIONS, read, readMore, words } from './teamviewer-log-read.ts';

const OTHER = '1555000444';
const A = { version: 13 as const, session: '-418464655', desktop: 4016, thread: 11588, auth: [AUTH.key] };
const B = {
  ...{ version: 13 as const, peer: OTHER, gate: 3, session: '696283519', number: '2', name: 'Robin Vale' },
  ...{ desktop: 4016, thread: 12660, auth: [AUTH.dynamicDenied, AUTH.fixed] },
};

describe('R24: two at once', () => {
  // The second call comes while the first session runs; so does everything at once.
  test.each([3, 0.35, 0.05, 0])('%d s apart, interleaved: each has its own', (shift) => {
    const both = interleaved(incoming(A), incoming({ ...B, shift }));
    const { changes } = read([...header(), ...both]);
    const started = new Map(all(changes, 'started').map((change) => [change.known.peerId, change]));
    expect(started.get(PEER)).toMatchObject({
      auth: 'key',
      failedAttempts: 0,
      known: { toolSessionId: A.session },
    });
    expect(started.get(OTHER)).toMatchObject({
      ...{ auth: 'fixed-password', failedAttempts: 0, known: { toolSessionId: B.session } },
    });
    const keys = [...started.values()].map(({ key }) => key);
    expect(
      all(changes, 'ended')
        .map(({ key }) => key)
        .sort(),
    ).toEqual(keys.sort());
    expect(known(changes, started.get(PEER)?.key ?? '').names).toEqual(['Morgan Hale']);
    expect(known(changes, started.get(OTHER)?.key ?? '').names).toEqual(['Robin Vale']);
  });

  test('hellos in the other order than the calls: nobody gets the other’s log-in', () => {
    const lines = interleaved(incoming(A), incoming({ ...B, shift: 0.3 }));
    const hellos = lines.filter((line) => line.includes('client hello')).reverse();
    const swapped = lines.map((line) => (line.includes('client hello') ? (hellos.shift() ?? '') : line));
    const started = all(read([...header(), ...swapped]).changes, 'started');
    for (const change of started) {
      const right = change.known.peerId === PEER ? 'key' : 'fixed-password';
      expect([right, null]).toContain(change.auth);
    }
    expect(started.map(({ known }) => known.peerId).sort()).toEqual([PEER, OTHER]);
  });

  test('a denied call beside an accepted one: the right one is rejected', () => {
    const refused = incoming({ ...B, auth: [AUTH.dynamicDenied], granted: false, shift: 1 });
    const { changes } = read([...header(), ...interleaved(incoming(A), refused)]);
    expect(first(changes, 'started').known.peerId).toBe(PEER);
    expect(first(changes, 'rejected')).toMatchObject({ known: { peerId: OTHER }, reason: 'wrong-password' });
  });

  test('R28: a punch and a file between two sessions are given to none', () => {
    const open = interleaved(incoming({ ...A, ends: false }), incoming({ ...B, shift: 1, ends: false }));
    const at = { time: '06:16:50.000' };
    const loose = [
      entry('UDP: punch received a=203.0.113.7:1: (*)', at),
      entry('Write file C:\\Temp\\a.txt', { ...at, level: 'G1', pid: 5276 }),
    ];
    const { changes, reader } = read([...header(), ...open, ...loose]);
    expect(changes.some((c) => c.what === 'updated' && (c.files !== undefined || c.known?.peerIps))).toBe(
      false,
    );
    // A line that names the session is not in doubt, and neither is a punch once one of them is over.
    const named = `CUdpConnection[23]::HandleReadError(): Error occured.  RemoteSession 3 (ClientID: ${OTHER}) IP: 198.51.100.7, Error: x`;
    const later = readMore(reader, [
      entry(named, at),
      entry(`CGatewaySession[2]::EndSession(): Session to ${PEER} ended. Estimated`, at),
      ...loose,
    ]);
    const key = all(changes, 'started').find((c) => c.known.peerId === OTHER)?.key ?? '';
    expect(known(later.changes, key).ips).toEqual([
      '198.51.100.7 socket public',
      ...['198.51.100.7 socket public', '203.0.113.7 punch public'],
    ]);
    expect(known(later.changes, key).files).toEqual([1]);
  });

  test('one peer twice: two sessions, each with its end', () => {
    const twice = interleaved(incoming(A), incoming({ ...B, peer: PEER, shift: 5 }));
    const { changes } = read([...header(), ...twice]);
    const keys = all(changes, 'started').map(({ key }) => key);
    expect(new Set(keys).size).toBe(2);
    expect(
      all(changes, 'ended')
        .map(({ key }) => key)
        .sort(),
    ).toEqual(keys.sort());
  });

  test('one peer twice: the last line of the first session does not end the second', () => {
    const one = incoming(A);
    // Of the second, the log does not say the gate.
    const two = incoming({ ...B, peer: PEER, shift: 5, ends: false }).slice(1);
    const { changes } = read([...header(), ...interleaved(one, two)]);
    expect(all(changes, 'ended').map(({ key }) => key)).toEqual([all(changes, 'started')[0]?.key]);
  });

  test('one comes in while one goes out', () => {
    const out = outgoing({ minute: '06:16', gate: 9 });
    const { changes } = read([...header(), ...interleaved(incoming(), out)]);
    expect(
      all(changes, 'started')
        .map(({ direction }) => direction)
        .sort(),
    ).toEqual(['incoming', 'outgoing']);
    expect(all(changes, 'ended')).toHaveLength(2);
  });
});

describe('lines in another order than usual', () => {
  const lines = incoming({ version: 13, auth: [AUTH.fixed] });
  const without = (words: string) => lines.filter((line) => !line.includes(words));

  test('who takes part was let in, also where the line that says so comes later or is missing', () => {
    const missing = read([...header(), ...without('ConnectionMode')]).changes;
    expect(words(missing)).toEqual(['attempted', 'started', 'updated', 'ended']);
    expect(first(missing, 'started').auth).toBe('fixed-password');
    const grant = lines.find((line) => line.includes('ConnectionMode')) ?? '';
    const late = without('ConnectionMode').flatMap((line) =>
      line.includes('was added') ? [grant, line] : [line],
    );
    expect(all(read([...header(), ...late]).changes, 'started')).toHaveLength(1);
  });

  test('who takes part is in, whatever is said of a log-in afterwards', () => {
    const at = lines.findIndex((line) => line.includes('run() leave'));
    const refused = (lines[at] ?? '').replace('CLogin::run() leave', AUTH.notAllowed);
    const odd = lines.toSpliced(at, 0, refused).filter((line) => !line.includes('ConnectionMode'));
    expect(words(read([...header(), ...odd]).changes)).toEqual(['attempted', 'started', 'updated', 'ended']);
  });

  test('a hello that is missing: the call is its instant, the end or a participant names the peer', () => {
    const { changes } = read([...header(), ...without('client hello')]);
    expect(words(changes)).toEqual(['attempted', 'started', 'updated', 'ended']);
    expect(iso(first(changes, 'started'))).toBe('2024-03-05T14:16:00.100Z');
    const nobody = without('client hello').filter((line) => !line.includes('articipant'));
    expect(words(read([...header(), ...nobody]).changes)).toEqual(['attempted', 'started', 'ended']);
  });

  test('a participant of a session that runs lets nobody else in', () => {
    const first = incoming({ ...A, ends: false });
    const knock = incoming({ ...B, peer: PEER, shift: 20, auth: [], ends: false, granted: false });
    const repeated = first.filter((line) => line.includes('was added') || line.includes('AddParticipant'));
    expect(words(read([...header(), ...first, ...knock, ...repeated]).changes).slice(-1)).toEqual([
      'attempted',
    ]);
  });

  test('a log that begins inside a session says nothing that it does not know', () => {
    const from = lines.findIndex((line) => line.includes('AddParticipant'));
    expect(read(lines.slice(from)).changes).toEqual([]);
  });

  test('a gate whose number is given anew: its session is over, nothing says when', () => {
    const { reader } = read([...header(), ...incoming({ ends: false })]);
    const { changes } = readMore(reader, incoming({ minute: '06:40', ends: false }));
    expect(words(changes)).toEqual(['ended', 'attempted', 'started', 'updated']);
    expect(first(changes, 'ended')).toMatchObject({ reason: 'unknown' });
  });

  test('the end of another session of the same peer is not this one’s', () => {
    const { changes, reader } = read([...header(), ...incoming({ ...A, ends: false })]);
    expect(words(changes)).toContain('started');
    const other = entry(`CGatewaySession[99]::EndSession(): Session to ${PEER} ended. Estimated`, {
      time: '06:17:00.000',
    });
    expect(readMore(reader, [other]).changes).toEqual([]);
  });
});

describe('R29: the service stops', () => {
  const open = incoming({ ends: false });
  const last = open.filter((line) => line.includes(' S0 ')).at(-1) ?? '';

  test('a new process: what was open ended with the last line of the old one', () => {
    const started = entry('DesiredServices: waiting', { time: '08:00:00.000', pid: 777 });
    const { changes } = read([
      ...header(),
      ...open,
      started,
      ...header({ start: '2024/03/05 08:00:01.000' }),
    ]);
    expect(words(changes)).toEqual(['attempted', 'started', 'updated', 'tool-stopped']);
    expect(first(changes, 'tool-stopped')).toMatchObject({ basis: 'file-offset' });
    expect(iso(first(changes, 'tool-stopped')).slice(14, 23)).toBe(last.slice(14, 23));
  });

  test('what the new header says of the zone does not move the end', () => {
    const restart = [
      ...header({ start: '2024/03/05 08:00:01.000', zone: '(UTC+2:00)' }),
      entry('DesiredServices: waiting', { time: '08:00:00.000', pid: 777 }),
    ];
    const { changes } = read([...header(), ...open, ...restart]);
    expect(iso(first(changes, 'tool-stopped')).slice(11, 23)).toBe(`14:${last.slice(14, 23)}`);
  });

  test('going offline, once; the new process afterwards is no second stop', () => {
    const offline = entry('TeamViewer is going offline!', { time: '06:20:00.000' });
    const { changes } = read([...header(), ...open, offline, entry('x', { time: '08:00:00.000', pid: 777 })]);
    expect(all(changes, 'tool-stopped').map(iso)).toEqual(['2024-03-05T14:20:00.000Z']);
  });

  test('what is said of the old session afterwards is nothing', () => {
    const lines = [...header(), ...open, entry('x', { time: '08:00:00.000', pid: 777 })];
    const ended = entry(`SessionStatistics[2] Session to ${PEER} ended. Estimated`, {
      time: '08:00:02.000',
      pid: 777,
    });
    expect(words(read([...lines, ended]).changes).at(-1)).toBe('tool-stopped');
  });

  test('a first line that is damaged does not hide it', () => {
    const damaged = entry('Trying connection to x', { time: '08:00:00.000', pid: 777 });
    expect(words(read([...header(), ...open, damaged]).changes).at(-1)).toBe('tool-stopped');
  });

  test('rotation: a new file with its header, of the same process, goes on', () => {
    const whole = incoming();
    for (let cut = 3; cut < whole.length; cut += 5) {
      const first = read([...header(), ...whole.slice(0, cut)]);
      first.reader.newFile?.();
      // Some files begin with a line before their header, some with blank ones.
      const front =
        cut % 2 === 0 ? ['', '', ''] : [entry('Connect to Master', { time: '06:16:03.000', level: 'S0!!!' })];
      const second = readMore(first.reader, [
        ...front,
        ...header({ start: '2024/03/05 06:16:04.000' }),
        ...whole.slice(cut),
      ]);
      expect(words([...first.changes, ...second.changes])).toEqual([
        'attempted',
        'started',
        'updated',
        'ended',
      ]);
    }
  });

  test('rotation while the service is started anew', () => {
    const { reader } = read([...header(), ...open]);
    reader.newFile?.();
    const { changes } = readMore(reader, [...header(), entry('x', { time: '08:00:00.000', pid: 777 })]);
    expect(words(changes)).toEqual(['tool-stopped']);
  });

  test('a log without a service: the first line below a header decides', () => {
    const portable = open.map((line) => line.replace(' S0   ', ' G1   '));
    const next = (pid: number) => entry('x', { time: '08:00:00.000', level: 'G1', pid });
    const { reader, changes } = read([...header(), ...portable]);
    expect(words(changes)).toEqual(['attempted', 'started', 'updated']);
    expect(readMore(reader, [next(888)]).changes).toEqual([]);
    expect(readMore(reader, [...header(), next(SERVICE)]).changes).toEqual([]);
    expect(words(readMore(reader, [...header(), next(777)]).changes)).toEqual(['tool-stopped']);
  });
});

describe('R2: the same lines say the same', () => {
  const day = [
    ...header(),
    ...interleaved(incoming(A), incoming({ ...B, shift: 2 })),
    ...outgoing(),
    ...incoming({ minute: '09:00', gate: 6, auth: [AUTH.dynamicDenied], granted: false }),
    ...incoming({ minute: '09:30', gate: 7, ends: false }),
    entry('x', { time: '10:00:00.000', pid: 777 }),
    ...header({ start: '2024/03/05 10:00:01.000' }),
    ...incoming({ minute: '10:30', pid: 777 }),
  ];

  test('read twice, by two readers', () => {
    expect(read(day).changes).toEqual(read(day).changes);
    expect(read(day).changes.length).toBeGreaterThan(15);
  });

  test('a reader that is fed the file up to anywhere says of the rest what the first one said', () => {
    for (let at = 0; at < day.length; at += 7) {
      const whole = makeTeamviewerLogReader(OPTIONS);
      expect(whole.fromHead).toBe(true);
      readMore(whole, day.slice(0, at));
      const rest = readMore(whole, day.slice(at)).changes;
      const again = readMore(read(day.slice(0, at)).reader, day.slice(at)).changes;
      expect(again).toEqual(rest);
    }
  });
});
