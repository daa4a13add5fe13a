import { describe, expect, test } from 'vitest';
import {
  isCompleteOutgoingRow,
  isTornOutgoingRow,
  parseOutgoingRow,
} from '../../../agent/sources/teamviewer-outgoing.ts';
import { toIso } from '../../../protocol/time.ts';
import { PLAIN } from '../../fixtures/teamviewer.ts';
import { outgoingRow } from '../../fixtures/teamviewer-outgoing.ts';

function parsed(text: string) {
  const result = parseOutgoingRow(text);
  if (!result.ok) throw new Error(`not read: ${result.reason}`);
  return result.row;
}

function reason(text: string): string {
  const result = parseOutgoingRow(text);
  return result.ok ? 'ok' : result.reason;
}

const FIELDS = [PLAIN.peerId, PLAIN.start, PLAIN.end, PLAIN.user, PLAIN.type, PLAIN.guid];

describe('a row of Connections.txt', () => {
  test('has all its fields but a name, times as UTC', () => {
    const read = parsed(outgoingRow());
    expect(read).toEqual({
      peerId: PLAIN.peerId,
      peerName: null,
      startedAt: Date.UTC(2024, 1, 16, 14, 16, 32),
      endedAt: Date.UTC(2024, 1, 16, 14, 18, 36),
      localUser: PLAIN.user,
      kind: 'remote-control',
      kindText: 'RemoteControl',
      toolSessionId: PLAIN.guid,
    });
    expect(toIso(read.startedAt)).toBe('2024-02-16T14:16:32.000Z');
  });

  test.each([
    ['tabs', FIELDS.join('\t')],
    ['tabs, with one behind', `${FIELDS.join('\t')}\t`],
    ['two blanks', FIELDS.join('  ')],
    ['a carriage return', `${outgoingRow()}\r`],
    ['padded behind', `${outgoingRow()}     `],
  ])('parted by %s', (_label, text) => {
    expect(parsed(text)).toEqual(parsed(outgoingRow()));
  });

  test.each([
    ['blanks', 'IE User'],
    ['two blanks', 'IE  User'],
    ['31 characters', 'x'.repeat(31)],
    ['32 characters', `DOMAIN ${'x'.repeat(25)}`],
  ])('a user with %s stays whole', (_label, user) => {
    expect(parsed(outgoingRow({ user }))).toMatchObject({ localUser: user, kindText: 'RemoteControl' });
  });

  test('empty and unknown user, empty GUID', () => {
    expect(parsed(outgoingRow({ user: '' }))).toMatchObject({ localUser: null, kind: 'remote-control' });
    expect(parsed(outgoingRow({ user: '<unknown>' })).localUser).toBeNull();
    expect(parsed(outgoingRow({ guid: '' }))).toMatchObject({ localUser: PLAIN.user, toolSessionId: null });
    const tabbed = [PLAIN.peerId, PLAIN.start, PLAIN.end, '', PLAIN.type, PLAIN.guid].join('\t');
    expect(parsed(tabbed)).toMatchObject({ localUser: null, kind: 'remote-control' });
    const bare = `${PLAIN.peerId}  ${PLAIN.start}  ${PLAIN.end}  `;
    expect(parsed(`${bare}VPN`)).toMatchObject({ localUser: null, kind: 'vpn' });
    expect(parsed(`${bare}Jo`)).toMatchObject({ localUser: 'Jo', kind: 'unknown', kindText: '' });
  });

  test('an unknown kind is kept as it is', () => {
    expect(parsed(outgoingRow({ type: 'Holography' }))).toMatchObject({
      kind: 'unknown',
      kindText: 'Holography',
    });
  });

  test.each([
    ['fields', ''],
    ['fields', '   '],
    ['fields', outgoingRow().slice(0, 96)],
    ['fields', `${[...FIELDS.slice(0, 5), 'more', 'and more'].join('\t')}`],
    ['peer-id', outgoingRow({ peerId: '1234567' })],
    ['peer-id', outgoingRow({ peerId: 'x' })],
    ['start', outgoingRow({ start: '31-02-2024 14:16:32' })],
    ['end', outgoingRow({ start: '' })],
    ['end', outgoingRow({ end: '16-02-2024 14:60:00' })],
    ['encoding', outgoingRow({ start: '16-02-20\ufffd4 14:16:32' })],
    ['encoding', '\0'.repeat(200)],
    ['too-long', outgoingRow({ user: 'x'.repeat(70_000) })],
  ])('%s is said, and never the text', (expected, text) => {
    expect(reason(text)).toBe(expected);
  });
});

describe('a row without newline', () => {
  const text = outgoingRow();
  // Where a row of some version could end: behind the kind, with its padding, and behind the GUID.
  const kindEnds = 128 + PLAIN.type.length;

  test('no beginning of it is complete, the whole of it is', () => {
    for (let end = 0; end < text.length; end++)
      expect([end, isCompleteOutgoingRow(text.slice(0, end))]).toEqual([end, false]);
    for (const whole of [text, `${text}\r`, FIELDS.join('\t'), FIELDS.join('  ')]) {
      expect(isCompleteOutgoingRow(whole)).toBe(true);
    }
    expect(isCompleteOutgoingRow(outgoingRow({ guid: '' }))).toBe(false);
  });

  test('every beginning of it is torn, but where a row of some version ends', () => {
    for (let end = 1; end <= text.length; end++) {
      const mayEnd = (end >= kindEnds && end <= 160) || end === text.length;
      expect([end, isTornOutgoingRow(text.slice(0, end))]).toEqual([end, !mayEnd]);
    }
  });

  test.each([
    ['text', 'half a line'],
    ['nothing', ''],
    ['a whole row with bad dates', outgoingRow({ start: 'x', end: 'y' })],
    ['far too long', '1'.repeat(100_000)],
    ['blanks for ever', `12345678 ${' '.repeat(60_000)}`],
  ])('%s is not', (_label, other) => {
    expect(isTornOutgoingRow(other)).toBe(other.startsWith('12345678 ') && other.length < 256);
    expect(isCompleteOutgoingRow(other)).toBe(false);
  });
});
