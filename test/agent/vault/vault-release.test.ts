import { appendFileSync, existsSync, linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FaultSeam } from '../../../agent/types.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, utcMs } from '../../../protocol/time.ts';
import { KILLED, NOW, VaultWorld } from './vault-world.ts';

/** Ended 31 days ago: due by the rule of 30. */
const OLD = NOW - 31 * DAY_MS;
const EVER = { from: null, to: null };

async function kept(faults: FaultSeam = {}, count = 3, at = OLD) {
  const it1 = new VaultWorld({ faults });
  const paths = it1.footage(at, count);
  const hold = it1.hold(EVER);
  await it1.copy();
  expect(it1.kept()).toHaveLength(count);
  return { it1, paths, hold };
}

describe('agent/vault: release', () => {
  it('H9, I11 held: stays; released and due: goes through the door, told before and after, with the original’s policy', async () => {
    const { it1, hold } = await kept();
    await it1.sweepVault();
    expect(it1.kept()).toHaveLength(3);
    it1.release(hold);
    await it1.sweepVault();
    expect(it1.kept()).toEqual([]);
    const [erasing] = it1.told('vault.erasing');
    const [erased] = it1.told('vault.erased');
    const facts = { source: it1.source, camera: it1.cameraId('gate'), count: 3, bytes: 9_000 };
    const policy = { policy: 'dk-msp', version: 1 };
    expect(erasing).toMatchObject({ ...facts, ...policy, from: new Date(OLD).toISOString() });
    expect(erased).toMatchObject({ ...facts, ...policy, failed: 0, unseen: 0 });
    expect(erased?.listRoot).toBe(erasing?.listRoot);
    // The first of them ends with the next one's start; that end counts, not when the copy was made.
    const due = OLD + MINUTE_MS + 30 * DAY_MS;
    expect(erased?.dueAt).toBe(new Date(due).toISOString());
    expect(erased?.lateSeconds).toBe((NOW - due) / 1000);
    // Of the original nothing was said, and nothing of it was touched.
    expect(it1.files()).toHaveLength(3);
    expect(it1.told('recordings.erased')).toEqual([]);
    // Its name is gone with it.
    const names = it1.sql("SELECT id FROM vault_copies WHERE path <> x'' OR name <> x''");
    expect(names).toEqual([]);
  });

  it('I11 released before its period is over: stays until then, whatever became of the original', async () => {
    const { it1, paths, hold } = await kept({}, 1, NOW - 5 * DAY_MS);
    it1.release(hold);
    rmSync(join(it1.root, paths[0] ?? ''));
    await it1.sweepVault();
    expect(it1.kept()).toHaveLength(1);
    const ends = NOW - 5 * DAY_MS + 10 * MINUTE_MS;
    it1.trusted = utcMs(ends + 30 * DAY_MS - 1);
    await it1.sweepVault();
    expect(it1.kept()).toHaveLength(1);
    it1.trusted = utcMs(ends + 30 * DAY_MS);
    await it1.sweepVault();
    expect(it1.kept()).toEqual([]);
  });

  it('D1 two holds over one file, one released: the copy stays; then the other: it goes', async () => {
    const { it1, hold } = await kept();
    const second = it1.hold({ from: OLD + MINUTE_MS, to: OLD + HOUR_MS });
    it1.release(hold);
    await it1.sweepVault();
    // The first ends where the second hold begins: all three are covered still.
    expect(it1.kept()).toHaveLength(3);
    it1.release(second);
    await it1.sweepVault();
    expect(it1.kept()).toEqual([]);
  });

  it('I11 nothing goes without trusted time, confirmed commands, a policy, holds that can be read, or under the floor', async () => {
    const { it1, hold } = await kept();
    it1.release(hold);
    const stays = async () => {
      await it1.sweepVault();
      expect(it1.kept()).toHaveLength(3);
      expect(it1.told('vault.erasing')).toEqual([]);
    };
    it1.trusted = null;
    await stays();
    it1.trusted = utcMs(NOW);
    it1.unconfirmed = true;
    await stays();
    it1.unconfirmed = false;
    const { policy } = it1;
    it1.policy = null;
    await stays();
    it1.policy = policy;
    it1.floorMs = 32 * DAY_MS;
    await stays();
    it1.floorMs = 0;
    const unreadable = it1.hold(EVER);
    it1.sql("UPDATE holds SET scope = '?' WHERE released_at IS NULL");
    await stays();
    it1.release(unreadable);
    await it1.sweepVault();
    expect(it1.kept()).toEqual([]);
  });

  it('R5 also where the recorder’s own recordings are only reported: the copy is ours', async () => {
    const { it1, hold } = await kept();
    expect(it1.mode).toBe('report');
    it1.release(hold);
    await it1.run();
    await it1.sweepVault();
    expect(it1.files()).toHaveLength(3);
    expect(it1.kept()).toEqual([]);
  });

  it.each(['agent.vault.erasing', 'agent.vault.unlinked', 'agent.vault.erased'])(
    'I12 thrown out at %s: a restart finishes it, and each copy is told as gone once',
    async (point) => {
      let armed = true;
      const { it1, hold } = await kept({
        hit(at) {
          if (at !== point || !armed) return;
          armed = false;
          throw new Error(KILLED);
        },
      });
      it1.release(hold);
      await it1.sweepVault();
      it1.restart();
      await it1.sweepVault();
      await it1.sweepVault();
      expect(it1.kept()).toEqual([]);
      expect(it1.stateCounts()).toEqual({ erased: 3 });
      const sum = (type: string) => it1.told(type).reduce((all, { count }) => all + Number(count), 0);
      expect(sum('vault.erased')).toBe(3);
      expect(it1.told('vault.erasing').length).toBe(it1.told('vault.erased').length);
    },
  );

  it('R2 a hold that another process places after the marking: what is not unlinked yet stays', async () => {
    const { it1, hold } = await kept({
      hit(at) {
        if (at === 'agent.vault.erasing') it1.hold(EVER);
      },
    });
    it1.release(hold);
    await it1.sweepVault();
    expect(it1.kept()).toHaveLength(3);
    expect(it1.stateCounts()).toEqual({ copied: 3 });
    expect(it1.told('vault.erased')).toMatchObject([{ count: 0, failed: 3 }]);
  });

  it('C18 a copy that is another file than was made, or has a second name, is left and counted', async () => {
    const { it1, hold } = await kept();
    it1.release(hold);
    const [a = '', b = '', c = ''] = it1.kept().map((name) => join(it1.path, name));
    appendFileSync(a, 'x');
    linkSync(b, join(it1.base.dir, 'second'));
    renameSync(c, `${c}.away`);
    writeFileSync(c, Buffer.alloc(3_000));
    await it1.sweepVault();
    expect([a, b, c].every((path) => existsSync(path))).toBe(true);
    expect(it1.told('vault.erased')).toMatchObject([{ count: 0, failed: 3 }]);
    // Not with each hour.
    await it1.sweepVault();
    expect(it1.told('vault.erased')).toHaveLength(1);
    it1.base.clock.ticks += DAY_MS;
    rmSync(join(it1.base.dir, 'second'));
    await it1.sweepVault();
    expect(existsSync(b)).toBe(false);
  });

  it('R3 another vault lies there: nothing in it is erased', async () => {
    const { it1, hold } = await kept();
    it1.release(hold);
    writeFileSync(join(it1.path, '.tilsyn-source'), JSON.stringify({ v: 1, source: '0'.repeat(32) }));
    await it1.sweepVault();
    expect(it1.kept()).toHaveLength(3);
    expect(it1.stateCounts()).toEqual({ copied: 3 });
    expect(it1.told('vault.erasing')).toEqual([]);
  });

  it('what was lost before it was copied is forgotten when no hold asks for it', async () => {
    const it1 = new VaultWorld();
    const [path = ''] = it1.footage(OLD, 1);
    const hold = it1.hold(EVER);
    writeFileSync(join(it1.root, path), '');
    await it1.copy();
    expect(it1.stateCounts()).toEqual({ lost: 1 });
    await it1.sweepVault();
    expect(it1.stateCounts()).toEqual({ lost: 1 });
    it1.release(hold);
    await it1.sweepVault();
    expect(it1.stateCounts()).toEqual({});
  });
});
