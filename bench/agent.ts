/**
 * What one real agent does and costs: from a file to durable rows, from a backlog to the collector, and how much
 * memory and time it takes while nothing happens. All of it as processes of the real command line.
 */

import { execFile } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { spanOf } from '../protocol/group.ts';
import { HOUR_MS, systemClock } from '../protocol/time.ts';
import { records, row, tvTime } from '../test/fixtures/teamviewer.ts';
import { type Agent, Stage } from '../test/identity/stage.ts';
import { cpuSeconds, pinned } from './drain.ts';
import { LOG_FORMS, writeLog } from './log-files.ts';
import type { BenchResult } from './result.ts';
import { writeSshdFile } from './sshd-file.ts';

const run = promisify(execFile);
const BUILD = fileURLToPath(new URL('../installers/build.ts', import.meta.url));
const MODULES = fileURLToPath(new URL('../node_modules', import.meta.url));
const LOOK_MS = 50;
/** Start-up garbage is gone by then. */
const SETTLE_MS = 5_000;
/** The inventory of the machine, 20 s after the start, is no idling. */
const IDLE_SETTLE_MS = 30_000;
const ROWS_PER_WRITE = 10_000;

export interface AgentPlan {
  rows: number;
  idleSeconds: number;
}

export async function agentBench({ rows, idleSeconds }: AgentPlan): Promise<BenchResult[]> {
  const stage = await Stage.open({ before: (what) => pinned(what === 'collector' ? 0 : 1) });
  try {
    await stage.found();
    const idle = await idleBench(stage, idleSeconds);
    const agent = await stage.enrol('backlog');
    writeRows(agent.file, rows);
    await stage.collector?.stop();
    const durable = await fileToDurable(agent, rows);
    await stage.startCollector();
    return [...durable, ...(await drainOne(stage, agent)), ...idle];
  } finally {
    await stage.close();
  }
}

/** Rows since the month began, each with its own start: what piles up while a collector cannot be reached. */
function writeRows(file: string, rows: number): void {
  const now = systemClock.now();
  const { from } = spanOf(now, 'month');
  const stepMs = (now - from) / rows;
  const handle = openSync(file, 'w');
  for (let first = 0; first < rows; first += ROWS_PER_WRITE) {
    const count = Math.min(ROWS_PER_WRITE, rows - first);
    const texts = Array.from({ length: count }, (_, n) => rowOf(first + n, from + (first + n) * stepMs));
    writeSync(handle, records(texts));
  }
  closeSync(handle);
}

function rowOf(n: number, at: number): string {
  const peerId = String(1_000_000_000 + n);
  return row({ peerId, peerName: `Peer ${n}`, start: tvTime(at), end: tvTime(at + 124_000) });
}

/** Nobody takes what it reads: what is counted is on its disk. */
async function fileToDurable(agent: Agent, rows: number): Promise<BenchResult[]> {
  const size = statSync(agent.file).size;
  const began = performance.now();
  await agent.start();
  const from = { at: performance.now(), position: await position(agent) };
  while ((await position(agent)) < size) await sleep(LOOK_MS);
  const now = performance.now();
  await agent.stop();
  const read = ((size - from.position) / size) * rows;
  // Where the file was read before the first look, the start of the process is part of the time.
  const perSecond = read > rows / 2 ? read / ((now - from.at) / 1000) : rows / ((now - began) / 1000);
  return [{ name: 'file to durable rows', value: perSecond, unit: 'rows/s', target: '≥ 1,500 rows/s' }];
}

async function position(agent: Agent): Promise<number> {
  return (await agent.status())?.sources[0]?.position ?? 0;
}

/** The collector stands still while the agent starts, so that its memory before the drain can be seen. */
async function drainOne(stage: Stage, agent: Agent): Promise<BenchResult[]> {
  const { collector } = stage;
  collector?.signal('SIGSTOP');
  await agent.start();
  await sleep(SETTLE_MS);
  const pid = agent.proc?.pid ?? 0;
  const before = residentMb(pid);
  const backlog = (await agent.status())?.backlog ?? 0;
  const cpuBefore = cpuSeconds(pid);
  collector?.signal('SIGCONT');
  await stage.until('the link is live', async () => (await agent.status())?.collector.state === 'live', 60);
  const began = performance.now();
  let peak = before;
  let left = (await agent.status())?.backlog ?? 0;
  const first = left;
  while (left > 0) {
    await sleep(LOOK_MS);
    peak = Math.max(peak, residentMb(pid));
    left = (await agent.status())?.backlog ?? left;
  }
  const seconds = (performance.now() - began) / 1000;
  const cpu = cpuSeconds(pid) - cpuBefore;
  await agent.stop();
  return [
    { name: 'one agent, draining', value: first / seconds, unit: 'events/s', target: '≥ 5,000 events/s' },
    { name: "agent's CPU, draining", value: (cpu / backlog) * 1e6, unit: 'µs/event' },
    {
      name: `memory growth while draining ${backlog.toLocaleString('en')} events`,
      value: peak - before,
      unit: 'MB',
      target: '≤ 30 MB',
    },
  ];
}

/** From source and from the built tree, side by side, each linked to the collector, with a file of every type. */
export async function idleBench(stage: Stage, seconds: number): Promise<BenchResult[]> {
  const dist = stage.at('dist');
  await run(process.execPath, [BUILD, '--out', dist]);
  symlinkSync(MODULES, stage.at('node_modules'));
  const source = await stage.enrol('source');
  const built = await stage.enrol('built');
  for (const agent of [source, built]) everyType(stage, agent);
  await source.start();
  await built.start(`${dist}/cli/main.js`);
  for (const agent of [source, built]) await atRest(stage, agent);
  await sleep(IDLE_SETTLE_MS);
  const before = [source, built].map((agent) => cpuSeconds(agent.proc?.pid ?? 0));
  await sleep(seconds * 1000);
  const [a = 0, b = 0] = [source, built].map(
    (agent, i) => ((cpuSeconds(agent.proc?.pid ?? 0) - (before[i] ?? 0)) / seconds) * 100,
  );
  const bare = await bareNodeMb();
  const results: BenchResult[] = [
    {
      name: 'memory idle, from source',
      value: residentMb(source.proc?.pid ?? 0),
      unit: 'MB',
      target: '≤ 140 MB',
    },
    { name: 'memory idle, built', value: residentMb(built.proc?.pid ?? 0), unit: 'MB', target: '≤ 110 MB' },
    {
      name: `CPU idle over ${seconds} s, from source`,
      value: a,
      unit: '% of a core',
      target: '≤ 0.5 % of a core',
    },
    { name: `CPU idle over ${seconds} s, built`, value: b, unit: '% of a core', target: '≤ 0.5 % of a core' },
  ];
  for (const agent of [source, built]) await agent.stop();
  return results.map((one) =>
    one.unit === 'MB' ? { ...one, against: { name: 'Node alone', value: bare } } : one,
  );
}

/** A file of every type that is read on this system, with some sessions in each. */
export function everyType(stage: Stage, agent: Agent): void {
  agent.write(0, 20);
  const at = (name: string) => stage.at('site', `${agent.name}-${name}`);
  const now = systemClock.now();
  writeSshdFile(at('auth.log'), { bytes: 20_000, sessions: 10, from: now - HOUR_MS, to: now });
  for (const form of LOG_FORMS) writeLog(at(`${form.type}.log`), form, 20_000);
  const sources = [
    { type: 'teamviewer', connectionsIncoming: agent.file, logfile: at('teamviewer.log') },
    { type: 'sshd', path: at('auth.log'), match: 'all' },
    { type: 'anydesk', trace: at('anydesk.log') },
    { type: 'rustdesk', logfile: at('rustdesk.log') },
    { type: 'declared', spec: 'x11vnc', path: at('declared.log') },
    { type: 'csv', spec: 'teamviewer-report', path: at('csv.log') },
  ];
  const all = sources.map((source) => ({ ...source, startFrom: 'beginning' }));
  writeFileSync(agent.config, JSON.stringify({ sources: all }));
}

const FILES = 7;

export async function atRest(stage: Stage, agent: Agent): Promise<void> {
  await stage.until(
    `agent ${agent.name} has read and sent everything`,
    async () => {
      const now = await agent.status();
      if (now?.collector.state !== 'live' || now.backlog > 0) return false;
      return now.sources.filter(({ state }) => state === 'caught-up').length === FILES;
    },
    120,
  );
}

/** What a process of Node takes that does nothing. */
async function bareNodeMb(): Promise<number> {
  const script = 'setTimeout(() => console.log(process.memoryUsage.rss()), 500)';
  const { stdout } = await run(process.execPath, ['-e', script]);
  return Number(stdout) / 2 ** 20;
}

function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}
