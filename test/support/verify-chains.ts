/**
 * Reads a state directory's database as an outsider would, with SQL of its own, and checks every chain in it:
 * birth signed and matching, `seq` without holes, `prev`, stored hash, canonical bytes, head and cursor,
 * predecessors named. Findings are text for the harness's output.
 */
import Sqlite from 'better-sqlite3';
import { type Birth, birthHash, birthRecord, verifyBirth } from '../../protocol/birth.ts';
import { leafHash } from '../../protocol/canonical.ts';
import { type Leaf, readLeaf } from '../../protocol/leaf.ts';

export interface ChainLeaf {
  seq: number;
  bytes: string;
  hash: Buffer;
  leaf: Leaf;
}

export interface Chain {
  log: string;
  birth: Birth;
  /** Last stored seq and its hash, as the `logs` table says. */
  through: number;
  head: Buffer;
  /** Collector: `open`, `closed` …; agent: `open` or `closed`. */
  state: string;
  /** Agent: what it believes is acked; collector: `through`. */
  acked: number;
  leaves: ChainLeaf[];
}

export interface ChainReport {
  chains: Map<string, Chain>;
  problems: string[];
}

interface RawLog {
  id: number;
  log: string;
  birth: string;
  through: number;
  head: Buffer;
  state: string;
  acked: number;
}
type RawLeaf = Omit<ChainLeaf, 'leaf'>;

/** The two schemas, seen alike. */
const LOGS = {
  agent: `SELECT id, lower(hex(log)) AS log, birth, next - 1 AS through, head,
            CASE open WHEN 1 THEN 'open' ELSE 'closed' END AS state, acked FROM logs ORDER BY id`,
  collector: 'SELECT id, log, birth, through, head, state, through AS acked FROM logs ORDER BY id',
} as const;

/** Checks the database file at `path`; it may be open in a live process. */
export function verifyChains(path: string, side: keyof typeof LOGS): ChainReport {
  const db = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    return db.transaction(() => verifyAll(db, side))();
  } finally {
    db.close();
  }
}

function verifyAll(db: Sqlite.Database, side: keyof typeof LOGS): ChainReport {
  const chains = new Map<string, Chain>();
  const problems: string[] = [];
  const leavesOf = db.prepare<[number], RawLeaf>(
    'SELECT seq, bytes, hash FROM leaves WHERE log = ? ORDER BY seq',
  );
  for (const raw of db.prepare<[], RawLog>(LOGS[side]).all()) {
    const say = (text: string) => problems.push(`${side}: log ${raw.log.slice(0, 8)}: ${text}`);
    chains.set(raw.log, verifyOne(raw, leavesOf.all(raw.id), side, say));
  }
  for (const chain of chains.values()) checkAncestry(chain, chains, side, problems);
  return { chains, problems };
}

type Say = (text: string) => void;

function verifyOne(raw: RawLog, rows: RawLeaf[], side: keyof typeof LOGS, say: Say): Chain {
  const { log, through, head, state, acked } = raw;
  const birth = birthRecord.parse(JSON.parse(raw.birth));
  if (birth.log !== log) say('its birth record names another log');
  if (!verifyBirth(birth)) say('its birth record is not signed by the key that it names');
  const leaves: ChainLeaf[] = [];
  const first = rows[0]?.seq ?? 1;
  // An agent on a full disk gives up the oldest acked leaves; a collector never does.
  if (first !== 1 && side === 'collector') say(`its first leaf has seq ${first}`);
  if (first !== 1 && first > acked + 1) say(`leaves before ${first} are gone, acked is only ${acked}`);
  let prev: Buffer | null = first === 1 ? birthHash(birth) : null;
  for (const [index, row] of rows.entries()) {
    const leaf = checkLeaf(row, log, first + index, prev, say);
    if (leaf !== null) leaves.push({ ...row, leaf });
    prev = row.hash;
  }
  const last = rows.at(-1)?.seq ?? first - 1;
  if (last !== through) say(`cursor says ${through}, last leaf is ${last}`);
  if (prev !== null && !prev.equals(head)) say('head is not the hash of the last leaf');
  return { log, birth, through, head, state, acked, leaves };
}

function checkLeaf(row: RawLeaf, log: string, seq: number, prev: Buffer | null, say: Say): Leaf | null {
  if (row.seq !== seq) say(`hole: ${row.seq} where ${seq} was due`);
  if (!leafHash(row.bytes).equals(row.hash)) say(`stored hash of ${row.seq} is wrong`);
  const leaf = readLeaf(row.bytes);
  if (typeof leaf === 'string') {
    say(`leaf ${row.seq} is ${leaf}`);
    return null;
  }
  if (leaf.log !== log || leaf.seq !== row.seq) say(`leaf ${row.seq} says that it is another one`);
  if (prev !== null && leaf.prev !== prev.toString('base64url')) say(`prev of ${row.seq} is wrong`);
  return leaf;
}

/** A successor names a log that is there, at a place where that log really was. */
function checkAncestry(chain: Chain, chains: Map<string, Chain>, side: string, problems: string[]): void {
  const { predecessor, log, reason } = chain.birth;
  if (predecessor === null) return;
  const parent = chains.get(predecessor.log);
  const say = (text: string) => problems.push(`${side}: log ${log.slice(0, 8)} (${reason}): ${text}`);
  if (parent === undefined) {
    say('its predecessor is not known');
    return;
  }
  if (predecessor.size > parent.through) say('its predecessor never was so long');
  if (predecessor.size === 0 || predecessor.head === null) return;
  const at = parent.leaves.find((leaf) => leaf.seq === predecessor.size);
  if (at !== undefined && at.hash.toString('base64url') !== predecessor.head) {
    say('the head it names is not the one its predecessor had there');
  }
}

/** Both sides hold the same bytes wherever both hold a leaf, and an agent believes no ack that is not true. */
export function compareChains(agent: ChainReport, collector: ChainReport): string[] {
  const problems: string[] = [];
  for (const [log, mine] of agent.chains) {
    const theirs = collector.chains.get(log);
    const through = theirs?.through ?? 0;
    const name = log.slice(0, 8);
    if (mine.acked > through) {
      problems.push(`log ${name}: the agent was acked ${mine.acked}, the collector has ${through}`);
    }
    const known = new Map(theirs?.leaves.map((leaf) => [leaf.seq, leaf.bytes]));
    for (const { seq, bytes } of mine.leaves) {
      const other = known.get(seq);
      if (other !== undefined && other !== bytes)
        problems.push(`log ${name}: ${seq} differs on the two sides`);
    }
  }
  return problems;
}
