/** The product's own collector, that collects its garbage when told: what is left then is what connections cost. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { run } from '../collector/main.ts';

interface Config {
  state: string;
  listen: string;
}

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
const config = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
const handle = await run({ ...config, signals: true });
process.on('message', () => {
  gc();
  process.send?.('clean');
});
process.send?.('ready');
await handle.stopped;
process.exit(0);
