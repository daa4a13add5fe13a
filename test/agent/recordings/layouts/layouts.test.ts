import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAYOUT_NAMES, layoutOf, layoutProblem } from '../../../../agent/recordings/layouts/index.ts';
import { recognise } from '../../../../agent/recordings/layouts/recognise.ts';
import { LAYOUTS } from '../../../../agent/recordings/layouts/table.ts';
import { MARKER_FILE } from '../../../../agent/recordings/root.ts';
import type { PathSays } from '../../../../agent/recordings/types.ts';
import { HOUR_MS, toIso, utcMs } from '../../../../protocol/time.ts';

const ZONE = 'Europe/Copenhagen';

function read(layout: string, path: string, zone = ZONE): PathSays {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  return layoutOf({ layout, zone, longestSegmentMs: null }).folder(parts).file(name);
}

function times(layout: string, path: string, zone = ZONE): string {
  const says = read(layout, path, zone);
  if (says.is !== 'recording') return says.is;
  const { camera, startEarliest, startLatest, endStated } = says;
  const start = startEarliest === startLatest ? '' : ` … ${toIso(startLatest)}`;
  const end = endStated === null ? '' : ` – ${toIso(endStated)}`;
  return `${camera} ${toIso(startEarliest)}${start}${end}`;
}

describe('agent/recordings/layouts: what a path says', () => {
  it.each([
    ['frigate', '2026-03-29/01/front_door/59.50.mp4', 'front_door 2026-03-29T01:59:50.000Z'],
    ['frigate-old', '2021-11/23/15/driveway/39.25.mp4', 'driveway 2021-11-23T14:39:25.000Z'],
    ['motion', '01-20261128031500.mp4', ' 2026-11-28T02:15:00.000Z'],
    ['motion', 'CAM01_1-07-2-20261128031500.mkv', 'CAM01 2026-11-28T02:15:00.000Z'],
    ['motioneye', 'Camera1/2026-11-28/03-15-00.mp4', 'Camera1 2026-11-28T02:15:00.000Z'],
    ['zoneminder-deep', '8/16/12/08/18/42/55/232362-video.mp4', '8 2016-12-08T17:42:55.000Z'],
    ['shinobi', 'group1/cam2/2026-11-28T03-15-00.webm', 'group1/cam2 2026-11-28T02:15:00.000Z'],
    ['viseron', 'segments/garage/1748735174.m4s', 'garage 2025-05-31T23:46:14.000Z'],
    ['mediamtx', 'yard/north/2026-11-28_03-15-00-123456.mp4', 'yard/north 2026-11-28T02:15:00.123Z'],
    ['blue-iris', 'New/Gate.20261128_031500.bvr', 'Gate 2026-11-28T02:15:00.000Z'],
    ['xiaomi', '2025060107/46M14S_1748735174.mp4', ' 2025-05-31T23:46:14.000Z'],
    [
      'unifi-protect',
      '2022/01/13/E063DA3FEC8C_0_rotating_1642077111078.ubv',
      'E063DA3FEC8C_0 2022-01-13T12:31:51.078Z',
    ],
    [
      'dahua',
      '2025-01-10/001/dav/08/08.00.00-08.59.59[M][0@0][0].dav',
      '001 2025-01-10T07:00:00.000Z – 2025-01-10T07:59:59.000Z',
    ],
    [
      'dahua',
      'XJ0028V/2021-03-06/001/dav/10/10.27.32-10.28.00[M][0@0][0].dav',
      'XJ0028V/001 2021-03-06T09:27:32.000Z – 2021-03-06T09:28:00.000Z',
    ],
  ])('D3 %s: %s', (layout, path, said) => {
    expect(times(layout, path)).toBe(said);
  });

  it('D3 the last file of a day ends on the next one', () => {
    const path = '2025-01-10/001/dav/23/23.59.50-00.00.10[R][0@0][0].dav';
    expect(times('dahua', path, 'UTC')).toBe('001 2025-01-10T23:59:50.000Z – 2025-01-11T00:00:10.000Z');
    const full = '2025-01-10/001/dav/23/23.00.00-24.00.00[R][0@0][0].dav';
    expect(times('dahua', full, 'UTC')).toBe('001 2025-01-10T23:00:00.000Z – 2025-01-11T00:00:00.000Z');
  });

  it('D3, C11 a date alone gives the whole day, also one of 23 or 25 hours', () => {
    const at = (day: string) => times('zoneminder-medium', `1/${day}/421/421-video.mp4`);
    expect(at('2026-11-28')).toBe('1 2026-11-27T23:00:00.000Z … 2026-11-28T23:00:00.000Z');
    expect(at('2026-03-29')).toBe('1 2026-03-28T23:00:00.000Z … 2026-03-29T22:00:00.000Z');
    expect(at('2026-10-25')).toBe('1 2026-10-24T22:00:00.000Z … 2026-10-25T23:00:00.000Z');
  });

  it('D3, C11 the repeated hour gives both instants, the missing hour both readings', () => {
    expect(times('motioneye', 'a/2026-10-25/02-30-00.mp4')).toBe(
      'a 2026-10-25T00:30:00.000Z … 2026-10-25T01:30:00.000Z',
    );
    expect(times('motioneye', 'a/2026-03-29/02-30-00.mp4')).toBe(
      'a 2026-03-29T00:30:00.000Z … 2026-03-29T01:30:00.000Z',
    );
  });

  it.each([
    ['frigate', '2026-13-29/01/front_door/59.50.mp4'],
    ['frigate', '2026-02-30/01/front_door/59.50.mp4'],
    ['frigate', '2026-03-29/24/front_door/59.50.mp4'],
    ['frigate', '2026-03-29/01/front_door/59.50.mp4.tmp'],
    ['frigate', '2026-03-29/01/front_door/59.50.MP4'],
    ['frigate', '2026-03-29/01/front_door/sub/59.50.mp4'],
    ['frigate', '2026-03-29/01/59.50.mp4'],
    ['frigate', 'holiday.mp4'],
    ['frigate', '2026-03-29/01/front_door/59.50.mp4\n'],
    ['dahua', '2025-01-10/001/dav/08/09.00.00-09.59.59[M][0@0][0].dav'],
    ['zoneminder-medium', '1/2023-09-24/421/422-video.mp4'.replace('422', 'x')],
  ])('R4, C10 %s does not know %j', (layout, path) => {
    expect(read(layout, path).is).toBe('unknown');
  });

  it('R4 what the recorder needs, and what it still writes, is none of ours', () => {
    expect(read('viseron', 'segments/garage/init.mp4').is).toBe('recorder');
    expect(read('motioneye', '.keep').is).toBe('recorder');
    for (const layout of LAYOUT_NAMES) expect(read(layout, MARKER_FILE).is).toBe('recorder');
    expect(read('zoneminder-medium', '1/2023-09-24/421/incomplete.mp4').is).toBe('in-flight');
    expect(read('dahua', '2025-01-10/001/dav/08/08.00.00-08.59.59[M][0@0][0].dav_').is).toBe('in-flight');
  });

  it('R5 rings and databases are not erasable', () => {
    const not = LAYOUTS.filter(({ erasable }) => !erasable).map(({ name }) => name);
    expect(not).toEqual(
      expect.arrayContaining(['hikvision', 'unifi-protect', 'moonfire', 'milestone', 'synology']),
    );
    expect(read('hikvision', 'datadir0/hiv00042.mp4').is).toBe('untimed');
    expect(read('moonfire', '00000003001c1ba6')).toEqual({ is: 'untimed', camera: '00000003' });
  });

  it('names are bytes: spaces, brackets, æøå, line ends and invalid UTF-8 name a camera like any other', () => {
    for (const camera of [
      'front door',
      '[a]@b|c',
      Buffer.from('æøå').toString('latin1'),
      'a\nb',
      '\xff\xfe',
    ]) {
      const says = read('frigate', `2026-03-29/01/${camera}/59.50.mp4`);
      expect(says).toMatchObject({ is: 'recording', camera });
    }
  });

  it('every layout reads its own examples and knows the folders on the way', () => {
    for (const { name, examples } of LAYOUTS) {
      expect(examples.length, name).toBeGreaterThan(0);
      const layout = layoutOf({ layout: name, zone: ZONE, longestSegmentMs: null });
      for (const example of examples) {
        expect(['recording', 'untimed'], example).toContain(read(name, example).is);
        const parts = example.split('/').slice(0, -1);
        for (let depth = 0; depth < parts.length; depth++) {
          expect(['above', 'recordings'], example).toContain(layout.folder(parts.slice(0, depth)).is);
        }
        expect(layout.folder(parts).is, example).toBe('recordings');
      }
    }
  });

  it('D3 any path: never throws, and bounds are in order', () => {
    const part = fc.oneof(
      fc.constantFrom('2026-03-29', '02', '001', 'dav', 'segments', 'New', '16', '12', '59.50.mp4', '.keep'),
      fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.includes('/')),
    );
    fc.assert(
      fc.property(fc.constantFrom(...LAYOUT_NAMES), fc.array(part, { maxLength: 9 }), (layout, parts) => {
        const says = read(layout, parts.join('/'));
        if (says.is !== 'recording') return;
        expect(says.startEarliest).toBeLessThanOrEqual(says.startLatest);
        if (says.endStated !== null) expect(says.endStated).toBeGreaterThanOrEqual(says.startEarliest);
      }),
    );
  });

  it('D3 any minute of a year: the path that a recorder writes contains the instant it began at', () => {
    const minute = fc.integer({ min: Date.UTC(2026, 0, 1) / 60_000, max: Date.UTC(2027, 0, 1) / 60_000 });
    const shown = new Intl.DateTimeFormat('sv-SE', {
      timeZone: ZONE,
      dateStyle: 'short',
      timeStyle: 'medium',
    });
    fc.assert(
      fc.property(minute, (at) => {
        const [day = '', time = ''] = shown.format(at * 60_000).split(' ');
        const says = read('motioneye', `a/${day}/${time.replaceAll(':', '-')}.mp4`);
        expect(says.is).toBe('recording');
        if (says.is !== 'recording') return;
        expect([says.startEarliest, says.startLatest]).toContain(at * 60_000);
      }),
      { numRuns: 500 },
    );
  });
});

describe('agent/recordings/layouts: declared patterns', () => {
  it('a pattern of strftime tokens and cameras is a layout', () => {
    const pattern = '{camera}/%Y/%m/%d/cam_%H%M%S.mp4';
    expect(times(pattern, 'gate/2026/11/28/cam_031500.mp4')).toBe('gate 2026-11-28T02:15:00.000Z');
    expect(times('{camera}@%Y%m%d%H%M%S%z.mp4', 'gate@20261128031500+0200.mp4')).toBe(
      'gate 2026-11-28T01:15:00.000Z',
    );
  });

  it.each([
    ['frigat', 'frigate'],
    ['{camera}/%H-%M.mp4', 'date'],
    ['{camera}/%Y-%m-%d/{who}.mp4', '{who}'],
    ['/{camera}/%Y-%m-%d.mp4', 'slash'],
    ['../%Y-%m-%d.mp4', 'below the root'],
    ['{any}{any}{any}%Y-%m-%d.mp4', 'between two slashes'],
  ])('%s is refused with a reason', (layout, said) => {
    expect(layoutProblem(layout)).toContain(said);
  });
});

describe('agent/recordings/layouts: hot folders', () => {
  it('are those of the present hours, for the cameras that are known', () => {
    const layout = layoutOf({ layout: 'frigate', zone: ZONE, longestSegmentMs: null });
    const at = utcMs(Date.UTC(2026, 10, 28, 0, 30));
    expect(layout.hot(utcMs(at - HOUR_MS), at, ['a', 'b'])).toEqual([
      '2026-11-27/23/a',
      '2026-11-27/23/b',
      '2026-11-28/00/a',
      '2026-11-28/00/b',
    ]);
    const local = layoutOf({ layout: 'motioneye', zone: ZONE, longestSegmentMs: null });
    expect(local.hot(at, at, ['a'])).toEqual(['a/2026-11-28', '2026-11-28']);
  });

  it('cannot be told where a folder has a number of its own', () => {
    const layout = layoutOf({ layout: 'zoneminder-medium', zone: ZONE, longestSegmentMs: null });
    expect(layout.hot(utcMs(0), utcMs(0), ['1'])).toBeNull();
  });
});

describe('agent/recordings/layouts: recognising', () => {
  const path = (text: string) => ({
    folder: text.split('/').slice(0, -1),
    name: text.split('/').at(-1) ?? '',
  });

  it('C12 each layout is recognised from its own examples, with what was read', () => {
    for (const { name, examples } of LAYOUTS) {
      const best = recognise(examples.map(path), ZONE)[0];
      expect(best?.unknown, name).toBe(0);
      expect(best?.recordings, name).toBe(examples.length);
    }
  });

  it('C12 at most ten paths are shown, spread over the sample', () => {
    const sample = Array.from({ length: 60 }, (_, n) =>
      path(`2026-11-28/03/gate/${String(n).padStart(2, '0')}.00.mp4`),
    );
    const [best] = recognise([...sample, path('holiday/film.mp4')], ZONE);
    expect(best).toMatchObject({ layout: 'frigate', recordings: 60, unknown: 1 });
    expect(best?.shown).toHaveLength(10);
    expect(best?.shown.at(-1)?.name).toBe('54.00.mp4');
  });
});
