/**
 * Projections of recordings: roots, cameras, their days. A host may tell of any number of them; only so many rows are kept
 * of it, in the order told, so that a rebuild keeps the same ones.
 *
 * V90 No host's tellings make the answers about others slow: roots and cameras are bounded for each host, days for each
 *     camera, of which the newest stay. What is beyond them stays a leaf.
 */
import type { AgentId } from '../../protocol/ids.ts';
import { type Columns, type Sql, type SqliteTable, sqliteTable } from './table.ts';
import type {
  CameraDayRow,
  CameraRow,
  CameraSum,
  ClockStepRow,
  Reader,
  RootRow,
  Tx,
  WritableTable,
} from './types.ts';

export const MAX_ROOTS = 64;
export const MAX_CAMERAS = 1_024;
/** Two years and some. */
export const MAX_DAYS = 800;

const roots: Columns<RootRow> = {
  source: ['source'],
  agent: ['agent'],
  state: ['state'],
  reason: ['reason'],
  waits: ['waits'],
  waitsSince: ['waits_since'],
  plan: ['plan'],
  left: ['left_over', 'json'],
  leftAt: ['left_at'],
  copies: ['copies', 'json'],
  sweptAt: ['swept_at'],
  missing: ['missing'],
  toldAt: ['told_at'],
};
const cameras: Columns<CameraRow> = {
  camera: ['camera'],
  agent: ['agent'],
  source: ['source'],
  customer: ['customer'],
  site: ['site'],
  foundPos: ['found_pos'],
  foundAt: ['found_at'],
  sound: ['sound'],
  gapFrom: ['gap_from'],
  registeredPos: ['registered_pos'],
  registeredAt: ['registered_at'],
  registeredBy: ['registered_by'],
  retainMonths: ['retain_months'],
  retainMs: ['retain_ms'],
  signageAt: ['signage_at'],
};
const days: Columns<CameraDayRow> = {
  day: ['day'],
  camera: ['camera'],
  agent: ['agent'],
  fromAt: ['from_at'],
  toAt: ['to_at'],
  count: ['count'],
  bytes: ['bytes'],
  present: ['present'],
  erased: ['erased'],
  missing: ['missing'],
  firstAt: ['first_at'],
  lastAt: ['last_at'],
  gaps: ['gaps'],
  gapSeconds: ['gap_s'],
  toldAt: ['told_at'],
};
const clockSteps: Columns<ClockStepRow> = { agent: ['agent'], at: ['at'], byMs: ['by_ms'] };

const IN_LIST = 'IN (SELECT value FROM json_each(?))';

type Reads = Pick<
  Reader,
  'roots' | 'cameras' | 'cameraDays' | 'clockSteps' | 'rootsOf' | 'camerasOf' | 'daysOf' | 'cameraSums'
>;
type Writes = Pick<Tx, 'roots' | 'cameras' | 'cameraDays' | 'clockSteps'>;

export function readRecordings(sql: Sql): Reads {
  const rootTable = sqliteTable(sql, 'rec_roots', roots);
  const cameraTable = sqliteTable(sql, 'cameras', cameras);
  const dayTable = sqliteTable(sql, 'camera_days', days);
  return {
    roots: rootTable,
    cameras: cameraTable,
    cameraDays: dayTable,
    clockSteps: sqliteTable(sql, 'clock_steps', clockSteps),
    async rootsOf(agents) {
      return rootTable.select(`WHERE agent ${IN_LIST} ORDER BY rowid`, [JSON.stringify(agents)]);
    },
    async camerasOf(agents) {
      return cameraTable.select(`WHERE agent ${IN_LIST} ORDER BY rowid`, [JSON.stringify(agents)]);
    },
    async daysOf({ agents, camera, from, to, having, limit }) {
      const some = having === null ? '' : `AND ${having} > 0`;
      return dayTable.select(
        `WHERE agent ${IN_LIST} AND (? IS NULL OR camera = ?) AND to_at > ? AND from_at < ? ${some}
         ORDER BY from_at DESC, camera LIMIT ?`,
        [JSON.stringify(agents), camera, camera, from, to, limit],
      );
    },
    async cameraSums(agents) {
      return sql(`SELECT camera, sum(present) AS count, sum(CASE WHEN present > 0 THEN bytes ELSE 0 END) AS bytes,
        sum(erased) AS erased, sum(missing) AS missing, min(CASE WHEN present > 0 THEN first_at END) AS oldest,
        max(CASE WHEN present > 0 THEN last_at END) AS newest
        FROM camera_days WHERE agent ${IN_LIST} GROUP BY camera`).all(JSON.stringify(agents)) as CameraSum[];
    },
  };
}

export function writeRecordings(sql: Sql): Writes {
  const dayTable = sqliteTable(sql, 'camera_days', days);
  return {
    roots: bounded(sql, sqliteTable(sql, 'rec_roots', roots), 'rec_roots', MAX_ROOTS),
    cameras: bounded(sql, sqliteTable(sql, 'cameras', cameras), 'cameras', MAX_CAMERAS),
    cameraDays: { ...dayTable, put: (rows) => putDays(sql, dayTable, rows) },
    clockSteps: sqliteTable(sql, 'clock_steps', clockSteps),
  };
}

function bounded<Row extends { agent: AgentId }>(
  sql: Sql,
  table: SqliteTable<Row>,
  name: 'rec_roots' | 'cameras',
  most: number,
): WritableTable<Row> {
  const key = name === 'cameras' ? 'camera' : 'source';
  return {
    get: table.get,
    list: table.list,
    async put(rows) {
      for (const row of rows) {
        const known = (await table.get((row as unknown as Record<string, string>)[key] ?? '')) !== null;
        if (known || countOf(sql, name, 'agent', row.agent) < most) await table.put([row]);
      }
    },
  };
}

async function putDays(
  sql: Sql,
  table: SqliteTable<CameraDayRow>,
  rows: readonly CameraDayRow[],
): Promise<void> {
  await table.put(rows);
  for (const camera of new Set(rows.map((row) => row.camera))) {
    const surplus = countOf(sql, 'camera_days', 'camera', camera) - MAX_DAYS;
    if (surplus <= 0) continue;
    sql(`DELETE FROM camera_days WHERE day IN
      (SELECT day FROM camera_days WHERE camera = ? ORDER BY from_at LIMIT ?)`).run(camera, surplus);
  }
}

function countOf(
  sql: Sql,
  table: 'rec_roots' | 'cameras' | 'camera_days',
  by: 'agent' | 'camera',
  id: string,
): number {
  return (sql(`SELECT count(*) AS n FROM ${table} WHERE ${by} = ?`).get(id) as { n: number }).n;
}
