/**
 * `npm run test:erasure [-- --sessions 200] [--seed N] [--only WORD]`
 *
 * An agreement ends with some hundred sessions under it: nothing of them, and no key that opens them, is left in any file
 * of either side nor on the raw device, whoever was killed on the way, and whoever reads the old log again (S2, S3, S5,
 * V34, V41, V60). Needs root and loop devices. Beside that, without either: one of its machines was off for a week; the
 * collector is put back from before (S5, S6, V62); and another customer is the same byte for byte, before and after.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killAll } from '../faults/child.ts';
import { endAll } from '../identity/stage.ts';
import { missingForImages, unmountEverything } from '../powercut/image.ts';
import { closeWorlds } from '../support/world.ts';
import { Ending, type EndingResult, type Kill } from './ending.ts';
import { KILLS } from './kills.ts';
import { Leaving } from './leaving.ts';
import { Witness } from './witness.ts';

const { values: args } = parseArgs({
  options: {
    sessions: { type: 'string', default: '200' },
    seed: { type: 'string' },
    only: { type: 'string' },
  },
});
const sessions = Number(args.sessions);
const seed = args.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(args.seed);
const dir = mkdtempSync(join(tmpdir(), 'tilsyn-erasure-'));

/** Promised for what ends with nobody away. */
const PROMISED_MS = 60_000;

async function cleanUp(): Promise<void> {
  await closeWorlds().catch((error: unknown) => console.error(String(error)));
  await killAll();
  await endAll();
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
  if (result.atDeath !== null) {
    console.log(
      `    killed: ${name.padEnd(52)} key groups then: ${result.atDeath}; the start erased the rest`,
    );
  }
  for (const problem of problems.slice(0, 10)) console.log(`    ${problem}`);
}

const wanted = (name: string) => args.only === undefined || name.includes(args.only);

async function scene(name: string, act: () => Promise<string>): Promise<void> {
  if (!wanted(name)) return;
  try {
    const note = await act();
    passed += 1;
    console.log(`✓ ${name}: ${note}`);
  } catch (error) {
    failed += 1;
    console.log(`✗ ${name}\n    ${error instanceof Error ? (error.stack ?? error.message) : error}`);
  }
}

/** One customer leaves; the second scene goes on from where the first one came to. */
async function leaving(): Promise<void> {
  if (!LEAVING.some(wanted)) return;
  let world: Leaving | null = null;
  await scene(LEAVING[0], async () => {
    world = await Leaving.open();
    return world.weekAway();
  });
  // Also where it failed: whether the second can be played then, it says itself.
  await scene(LEAVING[1], async () => {
    if (world === null) throw new Error('there is no world to put back');
    return (world as Leaving).putBack();
  });
  await (world as Leaving | null)?.close(false);
}
const LEAVING = ['one machine was off for a week', 'off for a week, and the collector put back'] as const;

/** They mostly wait: beside the worlds that are killed. */
const beside = [leaving(), scene('a second customer', () => Witness.play(false))];

const lacks = missingForImages();
if (lacks !== null) {
  console.error(`erasure: NOT RUN: this machine lacks ${lacks}. Nothing about the device was shown.`);
  await Promise.all(beside);
  await endAll();
  rmSync(dir, { recursive: true, force: true });
  process.exit(process.env.CI === undefined && failed === 0 ? 0 : 1);
}
try {
  console.log(`seed ${seed}`);
  for (const kill of KILLS.filter(({ name }) => wanted(name)))
    verdict(kill, await new Ending(dir, seed, sessions).run(kill));
  await Promise.all(beside);
} catch (error) {
  failed += 1;
  console.error(`✗ the harness: ${error instanceof Error ? error.stack : String(error)}`);
} finally {
  await cleanUp();
}
console.log(`erasure: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
