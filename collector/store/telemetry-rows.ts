/** Points as rows of an agreement's telemetry file, and back. */
import { utcMs } from '../../protocol/time.ts';
import type { DiskPoint, Point, Stat } from './points.ts';
import { one } from './points.ts';

/** A row of either table, with the columns that a span has. */
export interface Cells {
  at: number;
  seconds: number;
  n: number;
  cpu_n: number;
  cpu_sum: number;
  cpu_min: number | null;
  cpu_max: number | null;
  mem_sum: number;
  mem_min: number;
  mem_max: number;
  mem_total: number;
  uptime: number;
  disks: string;
}

const COLUMNS =
  'at, seconds, n, cpu_n, cpu_sum, cpu_min, cpu_max, mem_sum, mem_min, mem_max, mem_total, uptime';
/** A sample in the columns of a span. */
const AS_SPAN = `at, 0 AS seconds, 1 AS n, cpu IS NOT NULL AS cpu_n, coalesce(cpu, 0) AS cpu_sum, cpu AS cpu_min,
  cpu AS cpu_max, mem AS mem_sum, mem AS mem_min, mem AS mem_max, mem_total, uptime, disks`;

export const INSERT_SAMPLE = `INSERT INTO samples (agent, at, cpu, mem, mem_total, uptime, disks)
  VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;
export const PUT_SPAN = `INSERT OR REPLACE INTO spans (agent, ${COLUMNS}, disks)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
export const SPAN_AT = `SELECT ${COLUMNS}, disks FROM spans WHERE agent = ? AND at = ? AND seconds = ?`;
/** The oldest samples of one agent before a time. */
export const OLD_SAMPLES = `SELECT ${AS_SPAN} FROM samples WHERE agent = ? AND at < ? ORDER BY at LIMIT ?`;
export const OLD_SPANS = `SELECT ${COLUMNS}, disks FROM spans
  WHERE agent = ? AND at < ? AND seconds = ? ORDER BY at LIMIT ?`;
export const DROP_SAMPLES = 'DELETE FROM samples WHERE agent = ? AND at <= ?';
export const DROP_SPANS = 'DELETE FROM spans WHERE agent = ? AND at <= ? AND seconds = ?';
/** Both tables, in the order of `at`. */
export const RANGE = `SELECT ${AS_SPAN} FROM samples WHERE agent = @agent AND at >= @from AND at < @to
  UNION ALL SELECT ${COLUMNS}, disks FROM spans WHERE agent = @agent AND at >= @from AND at < @to ORDER BY at`;

type DiskRow = readonly (number | null)[];

function statOf(cells: readonly (number | null | undefined)[]): Stat | null {
  const [n, sum, min, max] = cells;
  return n ? { n, sum: sum ?? 0, min: min ?? 0, max: max ?? 0 } : null;
}

const cellsOf = (stat: Stat | null) =>
  stat === null ? [0, 0, 0, 0] : [stat.n, stat.sum, stat.min, stat.max];

function diskOfSample([index = 0, used, free, total, inodes]: DiskRow): DiskPoint {
  return {
    index: index ?? 0,
    usedPermille: one(used ?? 0),
    freeMb: free ?? 0,
    totalMb: total ?? 0,
    inodesUsedPermille: inodes == null ? null : one(inodes),
  };
}

function diskOfSpan(row: DiskRow): DiskPoint {
  const [index, n, sum, min, max, free, total, ...inodes] = row;
  return {
    index: index ?? 0,
    usedPermille: statOf([n, sum, min, max]) ?? one(0),
    freeMb: free ?? 0,
    totalMb: total ?? 0,
    inodesUsedPermille: statOf(inodes),
  };
}

export function pointOfCells(cells: Cells): Point {
  const disks = JSON.parse(cells.disks) as DiskRow[];
  return {
    at: utcMs(cells.at),
    seconds: cells.seconds,
    n: cells.n,
    cpuPermille: statOf([cells.cpu_n, cells.cpu_sum, cells.cpu_min, cells.cpu_max]),
    memUsedPermille: { n: cells.n, sum: cells.mem_sum, min: cells.mem_min, max: cells.mem_max },
    memTotalMb: cells.mem_total,
    uptimeSeconds: cells.uptime,
    disks: disks.map(cells.seconds === 0 ? diskOfSample : diskOfSpan),
  };
}

/** Values of `INSERT_SAMPLE`. */
export function sampleValues(agent: number, point: Point): (number | string | null)[] {
  const { at, cpuPermille, memUsedPermille, memTotalMb, uptimeSeconds, disks } = point;
  const rows = disks.map((disk) => [
    disk.index,
    disk.usedPermille.max,
    disk.freeMb,
    disk.totalMb,
    disk.inodesUsedPermille?.max ?? null,
  ]);
  const cpu = cpuPermille?.max ?? null;
  return [agent, at, cpu, memUsedPermille.max, memTotalMb, uptimeSeconds, JSON.stringify(rows)];
}

/** Values of `PUT_SPAN`. */
export function spanValues(agent: number, point: Point): (number | string | null)[] {
  const { at, seconds, n, cpuPermille: cpu, memUsedPermille: mem, disks } = point;
  const rows = disks.map((disk) => [
    disk.index,
    ...cellsOf(disk.usedPermille),
    disk.freeMb,
    disk.totalMb,
    ...cellsOf(disk.inodesUsedPermille),
  ]);
  return [
    agent,
    at,
    seconds,
    n,
    cpu?.n ?? 0,
    cpu?.sum ?? 0,
    cpu?.min ?? null,
    cpu?.max ?? null,
    mem.sum,
    mem.min,
    mem.max,
    point.memTotalMb,
    point.uptimeSeconds,
    JSON.stringify(rows),
  ];
}
