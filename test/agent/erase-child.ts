/** Child process of the kill tests: carries out `agreement.erase` until it is killed; says so when it was not. */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { AgreementEnd } from '../../agent/agreement-end.ts';
import { openJournal } from '../../agent/journal-open.ts';
import { ensureAgentKey, ensureDigestKey } from '../../agent/keys.ts';
import type { FaultSeam } from '../../agent/types.ts';
import { systemClock } from '../../protocol/time.ts';

const [dir = '', identity = '{}', point = '', at = '0'] = process.argv.slice(2);
let hits = 0;
const faults: FaultSeam = {
  hit(name) {
    if (name !== point) return;
    hits += 1;
    if (hits === Number(at)) process.kill(process.pid, 'SIGKILL');
  },
};
const who = JSON.parse(identity);
const { journal, telemetry } = openJournal({
  dir,
  identity: who,
  key: ensureAgentKey(dir),
  digestKey: ensureDigestKey(dir, randomBytes),
  clock: systemClock,
  random: randomBytes,
  version: '0.1.0',
  ballastBytes: 64 * 1024,
  faults,
});
const { agreement } = who;
const end = new AgreementEnd({
  agreement,
  journal,
  clock: systemClock,
  changed: () => {},
  beside: { read: () => null, write() {} },
  erase: () => journal.erase(() => telemetry.erase()),
});
await end.takeErase({ agreement });
writeSync(1, 'done');
