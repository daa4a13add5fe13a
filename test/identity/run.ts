/**
 * `npm run test:identity [-- --only WORD] [--keep]`
 *
 * Clones, restored copies, used tokens, half-open lines, a restored collector and wrong identities, each with real
 * processes: detected, shown, resolved by a command, nothing mixed, and nobody accused who is honest.
 */
import { parseArgs } from 'node:util';
import { clone } from './clone.ts';
import { collectorBack } from './collector-back.ts';
import { halfOpen } from './half-open.ts';
import { restored, restoredOffline } from './restored.ts';
import type { Scenario } from './scenario.ts';
import { endAll, Stage } from './stage.ts';
import { tokens } from './tokens.ts';
import { wrong } from './wrong.ts';

/** Long ones first: most of their time is waiting for an agent to come again. */
const SCENARIOS: readonly Scenario[] = [
  collectorBack,
  halfOpen,
  clone,
  restoredOffline,
  restored,
  wrong,
  tokens,
];
const AT_ONCE = 3;

const { values: args } = parseArgs({
  options: { only: { type: 'string' }, keep: { type: 'boolean', default: false } },
});

let passed = 0;
let failed = 0;

async function play({ name, play: act }: Scenario): Promise<void> {
  const began = performance.now();
  const stage = await Stage.open();
  const notes: string[] = [];
  let problem: string | null = null;
  try {
    await act(stage, (text) => notes.push(text));
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  await stage.close(args.keep && problem !== null);
  const time = `${((performance.now() - began) / 1000).toFixed(0)} s`;
  if (problem === null) passed += 1;
  else failed += 1;
  console.log(`${problem === null ? '✓ passed' : '✗ failed'}: ${name} (${[...notes, time].join(', ')})`);
  if (problem !== null) console.log(problem.replace(/^/gm, '    '));
  if (args.keep && problem !== null) console.log(`    kept: ${stage.root}`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void endAll().then(() => process.exit(130)));
}

const queue = SCENARIOS.filter(({ name }) => args.only === undefined || name.includes(args.only));
const lane = async () => {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) await play(next);
};
const began = performance.now();
await Promise.all(Array.from({ length: AT_ONCE }, lane));
await endAll();
console.log(`  ${((performance.now() - began) / 1000).toFixed(0)} s`);
console.log(`identity: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
