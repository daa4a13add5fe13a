/** Held recordings that went before they were copied: kept as rows, so that nobody calls their hold protected (H2). */
import type { Hold } from '../../protocol/hold.ts';
import type { Random } from '../../protocol/ids.ts';
import type { Standing } from '../recordings/due.ts';
import type { SweepStore } from '../recordings/sweep-store.ts';
import { heldBy } from './plan.ts';
import type { VaultStore } from './store.ts';
import type { Touched } from './violated.ts';

export interface GivenUpDeps {
  store: VaultStore;
  sweeps: SweepStore;
  random: Random;
  standing: Standing;
}

/** Inside the caller's transaction. Without a vault there is nowhere to keep them: they are told all the same. */
export function giveUp(
  { store, sweeps, random, standing }: GivenUpDeps,
  source: string,
  vanished: readonly (Touched & { folder: number; name: string })[],
  holds: readonly Hold[],
): void {
  const vault = store.vaults().at(-1);
  if (vault === undefined) return;
  for (const { folder, name, camera, bounds, copied } of vanished) {
    if (copied || heldBy({ bounds }, camera, standing, holds).length === 0) continue;
    store.begin({
      ...{ file: random(16).toString('hex'), vault: vault.id, folder, name, source, camera, bounds },
      path: [...sweeps.read.pathOf(folder), name].join('/'),
      // Nothing of it was read; a file that comes back under its name is another one.
      ...{ sizeBytes: 0, inode: null, state: 'lost', said: 'vanished' },
    });
  }
}
