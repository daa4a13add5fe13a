/** A hold as people see it: what it is, how it stands on each host, its notice duty, its history. */
import type { HoldReach } from '../../protocol/event-holds.ts';
import { HOLD_EVENTS } from '../../protocol/event-holds.ts';
import type { AgentId } from '../../protocol/ids.ts';
import { toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Overdue } from '../on-return.ts';
import type { AgentRow, HoldHostRow, HoldRow, LeafRow, Pos, Reader } from '../store/types.ts';
import type { Context } from '../types.ts';
import type { GivenOrders } from './given.ts';
import { isOverdue, type Notice, noticeOf } from './notice.ts';
import { coveredBy, earliestNamed } from './sessions.ts';

export interface HoldHostItem {
  host: string;
  hostId: AgentId;
  state: 'pending' | 'in-force' | 'failed' | 'cannot-enforce' | 'released';
  lastSeen: string | null;
  protection: string | null;
  copied: number;
  recordings: number | null;
  bytes: number | null;
  erased: number | null;
  erasing: number | null;
  missing: number | null;
  reportedAt: string | null;
  reason: string | null;
  /** A person saw to it by hand. */
  confirmed: boolean;
  /** Held recordings that somebody else removed, cut off or replaced. */
  violated: number;
  /** Of a host that has not put it in force: what lies there past its time; null: none told, or not asked. */
  overdue: Overdue | null;
}

export interface HoldItem {
  id: string;
  kind: string;
  case: string | null;
  basis: string | null;
  reason: string | null;
  wide: string | null;
  scope: HoldReach;
  placedBy: string | null;
  placedAt: string;
  reviewAt: string | null;
  state: HoldRow['state'];
  restricted: boolean;
  agents: HoldHostItem[];
  /** Sessions that it keeps, and that were erased before it; null: it is not about sessions. */
  sessions: { held: number; gone: number } | null;
  notice: { dueAt: string | null; doneAt: string | null; overdue: boolean } | null;
  releasedAt: string | null;
  releasedBy: string | null;
}

export type Opened = ReadonlyMap<Pos, Record<string, unknown>>;
export interface ItemView {
  host(agent: AgentId): string | null;
  agents: ReadonlyMap<AgentId, AgentRow>;
  opened: Opened | null;
  /** One for all items of an answer. */
  given: GivenOrders;
  now: UtcMs;
  /** Absent: it is not asked. */
  overdue?: (agent: AgentId) => Promise<Overdue | null>;
}

export async function holdItem(ctx: Context, row: HoldRow, view: ItemView): Promise<HoldItem> {
  const { read } = ctx.store;
  const hosts = await read.holdHosts.list({ hold: row.hold });
  const items: HoldHostItem[] = [];
  for (const one of hosts) items.push(await hostItem(row, one, view));
  const kept = await sessionsOf(ctx, read, row);
  const notice = await noticeNow(read, row, hosts);
  const text = (name: string) => {
    const value = row.placedPos === null ? undefined : view.opened?.get(row.placedPos)?.[name];
    return typeof value === 'string' ? value : null;
  };
  return {
    ...{ id: row.hold, kind: row.kind, case: text('case'), basis: text('basis'), reason: text('reason') },
    ...{ wide: text('wide'), scope: row.scope, placedBy: row.placedBy, placedAt: toIso(row.createdAt) },
    ...{ reviewAt: isoOf(row.reviewAt), state: row.state, restricted: row.restricted, agents: items },
    sessions: kept,
    notice:
      notice === null
        ? null
        : {
            dueAt: isoOf(notice.dueAt),
            doneAt: isoOf(notice.doneAt),
            overdue: isOverdue(notice, view.now),
          },
    ...{ releasedAt: isoOf(row.releasedAt), releasedBy: row.releasedBy },
  };
}

/** H5. Footage of a host is what a notice counts from, where it has any; a session only where it is named. */
async function noticeNow(
  reader: Reader,
  row: HoldRow,
  hosts: readonly HoldHostRow[],
): Promise<Notice | null> {
  if (row.state === 'released') return null;
  return noticeOf(row, hosts, await earliestNamed(reader, row));
}

/** Whether a notice or a review of it should have been by now. */
export async function isLate(reader: Reader, row: HoldRow, now: UtcMs): Promise<boolean> {
  if (row.state !== 'placed') return false;
  if (row.reviewAt !== null && row.reviewAt < now) return true;
  return isOverdue(await noticeNow(reader, row, await reader.holdHosts.list({ hold: row.hold })), now);
}

/** H2. A recorder that cannot be held from outside is said to be so, until somebody saw to it by hand. */
async function hostItem(hold: HoldRow, row: HoldHostRow, view: ItemView): Promise<HoldHostItem> {
  const agent = view.agents.get(row.agent);
  const { report } = row;
  const failure = row.state === 'pending' ? await failureOf(view.given, hold, row, agent) : null;
  const unenforced = report?.protection === 'cannot-enforce' && row.state === 'in-force';
  return {
    ...{ host: view.host(row.agent) ?? row.agent, hostId: row.agent },
    state: failure !== null ? 'failed' : unenforced ? 'cannot-enforce' : row.state,
    lastSeen: isoOf(agent?.lastSeenAt ?? null),
    ...{ protection: report?.protection ?? null, copied: report?.copied ?? 0 },
    ...{ recordings: report?.recordings ?? null, bytes: report?.bytes ?? null },
    ...{ erased: report?.erased ?? null, erasing: report?.erasing ?? null, missing: report?.missing ?? null },
    reportedAt: isoOf(row.reportedAt),
    reason: failure ?? report?.reason ?? null,
    ...{ confirmed: row.confirmedPos !== null, violated: row.violated },
    overdue: row.state === 'pending' ? ((await view.overdue?.(row.agent)) ?? null) : null,
  };
}

async function failureOf(
  orders: GivenOrders,
  { hold }: HoldRow,
  { agent }: HoldHostRow,
  owner: AgentRow | undefined,
): Promise<string | null> {
  if (owner?.state === 'revoked') return 'revoked';
  const last = (await orders.of(agent, 'hold.place', hold)).at(-1);
  return last?.ok === false ? String(last.result?.code ?? last.result?.outcome ?? 'failed') : null;
}

/** Most sessions that are counted one by one for a list. */
const MAX_COUNTED = 5_000;

async function sessionsOf(ctx: Context, reader: Reader, row: HoldRow): Promise<HoldItem['sessions']> {
  if (row.scope.cameras !== undefined) return null;
  const sum = { held: 0, gone: 0 };
  for await (const page of coveredBy(reader, row)) {
    const parts = await reader.parts(page.flatMap(({ partPos }) => partPos));
    const live = new Set(
      parts.filter(({ under }) => ctx.groups.byId(under)?.state === 'live').map(({ pos }) => pos),
    );
    for (const { partPos } of page) {
      if (partPos.length > 0 && !partPos.some((pos) => live.has(pos))) sum.gone += 1;
      else sum.held += 1;
    }
    if (sum.held + sum.gone >= MAX_COUNTED) break;
  }
  return sum;
}

export interface HistoryItem {
  at: string;
  type: string;
  hostId: string | null;
  data: Record<string, unknown>;
  /** What a person wrote; null: nothing, or it was erased. */
  text: Record<string, unknown> | null;
}

const TYPES = [...Object.keys(HOLD_EVENTS), 'hold.violated'];
const PAGE = 1_000;
const MAX_HISTORY = 500;

/** Leaves of every log that name this hold, oldest first; the newest `MAX_HISTORY`. */
export async function historyOf(reader: Reader, hold: string): Promise<LeafRow[]> {
  const found: LeafRow[] = [];
  for (let after = 0; ; ) {
    const leaves = await reader.leaves({ types: TYPES, after, limit: PAGE });
    for (const leaf of leaves) if (leaf.bytes.includes(hold)) found.push(leaf);
    after = leaves.at(-1)?.pos ?? after;
    if (leaves.length < PAGE) break;
  }
  return found.slice(-MAX_HISTORY);
}

export function historyItem(leaf: LeafRow, hostId: string | null, opened: Opened): HistoryItem {
  const { data } = JSON.parse(leaf.bytes) as { data: Record<string, unknown> };
  const text = opened.get(leaf.pos) ?? null;
  return { at: toIso(utcMs(leaf.at)), type: leaf.type, hostId, data, text };
}

function isoOf(at: UtcMs | null): string | null {
  return at === null ? null : toIso(at);
}
