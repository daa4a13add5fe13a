/** The forecast over a real catalogue and the disk that it lies on: R9, C80, D2. */
import { randomBytes } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { Disks } from '../../../agent/holds/disks.ts';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import type { Root } from '../../../agent/recordings/roots.ts';
import { newId } from '../../../protocol/ids.ts';
import { DAY_MS, HOUR_MS } from '../../../protocol/time.ts';
import { frigatePath, SweepWorld } from '../recordings/sweep-world.ts';

const NEVER_S = (400 * DAY_MS) / 1000;

/** Finished days of one camera, each of a third of what is free on the disk that this runs on. */
function scene(mode: 'erase' | 'report' = 'erase') {
  const { bavail, bsize } = statfsSync(tmpdir());
  const bytes = Math.floor((bavail * bsize) / 3);
  const it1 = new SweepWorld({ mode });
  const { sweeps, clock, dir, book } = it1.base;
  it1.record(frigatePath(clock.now() - HOUR_MS, 'gate'));
  it1.catalogue();
  const gate = sweeps.cameras(it1.id).find(({ name }) => name === 'gate');
  const midnight = Math.floor(clock.now() / DAY_MS) * DAY_MS;
  const fill = (days: number) =>
    it1.write(() => {
      for (let n = days; n >= 1; n--) {
        const [starts, ends] = [midnight - n * DAY_MS, midnight - (n - 1) * DAY_MS];
        const gone = n > 30 ? 10 : 0;
        const counts = { count: 10, bytes, present: 10 - gone, erased: gone, missing: 0 };
        const gaps = { gaps: 0, gapSeconds: 0, longestSeconds: 0, boundSeconds: 600 };
        sweeps.told.putDay(gate?.id ?? 0, { starts, ends, first: starts, last: ends, ...counts, ...gaps });
      }
    });
  const root = {
    ...{ id: it1.id, source: it1.source, config: { root: it1.root, mode } },
    layout: layoutOf({ layout: 'frigate', zone: 'UTC', longestSegmentMs: null }),
  } as Root;
  const disks = new Disks({
    ...{ sweeps, clock, roots: () => [root], around: () => it1.around(), now: () => it1.trusted },
    standing: { zone: 'UTC', site: it1.site, host: it1.host, agreementEndsAt: null },
    vault: { path: join(dir, 'not-made', 'vault'), used: () => 0 },
  });
  const camera = gate?.camera as string;
  const order = (more = {}) => ({ hold: newId<'hold'>(randomBytes), from: null, to: null, ...more });
  const place = (more = {}) => {
    it1.write(() => book.place(order(more) as never));
    disks.changed();
  };
  return { it1, disks, fill, camera, order, place, root, clock };
}

describe('agent/holds/disks', () => {
  it('R9 says what a hold would do to the disk before it is placed, and the alert after', async () => {
    const { it1, disks, fill, camera, order, place, clock } = scene();
    fill(40);
    expect(await disks.soonest()).toEqual({ fullAt: null, byHolds: false, silence: null });
    expect(await disks.byHoldsIn()).toBe(NEVER_S);
    const open = order({ cameras: [camera] }) as never;
    const found = await disks.soonest(open);
    expect(found).toMatchObject({ byHolds: true, silence: null });
    // Nothing goes any more.
    const days = ((found.fullAt ?? 0) - clock.now()) / DAY_MS;
    expect([3, 4]).toContain(Math.round(days));
    place({ cameras: [camera] });
    expect(await disks.byHoldsIn()).toBeLessThan((5 * DAY_MS) / 1000);
    it1.trusted = null;
    disks.changed();
    expect(await disks.byHoldsIn()).toBeNull();
    expect(await disks.look()).toMatchObject([{ silence: 'time-untrusted' }]);
  });

  it('C80 one of an unknown camera is reckoned as one of all; of another camera as none', async () => {
    const { it1, disks, fill, order } = scene();
    it1.record(frigatePath(it1.base.clock.now() - HOUR_MS, 'yard'));
    it1.catalogue();
    fill(40);
    expect((await disks.soonest(order({ cameras: [newId(randomBytes)] }) as never)).byHolds).toBe(true);
    const yard = it1.cameraId('yard');
    expect((await disks.soonest(order({ cameras: [yard] }) as never)).fullAt).toBeNull();
  });

  it('D2 holds that cannot be read are reckoned as holding all', async () => {
    const { it1, disks, fill, place } = scene();
    fill(40);
    place({ from: 0, to: 1 });
    expect((await disks.soonest()).fullAt).toBeNull();
    const db = new Sqlite(join(it1.base.dir, 'agent.db'));
    db.prepare("UPDATE holds SET scope = '{'").run();
    db.close();
    expect((await disks.soonest()).byHolds).toBe(true);
  });

  it('T16 says why nothing can be said: no rules, too little, a disk that is gone', async () => {
    const { it1, disks, fill, root } = scene();
    expect(await disks.look()).toMatchObject([{ silence: 'too-little-known', unknown: 1 }]);
    fill(40);
    expect(await disks.look()).toMatchObject([{ silence: null }]);
    it1.policy = null;
    expect(await disks.look()).toMatchObject([{ silence: 'no-policy' }]);
    (root.config as { root: string }).root = '/nowhere/at/all';
    expect(await disks.look()).toMatchObject([{ silence: 'disk-silent', fullAt: null }]);
  });

  it('C83 where the recorder deletes by itself it is the vault that fills, on whatever disk it lies', async () => {
    const { it1, disks, fill, camera, order } = scene('report');
    fill(40);
    const found = await disks.look(order({ cameras: [camera] }) as never);
    // Its folder is not there, nor the one above: nothing is known of where it would lie, and nothing is invented.
    expect(found).toMatchObject([{ vault: false, fullAt: null }]);
    const near = new Disks({
      ...{ sweeps: it1.base.sweeps, clock: it1.base.clock, roots: () => found.flatMap(({ roots }) => roots) },
      ...{ around: () => it1.around(), now: () => it1.trusted },
      standing: { zone: 'UTC', site: it1.site, host: it1.host, agreementEndsAt: null },
      vault: { path: join(it1.base.dir, 'vault'), used: () => 0 },
    });
    const [one] = await near.look(order({ cameras: [camera] }) as never);
    expect(one).toMatchObject({ vault: true, withoutHolds: null });
    expect(one?.fullAt).not.toBeNull();
    expect(await near.look()).toMatchObject([{ fullAt: null }]);
  });
});
