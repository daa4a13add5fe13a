import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DROPPED, scrub } from '../../protocol/scrub.ts';
import { CONFIG, FILE_NAMES, HASHES } from '../../protocol/scrubber/config.ts';
import { REVERSED } from '../../protocol/scrubber/reversed.ts';
import { apply } from '../../protocol/scrubber/rule.ts';
import { SHAPES } from '../../protocol/scrubber/shapes.ts';
import { fakeConnection } from '../fixtures/teamviewer.ts';

/** The word that must not survive, in every form below. */
const S = 'hunter2Kq';
const PEM = ['-----BEGIN RSA PRIVATE KEY-----', S, S, '-----END RSA PRIVATE KEY-----'].join('\n');

describe('secrets', () => {
  test.each([
    `password=${S}`,
    `Password: ${S}`,
    `PASSWORD = "${S} and more ${S}"`,
    `"password": "${S}"`,
    `'apiKey' => '${S}'`,
    `api_key=${S}&x=1`,
    `db_password:=${S}`,
    `clientSecret=${S}; path=/`,
    `pwd=${S}`,
    `Pass: ${S}`,
    `token_value: ${S}`,
    `Kodeord: ${S}`,
    `Adgangskode=${S}`,
    `Kennwort:${S}`,
    `L\u00f6senord: ${S}`,
    `TeamViewer.exe -i 123456789 --Password ${S}`,
    `TeamViewer.exe --PasswordB64 ${S}`,
    `setup /PASSWORD ${S}`,
    `assign --api-token=${S}`,
    `your password is ${S}`,
    `Password ${S}`,
    `https://morgan:${S}@host.example/path`,
    `https://:${S}@host.example`,
    `ftp://morgan:${S}@x${S}@host.example`,
    `morgan:${S}@host.example`,
    `Authorization: Bearer ${S}`,
    `Authorization: Token abc ${S}`,
    `Bearer ${S}.${S}`,
    `Basic ${Buffer.from(`morgan:${S}`).toString('base64')}`,
    `Cookie: sid=${S}`,
    PEM,
    `before ${PEM} after`,
    PEM.slice(0, 60),
    `eyJhbGciOi.${S}.${S}`,
    `ghp_${S.repeat(4)}`,
    'ghp_ljbCePixgiIFWljbCePixgiIFW',
    `tilsyn1.${S.repeat(3)}`,
    S.repeat(5),
  ])('%# is dropped', (text) => {
    const scrubbed = scrub(text);
    expect(scrubbed.text).not.toContain(S);
    expect(scrubbed.text).not.toContain(Buffer.from(`morgan:${S}`).toString('base64'));
    expect(scrubbed.text).toContain(DROPPED);
    expect(scrubbed.dropped).toBeGreaterThan(0);
  });

  test('two keys of known form', () => {
    expect(scrub('use AKIAIOSFODNN7EXAMPLE or 1234567-aB3dE5gH7jK9mN1pQ3sT').text).toBe(
      `use ${DROPPED} or ${DROPPED}`,
    );
  });

  test('what stands around stays, each one counts', () => {
    expect(scrub(`host a, password=${S}, user b, token=${S}.`)).toEqual({
      text: `host a, password=${DROPPED}, user b, token=${DROPPED}`,
      dropped: 2,
    });
    expect(scrub(`a ${PEM} b ${PEM} c`)).toEqual({ text: `a ${DROPPED} b ${DROPPED} c`, dropped: 2 });
  });
});

describe('every form of the tables', () => {
  const forms = [...CONFIG, ...HASHES, ...FILE_NAMES, ...SHAPES, ...REVERSED];

  test.each(forms.map((form) => [form.name, form] as const))(
    '%s: its example goes, nothing else',
    (_name, form) => {
      const { example } = form;
      const expected = example.replace(/⟦[^⟧]*⟧/gu, DROPPED);
      expect(apply([form], example.replace(/[⟦⟧]/gu, '')).text).toBe(expected);
      expect(scrub(example.replace(/[⟦⟧]/gu, '')).text).toBe(expected);
    },
  );

  test('each has a name of its own and says where its form is written down', () => {
    expect(new Set(forms.map(({ name }) => name)).size).toBe(forms.length);
    for (const { source } of forms) expect(source.length).toBeGreaterThan(3);
  });
});

describe('names stay', () => {
  test.each([
    'Morgan Hale',
    'Joe Doe | Pro IT Services',
    'Pass Key Ltd',
    'Basic Services Ltd',
    'Bearer Solutions',
    'Digest Magazine A/S',
    'Password Reset Desk',
    'Keymaster Token Ring',
    'Secretary: Ann Hjort',
    'Bypass: left',
    'S\u00f8ren \u00c6r\u00f8',
    'WIN-7F3KQ2',
    'svc.nvr@acme.example',
    'ACME\\administrator',
    'mailto:morgan@acme.example',
    'Room 4: Hale, M.',
    '{b3a4df33-d027-44d5-b50f-4e61115494d4}',
    '{3C6EF362-1C2D-4E5F-8A9B-000000000002}',
    'https://host.example:8443/path',
    'C:\\Program Files\\TeamViewer\\Connections_incoming.txt',
    '/var/log/teamviewer15/TeamViewer15_Logfile.log',
    'password was denied',
    'rfbClientSendString("password check failed!")',
    'CToken::GetSystemToken() set session 1',
    'PredefinedSessionPassword (reset) ForceId(1) CurrentId(1)',
    'acct="op" exe="/usr/bin/passwd" hostname=? addr=? terminal=pts/0 res=failed',
    'HasAutoLoginCredentials: 0',
    'connection closed, close code 4009',
    'changed password on hmi02',
    'SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP0',
    '',
  ])('%s', (text) => {
    expect(scrub(text)).toEqual({ text, dropped: 0 });
  });

  test('all made-up technicians', () => {
    for (let n = 0; n < 200; n++) {
      const { peerName, user, guid } = fakeConnection(n);
      for (const text of [peerName, user, guid]) expect(scrub(text)).toEqual({ text, dropped: 0 });
    }
  });
});

test('any text: no error, and a second pass finds nothing new', () => {
  const piece = fc.constantFrom(
    'password',
    '=',
    ':',
    ' ',
    '://',
    '@',
    'Bearer ',
    '"',
    "'",
    '-----BEGIN PRIVATE KEY-----',
    '\n',
    'is ',
    '--',
  );
  const text = fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 12 })), { maxLength: 30 });
  fc.assert(
    fc.property(text, (parts) => {
      const once = scrub(parts.join(''));
      expect(scrub(once.text).text.length).toBeLessThanOrEqual(once.text.length + DROPPED.length * 4);
    }),
    { numRuns: 2000 },
  );
});

test('a key written as name=value is gone whatever surrounds it', () => {
  const around = fc.string({ maxLength: 20 }).filter((text) => !/["']/.test(text));
  fc.assert(
    fc.property(around, around, (before, after) => {
      expect(scrub(`${before} password=${S} ${after}`).text).not.toContain(S);
    }),
    { numRuns: 1000 },
  );
});

test.each([
  'a',
  'password',
  'password ',
  'password=',
  'password:"',
  "token='",
  '://a:',
  'a:b',
  'a:b@',
  '-----BEGIN PRIVATE KEY-----',
  '-----BEGIN ',
  'Bearer ',
  'eyJhbGciOi.',
  'aA1-',
  ' --pass ',
  'password is ',
  'authorization',
  '1234-',
  'pw to ',
  'password for a is ',
  'kode til a ',
  'schl\u00fcssel ',
  'pin code ',
  'login a/',
  'net use \\\\a ',
  'psexec -p ',
  'curl -u a:',
  'echo a|',
  'cookie: a=b;',
  '://a b@',
  'a:22:c:d:',
  'password("',
  '/v pass /d ',
  'ConvertTo-SecureString ',
  'password &a=',
  'snmp sha ',
  'use a as ',
  'a1 er ',
  '-----END PRIVATE KEY-----',
  'AAAA\n-----END PRIVATE KEY-----',
  '-----BEGIN PUBLIC KEY-----',
  'WIFI:T:a;',
  '1 234 567 / ',
  'password from a to ',
  'password: aaa ',
  'community ',
  'su <<<',
  '-u a -p ',
  'otp key ',
  '{"name":"password","value":',
  '$6$a',
  '{SHA}',
  'aA1/',
  'aaaaaaaaB1',
  'kode_a',
  '/webhook/',
  'login a password ',
  'pwd={',
  'u: a p: ',
  ':1:a:b',
  'htpasswd -b a b ',
  'AUTH PLAIN ',
  'sk_a1',
  'abcd efgh ',
])('linear time: "%s" over and over', (unit) => {
  const time = (length: number): number => {
    const text = unit.repeat(length / unit.length);
    const start = process.cpuUsage().user;
    scrub(text);
    return (process.cpuUsage().user - start) / 1000;
  };
  time(50_000);
  // A quadratic pattern would take a hundred times as long, and minutes for the larger one.
  expect(time(500_000)).toBeLessThan(2000);
});
