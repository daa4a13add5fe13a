/**
 * The transaction of ingest: the leaves of many batches, their parts, their projections and the collector's own
 * events about them, or none of it.
 */
import type { LogId, SessionId } from '../../protocol/ids.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import { applyLeaves, type Stored } from '../projections.ts';
import type { NewLeaf, PartRow, Pos, Tx, WrapRow } from '../store/types.ts';
import type { Context, OwnDraft } from '../types.ts';
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
import { type PartsOf, type PlannedPart, usableGroup } from './parts.ts';

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
  parts: PartRow[];
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
  const work: Work = { stored: [], parts: [], wraps: new Map(), origins: [], events: [] };
  const heads = await headsOf(tx, batches);
  const outcomes: Outcome[] = [];
  for (const batch of batches) {
    const head = heads.get(batch.of.log);
    if (head === undefined) throw new Error('a batch of a log without a row');
    outcomes.push(await writeOne(ctx, tx, batch, head, work));
  }
  await tx.setHeads([...heads.values()]);
  await tx.addWraps([...work.wraps.values()]);
  await tx.addParts(work.parts);
  await applyLeaves(tx, work.stored);
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
  const positions = await appendAll(ctx, tx, decision, receivedAt, work);
  for (const { leaf } of decision.duplicates) {
    const pos = known.get(leaf.seq)?.pos;
    if (pos !== undefined && !positions.has(leaf.seq)) positions.set(leaf.seq, pos);
  }
  await takeParts(ctx, tx, batch, decision, positions, work);
  await recordOffence(tx, head, decision.offence, receivedAt, work);
  return { through: head.through, offence: decision.offence };
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

/** Stores the parts of accepted leaves; of duplicates only those that are absent, which refills a restored store. */
async function takeParts(
  ctx: Context,
  tx: Tx,
  batch: Prepared,
  decision: Decision,
  positions: ReadonlyMap<number, Pos>,
  work: Work,
): Promise<void> {
  for (const row of batch.of.wraps.values()) {
    if (usableGroup(ctx, batch.of.agreement, row.group) !== null) work.wraps.set(row.wrap, row);
  }
  const fresh = new Set(decision.append.map(({ leaf }) => leaf.seq));
  const present = await presentParts(tx, batch, fresh, positions);
  const dropped = new Set<string>();
  const live = await liveGroups(tx, batch.planned);
  for (const part of batch.planned) {
    const { seq } = part.leaf.leaf;
    const pos = positions.get(seq);
    if (pos === undefined || present.has(`${pos}/${part.group}`)) continue;
    const outcome = part.outcome === 'drop' || !live.has(part.under) ? 'drop' : part.outcome;
    const at = { log: batch.of.log, seq, from: part.group };
    if (outcome === 'drop') {
      // Once per batch and group; a resend says nothing new.
      if (fresh.has(seq) && !dropped.has(part.group)) {
        work.events.push({ type: 'sealed.dropped', data: { ...at, to: null } });
        dropped.add(part.group);
      }
      continue;
    }
    if (outcome === 'invalid' && !fresh.has(seq)) continue;
    keepPart(ctx, part, pos, work);
    if (outcome === 'invalid') work.events.push({ type: 'sealed.invalid', data: { ...at, to: null } });
    else if (part.under !== part.group) {
      work.events.push({ type: 'sealed.regrouped', data: { ...at, to: part.under } });
    }
  }
}

function keepPart(ctx: Context, part: PlannedPart, pos: Pos, work: Work): void {
  const { group, under, wrap, body, resealed } = part;
  work.parts.push({ pos, group, under, wrap, body });
  if (resealed !== null) work.wraps.set(resealed.wrap, resealed);
  const origin = originFor(ctx, part, pos);
  if (origin !== null) work.origins.push(origin);
}

async function presentParts(
  tx: Tx,
  { planned }: Prepared,
  fresh: ReadonlySet<number>,
  positions: ReadonlyMap<number, Pos>,
): Promise<Set<string>> {
  const again = planned
    .map(({ leaf }) => leaf.leaf.seq)
    .filter((seq) => !fresh.has(seq))
    .map((seq) => positions.get(seq))
    .filter((pos) => pos !== undefined);
  if (again.length === 0) return new Set();
  return new Set((await tx.parts([...new Set(again)])).map(({ pos, group }) => `${pos}/${group}`));
}

/** Read inside the transaction: an erasure that committed since the parts were opened wins. */
async function liveGroups(tx: Tx, planned: readonly PlannedPart[]): Promise<Set<string>> {
  const live = new Set<string>();
  for (const group of new Set(planned.map(({ under }) => under))) {
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
  const ended = work.stored
    .filter(({ type }) => type === 'session.ended')
    .map(({ leaf }) => leaf?.data.session as SessionId)
    .filter((session) => typeof session === 'string' && !told.has(session));
  const pairs = [
    ...(work.origins.length > 0 ? await matchOrigins(tx, work.origins) : []),
    ...(ended.length > 0 ? await matchTwins(ctx, tx, [...new Set(ended)]) : []),
  ];
  for (const merge of await resolveMerges(tx, pairs)) {
    work.events.push({ type: 'session.merged', data: merge });
  }
}
