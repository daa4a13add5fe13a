/** The hostile side, a process of its own: enrols its agents, says that it is ready, and does one thing when told. */
import { AgentDouble } from '../support/agent-double.ts';
import { BEHAVIOURS } from './behaviours.ts';

interface Config {
  behaviour: string;
  address: string;
  ca: string;
  token: string;
}

const { behaviour: name, address, ca, token } = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
const behaviour = BEHAVIOURS.find((one) => one.name === name);
if (behaviour === undefined) throw new Error(`no such behaviour: ${name}`);
const agents = Array.from({ length: behaviour.agents }, () => new AgentDouble({ address, ca, token }));
for (const agent of agents) await agent.enrol();
const done = new Map<string, number>();
process.once('message', async () => {
  const end = performance.now() + behaviour.seconds * 1000;
  await behaviour.attack({
    ...{ address, ca, agents },
    over: () => performance.now() > end,
    did: (what) => void done.set(what, (done.get(what) ?? 0) + 1),
  });
  process.send?.(Object.fromEntries(done));
});
process.send?.('ready');
