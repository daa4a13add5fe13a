import { symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import type { Root } from '../../../agent/recordings/roots.ts';
import { SoundWatch } from '../../../agent/recordings/sound.ts';
import { DAY_MS } from '../../../protocol/time.ts';
import { box, hdlr } from './boxes.ts';
import { frigatePath, SweepWorld } from './sweep-world.ts';

const NOW = Date.UTC(2026, 10, 22, 8);

const track = (kind: string) => box('trak', box('mdia', hdlr(kind)));
const film = (...kinds: string[]) =>
  Buffer.concat([
    box('ftyp', Buffer.from('isom0000')),
    box('moov', ...kinds.map(track)),
    box('mdat', Buffer.alloc(99)),
  ]);

function scene() {
  const it1 = new SweepWorld();
  const write = (camera: string, days: number, bytes: Buffer): string => {
    const path = it1.record(frigatePath(NOW - days * DAY_MS, camera));
    writeFileSync(path, bytes);
    return path;
  };
  const watch = (platform = 'linux') =>
    new SoundWatch({
      root: {
        id: it1.id,
        source: it1.source,
        layout: layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null }),
      } as Root,
      ...{ journal: it1.base.journal, catalogue: it1.base.catalogue, sweeps: it1.base.sweeps },
      ...{ clock: it1.base.clock, platform, rest: async () => {} },
    });
  const heard = () => it1.told('camera.heard').map(({ camera, sound }) => [camera, sound]);
  return { it1, write, watch, heard };
}

describe('agent/recordings/sound', () => {
  it('C62 each camera by its newest recording, once a day, told when it is another answer', async () => {
    const { it1, write, watch, heard } = scene();
    write('gate', 3, film('vide', 'soun'));
    write('gate', 2, film('vide'));
    write('hall', 2, film('vide', 'soun'));
    write('yard', 2, Buffer.from('no film at all'));
    it1.catalogue();
    const ids = Object.fromEntries(['gate', 'hall', 'yard'].map((name) => [name, it1.cameraId(name)]));
    const one = watch();
    await one.look();
    expect(heard()).toEqual(
      expect.arrayContaining([
        [ids.gate, 'none'],
        [ids.hall, 'audio'],
        [ids.yard, 'unknown'],
      ]),
    );
    write('gate', 1, film('vide', 'soun'));
    it1.catalogue();
    await one.look();
    expect(heard()).toHaveLength(3);
    it1.base.clock.advance(DAY_MS);
    await one.look();
    expect(heard()).toHaveLength(4);
    expect(heard().at(-1)).toEqual([ids.gate, 'audio']);
  });

  it('C62 follows no link, and looks at nothing where the root is not the accepted one', async () => {
    const { it1, write, watch, heard } = scene();
    const path = write('gate', 2, film('vide', 'soun'));
    it1.catalogue();
    unlinkSync(path);
    const outside = `${it1.root}-film.mp4`;
    writeFileSync(outside, film('vide', 'soun'));
    symlinkSync(outside, path);
    await watch().look();
    expect(heard()).toEqual([]);
    unlinkSync(path);
    writeFileSync(path, film('vide', 'soun'));
    await watch('darwin').look();
    unlinkSync(join(it1.root, '.tilsyn-source'));
    await watch().look();
    expect(heard()).toEqual([]);
  });
});
