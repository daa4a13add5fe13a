/**
 * `npm run test:erasure [-- --sessions 200] [--seed N]`
 *
 * An agreement ends with some hundred sessions under it: nothing of them, and no key that opens them, is left in any file
 * of either side nor on the raw device, whoever was killed on the way, and whoever reads the old log again (S2, S3, S5, V34, V41, V60). Needs root and loop devices.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killAll } from '../faults/child.ts';
import { missingForImages, unmountEverything } from '../powercut/image.ts';
import { closeWorlds } from '../support/world.ts';
import { Ending, type EndingResult, type Kill } from './ending.ts';

const { values: args } = parseArgs({
  options: { sessions: { type: 'string', default: '200' }, seed: { type: 'string' } },
});
const sessions = Number(args.sessions);
const seed = args.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(args.seed);
const dir = mkdtempSync(join(tmpdir(), 'tilsyn-erasure-'));

/** Promised for what ends with nobody away. */
const PROMISED_MS = 60_000;
const KILLS: readonly Kill[] = [
  { name: 'nobody is killed' },
  { name: 'collector, erasing has begun', point: 'erasing.begun' },
  { name: 'collector, one copy of the keys is overwritten', point: 'keyring.copy-1' },
  { name: 'collector, the keys are gone', point: 'erasing.keys-gone' },
  { name: 'collector, the rows are gone', point: 'erasing.rows-gone' },
  { name: 'the agent, as the end is approved', agent: true },
  { name: 'both', point: 'erasing.keys-gone', agent: true },
  { name: 'nobody; a new agent reads the old log', again: true },
];

async function cleanUp(): Promise<void> {
  await closeWorlds().catch((error: unknown) => console.error(String(error)));
  await killAll();
  unmountEverything();
  rmSync(dir, { recursive: true, force: true });
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
}

let [passed, failed] = [0, 0];

function verdict({ name }: Kill, result: EndingResult): void {
  const problems = [...result.problems];
  if (result.keysBefore === 0) problems.push('the device held no key before: this look can find nothing');
  if (result.started !== result.done)
    problems.push(`${result.started} erasures began, ${result.done} are done`);
  if (result.endedMs > PROMISED_MS) problems.push(`it took longer than ${PROMISED_MS / 1000} s`);
  if (problems.length === 0) passed += 1;
  else failed += 1;
  const times = `erased after ${(result.erasedMs / 1000).toFixed(2)} s, ended after ${(result.endedMs / 1000).toFixed(2)} s`;
  console.log(
    `${problems.length === 0 ? '✓' : '✗'} ${name}: ${result.sessions} sessions, ${result.done} key groups, ${times}; ${result.keysBefore} keys on the device before, none after`,
  );
  for (const problem of problems.slice(0, 10)) console.log(`    ${problem}`);
}

const lacks = missingForImages();
if (lacks !== null) {
  console.error(`erasure: NOT RUN: this machine lacks ${lacks}. Nothing about erasing was shown.`);
  rmSync(dir, { recursive: true, force: true });
  process.exit(process.env.CI === undefined ? 0 : 1);
}
try {
  console.log(`seed ${seed}`);
  for (const kill of KILLS) verdict(kill, await new Ending(dir, seed, sessions).run(kill));
} catch (error) {
  failed += 1;
  console.error(`✗ the harness: ${error instanceof Error ? error.stack : String(error)}`);
} finally {
  await cleanUp();
}
console.log(`erasure: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
