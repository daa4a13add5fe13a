import { describe, expect, test } from 'vitest';
import {
  isCompleteRow,
  isTornRow,
  naturalKey,
  parseConnectionRow,
} from '../../../agent/sources/teamviewer.ts';
import { toIso } from '../../../protocol/time.ts';
import { PLAIN, row } from '../../fixtures/teamviewer.ts';

function parsed(text: string) {
  const result = parseConnectionRow(text);
  if (!result.ok) throw new Error(`not read: ${result.reason}`);
  return result.row;
}

function reason(text: string): string {
  const result = parseConnectionRow(text);
  return result.ok ? 'ok' : result.reason;
}

describe('a row of Connections_incoming.txt', () => {
  test('has all its fields, times as UTC', () => {
    const read = parsed(row());
    expect(read).toMatchObject({
      peerId: PLAIN.peerId,
      peerName: PLAIN.peerName,
      localUser: PLAIN.user,
      kind: 'remote-control',
      kindText: 'RemoteControl',
      toolSessionId: PLAIN.guid,
    });
    expect(toIso(read.startedAt)).toBe('2024-02-16T14:16:32.000Z');
    expect(toIso(read.endedAt)).toBe('2024-02-16T14:18:36.000Z');
  });

  test('empty name, user and GUID and the unknown user are null', () => {
    const read = parsed(row({ peerName: '', user: '<unknown>', guid: '' }));
    expect([read.peerName, read.localUser, read.toolSessionId]).toEqual([null, null, null]);
    expect(parsed(row({ user: '' })).localUser).toBeNull();
  });

  test.each([
    ['RemoteControl', 'remote-control'],
    ['Filetransfer', 'file-transfer'],
    ['FileTransfer', 'file-transfer'],
    ['VPN', 'vpn'],
    ['Presentation', 'presentation'],
    ['Meeting', 'presentation'],
    ['constructor', 'unknown'],
    ['', 'unknown'],
  ])('type "%s" is the kind %s', (type, kind) => {
    expect(parsed(row({ type }))).toMatchObject({ kind, kindText: type });
  });

  test('6 to 8 fields: without trailing tab, without GUID, with a carriage return', () => {
    const whole = row();
    expect(parsed(whole.slice(0, -1)).toolSessionId).toBe(PLAIN.guid);
    expect(parsed(row({ guid: '' }).trimEnd()).toolSessionId).toBeNull();
    expect(parsed(`${whole}\r`)).toEqual(parsed(whole));
    expect(reason(`${whole}more\t`)).toBe('fields');
    expect(reason(whole.split('\t').slice(0, 5).join('\t'))).toBe('fields');
  });

  test('a tab, and even dates, inside the name leave the row whole', () => {
    expect(parsed(row({ peerName: 'a\tb\tc' })).peerName).toBe('a\tb\tc');
    const dated = `${PLAIN.start}\t${PLAIN.end}`;
    expect(parsed(row({ peerName: dated }))).toMatchObject({ peerName: dated, localUser: PLAIN.user });
  });

  test('end before start is kept: the clock was set back', () => {
    const read = parsed(row({ start: PLAIN.end, end: PLAIN.start }));
    expect(read.endedAt).toBeLessThan(read.startedAt);
  });

  test.each([
    ['peer-id', row({ peerId: '1234567' })],
    ['peer-id', row({ peerId: '123456789012' })],
    ['peer-id', row({ peerId: ' 123456789' })],
    ['start', row({ start: '31-02-2024 14:16:32' })],
    ['start', row({ start: '29-02-2023 14:16:32' })],
    ['ok', row({ start: '29-02-2024 14:16:32' })],
    ['start', row({ start: '16-02-2024 24:00:00' })],
    ['start', row({ start: '16-13-2024 14:16:32' })],
    ['start', row({ start: '16-02-0024 14:16:32' })],
    ['end', row({ end: '16-02-2024 14:60:00' })],
    ['end', row({ end: '' })],
    ['fields', ''],
    ['encoding', row().replace('-', '\ufffd')],
    ['encoding', '\0'.repeat(200)],
    ['too-long', row({ peerName: 'x'.repeat(70_000) })],
  ])('%s is said, and never the text', (expected, text) => {
    expect(reason(text)).toBe(expected);
  });

  test('damage inside the name alone does not lose the session', () => {
    expect(parsed(row({ peerName: 'S\ufffdren' })).peerName).toBe('S\ufffdren');
  });

  test('the natural key leaves the end and the name out', () => {
    const one = naturalKey(parsed(row()));
    expect(naturalKey(parsed(row({ end: PLAIN.start, peerName: 'other' })))).toEqual(one);
    expect(Object.keys(one)).toEqual(['peerId', 'startedAt', 'localUser', 'kind', 'toolSessionId']);
  });
});

describe('completeness of a row without newline', () => {
  test.each([
    ['plain', row()],
    ['no GUID', row({ guid: '' })],
    ['upper-case GUID', row({ guid: PLAIN.guid.toUpperCase() })],
    ['nobody and nothing', row({ peerName: '', user: '', guid: '' })],
    ['tabs in the name', row({ peerName: 'a\tb\t\tc\t' })],
    ['tab in the user', row({ user: 'a\tb' })],
  ])('%s: no beginning of it is complete, the whole of it is', (label, text) => {
    for (let end = 0; end < text.length; end++) expect(isCompleteRow(text.slice(0, end))).toBe(false);
    // A tab in the user is not known to exist; such a row waits for the file to be quiet.
    expect(isCompleteRow(text)).toBe(label !== 'tab in the user');
    expect(isCompleteRow(`${text}\r`)).toBe(label !== 'tab in the user');
  });
});

describe('a torn row', () => {
  const text = row();
  // Where a row of some version could end: behind the kind, with and without its tab, and behind the GUID.
  const ends = [text.indexOf('\t{'), text.indexOf('\t{') + 1, text.length - 1, text.length];

  test('every beginning of a row is torn, but where a row of some version ends', () => {
    for (let end = 1; end <= text.length; end++) {
      expect([end, isTornRow(text.slice(0, end))]).toEqual([end, !ends.includes(end)]);
    }
  });

  test.each([
    ['text', 'half a line'],
    ['nothing', ''],
    ['a whole row with bad dates', row({ start: 'x', end: 'y' })],
    ['a row of fewer columns', row().split('\t').slice(0, 6).join('\t')],
    ['far too long', '1'.repeat(100_000)],
  ])('%s is not', (_label, other) => {
    expect(isTornRow(other)).toBe(false);
  });
});
