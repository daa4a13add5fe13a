/** `keys.slots`, in both copies, and the table `key_groups` say the same of every group. */
import { randomBytes } from 'node:crypto';
import Sqlite from 'better-sqlite3';
import { Keyring } from '../../collector/keyring.ts';
import type { GroupId } from '../../protocol/ids.ts';
import type { World } from '../support/world.ts';

interface Row {
  grp: GroupId;
  kind: string;
  key: string | null;
  slot: number | null;
  state: string;
}

/** The collector must not run: its keyring is opened as the next start would. */
export async function keyProblems(world: World): Promise<string[]> {
  const keyring = await Keyring.open({ dir: world.collectorState, second: world.keys2, random: randomBytes });
  const db = new Sqlite(world.collectorDatabase, { readonly: true });
  try {
    const rows = db.prepare<[], Row>('SELECT grp, kind, key, slot, state FROM key_groups').all();
    // The last start has put right what a kill between two copies left.
    const problems = keyring.findings.map(({ code }) => `keys.slots: ${code}`);
    for (const row of rows) if (row.kind !== 'oneoff') problems.push(...rowProblems(row, keyring));
    return problems;
  } finally {
    db.close();
    await keyring.close();
  }
}

/** A live slot without a row is an orphan, which a kill may leave; a row without its slot never is right. */
function rowProblems({ grp, key, slot, state }: Row, keyring: Keyring): string[] {
  const say = (text: string) => [`key group ${grp.slice(0, 8)} (${state}): ${text}`];
  if (keyring.stateOf(grp) !== state) return say(`its slot is ${keyring.stateOf(grp) ?? 'nowhere'}`);
  if (keyring.slotOf(grp) !== slot) return say(`its row names slot ${slot}, it is ${keyring.slotOf(grp)}`);
  if (state === 'live' && keyring.publicKey(grp) !== key) return say('the key in its slot is another one');
  return [];
}
