/** The inventory: soon after the start, on schedule, one at a time, and a system that hangs keeps nothing up. */
import { expect, test } from 'vitest';
import { silentLog } from '../../../agent/log.ts';
import {
  FIRST_MS,
  type Inventory,
  InventoryTaker,
  readInventory,
} from '../../../agent/telemetry/inventory.ts';
import { thisMachine } from '../../../agent/telemetry/probe.ts';
import { TestClock } from '../support.ts';
import { settled } from './world.ts';

const INVENTORY: Inventory = { os: 'x', virtualisation: 'none', labels: new Map() };

function taker(read: () => Promise<Inventory>) {
  const clock = new TestClock();
  const taken: Inventory[] = [];
  const one = new InventoryTaker({
    clock,
    log: silentLog,
    schedule: '40 4 * * *',
    read,
    taken: (inventory) => taken.push(inventory),
  });
  one.start();
  /** Until the schedule has been loaded, which takes real time. */
  const begun = async () => {
    clock.advance(FIRST_MS);
    for (let n = 0; n < 20; n++) {
      await settled();
      await import('node-cron');
    }
  };
  const days = async (count: number) => {
    for (let minute = 0; minute < count * 24 * 60; minute++) {
      clock.advance(60_000);
      await settled();
    }
  };
  return { one, clock, taken, begun, days };
}

test('shortly after the start, then once a day, and not after the stop', async () => {
  const { one, clock, taken, begun, days } = taker(() => Promise.resolve(INVENTORY));
  clock.advance(FIRST_MS - 1);
  await settled();
  expect(taken).toEqual([]);
  await begun();
  expect(taken).toHaveLength(1);
  await days(2);
  expect(taken).toHaveLength(3);
  one.stop();
  await days(2);
  expect(taken).toHaveLength(3);
});

test('one that fails or hangs is left out; the next one comes', async () => {
  let asked = 0;
  const answers = [
    () => Promise.reject(new Error('no such program')),
    () => new Promise<Inventory>(() => {}),
    () => Promise.resolve(INVENTORY),
  ];
  const { taken, begun, days } = taker(() => (answers[asked++] ?? answers[0])!());
  await begun();
  await days(3);
  expect(asked).toBeGreaterThanOrEqual(3);
  expect(taken).toEqual([INVENTORY]);
});

test('this machine says what it is, and how full its disks are', async () => {
  const { os, virtualisation } = await readInventory();
  expect(os.length).toBeGreaterThan(5);
  expect(virtualisation).not.toBe('');
  const machine = thisMachine(process.platform);
  const mounts = await machine.mounts();
  expect(mounts.length).toBeGreaterThan(0);
  const space = await machine.space(mounts[0] ?? '/');
  expect(space.totalMb).toBeGreaterThan(space.freeMb);
  expect(machine.memory().total).toBeGreaterThan(machine.memory().free);
  expect(machine.cpu().all).toBeGreaterThan(machine.cpu().busy);
});

test('M2 after an end that was taken back it is taken again', async () => {
  const { one, clock, taken, begun } = taker(() => Promise.resolve(INVENTORY));
  await begun();
  one.stop();
  one.start();
  clock.advance(FIRST_MS);
  await settled();
  expect(taken).toHaveLength(2);
});
