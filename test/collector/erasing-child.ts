/** Child of the kill test: fills a house, says what is to die, and kills itself at the named point. */
import { join } from 'node:path';
import { keysIn } from '../support/leftovers.ts';
import { dumpOf, fill, startOf } from './erasing-scene.ts';
import { openHouse } from './rooms.ts';

const [dir = '', point = ''] = process.argv.slice(2);
const faults = {
  armed: false,
  hit(at: string) {
    if (faults.armed && at === point) process.kill(process.pid, 'SIGKILL');
  },
};
const house = await openHouse({ dir, faults }, true);
const filled = await fill(house);
const all = keysIn(join(dir, 'keys.slots'));
const keys = Object.fromEntries(filled.dying.map(({ group }) => [group, all.get(group)?.toString('hex')]));
process.stdout.write(JSON.stringify({ ...filled, keys, before: await dumpOf(house, filled.living) }));
faults.armed = true;
await startOf(house, faults);
