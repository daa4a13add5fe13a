import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../agent/log.ts';
import { copiesBeside, kindOf } from '../../../agent/recordings/copies.ts';
import { Findings } from '../../../agent/recordings/findings.ts';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import type { Root } from '../../../agent/recordings/roots.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, utcMs } from '../../../protocol/time.ts';
import { frigatePath, SweepWorld } from './sweep-world.ts';

const NOW = Date.UTC(2026, 10, 22, 8);

function scene(options: { mode?: 'report' | 'erase' } = {}) {
  const it1 = new SweepWorld(options);
  const { journal, sweeps, clock } = it1.base;
  const root = {
    ...{ id: it1.id, source: it1.source, config: { root: it1.root } },
    layout: layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null }),
  } as Root;
  const make = () =>
    new Findings({
      ...{ journal, sweeps, clock, log: silentLog },
      now: () => it1.trusted,
      zone: () => 'UTC',
      around: () => it1.around(),
      due: (source, around, at) => it1.sweep.due(source, around, at, false),
      rest: async () => {},
    });
  return { it1, root, make, findings: make() };
}

/** Every ten minutes of a day, but where `off` says so. */
function fullDay(it1: SweepWorld, daysAgo: number, off: (hour: number) => boolean = () => false): void {
  const midnight = Date.UTC(2026, 10, 22) - daysAgo * DAY_MS;
  for (let at = 0; at < DAY_MS; at += 10 * MINUTE_MS) {
    if (!off(at / HOUR_MS)) it1.record(frigatePath(midnight + at, 'gate'));
  }
}

describe('agent/recordings/findings: days', () => {
  it('C74 one event for each camera and finished day, none for today, none again, also after a restart', async () => {
    const { it1, root, findings, make } = scene();
    for (const days of [3, 2, 1, 0]) it1.record(frigatePath(NOW - days * DAY_MS - HOUR_MS, 'gate'), 7);
    it1.record(frigatePath(NOW - DAY_MS, 'hall'));
    it1.catalogue();
    await findings.passed(root);
    const gate = it1.cameraId('gate');
    const days = it1.told('recordings.day');
    expect(days.filter(({ camera }) => camera === gate)).toHaveLength(3);
    expect(days.filter(({ camera }) => camera === gate)[2]).toMatchObject({
      ...{ from: '2026-11-21T00:00:00.000Z', to: '2026-11-22T00:00:00.000Z', count: 1, bytes: 7, present: 1 },
      ...{ erased: 0, missing: 0, first: '2026-11-21T07:00:00.000Z', gaps: 0, source: it1.source },
    });
    expect(JSON.stringify(days)).not.toContain('gate');
    await findings.passed(root);
    await make().passed(root);
    expect(it1.told('recordings.day')).toHaveLength(4);
  });

  it('C74 a day is told anew when it is not as it was: late footage, what vanished, what was erased', async () => {
    const { it1, root, findings } = scene();
    for (const days of [31, 1]) it1.record(frigatePath(NOW - days * DAY_MS, 'gate'));
    it1.catalogue();
    await findings.passed(root);
    it1.record(frigatePath(NOW - DAY_MS - HOUR_MS, 'gate'));
    it1.catalogue();
    await findings.passed(root);
    expect(it1.told('recordings.day').at(-1)).toMatchObject({ count: 2, first: '2026-11-21T07:00:00.000Z' });
    await it1.run();
    await findings.passed(root);
    expect(it1.told('recordings.day')).toHaveLength(3);
    // The old ones are looked at once a day.
    it1.base.clock.advance(DAY_MS);
    it1.trusted = it1.base.clock.now();
    await findings.passed(root);
    const old = it1.told('recordings.day').filter(({ erased }) => erased === 1);
    expect(old).toMatchObject([{ count: 1, present: 0, from: '2026-10-22T00:00:00.000Z' }]);
  });

  it('C74 a look that fails is told of in the diary, and the next one tells what it did not', async () => {
    const { it1, root, findings } = scene();
    it1.record(frigatePath(NOW - DAY_MS, 'gate'));
    it1.catalogue();
    it1.sql('ALTER TABLE rec_days RENAME TO away');
    await findings.later(root);
    it1.sql('ALTER TABLE away RENAME TO rec_days');
    await findings.later(root);
    expect(it1.told('recordings.day')).toHaveLength(1);
    it1.record(frigatePath(NOW - 2 * DAY_MS, 'gate'));
    it1.catalogue();
    await findings.stop();
    await findings.later(root);
    expect(it1.told('recordings.day')).toHaveLength(1);
  });

  it('C74 without trusted time no day is finished', async () => {
    const { it1, root, findings } = scene();
    it1.record(frigatePath(NOW - DAY_MS, 'gate'));
    it1.catalogue();
    it1.trusted = null;
    await findings.passed(root);
    expect(it1.told('recordings.day')).toEqual([]);
    findings.timed();
    it1.trusted = utcMs(NOW);
    // Not with the next pass: the collector said what time it is.
    findings.timed();
    await expect.poll(() => it1.told('recordings.day').length).toBe(1);
  });

  it('C73 a catalogue that has forgotten what was erased corrects nothing', async () => {
    const { it1, root, findings, make } = scene();
    for (const minutes of [0, 20]) it1.record(frigatePath(NOW - 31 * DAY_MS + minutes * MINUTE_MS, 'gate'));
    it1.catalogue();
    await it1.run();
    await findings.passed(root);
    expect(it1.told('recordings.day')).toMatchObject([{ count: 2, erased: 2 }]);
    it1.sql('DELETE FROM recordings WHERE name = (SELECT max(name) FROM recordings)');
    await make().passed(root);
    it1.sql('DELETE FROM recordings');
    await make().passed(root);
    expect(it1.told('recordings.day')).toHaveLength(1);
  });
});

describe('agent/recordings/findings: gaps', () => {
  it('C72 C75 a camera that stops has one open gap, which is told closed when it begins again', async () => {
    const { it1, root, findings, make } = scene();
    for (const days of [5, 4, 3, 2, 1]) fullDay(it1, days);
    fullDay(it1, 0, (hour) => hour >= 7);
    it1.catalogue();
    it1.trusted = utcMs(NOW - HOUR_MS + 20 * MINUTE_MS);
    await findings.passed(root);
    expect(it1.told('camera.gap')).toEqual([]);
    it1.trusted = utcMs(NOW);
    await findings.passed(root);
    await make().passed(root);
    const camera = it1.cameraId('gate');
    const open = { source: it1.source, camera, state: 'open', from: '2026-11-22T07:00:00.000Z', to: null };
    expect(it1.told('camera.gap')).toEqual([open]);
    it1.record(frigatePath(NOW + 10 * MINUTE_MS, 'gate'));
    it1.catalogue();
    it1.trusted = utcMs(NOW + 15 * MINUTE_MS);
    await findings.passed(root);
    await findings.passed(root);
    expect(it1.told('camera.gap')).toEqual([
      open,
      { ...open, state: 'closed', to: '2026-11-22T08:10:00.000Z' },
    ]);
  });

  it('C75 what is dated in the future hides no gap and makes none', async () => {
    const { it1, root, findings } = scene();
    for (const days of [5, 4, 3, 2, 1]) fullDay(it1, days);
    it1.record(frigatePath(Date.UTC(2031, 0, 1), 'gate'));
    it1.catalogue();
    await findings.passed(root);
    expect(it1.told('camera.gap')).toMatchObject([{ state: 'open', from: '2026-11-22T00:00:00.000Z' }]);
    expect(it1.told('recordings.day')).toHaveLength(5);
  });

  it('C75 what was thought missing and came later ends the gap where it began', async () => {
    const { it1, root, findings } = scene();
    for (const days of [4, 3, 2, 1]) fullDay(it1, days);
    it1.catalogue();
    await findings.passed(root);
    expect(it1.told('camera.gap')).toMatchObject([{ state: 'open', from: '2026-11-22T00:00:00.000Z' }]);
    fullDay(it1, 0, (hour) => hour >= 8);
    it1.catalogue();
    await findings.passed(root);
    expect(it1.told('camera.gap').at(-1)).toMatchObject({
      ...{ state: 'closed', from: '2026-11-22T00:00:00.000Z', to: '2026-11-22T00:00:00.000Z' },
    });
  });

  it('C71 C75 a camera that was off for three days is one gap, told closed and counted in one day', async () => {
    const { it1, root, findings } = scene();
    for (const days of [9, 8, 7, 6, 2, 1]) fullDay(it1, days);
    fullDay(it1, 0, (hour) => hour >= 8);
    it1.catalogue();
    await findings.passed(root);
    expect(it1.told('camera.gap')).toMatchObject([
      { state: 'closed', from: '2026-11-17T00:00:00.000Z', to: '2026-11-20T00:00:00.000Z' },
    ]);
    const days = it1.told('recordings.day').filter(({ gaps }) => gaps !== 0);
    expect(days).toMatchObject([{ from: '2026-11-20T00:00:00.000Z', gaps: 1, gapSeconds: 3 * 86_400 }]);
  });

  it('C72 a camera that records what moves has no gap each night', async () => {
    const { it1, root, findings } = scene();
    for (const days of [6, 5, 4, 3, 2, 1]) fullDay(it1, days, (hour) => hour < 7 || hour > 18);
    it1.catalogue();
    await findings.passed(root);
    expect(it1.told('camera.gap')).toEqual([]);
    expect(it1.told('recordings.day').every(({ gaps }) => gaps === 0)).toBe(true);
  });
});

describe('agent/recordings/findings: what is left', () => {
  it('C76 R8 what the recorder should have removed is told by reason, once, and that it is gone', async () => {
    const { it1, root, findings } = scene({ mode: 'report' });
    const path = it1.record(frigatePath(NOW - 31 * DAY_MS, 'gate'));
    it1.catalogue();
    await findings.swept(root, await it1.run());
    await findings.swept(root, await it1.run());
    expect(it1.told('recordings.overdue')).toEqual([
      { source: it1.source, count: 1, left: [{ reason: 'report-only', count: 1 }] },
    ]);
    expect(path).toContain(it1.root);
    it1.sql('UPDATE recordings SET state = 3');
    await findings.swept(root, await it1.run());
    expect(it1.told('recordings.overdue').at(-1)).toEqual({ source: it1.source, count: 0, left: [] });
  });

  it('C76 a sweep that waits tells what waits with it, and what a hold keeps beside it', async () => {
    const { it1, root, findings } = scene();
    for (const camera of ['gate', 'hall']) it1.record(frigatePath(NOW - 31 * DAY_MS, camera));
    it1.catalogue();
    it1.hold({ from: null, to: null, cameras: [it1.cameraId('hall')] });
    it1.unconfirmed = true;
    await findings.swept(root, await it1.run());
    const [told] = it1.told('recordings.overdue') as { count: number; left: { reason: string }[] }[];
    expect(told?.count).toBe(2);
    expect(told?.left).toEqual(
      expect.arrayContaining([
        { reason: 'hold', count: 1 },
        { reason: 'commands-unconfirmed', count: 1 },
      ]),
    );
  });

  it('C76 a count that only grows is told once in a day', async () => {
    const { it1, root, findings } = scene({ mode: 'report' });
    for (const days of [31, 32, 33]) {
      it1.record(frigatePath(NOW - days * DAY_MS, 'gate'));
      it1.catalogue();
      await findings.swept(root, await it1.run());
    }
    expect(it1.told('recordings.overdue')).toMatchObject([{ count: 1 }]);
    it1.base.clock.advance(DAY_MS);
    await findings.swept(root, await it1.run());
    expect(it1.told('recordings.overdue').map(({ count }) => count)).toEqual([1, 3]);
  });
});

describe('agent/recordings/copies', () => {
  it('C77 knows the folders of recorders, file systems and NAS systems by their names, and no others', () => {
    const kinds = {
      ...{ exports: 'export', clips: 'clip', '.Trash-1000': 'recycle-bin', '#recycle': 'recycle-bin' },
      ...{ '$RECYCLE.BIN': 'recycle-bin', '@eaDir': 'thumbnails', '.snapshot': 'snapshot' },
      ...{ 'lost+found': 'lost-found', recordings: null, 'my exports': null, clip: null },
    };
    for (const [name, kind] of Object.entries(kinds)) expect([name, kindOf(name)]).toEqual([name, kind]);
  });

  it('C77 C78 counts them in the root and beside it, follows no link, and tells a change only', async () => {
    const { it1, root, findings } = scene();
    const beside = dirname(it1.root);
    const put = (path: string) => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, 'x');
    };
    put(join(beside, 'exports', 'a', 'one.mp4'));
    put(join(beside, 'exports', 'two.mp4'));
    put(join(it1.root, '#recycle', 'three.mp4'));
    put(join(it1.root, '.snapshot', 'daily.0', 'four.mp4'));
    put(join(it1.root, '.snapshot', 'daily.0', 'five.mp4'));
    mkdirSync(join(it1.root, 'lost+found'));
    symlinkSync(join(beside, 'exports'), join(it1.root, 'clips'));
    await findings.passed(root);
    const copies = [
      { kind: 'export', place: 'beside', count: 2, more: false },
      { kind: 'recycle-bin', place: 'inside', count: 1, more: false },
      { kind: 'snapshot', place: 'inside', count: 1, more: false },
    ];
    expect(it1.told('recordings.copies')).toEqual([{ source: it1.source, copies }]);
    expect(findings.copies(root.id)).toEqual(copies);
    it1.base.clock.advance(7 * HOUR_MS);
    await findings.passed(root);
    expect(it1.told('recordings.copies')).toHaveLength(1);
    put(join(beside, 'clips', 'six.mp4'));
    it1.base.clock.advance(7 * HOUR_MS);
    await findings.passed(root);
    expect(it1.told('recordings.copies')).toHaveLength(2);
  });

  it('C78 stops at its limit and says so', async () => {
    const { it1 } = scene();
    const bin = join(it1.root, '#recycle');
    mkdirSync(bin);
    for (let n = 0; n < 10_001; n++) writeFileSync(join(bin, String(n)), '');
    expect(await copiesBeside(it1.root, async () => {})).toEqual([
      { kind: 'recycle-bin', place: 'inside', count: 10_000, more: true },
    ]);
  });
});
