/**
 * Which key groups are due: by the policy in force, or because their agreement ends. Pure, over the registry's rows.
 *
 * V38 What began to be erased was due at that very moment: its row is read again in the transaction that begins.
 * V106 What was written of a hold counts from its release: while it is in force nothing of it is due.
 * V45 A group of the `late` kind counts from when it was made: nothing in it was sealed before that.
 */
import { dueOfGroup } from '../../protocol/due.ts';
import type { Policy } from '../../protocol/policy.ts';
import type { UtcMs } from '../../protocol/time.ts';
import { keptFor } from '../regroup/splits.ts';
import { type Takes, takesOf } from '../regroup/takes.ts';
import type { AgreementRow, GroupRow } from '../store/types.ts';
import { eraseAtOf } from './end-rules.ts';
import type { Due } from './erase.ts';

/** Null: nobody knows of a time for it. */
export function dueFor(
  row: GroupRow,
  policy: Policy,
  agreement: Pick<AgreementRow, 'endsAt' | 'coolingUntil'> | null,
  releasedAt: UtcMs | null = null,
): Due | null {
  if (row.class === 'hold.record' && releasedAt === null) return null;
  const takes = takesOf(row);
  if (takes?.why === 'kept') return null;
  if (takes?.why === 'request') return requestOf(row, takes);
  const agreementEndsAt = agreement === null ? null : eraseAtOf(agreement);
  const late = row.kind === 'late' ? { earliest: row.createdAt, latest: row.createdAt } : null;
  const over = releasedAt === null ? null : { earliest: releasedAt, latest: releasedAt };
  const ends = takes?.ends ?? late ?? over;
  const { dueAt, reason, rule } = dueOfGroup(keptFor(row), policy, { agreementEndsAt, ends });
  const named = { group: row.group, policy: policy.name, version: policy.version };
  // A person ended the agreement: where the policy has no period to say, that is the time.
  const unsaid = dueAt === null && (reason === 'no-period' || reason === 'no-policy');
  if (unsaid && agreementEndsAt !== null) return { ...named, by: 'agreement', dueAt: agreementEndsAt };
  if (dueAt === null || rule?.action === 'report') return null;
  const action = rule?.action ?? 'erase';
  return { ...named, by: reason === 'agreement-end' ? 'agreement' : 'policy', dueAt, action };
}

/** At once, but not before all of it is there: what is moved later would be dropped, and not counted with it. */
function requestOf({ group, createdAt }: GroupRow, { gathered }: Takes): Due | null {
  return gathered ? { group, by: 'request', policy: null, version: null, dueAt: createdAt } : null;
}

/** Of these rows: when each falls due, and which are due now, the most overdue first. */
export function planDue(
  rows: readonly GroupRow[],
  policy: Policy,
  agreements: ReadonlyMap<string, AgreementRow>,
  now: UtcMs,
  /** When each hold was released (V106). */
  releases: ReadonlyMap<string, UtcMs> = new Map(),
): { changed: GroupRow[]; due: Due[]; next: UtcMs | null } {
  const changed: GroupRow[] = [];
  const due: Due[] = [];
  let next: UtcMs | null = null;
  for (const row of rows) {
    if (row.state !== 'live') continue;
    const released = releases.get(row.subject ?? '') ?? null;
    const found = dueFor(row, policy, agreementOf(row, agreements), released);
    // One-off sessions end by themselves, on a lane of their own; only the end of their agreement is ours.
    if (row.kind === 'oneoff' && found?.by !== 'agreement') continue;
    const at = found?.dueAt ?? null;
    if (at !== row.dueAt) changed.push({ ...row, dueAt: at });
    if (found === null || at === null) continue;
    if (at <= now) due.push(found);
    else if (next === null || at < next) next = at;
  }
  due.sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0));
  return { changed, due, next };
}

function agreementOf({ agreement }: GroupRow, agreements: ReadonlyMap<string, AgreementRow>) {
  return agreement === null ? null : (agreements.get(agreement) ?? null);
}
