/** The product's collector with a fault seam that the harness arms, and with a clock that may be ahead. */
import { run } from '../../collector/main.ts';
import { systemClock, utcMs } from '../../protocol/time.ts';
import { type Armed, deadlySeam } from './seam.ts';

interface Config {
  state: string;
  listen: string;
  aheadMs?: number;
}

const config = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const seam = deadlySeam();
const ahead = config.aheadMs ?? 0;
const clock = { ...systemClock, now: () => utcMs(systemClock.now() + ahead) };
const { state, listen } = config;
const handle = await run({ state, listen, clock, faults: { hit: seam.hit }, signals: false });
process.on('message', (armed: Armed) => {
  seam.arm(armed);
  process.send?.('armed');
});
process.once('SIGTERM', () => {
  handle.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
