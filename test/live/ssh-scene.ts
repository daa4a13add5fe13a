/** OpenSSH: who logs in is there while they are, and is gone when they go, however they go. */
import { setTimeout as sleep } from 'node:timers/promises';
import { must, mustEqual } from '../identity/scenario.ts';
import type { Stage } from '../identity/stage.ts';
import {
  agentWith,
  appears,
  delays,
  distribution,
  eventsOf,
  type LiveSession,
  type Scene,
  sessionsOf,
  settled,
  startLive,
} from './scene.ts';
import { SSHD_NEEDS, SshServer } from './sshd.ts';

const TIMED = 10;

export const openSsh: Scene = {
  name: 'OpenSSH: log-ins by key, a wrong user, two at once, a client that is killed',
  needs: SSHD_NEEDS,
  async play(stage, note) {
    const server = await SshServer.open(stage.environment());
    try {
      await stage.found();
      const source = { type: 'sshd', path: server.log, match: 'all', startFrom: 'now' };
      const agent = await agentWith(stage, 'site', [source]);
      await startLive(stage, agent);
      await comeAndGo(stage, server);
      await wrongUser(stage, server);
      await twoAtOnce(stage, server);
      await timed(stage, server, note);
      await settled(stage, agent);
      await mustBeWhole(stage);
      await agent.stop();
    } finally {
      await server.close();
    }
  },
};

const isLive = ({ tool, state }: LiveSession) => tool === 'sshd' && state === 'active';

async function live(stage: Stage): Promise<LiveSession[]> {
  return (await sessionsOf(stage)).filter(isLive);
}

async function ended(stage: Stage, id: string): Promise<LiveSession> {
  const over = await appears(stage, 'the session ends', (one) => one.id === id && one.state === 'ended');
  must(over.endReason === 'completed', `it ended as ${over.endReason}`);
  return over;
}

async function comeAndGo(stage: Stage, server: SshServer): Promise<void> {
  const client = server.logIn();
  const session = await appears(stage, 'a log-in by key is live', isLive);
  mustEqual(session.auth, 'key', 'how they got in');
  mustEqual(session.localUser, server.account, 'their account');
  must(client.alive, 'the client is gone before its session was seen');
  await client.end();
  await ended(stage, session.id);
}

async function wrongUser(stage: Stage, server: SshServer): Promise<void> {
  const client = server.logIn('nobody-of-this-name');
  must((await client.exited) !== 0, 'a user that is not there was let in');
  const refused = await appears(stage, 'a wrong user is rejected', ({ state }) => state === 'rejected');
  // It is no account of this machine, and may be a password that was typed too early.
  mustEqual(refused.localUser, null, 'what is told of a name that is nobody');
  mustEqual((await live(stage)).length, 0, 'live sessions after a refusal');
}

async function twoAtOnce(stage: Stage, server: SshServer): Promise<void> {
  const first = server.logIn();
  const one = await appears(stage, 'the first of two is live', isLive);
  const second = server.logIn();
  const other = await appears(stage, 'the second is live', (s) => isLive(s) && s.id !== one.id);
  mustEqual((await live(stage)).length, 2, 'live sessions of two at once');
  await first.end('SIGKILL');
  await ended(stage, one.id);
  mustEqual(
    (await live(stage)).map(({ id }) => id),
    [other.id],
    'who is left of two',
  );
  await second.end('SIGKILL');
  await ended(stage, other.id);
}

async function timed(stage: Stage, server: SshServer, note: (text: string) => void): Promise<void> {
  const before = new Set((await sessionsOf(stage)).map(({ id }) => id));
  for (let n = 0; n < TIMED; n += 1) {
    const client = server.logIn();
    await sleep(1_000 + n * 37);
    await client.end(n % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
  }
  const fresh = (all: LiveSession[]) => all.filter(({ id }) => !before.has(id));
  await stage.until(`${TIMED} log-ins came and went`, async () => {
    const all = fresh(await sessionsOf(stage));
    return all.length === TIMED && all.every(({ state }) => state === 'ended');
  });
  const ids = new Set(fresh(await sessionsOf(stage)).map(({ id }) => id));
  note(distribution('log line to collector, start', await delays(stage, 'session.started', ids), TIMED));
  note(distribution('end', await delays(stage, 'session.ended', ids), TIMED));
}

/** Each once, from its start to its end. */
async function mustBeWhole(stage: Stage): Promise<void> {
  const sessions = (await sessionsOf(stage)).filter(({ state }) => state !== 'rejected');
  mustEqual(sessions.length, 3 + TIMED, 'sessions in all');
  must(
    sessions.every(({ state }) => state === 'ended'),
    'every session ended',
  );
  const unread = await eventsOf(stage, 'source.unreadable', 'source.lost', 'journal.gap');
  mustEqual(
    unread.map(({ type }) => type),
    [],
    'what could not be read of a real log',
  );
}
