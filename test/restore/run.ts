/**
 * `npm run test:restore [-- --only WORD] [--keep]`
 *
 * The restore drill and every loss of `docs/guide/restore.md`, with real processes and the very commands of that page.
 * Ends 1 where something was lost, doubled or came back to life, and where a block of the page was not run.
 */
import { parseArgs } from 'node:util';
import type { Scenario } from '../identity/scenario.ts';
import { endAll, Stage } from '../identity/stage.ts';
import { drill } from './drill.ts';
import { neverRun } from './guide.ts';
import {
  bothWithEscrow,
  bothWithout,
  deadSecond,
  deviceWithSecond,
  everything,
  lostFirst,
  onlyBackup,
} from './losses.ts';

/** Long ones first: most of their time is waiting for an agent to come again. */
const SCENARIOS: readonly Scenario[] = [
  drill,
  everything,
  deviceWithSecond,
  bothWithEscrow,
  bothWithout,
  onlyBackup,
  deadSecond,
  lostFirst,
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
const left = args.only === undefined ? neverRun() : [];
if (left.length > 0) {
  failed += 1;
  console.log(`✗ failed: blocks of docs/guide/restore.md that nothing ran: ${left.join(', ')}`);
}
console.log(`  ${((performance.now() - began) / 1000).toFixed(0)} s`);
console.log(`restore: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
