/** What must be so of every one-off session that is over, and how long it took. */
import { must, mustEqual } from '../identity/scenario.ts';
import type { Live, World } from './world.ts';

/** Promised, milliseconds; the aim is 1,000. */
const PROMISE_MS = 60_000;

export function distribution(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const most = sorted.at(-1) ?? 0;
  must(most < PROMISE_MS, `${most} ms, promised were ${PROMISE_MS}`);
  const within = sorted.filter((ms) => ms <= 1_000).length;
  return `n=${sorted.length} p50=${at(0.5)} ms p95=${at(0.95)} ms max=${most} ms, ${within} within 1 s`;
}

/** Once both sides are up. */
export async function isOver(world: World, one: Live): Promise<void> {
  await world.until('the end is confirmed', ({ live, lane }) => live && lane === 0);
  mustEqual(world.groupState(one), 'erased', 'its group');
  mustEqual(world.left(one), [], 'what is left');
}
