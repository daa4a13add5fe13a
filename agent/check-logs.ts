/** Verifies every kept log of a database: what an outsider would check, from the stored bytes alone. */
import { setImmediate } from 'node:timers/promises';
import { birthHash, birthRecord, verifyBirth } from '../protocol/birth.ts';
import { leafHash } from '../protocol/canonical.ts';
import { toB64 } from '../protocol/ids.ts';
import { type LeafProblem, readLeaf } from '../protocol/leaf.ts';
import type { Db } from './db.ts';

export type Report = (code: string, count?: number) => void;

interface LogRow {
  id: number;
  birth: string;
  birth_hash: Buffer;
  next: number;
  head: Buffer;
  acked: number;
  open: number;
  last: number | null;
}

interface LeafRow {
  seq: number;
  bytes: string;
  hash: Buffer;
}

const UNREADABLE: Readonly<Record<LeafProblem, string>> = {
  'too-large': 'chain.too-large',
  'not-json': 'chain.not-json',
  'not-canonical': 'chain.not-canonical',
  'not-a-leaf': 'chain.not-a-leaf',
};

/** Leaves between two looks at the event loop: a running agent goes on while it checks itself. */
const CHUNK = 500;

/** Public key named by the open log's birth; null where there is none. */
export async function checkLogs(db: Db, report: Report): Promise<string | null> {
  const rows = db.prepare<[], LogRow>('SELECT * FROM logs ORDER BY id').all();
  if (rows.filter((row) => row.open === 1).length !== 1) report('log.no-open-log');
  let key: string | null = null;
  for (const row of rows) {
    const birth = checkBirth(row, report);
    if (row.open === 1) key = birth;
    await checkChain(db, row, report);
  }
  return key;
}

function checkBirth(row: LogRow, report: Report): string | null {
  const parsed = birthRecord.safeParse(JSON.parse(row.birth));
  if (!parsed.success || !verifyBirth(parsed.data)) {
    report('log.birth-signature');
    return null;
  }
  if (!birthHash(parsed.data).equals(row.birth_hash)) report('log.birth-hash');
  return parsed.data.key;
}

/** L1, L2, L3 from the first kept leaf to the head. */
async function checkChain(db: Db, row: LogRow, report: Report): Promise<void> {
  const chunk = db.prepare<[number, number], LeafRow>(
    `SELECT seq, bytes, hash FROM leaves WHERE log = ? AND seq > ? ORDER BY seq LIMIT ${CHUNK}`,
  );
  let prev: Buffer | null = null;
  let seq = 0;
  for (let leaves = chunk.all(row.id, 0); leaves.length > 0; leaves = chunk.all(row.id, seq)) {
    for (const leaf of leaves) {
      checkPlace(row, leaf.seq, seq, report);
      prev = leaf.seq === 1 ? row.birth_hash : leaf.seq === seq + 1 ? prev : null;
      checkLeaf(leaf, prev, report);
      prev = leaf.hash;
      seq = leaf.seq;
    }
    await setImmediate();
  }
  checkEnd(row, seq, prev, report);
}

/** Pruned leaves are missing at the front only, and only where they were acked. */
function checkPlace(row: LogRow, seq: number, before: number, report: Report): void {
  if (seq === before + 1) return;
  if (before > 0 || seq > row.acked + 1) report('chain.hole', seq - before - 1);
}

function checkLeaf(leaf: LeafRow, prev: Buffer | null, report: Report): void {
  const read = readLeaf(leaf.bytes);
  if (typeof read === 'string') {
    report(UNREADABLE[read]);
    return;
  }
  if (!leafHash(leaf.bytes).equals(leaf.hash)) report('chain.hash');
  if (read.seq !== leaf.seq) report('chain.seq');
  if (prev !== null && read.prev !== toB64(prev)) report('chain.prev');
}

function checkEnd(row: LogRow, seq: number, head: Buffer | null, report: Report): void {
  if (seq === 0) {
    const nothingKept = row.open === 0 || row.next === 1;
    if (!nothingKept) report('chain.hole', row.next - 1);
    return;
  }
  if (seq !== row.next - 1) report('chain.end');
  else if (head !== null && !head.equals(row.head)) report('chain.head');
}
