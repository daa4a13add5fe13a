/** The product's agent with a fault seam that is armed from its first moment, and with a clock that the harness moves. */
import { run } from '../../agent/main.ts';
import { type Armed, deadlySeam } from '../oneoff/seam.ts';
import { AheadClock } from '../support/ahead-clock.ts';

interface Config {
  state: string;
  config: string;
  aheadMs: number;
  armed: Armed | null;
}

const { state, config, aheadMs, armed } = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const seam = deadlySeam();
seam.arm(armed);
const clock = new AheadClock(aheadMs);
const handle = await run({ state, config, clock, faults: { hit: seam.hit }, signals: false });
process.on('message', (told: { aheadMs: number }) => {
  clock.move(told.aheadMs);
  process.send?.('done');
});
process.once('SIGTERM', () => {
  handle.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
