import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeMatcher, networkOf } from '../../agent/sources/match.ts';
import { sshdSays, unrepeated } from '../../agent/sources/sshd-says.ts';
import { changesOf, FORMS, KEY, NOON, PEER, reader, sshd, words } from '../fixtures/sshd.ts';

const REASONS = ['fields', 'start', 'too-long'];
const piece = fc.constantFrom(
  ...[
    'Accepted ',
    'Failed ',
    'Partial ',
    'publickey',
    'password',
    ' for ',
    'invalid user ',
    ' from ',
    ' port ',
  ],
  ...[
    PEER,
    '::1',
    ' 22',
    ' ssh2',
    ': ',
    KEY,
    ' [preauth]',
    'message repeated 3 times: [ ',
    ']',
    'Invalid user ',
  ],
  ...[
    'Connection closed by ',
    'Received disconnect from ',
    'pam_unix(sshd:session): session opened for user ',
  ],
  ...[
    ' by (uid=0)',
    'Disconnected from user ',
    '\0',
    '\r',
    '\ud800',
    'error: ',
    'authenticating user ',
    ' not allowed because ',
  ],
);
const message = fc
  .array(fc.oneof(piece, fc.string({ maxLength: 8 })), { maxLength: 14 })
  .map((parts) => parts.join(''));
const pid = fc.integer({ min: 1, max: 4 });
const written = fc
  .record({
    pid,
    message,
    form: fc.constantFrom(...Object.values(FORMS)),
    program: fc.constantFrom('sshd', 'sshd-session', 'systemd-logind', 'kernel', 'cron'),
    host: fc.constantFrom('a', 'b'),
    at: fc.integer({ min: 0, max: 4_000 }).map((second) => NOON + second * 1000),
  })
  .map(({ form, ...line }) => form(line));
const anyLine = fc.oneof(
  written,
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.tuple(written, fc.nat(200)).map(([line, cut]) => line.slice(0, cut)),
  fc.tuple(written, fc.nat(60)).map(([line, cut]) => line.slice(cut)),
);

test('R1 any lines are read, or refused with a known reason, and never an error', () => {
  fc.assert(
    fc.property(fc.array(anyLine, { maxLength: 30 }), (lines) => {
      const by = reader();
      for (const line of lines) {
        const result = by.line(line);
        if (!result.ok) expect(REASONS).toContain(result.reason);
      }
      expect(by.sizes.open + by.sizes.tries).toBeLessThanOrEqual(2 * lines.length);
    }),
    { numRuns: 1500 },
  );
});

test('R2 the same lines give the same changes; a session ends once, after it began', () => {
  fc.assert(
    fc.property(fc.array(anyLine, { maxLength: 40 }), (lines) => {
      const [one, two] = [reader(), reader()];
      const open = new Set<string>();
      for (const line of lines) {
        const result = one.line(line);
        expect(two.line(line)).toEqual(result);
        for (const change of result.ok ? result.changes : []) {
          if (change.what === 'started') {
            expect(open.has(change.key)).toBe(false);
            open.add(change.key);
          }
          if (change.what === 'updated') expect(open.has(change.key)).toBe(true);
          if (change.what === 'ended') expect(open.delete(change.key)).toBe(true);
        }
      }
      expect(one.sizes.open).toBe(open.size);
    }),
    { numRuns: 1500 },
  );
});

const name = fc
  .array(fc.oneof(piece, fc.string({ maxLength: 6 })), { maxLength: 8 })
  .map((parts) => parts.join(''));

test('R71 whatever name is typed, the refusal is of who typed it, counted once, and nobody is let in', () => {
  fc.assert(
    fc.property(
      name.map((text) => text.replaceAll('\r', '')),
      (typed) => {
        const real = '192.0.2.77';
        const changes = changesOf([
          sshd(7, `Invalid user ${typed} from ${real} port 999`),
          sshd(7, `Failed password for invalid user ${typed} from ${real} port 999 ssh2`),
          sshd(7, `Connection closed by invalid user ${typed} ${real} port 999 [preauth]`),
        ]);
        expect(words(changes)).toEqual(['rejected unknown-account 1']);
        expect(changes[0]).toMatchObject({ known: { peerIps: [{ ip: real }] } });
      },
    ),
    { numRuns: 2000 },
  );
});

test('R72 refusals of one connection are as many as its secrets, or one', () => {
  const secrets = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 5 });
  fc.assert(
    fc.property(secrets, fc.boolean(), fc.boolean(), (each, exists, key) => {
      const who = exists ? 'm' : 'invalid user m';
      const failed = `Failed password for ${who} from ${PEER} port 9 ssh2`;
      const lines = [
        ...(exists ? [] : [sshd(7, `Invalid user m from ${PEER} port 9`)]),
        ...(key ? [sshd(7, `Failed publickey for ${who} from ${PEER} port 9 ssh2: RSA ${KEY}`)] : []),
        ...each.map((n) => sshd(7, n === 1 ? failed : `message repeated ${n} times: [ ${failed}]`)),
        sshd(
          7,
          `Connection closed by ${exists ? 'authenticating' : 'invalid'} user m ${PEER} port 9 [preauth]`,
        ),
      ];
      const refused = changesOf(lines).reduce(
        (sum, change) => sum + (change.what === 'rejected' ? change.count : 0),
        0,
      );
      expect(refused).toBe(
        Math.max(
          1,
          each.reduce((sum, n) => sum + n, 0),
        ),
      );
    }),
  );
});

test('any message says something or nothing, in time that grows with its length only', () => {
  fc.assert(
    fc.property(message, fc.integer({ min: 1, max: 40 }), (text, times) => {
      const said = sshdSays(unrepeated(text.repeat(times)).message);
      if (said !== null && typeof said === 'object' && 'ip' in said && said.ip !== null)
        expect(text).toContain(said.ip);
    }),
    { numRuns: 2000 },
  );
});

test('R70 any list makes a matcher, and an address is in its own network', () => {
  const texts = fc.array(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), { maxLength: 5 });
  fc.assert(
    fc.property(texts, texts, texts, fc.oneof(fc.ipV4(), fc.ipV6()), (accounts, keys, networks, ip) => {
      const known = { peerIps: [{ ip, basis: 'socket' as const, scope: 'unknown' as const }] };
      expect(typeof makeMatcher({ accounts, keys, networks })(known)).toBe('boolean');
      expect(networkOf(ip)).not.toBeNull();
      expect(makeMatcher({ accounts: [], keys: [], networks: [ip] })(known)).toBe(true);
    }),
  );
});
