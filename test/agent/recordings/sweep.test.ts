import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MARKER_FILE, markerText } from '../../../agent/recordings/root.ts';
import { newId } from '../../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, utcMs } from '../../../protocol/time.ts';
import { mountTmpfs, world } from '../support.ts';
import { frigatePath, localPath, SweepWorld, THIRTY_DAYS } from './sweep-world.ts';

const NOW = Date.UTC(2026, 10, 22, 8);

/** Three recordings of one camera that have expired, one that has not. */
function small(it: SweepWorld): string[] {
  const paths = [40, 35, 31, 5].map((days) =>
    it.record(frigatePath(NOW - days * DAY_MS, 'gate')).slice(it.root.length + 1),
  );
  it.catalogue();
  return paths;
}

describe('agent/recordings: a sweep', () => {
  it('D5 erases what has expired, and says policy, version, due time, lateness and the root of its list', async () => {
    const it1 = new SweepWorld();
    const paths = small(it1);
    const report = await it1.run();
    expect(report).toMatchObject({ waits: null, erased: 3, failed: 0, left: {} });
    expect(it1.files()).toEqual([paths[3]]);
    const [began] = it1.told('recordings.erasing');
    const [done] = it1.told('recordings.erased');
    expect(began).toMatchObject({ count: 3, policy: 'dk-msp', version: 1, camera: it1.cameraId('gate') });
    const due = NOW - 40 * DAY_MS + 10 * MINUTE_MS + 30 * DAY_MS;
    expect(began?.dueAt).toBe(new Date(due).toISOString());
    expect(done).toMatchObject({ count: 3, failed: 0, unseen: 0, listRoot: began?.listRoot });
    expect(done?.lateSeconds).toBe((NOW - due) / 1000);
    expect(it1.told('sweep.done')).toEqual([{ source: it1.source, erased: 3, failed: 0, left: [] }]);
    expect(it1.states()).toEqual({ present: 1, erased: 3 });
  });

  it('D3 720 hours less a minute stays, 720 hours and a minute goes', async () => {
    const it1 = new SweepWorld();
    const longest = 10 * MINUTE_MS;
    const [stays, goes] = [NOW - 30 * DAY_MS - longest + MINUTE_MS, NOW - 30 * DAY_MS - longest - MINUTE_MS];
    it1.record(frigatePath(stays, 'a'));
    it1.record(frigatePath(goes, 'b'));
    it1.catalogue();
    await it1.run();
    expect(it1.files()).toEqual([frigatePath(stays, 'a')]);
  });

  it('D3 a month in a minute: 3 cameras × 40 days, every mtime of now, a hold over one hour of one of them', async () => {
    const it1 = new SweepWorld();
    const cameras = ['gate', 'yard', 'hall'];
    const first = NOW - 40 * DAY_MS;
    for (const camera of cameras) {
      for (let at = first; at < NOW; at += 2 * HOUR_MS) {
        const path = it1.record(frigatePath(at, camera));
        utimesSync(path, NOW / 1000, NOW / 1000);
      }
    }
    it1.catalogue();
    const all = it1.files();
    // The hold begins in the middle of a recording's bound and ends in that of another.
    const from = first + 2 * DAY_MS + 5 * MINUTE_MS;
    const hold = it1.hold({ from, to: from + 4 * HOUR_MS, cameras: [it1.cameraId('yard')] });
    const report = await it1.run();
    const held = [0, 2, 4].map((hours) => frigatePath(first + 2 * DAY_MS + hours * HOUR_MS, 'yard'));
    const end = (path: string) =>
      Date.parse(`${path.slice(0, 10)}T${path.slice(11, 13)}:00:00Z`) + 10 * MINUTE_MS;
    const young = all.filter((path) => end(path) + 30 * DAY_MS > NOW);
    expect(report.left).toEqual({ hold: 3 });
    expect(it1.files()).toEqual([...young, ...held].sort());
    it1.release(hold);
    await it1.run();
    expect(it1.files()).toEqual(young);
  });

  it.each([
    ['autumn', Date.UTC(2026, 9, 25, 1)],
    ['spring', Date.UTC(2026, 2, 29, 1)],
  ])(
    'D3 across the %s clock change in Copenhagen 720 hours are 720 hours, and the later reading counts',
    async (_, change) => {
      const zone = 'Europe/Copenhagen';
      const it1 = new SweepWorld({ layout: 'motioneye', zone });
      const starts = [-2, -1.5, -1, -0.5, 0, 0.5, 1].map((hours) => change + hours * HOUR_MS);
      const paths = [...new Set(starts.map((at) => localPath(at, 'gate', zone)))];
      for (const path of paths) it1.record(path);
      it1.catalogue();
      const rows = it1.sql('SELECT name, ends FROM recordings') as { name: Buffer; ends: number }[];
      for (const { name, ends } of rows) {
        const path = paths.find((one) => one.endsWith(name.toString()));
        it1.trusted = utcMs(ends + 30 * DAY_MS - 1);
        await it1.run();
        expect(it1.has(path ?? '')).toBe(true);
        it1.trusted = utcMs(ends + 30 * DAY_MS);
        await it1.run();
        expect(it1.has(path ?? '')).toBe(false);
      }
    },
  );

  it('D3 a camera that was off for three days: its last file goes at its own bound', async () => {
    const it1 = new SweepWorld();
    const last = NOW - 33 * DAY_MS;
    it1.record(frigatePath(last, 'gate'));
    it1.record(frigatePath(NOW - 30 * DAY_MS, 'gate'));
    it1.catalogue();
    it1.trusted = utcMs(last + 10 * MINUTE_MS + 30 * DAY_MS);
    await it1.run();
    expect(it1.files()).toEqual([frigatePath(NOW - 30 * DAY_MS, 'gate')]);
  });

  it('C17 the agent’s own floor only keeps longer', async () => {
    const it1 = new SweepWorld({ floorMs: 36 * DAY_MS });
    const paths = small(it1);
    await it1.run();
    expect(it1.files()).toEqual([...paths.slice(1)].sort());
  });

  it.each([
    ['no policy', { policy: null }, 'no-policy'],
    ['a policy without a period', { policy: { ...THIRTY_DAYS, rules: [] } }, null],
  ])('D2 with %s nothing is erased', async (_, options, waits) => {
    const it1 = new SweepWorld(options);
    small(it1);
    expect((await it1.run()).waits).toBe(waits);
    expect(it1.files()).toHaveLength(4);
  });

  it('D2 with a hold that cannot be read, without trusted time, or with commands unconfirmed nothing is erased', async () => {
    const it1 = new SweepWorld();
    small(it1);
    it1.sql("INSERT INTO holds (hold, kind, scope) VALUES (?, 'dispute', '{\"from\":')", randomBytes(16));
    expect((await it1.run()).waits).toBe('holds-unreadable');
    it1.sql('DELETE FROM holds');
    it1.trusted = null;
    expect((await it1.run()).waits).toBe('time-untrusted');
    it1.trusted = utcMs(NOW);
    it1.unconfirmed = true;
    expect((await it1.run()).waits).toBe('commands-unconfirmed');
    expect(it1.files()).toHaveLength(4);
    it1.unconfirmed = false;
    expect((await it1.run()).erased).toBe(3);
  });

  it('D2 a recording without a bound for its end stays and is counted', async () => {
    const it1 = new SweepWorld();
    small(it1);
    it1.sql('UPDATE recordings SET ends = NULL WHERE start = ?', NOW - 40 * DAY_MS);
    const report = await it1.run();
    expect(report).toMatchObject({ erased: 2, left: { unbounded: 1 } });
    expect(it1.has(frigatePath(NOW - 40 * DAY_MS, 'gate'))).toBe(true);
  });

  it('R5 in report mode, and for a layout that is none to erase in, what is expired is told and stays', async () => {
    const it1 = new SweepWorld({ mode: 'report' });
    small(it1);
    expect(await it1.run()).toMatchObject({ waits: null, erased: 0, left: { 'report-only': 3 } });
    expect(it1.told('sweep.done')[0]?.left).toEqual([{ reason: 'report-only', count: 3 }]);
    expect(it1.files()).toHaveLength(4);
    const it2 = new SweepWorld({ layout: 'unifi-protect' });
    it2.record(`2026/10/01/E063DA3FEC8C_0_rotating_${NOW - 50 * DAY_MS}.ubv`);
    it2.catalogue();
    expect(await it2.run()).toMatchObject({ erased: 0, left: { 'report-only': 1 } });
    expect(it2.files()).toHaveLength(1);
  });
});

describe('agent/recordings: folders that are left', () => {
  const folders = (it: SweepWorld) =>
    readdirSync(it.root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => relative(it.root, join(entry.parentPath, entry.name)))
      .sort();

  it('C19 those of hours and days go when they are empty; a foreign file keeps them', async () => {
    const it1 = new SweepWorld();
    const [, second = ''] = small(it1);
    writeFileSync(join(it1.root, second.slice(0, 10), 'notes.txt'), 'x');
    await it1.run();
    const [day, young] = [second.slice(0, 10), frigatePath(NOW - 5 * DAY_MS, 'gate')];
    const parts = young.split('/').slice(0, -1);
    expect(folders(it1)).toEqual([...parts.map((_, at) => parts.slice(0, at + 1).join('/')), day].sort());
    expect(it1.has(`${day}/notes.txt`)).toBe(true);
  });

  it('C19 the folder of a camera stays, and so does a root without recordings', async () => {
    const it1 = new SweepWorld({ layout: 'motioneye' });
    it1.record(localPath(NOW - 40 * DAY_MS, 'gate', 'UTC'));
    it1.catalogue();
    await it1.run();
    expect(folders(it1)).toEqual(['gate']);
    const it2 = new SweepWorld({ layout: 'viseron' });
    it2.record(`segments/yard/${(NOW - 40 * DAY_MS) / 1000}.m4s`);
    it2.catalogue();
    await it2.run();
    expect([it2.files(), folders(it2)]).toEqual([[], ['segments', 'segments/yard']]);
  });
});

describe('agent/recordings: what waits for a person', () => {
  it('R6 the first sweep of a catalogue waits; the approved plan reaches as far as it showed', async () => {
    const it1 = new SweepWorld({ approved: false });
    small(it1);
    const waits = await it1.run();
    expect(waits).toMatchObject({
      waits: 'first-sweep',
      erased: 0,
      plan: { count: 3, oldest: NOW - 40 * DAY_MS },
    });
    expect(it1.told('sweep.waiting')).toMatchObject([
      { reason: 'first-sweep', count: 3, plan: waits.plan?.plan },
    ]);
    // Looked at again: nothing new is told while the list is the same.
    await it1.run();
    expect(it1.told('sweep.waiting')).toHaveLength(1);
    expect(it1.files()).toHaveLength(4);
    const plan = waits.plan?.plan ?? newId<'plan'>(randomBytes);
    expect(await it1.sweep.approve(it1.swept(), newId<'plan'>(randomBytes))).toBe('unknown');
    expect(await it1.sweep.approve(it1.swept(), plan)).toBe('approved');
    expect((await it1.run()).erased).toBe(3);
  });

  it('R6 a stale plan is refused: a hold, or a file that went, makes another list', async () => {
    const it1 = new SweepWorld({ approved: false });
    small(it1);
    const { plan } = await it1.run();
    it1.hold({ from: null, to: NOW - 39 * DAY_MS });
    expect(await it1.sweep.approve(it1.swept(), plan?.plan ?? newId(randomBytes))).toBe('stale');
    const next = await it1.run();
    expect(next.plan).toMatchObject({ count: 2 });
    expect(next.plan?.plan).not.toBe(plan?.plan);
    expect(await it1.sweep.approve(it1.swept(), next.plan?.plan ?? newId(randomBytes))).toBe('approved');
    expect((await it1.run()).erased).toBe(2);
    expect(it1.has(frigatePath(NOW - 40 * DAY_MS, 'gate'))).toBe(true);
  });

  it('R6 more than twice of what became due since the last sweep waits; what comes due hour by hour does not', async () => {
    const it1 = new SweepWorld();
    for (let hour = 0; hour < 100; hour++)
      it1.record(frigatePath(NOW - 31 * DAY_MS + hour * HOUR_MS, 'gate'));
    it1.catalogue();
    it1.trusted = utcMs(NOW - 2 * DAY_MS);
    expect((await it1.run()).waits).toBeNull();
    for (let hour = 0; hour < 24; hour++) {
      it1.trusted = utcMs(NOW - 2 * DAY_MS + hour * HOUR_MS);
      expect((await it1.run()).waits).toBeNull();
    }
    const before = it1.files().length;
    // The rule was shortened, or the clock stepped: a third of the disk is due at once.
    const [rule] = THIRTY_DAYS.rules;
    if (rule === undefined) throw new Error('no rule');
    it1.policy = { ...THIRTY_DAYS, version: 2, rules: [{ ...rule, keepAtMost: 'P29D' }] };
    const report = await it1.run();
    expect(report).toMatchObject({ waits: 'large-plan', erased: 0 });
    expect(it1.files()).toHaveLength(before);
  });
});

it('R6 files that were tried in vain keep nothing else waiting', async () => {
  const it1 = new SweepWorld();
  // Three of ten have a second name, and stay (C16); they are over their time in every plan from now on.
  const old = [40, 41, 42].map((days) => frigatePath(NOW - days * DAY_MS, 'gate'));
  const rest = [29.5, 10, 9, 8, 7, 6, 5].map((days) => frigatePath(NOW - days * DAY_MS, 'gate'));
  for (const path of [...old, ...rest]) it1.record(path);
  for (const [n, path] of old.entries()) linkSync(join(it1.root, path), join(it1.base.dir, `second-${n}`));
  it1.catalogue();
  const first = await it1.run();
  expect(first).toMatchObject({ waits: null, failed: 3 });
  it1.trusted = utcMs(NOW + DAY_MS);
  expect(await it1.run()).toMatchObject({ waits: null, erased: 1, failed: 3 });
  expect(it1.has(rest[0] ?? '')).toBe(false);
  expect(it1.files()).toHaveLength(9);
});

describe('agent/recordings: roots and files that are not what they were', () => {
  it('R3 a root without its marker, with another’s, or another root in its place stops the sweep', async () => {
    const it1 = new SweepWorld();
    small(it1);
    const marker = join(it1.root, MARKER_FILE);
    const all = it1.files();
    unlinkSync(marker);
    expect((await it1.run()).waits).toBe('marker-missing');
    writeFileSync(marker, markerText(newId(randomBytes)));
    expect((await it1.run()).waits).toBe('marker-other');
    writeFileSync(marker, '{"v":1,');
    expect((await it1.run()).waits).toBe('marker-unreadable');
    writeFileSync(marker, markerText(it1.source));
    renameSync(it1.root, `${it1.root}-real`);
    expect((await it1.run()).waits).toBe('root-gone');
    symlinkSync(`${it1.root}-real`, it1.root);
    expect((await it1.run()).waits).toBe('root-moved');
    unlinkSync(it1.root);
    renameSync(`${it1.root}-real`, it1.root);
    expect(it1.files()).toEqual(all);
    expect(it1.told('recordings.root-suspect').map(({ reason }) => reason)).toEqual([
      'marker-missing',
      'marker-other',
      'marker-unreadable',
      'root-gone',
      'root-moved',
    ]);
    expect((await it1.run()).erased).toBe(3);
  });

  it('R3 another file system on the root erases nothing, and nothing looks as if it had gone', async (context) => {
    const it1 = new SweepWorld();
    small(it1);
    const marker = markerText(it1.source);
    mountTmpfs(context, it1.root, 'size=1m');
    expect((await it1.run()).waits).toBe('marker-missing');
    writeFileSync(join(it1.root, MARKER_FILE), marker);
    expect((await it1.run()).waits).toBe('file-system-other');
    expect(it1.states()).toEqual({ present: 4 });
    spawnSync('umount', [it1.root]);
    expect((await it1.run()).erased).toBe(3);
  });

  it('C18 a file of another size or inode is catalogued anew, a folder in its place is left alone', async () => {
    const it1 = new SweepWorld();
    const [grown = '', replaced = '', folder = ''] = small(it1).map((path) => join(it1.root, path));
    writeFileSync(grown, 'longer than it was');
    writeFileSync(`${replaced}.new`, Buffer.alloc(8, 2));
    renameSync(`${replaced}.new`, replaced);
    unlinkSync(folder);
    mkdirSync(join(folder, 'inside'), { recursive: true });
    writeFileSync(join(folder, 'inside', 'foreign'), 'x');
    const report = await it1.run();
    expect(report).toMatchObject({ erased: 0, failed: 3, left: { changed: 2, 'not-regular': 1 } });
    expect(it1.files()).toHaveLength(4);
    expect(it1.told('recordings.erased')[0]).toMatchObject({ count: 0, failed: 3 });
  });

  it('C16, R3 links in and out of the root: nothing outside is touched', async () => {
    const it1 = new SweepWorld();
    const outside = `${it1.root}-outside`;
    mkdirSync(join(outside, 'gate'), { recursive: true });
    const [linked = '', link = '', parent = ''] = small(it1).map((path) => join(it1.root, path));
    linkSync(linked, join(outside, 'second-name.mp4'));
    const victim = join(outside, 'victim.mp4');
    writeFileSync(victim, Buffer.alloc(8, 1));
    unlinkSync(link);
    symlinkSync(victim, link);
    // The folder itself becomes a link to a place where a file of that name lies.
    const folder = join(parent, '..');
    const name = parent.slice(parent.lastIndexOf('/') + 1);
    rmSync(folder, { recursive: true });
    writeFileSync(join(outside, 'gate', name), Buffer.alloc(8, 1));
    symlinkSync(join(outside, 'gate'), folder);
    const report = await it1.run();
    expect(report.erased).toBe(0);
    expect(report.left).toEqual({ linked: 1, 'not-regular': 1, blocked: 1 });
    expect(new Set([victim, join(outside, 'gate', name), linked].map((path) => path))).toHaveProperty(
      'size',
      3,
    );
    for (const path of [victim, join(outside, 'gate', name), join(outside, 'second-name.mp4'), linked]) {
      expect(() => chmodSync(path, 0o600)).not.toThrow();
    }
  });

  it('R3 a parent that is swapped for a link between check and unlink erases nothing outside', async () => {
    const outside = { dir: '', folder: '' };
    const it1 = new SweepWorld();
    const [first = ''] = small(it1);
    outside.dir = `${it1.root}-outside`;
    mkdirSync(outside.dir);
    const name = first.slice(first.lastIndexOf('/') + 1);
    const folder = join(it1.root, first, '..');
    writeFileSync(join(outside.dir, name), Buffer.alloc(8, 1));
    let swapped = false;
    const faults = {
      hit(point: string) {
        if (point !== 'agent.sweep.file' || swapped) return;
        swapped = true;
        renameSync(folder, `${folder}-was`);
        symlinkSync(outside.dir, folder);
      },
    };
    const report = await it1.newSweep(faults).run(it1.swept());
    expect(swapped).toBe(true);
    // What was unlinked is the file in the folder that was open, which is inside.
    expect(report?.erased).toBe(3);
    expect(() => chmodSync(join(outside.dir, name), 0o600)).not.toThrow();
  });

  it('R2 a hold that is placed by another process between the transactions protects what is not gone yet', async () => {
    const it1 = new SweepWorld();
    const paths = small(it1);
    let files = 0;
    const faults = {
      hit(point: string) {
        if (point !== 'agent.sweep.file') return;
        files += 1;
        if (files === 2) it1.hold({ from: null, to: null });
      },
    };
    const report = await it1.newSweep(faults).run(it1.swept());
    expect(report).toMatchObject({ erased: 1, left: { held: 2 } });
    expect(it1.files()).toHaveLength(3);
    expect(it1.has(paths[0] ?? '')).toBe(false);
    expect(it1.states()).toEqual({ erased: 1, present: 3 });
  });
});

describe('agent/recordings: a crash at each step', () => {
  const points = [
    'agent.sweep.marking',
    'agent.sweep.begun',
    'agent.sweep.file',
    'agent.sweep.unlinked',
    'agent.sweep.synced',
    'agent.sweep.ending',
    'agent.sweep.ended',
  ];

  it.each(points)('R1 %s: every file is accounted for after the restart', async (point) => {
    const base = world();
    const it1 = new SweepWorld({}, base);
    const paths = small(it1);
    const faults = {
      hit(at: string) {
        if (at === point) throw new Error('the process ends here');
      },
    };
    await expect(it1.newSweep(faults).run(it1.swept())).rejects.toThrow();
    const gone = paths.slice(0, 3).filter((path) => !it1.has(path)).length;
    const report = await it1.newSweep().run(it1.swept());
    expect(it1.files()).toEqual([paths[3]]);
    expect(it1.states()).toEqual({ present: 1, erased: 3 });
    const erased = it1.told('recordings.erased').reduce((sum, { count }) => sum + Number(count), 0);
    expect(erased).toBe(3);
    const ended = point === 'agent.sweep.ended';
    expect(report?.erased).toBe(ended ? 0 : 3 - gone);
    const unseen = it1.told('recordings.erased').reduce((sum, one) => sum + Number(one.unseen), 0);
    expect(unseen).toBe(ended ? 0 : gone);
  });

  it('R1, R3 a restart on a root that is not there leaves open what was open', async () => {
    const it1 = new SweepWorld();
    const paths = small(it1);
    const faults = {
      hit(at: string) {
        if (at === 'agent.sweep.begun') throw new Error('the process ends here');
      },
    };
    await expect(it1.newSweep(faults).run(it1.swept())).rejects.toThrow('ends here');
    renameSync(it1.root, `${it1.root}-away`);
    expect((await it1.run()).waits).toBe('root-gone');
    expect(it1.states()).toEqual({ present: 1, erasing: 3 });
    expect(it1.told('recordings.erased')).toEqual([]);
    renameSync(`${it1.root}-away`, it1.root);
    expect((await it1.run()).erased).toBe(3);
    expect(it1.files()).toEqual([paths[3]]);
  });
});
