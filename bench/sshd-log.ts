/**
 * A whole log of sshd read by the real agent, as a process of the command line: how fast, and how much memory it takes
 * at most. Nobody takes what it reads: the collector is down, as it is where a machine has been cut off for long.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { spanOf } from '../protocol/group.ts';
import { systemClock } from '../protocol/time.ts';
import { type Agent, Stage } from '../test/identity/stage.ts';
import { cpuSeconds, pinned } from './drain.ts';
import type { BenchResult } from './result.ts';
import { type Written, writeSshdFile } from './sshd-file.ts';

const LOOK_MS = 100;

export interface SshdLogPlan {
  megabytes: number;
}

/** As many sessions to a byte as the promise has: 200,000 in a gigabyte. */
const BYTES_OF_SESSION = 5_000;

export async function sshdLogBench({ megabytes }: SshdLogPlan): Promise<BenchResult[]> {
  const bytes = megabytes * 1_000_000;
  const stage = await Stage.open({ before: (what) => pinned(what === 'collector' ? 0 : 1) });
  try {
    await stage.found();
    const file = stage.at('site', 'auth.log');
    const now = systemClock.now();
    const { from } = spanOf(now, 'month');
    const written = writeSshdFile(file, {
      ...{ bytes, from, to: now - 60_000 },
      sessions: Math.round(bytes / BYTES_OF_SESSION),
    });
    const agent = await stage.enrol('sshd');
    const source = { type: 'sshd', path: file, match: 'all', startFrom: 'beginning' };
    writeFileSync(agent.config, JSON.stringify({ sources: [source] }));
    await stage.collector?.stop();
    return await read(agent, written);
  } finally {
    await stage.close();
  }
}

async function read(agent: Agent, written: Written): Promise<BenchResult[]> {
  await agent.start();
  const pid = agent.proc?.pid ?? 0;
  const first = { at: performance.now(), cpu: cpuSeconds(pid), position: (await sourceOf(agent)).position };
  let source = await sourceOf(agent);
  while (source.position < written.bytes) {
    await sleep(LOOK_MS);
    source = await sourceOf(agent);
  }
  const seconds = (performance.now() - first.at) / 1000;
  const cpu = cpuSeconds(pid) - first.cpu;
  const peak = peakMb(pid);
  const backlog = (await agent.status())?.backlog ?? 0;
  await agent.stop();
  if (source.rows !== written.sessions || source.unreadable > 0) {
    throw new Error(`${source.rows} of ${written.sessions} sessions, ${source.unreadable} lines unreadable`);
  }
  const share = (written.bytes - first.position) / written.bytes;
  const what = `${Math.round(written.bytes / 1e6)} MB of sshd, ${written.sessions.toLocaleString('en')} sessions`;
  const megabytes = (written.bytes * share) / 1e6;
  return [
    { name: `${what}: memory at most`, value: peak, unit: 'MB', target: '≤ 150 MB' },
    { name: 'file to durable', value: megabytes / seconds, unit: 'MB/s' },
    { name: 'file to durable', value: (written.lines * share) / seconds, unit: 'lines/s' },
    { name: 'file to durable', value: (written.sessions * share) / seconds, unit: 'sessions/s' },
    { name: "agent's CPU", value: cpu / (megabytes / 100), unit: 's for 100 MB' },
    { name: `events of it, with ${written.refused.toLocaleString('en')} refusals`, value: backlog, unit: '' },
  ];
}

async function sourceOf(agent: Agent): Promise<{ position: number; rows: number; unreadable: number }> {
  const source = (await agent.status())?.sources[0];
  const { rows = 0, unreadable = 0 } = source ?? {};
  return { position: source?.position ?? 0, rows, unreadable };
}

/** The most that the process ever had resident. */
function peakMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}
