/** A full disk, and the one way in which a row may be lost: rotated away for good before there was room for it. */
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../support/world.ts';
import type { Rotation } from '../support/writer.ts';
import type { Tally } from './tally.ts';

/** What the agent gives back (its ballast, old leaves) is taken again this soon. */
const REFILL_MS = 40;
/** Rows are written that the agent sees and cannot store. */
const UNSTORED_MS = 700;
/** The agent tries again after 250, 500, 1,000 ms …: in this time it has looked at least once more. */
const LOOKED_MS = 2_200;
const PATIENCE_MS = 12_000;
/**
 * For what must have happened before the next kill, on however slow a machine: an agent that dies with a deleted file
 * in its hands has lost what it had not read of it, and cannot even know how much that was.
 */
const LONG_PATIENCE_MS = 180_000;

export async function keepFull(world: World, forMs: number): Promise<void> {
  const { disk } = world;
  if (disk === null) return;
  world.diskFull = true;
  for (const end = performance.now() + forMs; performance.now() < end; ) {
    disk.fill();
    await sleep(REFILL_MS);
  }
  disk.free();
  world.diskFull = false;
}

/**
 * The agent lives through all of it: what it has seen of a file that is gone when the disk has room again, it
 * must name. The writer pauses, so that no row can come and go between two looks, which nobody could know of.
 */
export async function loseRows(
  world: World,
  kind: 'truncate' | 'rename-and-delete',
  tally: Tally,
): Promise<void> {
  const { writer } = world;
  // After an orderly stop the WAL is gone: what it had once taken from the disk would last for a minute of rows.
  await world.agent.stop();
  world.startDead();
  await world.agent.readyWithin(PATIENCE_MS);
  tally.losses += 1;
  tally.fulls += 1;
  tally.rotations += 1;
  const full = keepFull(world, UNSTORED_MS + LOOKED_MS + UNSTORED_MS);
  await sleep(UNSTORED_MS);
  writer.stop();
  await sleep(LOOKED_MS);
  await opened(world);
  const rotation = rotateForGood(world, kind);
  rotation.whileFull = true;
  writer.start();
  await full;
  const end = performance.now() + LONG_PATIENCE_MS;
  while (world.agent.alive && world.lastStartLive() < writer.startOf(rotation.firstRow)) {
    if (performance.now() > end) return;
    await sleep(100);
  }
}

/** Until the agent has the file open: one that it never saw is not in its hands when it is deleted. */
async function opened({ agent, writer }: World): Promise<void> {
  const end = performance.now() + LONG_PATIENCE_MS;
  while (agent.alive && performance.now() < end && !holds(agent.pid, writer.path)) await sleep(100);
}

function holds(pid: number, path: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => linkOf(join(folder, fd)) === path);
  } catch {
    return false;
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    // Closed meanwhile.
    return null;
  }
}

function rotateForGood({ writer }: World, kind: 'truncate' | 'rename-and-delete'): Rotation {
  if (kind === 'truncate') return writer.truncate();
  const rotation = writer.rename();
  writer.remove(rotation);
  return rotation;
}
