/**
 * `npm run test:nvr [-- --only WORD]`
 *
 * Recordings on real disks: a sweep killed at each of its steps, what the kernel saw of one, and a real recorder (motion,
 * fed by ffmpeg) whose recordings are catalogued as they are finished and erased while it goes on recording.
 *
 * Programs that are not installed are named with their Debian package. With `CI` set that is a failure.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { crashes } from './crash.ts';
import { motion } from './motion.ts';
import { motionVault } from './motion-vault.ts';
import { traced } from './trace.ts';
import { vaultCrashes } from './vault-crash.ts';

interface Scene {
  name: string;
  needs: readonly string[];
  play(note: (text: string) => void): Promise<void>;
}

const SCENES: readonly Scene[] = [
  { name: 'R1 a sweep killed at each step', needs: [], play: crashes },
  { name: 'I9 a vault killed at each step', needs: [], play: vaultCrashes },
  { name: 'R3 what the kernel saw of a sweep', needs: ['strace'], play: traced },
  {
    name: 'motion records, the agent catalogues and erases',
    needs: ['motion', 'ffmpeg', 'faketime'],
    play: motion,
  },
  {
    name: 'H6 motion records, a script cuts off and unlinks what is held, the vault has it',
    needs: ['motion', 'ffmpeg', 'faketime', 'python3'],
    play: motionVault,
  },
];

const { values: args } = parseArgs({ options: { only: { type: 'string' } } });
const mustAllBeHere = (process.env.CI ?? '') !== '';
let [passed, failed, skipped] = [0, 0, 0];

for (const { name, needs, play } of SCENES) {
  if (args.only !== undefined && !name.includes(args.only)) continue;
  const gone = needs.filter((program) => spawnSync('which', [program]).status !== 0);
  if (gone.length > 0) {
    if (mustAllBeHere) failed += 1;
    else skipped += 1;
    console.log(`${mustAllBeHere ? '✗ failed' : '! SKIPPED'}: ${name}: install ${gone.join(', ')}`);
    continue;
  }
  const began = performance.now();
  const notes: string[] = [];
  let problem: string | null = null;
  try {
    await play((text) => notes.push(text));
    passed += 1;
  } catch (error) {
    problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    failed += 1;
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(`${problem === null ? '✓ passed' : '✗ failed'}: ${name} (${seconds} s)`);
  for (const text of notes) console.log(`    ${text}`);
  if (problem !== null) console.log(problem.replace(/^/gm, '    '));
}
console.log(`nvr: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} SKIPPED` : ''}`);
process.exit(failed === 0 ? 0 : 1);
