/** The product's own collector, with laws broken where the harness says so: limits that are off must be noticed. */
import { run } from '../../collector/main.ts';

interface Config {
  state: string;
  listen: string;
  broken: string[];
}

const { state, listen, broken } = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
const handle = await run({ state, listen, faults: { broken: (law) => broken.includes(law) } });
await handle.stopped;
process.exit(0);
