/**
 * Of many holds the few that can cover one recording: a sweep asks for millions of them. Pure; whether one does cover it is
 * decided by `protocol/hold.ts` alone, of what this leaves.
 *
 * C81 Every hold that covers a recording is among those that the index names for it.
 */
import { type Bounds, contradicts, type Hold } from '../../protocol/hold.ts';

interface Line {
  holds: readonly Hold[];
  /** Their places in the whole list. */
  places: readonly number[];
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
  const { holds: all, places, from, to, reach } = lineOf(holds, camera);
  const [start, end] = [bounds.startEarliest, bounds.endLatest ?? Number.POSITIVE_INFINITY];
  const found: number[] = [];
  for (let at = countUpTo(from, end) - 1; at >= 0 && (reach[at] ?? 0) >= start; at -= 1) {
    if ((to[at] ?? 0) >= start) found.push(at);
  }
  if (found.length > 1) found.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
  return found.flatMap((at) => all[at] ?? []);
}

function lineOf(holds: readonly Hold[], camera: string): Line {
  const cameras = INDICES.get(holds) ?? new Map<string, Line>();
  INDICES.set(holds, cameras);
  const known = cameras.get(camera);
  if (known !== undefined) return known;
  const mine = holds
    .map((hold, place) => ({ hold, place, scope: hold.scope }))
    .filter(({ scope }) => scope.cameras === undefined || scope.cameras.includes(camera))
    .map(({ hold, place, scope }) => ({
      hold,
      place,
      from: scope.from ?? -Infinity,
      to: scope.to ?? Infinity,
    }))
    .sort((a, b) => (a.from === b.from ? 0 : a.from < b.from ? -1 : 1));
  let most = Number.NEGATIVE_INFINITY;
  const reach = mine.map(({ to }) => {
    most = Math.max(most, to);
    return most;
  });
  const line = {
    holds: mine.map(({ hold }) => hold),
    places: mine.map(({ place }) => place),
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
