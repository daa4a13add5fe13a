import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MARKER_FILE } from '../../../agent/recordings/root.ts';
import { freshRoot, scanWorld } from './scan-world.ts';

const HOUR = '2026-11-21/08/door';

describe('a scan', () => {
  it('D3, C29: catalogues what is there, bounds over folders, tells cameras, is watched after a whole pass', async () => {
    const s = scanWorld();
    s.file(`${HOUR}/00.00.mp4`);
    s.file(`${HOUR}/59.55.mp4`);
    s.file('2026-11-21/09/door/00.05.mp4', '');
    s.file('2026-11-21/09/yard/00.00.mp4');
    expect(s.w.catalogue.passes(s.id).state).toBe('first-scan');
    expect(await s.scanner.pass()).toBe('done');
    const rows = s.rows();
    expect([...rows.keys()].sort()).toEqual([
      `${HOUR}/00.00.mp4`,
      `${HOUR}/59.55.mp4`,
      '2026-11-21/09/door/00.05.mp4',
      '2026-11-21/09/yard/00.00.mp4',
    ]);
    expect(rows.get(`${HOUR}/59.55.mp4`)?.ends).toBe(Date.UTC(2026, 10, 21, 9, 0, 5));
    expect(rows.get(`${HOUR}/59.55.mp4`)?.size).toBe(1);
    expect(s.told('camera.found')).toHaveLength(2);
    expect(s.told('recording.unknown').map(({ data }) => data.reason)).toEqual(['empty']);
    expect(s.w.catalogue.passes(s.id).state).toBe('watched');
    expect(JSON.stringify(s.told())).not.toContain('door');
  });

  it('D3: a later start in another folder shortens its predecessor; one that goes does not lengthen it', async () => {
    const s = scanWorld();
    s.file(`${HOUR}/59.55.mp4`);
    await s.scanner.pass();
    expect(s.rows().get(`${HOUR}/59.55.mp4`)?.ends).toBe(Date.UTC(2026, 10, 21, 9, 9, 55));
    const next = s.file('2026-11-21/09/door/00.05.mp4');
    await s.scanner.pass();
    expect(s.rows().get(`${HOUR}/59.55.mp4`)?.ends).toBe(Date.UTC(2026, 10, 21, 9, 0, 5));
    unlinkSync(next);
    await s.scanner.pass({ full: true });
    expect(s.rows().get(`${HOUR}/59.55.mp4`)?.ends).toBe(Date.UTC(2026, 10, 21, 9, 0, 5));
  });

  it('R7: what vanished is missing, one event per folder, and again present when it is there again', async () => {
    const s = scanWorld();
    for (const name of ['00.00', '00.10', '00.20']) s.file(`${HOUR}/${name}.mp4`);
    await s.scanner.pass();
    unlinkSync(join(s.root, HOUR, '00.00.mp4'));
    unlinkSync(join(s.root, HOUR, '00.10.mp4'));
    await s.scanner.pass();
    const [told, ...more] = s.told('recording.missing');
    expect(more).toEqual([]);
    expect(told?.data).toMatchObject({
      count: 2,
      bytes: 2,
      from: '2026-11-21T08:00:00.000Z',
      reason: 'vanished',
    });
    expect(s.rows().get(`${HOUR}/00.00.mp4`)?.state).toBe(3);
    s.file(`${HOUR}/00.00.mp4`);
    await s.scanner.pass();
    expect(s.rows().get(`${HOUR}/00.00.mp4`)?.state).toBe(0);
    await s.scanner.pass();
    expect(s.told('recording.missing')).toHaveLength(1);
  });

  it('C20: what lies there under the name of an erased recording is another one, and is catalogued', async () => {
    const s = scanWorld();
    const path = `${HOUR}/00.00.mp4`;
    s.file(path, 'long');
    await s.scanner.pass();
    const { folder = 0 } =
      s.w.catalogue
        .newest(s.id, 9)
        .map(({ id }) => ({ folder: id }))
        .find(({ folder: id }) => s.w.catalogue.rows(id).length > 0) ?? {};
    const mark = (state: 'erasing' | 'erased') =>
      s.w.journal.transact(() => {
        s.w.sweeps.mark({ folder, name: '00.00.mp4' }, state, null);
        return { tell: [] };
      });
    mark('erasing');
    await s.scanner.pass({ full: true });
    expect(s.rows().get(path)?.state).toBe(1);
    unlinkSync(join(s.root, path));
    mark('erased');
    await s.scanner.pass({ full: true });
    expect(s.rows().get(path)?.state).toBe(2);
    s.file(path, 'x');
    await s.scanner.pass({ full: true });
    expect(s.rows().get(path)).toMatchObject({ state: 0, size: 1 });
    expect(s.told('recording.missing')).toEqual([]);
  });

  it('R7: a tree of folders that went is one event', async () => {
    const s = scanWorld();
    for (const hour of ['08', '09', '10'])
      for (const c of ['a', 'b']) s.file(`2026-11-21/${hour}/${c}/00.00.mp4`);
    s.file('2026-11-20/08/a/00.00.mp4');
    await s.scanner.pass();
    rmSync(join(s.root, '2026-11-21'), { recursive: true });
    await s.scanner.pass();
    expect(s.told('recording.missing').map(({ data }) => [data.count, data.camera])).toEqual([[6, null]]);
  });

  it.each(['empty', 'gone', 'other', 'not-accepted'] as const)(
    'C27: a root that is %s makes nothing missing',
    async (how) => {
      const s = scanWorld({ accepted: how !== 'not-accepted' });
      s.file(`${HOUR}/00.00.mp4`);
      await s.scanner.pass();
      if (how === 'gone') renameSync(s.root, `${s.root}-away`);
      else rmSync(join(s.root, '2026-11-21'), { recursive: true });
      if (how === 'empty') unlinkSync(join(s.root, MARKER_FILE));
      if (how === 'other')
        writeFileSync(join(s.root, MARKER_FILE), readFileSync(join(scanWorld().root, MARKER_FILE)));
      await s.scanner.pass();
      await s.scanner.pass();
      expect(s.told('recording.missing')).toEqual([]);
      expect(s.rows().get(`${HOUR}/00.00.mp4`)?.state).toBe(0);
      expect(s.told('recordings.root-suspect')).toHaveLength(how === 'not-accepted' ? 0 : 1);
      if (how === 'gone') rmSync(`${s.root}-away`, { recursive: true });
    },
  );

  it('C24: links and other things are counted and not followed; names may hold any byte', async () => {
    const s = scanWorld();
    const outside = freshRoot();
    mkdirSync(join(outside, '08/door'), { recursive: true });
    writeFileSync(join(outside, '08/door/00.00.mp4'), 'foreign');
    s.file(`${HOUR}/00.00.mp4`);
    const odd = Buffer.concat([
      Buffer.from(`${s.root}/2026-11-21/08/`),
      Buffer.from('a [1]@|\n\xff\xe6', 'latin1'),
    ]);
    mkdirSync(odd);
    writeFileSync(Buffer.concat([odd, Buffer.from('/00.10.mp4')]), 'x');
    writeFileSync(Buffer.concat([odd, Buffer.from('/\xff\n.mp4', 'latin1')]), 'x');
    symlinkSync(outside, join(s.root, '2026-11-20'));
    symlinkSync(join(outside, '08/door/00.00.mp4'), join(s.root, HOUR, '00.20.mp4'));
    linkSync(join(s.root, HOUR, '00.00.mp4'), join(s.root, HOUR, '00.30.mp4'));
    await s.scanner.pass();
    expect([...s.rows().keys()].sort()).toEqual(
      ['2026-11-21/08/a [1]@|\n\xff\xe6/00.10.mp4', `${HOUR}/00.00.mp4`, `${HOUR}/00.30.mp4`].sort(),
    );
    expect(s.told('recording.unknown').map(({ data }) => [data.reason, data.count])).toEqual([
      ['unknown-file', 3],
    ]);
    expect(readFileSync(join(outside, '08/door/00.00.mp4'), 'utf8')).toBe('foreign');
    expect(s.told('camera.found')).toHaveLength(2);
  });

  it('R7, C24: a file replaced by a folder is missing, and the folder is told', async () => {
    const s = scanWorld();
    const path = s.file(`${HOUR}/00.00.mp4`);
    await s.scanner.pass();
    unlinkSync(path);
    mkdirSync(path);
    await s.scanner.pass();
    expect(s.told('recording.missing')).toHaveLength(1);
    expect(s.told('recording.unknown').map(({ data }) => data.reason)).toEqual(['unknown-file']);
  });

  it('C26: what is being written is known without a size until it rests', async () => {
    const s = scanWorld();
    s.file(`${HOUR}/00.00.mp4`);
    const path = s.file(`${HOUR}/00.10.mp4`, 'half');
    const now = () => utimesSync(path, s.w.clock.wall / 1000, s.w.clock.wall / 1000);
    now();
    await s.scanner.pass();
    expect(s.rows().get(`${HOUR}/00.00.mp4`)?.size).toBe(1);
    expect(s.rows().get(`${HOUR}/00.10.mp4`)?.size).toBe(null);
    writeFileSync(path, 'finished');
    now();
    s.w.clock.advance(11_000);
    await s.scanner.pass();
    expect(s.rows().get(`${HOUR}/00.10.mp4`)?.size).toBe(8);
  });

  it('D2: future-dated and 0-byte files are catalogued with their bounds, and told once', async () => {
    const s = scanWorld();
    s.file('2031-01-01/08/door/00.00.mp4', '');
    await s.scanner.pass();
    await s.scanner.pass();
    expect(s.rows().get('2031-01-01/08/door/00.00.mp4')?.ends).toBe(Date.UTC(2031, 0, 1, 8, 10));
    expect(
      s
        .told('recording.unknown')
        .map(({ data }) => data.reason)
        .sort(),
    ).toEqual(['empty', 'future-dated']);
  });

  it('C21: a folder that had rested is skipped, one that had not is read again; a full pass looks at each file', async () => {
    const s = scanWorld();
    const path = s.file(`${HOUR}/00.00.mp4`);
    const folders = ['', '2026-11-21', '2026-11-21/08', HOUR].map((one) => join(s.root, one));
    for (const folder of folders) s.settle(folder);
    await s.scanner.pass();
    const before = s.rows().get(`${HOUR}/00.00.mp4`)?.size;
    writeFileSync(path, 'longer than it was');
    s.settle(path);
    await s.scanner.pass();
    expect(s.rows().get(`${HOUR}/00.00.mp4`)?.size).toBe(before);
    await s.scanner.pass({ full: true });
    expect(s.rows().get(`${HOUR}/00.00.mp4`)?.size).toBe(18);
    // Made within the grain of the folder's time: it looks unchanged, and had not rested when it was read.
    const young = () => utimesSync(join(s.root, HOUR), s.w.clock.wall / 1000 - 5, s.w.clock.wall / 1000 - 5);
    young();
    await s.scanner.pass();
    s.file(`${HOUR}/00.10.mp4`);
    young();
    await s.scanner.pass();
    expect(s.rows().has(`${HOUR}/00.10.mp4`)).toBe(true);
  });

  it('R7: a folder that may not be read makes nothing missing and is told once', async () => {
    const s = scanWorld();
    s.file(`${HOUR}/00.00.mp4`);
    await s.scanner.pass();
    chmodSync(join(s.root, HOUR), 0o000);
    await asNobody(s.root, async () => {
      await s.scanner.pass({ full: true });
      await s.scanner.pass({ full: true });
    });
    chmodSync(join(s.root, HOUR), 0o700);
    expect(s.rows().get(`${HOUR}/00.00.mp4`)?.state).toBe(0);
    expect(s.told('recording.unknown').map(({ data }) => data.reason)).toEqual(['unreadable-folder']);
  });

  it('a restart goes on with what is known and tells no camera twice', async () => {
    const s = scanWorld();
    s.file(`${HOUR}/00.00.mp4`);
    await s.scanner.pass();
    const again = s.restart();
    await again.scanner.pass();
    expect(again.told('camera.found')).toHaveLength(1);
    expect(again.rows().size).toBe(1);
  });

  it('a look reads one folder and the new ones below it', async () => {
    const s = scanWorld();
    s.file(`${HOUR}/00.00.mp4`);
    await s.scanner.pass();
    s.file('2026-11-21/09/door/00.00.mp4');
    s.file('2026-11-21/09/door/00.10.mp4');
    const day = s.w.catalogue.folder(s.id, s.w.catalogue.folder(s.id, null, '').id, '2026-11-21');
    expect(await s.scanner.look([day.id])).toBe('done');
    expect(s.rows().size).toBe(3);
  });
});

/** Root may read everything: then as an account that may not, and to which the way to `path` is open. */
async function asNobody(path: string, act: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return await act();
  for (let at = path; at !== tmpdir() && at !== '/'; at = dirname(at)) chmodSync(at, 0o755);
  process.seteuid?.(65_534);
  try {
    await act();
  } finally {
    process.seteuid?.(0);
  }
}
