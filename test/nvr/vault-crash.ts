/**
 * I9: SIGKILL at each step of a copy, and then the recorder cuts the originals off and removes them, or leaves them: each copy
 * that the rows call whole is whole, and what was not copied before the recorder came is told.
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { MARKER_FILE } from '../../agent/recordings/root.ts';
import { Place } from './place.ts';

const CHILD = new URL('./vault-child.ts', import.meta.url).pathname;
const FILES = 5;

/** Step, at which time of it, what is safe of the third file by then. */
export const VAULT_STEPS: readonly [point: string, nth: number, safe: string][] = [
  ['agent.vault.begun', 3, 'nothing: a row without a file'],
  ['agent.vault.made', 3, 'nothing: an empty part'],
  ['agent.vault.slice', 3, 'nothing: a part without a hash'],
  ['agent.vault.written', 3, 'nothing: a part without a hash'],
  ['agent.vault.hashed', 3, 'all of it, as a part'],
  ['agent.vault.verified', 3, 'all of it, as a part'],
  ['agent.vault.settled', 3, 'all of it'],
  ['agent.vault.telling', 1, 'all, not told'],
  ['agent.vault.told', 1, 'all, and told'],
];

export async function vaultCrashes(note: (text: string) => void): Promise<void> {
  for (const [point, nth, safe] of VAULT_STEPS) {
    for (const recorder of ['rests', 'deletes'] as const) {
      const said = vaultCrash(point, nth, recorder);
      note(`${point} ${nth}, the recorder ${recorder}: ${safe}; ${said}`);
    }
  }
}

/** Kills a vault at a point, lets the recorder act, starts it again; returns what came of it, or throws. */
export function vaultCrash(point: string, nth: number, recorder: 'rests' | 'deletes'): string {
  const place = new Place();
  try {
    const paths = place.fill(FILES, 5);
    for (const path of paths) writeFileSync(join(place.root, path), randomBytes(5_000));
    place.catalogue();
    sql(place, "INSERT INTO holds (hold, kind, scope) VALUES (randomblob(16), 'crime', ?)", EVERYTHING);
    const digests = new Map(paths.map((path) => [path, digest(join(place.root, path))]));
    const killed = child(place, point, nth);
    if (killed.signal !== 'SIGKILL') throw new Error(`${point}: the child was not killed: ${killed.stderr}`);
    if (recorder === 'deletes') for (const path of paths) clean(join(place.root, path));
    const again = child(place, null, 0);
    if (again.status !== 0 || again.stderr !== '')
      throw new Error(`${point}: the second run: ${again.stderr}`);
    const copies = copiesOf(place);
    for (const [path, sum] of copies)
      if (sum !== digests.get(path)) throw new Error(`${point}: a copy is not whole`);
    const files = readdirSync(join(place.state, 'vault')).filter((name) => name !== MARKER_FILE);
    if (files.length !== copies.size) throw new Error(`${point}: ${files.length} files, ${copies.size} rows`);
    if (told(place) !== copies.size) throw new Error(`${point}: told ${told(place)} of ${copies.size}`);
    const least = recorder === 'rests' ? FILES : wholeAt(point);
    if (copies.size !== least) throw new Error(`${point}: ${copies.size} copies, expected ${least}`);
    return `${copies.size} of ${FILES} whole, each told once`;
  } finally {
    place.close();
  }
}

const EVERYTHING = JSON.stringify({ from: null, to: null });
/** How many were complete on the disk when it was killed. */
function wholeAt(point: string): number {
  if (/tell|told/.test(point)) return FILES;
  return /hashed|verified|settled/.test(point) ? 3 : 2;
}

function child(place: Place, point: string | null, nth: number) {
  const order = JSON.stringify({ where: place.where, point, nth, rate: 1e15 });
  return spawnSync(process.execPath, [CHILD, order], { encoding: 'utf8' });
}

/** As Frigate's cleaner does: cut off, then unlinked. */
export function clean(path: string): void {
  truncateSync(path);
  unlinkSync(path);
}

export function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function sql<T>(place: Place, text: string, ...values: unknown[]): T[] {
  const db = new Sqlite(join(place.state, 'agent.db'));
  try {
    const statement = db.prepare(text);
    if (statement.reader) return statement.all(...values) as T[];
    statement.run(...values);
    return [];
  } finally {
    db.close();
  }
}

/** SHA-256 of each copy's file by its original's path, where the row has the same. */
function copiesOf(place: Place): Map<string, string> {
  const rows = sql<{ file: Buffer; path: Buffer; sha256: Buffer }>(
    place,
    'SELECT file, path, sha256 FROM vault_copies WHERE state = 2',
  );
  return new Map(
    rows.map(({ file, path, sha256 }) => {
      const at = join(place.state, 'vault', file.toString('hex'));
      const real = existsSync(at) ? digest(at) : 'gone';
      return [path.toString(), real === sha256.toString('hex') ? real : 'differs'];
    }),
  );
}

function told(place: Place): number {
  const leaves = sql<{ bytes: string }>(place, 'SELECT bytes FROM leaves ORDER BY pos');
  const events = leaves.map(({ bytes }) => JSON.parse(bytes) as { type: string; data: { count: number } });
  const copied = events.filter(({ type }) => type === 'vault.copied');
  return copied.reduce((sum, { data }) => sum + data.count, 0);
}
