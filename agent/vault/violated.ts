/**
 * What the recorder, or anybody, did to held recordings: one event for each hold and camera of a finding, not for each file.
 * Pure.
 *
 * I8  A held recording that vanished, was cut off or was replaced without us is told with the hold that covered it, and with
 *     how many of these the vault has whole; that it was told is stored in the same transaction (R7).
 */
import type { Hold } from '../../protocol/hold.ts';
import type { Id, SourceId } from '../../protocol/ids.ts';
import { toIso, utcMs } from '../../protocol/time.ts';
import type { Standing } from '../recordings/due.ts';
import type { RecordingRow } from '../recordings/types.ts';
import type { Draft } from '../types.ts';
import { heldBy } from './plan.ts';

/** A recording that something happened to. */
export interface Touched {
  /** Random id of its camera. */
  camera: string;
  bounds: RecordingRow['bounds'];
  /** The vault has a whole copy of it. */
  copied: boolean;
}

/** `copy-gone`: of the copy in the vault; the others are of the original. */
export type Violation = 'vanished' | 'truncated' | 'changed' | 'copy-gone';

export function violations(
  source: string,
  touched: readonly Touched[],
  { holds, standing, reason }: { holds: readonly Hold[]; standing: Standing; reason: Violation },
): Draft<'hold.violated'>[] {
  const found = new Map<string, Draft<'hold.violated'>['data'] & { first: number; last: number }>();
  const near = nearby(holds, touched);
  for (const { camera, bounds, copied } of touched) {
    const last = bounds.endLatest ?? bounds.startLatest;
    for (const hold of heldBy({ bounds }, camera, standing, near)) {
      const key = `${hold} ${camera}`;
      const one = found.get(key);
      const sum = one ?? {
        ...{ source: source as SourceId, camera: camera as Id<'camera'>, hold: hold as Id<'hold'> },
        ...{ count: 0, copied: 0, from: '', to: '', reason },
        ...{ first: Number.POSITIVE_INFINITY, last: 0 },
      };
      sum.count += 1;
      sum.copied += copied ? 1 : 0;
      sum.first = Math.min(sum.first, bounds.startEarliest);
      sum.last = Math.max(sum.last, last);
      found.set(key, sum);
    }
  }
  return [...found.values()].map(({ first, last, ...data }) => {
    return { type: 'hold.violated', data: { ...data, from: toIso(utcMs(first)), to: toIso(utcMs(last)) } };
  });
}

/** Of a thousand holds, those whose interval meets the span of all of these: few, so that each row asks few. */
function nearby(holds: readonly Hold[], touched: readonly Touched[]): readonly Hold[] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { bounds } of touched) {
    first = Math.min(first, bounds.startEarliest);
    last = Math.max(last, bounds.endLatest ?? Number.POSITIVE_INFINITY);
  }
  return holds.filter(({ scope: { from, to } }) => (from ?? first) <= last && (to ?? last) >= first);
}
