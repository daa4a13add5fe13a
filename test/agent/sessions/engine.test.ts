/** A real log, followed into a real journal: what is told of sessions, whatever happens in between. */
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MOST_PEERS } from '../../../agent/sessions/failures.ts';
import { Follower } from '../../../agent/sources/follow.ts';
import { HOUR_MS, SECOND_MS } from '../../../protocol/time.ts';
import {
  at,
  failed,
  login,
  logout,
  noise,
  type SshdRig,
  type SshdRigOptions,
  sshdRig,
} from './sshd-world.ts';

const T = at('2026-11-20T10:00:00.000Z');
const rigs: SshdRig[] = [];
function open(o: SshdRigOptions = {}): SshdRig {
  const rig = sshdRig(o);
  rigs.push(rig);
  return rig;
}
afterEach(async () => {
  for (const { chain } of rigs.splice(0)) await chain.stop();
});

describe('a session', () => {
  it('B4 is told when it begins and when it ends, under one id', async () => {
    const r = open();
    r.write(login(T, 100));
    await r.drain();
    const [start] = r.ofType('session.started');
    expect(start).toMatchObject({
      tool: 'sshd',
      direction: 'incoming',
      startedAt: '2026-11-20T10:00:00.000Z',
    });
    expect(r.ofType('session.ended')).toEqual([]);
    r.write(logout(T + 90 * SECOND_MS, 100));
    await r.drain();
    expect(r.ofType('session.ended')).toMatchObject([
      { session: start?.session, durationSeconds: 90, reason: 'completed' },
    ]);
  });

  it('B5 keeps its id over restarts, and what was told is not told again', async () => {
    const r = open();
    r.write(login(T, 100) + login(T + 1000, 101) + noise(T + 2000));
    await r.drain();
    await r.restart();
    await r.drain();
    r.write(logout(T + 5_000, 101));
    await r.drain();
    await r.restart();
    r.write(logout(T + 9_000, 100));
    await r.drain();
    const starts = r.ofType('session.started');
    expect(starts).toHaveLength(2);
    expect(r.ofType('session.ended')).toMatchObject([
      { session: starts[1]?.session, durationSeconds: 4 },
      { session: starts[0]?.session, durationSeconds: 9 },
    ]);
  });

  it('B5 is found again in a log that was rotated away', async () => {
    const r = open();
    r.write(login(T, 100));
    await r.drain();
    renameSync(r.path, `${r.path}.1`);
    writeFileSync(r.path, noise(T + 1000) + login(T + 2000, 200));
    await r.drain();
    await r.restart();
    r.write(logout(T + 60_000, 100));
    await r.drain();
    const [first] = r.ofType('session.started');
    expect(r.ofType('session.ended')).toMatchObject([{ session: first?.session, durationSeconds: 60 }]);
  });

  it('B5 whose lines are gone ends as unknown', async () => {
    const r = open();
    r.write(login(T, 100));
    await r.drain();
    renameSync(r.path, `${r.path}.1`);
    writeFileSync(r.path, noise(T + 1000));
    await r.drain();
    rmSync(`${r.path}.1`);
    await r.restart();
    await r.drain();
    expect(r.ofType('session.ended')).toMatchObject([{ reason: 'unknown' }]);
  });

  it('S3 nothing of it lies in the cursor: places and ids only', async () => {
    const r = open();
    r.write(login(T, 100, 'a.canary.account', '203.0.113.99'));
    await r.drain();
    const cursor = r.w.journal.cursor(r.w.journal.sourceId(`sshd\0${r.path}`)) ?? '';
    expect(cursor).toContain(String(r.ofType('session.started')[0]?.session));
    for (const text of ['a.canary.account', '203.0.113.99', '40100']) expect(cursor).not.toContain(text);
  });
});

describe('a step that is not stored', () => {
  it('B9 changes nothing: what it said of sessions is told once, when there is a key group', async () => {
    const r = open();
    r.w.journal.deadGroups([r.late.signed.group as never]);
    r.write(login(T, 100));
    for (let i = 0; i < 4; i += 1) await r.chain.turn();
    expect(r.ofType('session.started')).toEqual([]);
    r.write(logout(T + 1000, 100));
    const { group } = await import('../support.ts');
    r.w.journal.addGroups([group('late').signed]);
    for (let i = 0; i < 4; i += 1) await r.chain.turn();
    expect(r.ofType('session.started')).toHaveLength(1);
    expect(r.ofType('session.ended')).toHaveLength(1);
  });
});

describe('a journal without room', () => {
  const replays = () => vi.spyOn(Follower.prototype, 'replay');
  afterEach(() => vi.restoreAllMocks());
  async function closed(r: SshdRig, turns: number): Promise<void> {
    for (let i = 0; i < turns; i += 1) expect(await r.chain.turn()).toBe('stuck');
  }
  async function reopen(r: SshdRig): Promise<void> {
    const { group } = await import('../support.ts');
    r.w.journal.addGroups([group('late').signed]);
    await r.drain();
  }

  it('U20 is tried again and again without reading the log again, and then each session is told once', async () => {
    const r = open();
    r.write(login(T, 100));
    await r.drain();
    const again = replays();
    r.w.journal.deadGroups([r.late.signed.group as never]);
    r.write(login(T + 1000, 101) + logout(T + 2000, 100));
    await closed(r, 25);
    // What is written meanwhile is for later.
    r.write(logout(T + 3000, 101));
    await closed(r, 25);
    expect(again).not.toHaveBeenCalled();
    await reopen(r);
    const [first, second] = r.ofType('session.started').map(({ session }) => session);
    expect(r.ofType('session.started')).toHaveLength(2);
    expect(r.ofType('session.ended')).toMatchObject([
      { session: first, durationSeconds: 2 },
      { session: second, durationSeconds: 2 },
    ]);
    expect(again).not.toHaveBeenCalled();
    await r.restart();
    await r.drain();
    expect(r.ofType('session.started')).toHaveLength(2);
  });

  it('U20 F2 where the log is rotated meanwhile, twice, nothing is lost and nothing told twice', async () => {
    const r = open();
    r.write(login(T, 100));
    await r.drain();
    r.w.journal.deadGroups([r.late.signed.group as never]);
    r.write(login(T + 1000, 101));
    await closed(r, 3);
    for (const [n, pid] of [102, 103].entries()) {
      rmSync(`${r.path}.1`, { force: true });
      renameSync(r.path, `${r.path}.1`);
      writeFileSync(r.path, login(T + 2000 + n, pid));
      for (let i = 0; i < 4; i += 1) await r.chain.turn();
    }
    await reopen(r);
    expect(r.ofType('session.started')).toHaveLength(4);
    expect(r.ofType('source.rotated').length).toBeGreaterThanOrEqual(2);
    r.write(logout(T + 60_000, 100) + logout(T + 60_000, 103));
    await r.drain();
    const [oldest] = r.ofType('session.started');
    const ended = r.ofType('session.ended');
    expect(ended).toHaveLength(2);
    expect(ended[0]).toMatchObject({ session: oldest?.session, reason: 'completed' });
  });
});

it('U20 where the file was written anew meanwhile it is made anew: what it does not say any more is not told', async () => {
  const r = open();
  r.write(login(T, 100));
  await r.drain();
  r.w.journal.deadGroups([r.late.signed.group as never]);
  r.write(login(T + 1000, 101));
  for (let i = 0; i < 3; i += 1) expect(await r.chain.turn()).toBe('stuck');
  writeFileSync(r.path, login(T + 2000, 202) + noise(T + 2500));
  for (let i = 0; i < 6; i += 1) await r.chain.turn();
  const { group } = await import('../support.ts');
  r.w.journal.addGroups([group('late').signed]);
  await r.drain();
  r.write(logout(T + 6000, 202));
  await r.drain();
  const starts = r.ofType('session.started').map(({ startedAt }) => startedAt);
  expect(starts).toEqual(['2026-11-20T10:00:00.000Z', '2026-11-20T10:00:02.000Z']);
  expect(r.ofType('session.ended')).toMatchObject([
    { reason: 'unknown' },
    { durationSeconds: 4, reason: 'completed' },
  ]);
});

/** As on a machine whose log is written now. */
function now(r: SshdRig, to = T): void {
  r.w.clock.advance(to - r.w.clock.now());
}

describe('failures', () => {
  it('B1 the first of a peer is told at once, the rest of the hour in one', async () => {
    const r = open();
    now(r);
    const lines = Array.from({ length: 500 }, (_, i) => failed(T + i * 100, 1000 + i));
    r.write(lines.join(''));
    await r.drain();
    expect(r.ofType('session.rejected')).toHaveLength(1);
    r.write(failed(T + HOUR_MS, 5000));
    await r.drain();
    const told = r.ofType('session.rejected');
    expect(told.map(({ count }) => count ?? 1)).toEqual([1, 499, 1]);
    expect(told[1]).toMatchObject({ reason: 'wrong-password', until: '2026-11-20T10:00:49.900Z' });
  });

  it('B1 the hour ends by the clock too, where nothing more is logged', async () => {
    const r = open();
    now(r);
    r.write(failed(T, 1) + failed(T + 1, 2) + failed(T + 2, 3));
    await r.drain();
    expect(r.ofType('session.rejected')).toHaveLength(1);
    r.w.clock.advance(HOUR_MS);
    await r.drain();
    expect(r.ofType('session.rejected').map(({ count }) => count ?? 1)).toEqual([1, 2]);
  });

  it('B2 so many peers are told apart, whatever tries', async () => {
    const r = open();
    now(r);
    const ip = (i: number) => `198.51.${100 + (i >> 8)}.${i & 255}`;
    const lines = Array.from({ length: 3_000 }, (_, i) => failed(T + i, 1000 + i, `u${i}`, ip(i % 1_000)));
    r.write(`${lines.join('')}${login(T + 4_000, 9)}${logout(T + 5_000, 9)}`);
    await r.drain();
    r.write(failed(T + HOUR_MS, 5000));
    await r.drain();
    const told = r.ofType('session.rejected');
    expect(told.length).toBeLessThanOrEqual(2 * MOST_PEERS + 2);
    expect(told.reduce((sum, { count }) => sum + Number(count ?? 1), 0)).toBe(3_001);
    expect(r.ofType('session.started')).toHaveLength(1);
  });

  it('B3 a restart in the hour counts on, and tells nothing twice', async () => {
    const r = open();
    now(r);
    r.write(Array.from({ length: 10 }, (_, i) => failed(T + i, 100 + i)).join(''));
    await r.drain();
    await r.restart();
    r.write(Array.from({ length: 10 }, (_, i) => failed(T + 1000 + i, 200 + i)).join(''));
    await r.drain();
    await r.restart();
    r.write(failed(T + HOUR_MS, 300));
    await r.drain();
    expect(r.ofType('session.rejected').map(({ count }) => count ?? 1)).toEqual([1, 19, 1]);
  });
});

describe('history', () => {
  const OLD = at('2026-10-10T10:00:00.000Z');

  it('B6 what ended before the enrolment is counted, what is open then is told', async () => {
    const r = open({
      startFrom: 'now',
      content: login(OLD, 1) + logout(OLD + 1000, 1) + login(OLD + 2000, 2) + failed(OLD + 3000, 3),
    });
    await r.drain();
    expect(r.ofType('session.started')).toMatchObject([{ startedAt: '2026-10-10T10:00:02.000Z' }]);
    expect(r.ofType('session.rejected')).toEqual([]);
    expect(r.chain.status()[0]).toMatchObject({ rows: 1, skipped: 2 });
    r.write(logout(T, 2));
    await r.drain();
    expect(r.ofType('session.ended')).toHaveLength(1);
  });

  it('B6 a restart in the middle of it tells the same', async () => {
    const history = Array.from(
      { length: 300 },
      (_, i) => login(OLD + i * 10, i) + logout(OLD + i * 10 + 5, i),
    );
    const r = open({ startFrom: 'now', content: `${login(OLD - 5, 900)}${history.join('')}` });
    for (let i = 0; i < 3; i += 1) await r.chain.turn();
    await r.restart();
    await r.drain();
    expect(r.ofType('session.started')).toHaveLength(1);
    expect(r.chain.status()[0]).toMatchObject({ rows: 1, skipped: 300 });
  });
});

describe('whom it may record', () => {
  it('B7 others are counted and never told, over a restart too', async () => {
    const r = open({ matches: ({ localUser }) => localUser === 'tech' });
    r.write(login(T, 1, 'boss') + login(T + 1, 2, 'tech') + failed(T + 2, 3, 'boss'));
    await r.drain();
    await r.restart();
    r.write(logout(T + 3000, 1, 'boss') + logout(T + 4000, 2, 'tech'));
    await r.drain();
    expect(r.ofType('session.started')).toHaveLength(1);
    expect(r.ofType('session.ended')).toHaveLength(1);
    expect(r.ofType('session.rejected')).toEqual([]);
    expect(r.chain.status()[0]).toMatchObject({ rows: 1, unlisted: 2 });
  });
});

it('the file is never changed (S4)', async () => {
  const r = open({ content: login(T, 1) });
  const { ino, size, mtimeMs } = statSync(r.path);
  await r.drain();
  await r.restart();
  await r.drain();
  expect(statSync(r.path)).toMatchObject({ ino, size, mtimeMs });
});
