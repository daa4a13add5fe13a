/**
 * How fast a collector takes a backlog: it alone on core 0, four agents with prepared batches on core 1, over real
 * TLS. Beside it plain SQLite inserts of the same bytes on core 0, and how often the disk was asked to be sure.
 */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Proc, Stage } from '../test/identity/stage.ts';
import type { LoadConfig, LoadResult } from './load-agents.ts';
import type { BenchResult } from './result.ts';

const run = promisify(execFile);
const LOAD = fileURLToPath(new URL('./load-agents.ts', import.meta.url));
const PLAIN = fileURLToPath(new URL('./plain-sqlite.ts', import.meta.url));
const AGENTS = 4;
/** Kept small: strace makes every call of the collector slower. */
const TRACED_EVENTS = 5_000;

interface Drained extends LoadResult {
  /** Of the collector, while it drained. */
  collectorCpu: number;
}

/** Runs on one core. */
export function pinned(core: number): string[] {
  return ['taskset', '-c', String(core)];
}

export async function drainBench(events: { without: number; withParts: number }): Promise<BenchResult[]> {
  const bare = await drainOnce(events.without, false);
  const full = await drainOnce(events.withParts, true);
  const bareFloor = await plain(events.without, false);
  const fullFloor = await plain(events.withParts, true);
  const syncs = await countSyncs();
  const floor = (value: number) => ({ name: 'plain SQLite, same bytes', value });
  return [
    {
      name: 'drain, no personal part',
      value: bare.events / bare.seconds,
      unit: 'events/s',
      against: floor(bareFloor),
      target: '≥ 15,000 events/s',
    },
    {
      name: 'drain, each with a part, opened and checked',
      value: full.events / full.seconds,
      unit: 'events/s',
      against: floor(fullFloor),
      target: '≥ 10,000 events/s',
    },
    { name: "collector's CPU, no part", value: perEvent(bare), unit: 'µs/event' },
    { name: "collector's CPU, each with a part", value: perEvent(full), unit: 'µs/event' },
    { name: 'size on the wire, each with a part', value: full.bytes / full.events, unit: 'bytes/event' },
    ...syncs,
  ];
}

function perEvent({ collectorCpu, events }: Drained): number {
  return (collectorCpu / events) * 1e6;
}

/** A collector of its own for each measurement, so that none inherits another's database. */
async function withCollector<T>(act: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = await Stage.open({ before: (what) => pinned(what === 'collector' ? 0 : 1) });
  try {
    await stage.found();
    return await act(stage);
  } finally {
    await stage.close();
  }
}

function drainOnce(events: number, parts: boolean): Promise<Drained> {
  return withCollector(async (stage) => {
    const load = await startLoad(stage, events, parts);
    const before = cpuSeconds(stage.collector?.pid ?? 0);
    const result = await drain(load);
    return { ...result, collectorCpu: cpuSeconds(stage.collector?.pid ?? 0) - before };
  });
}

/** Enrols and connects the agents and makes their batches; nothing is sent yet. */
async function startLoad(stage: Stage, events: number, parts: boolean): Promise<Proc> {
  const { token } = await stage.token('--uses', String(AGENTS));
  const eventsEach = Math.ceil(events / AGENTS);
  const config: LoadConfig = { dir: stage.root, token, agents: AGENTS, eventsEach, parts };
  const load = stage.start('agent', 'load', [LOAD, JSON.stringify(config)], true);
  await Promise.race([once(load.child, 'message'), load.exited]);
  if (!load.alive) throw new Error(`the load did not start:\n${stage.logs('load')}`);
  return load;
}

async function drain(load: Proc): Promise<LoadResult> {
  const answer = once(load.child, 'message');
  load.child.send('go');
  const result = await Promise.race([answer, load.exited.then(() => null)]);
  if (result === null) throw new Error('the load ended before its backlog was acked');
  return result[0] as LoadResult;
}

/** User and system time of a process. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Clock ticks, 100 a second on every Linux that Node runs on.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Inserts a second of plain SQLite with the collector's settings. */
async function plain(events: number, parts: boolean): Promise<number> {
  const stage = await Stage.open();
  try {
    const config = JSON.stringify({ path: stage.at('plain.db'), events, parts });
    const [command = '', ...args] = [...pinned(0), process.execPath, PLAIN, config];
    const { stdout } = await run(command, args);
    const answer = JSON.parse(stdout) as { events: number; seconds: number };
    return answer.events / answer.seconds;
  } finally {
    await stage.close();
  }
}

/** Counted on a run of its own. Nothing where strace is missing or may not look. */
async function countSyncs(): Promise<BenchResult[]> {
  return await withCollector(async (stage) => {
    const load = await startLoad(stage, TRACED_EVENTS, true);
    const file = stage.at('strace.txt');
    const pid = String(stage.collector?.pid ?? 0);
    const strace = spawn('strace', ['-f', '-c', '-e', 'trace=fsync,fdatasync', '-o', file, '-p', pid], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const attached = await new Promise<boolean>((resolve) => {
      strace.once('error', () => resolve(false));
      strace.once('exit', () => resolve(false));
      strace.stderr.once('data', (text) => resolve(String(text).includes('attached')));
    });
    const result = await drain(load);
    if (!attached) return [];
    const gone = once(strace, 'exit');
    strace.kill('SIGINT');
    await gone;
    const calls = syncCalls(existsSync(file) ? readFileSync(file, 'utf8') : '');
    return [
      { name: 'fsync and fdatasync calls', value: calls, unit: `calls for ${result.events} events` },
      { name: 'events made durable by one of them', value: result.events / calls, unit: 'events' },
    ];
  });
}

/** Column "calls" of strace's table. */
function syncCalls(table: string): number {
  let calls = 0;
  for (const line of table.split('\n')) {
    const [, , , count, ...rest] = line.trim().split(/\s+/);
    if (/^(fsync|fdatasync)$/.test(rest.at(-1) ?? '')) calls += Number(count);
  }
  return calls;
}
