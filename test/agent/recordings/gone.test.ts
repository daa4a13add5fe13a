import { rmSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { forgetGone, GONE_KEPT_MS } from '../../../agent/recordings/gone.ts';
import { DAY_MS, MINUTE_MS, utcMs } from '../../../protocol/time.ts';
import { frigatePath, SweepWorld } from './sweep-world.ts';

const NOW = Date.UTC(2026, 10, 22, 8);

async function forget(it1: SweepWorld, at: number, rested: () => void = () => {}): Promise<void> {
  const deps = {
    ...{ journal: it1.base.journal, store: it1.base.sweeps },
    rest: async () => rested(),
  };
  await forgetGone(deps, it1.id, it1.around(), utcMs(at));
}

/** Three slices, one for each of three sweeps, a day apart. */
async function three(): Promise<SweepWorld> {
  const it1 = new SweepWorld();
  for (const days of [40, 29, 28]) it1.record(frigatePath(NOW - days * DAY_MS, 'gate'));
  it1.catalogue();
  for (let day = 0; day < 3; day++) {
    it1.base.clock.wall = NOW + day * DAY_MS;
    it1.trusted = utcMs(NOW + day * DAY_MS + 11 * MINUTE_MS);
    expect((await it1.run()).erased).toBe(1);
  }
  return it1;
}

const slices = (it1: SweepWorld) =>
  (it1.sql('SELECT id FROM rec_slices ORDER BY id') as { id: number }[]).map(({ id }) => id);

describe('agent/recordings/gone', () => {
  it('C64 rows of erased recordings go 92 days after their slice, one slice at a time; the newest slice keeps its number', async () => {
    const it1 = await three();
    await forget(it1, NOW + GONE_KEPT_MS);
    expect(it1.states()).toEqual({ erased: 3 });
    let turns = 0;
    await forget(it1, NOW + GONE_KEPT_MS + 1, () => {
      turns += 1;
    });
    expect(it1.states()).toEqual({ erased: 2 });
    expect(turns).toBeGreaterThan(1);
    expect(slices(it1)).toEqual([2, 3]);
    await forget(it1, NOW + 10 * GONE_KEPT_MS);
    expect(slices(it1)).toEqual([3]);
    // Numbers stand in events: none is given away twice.
    it1.sql('UPDATE rec_sources SET swept_at = 0');
    it1.record(frigatePath(NOW - 60 * DAY_MS, 'gate'));
    it1.catalogue();
    await it1.run();
    expect(it1.told('recordings.erased').map(({ slice }) => slice)).toEqual([1, 2, 3, 4]);
  });

  it('C64 a slice that a crash left open is not forgotten', async () => {
    const it1 = await three();
    it1.sql('UPDATE rec_slices SET done_at = NULL');
    await forget(it1, NOW + 10 * GONE_KEPT_MS);
    expect(it1.states()).toEqual({ erased: 3 });
    expect(slices(it1)).toEqual([1, 2, 3]);
  });

  it('C64 what is missing goes 92 days after it would have been erased, unless a hold covers it', async () => {
    const it1 = new SweepWorld();
    const paths = [20, 10].map((days) => frigatePath(NOW - days * DAY_MS, 'gate'));
    for (const path of paths) it1.record(path);
    it1.record(frigatePath(NOW - 9 * DAY_MS, 'yard'));
    it1.catalogue();
    it1.sql('UPDATE recordings SET state = 3');
    const over = NOW - 20 * DAY_MS + 10 * MINUTE_MS + 30 * DAY_MS + GONE_KEPT_MS;
    await forget(it1, over - 1);
    expect(it1.states()).toEqual({ missing: 3 });
    const hold = it1.hold({
      from: NOW - 21 * DAY_MS,
      to: NOW - 19 * DAY_MS,
      cameras: [it1.cameraId('gate')],
    });
    await forget(it1, over);
    expect(it1.states()).toEqual({ missing: 3 });
    it1.release(hold);
    await forget(it1, over);
    expect(it1.states()).toEqual({ missing: 2 });
    await forget(it1, over + 30 * DAY_MS);
    expect(it1.states()).toEqual({});
  });

  it('C64 nothing that is present is ever forgotten, and without rules nothing that is missing', async () => {
    const it1 = new SweepWorld();
    it1.record(frigatePath(NOW - 300 * DAY_MS, 'gate'));
    const away = it1.record(frigatePath(NOW - 301 * DAY_MS, 'gate'));
    it1.catalogue();
    unlinkSync(away);
    it1.sql('UPDATE recordings SET state = 3 WHERE start = ?', NOW - 301 * DAY_MS);
    it1.policy = null;
    await forget(it1, NOW + 10 * GONE_KEPT_MS);
    expect(it1.states()).toEqual({ present: 1, missing: 1 });
  });

  it('C64 folders that are gone go with their last row, and those that others lie in after them', async () => {
    const it1 = await three();
    it1.record(frigatePath(NOW, 'gate'));
    it1.catalogue();
    const folders = () => it1.sql('SELECT id FROM rec_folders').length;
    const day = dirname(dirname(dirname(join(it1.root, frigatePath(NOW - 40 * DAY_MS, 'gate')))));
    rmSync(day, { recursive: true, force: true });
    it1.sql(
      `UPDATE rec_folders SET gone = 1 WHERE id IN (SELECT folder FROM recordings WHERE state = 2)
       OR id IN (SELECT parent FROM rec_folders f JOIN recordings r ON r.folder = f.id WHERE r.state = 2)`,
    );
    const before = folders();
    await forget(it1, NOW);
    expect(folders()).toBe(before);
    await forget(it1, NOW + 10 * GONE_KEPT_MS);
    // Of the newest slice the row stays, and the two folders above it.
    expect(folders()).toBe(before - 4);
    expect(it1.sql('PRAGMA foreign_key_check')).toEqual([]);
  });
});
