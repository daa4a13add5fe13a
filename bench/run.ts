/**
 * `npm run bench [-- --quick] [--strict] [--only PART] [--agents N] [--files N] [--rounds N]`
 *
 * Measures what the product promises and prints it beside the promise. Without `--quick` it takes what
 * `bench/README.md` records; a promise that is missed ends with exit 1 only under `--strict`.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { endAll } from '../test/identity/stage.ts';
import { agentBench } from './agent.ts';
import { drainBench } from './drain.ts';
import { erasingBench } from './erasing.ts';
import { fleetBench } from './fleet.ts';
import { holdsBench } from './holds.ts';
import { holdsFleetBench } from './holds-fleet.ts';
import { parseBench } from './parse.ts';
import { readersBench } from './readers.ts';
import { recordingsScanBench } from './recordings-scan.ts';
import { recordingsSweepBench } from './recordings-sweep.ts';
import type { BenchResult } from './result.ts';
import { sshdLogBench } from './sshd-log.ts';
import { table, verdictOf } from './table.ts';
import { telemetryAgentBench } from './telemetry.ts';
import { telemetryBench } from './telemetry-read.ts';

const { values: args } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false },
    only: { type: 'string' },
    /** Of the fleet. */
    agents: { type: 'string' },
    /** Of `recordings` and `sweep`: 4,000,000 are scanned in twenty minutes. */
    files: { type: 'string' },
    /** Of the same: how often each is measured. */
    rounds: { type: 'string' },
  },
});

const plan = args.quick
  ? { without: 80_000, withParts: 60_000, rows: 50_000, idleSeconds: 15, agents: 300, backlog: 20_000 }
  : { without: 300_000, withParts: 200_000, rows: 500_000, idleSeconds: 60, agents: 2_000, backlog: 200_000 };

/** How many files, and how often. */
function many(quick: number, whole: number): { files: number; rounds: number } {
  const files = Number(args.files ?? (args.quick ? quick : whole));
  return { files, rounds: Number(args.rounds ?? (args.quick ? 1 : 5)) };
}

const PARTS: readonly { name: string; measure(): Promise<BenchResult[]> }[] = [
  { name: 'parse', measure: () => parseBench() },
  { name: 'readers', measure: () => readersBench({ megabytes: args.quick ? 5 : 50 }) },
  { name: 'sshd-log', measure: () => sshdLogBench({ megabytes: args.quick ? 100 : 1_000 }) },
  { name: 'drain', measure: () => drainBench(plan) },
  { name: 'agent', measure: () => agentBench(plan) },
  { name: 'telemetry', measure: () => telemetryAgentBench() },
  { name: 'fleet', measure: () => fleetBench({ ...plan, agents: Number(args.agents ?? plan.agents) }) },
  { name: 'erasing', measure: () => erasingBench({ groups: args.quick ? 2_000 : 10_000 }) },
  { name: 'holds', measure: () => holdsBench({ recordings: many(200_000, 4_000_000).files }) },
  { name: 'holds-fleet', measure: () => holdsFleetBench({ agents: args.quick ? 100 : 500 }) },
  {
    name: 'sweep',
    measure: () => recordingsSweepBench(many(5_000, 100_000)),
  },
  {
    name: 'recordings',
    measure: () => recordingsScanBench(many(100_000, 1_000_000)),
  },
  { name: 'telemetry-read', measure: () => telemetryBench({ telemetryAgents: args.quick ? 50 : 200 }) },
];

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void endAll().then(() => process.exit(130)));
}

const began = performance.now();
console.log(
  `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}`,
);
const results: BenchResult[] = [];
let broken = false;
for (const { name, measure } of PARTS) {
  if (args.only !== undefined && args.only !== name) continue;
  const from = performance.now();
  try {
    const measured = await measure();
    results.push(...measured);
    console.log(table(measured));
    console.log(`${name}: ${((performance.now() - from) / 1000).toFixed(0)} s\n`);
  } catch (error) {
    broken = true;
    console.log(`${name}: broke: ${error instanceof Error ? error.message : String(error)}`);
  }
}
await endAll();
const missed = results.filter((result) => verdictOf(result) === 'MISS').length;
const promised = results.filter((result) => verdictOf(result) !== '').length;
console.log(
  `bench: ${promised - missed} of ${promised} targets met, ${((performance.now() - began) / 1000).toFixed(0)} s`,
);
process.exit(broken || (args.strict && missed > 0) ? 1 : 0);
