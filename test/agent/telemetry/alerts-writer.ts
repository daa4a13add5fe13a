/** Child process of the kill tests: measures along a series until it is killed, and says how far it came. */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { openJournal } from '../../../agent/journal-open.ts';
import { ensureAgentKey, ensureDigestKey } from '../../../agent/keys.ts';
import { Alerts } from '../../../agent/telemetry/alerts.ts';
import type { FaultSeam } from '../../../agent/types.ts';
import { systemClock } from '../../../protocol/time.ts';
import { at as measured, STEPS } from './series.ts';

const [dir = '', identity = '{}', from = '0', point = '', at = '0'] = process.argv.slice(2);
let hits = 0;
const faults: FaultSeam = {
  hit(name) {
    if (name !== point) return;
    hits += 1;
    if (hits === Number(at)) process.kill(process.pid, 'SIGKILL');
  },
};
const { journal, telemetry } = openJournal({
  dir,
  identity: JSON.parse(identity),
  key: ensureAgentKey(dir),
  digestKey: ensureDigestKey(dir, randomBytes),
  clock: systemClock,
  random: randomBytes,
  version: '0.1.0',
  ballastBytes: 64 * 1024,
  faults,
});
const alerts = new Alerts({ store: telemetry, journal, random: randomBytes, notify: 'all' });
for (let n = Number(from); n < STEPS; n += 1) {
  alerts.look(...measured(n));
  // A pipe of the kernel: what was written here is read by the parent although this process dies.
  writeSync(1, `${n + 1}\n`);
}
