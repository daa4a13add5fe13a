/**
 * What can be said of the recordings of a host that does not answer: what it told of before. Pure; the API hands in the rows.
 *
 * V94 Who answers from what was told says so, and as of when; a number of files that nobody can name now stands by days.
 * V95 A day is past its time only when its end is: of the day in which the limit falls nothing is called overdue.
 */
import { dueBy } from '../protocol/due.ts';
import { type Policy, ruleFor } from '../protocol/policy.ts';
import { toIso, type UtcMs, utcMs } from '../protocol/time.ts';
import type { CameraDayRow, CameraId, CameraRow, CameraSum, RootRow } from './store/types.ts';

/** Whatever is answered (R8); an agent's own answer says the same. */
const NOT_LOOKED_AT = ['exports', 'copies-elsewhere', 'backups', 'snapshots'];
const COPY_WORDS: Readonly<Record<string, string>> = {
  clip: 'clips',
  'recycle-bin': 'recycle-bins',
  thumbnails: 'thumbnails',
  'lost-found': 'lost-and-found',
};

type Item = Record<string, unknown>;

export interface Told {
  roots: readonly RootRow[];
  cameras: readonly CameraRow[];
  sums: readonly CameraSum[];
  /** Days of which something is past its time. */
  overdue: readonly CameraDayRow[];
  names: ReadonlyMap<CameraId, string>;
  policy: Policy;
}

/** When the host last told of any root; null: never. */
export function asOf(roots: readonly RootRow[]): string | null {
  const last = roots.reduce<UtcMs | null>(
    (max, { toldAt }) => (max === null || toldAt > max ? toldAt : max),
    null,
  );
  return last === null ? null : toIso(last);
}

/** V95: whether all that began in a day is past its time. */
export function isPast(
  { toAt, lastAt }: Pick<CameraDayRow, 'toAt' | 'lastAt'>,
  policy: Policy,
  now: UtcMs,
): boolean {
  const rule = ruleFor(policy, 'recording', 'managed');
  const end = utcMs(Math.max(toAt, lastAt));
  const facts = { endsAt: null, zone: policy.zone, earliest: end, latest: end };
  const { dueAt } = dueBy(rule, facts);
  return dueAt !== null && dueAt <= now;
}

/** Roots as `recordings.stats` of an agent has them; what only the host knows is null. */
export function toldSources(told: Told): Item[] {
  const { policy } = told;
  const rule = ruleFor(policy, 'recording', 'managed');
  return told.roots
    .filter(({ state }) => state !== 'retired')
    .map((root) => ({
      ...{ source: root.source, root: null, layout: null, mode: null, state: root.state },
      ...{ scannedAt: null, fullAt: null, sweptAt: iso(root.sweptAt), told: true },
      ...{ waits: root.waits, waitsSince: iso(root.waitsSince), plan: root.plan },
      ...{ policy: policy.name, version: policy.version, limit: rule?.keepAtMost ?? null },
      ...{ unjudged: rule === null ? 'no-rule' : null, odd: {}, left: root.left },
      ...{ copies: root.copies, notLookedAt: unseenOf(root) },
      cameras: told.cameras
        .filter(({ source }) => source === root.source)
        .map((row) => cameraItem(row, told)),
    }));
}

/** What no answer about this root covers (R8). */
export function unseenOf({ copies }: RootRow): string[] {
  return [...new Set([...NOT_LOOKED_AT, ...(copies ?? []).flatMap(({ kind }) => COPY_WORDS[kind] ?? [])])];
}

function cameraItem({ camera, gapFrom }: CameraRow, { sums, overdue, names, policy }: Told): Item {
  const sum = sums.find((one) => one.camera === camera);
  const rule = ruleFor(policy, 'recording', 'managed');
  const due = overdue.filter((day) => day.camera === camera).reduce((all, { present }) => all + present, 0);
  return {
    ...{ camera, name: names.get(camera) ?? null, count: sum?.count ?? 0, bytes: sum?.bytes ?? 0 },
    ...{ oldest: iso(sum?.oldest ?? null), newest: iso(sum?.newest ?? null) },
    // What of it a hold keeps only the host can say.
    ...{ due: rule === null ? null : due, held: null, unbounded: null },
    ...{ erased: sum?.erased ?? 0, missing: sum?.missing ?? 0, gapSince: iso(gapFrom) },
  };
}

/** A finished day of a camera, in the place of the recordings that nobody can name now. */
export function dayItem(row: CameraDayRow, names: ReadonlyMap<CameraId, string>): Item {
  const { camera, count, bytes, present, erased, missing, gaps, gapSeconds } = row;
  return {
    ...{
      camera,
      cameraName: names.get(camera) ?? null,
      from: iso(row.fromAt),
      to: iso(row.toAt),
      count,
      bytes,
    },
    ...{ present, erased, missing, first: iso(row.firstAt), last: iso(row.lastAt), gaps, gapSeconds },
    toldAt: iso(row.toldAt),
  };
}

function iso(at: UtcMs | null): string | null {
  return at === null ? null : toIso(at);
}
