/** What was copied, or given up, is not the last word: files that grow, are cut off, vanish, or whose copies are going. */
import { appendFileSync, statSync, truncateSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DAY_MS } from '../../../protocol/time.ts';
import { NOW, VaultWorld } from './vault-world.ts';

const AT = NOW - 5 * DAY_MS;
const EVER = { from: null, to: null };

/** A file's size of now, as a scan finds it that reads the folder again. */
function scanned(it1: VaultWorld, path: string): void {
  const { size, ino } = statSync(join(it1.root, path));
  it1.catalogue();
  it1.sql(`UPDATE recordings SET size = ${size}, inode = ${ino} WHERE state = 0`);
}

describe('agent/vault: again', () => {
  it('H6 a recording that grew after it was copied is copied anew, and nothing is said to have been done to it', async () => {
    const it1 = new VaultWorld();
    const [path = ''] = it1.footage(AT, 1);
    const hold = it1.hold(EVER);
    await it1.copy();
    appendFileSync(join(it1.root, path), Buffer.alloc(50_000, 7));
    await it1.copy();
    // The catalogue has forgotten it, until the next scan finds it as it is.
    scanned(it1, path);
    await it1.copy();
    expect(it1.told('hold.violated')).toEqual([]);
    expect([...it1.copies().values()]).toContain([...it1.digests([path]).values()][0]);
    expect(it1.vault.progress(hold).state).toBe('copied');
  });

  it('H6 what was cut off before it was copied is told, and what is left of it is copied', async () => {
    const it1 = new VaultWorld();
    const [path = ''] = it1.footage(AT, 1, 'gate', 9_000);
    truncateSync(join(it1.root, path), 4_000);
    const hold = it1.hold(EVER);
    await it1.copy();
    expect(it1.told('hold.violated')).toMatchObject([{ reason: 'truncated', count: 1 }]);
    scanned(it1, path);
    await it1.copy();
    await it1.copy();
    expect([...it1.copies().values()]).toEqual([...it1.digests([path]).values()]);
    expect(it1.told('hold.violated')).toHaveLength(1);
    // It is not what was held.
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'lost', done: 1, lost: 1 });
  });

  it('H2 held recordings that vanish before they are copied make their hold failed, not protected', async () => {
    const it1 = new VaultWorld();
    const [one = '', two = ''] = it1.footage(AT, 2);
    const hold = it1.hold(EVER);
    await it1.copy();
    const [late = ''] = it1.footage(AT + DAY_MS, 1);
    const row = it1.sql(`SELECT folder, name FROM recordings ORDER BY start DESC LIMIT 1`) as {
      folder: number;
      name: Buffer;
    }[];
    const { folder = 0, name = Buffer.alloc(0) } = row[0] ?? {};
    const at = AT + DAY_MS;
    const bounds = { startEarliest: at, startLatest: at, endLatest: at + 600_000 } as never;
    const found = it1.base.sweeps.row(folder, name.toString('latin1'));
    unlinkSync(join(it1.root, late));
    it1.sql(`UPDATE recordings SET state = 3 WHERE folder = ${folder}`);
    it1.write(() => {
      it1.vault.vanished(it1.source, [
        {
          folder,
          name: name.toString('latin1'),
          camera: it1.cameraId('gate'),
          bounds: found?.bounds ?? bounds,
        },
      ] as never);
    });
    expect(it1.stateCounts()).toEqual({ copied: 2, lost: 1 });
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'lost', done: 2, lost: 1 });
    expect([one, two].map((path) => it1.copies().has(path))).toEqual([true, true]);
  });

  it('H9 an original whose copy is being erased is copied when it is held again', async () => {
    const it1 = new VaultWorld();
    const [path = ''] = it1.footage(AT, 1);
    it1.hold(EVER);
    await it1.copy();
    // A crash in the middle of a slice, with its file gone.
    const [file = ''] = it1.kept();
    it1.sql('UPDATE vault_copies SET state = 4');
    unlinkSync(join(it1.path, file));
    const hold = it1.hold(EVER);
    await it1.copy();
    expect([...it1.copies().values()]).toEqual([...it1.digests([path]).values()]);
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copied', done: 1 });
  });

  it('H2 a round that broke is no copying: the hold is failed until one comes to its end', async () => {
    const it1 = new VaultWorld();
    it1.footage(AT, 2);
    const hold = it1.hold(EVER);
    let broken = true;
    const { rootOf } = it1;
    it1.rootOf = () => {
      if (broken) throw Object.assign(new Error('stale'), { code: 'ESTALE' });
      return rootOf.call(it1);
    };
    it1.vault.holdsChanged();
    await it1.vault.settled();
    broken = false;
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'failed', reason: 'ESTALE', total: 2 });
    it1.troubles.splice(0);
    await it1.copy();
    expect(it1.vault.progress(hold)).toMatchObject({ state: 'copied', reason: null });
  });
});
