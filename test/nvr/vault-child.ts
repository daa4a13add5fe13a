/** A vault in a process of its own, which may kill itself at a named point: what a power cut leaves is what is left. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { silentLog } from '../../agent/log.ts';
import { Vault } from '../../agent/vault/vault.ts';
import { systemClock } from '../../protocol/time.ts';
import { openPlace, type Where } from './place.ts';

export interface VaultOrder {
  where: Where;
  /** Null: it lives. */
  point: string | null;
  /** At which time of reaching the point, from 1. */
  nth: number;
  /** Bytes a second. */
  rate: number;
}

const { where, point, nth, rate } = JSON.parse(process.argv[2] ?? '{}') as VaultOrder;
let reached = 0;
const faults = {
  hit(at: string) {
    if (at !== point) return;
    reached += 1;
    if (reached === nth) process.kill(process.pid, 'SIGKILL');
  },
};
const opened = openPlace(where, faults);
const { journal, sweeps, vault: store, root } = opened;
const { site, agent: host } = where.identity;
const standing = { zone: 'UTC', site, host, agreementEndsAt: null };
const vault = new Vault({
  ...{ journal, sweeps, store, faults, standing, clock: systemClock, random: randomBytes, platform: 'linux' },
  config: { path: null, quotaBytes: null, leaveHours: 0, ratePerSecond: rate },
  defaultPath: join(where.state, 'vault'),
  log: { ...silentLog, trouble: (_, error) => console.error(error) },
  // The recorder of this place deletes by itself.
  roots: () => [{ ...root, config: { ...root.config, recorderDeletes: true } }],
  around: () => null,
  now: () => systemClock.now(),
  unconfirmed: () => false,
  rest: () => new Promise((resolve) => setImmediate(resolve)),
});
vault.holdsChanged();
await vault.settled();
await vault.stop();
opened.close();
