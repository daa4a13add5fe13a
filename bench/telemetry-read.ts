/**
 * Telemetry at the collector: what a host takes on the disk as it came and after thinning, how long writing and
 * thinning hold the collector, and how long a week's chart takes. Beside it: the same samples in one plain table that is
 * never thinned, and one SQL query over it.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite, { type Database } from 'better-sqlite3';
import { pointOf, QUARTER_SECONDS } from '../collector/store/points.ts';
import {
  openTelemetry,
  QUARTERS_KEPT_MS,
  SAMPLES_KEPT_MS,
  type Telemetry,
} from '../collector/store/telemetry.ts';
import { type AgentId, type AgreementId, newId } from '../protocol/ids.ts';
import type { Sample } from '../protocol/telemetry.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS, utcMs } from '../protocol/time.ts';
import type { BenchResult } from './result.ts';

export interface TelemetryPlan {
  telemetryAgents: number;
}

const WEEK_MS = 7 * DAY_MS;
const NOW = utcMs(Date.UTC(2026, 10, 22, 12));
const WRITE = 500;
const DISKS = [
  { index: 0, totalMb: 61_255 },
  { index: 1, totalMb: 3_815_447 },
];

/** What a server with two disks says: values move a little from minute to minute. */
function sampleOf(agent: number, at: number): Sample {
  const minute = Math.floor(at / MINUTE_MS) + agent * 17;
  const wave = Math.round(120 * Math.sin(minute / 90) + ((minute * 7919) % 60));
  const disks = DISKS.map(({ index, totalMb }) => {
    const usedPermille = 500 + index * 180 + (Math.floor(minute / 600) % 40);
    const freeMb = Math.round((totalMb * (1000 - usedPermille)) / 1000) - (minute % 97);
    return { index, usedPermille, freeMb, totalMb, inodesUsedPermille: 41 };
  });
  return {
    at: at + ((agent * 251) % MINUTE_MS),
    cpuPermille: 150 + Math.max(0, wave),
    memUsedPermille: 480 + (minute % 30),
    memTotalMb: 31_988,
    uptimeSeconds: Math.floor((at - NOW + 40 * DAY_MS) / SECOND_MS),
    disks,
  };
}

export async function telemetryBench({ telemetryAgents: count }: TelemetryPlan): Promise<BenchResult[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-bench-telemetry-'));
  const agents = Array.from({ length: count }, () => newId<'agent'>(randomBytes) as AgentId);
  try {
    const sizes = await sizeBench(join(dir, 'sizes'), agents);
    return [...sizes, ...(await chartBench(dir, agents))];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Pages in use: a file keeps those that thinning gave back, for the samples of tomorrow. */
function bytesIn(path: string): number {
  const db = new Sqlite(path, { readonly: true });
  const pragma = (name: string) => Number(db.pragma(name, { simple: true }));
  const bytes = (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
  db.close();
  return bytes;
}

/** Minute by minute, as they come: every host's sample of a minute, then the next minute. */
async function fill(telemetry: Telemetry, agreement: AgreementId, agents: readonly AgentId[], from: number) {
  let [rows, longest] = [0, 0];
  const began = performance.now();
  let waiting: { agent: AgentId; point: ReturnType<typeof pointOf> }[] = [];
  const write = async () => {
    const start = performance.now();
    rows += (await telemetry.add(agreement, waiting)).stored;
    longest = Math.max(longest, performance.now() - start);
    waiting = [];
  };
  for (let at = from; at < NOW; at += MINUTE_MS) {
    for (const [i, agent] of agents.entries()) {
      waiting.push({ agent, point: pointOf(sampleOf(i, at)) });
      if (waiting.length === WRITE) await write();
    }
  }
  if (waiting.length > 0) await write();
  return { rows, longest, seconds: (performance.now() - began) / 1000 };
}

/** One day of all hosts: as it came, as quarters, as hours. */
async function sizeBench(dir: string, agents: readonly AgentId[]): Promise<BenchResult[]> {
  const agreement = newId<'agreement'>(randomBytes) as AgreementId;
  const path = join(dir, `${agreement}.db`);
  const perDay = async (now: number, what: string): Promise<BenchResult> => {
    const telemetry = openTelemetry({ dir });
    await telemetry.thin(utcMs(now));
    await telemetry.close();
    return { name: `disk per host and day, ${what}`, value: bytesIn(path) / agents.length, unit: 'bytes' };
  };
  const telemetry = openTelemetry({ dir });
  const { rows, longest, seconds } = await fill(telemetry, agreement, agents, NOW - DAY_MS);
  await telemetry.close();
  return [
    await perDay(NOW, 'as it came (48 h)'),
    await perDay(NOW + SAMPLES_KEPT_MS + DAY_MS, 'quarters of an hour (30 d)'),
    await perDay(NOW + QUARTERS_KEPT_MS + DAY_MS, 'hours'),
    { name: `samples written, ${WRITE} together`, value: rows / seconds, unit: 'samples/s' },
    { name: `longest of these writes`, value: longest, unit: 'ms' },
  ];
}

/** A week of all hosts, thinned as time goes by; the week's chart of each of them, once. */
async function chartBench(root: string, agents: readonly AgentId[]): Promise<BenchResult[]> {
  const dir = join(root, 'week');
  const agreement = newId<'agreement'>(randomBytes) as AgreementId;
  const telemetry = openTelemetry({ dir });
  const week = await fill(telemetry, agreement, agents, NOW - WEEK_MS);
  const thin = performance.now();
  const folded = await telemetry.thin(NOW);
  const thinSeconds = (performance.now() - thin) / 1000;
  const query = { since: utcMs(NOW - WEEK_MS), until: NOW, seconds: QUARTER_SECONDS, limit: 10_000 };
  let points = 0;
  const ours = await median(agents, async (agent) => {
    points = (await telemetry.points(agreement, agent, query)).length;
  });
  await telemetry.close();
  const plain = plainTable(join(root, 'plain.db'), agents);
  const theirs = await median(agents, async (_, i) => {
    plain.chart(i);
  });
  plain.close();
  const thinned = bytesIn(join(dir, `${agreement}.db`)) / 1e6;
  return [
    {
      name: `thinning, of ${week.rows.toLocaleString('en')} samples`,
      value: folded / thinSeconds,
      unit: 'samples/s',
    },
    {
      name: `a week’s chart of one of ${agents.length} hosts, ${points} points (median)`,
      value: ours,
      unit: 'ms',
      against: { name: 'one unthinned table, GROUP BY', value: theirs },
    },
    {
      name: `a week of ${agents.length} hosts on the disk`,
      value: thinned,
      unit: 'MB',
      against: { name: 'one unthinned table', value: bytesIn(join(root, 'plain.db')) / 1e6 },
    },
  ];
}

async function median(
  agents: readonly AgentId[],
  act: (agent: AgentId, i: number) => Promise<void>,
): Promise<number> {
  const times: number[] = [];
  for (const [i, agent] of agents.entries()) {
    const start = performance.now();
    await act(agent, i);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

/** What one writes first: a row per sample, an index on host and time, everything kept. */
function plainTable(path: string, agents: readonly AgentId[]): { chart(agent: number): void; close(): void } {
  const db: Database = new Sqlite(path);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  db.exec(`CREATE TABLE samples (id INTEGER PRIMARY KEY, agent INTEGER NOT NULL, at INTEGER NOT NULL, cpu INTEGER,
      mem INTEGER, mem_total INTEGER, uptime INTEGER, disks TEXT) STRICT;
    CREATE INDEX samples_agent ON samples (agent, at)`);
  const insert = db.prepare(
    'INSERT INTO samples (agent, at, cpu, mem, mem_total, uptime, disks) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const put = db.transaction((at: number) => {
    for (const i of agents.keys()) {
      const s = sampleOf(i, at);
      const disks = JSON.stringify(s.disks.map((d) => Object.values(d)));
      insert.run(i, s.at, s.cpuPermille, s.memUsedPermille, s.memTotalMb, s.uptimeSeconds, disks);
    }
  });
  for (let at = NOW - WEEK_MS; at < NOW; at += MINUTE_MS) put(at);
  // The same values as ours: of the disks, too, least, mean and greatest.
  const chart =
    db.prepare(`SELECT at / 900000 AS span, avg(cpu), min(cpu), max(cpu), avg(mem), min(mem), max(mem),
      avg(disks ->> '$[0][1]'), min(disks ->> '$[0][1]'), max(disks ->> '$[0][1]'), min(disks ->> '$[0][2]'),
      avg(disks ->> '$[1][1]'), min(disks ->> '$[1][1]'), max(disks ->> '$[1][1]'), min(disks ->> '$[1][2]')
    FROM samples WHERE agent = ? AND at >= ? AND at < ? GROUP BY span ORDER BY span`);
  return { chart: (agent) => void chart.all(agent, NOW - WEEK_MS, NOW), close: () => void db.close() };
}
