/**
 * `npm run test:powercut [-- --times 100] [--seed N]`
 *
 * What was acked (collector) or sent (agent) survives a power cut; and with `synchronous=OFF` the same test fails,
 * which is the proof that it can. Needs root and loop devices.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killAll } from '../faults/child.ts';
import { closeWorlds } from '../support/world.ts';
import { type CutResult, PowerCuts, type Side } from './cut.ts';
import { missingForImages, unmountEverything } from './image.ts';

const { values: args } = parseArgs({
  options: { times: { type: 'string', default: '100' }, seed: { type: 'string' } },
});
const times = Number(args.times);
const seed = args.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(args.seed);
const dir = mkdtempSync(join(tmpdir(), 'tilsyn-powercut-'));
let passed = 0;
let failed = 0;

async function cleanUp(): Promise<void> {
  await closeWorlds().catch((error: unknown) => console.error(String(error)));
  await killAll();
  unmountEverything();
  rmSync(dir, { recursive: true, force: true });
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
}

function verdict(ok: boolean, text: string, { failures }: CutResult, show: number): void {
  if (ok) passed += 1;
  else failed += 1;
  console.log(`${ok ? '✓' : '✗'} ${text}`);
  for (const failure of failures.slice(0, show)) console.log(`    ${failure}`);
}

async function keeps(side: Side): Promise<void> {
  const result = await new PowerCuts(side, dir, seed).run(times, [], false);
  const { cuts, failures, rows, seconds } = result;
  const what = side === 'agent' ? 'sent events' : 'acked events';
  const text = `${side}: ${cuts} power cuts, ${what} were lost in ${failures.length}; ${rows} rows, ${seconds.toFixed(0)} s`;
  verdict(failures.length === 0 && cuts === times, text, result, 10);
}

async function loses(side: Side): Promise<void> {
  const result = await new PowerCuts(side, dir, seed + 1).run(times, ['synchronous-off'], true);
  const { cuts, failures, seconds } = result;
  const lost = failures.length > 0 ? `lost something at cut ${cuts}` : `lost nothing in ${cuts} cuts`;
  const text = `${side} with synchronous=OFF, to prove that this test can fail: ${lost}; ${seconds.toFixed(0)} s`;
  verdict(failures.length > 0, text, result, 1);
}

const lacks = missingForImages();
if (lacks !== null) {
  console.error(`powercut: NOT RUN: this machine lacks ${lacks}. Nothing about power cuts was shown.`);
  rmSync(dir, { recursive: true, force: true });
  process.exit(process.env.CI === undefined ? 0 : 1);
}
try {
  console.log(`seed ${seed}`);
  for (const side of ['collector', 'agent'] as const) {
    await keeps(side);
    await loses(side);
  }
} catch (error) {
  failed += 1;
  console.error(`✗ the harness: ${error instanceof Error ? error.stack : String(error)}`);
} finally {
  await cleanUp();
}
console.log(`powercut: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
