/**
 * A backup is a SQLite database: a copy of the collector's at one commit, and a table `backup` that says what it is.
 *
 * K9  The copy is of one commit, made by one read transaction of another process: whoever writes meanwhile goes on.
 *     Nothing that was deleted is in it (VACUUM INTO writes live rows only).
 */
import { readSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { sha256Of } from '../../protocol/canonical.ts';
import { TilsynError } from '../../protocol/errors.ts';
import { fileError, sizeOf, withFile } from '../files.ts';
import { migrations } from './connection.ts';
import { storeError } from './errors.ts';

const CHUNK = 1024 * 1024;
/** Hex of a SHA-256, a colon, base64url of a signature. */
const SEAL_CHARS = 64 + 1 + 86;
const PREFIX = 'tilsyn-backup/v1:';
const SEAL_FORM = /^tilsyn-backup\/v1:[0-9a-f]{64}:[A-Za-z0-9_-]{86}$/;

/** The schema that this version writes. */
export function schemaVersion(): number {
  return migrations().at(-1)?.version ?? 0;
}

/** What a database file says of itself. */
export interface DatabaseFacts {
  schema: number;
  generation: string;
  pos: number;
}

function facts(db: Sqlite.Database): DatabaseFacts {
  const one = (sql: string) => db.prepare<[], { v: unknown }>(sql).get()?.v;
  return {
    schema: Number(db.pragma('user_version', { simple: true })),
    generation: String(one("SELECT value AS v FROM meta WHERE key = 'generation'") ?? ''),
    pos: Number(one('SELECT coalesce(max(pos), 0) AS v FROM leaves')),
  };
}

function using<T>(path: string, readonly: boolean, doing: string, act: (db: Sqlite.Database) => T): T {
  let db: Sqlite.Database | null = null;
  try {
    db = new Sqlite(path, { readonly, fileMustExist: true });
    return act(db);
  } catch (error) {
    throw storeError(error, doing);
  } finally {
    db?.close();
  }
}

/** What the living database says; nothing is changed. @throws TilsynError `store.*` */
export function factsOf(path: string): DatabaseFacts {
  return using(path, true, 'reading the collector database', facts);
}

/** Copies the living database into the empty file `into` (K9). @throws TilsynError `store.*` */
export function copyDatabase(path: string, into: string): DatabaseFacts {
  using(path, true, 'copying the collector database', (db) => db.prepare('VACUUM INTO ?').run(into));
  return using(into, false, 'writing the backup', (db) => {
    db.pragma('journal_mode = MEMORY');
    // Of an earlier restore.
    db.exec('DROP TABLE IF EXISTS backup');
    return facts(db);
  });
}

/**
 * Writes what the backup is, and seals it: a digest over the whole file, but for the seal, and a signature.
 * @param placeholder 151 characters that stand nowhere else
 * @param sign base64url signature over the manifest with this digest, hex
 */
export function sealBackup(
  path: string,
  manifest: string,
  placeholder: string,
  sign: (digest: string) => string,
): string {
  using(path, false, 'writing the backup', (db) => {
    db.exec('CREATE TABLE backup (what TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT');
    const put = db.prepare('INSERT INTO backup (what, value) VALUES (?, ?)');
    put.run('manifest', manifest);
    put.run('seal', PREFIX + placeholder);
    db.pragma('journal_mode = DELETE');
  });
  const at = placeOf(path, PREFIX + placeholder);
  const digest = digestOf(path, at);
  withFile(path, 'r+', (file) => file.write(Buffer.from(`${digest}:${sign(digest)}`), at));
  return digest;
}

export interface ReadBackup {
  manifest: string;
  digest: string;
  sig: string;
  facts: DatabaseFacts;
}

/**
 * Reads a backup and holds it against its own digest, and SQLite against its pages.
 * @throws TilsynError `backup.unreadable`, `backup.damaged`
 */
export function readBackup(path: string): ReadBackup {
  const { manifest, seal } = sealOf(path);
  const [digest = '', sig = ''] = seal.slice(PREFIX.length).split(':');
  if (digestOf(path, placeOf(path, seal)) !== digest) throw damaged();
  try {
    return using(path, true, 'reading the backup', (db) => {
      if (db.pragma('quick_check(1)', { simple: true }) !== 'ok') throw damaged();
      return { manifest, digest, sig, facts: facts(db) };
    });
  } catch (error) {
    throw error instanceof TilsynError && error.code !== 'store.corrupt' ? error : damaged(error);
  }
}

function sealOf(path: string): { manifest: string; seal: string } {
  try {
    return using(path, true, 'reading the backup', (db) => {
      const get = db.prepare<[string], { value: string }>('SELECT value FROM backup WHERE what = ?');
      const [manifest, seal] = [get.get('manifest')?.value, get.get('seal')?.value];
      if (manifest === undefined || seal === undefined || !SEAL_FORM.test(seal)) throw unreadable();
      return { manifest, seal };
    });
  } catch (error) {
    throw unreadable(error);
  }
}

/** Takes the table of the backup out of a copy that becomes a living database. */
export function unsealCopy(path: string): void {
  using(path, false, 'putting the database back', (db) => db.exec('DROP TABLE IF EXISTS backup'));
}

/** Where the characters after the prefix of `seal` begin; it stands in the file once. */
function placeOf(path: string, seal: string): number {
  const wanted = Buffer.from(seal);
  let from = 0;
  let tail = Buffer.alloc(0);
  for (const chunk of chunksOf(path)) {
    const both = Buffer.concat([tail, chunk]);
    const at = both.indexOf(wanted);
    if (at !== -1) return from - tail.length + at + PREFIX.length;
    from += chunk.length;
    tail = both.subarray(Math.max(0, both.length - wanted.length + 1));
  }
  throw damaged();
}

/** SHA-256, hex, of the file with zeros for the seal at `at`. */
function digestOf(path: string, at: number): string {
  return sha256Of(blanked(path, at)).toString('hex');
}

function* blanked(path: string, at: number): Generator<Buffer> {
  let from = 0;
  for (const chunk of chunksOf(path)) {
    const [start, end] = [Math.max(0, at - from), Math.min(chunk.length, at + SEAL_CHARS - from)];
    if (start < end) chunk.fill(0, start, end);
    from += chunk.length;
    yield chunk;
  }
}

function* chunksOf(path: string): Generator<Buffer> {
  const size = sizeOf(path) ?? 0;
  for (let at = 0; at < size; at += CHUNK) {
    yield withFile(path, 'r', ({ fd }) => {
      const bytes = Buffer.alloc(Math.min(CHUNK, size - at));
      try {
        readSync(fd, bytes, 0, bytes.length, at);
      } catch (error) {
        throw fileError(error, 'reading the backup');
      }
      return bytes;
    });
  }
}

function unreadable(cause?: unknown): TilsynError {
  return new TilsynError('backup.unreadable', 'reading the backup: this file is none, or cannot be read', {
    hint: 'Name the file that `tilsyn collector backup` wrote, not the one with the keys beside it.',
    exit: 'usage',
    cause,
  });
}

function damaged(cause?: unknown): TilsynError {
  return new TilsynError('backup.damaged', 'checking the backup: its bytes are not those that were sealed', {
    hint: 'Fetch the file again, or take another backup; nothing was changed.',
    exit: 'integrity',
    cause,
  });
}
