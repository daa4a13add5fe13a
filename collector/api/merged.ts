/**
 * What a session is shown with: its own parts, and those of sessions that were merged into it.
 *
 * M6  The session's own parts go before those of merged ones: an agent adds to what another's session shows, and
 *     changes nothing of it.
 */
import type { EventPersonal } from '../../protocol/event.ts';
import type { AgentId, SessionId } from '../../protocol/ids.ts';
import type { Personal } from '../../protocol/seal.ts';
import type { Pos, Reader, SessionRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import { type OpenedParts, openParts } from './parts.ts';

/** Why somebody was there, as it was said last. */
export interface Why {
  ticket: string | null;
  purpose: string | null;
}
/** What a session's leaves say, opened, and what somebody said of it. */
export interface OpenedWhole extends OpenedParts {
  why: Why;
}

/** Merged sessions that one session names, and leaves with sealed parts that it takes from all of them. */
const MOST_MERGED = 16;
const MOST_PARTS = 64;

export interface Whole {
  row: SessionRow;
  mergedFrom: { id: SessionId; hostId: AgentId }[];
  /** Leaves of merged sessions that have sealed parts. */
  mergedPos: Pos[];
}

export async function wholesOf(reader: Reader, rows: readonly SessionRow[]): Promise<Whole[]> {
  const sessions = rows.map(({ session }) => session);
  const merged = Map.groupBy(await reader.mergedInto(sessions, MOST_MERGED), ({ root }) => root);
  return rows.map((row) => {
    const from = (merged.get(row.session) ?? []).map((one) => one.row);
    return {
      row,
      mergedFrom: from.map(({ session, agent }) => ({ id: session, hostId: agent })),
      mergedPos: from.flatMap(({ partPos }) => partPos).slice(0, MOST_PARTS),
    };
  });
}

/** How many leaves `openWholes` opens: what the reading says. */
export function partCount(wholes: readonly Whole[]): number {
  return wholes.reduce(
    (sum, { row, mergedPos }) => sum + row.partPos.length + mergedPos.length + whyPos(row).length,
    0,
  );
}

/** Only after the reading was committed (Q1). */
export async function openWholes(ctx: Context, wholes: readonly Whole[]): Promise<OpenedWhole[]> {
  const lists = wholes.flatMap(({ row, mergedPos }) => [row.partPos, mergedPos, whyPos(row)]);
  const opened = await openParts(ctx, lists);
  const at = (i: number) => opened[i] ?? NONE;
  return wholes.map((_, i) => ({ ...joined(at(3 * i), at(3 * i + 1)), why: whyOf(at(3 * i + 2)) }));
}

function whyPos({ explainedPos }: SessionRow): Pos[] {
  return explainedPos === null ? [] : [explainedPos];
}

/** Apart from the session's own parts: who explains a session adds nothing to who was there. */
function whyOf({ parts }: OpenedParts): Why {
  const [said] = parts as EventPersonal<'session.explained'>[];
  return { ticket: said?.ticket ?? null, purpose: said?.purpose ?? null };
}

const NONE: OpenedParts = { state: 'none', erasedAt: null, parts: [] as Personal[] };

/** Of single values the newest counts, which is the last (M6). */
function joined(own: OpenedParts, merged: OpenedParts): OpenedParts {
  const { state, erasedAt } = own.state === 'none' ? merged : own;
  return { state, erasedAt, parts: [...merged.parts, ...own.parts] };
}
