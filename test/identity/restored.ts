/** An agent's state directory put back from an older copy. */
import { must, mustBeExactly, mustEqual, mustVerify, type Scenario } from './scenario.ts';
import { type Agent, copyState, type Stage } from './stage.ts';

/** Rows 0–19 sent, copied, rows 20–39 sent: what lies in the copy is behind the collector. */
async function copied(stage: Stage): Promise<{ agent: Agent; old: string }> {
  await stage.found();
  const agent = await stage.enrol('site');
  agent.write(0, 20);
  await agent.start();
  await agent.drained();
  await agent.stop();
  const old = stage.at('yesterday');
  copyState(agent.state, old);
  await agent.start();
  agent.write(20, 40);
  await agent.drained();
  await agent.stop();
  return { agent, old };
}

async function mustHaveSuccessor(stage: Stage, agent: Agent): Promise<void> {
  const events = await stage.events('agent.restored');
  mustEqual(events.length, 1, 'events agent.restored');
  const logs = (await agent.status())?.logs ?? [];
  mustEqual(logs.filter(({ open }) => open).length, 1, 'open logs of the agent');
  must(events[0]?.log === logs.find(({ open }) => open)?.log, 'agent.restored is not in the successor');
  mustEqual((await stage.events('log.forked')).length, 0, 'forks');
  mustEqual(
    (await stage.hosts()).map(({ state }) => state),
    ['online'],
    'host list',
  );
}

export const restored: Scenario = {
  name: 'a state directory put back from an older copy',
  async play(stage) {
    const { agent, old } = await copied(stage);
    copyState(old, agent.state);
    await agent.start();
    agent.write(40, 50);
    await agent.drained();
    await mustHaveSuccessor(stage, agent);
    await mustBeExactly(stage, 'site', 50);
    await mustVerify(stage, agent);
    await agent.stop();
    await agent.start();
    agent.write(50, 55);
    await agent.drained();
    await mustBeExactly(stage, 'site', 55);
    mustEqual((await stage.events('agent.restored')).length, 1, 'events agent.restored after one more start');
  },
};

export const restoredOffline: Scenario = {
  name: 'an older copy that wrote new events before it connected',
  async play(stage) {
    const { agent, old } = await copied(stage);
    await stage.collector?.stop();
    copyState(old, agent.state);
    await agent.start();
    agent.write(40, 60);
    await stage.until('the copy has written on offline', async () => {
      const status = await agent.status();
      return (status?.backlog ?? 0) >= 40 && status?.collector.state !== 'live';
    });
    await stage.startCollector();
    await agent.drained(90);
    await mustHaveSuccessor(stage, agent);
    await mustBeExactly(stage, 'site', 60);
    await mustVerify(stage, agent);
  },
};
