import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../../protocol/time.ts';
import { mountTmpfs } from '../support.ts';
import { KILLED, NOW, VaultWorld } from './vault-world.ts';

const AT = NOW - 5 * DAY_MS;
const EVER = { from: null, to: null };

/** As Frigate's cleaner does it under pressure: the file is cut off, and only then unlinked (its own words). */
const CLEANER = 'import os,sys\nfor p in sys.argv[1:]:\n open(p,"w").close()\n os.unlink(p)\n';

function frigateCleans(paths: readonly string[]): void {
  const done = spawnSync('python3', ['-c', CLEANER, ...paths], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`the cleaner failed: ${done.stderr}`);
}

const POINTS = [
  'agent.vault.begun',
  'agent.vault.made',
  'agent.vault.slice',
  'agent.vault.written',
  'agent.vault.hashed',
  'agent.vault.verified',
  'agent.vault.settled',
  'agent.vault.telling',
  'agent.vault.told',
];

describe('agent/vault: crashes', () => {
  it.each(POINTS)(
    'I9 thrown out at %s: each file is copied and told once, nothing else is left',
    async (point) => {
      for (const nth of [1, 3]) {
        let reached = 0;
        const faults = {
          hit(at: string) {
            if (at === point && ++reached === nth) throw new Error(KILLED);
          },
        };
        const it1 = new VaultWorld({ faults });
        const paths = it1.footage(AT, 4);
        const hold = it1.hold(EVER);
        const before = it1.digests(paths);
        await it1.copy();
        it1.restart();
        await it1.copy();
        expect(it1.copies()).toEqual(before);
        expect(it1.kept()).toHaveLength(4);
        expect(it1.stateCounts()).toEqual({ copied: 4 });
        const told = it1.told('vault.copied').reduce((sum, { count }) => sum + Number(count), 0);
        expect(told).toBe(4);
        expect(it1.vault.progress(hold)).toMatchObject({ state: 'copied', done: 4 });
      }
    },
  );

  it.each(POINTS.slice(4))(
    'I9 thrown out at %s, and the recorder cuts the original off and removes it: the copy is whole',
    async (point) => {
      const it1 = new VaultWorld({
        faults: {
          hit(at) {
            if (at === point) throw new Error(KILLED);
          },
        },
      });
      const paths = it1.footage(AT, 1);
      it1.hold(EVER);
      const before = it1.digests(paths);
      await it1.copy();
      frigateCleans(paths.map((path) => join(it1.root, path)));
      it1.restart();
      await it1.copy();
      expect(it1.copies()).toEqual(before);
    },
  );

  it('I9 a part that is not what its row says is not taken for a copy', async () => {
    const it1 = new VaultWorld({
      faults: {
        hit(at) {
          if (at === 'agent.vault.hashed') throw new Error(KILLED);
        },
      },
    });
    const paths = it1.footage(AT, 1);
    it1.hold(EVER);
    await it1.copy();
    const [part = ''] = it1.kept();
    expect(part).toMatch(/\.part$/);
    writeFileSync(join(it1.path, part), 'torn');
    it1.restart();
    await it1.copy();
    expect(it1.copies()).toEqual(it1.digests(paths));
    expect(it1.kept()).toHaveLength(1);
  });

  it('I9 parts that no row names go, copies that no row names stay and are told', async () => {
    const it1 = new VaultWorld();
    it1.footage(AT, 1);
    it1.hold(EVER);
    await it1.copy();
    writeFileSync(join(it1.path, `${'a'.repeat(32)}.part`), 'x');
    writeFileSync(join(it1.path, 'b'.repeat(32)), 'of a database that was lost');
    writeFileSync(join(it1.path, 'notes.txt'), 'of somebody');
    it1.restart();
    await it1.copy();
    expect(it1.kept().filter((name) => !/^[0-9a-f]{32}$/.test(name))).toEqual(['notes.txt']);
    expect(it1.kept()).toContain('b'.repeat(32));
    expect(it1.told('recording.unknown')).toMatchObject([{ reason: 'unknown-file', count: 1 }]);
  });
});

describe('agent/vault: what the recorder does meanwhile', () => {
  it('I5 cut off, then unlinked, while it is copied: no half of it is kept, and what happened is told', async () => {
    const it1 = new VaultWorld({
      faults: {
        hit(at) {
          if (at === 'agent.vault.slice' && !done) {
            done = true;
            frigateCleans([join(it1.root, paths[0] ?? '')]);
          }
        },
      },
    });
    let done = false;
    const paths = it1.footage(AT, 2, 'gate', 1_500_000);
    const hold = it1.hold(EVER);
    const [, second = ''] = paths;
    const before = it1.digests([second]);
    await it1.copy();
    expect(it1.copies()).toEqual(before);
    expect(it1.kept()).toHaveLength(1);
    const span = { from: new Date(AT).toISOString() };
    expect(it1.told('hold.violated')).toMatchObject([
      {
        source: it1.source,
        camera: it1.cameraId('gate'),
        hold,
        count: 1,
        copied: 0,
        reason: 'truncated',
        ...span,
      },
    ]);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'lost', done: 1, lost: 1 });
    // Told once, and not tried for ever.
    await it1.copy();
    expect(it1.told('hold.violated')).toHaveLength(1);
  });

  it('I5 a cleaner of its own runs while a hundred files are copied: each copy is whole, each loss is told', async () => {
    const it1 = new VaultWorld();
    const paths = it1.footage(AT, 100, 'gate', 40_000);
    it1.hold(EVER);
    const before = it1.digests(paths);
    const cleaner = spawn('python3', ['-c', CLEANER, ...paths.map((path) => join(it1.root, path)).reverse()]);
    const over = new Promise((resolve) => cleaner.on('exit', resolve));
    await it1.copy();
    await over;
    const copies = it1.copies();
    for (const [path, digest] of copies) expect(digest).toBe(before.get(path));
    const { lost = 0, copied = 0 } = it1.stateCounts();
    const told = it1.told('hold.violated').reduce((sum, { count }) => sum + Number(count), 0);
    expect(told).toBe(lost);
    expect(it1.kept()).toHaveLength(copied);
    // What was gone before it was looked at is missed by the scan, not by the vault.
    expect(copied + lost).toBeLessThanOrEqual(100);
  });

  it('H6 cut off and unlinked after it was copied: the copy is whole, where a hard link is empty', async () => {
    const it1 = new VaultWorld();
    const paths = it1.footage(AT, 3);
    const hold = it1.hold(EVER);
    const before = it1.digests(paths);
    await it1.copy();
    const link = join(it1.base.dir, 'link');
    linkSync(join(it1.root, paths[0] ?? ''), link);
    frigateCleans(paths.map((path) => join(it1.root, path)));
    expect(readFileSync(link)).toHaveLength(0);
    expect(it1.copies()).toEqual(before);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copied', done: 3 });
  });

  it('I8 cut off under its name after it was copied: seen by the next round, told once, and that it is copied', async () => {
    const it1 = new VaultWorld();
    const paths = it1.footage(AT, 3);
    const hold = it1.hold(EVER);
    await it1.copy();
    for (const path of paths.slice(0, 2)) truncateSync(join(it1.root, path));
    await it1.copy();
    await it1.copy();
    expect(it1.told('hold.violated')).toMatchObject([{ hold, count: 2, copied: 2, reason: 'truncated' }]);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copied', done: 3 });
  });

  it('I8 a held copy that somebody took out of the vault is told, and made anew where the original is there', async () => {
    const it1 = new VaultWorld();
    const paths = it1.footage(AT, 2);
    const hold = it1.hold(EVER);
    const before = it1.digests(paths);
    await it1.copy();
    for (const name of it1.kept()) unlinkSync(join(it1.path, name));
    await it1.copy();
    const violated = it1.told('hold.violated');
    expect(violated).toMatchObject([{ hold, count: 2, copied: 0, reason: 'copy-gone' }]);
    await it1.copy();
    expect(it1.copies()).toEqual(before);
    // And where it is not: said as it is.
    for (const path of paths) unlinkSync(join(it1.root, path));
    it1.sql('UPDATE recordings SET state = 3');
    for (const name of it1.kept()) writeFileSync(join(it1.path, name), 'not what was copied');
    await it1.copy();
    expect(it1.told('hold.violated')).toHaveLength(2);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'lost', done: 0, lost: 2 });
  });

  it('I5 a file that grows while it is read is tried again, and copied when it rests', async () => {
    let grows = true;
    const it1 = new VaultWorld({
      faults: {
        hit(at) {
          if (at === 'agent.vault.slice' && grows) appendFileSync(join(it1.root, paths[0] ?? ''), 'more');
        },
      },
    });
    const paths = it1.footage(AT, 1, 'gate', 700_000);
    const hold = it1.hold(EVER);
    await it1.copy();
    expect(it1.kept()).toEqual([]);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'growing' });
    expect(it1.told('vault.failed')).toMatchObject([{ hold, reason: 'growing', count: 1 }]);
    grows = false;
    await it1.copy();
    expect(it1.copies()).toEqual(it1.digests(paths));
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copied' });
  });

  it('I5 rewritten in place with the same size while it is read: not taken for whole', async () => {
    let writes = true;
    const it1 = new VaultWorld({
      faults: {
        hit(at) {
          if (at !== 'agent.vault.slice' || !writes) return;
          writes = false;
          writeFileSync(join(it1.root, paths[0] ?? ''), Buffer.alloc(700_000, 9));
        },
      },
    });
    const paths = it1.footage(AT, 1, 'gate', 700_000);
    const hold = it1.hold(EVER);
    await it1.copy();
    expect(it1.vault.progress(hold).state).not.toBe('copied');
    await it1.copy();
    expect(it1.copies()).toEqual(it1.digests(paths));
  });

  it('vanished before it was copied: left to the scan, no failure and no copy', async () => {
    const it1 = new VaultWorld();
    const paths = it1.footage(AT, 2);
    const hold = it1.hold(EVER);
    unlinkSync(join(it1.root, paths[0] ?? ''));
    await it1.copy();
    expect(it1.kept()).toHaveLength(1);
    expect(it1.told('hold.violated')).toEqual([]);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copying', done: 1, total: 2 });
  });

  it('I6 replaced by a link, a folder, a pipe: never followed, told as changed', async () => {
    for (const replace of [
      (path: string) => symlinkSync('/etc/hostname', path),
      (path: string) => mkdirSync(path),
      (path: string) => void spawnSync('mkfifo', [path]),
    ]) {
      const it1 = new VaultWorld();
      const [path = ''] = it1.footage(AT, 1);
      const hold = it1.hold(EVER);
      unlinkSync(join(it1.root, path));
      replace(join(it1.root, path));
      await it1.copy();
      expect(it1.kept()).toEqual([]);
      expect(it1.told('hold.violated')).toMatchObject([{ hold, count: 1, copied: 0, reason: 'changed' }]);
    }
  });

  it('I6 a folder on the way is a link now: nothing is read through it', async () => {
    const it1 = new VaultWorld();
    const [path = ''] = it1.footage(AT, 1);
    const hold = it1.hold(EVER);
    const [day = ''] = path.split('/');
    renameSync(join(it1.root, day), join(it1.base.dir, 'elsewhere'));
    symlinkSync(join(it1.base.dir, 'elsewhere'), join(it1.root, day));
    await it1.copy();
    expect(it1.kept()).toEqual([]);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'blocked' });
  });

  it('replaced by another file: told, catalogued anew, and that one is copied as well', async () => {
    const it1 = new VaultWorld();
    const [path = ''] = it1.footage(AT, 1);
    const hold = it1.hold(EVER);
    writeFileSync(join(it1.root, `${path}.new`), 'remuxed');
    renameSync(join(it1.root, `${path}.new`), join(it1.root, path));
    await it1.copy();
    expect(it1.told('hold.violated')).toMatchObject([{ hold, reason: 'changed', copied: 0 }]);
    it1.catalogue();
    await it1.copy();
    expect(it1.copies()).toEqual(it1.digests([path]));
  });
});

describe('agent/vault: a file system with reflinks', () => {
  it('H6 shares the extents with the original, and is whole when that is cut off: also in the middle', async (context) => {
    const volume = reflinks(context);
    const vault = join(volume, 'vault');
    let cleaned = false;
    const it1 = new VaultWorld({
      root: join(volume, 'recordings'),
      config: { path: vault },
      faults: {
        hit(at) {
          // The clone is made; what is read now is the clone.
          if (at !== 'agent.vault.slice' || cleaned) return;
          cleaned = true;
          frigateCleans([join(it1.root, paths[0] ?? '')]);
        },
      },
    });
    const paths = it1.footage(AT, 2, 'gate', 3_000_000);
    const hold = it1.hold(EVER);
    const before = it1.digests(paths);
    await it1.copy();
    expect(it1.copies()).toEqual(before);
    expect(it1.told('hold.violated')).toEqual([]);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copied', done: 2 });
    const [name = ''] = it1.kept();
    expect(statSync(join(vault, name)).mode & 0o777).toBe(0o600);
    const extents = spawnSync('filefrag', ['-v', join(vault, it1.kept()[1] ?? '')], { encoding: 'utf8' });
    const both = spawnSync('filefrag', ['-v', join(vault, name)], { encoding: 'utf8' });
    expect(`${extents.stdout}${both.stdout}`).toContain('shared');
  });
});

/** A small XFS; where this user may not make one, or has no mkfs.xfs, the test is skipped and says so. */
function reflinks(context: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-xfs-'));
  const volume = join(dir, 'volume');
  mkdirSync(volume);
  const steps: [string, string[]][] = [
    ['truncate', ['-s', '320M', join(dir, 'image')]],
    ['mkfs.xfs', ['-q', '-m', 'reflink=1', join(dir, 'image')]],
    ['mount', ['-o', 'loop', join(dir, 'image'), volume]],
  ];
  const failed = steps.find(([program, args]) => spawnSync(program, args).status !== 0);
  context.onTestFinished(() => {
    spawnSync('umount', ['-l', volume]);
    rmSync(dir, { recursive: true, force: true });
  });
  if (failed !== undefined) {
    console.error(`NOT TESTED: no file system with reflinks (${failed[0]})`);
    context.skip('no file system with reflinks could be made');
  }
  return volume;
}

describe('agent/vault: room', () => {
  it('I2 over the quota: the whole hold is refused and told once; a smaller one is served', async () => {
    const it1 = new VaultWorld({ config: { quotaBytes: 10_000 } });
    it1.footage(AT, 5);
    it1.footage(AT + DAY_MS, 2);
    const wide = it1.hold({ from: AT, to: AT + HOUR_MS });
    const narrow = it1.hold({ from: AT + DAY_MS, to: AT + DAY_MS + HOUR_MS });
    await it1.copy();
    await it1.copy();
    expect(it1.vault.progress(wide)).toMatchObject({
      state: 'failed',
      reason: 'vault-quota',
      done: 0,
      total: 5,
    });
    expect(it1.vault.progress(narrow)).toMatchObject({ state: 'copied', done: 2 });
    expect(it1.told('vault.failed')).toEqual([
      { hold: wide, reason: 'vault-quota', count: 5, bytes: 15_000 },
    ]);
    it1.config.quotaBytes = null;
    await it1.copy();
    expect(it1.vault.progress(wide)).toMatchObject({ state: 'copied', done: 5 });
  });

  it('I2 it would leave less than the set hours of recording: refused; another volume serves', async (context) => {
    const it1 = new VaultWorld({ config: { leaveHours: 1e9 } });
    it1.footage(AT, 60);
    const hold = it1.hold(EVER);
    await it1.copy();
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'vault-leaves-too-little' });
    expect(it1.kept()).toEqual([]);
    const volume = join(it1.base.dir, 'volume');
    mountTmpfs(context, volume, 'size=4m');
    it1.config.path = join(volume, 'vault');
    it1.restart();
    await it1.copy();
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copied', done: 60 });
  });

  it('I10 the disk fills up while it copies: what is whole stays, nothing half, and it goes on when there is room', async (context) => {
    const it1 = new VaultWorld();
    const volume = join(it1.base.dir, 'volume');
    mountTmpfs(context, volume, 'size=3m');
    it1.config.path = join(volume, 'vault');
    let filled = false;
    it1.restart({
      hit(at) {
        if (at !== 'agent.vault.told' && at !== 'agent.vault.settled') return;
        if (filled) return;
        filled = true;
        spawnSync('dd', ['if=/dev/zero', `of=${volume}/other`, 'bs=64k', 'count=38'], { stdio: 'ignore' });
      },
    });
    const paths = it1.footage(AT, 4, 'gate', 400_000);
    const hold = it1.hold(EVER);
    const before = it1.digests(paths);
    await it1.copy();
    const stuck = it1.vault.progress(hold);
    expect(stuck).toMatchObject({ state: 'failed', reason: 'vault-space' });
    expect(stuck.done).toBeLessThan(4);
    expect(it1.kept()).toHaveLength(stuck.done);
    for (const [path, digest] of it1.copies()) expect(digest).toBe(before.get(path));
    unlinkSync(join(volume, 'other'));
    await it1.copy();
    expect(it1.copies()).toEqual(before);
  });

  it('I10 full in the middle of a file: nothing of it is left', async (context) => {
    const it1 = new VaultWorld();
    const volume = join(it1.base.dir, 'volume');
    mountTmpfs(context, volume, 'size=3m');
    it1.config.path = join(volume, 'vault');
    let filled = false;
    it1.restart({
      hit(at) {
        if (at !== 'agent.vault.slice' || filled) return;
        filled = true;
        spawnSync('dd', ['if=/dev/zero', `of=${volume}/other`, 'bs=64k', 'count=64'], { stdio: 'ignore' });
      },
    });
    const paths = it1.footage(AT, 1, 'gate', 2_000_000);
    const hold = it1.hold(EVER);
    await it1.copy();
    expect(it1.kept()).toEqual([]);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'vault-space', done: 0 });
    unlinkSync(join(volume, 'other'));
    await it1.copy();
    expect(it1.copies()).toEqual(it1.digests(paths));
  });

  it('stopped in the middle of a file: nothing half, and the next start makes it', async () => {
    const it1 = new VaultWorld({
      faults: {
        hit(at) {
          if (at === 'agent.vault.slice') void it1.vault.stop();
        },
      },
    });
    const paths = it1.footage(AT, 2, 'gate', 1_200_000);
    it1.hold(EVER);
    await it1.copy();
    expect(it1.kept()).toEqual([]);
    it1.restart();
    it1.vault.start();
    await it1.vault.settled();
    expect(it1.copies()).toEqual(it1.digests(paths));
  });
});
