/**
 * The collector as a process of the fault tests: the product's own `run()`, with a fault seam built from argv. The
 * product itself never looks for a seam anywhere.
 */
import { run } from '../../collector/main.ts';
import { childSeam, type SeamConfig } from './flags.ts';

interface Config extends SeamConfig {
  state: string;
  listen: string;
}

const config = JSON.parse(process.argv[2] ?? '{}') as Config;
// The harness is gone: nobody would ever end this process.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

let stopping = false;
const handle = await run({
  state: config.state,
  listen: config.listen,
  faults: childSeam(config),
  signals: false,
});
process.on('SIGTERM', () => {
  if (stopping) return;
  stopping = true;
  handle.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
process.send?.('ready');
