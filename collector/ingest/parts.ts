/**
 * The sealed parts of a batch, before the transaction: each is opened and checked against its leaf.
 *
 * P1  A part is kept only where its leaf names the group and the group is live, of this agreement and class.
 * P2  A part that does not open, is not what the leaf commits to, or is not as its type's allow-list says, is stored
 *     and flagged (`sealed.invalid`).
 * P3  A part under `late`, or under a span that its session did not begin in, is moved to the group of the span it
 *     did begin in (a split span is none, V62), in the transaction that stores it; where that span is dead it is dropped. Without a start to go
 *     by it stays, but under no span that has not begun: no agent keeps anything for longer than its policy.
 * P4  What is dropped, invalid or moved is counted in an event: once per batch, for moves once per way.
 * P5  A wrap may have come in an earlier frame of its log; it is stored with the first part that names it.
 * P6  A part of a one-off session lies under the group that its own agent made, or, once that session was found to be
 *     managed, in the span that it was moved to; without a key nothing says what an unknown group is, and it is dropped.
 * P7  A part of a session that was taken out of its span goes into the group that it was taken out into; where that is
 *     dead it is dropped, also one that does not open.
 */
import { eventDefinition, fitsPersonal } from '../../protocol/event.ts';
import type { WirePart } from '../../protocol/frame.ts';
import type { AgentId, AgreementId, GroupId, Id, LogId, SessionId } from '../../protocol/ids.ts';
import { type OpenedPart, openPart } from '../../protocol/seal.ts';
import { DAY_MS, fromIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { intoOf } from '../oneoff/regroup.ts';
import { isSplit } from '../regroup/splits.ts';
import type { GroupRow, WrapRow } from '../store/types.ts';
import type { Context, GroupWish } from '../types.ts';
import type { IncomingLeaf } from './decide.ts';
import { commitmentFor, type Resealer } from './regroup.ts';
import { provide } from './supply.ts';
import type { WrapCache } from './wraps.ts';

export interface PlannedPart {
  leaf: IncomingLeaf;
  /** The group that the leaf names. */
  group: GroupId;
  /** The group that the part will lie under. */
  under: GroupId;
  wrap: Id<'wrap'> | null;
  /** The wrap that it came under, where that is right. */
  came: WrapRow | null;
  body: Buffer;
  outcome: 'store' | 'drop' | 'invalid';
  opened: OpenedPart | null;
  /** The wrap of a part that was sealed anew; goes into the same transaction. */
  resealed: WrapRow | null;
}

/** One batch's leaves and parts, as far as this room needs them. */
export interface PartsOf {
  agent: AgentId;
  agreement: AgreementId;
  log: LogId;
  leaves: ReadonlyMap<number, IncomingLeaf>;
  parts: readonly WirePart[];
  /** Wraps by id: of this frame, and of earlier ones of the log that are at work in the same turn (P5). */
  wraps: ReadonlyMap<string, WrapRow>;
}

const AGENT_KINDS: ReadonlySet<GroupRow['kind']> = new Set(['span', 'whole', 'late', 'single']);
/** No remote tool's own log reaches further back; a start before it, or far ahead, picks no span. */
const EARLIEST = utcMs(946_684_800_000);
const AHEAD_MS = 2 * DAY_MS;

/** A group that parts of this agreement may lie under now; null: none such. */
export function usableGroup(
  ctx: Context,
  { agent, agreement }: Pick<PartsOf, 'agent' | 'agreement'>,
  group: string,
): GroupRow | null {
  const row = ctx.groups.byId(group as GroupId);
  if (row?.state !== 'live' || row.agreement !== agreement) return null;
  const usable = row.kind === 'oneoff' ? row.subject === agent : AGENT_KINDS.has(row.kind);
  return usable ? row : null;
}

/** Plans the parts of a batch; at most one per leaf and group, the first. */
export function planParts(ctx: Context, of: PartsOf, wraps: WrapCache): PlannedPart[] {
  const planned: PlannedPart[] = [];
  const seen = new Set<string>();
  for (const part of of.parts) {
    const leaf = of.leaves.get(part.seq);
    const key = `${part.seq}/${part.group}`;
    if (leaf === undefined || seen.has(key)) continue;
    seen.add(key);
    planned.push(planPart(ctx, of, part, leaf, wraps));
  }
  return planned;
}

function planPart(
  ctx: Context,
  of: PartsOf,
  part: WirePart,
  leaf: IncomingLeaf,
  wraps: WrapCache,
): PlannedPart {
  const group = part.group as GroupId;
  const base = { leaf, group, under: group, body: Buffer.from(part.body, 'base64url'), resealed: null };
  const c = commitmentFor(leaf.leaf.pii, part.group);
  const row = usableGroup(ctx, of, part.group);
  const cls = eventDefinition(leaf.leaf.type)?.class;
  const fits = cls === undefined || cls === row?.class;
  if (c === undefined || row === null || !fits) {
    return { ...base, wrap: null, came: null, outcome: 'drop', opened: null };
  }
  const isBare = row.kind === 'oneoff';
  const wrap = part.wrap === null || isBare ? undefined : (wraps.get(part.wrap) ?? of.wraps.get(part.wrap));
  const right = wrap?.group === group ? wrap : undefined;
  const content = isBare ? bareKey(ctx, part, group) : wrapKey(ctx, group, right);
  const place = { log: of.log, seq: part.seq, group, under: group };
  const clear = content === null ? null : openPart(content, place, c, base.body);
  const opened = clear === null || fitsPersonal(leaf.leaf.type, clear.p) === false ? null : clear;
  return {
    ...base,
    wrap: right?.wrap ?? null,
    came: right ?? null,
    outcome: opened === null ? 'invalid' : 'store',
    opened,
  };
}

function wrapKey(ctx: Context, group: GroupId, wrap: WrapRow | undefined): Buffer | null {
  return wrap === undefined ? null : ctx.opener.contentKey(group, wrap);
}

/** The key that was handed over; none where the part names a wrap, which no one-off group has (P6). */
function bareKey(ctx: Context, { wrap }: WirePart, group: GroupId): Buffer | null {
  return wrap === null ? ctx.opener.oneoff.get(group) : null;
}

interface Late {
  of: PartsOf;
  part: PlannedPart;
  at: UtcMs;
}

/** Moves the opened parts of these batches to where they belong (P3). Changes `planned` in place. */
export async function regroupLate(
  ctx: Context,
  resealer: Resealer,
  batches: readonly { of: PartsOf; planned: PlannedPart[] }[],
): Promise<void> {
  followSessions(ctx, resealer, batches);
  const late = await lateParts(ctx, batches);
  if (late.length === 0) return;
  await provide(ctx, missingSpans(ctx, late));
  for (const { of, part, at } of late) {
    const target = ctx.groups.find(of.agreement, 'session', 'span', at);
    if (target !== null) move(resealer, of, part, target);
  }
}

/** Parts of one-off sessions that were found to be managed go where the others of theirs lie (P6). */
function followSessions(
  ctx: Context,
  resealer: Resealer,
  batches: readonly { of: PartsOf; planned: PlannedPart[] }[],
): void {
  for (const { of, planned } of batches) {
    for (const part of planned) {
      if (followTaken(ctx, resealer, of, part)) continue;
      const row = part.opened === null ? null : ctx.groups.byId(part.group);
      const into = row === null ? null : intoOf(row);
      const target = into === null ? null : ctx.groups.byId(into);
      if (target !== null) move(resealer, of, part, target);
    }
  }
}

/** True where the session was taken out of its span: its parts go where the others of it went, or are dropped (P7). */
function followTaken(ctx: Context, resealer: Resealer, of: PartsOf, part: PlannedPart): boolean {
  const { session } = part.leaf.leaf.data;
  if (part.outcome === 'drop' || typeof session !== 'string') return false;
  const target = ctx.groups.takenOut(session);
  if (target === null) {
    // Erased on request in a database that is not this one any more (V54).
    if (ctx.isBuried?.(session as SessionId) !== true) return false;
    part.outcome = 'drop';
    return true;
  }
  if (target.agreement !== of.agreement && target.agreement !== movedTo(ctx, part)) return false;
  if (target.state !== 'live') part.outcome = 'drop';
  else if (part.opened !== null) {
    move(resealer, of, part, target);
    if (part.under !== target.group) part.outcome = 'drop';
  }
  return true;
}

/** The agreement that the part's one-off session was found to belong to (P6); null: none. */
function movedTo(ctx: Context, { group }: PlannedPart): AgreementId | null {
  const row = ctx.groups.byId(group);
  const into = row === null ? null : intoOf(row);
  return into === null ? null : (ctx.groups.byId(into)?.agreement ?? null);
}

/** The group that an opened part of a session came under; null where it is no such part, or was moved already. */
function cameUnder(ctx: Context, { outcome, opened, group, under }: PlannedPart): GroupRow | null {
  if (outcome !== 'store' || opened === null || under !== group) return null;
  const row = ctx.groups.byId(group);
  const movable = row?.class === 'session' && (row.kind === 'late' || row.kind === 'span');
  return movable ? row : null;
}

async function lateParts(
  ctx: Context,
  batches: readonly { of: PartsOf; planned: PlannedPart[] }[],
): Promise<Late[]> {
  const found = batches.flatMap(({ of, planned }) =>
    planned.flatMap((part) => {
      const row = cameUnder(ctx, part);
      return row === null ? [] : [{ of, part, row }];
    }),
  );
  if (found.length === 0) return [];
  const starts = await startsOf(ctx, batches, found);
  const now = ctx.clock.now();
  return found.flatMap(({ of, part, row }) => {
    const start = starts.get(`${of.agent}/${String(part.leaf.leaf.data.session)}`) ?? null;
    const sane = start !== null && start >= EARLIEST && start <= now + AHEAD_MS;
    const at = belongs(row, sane ? start : null, now);
    return at === null ? [] : [{ of, part, at }];
  });
}

/** The instant whose span a part belongs in; null: it stays where it is (P3). */
function belongs(row: GroupRow, start: UtcMs | null, now: UtcMs): UtcMs | null {
  const { kind, from, to } = row;
  if (kind === 'late' || from === null || to === null) return start;
  if (start === null) return from > now + AHEAD_MS ? now : null;
  return from <= start && start < to && !isSplit(row) ? null : start;
}

/** When sessions began, by `agent/session`: from the leaves at hand, else from what is stored. */
async function startsOf(
  ctx: Context,
  batches: readonly { of: PartsOf }[],
  late: readonly { of: PartsOf; part: PlannedPart }[],
): Promise<Map<string, UtcMs>> {
  const starts = new Map<string, UtcMs>();
  for (const { of } of batches) {
    for (const { leaf } of of.leaves.values()) {
      if (leaf.type !== 'session.started' || typeof leaf.data.startedAt !== 'string') continue;
      const at = fromIso(leaf.data.startedAt);
      if (at !== null) starts.set(`${of.agent}/${String(leaf.data.session)}`, at);
    }
  }
  const unknown = late
    .map(({ part }) => part.leaf.leaf.data.session)
    .filter((session): session is SessionId => typeof session === 'string');
  for (const row of await ctx.store.read.sessionHeads([...new Set(unknown)])) {
    const key = `${row.agent}/${row.session}`;
    // What is stored wins: a session keeps the span of its first event.
    starts.set(key, row.startedAt);
  }
  return starts;
}

function missingSpans(ctx: Context, late: readonly Late[]): GroupWish[] {
  const wishes: GroupWish[] = [];
  for (const { of, at } of late) {
    const { agreement } = of;
    if (ctx.groups.find(agreement, 'session', 'span', at) === null) {
      wishes.push({ agreement, class: 'session', kind: 'span', at });
    }
  }
  return wishes;
}

function move(resealer: Resealer, of: PartsOf, part: PlannedPart, target: GroupRow): void {
  const c = commitmentFor(part.leaf.leaf.pii, part.group);
  if (target.state !== 'live') {
    part.outcome = 'drop';
    return;
  }
  if (part.opened === null || c === undefined) return;
  const place = { log: of.log, seq: part.leaf.leaf.seq, group: part.group, under: target.group };
  const resealed = resealer.seal(target, place, c, part.opened);
  if (resealed === null) return;
  part.under = target.group;
  part.wrap = resealed.wrap.wrap;
  part.body = resealed.body;
  part.resealed = resealed.wrap;
}
