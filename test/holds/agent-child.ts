/** The product's agent with a fault seam that the harness arms. */
import { run } from '../../agent/main.ts';
import { type Armed, deadlySeam } from '../oneoff/seam.ts';

const { state, config } = JSON.parse(process.argv[2] ?? '{}') as { state: string; config: string };
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const seam = deadlySeam();
const handle = await run({ state, config, faults: { hit: seam.hit }, signals: false });
process.on('message', (armed: Armed) => {
  seam.arm(armed);
  process.send?.('done');
});
process.once('SIGTERM', () => {
  handle.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
process.send?.('ready');
