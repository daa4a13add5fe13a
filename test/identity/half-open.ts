/** Fifty honest agents whose line breaks for 20 seconds; the collector goes on believing in their old sockets. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AgentStatus } from '../../agent/status.ts';
import { HalfOpenProxy } from './half-open-proxy.ts';
import { must, mustEqual, type Scenario } from './scenario.ts';
import type { Proc, Stage } from './stage.ts';

const FLEET = fileURLToPath(new URL('./fleet-child.ts', import.meta.url));
const AGENTS = 50;
const CUT_MS = 20_000;
/** Back-off after a broken link reaches 30 s, and what comes next doubles. */
const COME_BACK_S = 120;

type Link = AgentStatus['collector'];

async function startFleet(stage: Stage, name: string, token: string): Promise<Proc> {
  const states = Array.from({ length: AGENTS / 2 }, (_, n) => stage.at(`${name}-${n}`));
  const config = stage.at('site', 'none.yaml');
  writeFileSync(config, JSON.stringify({ sources: [] }));
  const proc = stage.start('agent', name, [FLEET, JSON.stringify({ states, token, config })], true);
  await Promise.race([once(proc.child, 'message'), proc.exited]);
  must(proc.alive, `the fleet ${name} did not start:\n${stage.logs(name).slice(-500)}`);
  return proc;
}

async function linksOf(fleets: Proc[]): Promise<Link[]> {
  const all = await Promise.all(
    fleets.map(async ({ child }) => {
      child.send('status');
      const [links] = await once(child, 'message');
      return links as Link[];
    }),
  );
  return all.flat();
}

async function allLive(stage: Stage, fleets: Proc[], seconds: number): Promise<void> {
  await stage.until(
    `${AGENTS} agents are live`,
    async () => (await linksOf(fleets)).filter(({ state }) => state === 'live').length === AGENTS,
    seconds,
  );
}

export const halfOpen: Scenario = {
  name: '50 honest agents return while their old sockets are half-open',
  async play(stage, note) {
    const proxy = await HalfOpenProxy.start(stage.port);
    try {
      stage.agentPort = proxy.port;
      await stage.found();
      const { file } = await stage.token('--uses', String(AGENTS));
      // Of one half the process stays, of the other it goes as with a power cut: then `instance` is new.
      const stays = await startFleet(stage, 'stays', file);
      const dies = await startFleet(stage, 'dies', file);
      await allLive(stage, [stays, dies], 60);
      proxy.cut();
      await dies.kill();
      await sleep(CUT_MS);
      mustEqual(proxy.halfOpen, AGENTS, 'sockets that the collector still believes in');
      proxy.heal();
      const began = performance.now();
      const again = await startFleet(stage, 'dies', file);
      await allLive(stage, [stays, again], COME_BACK_S);
      note(`all live ${((performance.now() - began) / 1000).toFixed(0)} s after the line was back`);
      const links = await linksOf([stays, again]);
      must(
        links.every(({ problem }) => problem?.code !== 'agent.identity-conflict'),
        'an agent was accused',
      );
      mustEqual((await stage.events('agent.identity-conflict')).length, 0, 'events of a conflict');
      mustEqual((await stage.events('agent.restored')).length, 0, 'events agent.restored');
      const states = (await stage.hosts()).map(({ state }) => state);
      mustEqual([states.length, new Set(states).size, states[0]], [AGENTS, 1, 'online'], 'host list');
    } finally {
      proxy.close();
    }
  },
};
