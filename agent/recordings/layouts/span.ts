/** How far apart the start and the latest end of a recording can be, by its layout. Pure. */
import { DAY_MS, HOUR_MS } from '../../../protocol/time.ts';
import type { Layout } from '../types.ts';

/** A path may state any end: no longer than a segment of a week, and the day that a date stands for. */
const STATED_MS = 9 * DAY_MS;

/**
 * Latest end minus earliest start, at the most (D3): as narrow as the layout's own examples allow, because every hold asks
 * for so much more of each camera than it covers.
 */
export function spanOf(layout: Pick<Layout, 'examples' | 'folder' | 'longestSegmentMs'>): number {
  let spread = 0;
  for (const example of layout.examples) {
    const parts = example.split('/');
    const says = layout.folder(parts.slice(0, -1)).file(parts.at(-1) ?? '');
    if (says.is !== 'recording' || says.endStated !== null) return STATED_MS;
    spread = Math.max(spread, says.startLatest - says.startEarliest);
  }
  // An hour that is read twice.
  return layout.examples.length === 0 ? STATED_MS : spread + HOUR_MS + layout.longestSegmentMs;
}
