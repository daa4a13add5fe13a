/**
 * `npm run test:faults [-- --rounds 200] [--seed N] [--world-rounds 50] [--broken LAW] [--prove] [--keep]`
 *
 * Kills agent and collector with SIGKILL, round after round, and checks at the end of each world that nothing was
 * lost or doubled. Then proves that it can fail: three builds broken on purpose must each be caught.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { fakeTimeLibrary } from './clock.ts';
import type { WorldResult, WorldTask } from './one-world.ts';
import { addTallies, newTally, summary } from './tally.ts';

const WORLD = new URL('./one-world.ts', import.meta.url);
/** As many worlds at once as the machine that this is for has cores. */
const AT_ONCE = 2;
/** The builds that `--prove` must catch. */
const LAWS = ['ack-before-commit', 'offset-before-event', 'no-dedup'] as const;
const PROVE_ROUNDS = 50;
const PROVE_WORLD_ROUNDS = 10;
/** With fewer kills than this a share of 5 % says nothing. */
const SHARES_FROM = 40;

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string' },
    'world-rounds': { type: 'string', default: '50' },
    broken: { type: 'string' },
    prove: { type: 'boolean', default: false },
    'no-prove': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});

const seed = args.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(args.seed);
const running = new Set<ChildProcess>();
let interrupted = false;
let passed = 0;
let failed = 0;

function verdict(ok: boolean, text: string): void {
  if (ok) passed += 1;
  else failed += 1;
  console.log(`${ok ? '✓' : '✗'} ${text}`);
}

async function playWorld(task: WorldTask): Promise<WorldResult> {
  const child = fork(WORLD, [JSON.stringify(task)], { execPath: process.execPath });
  running.add(child);
  let result: WorldResult | null = null;
  child.once('message', (message) => {
    result = message as WorldResult;
  });
  await once(child, 'exit');
  running.delete(child);
  if (interrupted && running.size === 0) process.exit(130);
  return result ?? died(task.seed);
}

function died(worldSeed: number): WorldResult {
  const problems = ['the process of this world ended without a word'];
  return { seed: worldSeed, tally: newTally(), problems, seconds: 0, kept: null };
}

/** `count` tasks, at most two at once, in order. */
async function inTwos<T>(count: number, act: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) results[index] = await act(index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}

function printProblems(result: WorldResult): void {
  for (const problem of result.problems) console.log(`    ${problem}`);
  if (result.kept !== null) console.log(`    kept: ${result.kept}`);
}

async function playRounds(rounds: number, worldRounds: number, broken: string[]): Promise<void> {
  const began = performance.now();
  const total = newTally();
  await inTwos(Math.ceil(rounds / worldRounds), async (index) => {
    const task = { seed: seed + index, rounds: Math.min(worldRounds, rounds - index * worldRounds) };
    const result = await playWorld({ ...task, broken, keep: args.keep });
    addTallies(total, result.tally);
    const name = `world ${index + 1}: ${task.rounds} rounds, ${result.tally.rows} rows, ${result.seconds.toFixed(0)} s`;
    const again = `--rounds ${task.rounds} --world-rounds ${task.rounds} --seed ${task.seed}`;
    verdict(result.problems.length === 0, `${name}${result.problems.length > 0 ? ` (again: ${again})` : ''}`);
    printProblems(result);
  });
  const { lines, short } = summary(total);
  console.log(`\n  ${'seed'.padEnd(42)}${seed}`);
  for (const line of lines) console.log(line);
  console.log(`  ${'time'.padEnd(42)}${((performance.now() - began) / 1000).toFixed(0)} s\n`);
  if (rounds >= SHARES_FROM) {
    verdict(
      short.length === 0 && total.rounds === rounds,
      'each of the four moments was met by at least 5 % of the kills',
    );
    for (const text of short) console.log(`    ${text}`);
  }
}

/** It proves that it can fail: each broken build is caught within fifty rounds. */
async function prove(): Promise<void> {
  const began = performance.now();
  await inTwos(LAWS.length, async (index) => {
    const law = LAWS[index] as string;
    let rounds = 0;
    let found: WorldResult | null = null;
    for (; rounds < PROVE_ROUNDS && found === null; rounds += PROVE_WORLD_ROUNDS) {
      const task = { seed: seed + 1000 * (index + 1) + rounds, rounds: PROVE_WORLD_ROUNDS, broken: [law] };
      const result = await playWorld({ ...task, keep: false });
      // A harness that fails has caught nothing.
      const real = result.problems.filter((problem) => !problem.startsWith('the harness'));
      if (real.length > 0 && result.tally.rounds > 0) found = { ...result, problems: real };
    }
    const what = found === null ? 'not caught' : `caught within ${rounds} rounds`;
    verdict(found !== null, `broken on purpose, ${law}: ${what}`);
    for (const problem of found?.problems.slice(0, 2) ?? []) console.log(`    ${problem}`);
  });
  console.log(`  ${'time of the proof'.padEnd(42)}${((performance.now() - began) / 1000).toFixed(0)} s`);
}

function missing(): string | null {
  if (process.getuid?.() !== 0) return 'root (the agent gets a tmpfs of its own)';
  return fakeTimeLibrary() === null ? 'libfaketime (apt-get install libfaketime)' : null;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted = true;
    for (const child of running) child.kill('SIGTERM');
    setTimeout(() => process.exit(130), 10_000);
  });
}

const lacks = missing();
if (lacks !== null) {
  console.error(`faults: NOT RUN: this machine lacks ${lacks}`);
  process.exit(process.env.CI === undefined ? 0 : 1);
}
if (!args.prove) {
  const broken = args.broken === undefined ? [] : [args.broken];
  await playRounds(Number(args.rounds), Number(args['world-rounds']), broken);
}
if (args.prove || (args.broken === undefined && !args['no-prove'])) await prove();
console.log(`faults: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
