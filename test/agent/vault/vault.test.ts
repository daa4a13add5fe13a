import { chmodSync, existsSync, mkdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVault } from '../../../agent/vault/place.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../protocol/time.ts';
import { digestOf, NOW, VaultWorld } from './vault-world.ts';

const AT = NOW - 5 * DAY_MS;

describe('agent/vault: copying', () => {
  it('H6, I1 copies what a hold covers, whole and verified, and says how many; nothing else', async () => {
    const it1 = new VaultWorld();
    const paths = it1.footage(AT, 5);
    it1.footage(AT + DAY_MS, 3);
    it1.footage(AT, 2, 'yard');
    const camera = it1.cameraId('gate');
    const hold = it1.hold({ from: AT, to: AT + HOUR_MS, cameras: [camera] });
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copying', done: 0, total: 5 });
    const before = it1.digests(paths);
    await it1.copy();
    expect(it1.copies()).toEqual(before);
    expect(it1.vault.progress(hold)).toEqual({
      ...{ state: 'copied', done: 5, total: 5, bytes: 15_000, leftBytes: 0, lost: 0, reason: null },
    });
    const [told] = it1.told('vault.copied');
    expect(told).toMatchObject({ hold, batch: 1, count: 5, bytes: 15_000 });
    expect(it1.told('hold.violated')).toEqual([]);
  });

  it('I1 copies what begins first before what begins later, over cameras and holds', async () => {
    const order: string[] = [];
    const it1 = new VaultWorld();
    for (const [n, camera] of ['a', 'b', 'a', 'b'].entries()) it1.footage(AT + n * HOUR_MS, 2, camera);
    it1.hold({ from: AT, to: AT + 90 * MINUTE_MS });
    it1.hold({ from: AT + 2 * HOUR_MS, to: AT + 4 * HOUR_MS });
    await it1.copy();
    for (const row of it1.sql('SELECT path FROM vault_copies ORDER BY id') as { path: Buffer }[]) {
      order.push(row.path.toString());
    }
    expect(order).toHaveLength(8);
    const hours = order.map((path) => `${path.slice(11, 13)}:${path.slice(-9, -7)}`);
    expect(hours).toEqual([...hours].sort());
  });

  it('I3 the folder is for nobody else, names say nothing, and the times are the original’s (I7)', async () => {
    const it1 = new VaultWorld();
    const [path = ''] = it1.footage(AT, 1);
    utimesSync(join(it1.root, path), 1_600_000_000, 1_600_000_123);
    it1.hold({ from: null, to: null });
    await it1.copy();
    expect(statSync(it1.path).mode & 0o777).toBe(0o700);
    const [name = ''] = it1.kept();
    expect(name).toMatch(/^[0-9a-f]{32}$/);
    const copy = statSync(join(it1.path, name));
    expect(copy.mode & 0o777).toBe(0o600);
    expect(copy.mtimeMs).toBe(1_600_000_123_000);
    expect(copy.atimeMs).toBeGreaterThanOrEqual(1_600_000_000_000);
    expect(copy.ino).not.toBe(statSync(join(it1.root, path)).ino);
  });

  it('D4 what is catalogued after the hold was placed is copied with the next pass', async () => {
    const it1 = new VaultWorld();
    it1.footage(AT, 1);
    const hold = it1.hold({ from: AT, to: null });
    await it1.copy();
    it1.footage(AT + HOUR_MS, 2);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copying', done: 1, total: 3 });
    it1.vault.scanned();
    await it1.vault.settled();
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copied', done: 3, total: 3 });
    expect(it1.told('vault.copied').map(({ batch, count }) => [batch, count])).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it('two holds over one file: one copy, told for both', async () => {
    const it1 = new VaultWorld();
    it1.footage(AT, 2);
    const [a, b] = [it1.hold({ from: null, to: AT }), it1.hold({ from: AT, to: null })];
    await it1.copy();
    expect(it1.kept()).toHaveLength(2);
    const told = it1.told('vault.copied');
    // The first begins at `a`'s end and ends after `b`'s begin: both cover it.
    expect(told.map(({ hold, count }) => [hold, count]).sort()).toEqual(
      [
        [a, 1],
        [b, 2],
      ].sort(),
    );
  });

  it('H2 not needed: a recorder that leaves the erasing to us, or nothing covered', async () => {
    const ours = new VaultWorld({ mode: 'erase' });
    ours.footage(AT, 1);
    const hold = ours.hold({ from: null, to: null });
    await ours.copy();
    expect(ours.vault.progress(hold)).toMatchObject({ state: 'not-needed', total: 0 });
    expect(existsSync(ours.path)).toBe(false);
    const theirs = new VaultWorld({ mode: 'erase', recorderDeletes: true });
    theirs.footage(AT, 1);
    const needed = theirs.hold({ from: null, to: null });
    await theirs.copy();
    expect(theirs.vault.progress(needed)).toMatchObject({ state: 'copied', done: 1 });
    const elsewhere = theirs.hold({ from: NOW + DAY_MS, to: null });
    await theirs.copy();
    expect(theirs.vault.progress(elsewhere)).toMatchObject({ state: 'not-needed' });
  });

  it('D2 holds that cannot be read: nothing is copied, nothing goes, and that is said', async () => {
    const it1 = new VaultWorld();
    it1.footage(AT, 1);
    const hold = it1.hold({ from: null, to: null });
    it1.sql("UPDATE holds SET scope = '{'");
    await it1.copy();
    expect(it1.kept()).toEqual([]);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'holds-unreadable' });
  });

  it('an empty recording is a recording: copied as it is', async () => {
    const it1 = new VaultWorld();
    const paths = it1.footage(AT, 1, 'gate', 0);
    it1.hold({ from: null, to: null });
    await it1.copy();
    expect(it1.copies()).toEqual(it1.digests(paths));
  });

  it('another vault in agent.yaml: copies of the old one stay known, new ones go to the new one', async () => {
    const it1 = new VaultWorld();
    const old = it1.footage(AT, 1);
    const hold = it1.hold({ from: null, to: null });
    await it1.copy();
    const first = it1.path;
    it1.footage(AT + HOUR_MS, 1);
    it1.config.path = join(it1.base.dir, 'other');
    it1.restart();
    await it1.copy();
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copied', done: 2 });
    expect(it1.kept()).toHaveLength(1);
    expect(digestOf(join(first, firstCopy(it1)))).toBe(it1.digests(old).get(old[0] ?? ''));
  });

  it('I4 a vault in a root, or around one, is refused by that name', async () => {
    const it1 = new VaultWorld();
    it1.footage(AT, 1);
    const hold = it1.hold({ from: null, to: null });
    for (const path of [join(it1.root, 'vault'), it1.root, join(it1.root, '..')]) {
      it1.config.path = path;
      it1.restart();
      await it1.copy();
      expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'vault-in-root' });
      expect(existsSync(join(it1.root, 'vault'))).toBe(false);
    }
  });

  it('I3 a folder with somebody else’s files is not taken, and not closed to them', async () => {
    const it1 = new VaultWorld();
    it1.footage(AT, 1);
    const hold = it1.hold({ from: null, to: null });
    mkdirSync(it1.path);
    chmodSync(it1.path, 0o755);
    writeFileSync(join(it1.path, 'letters.txt'), 'private');
    await it1.copy();
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'vault-not-empty' });
    expect(statSync(it1.path).mode & 0o777).toBe(0o755);
    expect(it1.kept()).toEqual(['letters.txt']);
  });

  it('I3 a folder with a marker that no row names is taken up again, as after a lost database', async () => {
    const it1 = new VaultWorld();
    it1.footage(AT, 1);
    it1.hold({ from: null, to: null });
    await it1.copy();
    const [first = ''] = it1.kept();
    it1.sql('DELETE FROM vault_copies');
    it1.sql('DELETE FROM vaults');
    it1.restart();
    await it1.copy();
    await it1.copy();
    expect(it1.kept()).toHaveLength(2);
    expect(it1.kept()).toContain(first);
    expect(it1.told('recording.unknown')).toMatchObject([{ count: 1, reason: 'unknown-file' }]);
  });

  it('a vault that is not the one that was made is not written to, and its copies are not called safe', async () => {
    const it1 = new VaultWorld();
    it1.footage(AT, 1);
    const hold = it1.hold({ from: null, to: null });
    await it1.copy();
    renameSync(it1.path, `${it1.path}.away`);
    mkdirSync(it1.path);
    it1.footage(AT + HOUR_MS, 1);
    await it1.copy();
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'marker-missing' });
    expect(it1.kept()).toEqual([]);
    expect(it1.told('recordings.root-suspect')).toMatchObject([{ reason: 'marker-missing' }]);
    expect(it1.told('vault.failed')).toMatchObject([{ hold, reason: 'marker-missing', count: 1 }]);
  });

  it('a folder that cannot be made says why: its parent is not there, a mount that is missing', async () => {
    const it1 = new VaultWorld({ config: { path: '/nowhere-at-all/vault' } });
    const found = openVault({
      ...{ journal: it1.base.journal, store: it1.base.vault, random: () => Buffer.alloc(16) },
      ...{ path: it1.config.path ?? '', roots: () => [] },
    });
    expect(found).toBe('ENOENT');
  });
});

/** Name of the copy in the first vault. */
function firstCopy(it1: VaultWorld): string {
  const [row] = it1.sql('SELECT file FROM vault_copies ORDER BY id LIMIT 1') as { file: Buffer }[];
  return row?.file.toString('hex') ?? '';
}
