/** The product's own collector, with a way to issue commands: no command line of this version does that yet. */
import { issueCommand } from '../../collector/ingest/commands.ts';
import { run } from '../../collector/main.ts';
import type { AgentId } from '../../protocol/ids.ts';

interface Config {
  state: string;
  listen: string;
}

const config = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const handle = await run({ ...config, signals: true });
process.on('message', (agent: AgentId) => {
  issueCommand(handle.ctx, agent, 'selftest', {}, null).then(
    ({ n, generation }) => process.send?.({ n, generation }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
await handle.stopped;
process.exit(0);
