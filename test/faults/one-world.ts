/**
 * One world in a process of its own, so that the stalls of one (reading a whole database) are not felt in the
 * other: `node test/faults/one-world.ts '{"seed":1,"rounds":50,"broken":[]}'`. Answers over IPC.
 */
import { closeWorlds, World } from '../support/world.ts';
import { checkWorld } from './check.ts';
import { killAll } from './child.ts';
import { unmountAll } from './disk.ts';
import { Dice } from './random.ts';
import { Rounds } from './rounds.ts';
import { newTally, type Tally } from './tally.ts';

export interface WorldTask {
  seed: number;
  rounds: number;
  broken: string[];
  /** The folder of a world that failed is kept. */
  keep: boolean;
}

export interface WorldResult {
  seed: number;
  tally: Tally;
  problems: string[];
  seconds: number;
  /** Where the folder was kept; null: it is gone. */
  kept: string | null;
}

const ROWS_PER_SECOND = 60;
const AGENT_DISK_MB = 96;
const SHOWN = 40;

export async function runWorld(task: WorldTask): Promise<WorldResult> {
  const began = performance.now();
  const dice = new Dice(task.seed);
  const tally = newTally();
  const problems: string[] = [];
  const world = await World.create({
    dice: new Dice(task.seed ^ 0x5eed),
    broken: task.broken,
    rowsPerSecond: ROWS_PER_SECOND,
    agentDisk: AGENT_DISK_MB,
    fakeClock: true,
  });
  try {
    const rounds = new Rounds(world, dice, tally);
    for (let n = 0; n < task.rounds; n += 1) await rounds.play();
    await rounds.calm();
    world.writer.stop();
    await world.restart();
    const verdict = await checkWorld(world);
    problems.push(...verdict.problems);
    tally.inGaps = verdict.inGaps;
    tally.rows = world.writer.rows.length;
  } catch (error) {
    problems.push(`the harness: ${error instanceof Error ? error.stack : String(error)}`);
  }
  const keep = task.keep && problems.length > 0;
  await world.close(keep);
  const seconds = (performance.now() - began) / 1000;
  const shown = problems.slice(0, SHOWN);
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`);
  return { seed: task.seed, tally, problems: shown, seconds, kept: keep ? world.dir : null };
}

async function leave(code: number): Promise<never> {
  await closeWorlds().catch((error: unknown) => console.error(String(error)));
  await killAll();
  unmountAll();
  process.exit(code);
}

if (import.meta.main) {
  process.once('SIGINT', () => void leave(130));
  process.once('SIGTERM', () => void leave(143));
  // The run that started us is gone: nobody would ever end the two processes.
  process.once('disconnect', () => void leave(1));
  const result = await runWorld(JSON.parse(process.argv[2] ?? '{}') as WorldTask);
  process.send?.(result, () => void leave(0));
}
