/** Rooms that go with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type House, type HouseOptions, openHouse } from './rooms.ts';

export { type House, identity, NOW, newHex, openHouse, random, TestClock } from './rooms.ts';

/** A folder that goes with the test. */
export function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A new house in a scratch folder, closed with the test. */
export async function newHouse(options: Partial<HouseOptions> = {}): Promise<House> {
  const house = await openHouse({ dir: scratch(), ...options }, true);
  onTestFinished(() => house.close().catch(() => {}));
  return house;
}
