/**
 * What becomes of the leaves of one batch. Pure: state of the log and leaves in, a decision out.
 *
 * I1  A leaf is stored only if it is canonical, of this log, the next in `seq` and right in `prev`.
 * I2  `seq` taken by the same bytes: a duplicate. It is acked again and not stored again.
 * I3  `seq` taken by other bytes: a fork. The other bytes are kept once, the log is frozen, also one that took
 *     nothing new any more.
 * I4  A hole, before the batch or inside it, ends the batch; the log stays as it is and the agent rewinds.
 * I5  Not canonical, not a leaf, of another log, or wrong in `prev`: the log is quarantined.
 * I6  A log that is not open takes nothing new; duplicates are still acked.
 * I7  What stands before an offence is stored and acked; nothing after it is looked at.
 * I8  Unknown types and fields are no offence, and no clock is ever looked at.
 */
import { leafHash } from '../../protocol/canonical.ts';
import type { LogId } from '../../protocol/ids.ts';
import { type Leaf, type LeafProblem, readLeaf } from '../../protocol/leaf.ts';
import type { LogRow } from '../store/types.ts';

/** Where a log stands. */
export interface LogHead {
  log: LogId;
  through: number;
  /** Leaf hash at `through`, of the birth at 0. */
  head: Buffer;
  state: LogRow['state'];
}

/** An event of a batch, read once. */
export type Incoming =
  | { text: string; leaf: Leaf; prev: Buffer; hash: Buffer }
  | { text: string; leaf: null; problem: LeafProblem };
export type IncomingLeaf = Extract<Incoming, { leaf: Leaf }>;

export type Offence =
  | { kind: 'fork'; at: IncomingLeaf }
  | { kind: 'hole' }
  | { kind: 'quarantine'; seq: number; why: LeafProblem | 'wrong-prev' | 'wrong-log' }
  | { kind: 'not-open' };

export interface Decision {
  /** New leaves, in order. */
  append: IncomingLeaf[];
  duplicates: IncomingLeaf[];
  offence: Offence | null;
  /** Where the log stands afterwards. */
  after: LogHead;
}

export function readIncoming(text: string): Incoming {
  const leaf = readLeaf(text);
  if (typeof leaf === 'string') return { text, leaf: null, problem: leaf };
  return { text, leaf, prev: Buffer.from(leaf.prev, 'base64url'), hash: leafHash(text) };
}

/** Seqs, both included, whose stored hashes `decide` will ask for; null: none. At most as many as leaves. */
export function askedHashes(
  head: LogHead,
  incoming: readonly Incoming[],
): { from: number; to: number } | null {
  const from = incoming[0]?.leaf?.seq;
  if (from === undefined || from > head.through) return null;
  return { from, to: Math.min(head.through, from + incoming.length - 1) };
}

/** @param stored leaf hash that this log has at a seq; undefined: none */
export function decide(
  head: LogHead,
  incoming: readonly Incoming[],
  stored: (seq: number) => Buffer | undefined,
): Decision {
  const decision: Decision = { append: [], duplicates: [], offence: null, after: { ...head } };
  let expected: number | null = null;
  for (const one of incoming) {
    decision.offence = step(decision, one, expected, stored);
    if (decision.offence !== null) break;
    expected = (one.leaf?.seq ?? 0) + 1;
  }
  const { offence, after } = decision;
  if (offence?.kind === 'fork') after.state = 'frozen';
  if (offence?.kind === 'quarantine') after.state = 'quarantined';
  return decision;
}

function step(
  { append, duplicates, after }: Decision,
  one: Incoming,
  expected: number | null,
  stored: (seq: number) => Buffer | undefined,
): Offence | null {
  const open = after.state === 'open';
  const suspect = (why: (Offence & { kind: 'quarantine' })['why'], seq = after.through + 1): Offence =>
    open ? { kind: 'quarantine', seq, why } : { kind: 'not-open' };
  if (one.leaf === null) return suspect(one.problem);
  const { seq, log } = one.leaf;
  if (log !== after.log) return suspect('wrong-log');
  if (expected !== null && seq !== expected) return { kind: 'hole' };
  if (seq <= after.through) {
    if (stored(seq)?.equals(one.hash)) {
      duplicates.push(one);
      return null;
    }
    return after.state === 'frozen' ? { kind: 'not-open' } : { kind: 'fork', at: one };
  }
  if (!open) return { kind: 'not-open' };
  if (seq !== after.through + 1) return { kind: 'hole' };
  if (!one.prev.equals(after.head)) return suspect('wrong-prev', seq);
  append.push(one);
  after.through = seq;
  after.head = one.hash;
  return null;
}
