import { lstatSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import { rest } from '../../../agent/recordings/rest.ts';
import { Scanner } from '../../../agent/recordings/scan.ts';
import { DAY_MS, HOUR_MS } from '../../../protocol/time.ts';
import { frigatePath, SweepWorld } from './sweep-world.ts';

const NOW = Date.UTC(2026, 10, 22, 8);
const OLD = frigatePath(NOW - 40 * DAY_MS, 'gate');
/** Keeps its folder from being tidied away. */
const YOUNG = frigatePath(NOW - 40 * DAY_MS + 10_000, 'gate').replace('.mp4', '.jpg');

function scannerOf(it1: SweepWorld): Scanner {
  const { journal, catalogue, clock } = it1.base;
  const { accepted } = it1.swept();
  return new Scanner(
    { journal, catalogue, clock, rest },
    {
      ...{ id: it1.id, source: it1.source, root: it1.root, accepted, inodes: true },
      layout: layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null }),
    },
  );
}

/** An hour ago: nothing seems to be written still. */
function settle(it1: SweepWorld, path: string): void {
  const at = (it1.base.clock.wall - HOUR_MS) / 1000;
  utimesSync(path, at, at);
}

async function erased(): Promise<{ it1: SweepWorld; scanner: Scanner }> {
  const it1 = new SweepWorld();
  for (const path of [OLD, YOUNG]) settle(it1, it1.record(path));
  const scanner = scannerOf(it1);
  for (let dir = dirname(join(it1.root, OLD)); dir.startsWith(it1.root); dir = dirname(dir)) settle(it1, dir);
  await scanner.pass();
  expect((await it1.run()).erased).toBe(1);
  return { it1, scanner };
}

/** As a backup does: the file, and the times of its folders. */
function restore(it1: SweepWorld): void {
  settle(it1, it1.record(OLD, 21));
  settle(it1, dirname(join(it1.root, OLD)));
}

describe('agent/recordings: an erased recording that lies there again', () => {
  it('C20, S5, R8: is catalogued, told, and erased again', async () => {
    const { it1, scanner } = await erased();
    restore(it1);
    await scanner.pass();
    expect(it1.states()).toEqual({ present: 1 });
    const [row] = it1.sql('SELECT size, inode, slice FROM recordings') as Record<string, unknown>[];
    expect(row).toEqual({ size: 21, inode: lstatSync(join(it1.root, OLD)).ino, slice: null });
    expect(it1.told('recording.unknown')).toContainEqual(
      expect.objectContaining({ source: it1.source, reason: 'returned', count: 1 }),
    );
    await scanner.pass({ full: true });
    expect(it1.told('recording.unknown').filter(({ reason }) => reason === 'returned')).toHaveLength(1);
    // A backup that came back is more than what fell due: a person sees it first (R6).
    const { waits, plan } = await it1.run();
    expect(waits).toBe('large-plan');
    if (plan === null) throw new Error('no plan');
    expect(await it1.sweep.approve(it1.swept(), plan.plan)).toBe('approved');
    expect((await it1.run()).erased).toBe(1);
    expect(it1.has(OLD)).toBe(false);
    expect(it1.states()).toEqual({ erased: 1 });
  });

  it('C66: a folder whose time of change was restored too is read all the same', async () => {
    const { it1, scanner } = await erased();
    const folder = dirname(join(it1.root, OLD));
    const before = (
      it1.sql('SELECT scanned_at FROM rec_folders ORDER BY id DESC LIMIT 1')[0] as { scanned_at: number }
    ).scanned_at;
    restore(it1);
    // As the catalogue knew it before the sweep, to the millisecond.
    expect(Math.floor(statSync(folder).mtimeMs)).toBe(it1.base.clock.wall - HOUR_MS);
    expect(before).toBeGreaterThan(0);
    await scanner.pass();
    expect(it1.states()).toEqual({ present: 1 });
  });

  it('C20: what a sweep erases between the look at a file and its row stays erased', async () => {
    const it1 = new SweepWorld();
    settle(it1, it1.record(OLD));
    it1.catalogue();
    const [row] = it1.sql('SELECT folder, name, camera, start FROM recordings') as {
      folder: number;
      name: Buffer;
      camera: number;
      start: number;
    }[];
    await it1.run();
    expect(it1.states()).toEqual({ erased: 1 });
    if (row === undefined) throw new Error('no row');
    const found = { ...row, name: row.name.toString(), spread: 0, ends: row.start + 1, size: 1, inode: null };
    it1.write(() => it1.base.catalogue.put(found));
    expect(it1.states()).toEqual({ erased: 1 });
    it1.write(() => it1.base.catalogue.put(found, true));
    expect(it1.states()).toEqual({ present: 1 });
  });

  it('C20: a row in `erasing` is the sweep’s, whatever a scan sees', async () => {
    const it1 = new SweepWorld();
    settle(it1, it1.record(OLD));
    it1.catalogue();
    it1.sql('UPDATE recordings SET state = 1, slice = 7');
    writeFileSync(join(it1.root, OLD), 'longer than it was');
    settle(it1, join(it1.root, OLD));
    await scannerOf(it1).pass({ full: true });
    expect(it1.sql('SELECT state, slice, size FROM recordings')).toEqual([{ state: 1, slice: 7, size: 8 }]);
  });
});
