/**
 * `npm run test:live [-- --only WORD] [--keep]`
 *
 * Real remote tools on loopback, the real agent and the real collector: who comes is seen while they are there and goes
 * when they go; one session is one, whatever is read twice, by whom, and whenever the agent is killed.
 *
 * Programs that are not installed are named with their Debian package. With `CI` set that is a failure.
 */
import { parseArgs } from 'node:util';
import { endAll, Stage } from '../identity/stage.ts';
import { again } from './again-scene.ts';
import { endPrograms, missing } from './programs.ts';
import type { Scene } from './scene.ts';
import { openSsh } from './ssh-scene.ts';
import { teamviewer } from './teamviewer-scene.ts';
import { x11vnc } from './vnc-scene.ts';

const SCENES: readonly Scene[] = [openSsh, x11vnc, teamviewer, ...again];

const { values: args } = parseArgs({
  options: { only: { type: 'string' }, keep: { type: 'boolean', default: false } },
});
const mustAllBeHere = (process.env.CI ?? '') !== '';

let passed = 0;
let failed = 0;
let skipped = 0;

async function play(scene: Scene): Promise<void> {
  const gone = missing(scene.needs);
  if (gone.length > 0) {
    if (mustAllBeHere) failed += 1;
    else skipped += 1;
    console.log(`${mustAllBeHere ? '✗ failed' : '! SKIPPED'}: ${scene.name}`);
    for (const text of gone) console.log(`    ${text}`);
    return;
  }
  await onStage(scene);
}

async function onStage({ name, play: act }: Scene): Promise<void> {
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
  console.log(`${problem === null ? '✓ passed' : '✗ failed'}: ${name} (${time})`);
  for (const text of notes) console.log(`    ${text}`);
  if (problem !== null) console.log(problem.replace(/^/gm, '    '));
  if (args.keep && problem !== null) console.log(`    kept: ${stage.root}`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Promise.all([endAll(), endPrograms()]).then(() => process.exit(130)));
}

const began = performance.now();
// One after the other: what is timed is not to wait for another scene.
for (const scene of SCENES) {
  if (args.only === undefined || scene.name.includes(args.only)) await play(scene);
}
await Promise.all([endAll(), endPrograms()]);
console.log(`  ${((performance.now() - began) / 1000).toFixed(0)} s`);
console.log(`live: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} SKIPPED` : ''}`);
process.exit(failed === 0 ? 0 : 1);
