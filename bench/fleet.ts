/**
 * A fleet on one collector: what an idle connection costs beside bare `ws`, how the fleet comes back after the
 * collector was killed, and how long a live event takes while one agent drains a backlog. The collector has core 0,
 * the fleet core 1.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Proc, Stage } from '../test/identity/stage.ts';
import { cpuSeconds, pinned } from './drain.ts';
import type { FleetConfig, FleetOrder, Handshakes } from './fleet-agents.ts';
import type { BenchResult } from './result.ts';

const AGENTS = fileURLToPath(new URL('./fleet-agents.ts', import.meta.url));
const COLLECTOR = { file: fileURLToPath(new URL('./fleet-collector.ts', import.meta.url)), config: {} };
const BARE = fileURLToPath(new URL('./fleet-bare.ts', import.meta.url));
/** From here on what is measured grows with connections only: code is compiled, pools are filled. */
const FIRST = 100;
const SETTLE_MS = 15_000;
const DOWN_MS = 10_000;
const BACK_SHARE = 0.99;
const BACK_LIMIT_MS = 300_000;
const LIVE = { agents: 20, everyMs: 500 };

export interface FleetPlan {
  agents: number;
  backlog: number;
}

export async function fleetBench(plan: FleetPlan): Promise<BenchResult[]> {
  const bare = await bareBench(plan.agents);
  console.log(`  bare ws over TLS: ${(bare / 1024).toPrecision(4)} KB`);
  const stage = await Stage.open({ before: (what) => pinned(what === 'collector' ? 0 : 1) });
  try {
    await stage.found();
    const fleet = await startFleet(stage, plan.agents, false);
    // What enrolling them left in memory is not theirs.
    await stage.collector?.stop();
    await stage.startCollector(COLLECTOR);
    const memory = told(await idleBench(stage, fleet, plan.agents, bare));
    const back = told(await backBench(stage, fleet, plan.agents));
    const live = told(await liveBench(fleet, plan.backlog));
    console.log(`problems of the fleet: ${JSON.stringify(await ask(fleet, { do: 'problems' }))}`);
    return [...memory, ...back, ...live];
  } finally {
    await stage.close();
  }
}

/** A run takes minutes: what is known is shown, whatever comes of the rest. */
function told(results: BenchResult[]): BenchResult[] {
  for (const { name, value, unit } of results) console.log(`  ${name}: ${value.toPrecision(4)} ${unit}`);
  return results;
}

export async function startFleet(stage: Stage, agents: number, bare: boolean): Promise<Proc> {
  const { token } = await stage.token('--uses', String(agents));
  const ca = readFileSync(stage.init?.caFile ?? '', 'utf8');
  const address = `127.0.0.1:${stage.port}`;
  const config: FleetConfig = { stage: stage.root, address, ca, token, agents, bare };
  const fleet = stage.start('agent', bare ? 'bare-fleet' : 'fleet', [AGENTS, JSON.stringify(config)], true);
  await Promise.race([once(fleet.child, 'message'), fleet.exited]);
  if (!fleet.alive) throw new Error(`the fleet did not start:\n${stage.logs('fleet')}`);
  return fleet;
}

export async function ask<T>(fleet: Proc, order: FleetOrder): Promise<T> {
  const answered = new Promise<T>((resolve, reject) => {
    const take = (message: { to?: string; answer?: T; error?: string }) => {
      if (message.to !== order.do) return;
      fleet.child.off('message', take);
      if (message.error === undefined) resolve(message.answer as T);
      else reject(new Error(message.error));
    };
    fleet.child.on('message', take);
  });
  fleet.child.send(order);
  const ended = fleet.exited.then(() => {
    throw new Error(`the fleet ended before it had done: ${order.do}`);
  });
  return await Promise.race([answered, ended]);
}

/** Resident memory of a process, bytes; `anon`: without the pages of files, which the system takes back at will. */
function rss(pid: number, what: 'VmRSS' | 'RssAnon'): number {
  const match = new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) * 1024;
}

/** What is left when the garbage is gone. */
async function cleanMemory(server: Proc): Promise<number> {
  const clean = once(server.child, 'message');
  server.child.send('gc');
  await clean;
  await sleep(1_000);
  return rss(server.pid, 'RssAnon');
}

/** Bytes per connection, from the first hundred on. */
async function perConnection(server: Proc, fleet: Proc, agents: number): Promise<number> {
  await ask(fleet, { do: 'connect', agents: FIRST });
  await sleep(SETTLE_MS);
  const before = await cleanMemory(server);
  await ask(fleet, { do: 'connect', agents });
  await sleep(SETTLE_MS);
  return ((await cleanMemory(server)) - before) / (agents - FIRST);
}

async function bareBench(agents: number): Promise<number> {
  const stage = await Stage.open({ before: (what) => pinned(what === 'collector' ? 0 : 1) });
  try {
    await stage.found();
    const clients = await startFleet(stage, agents, true);
    await stage.collector?.stop();
    const pair = { cert: stage.at('collector', 'server.pem'), key: stage.at('collector', 'server.key') };
    const config = JSON.stringify({ port: stage.port, ...pair });
    const server = stage.start('collector', 'bare', [BARE, config], true);
    await Promise.race([once(server.child, 'message'), server.exited]);
    return await perConnection(server, clients, agents);
  } finally {
    await stage.close();
  }
}

async function idleBench(stage: Stage, fleet: Proc, agents: number, bare: number): Promise<BenchResult[]> {
  const { collector } = stage;
  if (collector === null) throw new Error('no collector');
  const each = await perConnection(collector, fleet, agents);
  const cpu = cpuSeconds(collector.pid);
  const seconds = 30;
  await sleep(seconds * 1000);
  return [
    {
      name: `memory of an idle connection, ${agents.toLocaleString('en')} of them`,
      value: each / 1024,
      unit: 'KB',
      against: { name: 'bare ws over TLS', value: bare / 1024 },
      target: '≤ 75 KB',
    },
    {
      name: 'memory of the collector with all of them',
      value: rss(collector.pid, 'VmRSS') / 1e6,
      unit: 'MB',
    },
    {
      name: "collector's CPU, all idle",
      value: ((cpuSeconds(collector.pid) - cpu) / seconds) * 100,
      unit: '% of a core',
    },
  ];
}

/** Killed, ten seconds away, back: how the fleet comes in again. */
async function backBench(stage: Stage, fleet: Proc, agents: number): Promise<BenchResult[]> {
  await ask(fleet, { do: 'handshakes' });
  await stage.collector?.kill();
  await sleep(DOWN_MS);
  await stage.startCollector(COLLECTOR);
  const up = Date.now();
  const all: Handshakes = { opened: [], welcomed: [], sentAway: 0 };
  while (all.welcomed.length < agents && Date.now() - up < BACK_LIMIT_MS) {
    await sleep(1_000);
    const more = await ask<Handshakes>(fleet, { do: 'handshakes' });
    all.opened.push(...more.opened);
    all.welcomed.push(...more.welcomed);
    all.sentAway += more.sentAway;
  }
  const { ratio, backSeconds } = storm(all, up, agents);
  return [
    { name: 'handshakes per second after a restart, peak / mean', value: ratio, unit: '×', target: '≤ 3' },
    { name: '99 % of the fleet are back after', value: backSeconds, unit: 's', target: '≤ 90 s' },
    { name: 'sent away with a time to come again', value: all.sentAway, unit: 'connections' },
  ];
}

function storm({ opened, welcomed }: Handshakes, up: number, agents: number) {
  const back = welcomed.toSorted((a, b) => a - b)[Math.ceil(agents * BACK_SHARE) - 1];
  if (back === undefined) return { ratio: Number.POSITIVE_INFINITY, backSeconds: Number.POSITIVE_INFINITY };
  const inTime = opened.filter((at) => at <= back);
  const buckets = new Map<number, number>();
  for (const at of inTime) {
    const second = Math.floor((at - up) / 1000);
    buckets.set(second, (buckets.get(second) ?? 0) + 1);
  }
  const backSeconds = (back - up) / 1000;
  return { ratio: Math.max(...buckets.values()) / (inTime.length / Math.max(1, backSeconds)), backSeconds };
}

async function liveBench(fleet: Proc, backlog: number): Promise<BenchResult[]> {
  const calm = await ask<number[]>(fleet, { do: 'live', ...LIVE, forMs: 10_000 });
  const draining = new Promise<void>((resolve) => {
    fleet.child.on('message', (message) => {
      if (message === 'draining') resolve();
    });
  });
  const drain = ask<number>(fleet, { do: 'drain', events: backlog });
  await Promise.race([draining, drain]);
  const live = await ask<number[]>(fleet, { do: 'live', ...LIVE, forMs: BACK_LIMIT_MS });
  const seconds = await drain;
  return [
    {
      name: `live event to ack, p99, while one agent drains ${backlog.toLocaleString('en')}`,
      value: percentile(live, 0.99),
      unit: 'ms',
      against: { name: 'nobody drains', value: percentile(calm, 0.99) },
      target: '≤ 1000 ms',
    },
    { name: 'its median', value: percentile(live, 0.5), unit: `ms, ${live.length} events` },
    { name: 'the drain, each event with a part', value: backlog / seconds, unit: 'events/s' },
  ];
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
