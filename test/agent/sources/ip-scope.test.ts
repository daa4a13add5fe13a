import { expect, test } from 'vitest';
import { plainIp, scopeOf } from '../../../agent/sources/ip-scope.ts';

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['[2001:DB8::7]', '2001:db8::7'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['203.0.113', null],
  ['203.0.113.7:80', null],
  ['', null],
  ['x'.repeat(100), null],
])('"%s" is the address %s', (text, expected) => {
  expect(plainIp(text)).toBe(expected);
});

test.each([
  ['10.1.2.3', 'private'],
  ['172.15.0.1', 'public'],
  ['172.16.0.1', 'private'],
  ['192.168.9.9', 'private'],
  ['169.254.1.1', 'private'],
  ['100.64.0.1', 'private'],
  ['100.63.255.255', 'public'],
  ['fd12::1', 'private'],
  ['fe80::1', 'private'],
  ['2001:db8::1', 'public'],
  ['198.51.100.9', 'public'],
  ['192.0.2.15', 'own-adapter'],
  ['127.0.0.1', 'own-adapter'],
  ['::1', 'own-adapter'],
])('%s is %s', (ip, scope) => {
  expect(scopeOf(ip, new Set(['192.0.2.15']))).toBe(scope);
});
