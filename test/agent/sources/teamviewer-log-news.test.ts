import { describe, expect, test } from 'vitest';
import { entry, header, incoming, PEER } from '../../fixtures/teamviewer-log.ts';
import { all, known, read } from './teamviewer-log-read.ts';

const KEY = `${PEER}@${Date.UTC(2024, 2, 5, 14, 16, 1, 800)}`;

describe('addresses', () => {
  const during = (message: string) => {
    const { changes } = read([
      ...header({ ips: '192.0.2.15,192.168.153.1' }),
      ...incoming({ during: [[message]] }),
    ]);
    return known(changes, KEY).ips;
  };

  test.each([
    ['UDPv4: punch received a=203.0.113.7:53211: (*)', '203.0.113.7 punch public'],
    ['UDP: punch received a=203.0.113.7:53211: (*)', '203.0.113.7 punch public'],
    ['UDP: punch received a=192.168.1.20:53211: (*)', '192.168.1.20 punch private'],
    ['UDP: punch received a=172.31.0.20:53211: (*)', '172.31.0.20 punch private'],
    ['UDP: punch received a=169.254.7.7:53211: (*)', '169.254.7.7 punch private'],
    ['UDP: punch received a=100.64.9.9:53211: (*)', '100.64.9.9 punch private'],
    ['UDP: punch received a=100.128.9.9:53211: (*)', '100.128.9.9 punch public'],
    ['UDP: punch received a=192.168.153.1:53211: (*)', '192.168.153.1 punch own-adapter'],
    ['UDP: punch received a=192.0.2.16:53211: (*)', '192.0.2.16 punch own-adapter'],
    ['UDPv6: punch received a=[2001:db8::7]:53211: (*)', '2001:db8::7 punch public'],
    ['UDPv6: punch received a=2001:db8::7:53211: (*)', '2001:db8::7 punch public'],
    ['UDPv6: punch received a=[fe80::7%12]:53211: (*)', 'fe80::7 punch private'],
    ['UDPv6: punch received a=[fd00::7]:53211: (*)', 'fd00::7 punch private'],
    [
      `CUdpConnection[23]::HandleReadError(): Error occured.  RemoteSession 2 (ClientID: ${PEER}) IP: 198.51.100.7, Error: system:10061`,
      '198.51.100.7 socket public',
    ],
    [
      `CUdpConnection[23]::HandleReadError(): Error occured. (ClientID: ${PEER}) IP: 198.51.100.7, Error: system:10061`,
      '198.51.100.7 socket public',
    ],
  ])('%s', (message, expected) => {
    expect(during(message)).toEqual([expected]);
  });

  test.each([
    'UDPv4: punch ignored a=203.0.113.7:53211: (*)',
    'UDPv4: punching: (*)',
    'UDP: punch received a=1.2.3:53211: (*)',
    'TcpConnectorv4[2]::ConnectEndpoint(): Connecting to endpoint 203.0.113.9:5938',
    'Opening local TCP connection to 127.0.0.1:5939',
    'CTcpConnectionBase[2]::HandleReadError(): Error occured.  ClientID: 0 IP: 203.0.113.9 Category: system, Error: 10057',
    'CUdpConnection[23]::HandleReadError(): Error occured.  RemoteSession 9 (ClientID: 1555000999) IP: 198.51.100.7, Error: x',
  ])('%s says nothing of the peer', (message) => {
    expect(during(message)).toEqual([]);
  });

  test('the same address with new ports is told once, a second one with the first', () => {
    const punches = ['203.0.113.7:1', '203.0.113.7:2', '192.168.1.20:3'];
    const lines = punches.map((a) => [`UDP: punch received a=${a}: (*)`] as const);
    const { changes } = read([...header(), ...incoming({ during: lines })]);
    expect(known(changes, KEY).ips).toEqual([
      '203.0.113.7 punch public',
      ...['203.0.113.7 punch public', '192.168.1.20 punch private'],
    ]);
  });

  test('where nobody is in, a punch is nobody’s', () => {
    const punch = entry('UDP: punch received a=203.0.113.7:1: (*)', { time: '06:30:00.000' });
    expect(read([...header(), punch]).changes).toEqual([]);
  });
});

describe('files', () => {
  const files = (...messages: string[]) => {
    const during = messages.map((message) => [message, 'G1'] as const);
    return known(read([...header(), ...incoming({ during })]).changes, KEY).files;
  };
  const path = 'C:\\Temp\\in\\plan (2).pdf';
  const done = `Download from "in\\plan (2).pdf" to "${path}" (56.08 kB)`;

  test('count when they begin; their completion is the same file', () => {
    expect(files(`Write file ${path}`, done)).toEqual([1]);
    expect(files(`Write file ${path}`, done, `Write file ${path}`, done)).toEqual([1, 2]);
    expect(
      files('Send file C:\\Temp\\a.txt', 'Upload from "C:\\Temp\\a.txt" to "out\\a.txt" (1.65 MB)'),
    ).toEqual([1]);
  });

  test('two at once', () => {
    const other = done.replaceAll('plan', 'photo');
    expect(files(`Write file ${path}`, `Write file ${path.replace('plan', 'photo')}`, done, other)).toEqual([
      1, 2,
    ]);
  });

  test('of which only the completion stands, and of the clipboard', () => {
    expect(files(done)).toEqual([1]);
    expect(
      files("ClipboardFileContentHandlerWin::LogFileTransfer: Transmit file: 'C:\\Temp\\b.txt'"),
    ).toEqual([1]);
  });

  test('an opened stream is no file', () => {
    const stream =
      'tvnetwork::StreamManagerInternals::ReadStreamParameters: type=6 (StreamType_File, private)';
    expect(files(stream)).toEqual([]);
  });
});

test('names, files and addresses of one session are bounded', () => {
  const during = Array.from({ length: 60 }, (_, n) => [
    [
      `CParticipantManagerBase participant N${n} (ID [${PEER},-915469523]) was added with the role 6`,
    ] as const,
    [`UDP: punch received a=203.0.113.${n}:1: (*)`] as const,
  ]).flat();
  const { changes } = read([...header(), ...incoming({ during })]);
  const last = all(changes, 'updated')
    .slice(-4)
    .map((change) => change.known ?? {});
  expect(Math.max(...last.map(({ peerNames = [] }) => peerNames.length))).toBe(16);
  expect(Math.max(...last.map(({ peerIps = [] }) => peerIps.length))).toBe(16);
});
