/**
 * The floor under every number of the collector: the same leaves and parts put into plain SQLite, with the
 * collector's own settings, 500 rows a transaction, by nothing but a prepared statement. A process of its own.
 */
import { randomBytes } from 'node:crypto';
import Sqlite from 'better-sqlite3';
import { type GroupSpec, signGroup, spanOf } from '../protocol/group.ts';
import { newId } from '../protocol/ids.ts';
import { x25519Private } from '../protocol/seal.ts';
import { newSigningKey, publicText } from '../protocol/sign.ts';
import { systemClock } from '../protocol/time.ts';
import { makeLines } from './leaves.ts';

const PER_TRANSACTION = 500;

const { path, events, parts } = JSON.parse(process.argv[2] ?? '{}') as {
  path: string;
  events: number;
  parts: boolean;
};

const span = spanOf(systemClock.now(), 'month');
const spec: GroupSpec = {
  group: newId(randomBytes),
  kind: 'span',
  agreement: newId(randomBytes),
  class: 'session',
  ...span,
  key: publicText(x25519Private(randomBytes(32))),
};
const group = parts ? signGroup(newSigningKey(), spec) : null;
const log = newId<'log'>(randomBytes);
const lines = [...makeLines({ log, head: randomBytes(32), firstSeq: 1, events, group })];

const db = new Sqlite(path);
for (const pragma of [
  'journal_mode = WAL',
  'synchronous = FULL',
  'secure_delete = ON',
  'temp_store = MEMORY',
]) {
  db.pragma(pragma);
}
db.pragma('cache_size = -32768');
db.pragma('wal_autocheckpoint = 1000');
db.exec(`CREATE TABLE leaves (pos INTEGER PRIMARY KEY, log INTEGER NOT NULL, seq INTEGER NOT NULL, bytes TEXT NOT NULL,
    hash BLOB NOT NULL, type TEXT NOT NULL, at INTEGER NOT NULL, received_at INTEGER NOT NULL, UNIQUE (log, seq)) STRICT;
  CREATE TABLE parts (pos INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT`);
const leaf = db.prepare(
  'INSERT INTO leaves (log, seq, bytes, hash, type, at, received_at) VALUES (1, ?, ?, ?, ?, ?, ?)',
);
const part = db.prepare('INSERT INTO parts (pos, body) VALUES (?, ?)');
const put = db.transaction((from: number) => {
  for (const line of lines.slice(from, from + PER_TRANSACTION)) {
    const now = systemClock.now();
    const { lastInsertRowid } = leaf.run(line.seq, line.text, line.hash, 'session.started', now, now);
    if (line.part !== null) part.run(lastInsertRowid, line.part.body);
  }
});
const began = performance.now();
for (let from = 0; from < events; from += PER_TRANSACTION) put(from);
const seconds = (performance.now() - began) / 1000;
db.close();
process.stdout.write(JSON.stringify({ events, seconds }));
