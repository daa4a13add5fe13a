/** When one recording falls due by the policy (D5); null: never by it, as far as is known. */
import { dueBy } from '../../protocol/due.ts';
import { ruleFor } from '../../protocol/policy.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { Surroundings } from './due.ts';
import type { RecordingRow } from './types.ts';

export function dueOf({ bounds }: Pick<RecordingRow, 'bounds'>, around: Surroundings): UtcMs | null {
  const { policy, zone, agreementEndsAt } = around;
  const { endLatest } = bounds;
  const rule = ruleFor(policy, 'recording', 'managed');
  return dueBy(rule, { endsAt: agreementEndsAt, zone, earliest: endLatest, latest: endLatest }).dueAt;
}
