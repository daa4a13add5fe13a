/**
 * What another policy would change for what is here: by class, how many key groups would go earlier, later, or not at
 * all any more. Pure; groups are counted as they are, spans that would be split with their first day.
 */
import { DATA_CLASSES, type DataClass } from '../protocol/group.ts';
import type { Policy } from '../protocol/policy.ts';
import type { UtcMs } from '../protocol/time.ts';
import { dueFor } from './erasing/due.ts';
import type { AgreementRow, GroupRow } from './store/types.ts';

export interface Effect {
  class: DataClass;
  earlier: number;
  later: number;
  /** Of `earlier`: what would be erased at once. */
  dueNow: number;
  unchanged: number;
}

/** A class without living groups has no line. */
export function effectsOf(
  rows: readonly GroupRow[],
  policies: { now: Policy; next: Policy },
  agreements: ReadonlyMap<string, AgreementRow>,
  at: UtcMs,
): Effect[] {
  const effects = new Map<DataClass, Effect>();
  for (const row of rows) {
    // One-off sessions end by themselves, whatever the policy.
    if (row.state !== 'live' || row.kind === 'oneoff') continue;
    const agreement = row.agreement === null ? null : (agreements.get(row.agreement) ?? null);
    const [was, is] = [policies.now, policies.next].map(
      (policy) => dueFor(row, policy, agreement)?.dueAt ?? Number.POSITIVE_INFINITY,
    ) as [number, number];
    const blank: Effect = { class: row.class, earlier: 0, later: 0, dueNow: 0, unchanged: 0 };
    const effect = effects.get(row.class) ?? blank;
    effects.set(row.class, effect);
    if (is === was) effect.unchanged += 1;
    else effect[is < was ? 'earlier' : 'later'] += 1;
    if (is < was && is <= at) effect.dueNow += 1;
  }
  return DATA_CLASSES.flatMap((cls) => effects.get(cls) ?? []);
}
