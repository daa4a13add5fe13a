/**
 * A state directory for canaries: an agent's own journal, catalogue and sweep, over a folder that nobody else writes to.
 *
 * A26 Canaries lie in a folder of their own below the state directory, with a database of their own, and go through the
 *     scan, the sweep, the eraser and the sealer of the product. No root of a customer, and nothing of the agent's
 *     journal, catalogue and holds, is touched. What a crash leaves of one is removed by the next.
 */
import { join } from 'node:path';
import { newId, type Random } from '../../protocol/ids.ts';
import { scrub } from '../../protocol/scrub.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { type Clock, toIso } from '../../protocol/time.ts';
import { Ballast } from '../ballast.ts';
import { type Db, type Migration, migrations, openDatabase } from '../db.ts';
import { ensureStateDir, ownFolders, removeFolder } from '../files.ts';
import { AgentJournal } from '../journal.ts';
import { makeBirth } from '../journal-succession.ts';
import { Catalogue } from '../recordings/catalogue.ts';
import { SweepStore } from '../recordings/sweep-store.ts';
import type { AgentIdentity } from '../types.ts';
import { AuditStore } from './store.ts';
import { CANARY_PREFIX } from './words.ts';

const DATABASE = 'canary.db';
const BALLAST_BYTES = 4096;

export interface CanaryOptions {
  /** State directory of the agent. */
  state: string;
  clock: Clock;
  random: Random;
  rest(): Promise<void>;
}

export interface CanaryState {
  dir: string;
  identity: AgentIdentity;
  journal: AgentJournal;
  catalogue: Catalogue;
  sweeps: SweepStore;
  store: AuditStore;
  /** Files that its database is made of. */
  files: readonly string[];
  /** Closes it, and leaves nothing of it. */
  close(): void;
}

/** @throws TilsynError `state.*` */
export async function openCanary({ state, clock, random, rest }: CanaryOptions): Promise<CanaryState> {
  for (const left of ownFolders(state, CANARY_PREFIX)) removeFolder(left);
  const dir = join(state, CANARY_PREFIX + random(4).toString('hex'));
  ensureStateDir(dir);
  let db: Db | null = null;
  try {
    const path = join(dir, DATABASE);
    db = openDatabase(path, {}, [allAtOnce()]);
    await rest();
    const rooms = ofDatabase({ db, dir, clock, random });
    const { journal } = rooms;
    await rest();
    journal.resume();
    await rest();
    const files = ['', '-wal', '-shm'].map((suffix) => path + suffix);
    const close = () => {
      journal.close();
      removeFolder(dir);
    };
    return { dir, ...rooms, files, close };
  } catch (error) {
    db?.close();
    removeFolder(dir);
    throw error;
  }
}

function ofDatabase({ db, dir, clock, random }: { db: Db; dir: string; clock: Clock; random: Random }) {
  const key = newSigningKey();
  const identity = throwaway(publicText(newSigningKey()), clock, random);
  const ballast = new Ballast(dir, { clock, random, bytes: BALLAST_BYTES });
  const options = {
    db,
    identity,
    key,
    digestKey: random(32),
    clock,
    random,
    version: 'canary',
    ballast,
    scrub,
  };
  const journal = new AgentJournal(options);
  journal.begin(makeBirth({ identity, key, clock, random }, 'enrolled', null), null);
  const store = new AuditStore(db);
  return { identity, journal, catalogue: new Catalogue(db, random), sweeps: new SweepStore(db), store };
}

/** One transaction instead of one for each version: each is a wait for the disk. */
function allAtOnce(): Migration {
  const steps = migrations();
  return { version: steps.at(-1)?.version ?? 0, sql: steps.map(({ sql }) => sql).join('\n') };
}

/** Nobody's: it never leaves the folder. */
function throwaway(identity: string, clock: Clock, random: Random): AgentIdentity {
  const enrolledAt = toIso(clock.now());
  return {
    ...{ agent: newId(random), agreement: newId(random), site: newId(random), mode: 'managed' },
    ...{ url: 'wss://canary.invalid', collectorName: 'canary', identity, ca: null, enrolledAt },
  };
}
