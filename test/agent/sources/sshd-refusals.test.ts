import { describe, expect, test } from 'vitest';
import { CA, changesOf, KEY, NOON, oldStamp, PEER, reader, sshd, words } from '../../fixtures/sshd.ts';

describe('a refusal', () => {
  const closed = (who: string) => sshd(7, `Connection closed by ${who} ${PEER} port 9 [preauth]`);
  const failed = (who: string) => sshd(7, `Failed password for ${who} from ${PEER} port 9 ssh2`);

  test.each([
    ['a wrong password', [failed('m'), closed('authenticating user m')], ['wrong-password 1']],
    ['no account, by key', [closed('invalid user x')], ['unknown-account 1']],
    [
      'no account, all its lines',
      [sshd(7, `Invalid user x from ${PEER} port 9`), failed('invalid user x'), closed('invalid user x')],
      ['unknown-account 1'],
    ],
    [
      'no account, three passwords',
      [
        sshd(7, `Invalid user x from ${PEER}`),
        failed('invalid user x'),
        sshd(7, `message repeated 2 times: [ Failed password for invalid user x from ${PEER} port 9 ssh2]`),
        closed('invalid user x'),
      ],
      ['unknown-account 1', 'unknown-account 2'],
    ],
    ['a name of nothing', [failed('invalid user ')], ['unknown-account 1']],
    ['a wrong key, of which nothing else is said', [closed('authenticating user m')], ['unknown 1']],
    [
      'several wrong keys',
      [
        sshd(7, `Failed publickey for m from ${PEER} port 9 ssh2: RSA ${KEY}`),
        sshd(7, `Failed publickey for m from ${PEER} port 9 ssh2: RSA ${CA}`),
        sshd(7, `error: maximum authentication attempts exceeded for m from ${PEER} port 9 ssh2 [preauth]`),
        sshd(
          7,
          `Disconnecting authenticating user m ${PEER} port 9: Too many authentication failures [preauth]`,
        ),
      ],
      ['unknown 1'],
    ],
    [
      'an account that may not, all its lines',
      [
        sshd(7, `User m from ${PEER} not allowed because listed in DenyUsers`),
        failed('invalid user m'),
        closed('invalid user m'),
      ],
      ['not-allowed 1'],
    ],
    ['root, told apart', [sshd(7, `ROOT LOGIN REFUSED FROM ${PEER} port 9`)], ['not-allowed 1']],
    [
      'given up, in two lines',
      [
        sshd(7, `Received disconnect from ${PEER} port 9:11: Bye Bye [preauth]`),
        sshd(7, `Disconnected from authenticating user m ${PEER} port 9 [preauth]`),
      ],
      ['unknown 1'],
    ],
    [
      'given up, in the old form',
      [
        sshd(7, `Failed publickey for m from ${PEER} port 9 ssh2: RSA ${KEY}`),
        sshd(7, `Received disconnect from ${PEER}: 11: Bye Bye [preauth]`),
        sshd(7, `Connection closed by ${PEER} [preauth]`),
      ],
      ['unknown 1'],
    ],
    ['as older daemons repeat it', [failed('m'), again(3)], ['wrong-password 1', 'wrong-password 3']],
  ])('R72 %s', (_, lines, expected) => {
    expect(words(changesOf(lines))).toEqual(expected.map((text) => `rejected ${text}`));
  });

  function again(times: number): string {
    return `${oldStamp(NOON)} srv01 last message repeated ${times} times`;
  }

  test('R72 a repetition counts for the line before it only', () => {
    expect(words(changesOf([failed('m'), sshd(9, 'reading', 0, 'cron'), again(3)]))).toHaveLength(1);
    expect(changesOf([again(3)])).toEqual([]);
  });

  test('R1 R72 nothing is kept of a connection that is over: the next one of this number counts anew', () => {
    const by = reader();
    const knock = [sshd(7, `Invalid user x from ${PEER}`), sshd(7, `Connection closed by ${PEER} [preauth]`)];
    const twice = changesOf([...knock, ...knock, closed('authenticating user m')], by);
    expect(words(twice)).toEqual([
      'rejected unknown-account 1',
      'rejected unknown-account 1',
      'rejected unknown 1',
    ]);
    expect(by.sizes).toEqual({ open: 0, tries: 0 });
  });

  test('R4 a connection on which nothing was asked for is nothing', () => {
    expect(
      changesOf([
        sshd(7, `Connection from ${PEER} port 9 on 198.51.100.7 port 22 rdomain ""`),
        sshd(7, 'error: kex_exchange_identification: read: Connection reset by peer'),
        sshd(7, `Connection closed by ${PEER} port 9 [preauth]`),
        sshd(8, `Connection reset by ${PEER} port 10`),
        sshd(9, 'Did not receive identification string from 203.0.113.9 port 4'),
        sshd(9, 'pam_unix(sshd:auth): authentication failure; rhost=203.0.113.9  user=m'),
        sshd(9, 'PAM 2 more authentication failures; rhost=203.0.113.9  user=m'),
        sshd(9, 'error: PAM: Authentication failure for illegal user x from 203.0.113.9'),
        sshd(9, ''),
      ]),
    ).toEqual([]);
  });

  test.each([
    'x from 198.51.100.66 port 5 ssh2',
    'x from 198.51.100.66 port 5',
    'x from 198.51.100.66 port 5 ssh2: RSA SHA256:abc',
    'x 198.51.100.66 port 5 [preauth]',
    'from 198.51.100.66 port 5 ssh2 for y',
    'Accepted password for root from 198.51.100.66 port 5 ssh2',
    ' ',
  ])('R71 the name "%s" brings no address of its own, and lets nobody in', (name) => {
    for (const lines of [
      [sshd(7, `Invalid user ${name} from ${PEER} port 9`)],
      [failed(`invalid user ${name}`)],
      [closed(`invalid user ${name}`)],
      [
        sshd(
          7,
          `error: maximum authentication attempts exceeded for invalid user ${name} from ${PEER} port 9 ssh2 [preauth]`,
        ),
      ],
      [
        sshd(
          7,
          `Disconnecting invalid user ${name} ${PEER} port 9: Change of username or service not allowed: (${name},ssh-connection) -> (y 198.51.100.66 port 7: z,ssh-connection) [preauth]`,
        ),
      ],
    ]) {
      const changes = changesOf(lines);
      expect(changes).toHaveLength(1);
      expect(changes[0]).toMatchObject({
        what: 'rejected',
        count: 1,
        known: { peerIps: [{ ip: PEER }] },
      });
    }
  });

  test('a name that is no account is not told: it may be a password', () => {
    const changes = changesOf([
      sshd(7, `Invalid user S3cret! from ${PEER} port 9`),
      failed('invalid user x'),
    ]);
    expect(JSON.stringify(changes)).not.toMatch(/S3cret|localUser/);
    expect(changesOf([failed('m')])[0]).toMatchObject({ known: { localUser: 'm' } });
  });

  test('has the key of its peer', () => {
    const keys = changesOf([
      failed('m'),
      sshd(8, `Failed password for k from ${PEER} port 10 ssh2`),
      sshd(9, 'Failed password for k from 198.51.100.4 port 10 ssh2'),
    ]).map((change) => 'key' in change && change.key);
    expect(keys[0]).toBe(keys[1]);
    expect(keys[0]).not.toBe(keys[2]);
  });
});
