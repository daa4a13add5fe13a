/** AnyDesk's traces and its list of connections: R30 to R33. */
import { describe, expect, it } from 'vitest';
import { makeAnydeskTraceReader } from '../../../agent/sources/anydesk.ts';
import {
  makeAnydeskConnectionReader,
  sameSession,
  type Witness,
} from '../../../agent/sources/anydesk-rows.ts';
import { utcMs } from '../../../protocol/time.ts';
import {
  accept,
  authenticated,
  client,
  type Entry,
  entry,
  IP,
  loggedIn,
  NAME,
  NOISE,
  OWN_IP,
  PEER,
  quitAsked,
  request,
  row,
  socketClosed,
  startup,
} from '../../fixtures/anydesk.ts';
import { atOf, changesOf, keysOf, made, problemOf, whats } from './reader.ts';

const read = (...lines: string[]) => changesOf(made(makeAnydeskTraceReader, [OWN_IP]), lines);
const rows = (...lines: string[]) => changesOf(made(makeAnydeskConnectionReader), lines);
const OTHER = '611111111';

describe('a trace', () => {
  it('R31 tells a whole session: request, access, files, end', () => {
    const changes = read(
      ...NOISE,
      accept({ at: '20:29:01.000' }),
      client({ at: '20:29:01.001' }),
      loggedIn({ at: '20:29:01.001' }),
      request({ at: '20:29:04.298' }),
      entry('app.backend_session', 'Remote OS: Windows, Connection flags: direct', {}),
      authenticated('by local user (elevated).', { at: '20:29:09.000' }),
      entry('app.local_file_transfer', 'Preparation of 3 files completed (io_ok).', { role: 'front' }),
      entry('app.local_file_transfer', 'Preparation of 2 files completed (io_error).', { role: 'front' }),
      entry('app.local_file_transfer', 'Download started (1).', { role: 'front' }),
      socketClosed({ at: '20:40:00.000' }),
      quitAsked({ at: '20:40:00.001' }),
      entry('app.session', 'Session closed by remote side.', { at: '20:40:00.500' }),
    );
    expect(whats(changes)).toEqual([
      'attempted',
      'updated',
      'updated',
      'started',
      'updated',
      'updated',
      'ended',
    ]);
    expect(keysOf(changes).size).toBe(1);
    expect(changes[0]).toMatchObject({ known: { peerId: PEER }, direction: 'incoming', basis: 'file-utc' });
    expect(changes[3]).toMatchObject({
      auth: 'click',
      failedAttempts: null,
      kind: 'unknown',
      known: {
        peerId: PEER,
        peerNames: [NAME],
        peerIps: [{ ip: IP, basis: 'relay-login', scope: 'public' }],
      },
    });
    expect([atOf(changes[0]), atOf(changes[3]), atOf(changes[6])]).toEqual([
      '2026-02-16T20:29:01.000Z',
      '2026-02-16T20:29:09.000Z',
      '2026-02-16T20:40:00.000Z',
    ]);
    expect(changes.slice(4, 6)).toMatchObject([{ files: 3 }, { files: 4 }]);
  });

  it('R30 look-ups, own ids and the external address are nothing', () => {
    expect(read(...NOISE, client(), loggedIn(), quitAsked(), authenticated())).toEqual([]);
  });

  it('R30 the address of a look-up before the request counts, one of another fiber or of long ago does not', () => {
    const ipsAfter = (...lines: string[]) => JSON.stringify(read(...lines)).includes(IP);
    expect(ipsAfter(client(), loggedIn(), accept({ at: '20:29:30.000' }))).toBe(true);
    expect(ipsAfter(client(), loggedIn({ fiber: 40 }), accept())).toBe(false);
    expect(ipsAfter(client(), loggedIn(), accept({ at: '20:45:00.000' }))).toBe(false);
    expect(ipsAfter(client({ peer: OTHER }), loggedIn(), accept())).toBe(false);
    expect(ipsAfter(accept(), client(), loggedIn({ at: '20:45:00.000' }))).toBe(false);
  });

  it('R31 without a line of access an attempt stays one, and has an end', () => {
    const changes = read(request(), entry('app.backend_session', 'Remote version: 7.0.7'), socketClosed());
    expect(whats(changes)).toEqual(['attempted', 'ended']);
    expect(changes[0]).toMatchObject({ known: { peerNames: [NAME] } });
    expect(read(request({ name: '-' }))[0]).not.toHaveProperty('known.peerNames');
  });

  it.each([
    ['by local user.', 'click'],
    ['with correct passphrase.', 'fixed-password'],
    [`with correct passphrase of profile '_unattended_access'.`, 'fixed-password'],
    ['by password', 'fixed-password'],
    ['with permanent token.', 'key'],
    ['by a way that is new.', 'unknown'],
  ])('access %s is %s', (how, auth) => {
    const [, started] = read(accept(), authenticated(how));
    expect(started).toMatchObject({ what: 'started', auth });
    const [, numbered] = read(request({ thread: 'wrk1' }), entry('app.session', `3: Authenticated ${how}`));
    expect(numbered).toMatchObject({ what: 'started', auth });
  });

  it('a passphrase that was not accepted is judged by what follows', () => {
    const denied = (at: string) => entry('app.session', 'Passphrase not accepted.', { at });
    const in2 = read(request(), denied('20:29:10.000'), denied('20:29:20.000'), authenticated('by password'));
    expect(in2[1]).toMatchObject({ what: 'started', failedAttempts: 2 });
    const out = read(request(), denied('20:29:10.000'), socketClosed({ at: '20:29:30.000' }));
    expect(out[1]).toMatchObject({
      what: 'rejected',
      reason: 'wrong-password',
      count: 1,
      known: { peerId: PEER },
    });
    expect(atOf(out[1])).toBe('2026-02-16T20:29:04.298Z');
  });

  it.each([
    entry('app.backend_session', 'The socket was closed remotely.'),
    entry('app.backend_session', 'The user has requested a connection quit.'),
    entry('app.backend_session', 'Session stopped.'),
    entry('app.session', 'Session closed by local side.'),
    accept().replace(/Accept.*/, 'Received quit.'),
  ])('ends: %#', (end) => {
    const changes = read(accept(), request(), authenticated(), end);
    expect(changes.at(-1)).toMatchObject({ what: 'ended', reason: 'completed' });
  });

  it('R32 two at once keep apart by process', () => {
    const second: Entry = { pid: 5_120, thread: 5_124 };
    const changes = read(
      request({ at: '20:29:00.000' }),
      request({ at: '20:30:00.000', peer: OTHER, name: '-', ...second }),
      authenticated('by password', { at: '20:30:05.000', ...second }),
      authenticated('by local user.', { at: '20:30:06.000' }),
      socketClosed({ at: '20:35:00.000' }),
      quitAsked({ at: '20:35:00.100' }),
      quitAsked({ at: '20:41:00.000', ...second }),
    );
    expect(whats(changes)).toEqual(['attempted', 'attempted', 'started', 'started', 'ended', 'ended']);
    const ids = changes.map((one) => ('key' in one ? (one.key.split('/')[1] ?? '') : ''));
    expect(ids).toEqual([PEER, OTHER, OTHER, PEER, PEER, OTHER]);
  });

  it('R32 access that may be of either is told of nobody, an end of several not at all', () => {
    const changes = read(
      accept({ at: '20:29:00.000' }),
      accept({ at: '20:29:30.000', peer: OTHER, fiber: 41 }),
      authenticated('by password', { role: 'lctrl', pid: 1, at: '20:29:40.000' }),
      entry('app.session', 'Session closed by remote side.', { role: 'lctrl', pid: 2, at: '20:39:00.000' }),
    );
    expect(whats(changes)).toEqual(['attempted', 'attempted', 'started']);
    expect(changes[2]).toMatchObject({ known: {}, auth: 'fixed-password' });
  });

  it('R32 what the window of an outgoing session says is of no incoming one', () => {
    const out: Entry = { role: 'front', pid: 6_252 };
    const prepared = entry('app.local_file_transfer', 'Preparation of 1 files completed (io_ok).', out);
    const changes = read(
      accept(),
      authenticated(),
      entry('anynet.connection_mgr', 'Making a new connection to client 7cce5d0f.', {
        ...out,
        at: '20:31:00.000',
      }),
      prepared,
      entry('app.session', 'Session closed by local side.', { ...out, at: '20:32:00.000' }),
    );
    expect(whats(changes)).toEqual(['attempted', 'started']);
    expect(read(prepared)).toEqual([]);
  });

  it('R32 an attempt that nobody answered gives way to a younger one', () => {
    const changes = read(
      accept({ at: '20:00:00.000' }),
      accept({ at: '20:29:00.000', peer: OTHER, fiber: 41 }),
      authenticated('by password', { at: '20:29:10.000', role: 'lctrl', pid: 1 }),
    );
    expect(changes.at(-1)).toMatchObject({ what: 'started', known: { peerId: OTHER } });
    const again = read(accept({ at: '20:00:00.000' }), accept({ at: '20:05:00.000' }));
    expect(whats(again)).toEqual(['attempted', 'ended', 'attempted']);
    expect(again[1]).toMatchObject({ reason: 'unknown' });
  });

  it('R33 the service that starts ends what was open, a process for a session does not', () => {
    const open = [accept(), request(), authenticated()];
    for (const role of ['gsvc', 'lsvc']) {
      const changes = read(
        ...open,
        ...startup(role, { at: '21:00:00.000' }),
        socketClosed({ at: '21:00:01.000' }),
      );
      expect(whats(changes)).toEqual(['attempted', 'updated', 'started', 'tool-stopped']);
      expect(atOf(changes[3])).toBe('2026-02-16T21:00:00.000Z');
    }
    for (const role of ['front', 'back', 'lctrl']) {
      expect(whats(read(...open, ...startup(role)))).toEqual(['attempted', 'updated', 'started']);
    }
    const reused = read(...open, ...startup('back', { at: '21:00:00.000', pid: 4_668 }));
    expect(reused.at(-1)).toMatchObject({ what: 'ended', reason: 'unknown' });
  });

  it('R4 damage has a reason', () => {
    const reader = made(makeAnydeskTraceReader);
    expect(problemOf(reader, request().replace(`(${PEER})`, ''))).toBe('peer-id');
    expect(problemOf(reader, accept().replace(PEER, 'x'))).toBe('peer-id');
    expect(problemOf(reader, request({ at: '25:29:04.298' }))).toBe('start');
    expect(problemOf(reader, 'x'.repeat(70_000))).toBe('too-long');
  });

  it('R1 very many attempts are bounded', () => {
    const many = Array.from({ length: 100 }, (_, n) => accept({ peer: String(500_000_000 + n), fiber: n }));
    const changes = read(...many);
    expect(changes.filter((one) => one.what === 'ended')).toHaveLength(100 - 64);
  });
});

describe('the list of connections', () => {
  it('a row is a session without a known end', () => {
    const changes = rows(row());
    expect(changes).toMatchObject([
      { what: 'started', auth: 'click', direction: 'incoming', basis: 'file-utc', known: { peerId: PEER } },
      { what: 'ended', reason: 'unknown' },
    ]);
    expect(changes.map(atOf)).toEqual(['2026-02-16T20:29:00.000Z', '2026-02-16T20:29:00.000Z']);
    expect(changes[0]).not.toHaveProperty('known.peerNames');
    expect(keysOf(changes).size).toBe(1);
  });

  it.each([
    ['Passwd', 'fixed-password'],
    ['Token', 'key'],
    ['Something', 'unknown'],
  ])('%s is %s', (how, auth) => {
    expect(rows(row({ how }))[0]).toMatchObject({ what: 'started', auth });
  });

  it('refused by the person at the machine, with an alias, outgoing, in one blank', () => {
    expect(rows(row({ how: 'REJECTED' }))).toMatchObject([
      { what: 'rejected', reason: 'not-allowed', count: 1 },
    ]);
    expect(rows(row({ alias: 'vestby@ad' }))[0]).toMatchObject({ known: { peerNames: ['vestby@ad'] } });
    expect(rows(row({ direction: 'Outgoing' }))[0]).toMatchObject({ direction: 'outgoing' });
    expect(rows(`Incoming 2026-02-16, 20:29 User vestby@ad 654321`)[0]).toMatchObject({
      known: { peerId: '654321', peerNames: ['vestby@ad'] },
    });
  });

  it('R4 damage has a reason, and anything else is nothing', () => {
    const reader = made(makeAnydeskConnectionReader);
    expect(problemOf(reader, row({ when: '2026-02-16,' }))).toBe('start');
    expect(problemOf(reader, row({ when: '2026-02-30, 20:29' }))).toBe('start');
    expect(problemOf(reader, row({ id: 'x', alias: 'y' }))).toBe('peer-id');
    expect(problemOf(reader, 'Incoming  who knows')).toBe('fields');
    expect(problemOf(reader, ' '.repeat(70_000))).toBe('too-long');
    expect(problemOf(reader, 'a line of text')).toBe('0 changes');
  });
});

describe('which of two files tell of one session', () => {
  const at = (text: string) => utcMs(Date.parse(`2026-02-16T${text}Z`));
  const trace = (first: string, granted: string | null, peerId: string | null = PEER): Witness => ({
    peerId,
    firstAt: at(first),
    grantedAt: granted === null ? null : at(granted),
    precision: 'ms',
  });
  const minute = (text: string): Witness => ({ ...trace(text, null), precision: 'minute' });

  it.each([
    [minute('20:29:00'), trace('20:29:04.298', '20:29:09'), true],
    [minute('20:30:00'), trace('20:29:50', '20:30:02'), true],
    [minute('20:31:00'), trace('20:29:50', '20:30:59.999'), true],
    [minute('20:28:00'), trace('20:29:04', null), false],
    [minute('20:32:00'), trace('20:29:50', '20:30:02'), false],
    [minute('20:29:00'), trace('20:29:04', null, OTHER), false],
    [minute('20:29:00'), minute('20:29:00'), true],
    [minute('20:29:00'), minute('20:30:00'), false],
    [trace('20:29:01', null), trace('20:29:04.298', '20:29:09'), true],
    [trace('20:29:01', null), trace('20:31:04', null), false],
    [trace('20:29:01', null, null), trace('20:29:01', null, null), false],
  ])('%#', (one, other, same) => {
    expect([sameSession(one, other), sameSession(other, one)]).toEqual([same, same]);
  });
});
