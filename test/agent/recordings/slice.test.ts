import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../../protocol/time.ts';
import { frigatePath, SweepWorld } from './sweep-world.ts';

const NOW = Date.UTC(2026, 10, 22, 8);
const FOLDERS = 150;

/** A recording an hour, each in a folder of its own, all expired. */
function hours(it1: SweepWorld): string[] {
  const paths = Array.from({ length: FOLDERS }, (_, n) =>
    frigatePath(NOW - 60 * DAY_MS + n * HOUR_MS, 'gate'),
  );
  for (const path of paths) it1.record(path);
  it1.catalogue();
  return paths;
}

const open = () => readdirSync('/proc/self/fd').length;

describe('agent/recordings/slice', () => {
  it('C69 of many folders no more than 64 are open at once, and none when the slice is over', async () => {
    let most = 0;
    const it1 = new SweepWorld({
      faults: {
        hit: (point) => {
          if (point === 'agent.sweep.unlinked') most = Math.max(most, open());
        },
      },
    });
    hours(it1);
    const before = open();
    expect((await it1.run()).erased).toBe(FOLDERS);
    // The root, and what lists the folder of descriptors.
    expect(most - before).toBeLessThanOrEqual(64 + 1);
    expect(most - before).toBeGreaterThan(32);
    expect(open()).toBe(before);
    expect(it1.files()).toEqual([]);
  });

  it('C69 a slice that fails in the middle leaves no folder open, and the next sweep ends it', async () => {
    let files = 0;
    const it1 = new SweepWorld({
      faults: {
        hit: (point) => {
          if (point === 'agent.sweep.unlinked' && ++files === 100) throw new Error('a fault');
        },
      },
    });
    hours(it1);
    const before = open();
    await expect(it1.run()).rejects.toThrow('a fault');
    expect(open()).toBe(before);
    expect(it1.states()).toEqual({ erasing: FOLDERS });
    await it1.run();
    expect(it1.files()).toEqual([]);
    expect(it1.told('recordings.erased')[0]).toMatchObject({ count: 100, unseen: 100 });
  });

  it('D1, R1 a hold that comes while the disk is waited for keeps what is not unlinked yet', async () => {
    let files = 0;
    const it1 = new SweepWorld({
      faults: {
        hit: (point) => {
          if (point === 'agent.sweep.unlinked' && ++files === 64)
            setImmediate(() => it1.hold({ from: null, to: null }));
        },
      },
    });
    const paths = hours(it1);
    const report = await it1.run();
    expect(report).toMatchObject({ erased: 64, left: { held: FOLDERS - 64 } });
    expect(it1.files()).toEqual(paths.slice(64));
  });

  it('C84 the end of a slice opens the next in the same transaction; what is opened and then held stays', async () => {
    let ended = 0;
    const openAt: number[] = [];
    const it1 = new SweepWorld({
      faults: {
        hit: (point) => {
          if (point !== 'agent.sweep.ended') return;
          openAt.push(it1.base.sweeps.openSlices().length);
          // After the commit, and before anything of the second is unlinked.
          if (++ended === 1) it1.hold({ from: null, to: null });
        },
      },
    });
    for (let n = 0; n < 1_100; n++) it1.record(frigatePath(NOW - 40 * DAY_MS + n * 10_000, 'gate'));
    it1.catalogue();
    const report = await it1.run();
    expect(report).toMatchObject({ erased: 500, left: { held: 500, hold: 100 } });
    expect(openAt).toEqual([1, 0]);
    expect(it1.files()).toHaveLength(600);
    expect(it1.states()).toEqual({ erased: 500, present: 600 });
    const order = it1.told('recordings.erasing').map(({ slice }) => slice);
    expect(it1.told('recordings.erased').map(({ slice }) => slice)).toEqual(order);
    expect(order).toHaveLength(2);
  });

  it('R1 a slice that does not end as it was carried out is not told as erased', async () => {
    const it1 = new SweepWorld({
      faults: {
        hit: (point) => {
          // A row that nobody unlinked stands in the slice, as after a defect of ours.
          if (point === 'agent.sweep.synced')
            it1.sql('UPDATE recordings SET state = 1, slice = 1 WHERE state = 0');
        },
      },
    });
    it1.record(frigatePath(NOW - 40 * DAY_MS, 'gate'));
    const young = it1.record(frigatePath(NOW - 5 * DAY_MS, 'gate')).slice(it1.root.length + 1);
    it1.catalogue();
    await expect(it1.run()).rejects.toThrow();
    expect(it1.told('recordings.erased')).toEqual([]);
    expect(it1.states()).toEqual({ erasing: 2 });
    it1.sweep = it1.newSweep();
    await it1.run();
    expect(it1.told('recordings.erased')).toMatchObject([{ count: 1, failed: 1, unseen: 1 }]);
    expect(it1.files()).toEqual([young]);
    expect(it1.states()).toEqual({ erased: 1, present: 1 });
  });
});
