/**
 * The transaction of ingest: the leaves of many batches, their parts, their projections and the collector's own
 * events about them, or none of it.
 */
import type { LogId, SessionId } from '../../protocol/ids.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Counters } from '../counters.ts';
import { type HeldSaid, noteHolds } from '../holds/note.ts';
import { applyLeaves, type Stored } from '../projections.ts';
import { followMerges } from '../regroup/follow.ts';
import type { NewLeaf, PartRow, Pos, Tx, WrapRow } from '../store/types.ts';
import type { Context, OwnDraft } from '../types.ts';
import { type AppliedSaid, noteApplied } from './commands.ts';
import {
  askedHashes,
  type Decision,
  decide,
  type Incoming,
  type IncomingLeaf,
  type LogHead,
  type Offence,
} from './decide.ts';
import { matchOrigins, matchTwins, originFor, resolveMerges, type Told } from './merge.ts';
import type { PartsOf, PlannedPart } from './parts.ts';
import { keyOf, type PartKey, planRefill } from './refill.ts';
import { Tally } from './tally.ts';

/** One batch, read and with its parts opened. */
export interface Prepared {
  of: PartsOf;
  incoming: readonly Incoming[];
  planned: PlannedPart[];
}

export interface Outcome {
  /** The log's cursor after the transaction. */
  through: number;
  offence: Offence | null;
}

/** What the batches of one transaction add up to. */
interface Work {
  stored: Stored[];
  /** Commands that agents say they have carried out. */
  applied: AppliedSaid[];
  /** What they say of holds. */
  held: HeldSaid[];
  /** By position and group: of two in one turn, one that opens goes before one that does not. */
  parts: Map<string, { row: PartRow; opens: boolean }>;
  /** Stored parts that others take the place of. */
  replaced: PartKey[];
  wraps: Map<string, WrapRow>;
  origins: Told[];
  events: OwnDraft[];
}

export interface Written {
  outcomes: Outcome[];
  /** Rows that are stored now. */
  wraps: WrapRow[];
}

export async function writeBatches(ctx: Context, tx: Tx, batches: readonly Prepared[]): Promise<Written> {
  const work: Work = {
    stored: [],
    applied: [],
    held: [],
    parts: new Map(),
    replaced: [],
    wraps: new Map(),
    origins: [],
    events: [],
  };
  const heads = await headsOf(tx, batches);
  const outcomes: Outcome[] = [];
  for (const batch of batches) {
    const head = heads.get(batch.of.log);
    if (head === undefined) throw new Error('a batch of a log without a row');
    outcomes.push(await writeOne(ctx, tx, batch, head, work));
  }
  await tx.setHeads([...heads.values()]);
  await tx.addWraps([...work.wraps.values()]);
  if (work.replaced.length > 0) await tx.dropParts(work.replaced);
  await tx.addParts([...work.parts.values()].map(({ row }) => row));
  await applyLeaves(tx, work.stored);
  await noteApplied(ctx, tx, work.applied);
  if (work.held.length > 0) work.events.push(...(await noteHolds(ctx, tx, work.held)));
  await mergeSessions(ctx, tx, work);
  await ctx.own.append(tx, work.events);
  return { outcomes, wraps: [...work.wraps.values()] };
}

async function headsOf(tx: Tx, batches: readonly Prepared[]): Promise<Map<LogId, LogHead>> {
  const logs = [...new Set(batches.map(({ of }) => of.log))];
  const rows = await tx.logStates(logs);
  return new Map(rows.map(({ log, through, head, state }) => [log, { log, through, head, state }]));
}

async function writeOne(ctx: Context, tx: Tx, batch: Prepared, head: LogHead, work: Work): Promise<Outcome> {
  const known = await knownLeaves(tx, head, batch.incoming);
  const decision = decide(head, batch.incoming, (seq) => known.get(seq)?.hash);
  Object.assign(head, decision.after);
  const receivedAt = ctx.clock.now();
  tx.afterCommit(() => count(ctx.counters, decision));
  const positions = await appendAll(ctx, tx, decision, receivedAt, work);
  for (const { leaf } of decision.append) {
    const { type, data } = leaf;
    if (type === 'command.applied') work.applied.push({ agent: batch.of.agent, data });
    if (type === 'hold.applied' || type === 'hold.reported')
      work.held.push({ agent: batch.of.agent, type, data });
  }
  for (const { leaf } of decision.duplicates) {
    const pos = known.get(leaf.seq)?.pos;
    if (pos !== undefined && !positions.has(leaf.seq)) positions.set(leaf.seq, pos);
  }
  await takeParts(ctx, tx, batch, decision, positions, work);
  await recordOffence(tx, head, decision.offence, receivedAt, work);
  return { through: head.through, offence: decision.offence };
}

function count(counters: Counters, { append, duplicates, offence }: Decision): void {
  counters.add('leaves_stored', append.length);
  counters.add('leaves_duplicate', duplicates.length);
  counters.add('leaves_acked', append.length + duplicates.length);
  counters.add('gaps', append.filter(({ leaf }) => leaf.type === 'journal.gap').length);
  if (offence?.kind === 'hole') counters.add('holes');
  if (offence?.kind === 'fork') counters.add('forks');
  if (offence?.kind === 'quarantine') counters.add('quarantines');
}

interface Known {
  hash: Buffer;
  pos: Pos;
}

/** Leaves that are stored already at the seqs of this batch: only after a resend are there any. */
async function knownLeaves(
  tx: Tx,
  head: LogHead,
  incoming: readonly Incoming[],
): Promise<Map<number, Known>> {
  const asked = askedHashes(head, incoming);
  if (asked === null) return new Map();
  const rows = await tx.leavesOf(head.log, asked.from, asked.to);
  return new Map(rows.map(({ seq, hash, pos }) => [seq, { hash, pos }]));
}

function newLeaf({ text, leaf, hash }: IncomingLeaf, receivedAt: UtcMs): NewLeaf {
  const { log, seq, type } = leaf;
  // `readLeaf` has checked that it names a real instant.
  const at = utcMs(Date.parse(leaf.at));
  return { log, seq, bytes: text, hash, type, at, receivedAt };
}

async function appendAll(
  ctx: Context,
  tx: Tx,
  { append, duplicates }: Decision,
  receivedAt: UtcMs,
  work: Work,
): Promise<Map<number, Pos>> {
  const rows = append.map((one) => newLeaf(one, receivedAt));
  const positions = await tx.appendLeaves(rows);
  const bySeq = new Map<number, Pos>();
  for (const [i, row] of rows.entries()) {
    const pos = positions[i] ?? 0;
    bySeq.set(row.seq, pos);
    const leaf = append[i]?.leaf;
    work.stored.push({ ...row, pos, ...(leaf === undefined ? {} : { leaf }) });
  }
  if (ctx.faults.broken?.('no-dedup')) await storeTwice(tx, duplicates, receivedAt);
  return bySeq;
}

/** A build broken on purpose (I2): duplicates become rows of their own, past the index on `(log, seq)`. */
async function storeTwice(tx: Tx, duplicates: readonly IncomingLeaf[], receivedAt: UtcMs): Promise<void> {
  const beyond = 1e12 + (await tx.lastPos());
  await tx.appendLeaves(duplicates.map((one, i) => ({ ...newLeaf(one, receivedAt), seq: beyond + i })));
}

/** Stores the parts of accepted leaves; of duplicates only those that are wanted, which refills a restored store. */
async function takeParts(
  ctx: Context,
  tx: Tx,
  batch: Prepared,
  decision: Decision,
  positions: ReadonlyMap<number, Pos>,
  work: Work,
): Promise<void> {
  if (batch.planned.length === 0) return;
  const fresh = new Set(decision.append.map(({ leaf }) => leaf.seq));
  const again = batch.planned.flatMap((part) => {
    const { seq } = part.leaf.leaf;
    const pos = fresh.has(seq) ? undefined : positions.get(seq);
    return pos === undefined ? [] : [{ part, pos }];
  });
  const refill = await planRefill(ctx, tx, again);
  const live = await liveGroups(tx, batch.planned);
  const tally = new Tally(batch.of.log);
  for (const part of batch.planned) {
    const { seq } = part.leaf.leaf;
    const pos = positions.get(seq);
    if (pos === undefined || refill.closed.has(keyOf(pos, part.group))) continue;
    const outcome = live.has(part.under) ? part.outcome : 'drop';
    const kept = outcome === 'store' || (outcome === 'invalid' && fresh.has(seq));
    const { came, opened } = part;
    // Also where this part is dropped: a later one may name it, and it does not travel again.
    if (came !== null && live.has(came.group) && (kept || opened !== null)) work.wraps.set(came.wrap, came);
    if (kept) keepPart(ctx, part, pos, work);
    // A resend says nothing new.
    if (fresh.has(seq) || (kept && part.under !== part.group)) tally.add(part, outcome);
  }
  work.replaced.push(...refill.replaced);
  work.events.push(...tally.events());
}

function keepPart(ctx: Context, part: PlannedPart, pos: Pos, work: Work): void {
  const { group, under, wrap, body, resealed } = part;
  const [key, opens] = [keyOf(pos, group), part.outcome === 'store'];
  if (work.parts.has(key) && (!opens || work.parts.get(key)?.opens === true)) return;
  work.parts.set(key, { row: { pos, group, under, wrap, body }, opens });
  if (resealed !== null) work.wraps.set(resealed.wrap, resealed);
  const origin = originFor(ctx, part, pos);
  if (origin !== null) work.origins.push(origin);
}

/** Read inside the transaction: an erasure that committed since the parts were opened wins. */
async function liveGroups(tx: Tx, planned: readonly PlannedPart[]): Promise<Set<string>> {
  const live = new Set<string>();
  for (const group of new Set(planned.flatMap(({ under, group }) => [under, group]))) {
    if ((await tx.groups.get(group))?.state === 'live') live.add(group);
  }
  return live;
}

async function recordOffence(
  tx: Tx,
  head: LogHead,
  offence: Offence | null,
  receivedAt: UtcMs,
  work: Work,
): Promise<void> {
  if (offence?.kind !== 'fork' && offence?.kind !== 'quarantine') return;
  const { log, state } = head;
  const [row] = await tx.logs([log]);
  if (row !== undefined) await tx.putLogs([{ ...row, through: head.through, head: head.head, state }]);
  if (offence.kind === 'quarantine') {
    work.events.push({ type: 'log.quarantined', data: { log, seq: offence.seq } });
    return;
  }
  const { text, leaf, hash } = offence.at;
  await tx.addForks([{ log, seq: leaf.seq, hash, bytes: text, receivedAt: utcMs(receivedAt) }]);
  work.events.push({ type: 'log.forked', data: { log, seq: leaf.seq } });
}

async function mergeSessions(ctx: Context, tx: Tx, work: Work): Promise<void> {
  // A session that has an origin is told apart by that alone.
  const told = new Set(work.origins.map(({ session }) => session));
  const fresh = new Set(work.stored.map(({ pos }) => pos));
  const ended = work.stored
    // A row may say other times than the log did: only with them are two tellings of it alike (M2).
    .filter(
      ({ type, leaf }) => type === 'session.ended' || (type === 'session.updated' && leaf?.data.row != null),
    )
    .map(({ leaf }) => leaf?.data.session as SessionId)
    .filter((session) => typeof session === 'string' && !told.has(session));
  const pairs = [
    ...(work.origins.length > 0 ? await matchOrigins(tx, work.origins, (pos) => fresh.has(pos)) : []),
    ...(ended.length > 0 ? await matchTwins(ctx, tx, [...new Set(ended)]) : []),
  ];
  const merges = await resolveMerges(tx, pairs);
  for (const merge of merges) work.events.push({ type: 'session.merged', data: merge });
  if (merges.length > 0) work.events.push(...(await followMerges(ctx, tx, merges)));
}
