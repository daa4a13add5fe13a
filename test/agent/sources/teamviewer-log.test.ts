import { describe, expect, test } from 'vitest';
import { readWriter } from '../../../agent/sources/teamviewer-log-line.ts';
import {
  AUTH,
  entry,
  header,
  incoming,
  OWN_ID,
  outgoing,
  PEER,
  type Version,
} from '../../fixtures/teamviewer-log.ts';
import { all, first, iso, known, read, words } from './teamviewer-log-read.ts';

const VERSIONS: Version[] = [11, 12, 13, 15];
const KEY = `${PEER}@${Date.UTC(2024, 2, 5, 14, 16, 1, 800)}`;

describe('R26: one session that comes in', () => {
  test.each(VERSIONS)('version %i: attempt, start, names, end', (version) => {
    const { changes, problems } = read([...header(), ...incoming({ version })]);
    expect(problems).toEqual([]);
    expect(words(changes)).toEqual(['attempted', 'started', 'updated', 'ended']);
    const start = first(changes, 'started');
    expect(start).toMatchObject({
      basis: 'file-offset',
      direction: 'incoming',
      kind: 'remote-control',
      auth: 'one-time-password',
      failedAttempts: 0,
      known: { peerId: PEER, toolSessionId: '126302903' },
    });
    expect(start.at).toBe(first(changes, 'attempted').at);
    expect(new Set(changes.map((change) => ('key' in change ? change.key : '')))).toEqual(
      new Set([start.key]),
    );
    expect(known(changes, start.key).names).toEqual(['Morgan Hale']);
    expect(first(changes, 'ended')).toMatchObject({ basis: 'file-offset', reason: 'completed' });
  });

  test('its key and its start are the hello, whatever stood before it', () => {
    const { changes } = read([...header(), ...incoming()]);
    expect(iso(first(changes, 'started'))).toBe('2024-03-05T14:16:01.800Z');
    expect(first(changes, 'started').key).toBe(KEY);
    const late = read([...header(), ...incoming().slice(1)]);
    expect(first(late.changes, 'started').key).toBe(KEY);
  });

  test('it is told as soon as access is granted, and not before', () => {
    const lines = [...header(), ...incoming({ ends: false })];
    const grant = lines.findIndex((line) => line.includes('ConnectionMode'));
    expect(words(read(lines.slice(0, grant)).changes)).toEqual(['attempted']);
    expect(words(read(lines.slice(0, grant + 1)).changes)).toEqual(['attempted', 'started']);
  });

  test('the end is the first line that says so; the one that follows is nothing', () => {
    const { changes } = read([...header(), ...incoming({ version: 13 })]);
    const terminate = incoming({ version: 13 }).find((line) => line.includes('SessionTerminate')) ?? '';
    expect(iso(first(changes, 'ended')).slice(17, 23)).toBe(terminate.slice(17, 23));
    expect(all(changes, 'ended')).toHaveLength(1);
  });

  test('a session that runs has no end', () => {
    expect(words(read([...header(), ...incoming({ ends: false })]).changes)).not.toContain('ended');
  });

  test('of an unknown mode the kind is unknown', () => {
    const lines = incoming().map((line) => line.replace('ConnectionMode == 1', 'ConnectionMode == 7'));
    const odd = lines.filter((line) => !line.includes('ConnectionGuard'));
    expect(first(read([...header(), ...odd]).changes, 'started').kind).toBe('unknown');
  });
});

describe('R25: how somebody got in', () => {
  const started = (auth: string[]) => first(read([...header(), ...incoming({ auth })]).changes, 'started');

  test.each([
    ['one-time password', [AUTH.dynamic], 'one-time-password', 0],
    ['fixed password', [AUTH.fixed], 'fixed-password', 0],
    ['key or account', [AUTH.key], 'key', 0],
    ['version 11', [AUTH.srp], 'one-time-password', 0],
    ['nothing that is known', [], null, 0],
    ['one password, tried against both', [AUTH.secret, AUTH.dynamicDenied, AUTH.fixed], 'fixed-password', 0],
    ['a wrong secret that was not the last', [AUTH.secret, AUTH.fixed], 'fixed-password', 0],
    ['a wrong one, then the right one', [AUTH.dynamicDenied, AUTH.dynamic], 'one-time-password', 1],
    [
      'a wrong fixed one, then the one-time password',
      [AUTH.fixedDenied, AUTH.dynamic],
      'one-time-password',
      1,
    ],
    ['a wrong fixed one, then the right one', [AUTH.fixedDenied, AUTH.fixed], 'fixed-password', 1],
    [
      'one wrong against both, one right',
      [AUTH.dynamicDenied, AUTH.fixedDenied, AUTH.dynamicDenied, AUTH.fixed],
      'fixed-password',
      1,
    ],
    [
      'two wrong against both, then the key',
      [AUTH.dynamicDenied, AUTH.fixedDenied, AUTH.dynamicDenied, AUTH.fixedDenied, AUTH.key],
      'key',
      1,
    ],
  ])('%s', (_label, auth, method, failed) => {
    expect(started(auth)).toMatchObject({ auth: method, failedAttempts: failed });
  });
});

describe('who did not get in', () => {
  const told = (auth: string[], version: Version = 13) =>
    read([...header(), ...incoming({ version, auth, granted: false })]).changes;

  test.each([
    ['version', [AUTH.version, AUTH.notAllowed], 'version', 1],
    ['not allowed', [AUTH.notAllowed], 'not-allowed', 1],
    ['cancelled', [AUTH.cancelled, AUTH.failed], 'cancelled', 1],
    ['a wrong password', [AUTH.dynamicDenied], 'wrong-password', 1],
    ['one wrong password, tried against both', [AUTH.dynamicDenied, AUTH.fixedDenied], 'wrong-password', 1],
    ['three wrong ones', [AUTH.dynamicDenied, AUTH.dynamicDenied, AUTH.dynamicDenied], 'wrong-password', 3],
    ['a wrong password and away', [AUTH.dynamicDenied, AUTH.cancelled], 'wrong-password', 1],
    ['nothing said', [], 'unknown', 1],
  ])('%s', (_label, auth, reason, count) => {
    for (const version of VERSIONS) {
      const changes = told(auth, version);
      expect(words(changes)).toEqual(['attempted', 'rejected']);
      const { key, at, direction, known } = first(changes, 'attempted');
      expect(first(changes, 'rejected')).toMatchObject({ key, at, direction, known, reason, count });
    }
  });

  test('a call that nobody answered is not told, and takes nothing from the next one', () => {
    const via = 'CreatePassiveSession(): incoming session via r';
    const lost = entry(`CommandHandlerRouting[3]::${via}`, { time: '06:14:00.000' });
    const { changes } = read([
      ...header(),
      lost,
      ...incoming({ auth: [AUTH.dynamicDenied], granted: false }),
    ]);
    expect(words(changes)).toEqual(['attempted', 'rejected']);
    expect(first(changes, 'rejected').reason).toBe('wrong-password');
  });
});

describe('R27: a session with another machine', () => {
  test('direction is what the log calls it, though the peer is of the controlled type', () => {
    const { changes } = read([...header(), ...outgoing()]);
    expect(words(changes)).toEqual(['attempted', 'started', 'updated', 'ended']);
    expect(first(changes, 'started')).toMatchObject({
      ...{
        key: `>1555000333@${Date.UTC(2024, 2, 5, 15, 10, 1)}`,
        direction: 'outgoing',
        kind: 'remote-control',
      },
      ...{ auth: null, failedAttempts: null, known: { peerId: '1555000333', toolSessionId: '-1609948' } },
    });
    expect(known(changes, first(changes, 'started').key).names).toEqual(['PUMP-ROOM']);
    expect(iso(first(changes, 'ended'))).toBe('2024-03-05T15:10:40.007Z');
  });

  test('also where no line says the gate', () => {
    expect(words(read([...header(), ...outgoing({ routed: false })]).changes).at(-1)).toBe('ended');
  });

  test.each([
    ['denied', 'not-allowed'],
    ['version', 'version'],
  ] as const)('%s', (result, reason) => {
    const { changes } = read([...header(), ...outgoing({ result })]);
    expect(words(changes)).toEqual(['attempted', 'rejected']);
    expect(first(changes, 'rejected')).toMatchObject({ direction: 'outgoing', reason, count: 1 });
  });

  test('a try that came to nothing is not the session of the next one, and hides nothing', () => {
    const lost = outgoing({ minute: '07:08' }).slice(0, 1);
    const punch = ['UDP: punch received a=203.0.113.7:1: (*)'] as const;
    const next = incoming({ minute: '07:11', gate: 9, during: [punch] });
    const { changes } = read([...header(), ...lost, ...outgoing(), ...next]);
    expect(words(changes).slice(0, 5)).toEqual(['attempted', 'attempted', 'started', 'updated', 'ended']);
    expect(changes.filter((c) => c.what === 'updated' && c.known?.peerIps)).toHaveLength(1);
  });
});

describe('R23: texts that somebody else chose look like no message', () => {
  const hostile = 'Negotiating session encryption: client hello received from 1555000999, RSA';
  const lines: [string, string][] = [
    ['a name', `CPersistentParticipantManager::AddParticipant: [1555000888,7] type=6 name=${hostile}`],
    ['a name in a window', `VoIP: Receiver: Participant channel "${hostile}" [1555000888,7]: created`],
    ['a path', `Write file C:\\Temp\\${hostile}`],
  ];
  test.each(lines)('%s', (_label, message) => {
    const { changes } = read([...header(), entry(message, { time: '06:30:00.000' })]);
    expect(changes).toEqual([]);
  });

  test('a name may have brackets, commas, a bar, and the end of its own line in it', () => {
    const names = [
      'Joe Doe | Pro IT (Services), Inc',
      `X (ID [${PEER},1]) was added with the role 6`,
      'ÖÎ¸ß²úÆ·\ufffd',
    ];
    for (const name of names) {
      const { changes } = read([...header(), ...incoming({ name })]);
      expect(known(changes, KEY).names).toEqual([name]);
    }
  });

  test('the same name with a number is another name, and the own one is none', () => {
    const again = `CParticipantManagerBase participant Morgan Hale (1) (ID [${PEER},-915469523]) was added with the role 6`;
    const { changes } = read([...header(), ...incoming({ during: [[again]] })]);
    expect(known(changes, KEY).names).toEqual(['Morgan Hale', 'Morgan Hale', 'Morgan Hale (1)']);
  });
});

describe('R22: the shape of a line', () => {
  const message = `Negotiating session encryption: client hello received from ${PEER}, RSA key length = 2048`;
  test.each([
    `2024/03/05 06:16:01.800  2216  2492 S0   ${message}`,
    `2024/03/05 06:16:01.800  2216       2492 S0   ${message}`,
    `2024/03/05 06:16:01.800  2216  2492 S0!  ${message}`,
    `2024/03/05 06:16:01.800  2216  2492 S0!! ${message}`,
    `2024/03/05 06:16:01.800  2216  2492 S0!!!${message}`,
    `2024/03/05 06:16:01.800  2216  2492  0   ${message}`,
    `2024/03/05 06:16:01.800 12216 12492 G14! ${message}`,
    `2024/03/05 06:16:01.800  2216  2492 L32  ${message}`,
    `2024/03/05 06:16:01.800\t2216\t2492 S0   ${message}`,
    `2024/03/05 06:16:01.800  2216  2492 S0   ${message}\r`,
    `\ufeff2024/03/05 06:16:01.800  2216  2492 S0   ${message}`,
    `2024/03/05 06:16:01:800  2216  2492 S0   ${message}`,
  ])('%s', (line) => {
    expect(first(read([...header(), line]).changes, 'attempted').key).toBe(KEY);
  });

  test.each([
    '',
    ' ',
    '\r',
    '0000  3c 68 74 6d 6c 3e 3c 68  65 61 64 3e',
    'IE:                 11.371.16299.0',
    '2024/03/05 06:16:01.800',
    '2024/03/05 06:16:01.800  2216',
    `2024/03/05 06:16:01.800  2216  2492 ${message}`,
    `2024/03/05 06:16:01.800 ${message}`,
    message,
    '2024/03/05 06:16:01.800  2216  2492 S0   ',
    '2024/03/05 06:16:01.800  2216  2492 S0   AuthenticationBlocker::Reset: attempts reset for DyngateID 1555000222',
    '2024/03/05 06:16:01.800  2216  2492 S0   NegotiateEncryptionV2::CreateEncryption: handshake successful, local fingerprint: SHA256:x, remote fingerprint SHA256:y',
    '2024/03/05 06:16:01.800  2216  2492 S0   CRemoteReboot::Reboot: now',
    '2024/03/05 06:16:01.800  2216  2492 S0   CStreamManager[2]::ReceivedEndSession(): reason=1',
    '2024/03/05 06:16:01.800  2216  2492 S0   Carrier[2]::CmdEndSession(): Received CMD_ENDSESSION with reason: 1',
    '2024/03/05 06:16:01.800  2216  2492 G1   CLogin::run() leave',
    '2024/13/05 06:16:01.800  2216  2492 S0   Logger started.',
    'Start: soon',
    '\u9f98\u9f98\u9f98 3 4 S0 text',
  ])('"%s" is nothing', (line) => {
    expect(read([...header(), line])).toMatchObject({ changes: [], problems: [] });
  });

  test.each([
    ['start', `2024/13/05 06:16:01.800  2216  2492 S0   ${message}`],
    ['start', `2024/03/05 26:16:01.800  2216  2492 S0   ${message}`],
    ['start', 'Start:              2024/13/05 06:00:00.000 (UTC-8:00)'],
    [
      'peer-id',
      entry('Negotiating session encryption: client hello received from 12, RSA', { time: '06:16:01.800' }),
    ],
    [
      'peer-id',
      entry('Negotiating session encryption: client hello received from 1555\ufffd00222, RSA', {
        time: '06:16:01.800',
      }),
    ],
    ['peer-id', entry('Trying connection to x, mode = 1', { time: '06:16:01.800' })],
    ['fields', entry('Connection incoming, sessionID = x', { time: '06:16:01.800' })],
    ['fields', entry('CPersistentParticipantManager::AddParticipant: [1555', { time: '06:16:01.800' })],
    ['too-long', 'x'.repeat(70_000)],
  ])('%s is said of ours that cannot be read', (reason, line) => {
    expect(read([...header(), line])).toMatchObject({ changes: [], problems: [reason] });
  });

  test('the process is read whatever the width of the columns', () => {
    expect(readWriter('  3396  5012 S0!!!Connect', 0)).toEqual({
      pid: 3396,
      tid: 5012,
      letter: 'S',
      message: 18,
    });
    expect(readWriter(' 12988       9536  0   x', 0)).toMatchObject({ pid: 12988, tid: 9536, letter: '' });
  });
});

test('the own id is known from the header, or from the session where the header has none yet', () => {
  const { changes } = read([...header({ id: '0' }), ...incoming()]);
  expect(known(changes, KEY).names).toEqual(['Morgan Hale']);
  expect(changes.some((change) => JSON.stringify(change).includes(OWN_ID))).toBe(false);
});

describe('this machine’s own id', () => {
  const ownId = (lines: readonly string[]) => read(lines).reader.ownId?.() ?? null;

  test('stands in the head of the file, and wherever its own participant is named; the last one holds', () => {
    const renamed = '1555000777';
    const say = `CParticipantManagerBase::SetMyParticipantIdentifier(): pid=[${renamed},-77]`;
    const named = entry(say, { time: '07:00:00.000' });
    expect(ownId(header())).toBe(OWN_ID);
    expect(ownId([...header(), named])).toBe(renamed);
    expect(ownId([...header({ id: renamed }), ...header()])).toBe(OWN_ID);
  });

  test('is not known before the tool was registered, and a name that somebody chose is none', () => {
    expect(ownId(header({ id: '0' }))).toBeNull();
    expect(ownId([])).toBeNull();
    const posed = entry(`Name: ID: ${PEER} pid=[${PEER},1]`, { time: '07:00:00.000' });
    expect(ownId([...header(), posed, `ID:   ${PEER}`])).toBe(OWN_ID);
  });
});
