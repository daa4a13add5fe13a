/** What became of sealed parts: opened, erased, or missing. */
import { readLeaf } from '../../protocol/leaf.ts';
import type { Personal } from '../../protocol/seal.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { GroupRow, Pos } from '../store/types.ts';
import type { Context } from '../types.ts';

/**
 * `open`: all of it was opened; `none`: there never was any; `erased`: its key group is dead; `missing`: it should
 * be there and is not, or does not open. Missing is never shown as erased.
 */
export type PersonalState = 'open' | 'erased' | 'missing' | 'none';

export interface OpenedParts {
  state: PersonalState;
  /** When the (last) group died, where `state` is `erased`. */
  erasedAt: UtcMs | null;
  /** In the order of the positions; what could not be opened is left out. */
  parts: Personal[];
}

/** Opens parts at these positions and says for each list of positions what became of it. */
export async function openParts(ctx: Context, lists: readonly (readonly Pos[])[]): Promise<OpenedParts[]> {
  const all = [...new Set(lists.flat())];
  const opened: ReadonlyMap<Pos, Personal> =
    all.length === 0 ? new Map() : await ctx.opener.open(ctx.store.read, all);
  const closed = await fates(
    ctx,
    all.filter((pos) => !opened.has(pos)),
  );
  return lists.map((positions) => ({
    ...stateOf(positions, opened, closed),
    parts: positions.map((pos) => opened.get(pos)).filter((part) => part !== undefined),
  }));
}

function stateOf(
  positions: readonly Pos[],
  opened: ReadonlyMap<Pos, Personal>,
  closed: ReadonlyMap<Pos, Fate>,
): Pick<OpenedParts, 'state' | 'erasedAt'> {
  if (positions.length === 0) return { state: 'none', erasedAt: null };
  const rest = positions.filter((pos) => !opened.has(pos)).map((pos) => closed.get(pos) ?? MISSING);
  if (rest.length === 0) return { state: 'open', erasedAt: null };
  if (rest.some((fate) => !fate.dead)) return { state: 'missing', erasedAt: null };
  return { state: 'erased', erasedAt: rest.reduce<UtcMs | null>((last, { at }) => latest(last, at), null) };
}

interface Fate {
  dead: boolean;
  at: UtcMs | null;
}
const MISSING: Fate = { dead: false, at: null };

/** Why these leaves have no part that opens: the group it lies under now, else the groups that the leaf names. */
async function fates(ctx: Context, positions: readonly Pos[]): Promise<Map<Pos, Fate>> {
  const found = new Map<Pos, Fate>();
  if (positions.length === 0) return found;
  const stored = Map.groupBy(await ctx.store.read.parts(positions), (part) => part.pos);
  for (const leaf of await ctx.store.read.leavesAt(positions)) {
    const record = readLeaf(leaf.bytes);
    const named = typeof record === 'string' ? [] : record.pii.map((entry) => entry.group);
    const groups = (stored.get(leaf.pos)?.map((part) => part.under) ?? named).map((group) =>
      ctx.groups.byId(group as GroupRow['group']),
    );
    found.set(leaf.pos, fateOf(groups));
  }
  return found;
}

function fateOf(groups: readonly (GroupRow | null)[]): Fate {
  const dead = groups.length > 0 && groups.every((group) => group !== null && group.state !== 'live');
  const at = groups.reduce<UtcMs | null>((last, group) => latest(last, group?.erasedAt ?? null), null);
  return dead ? { dead, at } : MISSING;
}

function latest(a: UtcMs | null, b: UtcMs | null): UtcMs | null {
  return a === null || (b !== null && b > a) ? b : a;
}
