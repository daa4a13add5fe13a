/**
 * What the sweep asks of the catalogue and writes into it. Everything that writes runs inside the caller's transaction.
 * The catalogue's other half, which the scan fills, is `catalogue.ts`.
 */
import type { Hold } from '../../protocol/hold.ts';
import { type Id, idBytes, idFrom } from '../../protocol/ids.ts';
import { type Policy, policySchema } from '../../protocol/policy.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';
import { readHold } from './hold-rows.ts';
import { fromBytes, toBytes } from './names.ts';
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

interface RawRow {
  folder: number;
  name: Buffer;
  camera: number;
  start: number;
  spread: number;
  ends: number | null;
  size: number | null;
  inode: number | null;
  state: number;
  slice: number | null;
}

/** What there is of a camera. `oldest`: earliest start, `newest`: latest end, of what is present; null: nothing is. */
export interface Tally {
  count: number;
  bytes: number;
  /** Present, without a bound for the end (D2). */
  unbounded: number;
  oldest: number | null;
  newest: number | null;
  erased: number;
  missing: number;
}

const NOTHING: Tally = {
  count: 0,
  bytes: 0,
  unbounded: 0,
  oldest: null,
  newest: null,
  erased: 0,
  missing: 0,
};
const TALLY_PAGE = 20_000;

function addTally(all: Map<number, Tally>, { camera, ...row }: Tally & { camera: number }): void {
  const sum = all.get(camera) ?? { ...NOTHING };
  all.set(camera, {
    count: sum.count + row.count,
    bytes: sum.bytes + row.bytes,
    unbounded: sum.unbounded + row.unbounded,
    oldest: least(sum.oldest, row.oldest),
    newest: most(sum.newest, row.newest),
    erased: sum.erased + row.erased,
    missing: sum.missing + row.missing,
  });
}

function least(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

function most(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

/** Deeper than any path that a system takes. */
const MAX_DEPTH = 64;

export class SweepStore {
  readonly #db: Db;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Db) {
    this.#db = db;
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
    const { end, folder, name } = after ?? { end: -1, folder: 0, name: '' };
    return this.#sql.ended.all(camera, endBy, end, folder, toBytes(name), limit).map(rowOf);
  }

  /**
   * What there is of each camera, a page of rows after the other: counting four million at once would keep everything else
   * from running. @param rest lets others have their turn
   */
  async tally(rest: () => Promise<void>): Promise<Map<number, Tally>> {
    const all = new Map<number, Tally>();
    for (let after: { folder: number; name: Buffer } = { folder: -1, name: Buffer.alloc(0) }; ; ) {
      const last = this.#sql.pageEnd.get(after.folder, after.name, TALLY_PAGE - 1);
      const to = last ?? { folder: Number.MAX_SAFE_INTEGER, name: Buffer.alloc(0) };
      for (const row of this.#sql.tally.all(after.folder, after.name, to.folder, to.name)) addTally(all, row);
      if (last === undefined) return all;
      after = last;
      await rest();
    }
  }

  /** Of one source, as `tally` has it. */
  async present(source: number, rest: () => Promise<void>): Promise<Tally> {
    const all = await this.tally(rest);
    const sum: Tally = { ...NOTHING };
    for (const { id } of this.#sql.cameras.all(source)) {
      const one = all.get(id);
      if (one === undefined) continue;
      sum.count += one.count;
      sum.bytes += one.bytes;
      sum.unbounded += one.unbounded;
      sum.oldest = least(sum.oldest, one.oldest);
      sum.newest = most(sum.newest, one.newest);
      sum.erased += one.erased;
      sum.missing += one.missing;
    }
    return sum;
  }

  row(folder: number, name: ByteName): RecordingRow | null {
    const found = this.#sql.row.get(folder, toBytes(name));
    return found === undefined ? null : rowOf(found);
  }

  /** Rows of a slice that are in `erasing`. */
  erasing(slice: number): RecordingRow[] {
    return this.#sql.erasing.all(slice).map(rowOf);
  }

  /** Parts of a folder's path below the root. */
  folderPath(folder: number): ByteName[] {
    const parts: ByteName[] = [];
    let at: number | null = folder;
    while (at !== null && parts.length < MAX_DEPTH) {
      const found: { parent: number | null; name: Buffer } | undefined = this.#sql.folder.get(at);
      if (found === undefined || found.parent === null) break;
      parts.unshift(fromBytes(found.name));
      at = found.parent;
    }
    return parts;
  }

  /** Marks a row; `present` takes it out of its slice again. */
  mark(
    { folder, name }: Pick<RecordingRow, 'folder' | 'name'>,
    state: RecordingState,
    slice: number | null,
  ): void {
    this.#sql.mark.run(STATES.indexOf(state), slice, folder, toBytes(name));
  }

  /** What lies there is not what the row says: the next scan looks at it anew. */
  forgetFile({ folder, name }: Pick<RecordingRow, 'folder' | 'name'>): void {
    this.#sql.forgetFile.run(folder, toBytes(name));
    this.#sql.rescan.run(folder);
  }

  /** Left alone past its due time, and why; a repeated one changes nothing. */
  refuse({ folder, name }: Pick<RecordingRow, 'folder' | 'name'>, reason: string, at: UtcMs): void {
    this.#sql.refuse.run(folder, toBytes(name), reason, at);
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
    const rows = this.#sql.holds.all().map(readHold);
    return rows.includes(null) ? null : rows.filter((hold) => hold !== null);
  }

  /** Moves whenever anything was committed by another process. */
  dataVersion(): number {
    return Number(this.#db.pragma('data_version', { simple: true }));
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

  approve(source: number, plan: Id<'plan'>, at: UtcMs): void {
    this.#sql.approvePlan.run(at, idBytes(plan));
    this.#sql.approveSource.run(source);
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

  dropPlans(source: number): void {
    this.#sql.dropPlans.run(source);
  }
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

/** D3: the bounds as they are stored. */
function rowOf({ name, start, spread, ends, size, state, ...rest }: RawRow): RecordingRow {
  return {
    ...rest,
    name: fromBytes(name),
    bounds: {
      startEarliest: utcMs(start),
      startLatest: utcMs(start + spread),
      endLatest: ends === null ? null : utcMs(ends),
    },
    sizeBytes: size,
    state: STATES[state] ?? 'present',
  };
}

const ROW = 'folder, name, camera, start, spread, ends, size, inode, state, slice';
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
      `SELECT ${ROW} FROM recordings WHERE camera = ? AND state = 0 AND ends <= ?
       AND (ends, folder, name) > (?, ?, ?) ORDER BY ends, folder, name LIMIT ?`,
    ),
    pageEnd: one<{ folder: number; name: Buffer }>(
      `SELECT folder, name FROM recordings WHERE (folder, name) > (?, ?)
       ORDER BY folder, name LIMIT 1 OFFSET ?`,
    ),
    tally: one<Tally & { camera: number }>(
      `SELECT camera, sum(state = 0) AS count, coalesce(sum(CASE state WHEN 0 THEN size END), 0) AS bytes,
         sum(state = 0 AND ends IS NULL) AS unbounded, min(CASE state WHEN 0 THEN start END) AS oldest,
         max(CASE state WHEN 0 THEN ends END) AS newest, sum(state = 2) AS erased, sum(state = 3) AS missing
       FROM recordings WHERE (folder, name) > (?, ?) AND (folder, name) <= (?, ?) GROUP BY camera`,
    ),
    row: one<RawRow>(`SELECT ${ROW} FROM recordings WHERE folder = ? AND name = ?`),
    erasing: one<RawRow>(`SELECT ${ROW} FROM recordings WHERE slice = ? AND state = 1 ORDER BY folder, name`),
    folder: one<{ parent: number | null; name: Buffer }>('SELECT parent, name FROM rec_folders WHERE id = ?'),
    mark: one('UPDATE recordings SET state = ?, slice = ? WHERE folder = ? AND name = ?'),
    forgetFile: one('DELETE FROM recordings WHERE folder = ? AND name = ?'),
    rescan: one('UPDATE rec_folders SET mtime = NULL WHERE id = ?'),
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
    holds: one<{ hold: Buffer; kind: string; scope: string }>(
      'SELECT hold, kind, scope FROM holds WHERE released_at IS NULL ORDER BY hold',
    ),
    policy: one<{ policy: string }>('SELECT policy FROM policies WHERE class = ?'),
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
