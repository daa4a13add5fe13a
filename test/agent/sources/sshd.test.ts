import { describe, expect, test } from 'vitest';
import { MAX_OPEN } from '../../../agent/sources/sshd-connections.ts';
import { MAX_TRIES } from '../../../agent/sources/sshd-tries.ts';
import { toIso } from '../../../protocol/time.ts';
import {
  CA,
  changesOf,
  FORMS,
  KEY,
  login,
  logout,
  NOON,
  oldStamp,
  PEER,
  reader,
  sshd,
  words,
} from '../../fixtures/sshd.ts';

const first = (lines: string[]) => changesOf(lines)[0];

describe('a session', () => {
  test('R2 begins at Accepted, ends at the first line that says so, whichever process writes it', () => {
    const changes = changesOf([...login(805, 'mholm', 50022), ...logout(805, 809, 'mholm', 50022, 90)]);
    expect(words(changes)).toEqual(['started key 0', 'ended completed']);
    expect(changes[0]).toMatchObject({
      direction: 'incoming',
      kind: 'shell',
      basis: 'assumed-zone',
      known: {
        peerIps: [{ ip: PEER, basis: 'socket', scope: 'public' }],
        localUser: 'mholm',
        toolSessionId: '805/50022',
        technician: KEY,
      },
    });
    expect(changes.map((change) => 'at' in change && toIso(change.at))).toEqual([
      '2026-11-22T12:00:00.000Z',
      '2026-11-22T12:01:30.000Z',
    ]);
  });

  test.each(Object.keys(FORMS))('is the same in the form %s', (form) => {
    const write = FORMS[form];
    const line = (pid: number, message: string, second: number) =>
      write?.({ at: NOON + second * 1000, pid, message, program: 'sshd-session', host: 'srv01' }) ?? '';
    const changes = changesOf([
      line(5, `Failed password for root from ${PEER} port 4 ssh2`, 0),
      line(805, `Accepted password for mholm from ${PEER} port 50022 ssh2`, 1),
      line(805, 'pam_unix(sshd:session): session closed for user mholm', 3),
    ]);
    expect(words(changes)).toEqual([
      'rejected wrong-password 1',
      'started fixed-password 0',
      'ended completed',
    ]);
    expect(changes.map((change) => 'at' in change && change.at)).toEqual([NOON, NOON + 1000, NOON + 3000]);
  });

  test.each([
    ['password', '', 'fixed-password'],
    ['keyboard-interactive/pam', '', 'fixed-password'],
    ['publickey', `: RSA ${KEY}`, 'key'],
    ['gssapi-with-mic', ': mholm@EXAMPLE.NET', 'account'],
    ['hostbased', `: RSA ${KEY}, client user "m", client host "h"`, 'account'],
    ['none', '', 'none'],
    ['something-new', '', 'unknown'],
  ])('by %s has the auth that fits', (method, proof, auth) => {
    const begun = first([sshd(7, `Accepted ${method} for m from ${PEER} port 9 ssh2${proof}`)]);
    expect(begun).toMatchObject({ what: 'started', auth });
    const technician = begun?.what === 'started' ? begun.known.technician : null;
    expect(technician).toBe(
      method === 'publickey' ? KEY : method.startsWith('gssapi') ? 'mholm@EXAMPLE.NET' : undefined,
    );
  });

  test('old fingerprints, a missing or doubled blank before ssh2, and none at all', () => {
    const md5 = '00:aa:bb:cc:dd:ee:ff:11:22:33:44:55:66:77:88:99';
    for (const [tail, technician] of [
      [` ssh2: RSA ${md5}`, md5],
      [` ssh2: RSA MD5:${md5}`, `MD5:${md5}`],
      ['  ssh2', undefined],
      ['', undefined],
    ] as const) {
      const begun = first([sshd(7, `Accepted publickey for m from 2001:db8::5 port 9${tail}`)]);
      expect(begun?.what === 'started' && begun.known).toMatchObject({
        peerIps: [{ ip: '2001:db8::5', basis: 'socket', scope: 'public' }],
      });
      expect(begun?.what === 'started' && begun.known.technician).toBe(technician);
    }
  });

  test('R71 with a certificate: its key, its name, and the address that stands before them', () => {
    const id = 'eva from 198.51.100.66 port 1 ssh2: x';
    const text = `Accepted publickey for m from ${PEER} port 9 ssh2: ED25519-CERT ${KEY} ID ${id} (serial 0) CA ED25519 ${CA}`;
    expect(first([sshd(7, text)])).toMatchObject({
      auth: 'key',
      known: { peerIps: [{ ip: PEER }], localUser: 'm', technician: KEY, peerNames: [id] },
    });
  });

  test('of two methods that are both asked for is one log-in, with the key of the first', () => {
    const changes = changesOf([
      sshd(7, `Accepted key ED25519 ${KEY} found at /home/m/.ssh/authorized_keys:1`),
      sshd(7, `Postponed publickey for m from ${PEER} port 9 ssh2 [preauth]`),
      sshd(7, `Partial publickey for m from ${PEER} port 9 ssh2: ED25519 ${KEY}`),
      sshd(7, `Postponed keyboard-interactive/pam for m from ${PEER} port 9 ssh2 [preauth]`),
      sshd(7, `Accepted keyboard-interactive/pam for m from ${PEER} port 9 ssh2`),
    ]);
    expect(words(changes)).toEqual(['started key 0']);
    expect(changes[0]).toMatchObject({ known: { technician: KEY } });
  });

  test('has the failed lines of its own connection before it, and no other one', () => {
    const changes = changesOf([
      sshd(6, `Failed password for m from ${PEER} port 8 ssh2`),
      sshd(7, `Failed password for m from ${PEER} port 9 ssh2`),
      sshd(7, `message repeated 2 times: [ Failed password for m from ${PEER} port 9 ssh2]`),
      sshd(7, `Accepted password for m from ${PEER} port 9 ssh2`),
    ]);
    expect(words(changes).slice(1)).toEqual([
      'rejected wrong-password 1',
      'rejected wrong-password 2',
      'started fixed-password 3',
    ]);
  });

  test.each([
    ['closed by PAM alone (client killed)', sshd(7, 'pam_unix(sshd:session): session closed for user m')],
    ['disconnected', sshd(8, `Disconnected from user m ${PEER} port 9`)],
    ['connection closed', sshd(8, `Connection closed by user m ${PEER} port 9`)],
    ['closed, without the user', sshd(7, `Connection closed by ${PEER} port 9`)],
    ['reset', sshd(8, `Connection reset by user m ${PEER} port 9`)],
    ['the other end silent', sshd(8, `Timeout, client not responding from user m ${PEER} port 9`)],
    ['read error', sshd(8, `Read error from remote host user m ${PEER} port 9: Connection reset by peer`)],
    [
      'broken pipe',
      sshd(8, `fatal: ssh_dispatch_run_fatal: Connection from user m ${PEER} port 9: Broken pipe`),
    ],
    ['old, by the same process', sshd(7, `Received disconnect from ${PEER}: 11: disconnected by user`)],
  ])('ends: %s', (_, line) => {
    expect(words(changesOf([...login(7, 'm', 9), line]))).toEqual(['started key 0', 'ended completed']);
  });

  test('ends when its process gets a signal', () => {
    expect(words(changesOf([...login(7, 'm', 9), sshd(7, 'Exiting on signal 15')]))[1]).toBe(
      'ended tool-stopped',
    );
  });

  test('R71 what the other end gives as its reason cannot end another session', () => {
    const lines = [
      ...login(7, 'm', 9),
      ...login(17, 'k', 19),
      sshd(18, `Received disconnect from ${PEER} port 19:11: user m ${PEER} port 9`),
    ];
    const changes = changesOf(lines);
    expect(words(changes)).toEqual(['started key 0', 'started key 0', 'ended completed']);
    expect(changes[2]).toMatchObject({ key: (changes[1] as { key: string }).key });
  });

  test('R73 outlives a restart of the daemon and a reload, but not its process number, nor its port', () => {
    const daemon = [
      sshd(1, 'Received SIGHUP; restarting.'),
      sshd(1, 'Received signal 15; terminating.'),
      sshd(2, 'Server listening on 0.0.0.0 port 22.'),
    ];
    const open = [...login(7, 'm', 9), ...daemon];
    expect(words(changesOf(open))).toEqual(['started key 0']);
    expect(words(changesOf([...open, ...login(7, 'k', 10, 60)]))).toEqual([
      'started key 0',
      'ended unknown',
      'started key 0',
    ]);
    expect(words(changesOf([...open, ...login(70, 'k', 9, 60)]))).toEqual([
      'started key 0',
      'ended unknown',
      'started key 0',
    ]);
    const knock = sshd(7, `Invalid user x from 198.51.100.4 port 3`, 60);
    expect(words(changesOf([...open, knock]))).toEqual([
      'started key 0',
      'ended unknown',
      'rejected unknown-account 1',
    ]);
  });

  test('R73 ends with the machine: a kernel that starts, logind that stops it, another boot in the journal', () => {
    const at = oldStamp(NOON + 60_000);
    for (const line of [
      `${at} srv01 kernel: [    0.000000] Linux version 6.1.0-18-amd64 (x@y)`,
      `${at} srv01 systemd-logind[400]: System is rebooting.`,
      `${at} srv01 systemd-logind[400]: The system will power off now!`,
    ]) {
      expect(words(changesOf([...login(7, 'm', 9), line]))).toEqual(['started key 0', 'ended tool-stopped']);
    }
    const elsewhere = `${at} srv02 kernel: [    0.000000] Linux version 6.1.0-18-amd64 (x@y)`;
    expect(words(changesOf([...login(7, 'm', 9), elsewhere]))).toEqual(['started key 0']);
    const journal = (boot: string, message: string) =>
      JSON.stringify({
        __REALTIME_TIMESTAMP: `${NOON}000`,
        _COMM: 'sshd',
        _PID: '7',
        _BOOT_ID: boot,
        MESSAGE: message,
      });
    const accepted = journal('aa', `Accepted password for m from ${PEER} port 9 ssh2`);
    const listening = 'Server listening on :: port 22.';
    expect(words(changesOf([accepted, journal('aa', listening)]))).toEqual(['started fixed-password 0']);
    expect(words(changesOf([accepted, journal('bb', listening)]))[1]).toBe('ended tool-stopped');
  });

  test('killed without a word ends when logind has removed it', () => {
    const logind = (message: string, second: number) => sshd(400, message, second, 'systemd-logind');
    for (const created of ["New session '12' of user 'm' with class 'user'.", 'New session 12 of user m.']) {
      const changes = changesOf([
        ...login(7, 'm', 9),
        logind(created, 0),
        logind('Session 12 logged out. Waiting for processes to exit.', 5),
        logind('Removed session 12.', 8),
      ]);
      expect(words(changes)).toEqual(['started key 0', 'ended tool-stopped']);
      expect(changes[1]).toMatchObject({ at: NOON + 8000 });
    }
  });

  test('R3 logind’s session is not guessed where two of one user begin together', () => {
    const logind = (message: string) => sshd(400, message, 1, 'systemd-logind');
    const both = [...login(7, 'm', 9), ...login(17, 'm', 19), logind('New session 12 of user m.')];
    expect(words(changesOf([...both, logind('Removed session 12.')]))).toEqual([
      'started key 0',
      'started key 0',
    ]);
    const told = JSON.stringify({
      __REALTIME_TIMESTAMP: `${NOON}000`,
      _HOSTNAME: 'srv01',
      _COMM: 'systemd-logind',
      LEADER: '7',
      MESSAGE: 'New session 12 of user m.',
    });
    const by = [...both.slice(0, 4), told, logind('Removed session 12.')];
    expect(words(changesOf(by))[2]).toBe('ended tool-stopped');
  });

  test('for files only, where a line says so', () => {
    const sftp = 'subsystem request for sftp by user m';
    expect(words(changesOf([...login(7, 'm', 9), sshd(8, sftp)]))[1]).toBe('updated file-transfer');
    const verbose = (what: string) => sshd(8, `Starting session: ${what} for m from ${PEER} port 9 id 0`);
    expect(words(changesOf([...login(7, 'm', 9), verbose("subsystem 'sftp'")]))[1]).toBe(
      'updated file-transfer',
    );
    const shellToo = [...login(7, 'm', 9), verbose("subsystem 'sftp'"), verbose('shell on pts/1')];
    expect(words(changesOf(shellToo))).toEqual(['started key 0', 'updated file-transfer', 'updated shell']);
    expect(words(changesOf([...login(7, 'm', 9), verbose('command'), sshd(8, sftp)]))).toHaveLength(1);
  });

  test('R3 whose files they are is not guessed: two of one user, or long after the start', () => {
    const sftp = (second: number) => sshd(8, 'subsystem request for sftp by user m', second);
    expect(words(changesOf([...login(7, 'm', 9), ...login(17, 'm', 19), sftp(1)]))).toHaveLength(2);
    expect(words(changesOf([...login(7, 'm', 9), sftp(60)]))).toHaveLength(1);
    const told = [...login(7, 'm', 9), sshd(7, 'User child is on pid 8'), ...login(17, 'm', 19), sftp(60)];
    expect(words(changesOf(told))[2]).toBe('updated file-transfer');
  });

  test('R3 of which only PAM tells has no peer and no auth', () => {
    const changes = changesOf([
      sshd(7, 'pam_unix(sshd:session): session opened for user m by (uid=0)'),
      sshd(7, 'pam_unix(sshd:session): session closed for user m', 5),
    ]);
    expect(words(changes)).toEqual(['started null null', 'ended completed']);
    expect(changes[0]).toMatchObject({ known: { localUser: 'm', toolSessionId: '7' } });
    expect(changes[0]).not.toHaveProperty('known.peerIps');
  });

  test('of a process that no line names is told by address and port', () => {
    const line = (message: string) => `${oldStamp(NOON)} srv01 sshd: ${message}`;
    const accepted = line(`Accepted password for m from ${PEER} port 9 ssh2`);
    const changes = changesOf([
      line(`Failed password for m from ${PEER} port 9 ssh2`),
      accepted,
      line(`Accepted password for m from ${PEER} port 10 ssh2`),
      line(`Disconnected from user m ${PEER} port 9`),
    ]);
    expect(words(changes).slice(1)).toEqual([
      'started fixed-password 1',
      'started fixed-password 0',
      'ended completed',
    ]);
    expect(changes[1]).not.toHaveProperty('known.toolSessionId');
  });

  test('in the hour that the clocks show twice does not end before it begins', () => {
    const zone = 'Europe/Copenhagen';
    const by = reader(Date.UTC(2026, 9, 25, 12), zone);
    const stamp = (time: string, message: string) => `Oct 25 ${time} srv01 sshd[7]: ${message}`;
    const changes = changesOf(
      [
        stamp('02:50:00', `Accepted password for m from ${PEER} port 9 ssh2`),
        stamp('02:10:00', `Disconnected from user m ${PEER} port 9`),
      ],
      by,
    );
    expect(changes.map((change) => 'at' in change && toIso(change.at))).toEqual([
      '2026-10-25T00:50:00.000Z',
      '2026-10-25T01:10:00.000Z',
    ]);
  });

  test('an address of this machine, or of its network, is told as such', () => {
    const scope = (ip: string) => {
      const begun = first([sshd(7, `Accepted password for m from ${ip} port 9 ssh2`)]);
      return begun?.what === 'started' ? (begun.known.peerIps?.[0]?.scope ?? null) : null;
    };
    expect(
      ['198.51.100.7', '127.0.0.1', '::1', '10.1.2.3', 'fe80::1%eth0', '::ffff:203.0.113.4', 'UNKNOWN'].map(
        scope,
      ),
    ).toEqual(['own-adapter', 'own-adapter', 'own-adapter', 'private', 'private', 'public', null]);
  });
});

describe('R4 lines that cannot be read', () => {
  test.each([
    ['fields', sshd(7, 'Accepted password for m from somewhere')],
    ['fields', sshd(7, `Failed password for m from ${PEER} port ssh2`)],
    ['start', sshd(7, 'Server listening').replace('Nov', 'Nix')],
    ['start', `sshd[7]: Accepted password for m from ${PEER} port 9 ssh2`],
    ['fields', `{"_COMM":"sshd","MESSAGE":"Accep`],
    ['fields', `{"_COMM":"sshd","_PID":"7","__REALTIME_TIMESTAMP":"1","MESSAGE":null}`],
    ['too-long', sshd(7, `Invalid user ${'x'.repeat(9_000)} from ${PEER} port 9`)],
    ['too-long', sshd(7, 'x'.repeat(70_000))],
  ])('%s', (reason, line) => {
    expect(reader().line(line)).toEqual({ ok: false, reason });
  });

  test.each([
    sshd(7, 'Accepted password for m from x', 0, 'CRON'),
    sshd(7, 'Accepted password for m from x', 0, 'sshd-keygen'),
    `{"_COMM":"logger","SYSLOG_IDENTIFIER":"sshd","__REALTIME_TIMESTAMP":"1","MESSAGE":"Accepted password for m from ${PEER} port 9 ssh2"}`,
    '{"sshd":1}',
    '',
    'x',
    '<38>',
    'Nov 22 12:00:00 srv01',
  ])('others’ lines are nothing: %s', (line) => {
    expect(reader().line(line)).toEqual({ ok: true, changes: [] });
  });
});

describe('R1 what is remembered is bounded', () => {
  test('100,000 refusals, each of its own process, and five real log-ins among them', () => {
    const by = reader();
    const started: string[] = [];
    let refused = 0;
    for (let n = 0; n < 100_000; n++) {
      const peer = `198.51.100.${n % 250} port ${1024 + (n % 60_000)}`;
      const lines = [sshd(n + 10, `Failed password for invalid user u${n} from ${peer} ssh2`)];
      const real = n - (n % 20_000);
      const about = [500_000 + real, `real${real}`, 40_000 + real / 20_000] as const;
      if (n === real) lines.push(...login(...about));
      if (n === real + 90) lines.push(...logout(about[0], 2, about[1], about[2]));
      for (const change of changesOf(lines, by)) {
        if (change.what === 'started') started.push(change.known.localUser ?? '');
        if (change.what === 'rejected') refused += change.count;
      }
      if (by.sizes.tries > MAX_TRIES || by.sizes.open > 1) throw new Error('more is remembered than may be');
    }
    expect(by.sizes).toEqual({ open: 0, tries: MAX_TRIES });
    expect(started).toEqual(['real0', 'real20000', 'real40000', 'real60000', 'real80000']);
    expect(refused).toBe(100_000);
  });

  test('more sessions than that, none of which is said to end: the oldest is told as ended, how is not known', () => {
    const by = reader();
    const changes = changesOf(
      Array.from({ length: MAX_OPEN + 3 }, (_, n) =>
        sshd(n + 10, `Accepted password for m from ${PEER} port ${1024 + n} ssh2`),
      ),
      by,
    );
    expect(words(changes).filter((text) => text === 'ended unknown')).toHaveLength(3);
    expect(by.sizes.open).toBe(MAX_OPEN);
  });
});
