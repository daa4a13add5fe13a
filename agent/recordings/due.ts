/**
 * What a recording is to `decide`, and which of them can have expired at all. Pure.
 *
 * D3  Retention counts from the latest end; a hold covers the whole bound.
 * D5  What stays past its due time stays for a reason that is told.
 * C17 The agent's own floor (`neverEraseYoungerThan`) only ever keeps longer; no collector lowers it.
 * R6  A plan that is larger than twice what became due since the last completed sweep, and than one file in twenty, waits
 *     for a person; so does the first of a catalogue.
 */
import type { Hold, Thing } from '../../protocol/hold.ts';
import type { SiteId } from '../../protocol/ids.ts';
import { type Policy, periodOf, ruleFor } from '../../protocol/policy.ts';
import { type Decision, decide } from '../../protocol/retention.ts';
import { DAY_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { holdsNear } from './hold-index.ts';
import type { RecordingRow } from './types.ts';

/** What is the same for every recording of a sweep. */
export interface Surroundings {
  policy: Policy;
  /** Zone of the site, for calendar months. */
  zone: string;
  site: SiteId;
  host: string;
  agreementEndsAt: UtcMs | null;
  floorMs: number;
}

export type Kept = Extract<Decision, { verdict: 'keep' }>['reason'] | 'floor';
export type Verdict =
  | Exclude<Decision, { verdict: 'keep' }>
  | { verdict: 'keep'; reason: Kept; holds: string[] };

/** Of the surroundings: what holds go by, which is known without any policy. */
export type Standing = Pick<Surroundings, 'zone' | 'site' | 'host' | 'agreementEndsAt'>;

export function thingOf(row: Pick<RecordingRow, 'bounds'>, camera: string, around: Standing): Thing {
  return {
    kind: 'recording',
    class: 'recording',
    mode: 'managed',
    bounds: row.bounds,
    agreementEndsAt: around.agreementEndsAt,
    restricted: false,
    requestedErasureAt: null,
    zone: around.zone,
    cameras: [camera],
    hosts: [around.host],
    sites: [around.site],
    // A recording is no session: a hold on sessions does not cover it.
    sessions: [],
  };
}

/** @param holds null: they cannot be read @param now trusted time; null: there is none */
export function judge(
  row: Pick<RecordingRow, 'bounds'>,
  camera: string,
  around: Surroundings,
  holds: readonly Hold[] | null,
  now: UtcMs | null,
): Verdict {
  const near = holds === null ? null : holdsNear(holds, camera, row.bounds);
  const decision = decide(thingOf(row, camera, around), around.policy, near, now);
  if (decision.verdict === 'keep') return decision;
  const end = row.bounds.endLatest;
  const old = end !== null && now !== null && now >= end + around.floorMs;
  return old ? decision : { verdict: 'keep', reason: 'floor', holds: [] };
}

/** A month of the calendar is never shorter. */
const SHORTEST_MONTH_MS = 28 * DAY_MS;

/**
 * Nothing whose latest end is after this can have expired at `now`; null: nothing expires by this policy. What is before
 * it has still to be decided.
 */
export function endedBy(around: Surroundings, now: UtcMs): UtcMs | null {
  const rule = ruleFor(around.policy, 'recording', 'managed');
  const floor = now - around.floorMs;
  const over = around.agreementEndsAt !== null && around.agreementEndsAt <= now;
  // The end of the agreement is the latest time for what belongs to it, whatever its period.
  if (over) return utcMs(floor);
  if (rule === null || rule.keepAtMost === null || rule.trigger === 'agreement-end') return null;
  const { months, ms } = periodOf(rule.keepAtMost);
  return utcMs(Math.min(floor, now - months * SHORTEST_MONTH_MS - ms));
}

export interface PlanFacts {
  /** How many are to be erased now. */
  count: number;
  /** Of these: how many became due since the last completed sweep. */
  fresh: number;
  /** Of these: how many were left alone by a sweep before, each for a reason of its own. Absent: none. */
  tried?: number;
  /** Recordings that are there. */
  present: number;
  /** A person approved an erasing sweep of this catalogue before. */
  approved: boolean;
}

const SHARE = 0.05;

/** Why a plan waits for a person; null: it does not (R6). */
export function waitsFor({
  count,
  fresh,
  tried = 0,
  present,
  approved,
}: PlanFacts): 'first-sweep' | 'large-plan' | null {
  if (count === 0) return null;
  if (!approved) return 'first-sweep';
  // What was tried in vain stands in every plan: it is no reason to keep the rest past its time.
  const fresher = count - tried;
  return fresher > 2 * fresh && fresher > SHARE * present ? 'large-plan' : null;
}
