import { describe, expect, test } from 'vitest';
import type { Known } from '../../../agent/sources/change.ts';
import { makeMatcher, networkOf } from '../../../agent/sources/match.ts';

const HASH = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP0';
const matches = makeMatcher({
  accounts: ['mholm', 'ACME\\Ops', 'eva@EXAMPLE.NET'],
  keys: [`SHA256:${HASH}`, 'MD5:00:aa:bb:cc:dd:ee:ff:11:22:33:44:55:66:77:88:99'],
  networks: ['203.0.113.0/28', '198.51.100.7', '2001:db8:1::/48', 'nonsense', '192.0.2.0/33'],
});
const from = (ip: string): Known => ({ peerIps: [{ ip, basis: 'socket', scope: 'public' }] });

describe('R70 a session is listed', () => {
  test.each<[string, Known]>([
    ['account', { localUser: 'mholm' }],
    ['account of a domain', { localUser: 'acme\\ops' }],
    ['account, its domain not listed', { localUser: 'SRV01\\MHolm' }],
    ['proven account', { technician: 'eva@EXAMPLE.NET' }],
    ['key', { technician: `SHA256:${HASH}` }],
    ['key, padded', { technician: `SHA256:${HASH}=` }],
    ['old key, without its word', { technician: '00:AA:bb:cc:dd:ee:ff:11:22:33:44:55:66:77:88:99' }],
    ['network', from('203.0.113.15')],
    ['address', from('198.51.100.7')],
    ['network of version 6', from('2001:db8:1:2::9%eth0')],
    ['address of version 4, written as one of 6', from('::ffff:203.0.113.1')],
    [
      'one of several addresses',
      { peerIps: [...(from('192.0.2.1').peerIps ?? []), ...(from('203.0.113.1').peerIps ?? [])] },
    ],
  ])('by its %s', (_, known) => {
    expect(matches(known)).toBe(true);
  });

  test.each<[string, Known]>([
    ['nothing known', {}],
    ['another account', { localUser: 'mholm2' }],
    ['the same name in another domain than the listed one', { localUser: 'ops' }],
    ['another key', { technician: `SHA256:${HASH.toLowerCase()}` }],
    ['the next network', from('203.0.113.16')],
    ['a network that cannot be read', from('192.0.2.1')],
    ['no address', from('UNKNOWN')],
    ['a name instead of an account', { peerNames: ['mholm'], peerId: 'mholm' }],
  ])('not with %s', (_, known) => {
    expect(matches(known)).toBe(false);
  });

  test('an empty list lists nobody', () => {
    const none = makeMatcher({ accounts: [], keys: [], networks: [] });
    expect([none({ localUser: '' }), none({ technician: '' }), none(from('203.0.113.1'))]).toEqual([
      false,
      false,
      false,
    ]);
  });
});

test('networkOf tells what is a network', () => {
  expect(networkOf(' 10.0.0.0/8 ')).toEqual({ address: '10.0.0.0', bits: 8, family: 'ipv4' });
  expect(networkOf('2001:db8::1')).toEqual({ address: '2001:db8::1', bits: 128, family: 'ipv6' });
  expect(networkOf('0.0.0.0/0')).toEqual({ address: '0.0.0.0', bits: 0, family: 'ipv4' });
  for (const none of [
    '',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0',
    '::/129',
    'x',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
  ])
    expect(networkOf(none), none).toBeNull();
});
