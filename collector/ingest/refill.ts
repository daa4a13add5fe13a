/**
 * Parts of leaves that are stored already: an agent sends both again after a collector was restored.
 *
 * R3  A part that is absent is taken; one that opens takes the place of a stored one that does not.
 * R4  What was erased alone does not come back.
 */
import { fitsPersonal } from '../../protocol/event.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { openPart } from '../../protocol/seal.ts';
import type { PartRow, Pos, Tx, WrapRow } from '../store/types.ts';
import type { Context } from '../types.ts';
import type { PlannedPart } from './parts.ts';
import { commitmentFor } from './regroup.ts';

export interface PartKey {
  pos: Pos;
  group: GroupId;
}

export interface Refill {
  /** `keyOf` of parts that are not taken. */
  closed: Set<string>;
  /** Stored ones that others take the place of. */
  replaced: PartKey[];
}

export function keyOf(pos: Pos, group: string): string {
  return `${pos}/${group}`;
}

interface Again {
  part: PlannedPart;
  pos: Pos;
}

export async function planRefill(ctx: Context, tx: Tx, again: readonly Again[]): Promise<Refill> {
  if (again.length === 0) return { closed: new Set(), replaced: [] };
  const positions = [...new Set(again.map(({ pos }) => pos))];
  const closed = new Set((await tx.tombstones(positions)).map(({ pos, group }) => keyOf(pos, group)));
  const stored = new Map((await tx.parts(positions)).map((row) => [keyOf(row.pos, row.group), row]));
  const wraps = await wrapsOf(tx, [...stored.values()]);
  const replaced: PartKey[] = [];
  for (const { part, pos } of again) {
    const key = keyOf(pos, part.group);
    const row = stored.get(key);
    if (row === undefined || closed.has(key)) continue;
    if (part.outcome === 'store' && !opens(ctx, row, part, wraps)) replaced.push({ pos, group: part.group });
    else closed.add(key);
  }
  return { closed, replaced };
}

async function wrapsOf(tx: Tx, parts: readonly PartRow[]): Promise<Map<string, WrapRow>> {
  const ids = new Set(parts.map(({ wrap }) => wrap).filter((wrap) => wrap !== null));
  return new Map((await tx.wraps([...ids])).map((row) => [row.wrap, row]));
}

/** True also for what lies under a group that is being erased: it goes with that. */
function opens(
  ctx: Context,
  { group, under, wrap, body }: PartRow,
  { leaf, ...sent }: PlannedPart,
  wraps: ReadonlyMap<string, WrapRow>,
): boolean {
  if (ctx.groups.byId(under)?.state !== 'live') return true;
  // Of a one-off group: there is no wrap, and another part under its key is this one or none.
  if (wrap === null) return sent.wrap === null && sent.body.equals(body);
  const row = wraps.get(wrap);
  if (row === undefined) return false;
  // Sent again as it lies here, and it opened just now.
  if (sent.wrap === wrap && sent.under === under && sent.body.equals(body)) return true;
  const { log, seq, type, pii } = leaf.leaf;
  const [key, c] = [ctx.opener.contentKey(under, row), commitmentFor(pii, group)];
  if (key === null || c === undefined) return false;
  const clear = openPart(key, { log, seq, group, under }, c, body);
  return clear !== null && fitsPersonal(type, clear.p) !== false;
}
