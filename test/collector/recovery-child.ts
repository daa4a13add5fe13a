/** Child of the kill test: gets ready, says which group it is about, and kills itself at the named point. */
import { recover } from '../../collector/recovery.ts';
import type { GroupRow } from '../../collector/store/types.ts';
import type { AgreementId } from '../../protocol/ids.ts';
import { NOW, newHex, openHouse } from './rooms.ts';

const [dir = '', act = '', point = ''] = process.argv.slice(2);
const faults = {
  armed: false,
  hit(at: string) {
    if (faults.armed && at === point) process.kill(process.pid, 'SIGKILL');
  },
};
const house = await openHouse({ dir, faults }, true);
const wish = { agreement: newHex<AgreementId>(), class: 'session', kind: 'span', at: NOW } as const;

if (act === 'create') {
  faults.armed = true;
  const prepared = await house.groups.prepare([wish]);
  await house.store.write((tx) => prepared.commit(tx));
} else {
  const prepared = await house.groups.prepare([wish]);
  const rows = prepared.groups.map((row): GroupRow => ({ ...row, state: 'erasing', erasedBy: 'policy' }));
  await house.store.write((tx) => tx.groups.put(rows));
  process.stdout.write(`${rows[0]?.group}\n`);
  faults.armed = true;
  await recover(house);
}
