/**
 * Things that a policy is asked about, and the holds that cover them; the form in which a hold goes to a host.
 *
 * H8  A host gets a hold's id, cameras and interval: never its kind, case or reason, for who is suspected may be root there.
 */
import { z } from 'zod';
import { id } from './group.ts';
import type { RetentionClass, RuleMode } from './policy.ts';
import { type UtcMs, utcMs } from './time.ts';

/** Why something is kept for longer. */
export const HOLD_KINDS = ['dispute', 'crime', 'authority-order', 'misuse'] as const;
export type HoldKind = (typeof HOLD_KINDS)[number];

/** Cameras of one host that one hold names; all of a host's cameras are said by naming none. */
export const MAX_HELD_CAMERAS = 256;

const time = z
  .int()
  .nullable()
  .transform((at): UtcMs | null => (at === null ? null : utcMs(at)));
const ids = z.array(id).max(4096).optional();

/** A scope as it is stored on a host, as JSON. */
export const holdScope = z.strictObject({
  from: time,
  to: time,
  /** Random ids of cameras. */
  cameras: ids,
  sessions: ids,
  hosts: ids,
  sites: ids,
  customers: ids,
});

/** Body of `hold.place`, and of a question what one would cover (H8). */
export const holdOrder = z.strictObject({
  hold: id,
  /** UTC milliseconds, both ends within it; null: open. */
  from: z.int().nullable(),
  to: z.int().nullable(),
  /** Absent: every camera of the host. */
  cameras: z.array(id).min(1).max(MAX_HELD_CAMERAS).optional(),
});
export type HoldOrder = z.infer<typeof holdOrder>;

/** A legal hold, as far as it matters here. Absent in `scope`: any. */
export interface Hold {
  hold: string;
  scope: {
    /** Interval, both ends within it; null: open. */
    from: UtcMs | null;
    to: UtcMs | null;
    cameras?: readonly string[] | undefined;
    sessions?: readonly string[] | undefined;
    hosts?: readonly string[] | undefined;
    sites?: readonly string[] | undefined;
    customers?: readonly string[] | undefined;
  };
}

/** D3: between which instants a thing began, and when it ended at the latest. */
export interface Bounds {
  startEarliest: UtcMs;
  startLatest: UtcMs;
  /** Null: nobody can say. */
  endLatest: UtcMs | null;
}

export interface Thing {
  kind: 'group' | 'recording' | 'session';
  class: RetentionClass;
  mode: RuleMode;
  /** Null: nothing is known of when it was. */
  bounds: Bounds | null;
  agreementEndsAt: UtcMs | null;
  /** Processing was restricted: kept, not used. */
  restricted: boolean;
  /** When the subject asked for erasure, and it was granted. */
  requestedErasureAt: UtcMs | null;
  /** Of a recording: its path is in no layout that was declared. */
  unknownLayout?: boolean | undefined;
  /** Zone of its site; absent: the policy's. */
  zone?: string | undefined;
  /** What holds go by. Null or absent: not known, so that a hold that names any covers it (D1, D2). */
  cameras?: readonly string[] | null | undefined;
  sessions?: readonly string[] | null | undefined;
  hosts?: readonly string[] | null | undefined;
  sites?: readonly string[] | null | undefined;
  customers?: readonly string[] | null | undefined;
}

/** A hold covers whatever overlaps its interval with any of its bound, or may: what is not known is covered. */
export function covers({ scope }: Hold, thing: Thing): boolean {
  const named = NAMED.every((key) => {
    const [wanted, has] = [scope[key], thing[key] ?? null];
    return wanted === undefined || has === null || has.some((one) => wanted.includes(one));
  });
  return named && overlaps(scope, thing.bounds);
}

const NAMED = ['cameras', 'sessions', 'hosts', 'sites', 'customers'] as const;

/** Bounds that are no times, or the wrong way round. */
export function contradicts({ startEarliest, startLatest, endLatest }: Bounds): boolean {
  const times = [startEarliest, startLatest, endLatest ?? startLatest];
  const ordered = startEarliest <= startLatest && (endLatest === null || startEarliest <= endLatest);
  return !ordered || !times.every(Number.isSafeInteger);
}

function overlaps({ from, to }: Hold['scope'], bounds: Bounds | null): boolean {
  if (bounds === null || contradicts(bounds)) return true;
  const before = to !== null && bounds.startEarliest > to;
  const after = from !== null && bounds.endLatest !== null && bounds.endLatest < from;
  return !before && !after;
}
