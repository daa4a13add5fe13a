/** x11vnc, through the declaration that comes with the product. */
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { must, mustEqual } from '../identity/scenario.ts';
import type { Stage } from '../identity/stage.ts';
import {
  agentWith,
  appears,
  eventsOf,
  type LiveSession,
  type Scene,
  sessionsOf,
  startLive,
} from './scene.ts';
import { VNC_NEEDS, VncServer } from './vnc.ts';

/** Its log says that somebody is in up to a second after it was so. */
const UNTIL_LOGGED_MS = 2_500;

export const x11vnc: Scene = {
  name: 'x11vnc: viewers that leave, break off, are refused, and a server that is stopped or killed',
  needs: VNC_NEEDS,
  async play(stage, note) {
    const dir = stage.at('vnc');
    mkdirSync(dir, { mode: 0o700 });
    const server = await VncServer.open(dir, stage.environment());
    try {
      await stage.found();
      const source = { type: 'declared', spec: 'x11vnc', path: server.log, startFrom: 'now' };
      const agent = await agentWith(stage, 'site', [source]);
      await startLive(stage, agent);
      await viewer(stage, server, (one) => one.leave());
      await viewer(stage, server, (one) => one.breakOff());
      await refused(stage, server);
      await twoAtOnce(stage, server);
      await underIt(stage, server, 'SIGTERM');
      await underIt(stage, server, 'SIGKILL');
      note(`${(await sessionsOf(stage)).length} sessions`);
      const unread = await eventsOf(stage, 'source.unreadable', 'source.lost', 'journal.gap');
      mustEqual(
        unread.map(({ type }) => type),
        [],
        'what could not be read of a real log',
      );
      await agent.stop();
    } finally {
      await server.close();
    }
  },
};

const isLive = ({ tool, state }: LiveSession) => tool === 'declared' && state === 'active';
const count = async (stage: Stage) => (await sessionsOf(stage)).filter(isLive).length;

async function ended(stage: Stage, id: string): Promise<LiveSession> {
  return await appears(stage, 'the session ends', (one) => one.id === id && one.state === 'ended');
}

type Viewing = Awaited<ReturnType<VncServer['view']>>;

async function viewer(stage: Stage, server: VncServer, go: (one: Viewing) => void): Promise<void> {
  const one = await server.view();
  must(one.isIn, 'the right password was refused');
  const session = await appears(stage, 'a viewer is live', isLive);
  go(one);
  const over = await ended(stage, session.id);
  must(over.endReason === 'completed', `it ended as ${over.endReason}`);
}

async function refused(stage: Stage, server: VncServer): Promise<void> {
  const one = await server.view('not-this');
  must(!one.isIn, 'a wrong password was let in');
  one.leave();
  await appears(stage, 'a wrong password is rejected', ({ state }) => state === 'rejected');
  mustEqual(await count(stage), 0, 'live sessions after a refusal');
}

async function twoAtOnce(stage: Stage, server: VncServer): Promise<void> {
  const one = await server.view();
  await sleep(UNTIL_LOGGED_MS);
  const other = await server.view();
  await stage.until('two viewers are live', async () => (await count(stage)) === 2);
  one.leave();
  await stage.until('one of two is left', async () => (await count(stage)) === 1);
  other.leave();
  await stage.until('none of two is left', async () => (await count(stage)) === 0);
}

/** The server goes while somebody looks on. A killed one says so with its next start. */
async function underIt(stage: Stage, server: VncServer, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const one = await server.view();
  const session = await appears(stage, 'a viewer is live', isLive);
  await server.end(signal);
  one.breakOff();
  await server.start();
  await ended(stage, session.id);
}
