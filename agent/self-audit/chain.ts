/**
 * A stretch of the agent's own journal, verified from its stored bytes alone: the newest leaves, and as many from anywhere
 * before them. Leaves carry no signature of their own; the birth that the first one hangs on does.
 */
import { birthHash, birthRecord, verifyBirth } from '../../protocol/birth.ts';
import { leafHash } from '../../protocol/canonical.ts';
import { type Random, toB64 } from '../../protocol/ids.ts';
import { readLeaf } from '../../protocol/leaf.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { AuditStore, ChainLeaf, ChainLog } from './store.ts';
import { add, type CheckResult, leave, nothing, type Pace } from './types.ts';

/** Leaves of each of the two stretches. */
export const STRETCH = 5_000;
const PAGE = 100;

/** Where a stretch stands: what the next leaf has to hang on. Null: nobody knows, it is the first that is looked at. */
export interface Link {
  seq: number;
  hash: Buffer | null;
}

export interface Verified {
  /** Leaves that are not what they should be. */
  broken: number;
  link: Link;
  /** Gaps that these leaves tell of, after `since`. */
  gaps: number;
}

/** Pure: leaves in their order, the first of which has to follow `link`. */
export function verify(link: Link, leaves: readonly ChainLeaf[], since: UtcMs | null): Verified {
  let { seq, hash } = link;
  let [broken, gaps] = [0, 0];
  for (const leaf of leaves) {
    const read = readLeaf(leaf.bytes);
    const own = leafHash(leaf.bytes);
    const right =
      typeof read !== 'string' &&
      own.equals(leaf.hash) &&
      read.seq === leaf.seq &&
      leaf.seq === seq + 1 &&
      (hash === null || read.prev === toB64(hash));
    if (!right) broken += 1;
    else if (read.type === 'journal.gap' && (since === null || leaf.at > since)) gaps += 1;
    [seq, hash] = [leaf.seq, leaf.hash];
  }
  return { broken, link: { seq, hash }, gaps };
}

export interface ChainDeps {
  store: AuditStore;
  random: Random;
  pace: Pace;
  /** Public key of this agent; null: it cannot be read. */
  key: string | null;
  /** When the last audit began; null: there was none. */
  since: UtcMs | null;
}

/** @returns the check, and how many gaps the journal tells of since the last audit */
export async function checkChain(deps: ChainDeps): Promise<{ result: CheckResult; gaps: number }> {
  const { store, random } = deps;
  const result = nothing('chain');
  let [broken, gaps, of] = [0, 0, 0];
  const known = store.logs();
  if (known.filter(({ open }) => open).length !== 1) broken += 1;
  for (const { id } of known) {
    // Read together, and anew: the agent writes on while it is at the log before.
    const [log, span] = [store.logs().find((one) => one.id === id), store.span(id)];
    if (log === undefined) continue;
    if (!isBorn(log, deps.key)) broken += 1;
    if (span === null) {
      if (log.open && log.next !== 1) broken += 1;
      continue;
    }
    of += span.last - span.first + 1;
    if (span.first > 1) leave(result, 'acked-leaves');
    // Only what was acked is ever dropped.
    if (span.first > log.acked + 1) broken += 1;
    const newest = Math.max(span.first, span.last - STRETCH + 1);
    const earlier = newest - span.first;
    const from = span.first + Math.max(0, drawn(random, Math.max(1, earlier - STRETCH + 1)));
    const stretches = [
      ...(earlier > 0 ? [{ from, to: Math.min(newest - 1, from + STRETCH - 1) }] : []),
      { from: newest, to: span.last },
    ];
    for (const one of stretches) {
      const seen = await stretch(deps, log, one.from, one.to);
      result.looked += seen.looked;
      // What was dropped meanwhile, because it was acked long ago, is no break.
      const dropped = (store.span(log.id)?.first ?? 0) > one.from;
      if (!dropped) broken += seen.broken;
      gaps += seen.gaps;
      if (one.to === span.last && !ends(log, seen.link)) broken += 1;
    }
  }
  result.of = of;
  if (result.looked < of) leave(result, 'beyond-sample');
  add(result, 'chain-broken', broken, null);
  return { result, gaps };
}

async function stretch({ store, pace, since }: ChainDeps, log: ChainLog, from: number, to: number) {
  const sum = { looked: 0, broken: 0, gaps: 0 };
  let link = before(store, log, from);
  for (let next = from; next <= to; ) {
    const leaves = store.leaves(log.id, next, Math.min(PAGE, to - next + 1));
    const last = leaves.at(-1);
    if (last === undefined) {
      sum.broken += 1;
      break;
    }
    const seen = verify(link, leaves, since);
    sum.looked += leaves.length;
    sum.broken += seen.broken;
    sum.gaps += seen.gaps;
    link = seen.link;
    next = last.seq + 1;
    await pace.step();
  }
  return { ...sum, link };
}

/** What the leaf `from` has to hang on. */
function before(store: AuditStore, log: ChainLog, from: number): Link {
  if (from === 1) return { seq: 0, hash: log.birthHash };
  const [leaf] = store.leaves(log.id, from - 1, 1);
  return { seq: from - 1, hash: leaf?.seq === from - 1 ? leaf.hash : null };
}

/** The log's head is its last leaf. */
function ends(log: ChainLog, { seq, hash }: Link): boolean {
  return seq === log.next - 1 && hash !== null && hash.equals(log.head);
}

function isBorn({ birth, birthHash: stored, open }: ChainLog, key: string | null): boolean {
  try {
    const read = birthRecord.safeParse(JSON.parse(birth));
    if (!read.success || !verifyBirth(read.data) || !birthHash(read.data).equals(stored)) return false;
    return !open || key === null || read.data.key === key;
  } catch {
    return false;
  }
}

function drawn(random: Random, most: number): number {
  return random(6).readUIntBE(0, 6) % most;
}
