/** Load of the processor, a value every five minutes, that takes an alert through every state, several times. */
import type { Watched } from '../../../agent/telemetry/alerts.ts';
import { type UtcMs, utcMs } from '../../../protocol/time.ts';

const STEP_MS = 300_000;
const held = (value: number, steps: number): number[] => Array(steps).fill(value);

const SERIES: readonly number[] = [
  ...held(500, 1),
  ...held(900, 1),
  ...held(500, 1),
  ...held(900, 2),
  ...held(990, 2),
  ...held(700, 2),
  ...held(900, 1),
  ...held(800, 13),
  ...held(700, 6),
  ...held(980, 2),
  ...held(600, 27),
];

export const STEPS = SERIES.length;

/** What `Alerts.look` is given at one step. */
export function at(n: number): [Watched[], UtcMs] {
  const value = SERIES[n] ?? 0;
  return [[{ check: 'cpu', index: null, value, atMostMs: STEP_MS * 1.5 }], utcMs((n + 1) * STEP_MS)];
}
