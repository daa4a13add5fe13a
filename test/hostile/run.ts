/**
 * `npm run test:hostile [-- --only WORD] [--broken LAW] [--no-prove] [--keep]`
 *
 * Twenty honest agents write events while others behave badly, one way at a time: their events stay fast, the
 * collector's memory bounded, and the own log says what happened in a bounded number of events. Then proves that it
 * can fail: builds without a limit must be caught.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { endAll, type Proc, Stage } from '../identity/stage.ts';
import { AgentDouble } from '../support/agent-double.ts';
import { BEHAVIOURS, type Behaviour } from './behaviours.ts';
import { Honest } from './honest.ts';

const COLLECTOR = fileURLToPath(new URL('./collector-child.ts', import.meta.url));
const ATTACKER = fileURLToPath(new URL('./attacker.ts', import.meta.url));
const HONEST = 20;
/** Bounds of the product: what an operator may count on, also on a machine that has other work. */
const P99_MS = 2_000;
const GROWTH_MB = 256;
const OFFENCE_ROWS = 100;
const CALM_MS = 4_000;
const LOOK_MS = 200;
/** Builds that must be caught, and by what. */
const PROOFS = [
  { law: 'no-door', by: 'JSON that never ends' },
  { law: 'no-credits', by: 'batches without regard' },
] as const;

const { values: args } = parseArgs({
  options: {
    only: { type: 'string' },
    broken: { type: 'string' },
    'no-prove': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});

interface Played {
  p99: number;
  p50: number;
  /** Seconds of CPU that the collector took. */
  cpu: number;
  grownMb: number;
  rows: number;
  reasons: string[];
  did: string;
  problems: string[];
}

let passed = 0;
let failed = 0;
function verdict(ok: boolean, text: string): void {
  if (ok) passed += 1;
  else failed += 1;
  console.log(`${ok ? '✓' : '✗'} ${text}`);
}

async function play(behaviour: Behaviour, broken: string[]): Promise<Played> {
  const stage = await Stage.open();
  try {
    await stage.found();
    await stage.collector?.stop();
    const collector = await stage.startCollector({ file: COLLECTOR, config: { broken } });
    const honest = await honestOnes(stage);
    const attacker = await hostileOne(stage, behaviour);
    await sleep(CALM_MS);
    for (const one of honest) one.take();
    return await observe(stage, collector, honest, attacker, behaviour);
  } finally {
    await stage.close(args.keep);
  }
}

async function observe(
  stage: Stage,
  collector: Proc,
  honest: readonly Honest[],
  attacker: Proc,
  behaviour: Behaviour,
): Promise<Played> {
  const before = rssMb(collector);
  const cpu = cpuSeconds(collector);
  let cpuNow = cpu;
  const answer = once(attacker.child, 'message');
  attacker.child.send('go');
  let [most, over] = [before, false];
  void answer.then(() => {
    over = true;
  });
  while (!over && attacker.alive && collector.alive) {
    most = Math.max(most, rssMb(collector));
    cpuNow = cpuSeconds(collector);
    await sleep(LOOK_MS);
  }
  const latencies = honest.flatMap((one) => one.take());
  const lost = honest.flatMap(({ lost: why }) => (why === null ? [] : [why]));
  const did = attacker.alive ? JSON.stringify((await answer)[0]) : 'the attacker ended early';
  await Promise.all(honest.map((one) => one.stop()));
  // What was counted is written on the way out, at the latest.
  if (collector.alive) await collector.stop();
  else lost.push('the collector ended');
  await stage.startCollector();
  const rows = await stage.events('agent.offence');
  const reasons = [...new Set(rows.map(({ data }) => String(data.reason)))].sort();
  const measured = { p99: percentile(latencies, 0.99), p50: percentile(latencies, 0.5), cpu: cpuNow - cpu };
  const played = { ...measured, grownMb: most - before, rows: rows.length, reasons, did };
  return { ...played, problems: [...lost.slice(0, 1), ...violations(played, behaviour)] };
}

function violations(played: Omit<Played, 'problems'>, { offences }: Behaviour): string[] {
  const { p99, grownMb, rows, reasons } = played;
  return [
    ...(p99 < P99_MS ? [] : [`honest events took ${p99.toFixed(0)} ms at p99, more than ${P99_MS}`]),
    ...(grownMb < GROWTH_MB
      ? []
      : [`the collector grew by ${grownMb.toFixed(0)} MB, more than ${GROWTH_MB}`]),
    ...(rows <= OFFENCE_ROWS ? [] : [`${rows} events about it, more than ${OFFENCE_ROWS}`]),
    ...(offences.some((one) => reasons.includes(one))
      ? []
      : [`no event names one of: ${offences.join(', ')}`]),
  ];
}

async function honestOnes(stage: Stage): Promise<Honest[]> {
  const { token } = await stage.token('--uses', String(HONEST));
  const options = { address: `127.0.0.1:${stage.port}`, ca: caOf(stage), token };
  const ones: Honest[] = [];
  for (let i = 0; i < HONEST; i += 1) {
    const agent = new AgentDouble(options);
    agent.from = `127.7.0.${i + 1}`;
    await agent.enrol();
    ones.push(await Honest.start(agent));
  }
  return ones;
}

async function hostileOne(stage: Stage, behaviour: Behaviour): Promise<Proc> {
  const { token } = await stage.token('--uses', String(behaviour.agents));
  const where = { address: `127.0.0.1:${stage.port}`, ca: caOf(stage), token };
  // The stage ends those who name its folder.
  const config = JSON.stringify({ stage: stage.root, behaviour: behaviour.name, ...where });
  const attacker = stage.start('agent', 'attacker', [ATTACKER, config], true);
  await Promise.race([once(attacker.child, 'message'), attacker.exited]);
  if (!attacker.alive) throw new Error(`the attacker did not start:\n${stage.logs('attacker')}`);
  return attacker;
}

function caOf(stage: Stage): string {
  return readFileSync(stage.init?.caFile ?? '', 'utf8');
}

function rssMb({ pid, alive }: Proc): number {
  if (!alive) return 0;
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) / 1024;
}

/** User and system time, in ticks of 10 ms on every Linux that Node runs on. */
function cpuSeconds({ pid, alive }: Proc): number {
  if (!alive) return 0;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? Number.POSITIVE_INFINITY;
}

function report(behaviour: Behaviour, played: Played): void {
  const { p99, p50, cpu, grownMb, rows, reasons, did } = played;
  const latency = `p99 ${p99.toFixed(0)} ms, median ${p50.toFixed(0)} ms`;
  const cost = `${cpu.toFixed(1)} s of CPU, ${grownMb.toFixed(0)} MB more`;
  console.log(`    ${latency}, ${cost}, ${rows} events (${reasons.join(', ')})`);
  console.log(`    in ${behaviour.seconds} s it did: ${did}`);
  for (const problem of played.problems) console.log(`    ${problem}`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void endAll().then(() => process.exit(130)));
}

const began = performance.now();
for (const behaviour of BEHAVIOURS) {
  if (args.only !== undefined && !behaviour.name.includes(args.only)) continue;
  const played = await play(behaviour, args.broken === undefined ? [] : [args.broken]);
  verdict(played.problems.length === 0, behaviour.name);
  report(behaviour, played);
}
for (const { law, by } of args['no-prove'] || args.broken !== undefined ? [] : PROOFS) {
  const behaviour = BEHAVIOURS.find(({ name }) => name.startsWith(by));
  if (behaviour === undefined || (args.only !== undefined && !behaviour.name.includes(args.only))) continue;
  const played = await play(behaviour, [law]);
  verdict(played.problems.length > 0, `broken on purpose, ${law}: ${played.problems[0] ?? 'not caught'}`);
}
await endAll();
console.log(`  ${((performance.now() - began) / 1000).toFixed(0)} s`);
console.log(`hostile: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
