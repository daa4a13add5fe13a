/** A file at rest costs one `stat`, and nothing that happens to it is overlooked for that. */
import { utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fakeRows, records } from '../../fixtures/teamviewer.ts';
import { FollowWorld, NAME } from './follow-world.ts';

const ROWS = fakeRows(0, 8);
/** Longer than the steps of the file system's clock. */
const TICK_MS = 25;
let world: FollowWorld;
let hits: string[];

beforeEach(async () => {
  hits = [];
  world = new FollowWorld({ faults: { hit: (point) => void hits.push(point) } });
  // Everything is long settled by this clock.
  world.now = Date.now() + 60_000;
  world.write(records(ROWS.slice(0, 4)));
  await world.settle();
  await sleep(TICK_MS);
  await world.pump();
  hits = [];
});
afterEach(() => world.end());

const looks = () => hits.filter((point) => point !== 'follow.glance');

describe('at rest', () => {
  test('H1: nothing but a glance, whatever the number of steps', async () => {
    for (let i = 0; i < 10; i += 1) await world.pump();
    expect(looks()).toEqual([]);
    expect(hits.length).toBeGreaterThanOrEqual(10);
  });

  test('H3: a whole look every five seconds', async () => {
    world.mono += 5_000;
    await world.follower.step(500);
    expect(looks()).toContain('follow.read');
    hits = [];
    await world.follower.step(500);
    expect(looks()).toEqual([]);
  });

  test('H2: a file touched just now is looked at as a whole', async () => {
    world.append(`\n${ROWS[4]}`);
    world.now = Date.now();
    expect(await world.settle()).toEqual([ROWS[4]]);
    hits = [];
    await world.pump();
    expect(looks()).toContain('follow.read');
  });
});

describe('changes', () => {
  test('H1: an appended row comes with the next step', async () => {
    world.append(`\n${ROWS[4]}`);
    expect(await world.pump()).toEqual([ROWS[4]]);
  });

  test('H1, F5: the same size and the same modification time, other content', async () => {
    const other = records(ROWS.slice(0, 4)).replace(/\d/g, '7');
    const at = new Date(1_600_000_000_000);
    utimesSync(world.path, at, at);
    await sleep(TICK_MS);
    await world.pump();
    writeFileSync(world.path, other);
    utimesSync(world.path, at, at);
    expect((await world.settle()).length).toBe(4);
  });

  test('H1, F2: renamed away, with a successor of the same size', async () => {
    world.append(`\n${ROWS[4]}`);
    world.rename(NAME, 'old.txt');
    world.write(`${records(ROWS.slice(0, 4))}\n${ROWS[5]}`);
    await world.pump();
    world.mono += 1_500;
    await world.pump();
    expect(world.texts()).toContain(ROWS[4]);
    expect(world.texts()).toContain(ROWS[5]);
  });

  test('H1, F12: removed, and there again', async () => {
    world.remove();
    await world.pump();
    world.write(records(ROWS.slice(4, 6)));
    expect(await world.settle()).toEqual(ROWS.slice(4, 6));
  });

  test('H1: a step that was rejected is given again', async () => {
    world.append(`\n${ROWS[4]}`);
    const step = await world.follower.step(500);
    expect(step.lines.length).toBe(1);
    world.follower.reject();
    expect(await world.pump()).toEqual([ROWS[4]]);
  });
});
