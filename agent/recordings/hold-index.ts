/**
 * Of many holds the few that can cover one recording: a sweep asks for millions of them. Pure; whether one does cover it is
 * decided by `protocol/hold.ts` alone, of what this leaves.
 *
 * C81 Every hold that covers a recording is among those that the index names for it.
 */
import { type Bounds, contradicts, type Hold } from '../../protocol/hold.ts';

interface Line {
  holds: readonly Hold[];
  from: readonly number[];
  to: readonly number[];
  /** Latest `to` of this one and all before it. */
  reach: readonly number[];
}

const INDICES = new WeakMap<readonly Hold[], Map<string, Line>>();
/** Fewer are looked through faster than an index is made. */
const FEW = 8;

/** Holds that may cover a recording of this camera within these bounds, in the order of the list. */
export function holdsNear(holds: readonly Hold[], camera: string, bounds: Bounds): readonly Hold[] {
  if (holds.length <= FEW || contradicts(bounds)) return holds;
  const { holds: all, from, to, reach } = lineOf(holds, camera);
  const [start, end] = [bounds.startEarliest, bounds.endLatest ?? Number.POSITIVE_INFINITY];
  const found: Hold[] = [];
  for (let at = countUpTo(from, end) - 1; at >= 0 && (reach[at] ?? 0) >= start; at -= 1) {
    const hold = all[at];
    if (hold !== undefined && (to[at] ?? 0) >= start) found.push(hold);
  }
  return found.length < 2 ? found : holds.filter((hold) => found.includes(hold));
}

function lineOf(holds: readonly Hold[], camera: string): Line {
  const cameras = INDICES.get(holds) ?? new Map<string, Line>();
  INDICES.set(holds, cameras);
  const known = cameras.get(camera);
  if (known !== undefined) return known;
  const mine = holds
    .filter(({ scope }) => scope.cameras === undefined || scope.cameras.includes(camera))
    .map((hold) => ({ hold, from: hold.scope.from ?? -Infinity, to: hold.scope.to ?? Infinity }))
    .sort((a, b) => (a.from === b.from ? 0 : a.from < b.from ? -1 : 1));
  let most = Number.NEGATIVE_INFINITY;
  const reach = mine.map(({ to }) => {
    most = Math.max(most, to);
    return most;
  });
  const line = {
    holds: mine.map(({ hold }) => hold),
    from: mine.map((one) => one.from),
    to: mine.map((one) => one.to),
    reach,
  };
  cameras.set(camera, line);
  return line;
}

/** How many of these ascending numbers are at most `limit`. */
function countUpTo(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
