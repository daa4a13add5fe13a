/**
 * Pure: when the recordings of one camera ended at the latest, from their starts alone (D3): the stated end, else the
 * start of the next recording of the camera, at most the latest start and the longest segment. Never a time of the file
 * system.
 *
 * C22 Only a recording that began after this one for certain is its next: in a repeated hour, or with only a date in the
 *     path, the names do not say which of two came first.
 * C23 An end that was shortened by another recording stays short when that one vanishes: it had begun all the same.
 */
import type { UtcMs } from '../../protocol/time.ts';

/** One recording of a camera, as its path says it. */
export interface Timed {
  /** Earliest start. */
  start: number;
  /** Latest start minus earliest. */
  spread: number;
  /** The end that the path states; null: none. */
  stated: number | null;
  /** What was known of its end before; null: nothing. */
  known: number | null;
}

/** Latest ends, in the order of `items`. */
export function latestEnds(items: readonly Timed[], longestSegmentMs: number): number[] {
  const order = items.map((_, at) => at).sort((a, b) => startOf(items, a) - startOf(items, b));
  const starts = order.map((at) => startOf(items, at));
  // Of all that begin from here on, the one whose latest start is earliest: spreads differ at the edge of a repeated hour.
  const nexts = new Array<number>(order.length);
  let least = Number.POSITIVE_INFINITY;
  for (let at = order.length - 1; at >= 0; at--) {
    const item = items[order[at] as number] as Timed;
    least = Math.min(least, item.start + item.spread);
    nexts[at] = least;
  }
  return items.map((item) => {
    if (item.stated !== null) return item.stated;
    const latest = item.start + item.spread;
    const next = nexts[firstAfter(starts, latest)] ?? Number.POSITIVE_INFINITY;
    return Math.min(next, latest + longestSegmentMs, item.known ?? Number.POSITIVE_INFINITY);
  });
}

/** Ends between which a recording lies that can be a neighbour of one that begins between `first` and `last`. */
export function neighbourEnds(first: number, last: number, longestSegmentMs: number): [UtcMs, UtcMs] {
  return [first as UtcMs, (last + 2 * longestSegmentMs + MOST_SPREAD_MS) as UtcMs];
}

/** A repeated hour; a date without a time of day is wider, and ends its predecessor no earlier than its own bound. */
const MOST_SPREAD_MS = 3_600_000;

function startOf(items: readonly Timed[], at: number): number {
  return items[at]?.start ?? 0;
}

/** Place of the first start after `instant` in sorted starts. */
function firstAfter(starts: readonly number[], instant: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] as number) > instant) high = middle;
    else low = middle + 1;
  }
  return low;
}
