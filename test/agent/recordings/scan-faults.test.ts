import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MARKER_FILE, markerText } from '../../../agent/recordings/root.ts';
import { mountTmpfs } from '../support.ts';
import { freshRoot, scanWorld } from './scan-world.ts';

const HOUR = '2026-11-21/08/door';

describe('faults of a scan', () => {
  it('C27: a mount that vanished, and another file system in its place, make nothing missing', async (context) => {
    const root = freshRoot();
    mountTmpfs(context, root, 'size=1m');
    const s = scanWorld({ root });
    s.file(`${HOUR}/00.00.mp4`);
    await s.scanner.pass();
    expect(s.rows().get(`${HOUR}/00.00.mp4`)?.state).toBe(0);
    spawnSync('umount', [root]);
    expect(await s.scanner.pass()).toBe('marker-missing');
    // The folder under the mount point holds a marker, as a copied tree does: the file system gives it away.
    writeFileSync(join(root, MARKER_FILE), markerText(s.source));
    expect(await s.scanner.pass()).toBe('file-system-other');
    expect(s.told('recording.missing')).toEqual([]);
    expect(s.told('recordings.root-suspect').map(({ data }) => data.reason)).toEqual([
      'marker-missing',
      'file-system-other',
    ]);
    expect(s.rows().get(`${HOUR}/00.00.mp4`)?.state).toBe(0);
    expect(s.w.catalogue.passes(s.id).state).toBe('suspect');
    expect(readdirSync(root)).toEqual([MARKER_FILE]);
  });

  it('C25: another file system below the root is not entered, and what it covers is not missing', async (context) => {
    const s = scanWorld();
    s.file(`${HOUR}/00.00.mp4`);
    await s.scanner.pass();
    mountTmpfs(context, join(s.root, HOUR), 'size=1m');
    writeFileSync(join(s.root, HOUR, '00.10.mp4'), 'other');
    await s.scanner.pass({ full: true });
    spawnSync('umount', [join(s.root, HOUR)]);
    expect([...s.rows()].map(([path, { state }]) => [path, state])).toEqual([[`${HOUR}/00.00.mp4`, 0]]);
    expect(s.told('recording.unknown').map(({ data }) => data.reason)).toEqual(['file-system-other']);
  });

  it('R6, C29: a catalogue that was lost is built again, without approval and with nothing missing', async () => {
    const s = scanWorld();
    s.file(`${HOUR}/00.00.mp4`);
    await s.scanner.pass();
    s.w.journal.close();
    for (const suffix of ['', '-wal', '-shm']) {
      writeFileSync(join(s.w.dir, `agent.db${suffix}`), 'no database');
    }
    const again = s.restart();
    again.w.catalogue.setState(again.id, 'first-scan');
    await again.scanner.pass();
    expect([...again.rows().values()].map(({ state }) => state)).toEqual([0]);
    expect(again.told('recording.missing')).toEqual([]);
    expect(again.w.sweeps.sources().map(({ approved }) => approved)).toEqual([false]);
  });

  it('R7: a catalogue of yesterday tells what went since, and finds what came', async () => {
    const s = scanWorld();
    s.file(`${HOUR}/00.00.mp4`);
    const gone = s.file(`${HOUR}/00.10.mp4`);
    await s.scanner.pass();
    s.w.journal.close();
    const database = join(s.w.dir, 'agent.db');
    copyFileSync(database, `${database}.yesterday`);
    const today = s.restart();
    today.file(`${HOUR}/00.20.mp4`);
    spawnSync('rm', [gone]);
    await today.scanner.pass();
    today.w.journal.close();
    copyFileSync(`${database}.yesterday`, database);
    const restored = s.restart();
    await restored.scanner.pass();
    const states = [...restored.rows()].map(([path, { state }]) => [path.slice(-9), state]);
    expect(states.sort()).toEqual([
      ['00.00.mp4', 0],
      ['00.10.mp4', 3],
      ['00.20.mp4', 0],
    ]);
    expect(restored.told('recording.missing')).toHaveLength(1);
  });

  it('D3: a repeated hour counts its later start for retention, and a missing hour is still bounded', async () => {
    const s = scanWorld({ layout: 'shinobi', zone: 'Europe/Copenhagen' });
    s.file('group/cam/2026-10-25T02-30-00.mp4');
    s.file('group/cam/2026-03-29T02-30-00.mp4');
    await s.scanner.pass();
    const rows = [...s.rows()].sort();
    expect(rows).toHaveLength(2);
    const [missing, repeated] = rows.map(([, row]) => row);
    expect(repeated?.start).toBe(Date.UTC(2026, 9, 25, 0, 30));
    expect(repeated?.spread).toBe(3_600_000);
    expect(repeated?.ends).toBeGreaterThan(Date.UTC(2026, 9, 25, 1, 30));
    expect(missing?.ends).toBeGreaterThan(Date.UTC(2026, 2, 29, 1, 0));
  });

  it('C28: a disk without room pauses a pass, and the next one goes on with nothing lost', async () => {
    const s = scanWorld();
    for (const name of ['00.00', '00.10']) s.file(`${HOUR}/${name}.mp4`);
    const spare = s.w.journal.spare.bind(s.w.journal);
    let room = 1;
    s.w.journal.spare = (act) => room-- > 0 && spare(act);
    expect(await s.scanner.pass()).toBe('full-disk');
    expect(s.w.catalogue.passes(s.id).scannedAt).toBe(null);
    room = 1_000;
    expect(await s.scanner.pass()).toBe('done');
    expect(s.rows().size).toBe(2);
  });
});
