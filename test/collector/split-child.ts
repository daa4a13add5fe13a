/** Child of the kill test: sessions of a month that has to become days; kills itself at the named point. */

import { splitAll } from '../../collector/regroup/split.ts';
import type { FaultSeam } from '../../collector/types.ts';
import { spansOf } from '../../protocol/packs.ts';
import { openHouse, random } from './rooms.ts';
import { fillMonth, inForce, THIRTY } from './split-scene.ts';

const [dir = '', point = ''] = process.argv.slice(2);
const faults: FaultSeam & { armed: boolean } = {
  armed: false,
  hit(at: string) {
    if (faults.armed && at === point) process.kill(process.pid, 'SIGKILL');
  },
};
const house = await openHouse({ dir, faults }, true);
const filled = await fillMonth(house);
await inForce(house);
process.stdout.write(JSON.stringify(filled));
faults.armed = true;
await splitAll({ ...house, random, faults }, spansOf(THIRTY));
