/** The product's collector with a fault seam that the harness arms, and with a clock that it moves ahead. */
import { run } from '../../collector/main.ts';
import { AheadClock } from '../support/ahead-clock.ts';
import { type Armed, deadlySeam } from './seam.ts';

interface Config {
  state: string;
  listen: string;
  aheadMs?: number;
}

const config = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const seam = deadlySeam();
const clock = new AheadClock(config.aheadMs);
const { state, listen } = config;
const handle = await run({ state, listen, clock, faults: { hit: seam.hit }, signals: false });
process.on('message', (told: Armed | { aheadMs: number }) => {
  if ('aheadMs' in told) clock.move(told.aheadMs);
  else seam.arm(told);
  process.send?.('done');
});
process.once('SIGTERM', () => {
  handle.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
