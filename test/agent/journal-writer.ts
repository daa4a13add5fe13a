/** Child process of the kill tests: appends until it is killed, and says what `append` has promised. */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
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
const { journal } = openJournal({
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
const source = journal.sourceId('a source');
const beat = { type: 'agent.heartbeat', data: { version: '0.1.0', reason: 'tick' } } as const;
for (let n = Number(journal.cursor(source) ?? 0) + 1; ; n += 1) {
  journal.append(
    [
      { ...beat, from: { source, offset: n } },
      { ...beat, from: { source, offset: n } },
    ],
    [{ source, state: String(n) }],
  );
  // A pipe of the kernel: what was written here is read by the parent although this process dies.
  writeSync(1, `${n}\n`);
}
