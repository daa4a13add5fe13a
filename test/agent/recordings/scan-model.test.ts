import { existsSync, mkdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latestEnds } from '../../../agent/recordings/bounds.ts';
import { MARKER_FILE, markerText } from '../../../agent/recordings/root.ts';
import { DAY_MS, systemClock } from '../../../protocol/time.ts';
import { scanWorld } from './scan-world.ts';

const folder = fc
  .tuple(fc.constantFrom('20', '21'), fc.constantFrom('08', '09'), fc.constantFrom('a', 'b'))
  .map(([day, hour, camera]) => `2026-11-${day}/${hour}/${camera}`);
const file = fc
  .tuple(folder, fc.constantFrom('00.00', '00.10', '30.00', '59.50'))
  .map(([where, name]) => `${where}/${name}.mp4`);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('make' as const), path: file }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), path: file }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), path: folder }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rename' as const), path: file, to: file }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('scan' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unmarked' as const) }) },
);

/** Longer than the grain of a folder's time of change on any kernel. */
const TICK_MS = 12;

describe('any creates, removes, renames, restarts and scans', () => {
  it('R7, C21, C23, C27: the catalogue is what is there, and each file that went is told', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        let s = scanWorld();
        // Folders have rested when they are read, so that unchanged ones are skipped (C21).
        s.w.clock.wall = systemClock.now() + DAY_MS;
        const there = new Set<string>();
        /** Present at a scan, in the state that the catalogue is to have. */
        let seen = new Set<string>();
        let missing = 0;
        const scan = async () => {
          expect(await s.scanner.pass()).toBe('done');
          missing += [...seen].filter((path) => !there.has(path)).length;
          seen = new Set(there);
          // The clock says that folders have rested: what comes next must not fall into the tick of what was read (C21).
          await new Promise((resolve) => setTimeout(resolve, TICK_MS));
        };
        for (const one of steps) {
          if (one.do === 'make') {
            s.file(one.path);
            there.add(one.path);
          } else if (one.do === 'remove') {
            rmSync(join(s.root, one.path), { recursive: true, force: true });
            for (const path of [...there]) {
              if (path === one.path || path.startsWith(`${one.path}/`)) there.delete(path);
            }
          } else if (one.do === 'rename') {
            if (!existsSync(join(s.root, one.path)) || one.path === one.to) continue;
            mkdirSync(join(s.root, dirname(one.to)), { recursive: true });
            renameSync(join(s.root, one.path), join(s.root, one.to));
            there.delete(one.path);
            there.add(one.to);
          } else if (one.do === 'scan') await scan();
          else if (one.do === 'restart') s = s.restart();
          else {
            unlinkSync(join(s.root, MARKER_FILE));
            expect(await s.scanner.pass()).toBe('marker-missing');
            writeFileSync(join(s.root, MARKER_FILE), markerText(s.source));
          }
        }
        await scan();
        const present = [...s.rows()].filter(([, { state }]) => state === 0);
        expect(present.map(([path]) => path).sort()).toEqual([...there].sort());
        const told = s.told('recording.missing').reduce((sum, { data }) => sum + Number(data.count), 0);
        expect(told).toBe(missing);
        // No end is later than what is there allows, and none is before its own start.
        for (const camera of ['a', 'b']) {
          const rows = present.filter(([path]) => path.includes(`/${camera}/`)).map(([, row]) => row);
          const fresh = latestEnds(
            rows.map(({ start, spread }) => ({ start, spread, stated: null, known: null })),
            600_000,
          );
          for (const [at, { ends, start }] of rows.entries()) {
            expect(ends).toBeLessThanOrEqual(fresh[at] as number);
            expect(ends).toBeGreaterThan(start);
          }
        }
        s.w.journal.close();
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});
