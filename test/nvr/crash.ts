/** R1: SIGKILL at each step of a sweep. Every file is accounted for, and told of once. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { openPlace, Place, sweepOnce } from './place.ts';

const CHILD = new URL('./sweep-child.ts', import.meta.url).pathname;
const EXPIRED = 40;
/** More than a slice: the end of the first opens the second (C84). */
const TWO_SLICES = 700;
const YOUNG = 10;

/** Step, at which time of it, what is safe by then, and of how many expired files. */
const STEPS: readonly [point: string, nth: number, what: string, expired?: number][] = [
  ['agent.sweep.marking', 1, 'nothing: transaction 1 is not committed'],
  ['agent.sweep.begun', 1, 'the rows are marked and told'],
  ['agent.sweep.file', 1, 'the same'],
  ['agent.sweep.file', 20, '19 files are gone'],
  ['agent.sweep.unlinked', 20, '20 files are gone'],
  ['agent.sweep.unlinked', EXPIRED, 'all files are gone, not all folders synced'],
  ['agent.sweep.synced', 1, 'all files are gone and synced'],
  ['agent.sweep.ending', 1, 'the same: transaction 2 is not committed'],
  ['agent.sweep.ended', 1, 'everything; empty folders stay'],
  [
    'agent.sweep.marking',
    2,
    'the files of the first slice are gone and synced; nothing of it is told',
    TWO_SLICES,
  ],
  ['agent.sweep.ended', 1, 'the first slice is told, the second is marked and told', TWO_SLICES],
  ['agent.sweep.begun', 2, 'the same', TWO_SLICES],
  ['agent.sweep.unlinked', 600, 'the same, and 100 files of the second are gone', TWO_SLICES],
];

export interface CrashRow {
  step: string;
  safe: string;
  goneAtDeath: number;
  told: string;
}

export async function crashes(note: (text: string) => void): Promise<void> {
  const rows: CrashRow[] = [];
  for (const [point, nth, safe, expired = EXPIRED] of STEPS) rows.push(await one(point, nth, safe, expired));
  for (const { step, safe, goneAtDeath, told } of rows)
    note(`${step}: ${safe}; ${goneAtDeath} gone at death; ${told}`);
}

async function one(point: string, nth: number, safe: string, expired: number): Promise<CrashRow> {
  const place = new Place();
  try {
    place.fill(expired, 31);
    const young = place.fill(YOUNG, 2).sort();
    place.catalogue();
    const order = JSON.stringify({ where: place.where, point, nth });
    const child = spawnSync(process.execPath, [CHILD, order], { encoding: 'utf8' });
    if (child.signal !== 'SIGKILL')
      throw new Error(`${point} ${nth}: the child was not killed: ${child.stderr}`);
    const goneAtDeath = expired + YOUNG - place.files().length;
    const opened = openPlace(place.where);
    const report = await sweepOnce(opened);
    opened.close();
    if (report?.waits !== null) throw new Error(`${point}: the sweep after it waits: ${report?.waits}`);
    const left = place.files();
    if (JSON.stringify(left) !== JSON.stringify(young))
      throw new Error(`${point}: ${left.length} files are left`);
    if (!place.foreignIsThere()) throw new Error(`${point}: a foreign file was touched`);
    return { step: `${point} ${nth}`, safe, goneAtDeath, told: account(place, point, expired) };
  } finally {
    place.close();
  }
}

/** What the journal says against what the catalogue says: the same files, each once. */
function account(place: Place, point: string, expired: number): string {
  const db = new Sqlite(join(place.state, 'agent.db'), { readonly: true });
  try {
    const leaves = db.prepare('SELECT bytes FROM leaves ORDER BY pos').all() as { bytes: string }[];
    const events = leaves.map(
      ({ bytes }) => JSON.parse(bytes) as { type: string; data: Record<string, number> },
    );
    const of = (type: string) => events.filter((event) => event.type === type).map(({ data }) => data);
    const erased = of('recordings.erased').reduce((sum, { count = 0 }) => sum + count, 0);
    const unseen = of('recordings.erased').reduce((sum, one) => sum + (one.unseen ?? 0), 0);
    const states = db.prepare('SELECT state, count(*) AS n FROM recordings GROUP BY state').all() as {
      state: number;
      n: number;
    }[];
    const rows = Object.fromEntries(states.map(({ state, n }) => [state, n]));
    if (erased !== expired || rows[2] !== expired || rows[0] !== YOUNG || states.length !== 2) {
      throw new Error(`${point}: ${erased} told as erased, rows ${JSON.stringify(rows)}`);
    }
    if (of('recordings.erasing').length !== of('recordings.erased').length)
      throw new Error(`${point}: a slice has no end`);
    return `${erased} told as erased, ${unseen} of them not seen by us`;
  } finally {
    db.close();
  }
}
