/**
 * `npm run test:quiet [-- --minutes 5] [--keep]`
 *
 * A real agent, linked to a real collector, with telemetry every ten seconds, left alone under strace: it starts no
 * program. What it costs meanwhile is printed beside what is promised. Ten minutes are the promise; five are what CI
 * has time for.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuSeconds } from '../../bench/drain.ts';
import { endAll, Stage } from '../identity/stage.ts';
import { startedIn } from './trace.ts';

/** The inventory comes 20 s after the start, and may take a while on a busy machine. */
const SETTLE_MS = 60_000;
const LOOK_MS = 5_000;

const { values: args } = parseArgs({
  options: { minutes: { type: 'string', default: '5' }, keep: { type: 'boolean', default: false } },
});
const minutes = Number(args.minutes);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void endAll().then(() => process.exit(130)));
}

if (!(minutes > 0)) {
  console.error('--minutes: expected a number above 0');
  process.exit(2);
}
if (
  spawnSync('strace', ['--seccomp-bpf', '-f', '-e', 'trace=process', '-o', '/dev/null', 'true']).status !== 0
) {
  console.log('!!! SKIPPED: strace is not here, or may not trace. Nothing was tested.');
  process.exit(0);
}
process.exit((await watch()) ? 0 : 1);

async function watch(): Promise<boolean> {
  const traces: string[] = [];
  // With a filter in the kernel only calls of this class stop the agent: what it costs is what it costs.
  const before = (kind: string) => {
    if (kind !== 'agent') return [];
    traces.push(stage.at('trace'));
    const options = `NODE_OPTIONS=--expose-gc --import ${new URL('./collect.ts', import.meta.url).href}`;
    return [
      'env',
      options,
      'strace',
      '-f',
      '--seccomp-bpf',
      '-ttt',
      '-e',
      'trace=process',
      '-o',
      stage.at('trace'),
    ];
  };
  const stage = await Stage.open({ before });
  try {
    await stage.found();
    const agent = await stage.enrol('quiet');
    const source = { type: 'teamviewer', connectionsIncoming: agent.file, startFrom: 'beginning' };
    writeFileSync(agent.config, JSON.stringify({ sources: [source], telemetry: { every: '10s' } }));
    agent.write(0, 20);
    await agent.start();
    await agent.drained();
    await sleep(SETTLE_MS);
    const pid = childOf(agent.proc?.pid ?? 0);
    const seen = await leftAlone(pid);
    const samples = (await agent.status())?.telemetry;
    process.kill(pid, 'SIGTERM');
    await agent.proc?.exited;
    const all = startedIn(readFileSync(stage.at('trace'), 'utf8'));
    return report(all, seen, samples?.kept ?? 0);
  } finally {
    await stage.close(args.keep);
  }
}

/** strace is the process that was started; the agent is its child. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

interface Seen {
  /** Seconds since 1970. */
  from: number;
  to: number;
  cpuPercent: number;
  /** Resident, MB, as it is. */
  memory: { at: number; mb: number }[];
  /** Resident, MB, when its garbage was just collected. */
  kept: { at: number; mb: number }[];
}

async function leftAlone(pid: number): Promise<Seen> {
  const from = Date.now() / 1000;
  const before = cpuSeconds(pid);
  const memory: Seen['memory'] = [];
  // Not during the first half: what is compiled and filled once is no slope.
  const kept: Seen['kept'] = [];
  while (Date.now() / 1000 < from + minutes * 60) {
    const at = Date.now() / 1000 - from;
    memory.push({ at, mb: residentMb(pid) });
    await sleep(LOOK_MS);
    if (kept.length === 0 && at > minutes * 30) kept.push(await collected(pid, from));
  }
  const to = Date.now() / 1000;
  const cpuPercent = ((cpuSeconds(pid) - before) / (to - from)) * 100;
  kept.push(await collected(pid, from));
  return { from, to, memory, kept, cpuPercent };
}

/** Twice, because what finalizers let go is collected the second time. */
async function collected(pid: number, from: number): Promise<{ at: number; mb: number }> {
  for (let i = 0; i < 2; i += 1) {
    process.kill(pid, 'SIGUSR2');
    await sleep(1_000);
  }
  return { at: Date.now() / 1000 - from, mb: residentMb(pid) };
}

function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

/** MB an hour. */
function slope([early, late]: Seen['kept']): number {
  if (early === undefined || late === undefined) return Number.NaN;
  return ((late.mb - early.mb) / (late.at - early.at)) * 3600;
}

function report(all: ReturnType<typeof startedIn>, seen: Seen, samples: number): boolean {
  const { from, to, cpuPercent, memory, kept } = seen;
  const during = all.filter(({ at }) => at >= from && at <= to);
  const atStart = all.filter(({ at }) => at < from).length;
  const last = memory.at(-1)?.mb ?? 0;
  console.log(`left alone for ${minutes} minutes with telemetry every 10 s, ${samples} samples kept`);
  console.log(`programs and processes started: ${during.length} (must be 0; ${atStart} during start-up)`);
  console.log(`idle CPU: ${cpuPercent.toFixed(2)} % of a core (promised: ≤ 0.5 %)`);
  const [least, most] = [Math.min, Math.max].map((of) => of(...memory.map(({ mb }) => mb)).toFixed(0));
  console.log(`memory: ${last.toFixed(0)} MB, between ${least} and ${most} MB as V8 lets garbage lie`);
  console.log(
    `kept: ${kept.at(-1)?.mb.toFixed(1)} MB, slope ${slope(kept).toFixed(1)} MB/h (promised: about 0)`,
  );
  for (const { at, call } of during.slice(0, 20)) console.log(`  ${(at - from).toFixed(1)} s: ${call}`);
  // A trace that saw nothing at all proves nothing: the agent itself is a program that was started.
  const blind = atStart === 0 || samples < 2;
  if (blind) console.log('the trace saw no start, or the agent took no samples: this was no test');
  const passed = during.length === 0 && !blind;
  console.log(passed ? '✓ passed' : '✗ failed');
  return passed;
}
