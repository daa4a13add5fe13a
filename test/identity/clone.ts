/** Two live processes with one identity. */
import { setTimeout as sleep } from 'node:timers/promises';
import { must, mustBeExactly, mustEqual, mustSay, mustVerify, type Scenario } from './scenario.ts';
import type { Agent, Stage } from './stage.ts';

/** The collector asks both to come again after half a minute. */
const COME_BACK_S = 60;

async function problemOf(
  agent: Agent,
): Promise<{ code: string; message: string; hint: string | null } | null> {
  return (await agent.status())?.collector.problem ?? null;
}

async function bothRefused(stage: Stage, agents: Agent[]): Promise<void> {
  for (const agent of agents) {
    await stage.until(
      `${agent.name} is refused`,
      async () => (await problemOf(agent))?.code === 'agent.identity-conflict',
    );
    mustSay(await problemOf(agent), 'agent.identity-conflict');
    must((await agent.status())?.collector.state !== 'live', `${agent.name} is live all the same`);
  }
}

export const clone: Scenario = {
  name: 'two live processes with one identity',
  async play(stage, note) {
    await stage.found();
    const one = await stage.enrol('one');
    one.write(0, 20);
    await one.start();
    await one.drained();
    await one.stop();
    const two = one.copy('two');
    await one.start();
    await one.linked();
    await two.start();
    await bothRefused(stage, [one, two]);
    // Rows that come meanwhile are read by both; they may reach the collector once.
    one.write(20, 30);
    mustEqual(
      (await stage.hosts()).map(({ state }) => state),
      ['conflict'],
      'host list',
    );
    // Both try again in vain; it stays one event.
    await sleep(8_000);
    const events = await stage.events('agent.identity-conflict');
    mustEqual(events.length, 1, 'events of the conflict');
    mustEqual(events[0]?.data.agent, (await stage.hosts())[0]?.id, 'the agent that the event names');
    await two.stop();
    const id = events[0]?.data.agent as string;
    await stage.json(['host', 'resolve', id]);
    const began = performance.now();
    await one.drained(COME_BACK_S);
    note(`back ${((performance.now() - began) / 1000).toFixed(0)} s after host resolve`);
    mustEqual(
      (await stage.hosts()).map(({ state }) => state),
      ['online'],
      'host list after it',
    );
    mustEqual((await stage.events('agent.resolved')).length, 1, 'events of the resolution');
    await mustBeExactly(stage, 'one', 30);
    mustEqual((await stage.events('log.forked')).length, 0, 'forks');
    await mustVerify(stage, one);
  },
};
