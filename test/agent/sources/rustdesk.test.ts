/** RustDesk's server log: R40, R41. */
import { describe, expect, it } from 'vitest';
import { makeRustdeskReader } from '../../../agent/sources/rustdesk.ts';
import { atOf, changesOf, keysOf, made, problemOf, whats } from './reader.ts';

const line = (text: string, at = '10:42:58.920092', zone = '-04:00', level = 'DEBUG') =>
  `[2026-08-09 ${at} ${zone}] ${level} [src\\server\\connection.rs:576] ${text}`;
const opened = (number: number, at?: string, from = '203.0.113.9:52114') =>
  line(`#${number} Connection opened from ${from}.`, at);
const closed = (number: number, reason: string, at?: string) =>
  line(`#${number} Connection closed: ${reason}`, at, '-04:00', 'INFO');
const left = (number: number, at?: string) => line(`#${number} connection loop exited`, at);

const read = (...lines: string[]) => changesOf(made(makeRustdeskReader), lines);

describe('a connection', () => {
  it('R40 is an attempt with an end, and never a session', () => {
    const changes = read(
      line('Start: rendezvous'),
      opened(7),
      closed(7, 'Peer close', '11:42:58.920092'),
      left(7, '11:42:59.000000'),
    );
    expect(whats(changes)).toEqual(['attempted', 'ended']);
    expect(changes[0]).toMatchObject({
      basis: 'file-offset',
      direction: 'incoming',
      kind: 'unknown',
      known: { peerIps: [{ ip: '203.0.113.9', basis: 'unknown', scope: 'public' }], toolSessionId: '7' },
    });
    expect(changes.map(atOf)).toEqual(['2026-08-09T14:42:58.920Z', '2026-08-09T15:42:58.920Z']);
    expect(keysOf(changes).size).toBe(1);
  });

  it.each([
    ['+05:30', '2026-08-09T05:12:58.920Z'],
    ['+00:00', '2026-08-09T10:42:58.920Z'],
    ['-0400', '2026-08-09T14:42:58.920Z'],
  ])('offset %s', (zone, at) => {
    expect(atOf(read(line('#1 Connection opened from 203.0.113.9:1.', undefined, zone))[0])).toBe(at);
  });

  it.each([
    ['[2001:db8::9]:52114', '2001:db8::9', 'public'],
    ['[::ffff:192.168.4.2]:52114', '192.168.4.2', 'private'],
    ['127.0.0.1:52114', '127.0.0.1', 'own-adapter'],
  ])('from %s', (from, ip, scope) => {
    expect(read(opened(1, undefined, from))[0]).toMatchObject({ known: { peerIps: [{ ip, scope }] } });
  });

  it.each(['Peer close', 'End', 'Timeout', 'Reset by the peer', 'web console', 'switch sides', ''])(
    'closed by "%s" is completed',
    (reason) => {
      expect(read(opened(1), closed(1, reason))[1]).toMatchObject({ what: 'ended', reason: 'completed' });
    },
  );

  it('the service stopped, or only the loop left', () => {
    expect(read(opened(1), closed(1, 'stop service'))[1]).toMatchObject({ reason: 'tool-stopped' });
    expect(whats(read(opened(1), left(1)))).toEqual(['attempted', 'ended']);
    expect(read(closed(1, 'End'), left(1))).toEqual([]);
  });

  it('R41 two at once; a number that opens again; a server that starts', () => {
    const two = read(opened(1), opened(2, '10:43:00.000000'), closed(1, 'End'), closed(2, 'End'));
    expect(whats(two)).toEqual(['attempted', 'attempted', 'ended', 'ended']);
    const again = read(opened(1), opened(1, '12:00:00.000000'), closed(1, 'End', '12:10:00.000000'));
    expect(whats(again)).toEqual(['attempted', 'ended', 'attempted', 'ended']);
    expect(again[1]).toMatchObject({ reason: 'unknown' });
    const started = read(opened(1), line('main start args:["--server"]'), closed(1, 'End'));
    expect(whats(started)).toEqual(['attempted', 'tool-stopped']);
  });

  it('wrong passwords are told as the log counts them', () => {
    const text =
      'Temporary password rotated after too many consecutive wrong attempts: failures=12, ip=203.0.113.9';
    expect(read(line(text))).toMatchObject([
      { what: 'rejected', reason: 'wrong-password', count: 12, known: { peerIps: [{ ip: '203.0.113.9' }] } },
    ]);
    expect(problemOf(made(makeRustdeskReader), line(text.replace('12', 'many')))).toBe('fields');
  });

  it('R4 damage has a reason, and anything else is nothing', () => {
    const reader = made(makeRustdeskReader);
    expect(problemOf(reader, opened(1, undefined, 'somewhere'))).toBe('fields');
    expect(problemOf(reader, opened(1, '25:00:00.000000'))).toBe('start');
    expect(problemOf(reader, 'x'.repeat(70_000))).toBe('too-long');
    expect(problemOf(reader, '#1 Connection opened from 203.0.113.9:1.')).toBe('0 changes');
    expect(problemOf(reader, line('#1 Connection refused'))).toBe('0 changes');
  });

  it('R1 very many are bounded', () => {
    const changes = read(...Array.from({ length: 1_030 }, (_, n) => opened(n)));
    expect(changes.filter((one) => one.what === 'ended')).toHaveLength(6);
  });
});
