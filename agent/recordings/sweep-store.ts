/**
 * What the sweep asks of the catalogue and writes into it. Everything that writes runs inside the caller's transaction.
 * The catalogue's other half, which the scan fills, is `catalogue.ts`.
 */
import type { Hold } from '../../protocol/hold.ts';
import { type Id, idBytes, idFrom } from '../../protocol/ids.ts';
import { type Policy, policySchema } from '../../protocol/policy.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';
import { GoneStore } from './gone-store.ts';
import { HoldRows } from './hold-rows.ts';
import { fromBytes, toBytes } from './names.ts';
import { ReadStore } from './read-store.ts';
import { type RawRow, ROW, rowOf } from './rows.ts';
import { ToldStore } from './told-store.ts';
import {
  type ByteName,
  type CameraRow,
  type Place,
  type RecordingRow,
  type RecordingSource,
  type RecordingState,
  STATES,
} from './types.ts';

export interface SliceRow {
  id: number;
  source: number;
  camera: number;
  policy: string;
  version: number;
  due: UtcMs;
  starts: UtcMs;
  ends: UtcMs;
  count: number;
  bytes: number;
  /** 32 bytes, base64url. */
  root: string;
  begunAt: UtcMs;
  doneAt: UtcMs | null;
}

export interface PlanRow {
  plan: Id<'plan'>;
  source: number;
  madeAt: UtcMs;
  count: number;
  bytes: number;
  oldest: UtcMs;
  dueBy: UtcMs;
  root: string;
  approvedAt: UtcMs | null;
}

/** In an order in which nothing refers to what has gone. Holds stay: only a signed release ends one (H7). */
const TABLES = [
  'rec_days',
  'rec_gaps',
  'recordings',
  'rec_unknown',
  'rec_plans',
  'rec_slices',
  'rec_folders',
  'rec_cameras',
  'rec_sources',
  'policies',
];

export class SweepStore {
  readonly #db: Db;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #holds: HoldRows;
  /** What is only read: lists and figures. */
  readonly read: ReadStore;
  readonly gone: GoneStore;
  /** What was told of cameras. */
  readonly told: ToldStore;

  constructor(db: Db) {
    this.#db = db;
    this.read = new ReadStore(db);
    this.gone = new GoneStore(db);
    this.#holds = new HoldRows(db);
    this.told = new ToldStore(db);
    this.#sql = prepare(db);
  }

  sources(): RecordingSource[] {
    return this.#sql.sources.all().map(sourceOf);
  }

  cameras(source: number): CameraRow[] {
    return this.#sql.cameras.all(source).map(({ id, camera, name }) => {
      return { id, camera: idFrom(camera), name: fromBytes(name) };
    });
  }

  /**
   * Rows in state `present` of one camera whose latest end is at or before `endBy`, the oldest end first, after `after`.
   * Rows without a known end are in no page (D2).
   */
  ended(camera: number, endBy: UtcMs, after: Place | null, limit: number): RecordingRow[] {
    // A row without an end stands at -1, and all its names before this one.
    const { end, folder, name } = after ?? { end: 0, folder: 0, name: '' };
    return this.#sql.ended.all({ camera, endBy, end, folder, name: toBytes(name), limit }).map(rowOf);
  }

  row(folder: number, name: ByteName): RecordingRow | null {
    const found = this.#sql.row.get(folder, toBytes(name));
    return found === undefined ? null : rowOf(found);
  }

  /** Rows of a slice that are in `erasing`. */
  erasing(slice: number): RecordingRow[] {
    return this.#sql.erasing.all(slice).map(rowOf);
  }

  /** Marks a row; `present` takes it out of its slice again. */
  mark(
    { folder, name }: Pick<RecordingRow, 'folder' | 'name'>,
    state: RecordingState,
    slice: number | null,
  ): void {
    this.#sql.mark.run(STATES.indexOf(state), slice, folder, toBytes(name));
  }

  /** Every row of a slice that is in `erasing`; returns how many. */
  markErased(slice: number): number {
    return this.#sql.markErased.run(slice).changes;
  }

  /** What lies there is not what the row says: the next scan looks at it anew. */
  forgetFile({ folder, name }: Pick<RecordingRow, 'folder' | 'name'>): void {
    this.#sql.forgetFile.run(folder, toBytes(name));
    this.rescan(folder);
  }

  /** The next scan reads the folder again. */
  rescan(folder: number): void {
    this.#sql.rescan.run(folder);
  }

  /** Left alone past its due time, and why; a repeated one changes nothing. */
  refuse({ folder, name }: Pick<RecordingRow, 'folder' | 'name'>, reason: string, at: UtcMs): void {
    this.#sql.refuse.run(folder, toBytes(name), reason, at);
  }

  /** Why this one was left alone past its due time; null: it was not. */
  refusal({ folder, name }: Pick<RecordingRow, 'folder' | 'name'>): string | null {
    return this.#sql.refusal.get(folder, toBytes(name))?.reason ?? null;
  }

  beginSlice(slice: Omit<SliceRow, 'id' | 'doneAt'>): number {
    const { source, camera, policy, version, due, starts, ends, count, bytes, root, begunAt } = slice;
    const found = this.#sql.beginSlice.get(
      ...[
        source,
        camera,
        policy,
        version,
        due,
        starts,
        ends,
        count,
        bytes,
        Buffer.from(root, 'base64url'),
        begunAt,
      ],
    );
    return (found as { id: number }).id;
  }

  endSlice(slice: number, at: UtcMs): void {
    this.#sql.endSlice.run(at, slice);
  }

  /** Slices that a crash, or a root that was not there, left open; the oldest first. */
  openSlices(): SliceRow[] {
    return this.#sql.openSlices.all().map(sliceOf);
  }

  /** Null: a row of the table cannot be read, so that nothing is known of any (D2). */
  holds(): Hold[] | null {
    return this.#holds.inForce();
  }

  /** Holds that were released at `since` or later. */
  releasedSince(since: UtcMs): Hold[] {
    return this.#holds.releasedSince(since);
  }

  /** Moves whenever anything was committed by another process. */
  dataVersion(): number {
    // Prepared once: it is asked for each file.
    return this.#sql.dataVersion.get()?.data_version ?? 0;
  }

  /** The rules that the collector ordered for recordings; null: none did, or they cannot be read. */
  policy(): Policy | null {
    const found = this.#sql.policy.get('recording');
    if (found === undefined) return null;
    try {
      const read = policySchema.safeParse(JSON.parse(found.policy));
      return read.success ? read.data : null;
    } catch {
      return null;
    }
  }

  setPolicy(policy: Policy, at: UtcMs): void {
    this.#sql.setPolicy.run('recording', JSON.stringify(policy), at);
  }

  swept(source: number, at: UtcMs): void {
    this.#sql.swept.run(at, source);
  }

  /** Erasing sweeps of this catalogue need no first word of a person any more (R6). */
  approveSource(source: number): void {
    this.#sql.approveSource.run(source);
  }

  approve(source: number, plan: Id<'plan'>, at: UtcMs): void {
    this.#sql.approvePlan.run(at, idBytes(plan));
    this.approveSource(source);
  }

  plan(source: number): PlanRow | null {
    const found = this.#sql.plan.get(source);
    return found === undefined ? null : planOf(found);
  }

  /** The one plan of a source, in place of any before. */
  savePlan(plan: PlanRow): void {
    this.#sql.dropPlans.run(plan.source);
    this.#sql.savePlan.run(
      ...[idBytes(plan.plan), plan.source, plan.madeAt, plan.count, plan.bytes, plan.oldest, plan.dueBy],
      ...[Buffer.from(plan.root, 'base64url'), plan.approvedAt],
    );
  }

  /** Everything of the catalogue, inside the caller's transaction; whoever calls empties the WAL after it. */
  forgetAll(): void {
    for (const table of TABLES) this.#db.prepare(`DELETE FROM ${table}`).run();
  }

  dropPlans(source: number): void {
    this.#sql.dropPlans.run(source);
  }
}

/** Where the page behind this one begins; null: this was the last. */
export function placeAfter(page: readonly RecordingRow[], limit: number): Place | null {
  const last = page.at(-1);
  if (last === undefined || page.length < limit) return null;
  return { end: last.bounds.endLatest ?? utcMs(0), folder: last.folder, name: last.name };
}

interface RawSource {
  id: number;
  source: Buffer;
  root: Buffer;
  layout: string;
  zone: string;
  fs: string | null;
  state: RecordingSource['state'];
  approved: number;
  swept_at: number | null;
}

interface RawSlice extends Omit<SliceRow, 'root' | 'begunAt' | 'doneAt'> {
  root: Buffer;
  begun_at: number;
  done_at: number | null;
}

interface RawPlan {
  plan: Buffer;
  source: number;
  made_at: number;
  count: number;
  bytes: number;
  oldest: number;
  due_by: number;
  root: Buffer;
  approved_at: number | null;
}

function sourceOf({ source, root, approved, swept_at, ...rest }: RawSource): RecordingSource {
  const sweptAt = swept_at === null ? null : utcMs(swept_at);
  return { ...rest, source: idFrom(source), root: root.toString(), approved: approved === 1, sweptAt };
}

function sliceOf({ root, begun_at, done_at, ...rest }: RawSlice): SliceRow {
  const doneAt = done_at === null ? null : utcMs(done_at);
  return { ...rest, root: root.toString('base64url'), begunAt: utcMs(begun_at), doneAt };
}

function planOf({ plan, root, made_at, oldest, due_by, approved_at, ...rest }: RawPlan): PlanRow {
  return {
    ...{ ...rest, plan: idFrom(plan), root: root.toString('base64url'), madeAt: utcMs(made_at) },
    ...{ oldest: utcMs(oldest), dueBy: utcMs(due_by) },
    approvedAt: approved_at === null ? null : utcMs(approved_at),
  };
}

const SLICE = 'id, source, camera, policy, version, due, starts, ends, count, bytes, root, begun_at, done_at';

function prepare(db: Db) {
  const one = <R>(sql: string): Statement<unknown[], R> => db.prepare<unknown[], R>(sql);
  return {
    sources: one<RawSource>(
      `SELECT id, source, root, layout, zone, fs, state, approved, swept_at FROM rec_sources
       WHERE state <> 'retired' ORDER BY id`,
    ),
    cameras: one<{ id: number; camera: Buffer; name: Buffer }>(
      'SELECT id, camera, name FROM rec_cameras WHERE source = ? ORDER BY id',
    ),
    ended: one<RawRow>(
      // The first bound is for the index alone (C63): without it each page reads all pages before it.
      `SELECT ${ROW} FROM recordings WHERE camera = @camera AND state = 0
       AND coalesce(ends, -1) >= @end AND coalesce(ends, -1) <= @endBy
       AND (coalesce(ends, -1), folder, name) > (@end, @folder, @name)
       ORDER BY coalesce(ends, -1), folder, name LIMIT @limit`,
    ),
    row: one<RawRow>(`SELECT ${ROW} FROM recordings WHERE folder = ? AND name = ?`),
    erasing: one<RawRow>(`SELECT ${ROW} FROM recordings WHERE slice = ? AND state = 1 ORDER BY folder, name`),
    mark: one('UPDATE recordings SET state = ?, slice = ? WHERE folder = ? AND name = ?'),
    markErased: one('UPDATE recordings SET state = 2 WHERE slice = ? AND state = 1'),
    forgetFile: one('DELETE FROM recordings WHERE folder = ? AND name = ?'),
    rescan: one('UPDATE rec_folders SET mtime = NULL WHERE id = ?'),
    refusal: one<{ reason: string | null }>(
      "SELECT reason FROM rec_unknown WHERE folder = ? AND name = ? AND kind = 'refused'",
    ),
    refuse: one(
      `INSERT INTO rec_unknown (folder, name, kind, reason, seen_at) VALUES (?, ?, 'refused', ?, ?)
       ON CONFLICT (folder, name) DO UPDATE SET reason = excluded.reason`,
    ),
    beginSlice: one<{ id: number }>(
      `INSERT INTO rec_slices (source, camera, policy, version, due, starts, ends, count, bytes, root, begun_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    ),
    endSlice: one('UPDATE rec_slices SET done_at = ? WHERE id = ?'),
    openSlices: one<RawSlice>(`SELECT ${SLICE} FROM rec_slices WHERE done_at IS NULL ORDER BY id`),
    policy: one<{ policy: string }>('SELECT policy FROM policies WHERE class = ?'),
    dataVersion: one<{ data_version: number }>('PRAGMA data_version'),
    setPolicy: one(
      `INSERT INTO policies (class, policy, since) VALUES (?, ?, ?)
       ON CONFLICT (class) DO UPDATE SET policy = excluded.policy, since = excluded.since`,
    ),
    swept: one('UPDATE rec_sources SET swept_at = ? WHERE id = ?'),
    approveSource: one('UPDATE rec_sources SET approved = 1 WHERE id = ?'),
    approvePlan: one('UPDATE rec_plans SET approved_at = ? WHERE plan = ?'),
    plan: one<RawPlan>(
      `SELECT plan, source, made_at, count, bytes, oldest, due_by, root, approved_at FROM rec_plans WHERE source = ?`,
    ),
    savePlan: one(
      `INSERT INTO rec_plans (plan, source, made_at, count, bytes, oldest, due_by, root, approved_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    dropPlans: one('DELETE FROM rec_plans WHERE source = ?'),
  };
}
