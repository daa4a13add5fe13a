/**
 * Which runs a schedule meant (A22). Pure, but for the turns that it leaves to others: a year has half a million minutes.
 * A run that comes late because one did not take place is no substitute for it.
 */
import { DAY_MS, MINUTE_MS, SECOND_MS, type UtcMs } from '../../protocol/time.ts';
import type { Matcher } from '../telemetry/schedule.ts';
import type { Pace } from './types.ts';

/** Minutes are looked at no further than this, back and ahead: a schedule means one of them, or hardly any. */
export const REACH_MS = 40 * DAY_MS;

/** How many of the minutes after `from`, up to and with `to`, a schedule means. Of a long time only the last part counts. */
export async function slotsIn(matches: Matcher, from: UtcMs, to: UtcMs, pace: Pace): Promise<number> {
  let count = 0;
  const first = Math.max(minuteOf(from) + MINUTE_MS, minuteOf(to) - REACH_MS);
  for (let at = first; at <= to; at += MINUTE_MS) {
    if (matches(new Date(at))) count += 1;
    await pace.step();
  }
  return count;
}

/**
 * The longest time between the next two runs and now, milliseconds: whoever waits for the next one waits no longer. Null:
 * the schedule means none that is near.
 */
export async function longestGap(matches: Matcher, now: UtcMs, pace: Pace): Promise<number | null> {
  const next: number[] = [];
  for (let at = minuteOf(now) + MINUTE_MS; at <= now + REACH_MS && next.length < 2; at += MINUTE_MS) {
    if (matches(new Date(at))) next.push(at);
    await pace.step();
  }
  const [first, second] = next;
  if (first === undefined) return null;
  return Math.max(first - now, second === undefined ? 0 : second - first);
}

export function toSeconds(ms: number | null): number | null {
  return ms === null ? null : Math.ceil(ms / SECOND_MS);
}

function minuteOf(at: number): number {
  return Math.floor(at / MINUTE_MS) * MINUTE_MS;
}
