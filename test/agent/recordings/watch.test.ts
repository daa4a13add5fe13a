import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import { chokidarWatcher, HotWatch, isNetwork, type MakeWatcher } from '../../../agent/recordings/watch.ts';
import { systemClock, toIso } from '../../../protocol/time.ts';
import type { TestClock } from '../support.ts';
import { type ScanWorld, scanWorld } from './scan-world.ts';

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

function watchOf(s: ScanWorld, watcher: MakeWatcher | null, polled = false) {
  const seen = { lost: 0, reconciled: 0 };
  const clock = {
    ...systemClock,
    now: () => s.w.clock.now(),
    mono: () => systemClock.mono(),
    after: systemClock.after,
  };
  const hot = new HotWatch(
    {
      ...{ catalogue: s.w.catalogue, clock, watcher },
      look: (folders) => s.scanner.look(folders),
      reconcile: async () => {
        seen.reconciled += 1;
        await s.scanner.pass({ full: true });
      },
      lost: () => {
        seen.lost += 1;
      },
      failed: (error) => {
        throw error;
      },
      pending: () => s.scanner.pending,
    },
    {
      id: s.id,
      root: s.root,
      layout: layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null }),
      polled,
    },
  );
  running.push(s.scanner, hot);
  return { hot, seen };
}

/** Folder of the present hour. */
function hourOf(clock: TestClock, hours = 0): string {
  const iso = toIso(clock.now());
  return `${iso.slice(0, 10)}/${String(Number(iso.slice(11, 13)) + hours).padStart(2, '0')}`;
}

async function until(check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !check(); tries++) await setTimeout(50);
}

function finish(s: ScanWorld, path: string): void {
  mkdirSync(join(s.root, dirname(path)), { recursive: true });
  writeFileSync(join(s.root, 'cache.tmp'), 'recording');
  renameSync(join(s.root, 'cache.tmp'), join(s.root, path));
}

describe('hot folders', () => {
  it.each(['watched', 'polled'] as const)(
    'C31, C32: a recording in a hot folder, and in a new one, is catalogued: %s',
    async (how) => {
      const s = scanWorld();
      finish(s, `${hourOf(s.w.clock)}/door/00.00.mp4`);
      await s.scanner.pass();
      const { hot } = watchOf(s, chokidarWatcher, how === 'polled');
      await hot.start();
      finish(s, `${hourOf(s.w.clock)}/door/00.10.mp4`);
      await until(() => s.rows().size === 2);
      expect(s.rows().size).toBe(2);
      finish(s, `${hourOf(s.w.clock, 1)}/door/00.00.mp4`);
      finish(s, `${hourOf(s.w.clock, 1)}/door/00.10.mp4`);
      await until(() => s.rows().size === 4);
      expect(s.rows().size).toBe(4);
    },
  );

  it('C30: a watcher that fails is told once, and the whole tree is read again', async () => {
    const s = scanWorld();
    finish(s, `${hourOf(s.w.clock)}/door/00.00.mp4`);
    await s.scanner.pass();
    s.file('2026-11-01/08/door/00.00.mp4');
    const { hot, seen } = watchOf(s, async (_path, on) => {
      on.failed();
      return { close: async () => {} };
    });
    await hot.start();
    await until(() => s.rows().size === 2);
    expect(s.rows().size).toBe(2);
    expect(seen).toEqual({ lost: 1, reconciled: 1 });
  });

  it('C32: which file systems are polled', () => {
    expect(['nfs4', 'cifs', 'smb3', 'fuse.sshfs'].every(isNetwork)).toBe(true);
    expect(['ext4', 'xfs', 'btrfs', 'tmpfs', 'fuseblk', 'zfs'].some(isNetwork)).toBe(false);
  });
});
