/** Rows against files, and files against rows: each disagreement made on a real disk. */
import { lstatSync, mkdirSync, rmSync, symlinkSync, truncateSync, unlinkSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MARKER_FILE } from '../../../agent/recordings/root.ts';
import { SAMPLE, stands, type There, wrongRow } from '../../../agent/self-audit/sample.ts';
import { AuditWorld } from './audit-world.ts';

function filled(): { world: AuditWorld; paths: string[] } {
  const world = new AuditWorld();
  const paths = [1, 2, 3, 4, 5].map((days) => world.record(days));
  world.nvr.catalogue();
  return { world, paths };
}

const at = (world: AuditWorld, path = '') => join(world.nvr.root, path);

describe('agent/self-audit: rows and files', () => {
  it('A24 a catalogue that fits its disk gives no finding, and is not read again for it', async () => {
    const { world } = filled();
    expect(await world.found()).toEqual({});
    expect(world.passes).toBe(0);
    const [run] = world.told('audit.run') as {
      checks: { check: string; looked: number; unseen: string[] }[];
    }[];
    expect(run?.checks.find(({ check }) => check === 'rows')).toMatchObject({ looked: 5 });
    expect(run?.checks.find(({ check }) => check === 'files')).toMatchObject({ looked: 5, unseen: [] });
  });

  it('A1 A20 files that are gone, differ, or stand in no row are one finding of each kind, with their number', async () => {
    const { world, paths } = filled();
    const [gone = '', also = '', cut = ''] = paths;
    unlinkSync(at(world, gone));
    rmSync(at(world, dirname(also)), { recursive: true });
    truncateSync(at(world, cut), 3);
    for (const days of [7, 8, 9]) world.record(days);
    // The folders of those are known to nobody: they stand in one that is.
    for (const name of ['58.58.mp4', '58.59.mp4']) world.nvr.record(join(dirname(cut), name));
    expect(await world.found()).toEqual({ 'row-without-file': 2, 'row-differs': 1, 'file-without-row': 2 });
    const told = world.told('audit.finding') as { check: string; source: string; run: string; of: string }[];
    expect(told.map(({ check }) => check).sort()).toEqual([
      'file-without-row',
      'row-differs',
      'row-without-file',
    ]);
    expect(new Set(told.map(({ source }) => source))).toEqual(new Set([world.nvr.source]));
    // Nothing of a name leaves the host (A20).
    expect(JSON.stringify(told)).not.toMatch(/mp4|gate/);
  });

  it('A23 what the scan puts right when it has its turn is no finding', async () => {
    const { world, paths } = filled();
    unlinkSync(at(world, paths[0]));
    world.nvr.record(join(dirname(paths[1] ?? ''), '58.58.mp4'));
    world.pass = async () => {
      world.sql('UPDATE recordings SET state = 3 WHERE name = CAST(? AS BLOB)', paths[0]?.split('/').pop());
      world.nvr.catalogue();
      return 'done';
    };
    expect(await world.found()).toEqual({});
    expect(world.passes).toBe(1);
  });

  it('A23 what changes between the two looks is no finding, however wrong it is', async () => {
    const { world, paths } = filled();
    const path = at(world, paths[0]);
    truncateSync(path, 3);
    world.pass = async () => {
      truncateSync(path, 4);
      return 'done';
    };
    expect(await world.found()).toEqual({});
    const [run] = world.told('audit.run') as { checks: { check: string; explained: number }[] }[];
    expect(run?.checks.find(({ check }) => check === 'rows')?.explained).toBe(1);
  });

  it('a file that the catalogue says was erased and that lies there is a finding', async () => {
    const { world, paths } = filled();
    world.sql('UPDATE recordings SET state = 2 WHERE name = CAST(? AS BLOB)', paths[0]?.split('/').pop());
    expect(await world.found()).toEqual({ 'erased-present': 1 });
  });

  it('a link in the place of a recording is no recording, wherever it leads', async () => {
    const { world, paths } = filled();
    const path = at(world, paths[0]);
    unlinkSync(path);
    symlinkSync(at(world, paths[1]), path);
    expect(await world.found()).toEqual({ 'row-differs': 1 });
  });

  it('A1 a root that is not the accepted one is not looked at, and that is said; nothing in it is called missing', async () => {
    const { world } = filled();
    unlinkSync(at(world, MARKER_FILE));
    expect(await world.found()).toEqual({});
    const [run] = world.told('audit.run') as {
      checks: { check: string; looked: number; unseen: string[] }[];
    }[];
    expect(run?.checks[0]).toMatchObject({ check: 'rows', looked: 0 });
    expect(run?.checks[0]?.unseen).toContain('root-suspect');
  });

  it('A23 a disk that goes between the looks makes no finding', async () => {
    const { world, paths } = filled();
    unlinkSync(at(world, paths[0]));
    world.pass = async () => {
      rmSync(at(world), { recursive: true });
      mkdirSync(at(world));
      return 'done';
    };
    expect(await world.found()).toEqual({});
  });

  it('A24 of a folder with many files a part is looked at, and that there is more is said', async () => {
    const world = new AuditWorld({ layout: 'motion' });
    const many = SAMPLE.rowsOfFolder + 50;
    for (let n = 0; n < many; n += 1) {
      const stamp = `202611${String(1 + (n % 20)).padStart(2, '0')}${String(n % 24).padStart(2, '0')}${String(n % 60).padStart(2, '0')}`;
      world.nvr.record(`${String(n).padStart(3, '0')}-${stamp}00.mp4`);
    }
    world.nvr.catalogue();
    expect(await world.found()).toEqual({});
    const [run] = world.told('audit.run') as { checks: { looked: number; unseen: string[] }[] }[];
    expect(run?.checks[0]?.unseen).toContain('beyond-sample');
    expect(run?.checks[0]?.looked).toBeLessThanOrEqual(SAMPLE.rowsOfFolder);
  });

  it('what the audit reads stays as it is: no time of any file is changed', async () => {
    const { world, paths } = filled();
    const old = new Date('2026-11-01T00:00:00Z');
    for (const path of paths) utimesSync(at(world, path), old, old);
    await world.found();
    for (const path of paths) expect(lstatSync(at(world, path)).mtimeMs).toBe(old.getTime());
  });
});

describe('agent/self-audit: what is wrong with a row', () => {
  const there = fc.oneof<fc.Arbitrary<There>[]>(
    fc.nat(5).map((sizeBytes) => ({ sizeBytes })),
    fc.constant('gone' as const),
    fc.constant('unreadable' as const),
    fc.constant('other' as const),
  );
  const row = fc.record({ sizeBytes: fc.option(fc.nat(5)), state: fc.nat(3) });

  it('A23 for any row and any disk: only what is certain is wrong, and only while it stays the same', () => {
    fc.assert(
      fc.property(row, there, (one, disk) => {
        const wrong = wrongRow(one, disk);
        if (disk === 'unreadable' || one.state === 1 || one.state === 3) expect(wrong).toBeNull();
        if (one.state === 0 && disk === 'gone') expect(wrong).toBe('row-without-file');
        if (one.state === 0 && typeof disk === 'object')
          expect(wrong).toBe(
            one.sizeBytes === null || one.sizeBytes === disk.sizeBytes ? null : 'row-differs',
          );
        if (one.state === 2) expect(wrong).toBe(typeof disk === 'object' ? 'erased-present' : null);
        const seen = {
          folder: 1,
          path: [],
          name: 'a',
          wrong: wrong ?? ('row-differs' as const),
          sizeBytes: 1,
        };
        expect(stands(seen, { wrong, sizeBytes: 1 })).toBe(wrong !== null);
        expect(stands(seen, { wrong, sizeBytes: 2 })).toBe(false);
      }),
    );
  });
});
