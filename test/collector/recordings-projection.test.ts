import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rebuild } from '../../collector/projections.ts';
import { MAX_CAMERAS, MAX_DAYS } from '../../collector/store/recordings.ts';
import type { CameraRow, RootRow } from '../../collector/store/types.ts';
import { DAY_MS, HOUR_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, START, type TestHost } from './api-world.ts';
import { day, done, found, newCamera, newSource, waiting } from './recording-events.ts';

let world: ApiWorld;
let one: TestHost;
let two: TestHost;
beforeAll(async () => {
  world = await ApiWorld.make();
  one = await world.host({ name: 'nvr-01' });
  two = await world.host({ name: 'nvr-02' });
});
afterAll(() => world.close());

const root = (source: string) => world.ctx.store.read.roots.get(source) as Promise<RootRow>;
const camera = (id: string) => world.ctx.store.read.cameras.get(id) as Promise<CameraRow>;
const daysOf = (id: string) =>
  world.ctx.store.read.daysOf({
    ...{ agents: [one.row.agent, two.row.agent], camera: id as never, from: utcMs(0), to: utcMs(9e15) },
    ...{ having: null, limit: 10_000 },
  });

describe('the projection of recordings', () => {
  it('knows cameras, what is heard and seen of them, and the last telling of each day', async () => {
    const [source, gate] = [newSource(), newCamera()];
    await one.send([
      found(source, gate, 'gate'),
      { type: 'camera.heard', data: { source, camera: gate, sound: 'audio' } },
      day(source, gate, START),
      day(source, gate, START, { present: 0, erased: 10 }),
    ]);
    expect(await camera(gate)).toMatchObject({
      ...{ agent: one.row.agent, source, site: one.row.site, sound: 'audio', gapFrom: null },
      registeredPos: null,
    });
    expect(await daysOf(gate)).toMatchObject([{ count: 10, present: 0, erased: 10, agent: one.row.agent }]);
    const gap = { source, camera: gate, from: toIso(START) };
    await one.send([{ type: 'camera.gap', data: { ...gap, state: 'open', to: null } }]);
    expect((await camera(gate)).gapFrom).toBe(START);
    const before = toIso(utcMs(START - DAY_MS));
    await one.send([{ type: 'camera.gap', data: { ...gap, state: 'closed', from: before, to: before } }]);
    expect((await camera(gate)).gapFrom).toBe(START);
    await one.send([{ type: 'camera.gap', data: { ...gap, state: 'closed', to: gap.from } }]);
    expect((await camera(gate)).gapFrom).toBe(null);
  });

  it('V92 a root waits since the first telling, whatever the reason was, until a sweep was done', async () => {
    const source = newSource();
    const since = utcMs(START - HOUR_MS);
    await one.send([waiting(source, 'first-sweep', { since: toIso(since), plan: newCamera() })]);
    await one.send([waiting(source, 'commands-unconfirmed')]);
    expect(await root(source)).toMatchObject({
      ...{ waits: 'commands-unconfirmed', waitsSince: since, plan: null },
    });
    await one.send([done(source)]);
    expect(await root(source)).toMatchObject({ waits: null, waitsSince: null, sweptAt: world.clock.now() });
  });

  it('V92 a root is suspect until it was read or accepted again, and retired for good', async () => {
    const [source, gate] = [newSource(), newCamera()];
    const suspect = { type: 'recordings.root-suspect', data: { source, reason: 'root-gone' } } as const;
    await one.send([found(source, gate, 'hall'), suspect]);
    expect(await root(source)).toMatchObject({ state: 'suspect', reason: 'root-gone' });
    await one.send([waiting(source, 'root-gone')]);
    expect((await root(source)).state).toBe('suspect');
    await one.send([day(source, gate, START)]);
    expect(await root(source)).toMatchObject({ state: 'watched', reason: null });
    await one.send([suspect, { type: 'recordings.accepted', data: { source, reason: 'person' } }]);
    expect((await root(source)).state).toBe('watched');
    await one.send([{ type: 'recordings.retired', data: { source, reason: 'stored', count: 3 } }]);
    expect(await root(source)).toMatchObject({ state: 'retired', reason: 'stored', waits: null });
  });

  it('keeps what is left over, copies and how many vanished', async () => {
    const source = newSource();
    const left = [{ reason: 'report-only', count: 4 }];
    const copies = [{ kind: 'export', place: 'beside', count: 2, more: false }] as const;
    const gone = { camera: null, bytes: null, from: null, to: null, reason: 'vanished' };
    await one.send([
      { type: 'recordings.overdue', data: { source, count: 4, left } },
      { type: 'recordings.copies', data: { source, copies: [...copies] } },
      { type: 'recording.missing', data: { source, count: 2, ...gone } },
      { type: 'recording.missing', data: { source, count: Number.MAX_SAFE_INTEGER, ...gone } },
    ]);
    expect(await root(source)).toMatchObject({ left, copies, missing: Number.MAX_SAFE_INTEGER });
  });

  it('V91 another host changes no root, camera or day, and no host registers', async () => {
    const [source, gate] = [newSource(), newCamera()];
    await one.send([found(source, gate, 'yard'), day(source, gate, START)]);
    const own = newSource();
    await two.send([
      waiting(source, 'first-sweep'),
      found(source, gate, 'theirs'),
      found(own, gate, 'theirs'),
      day(source, gate, START, { count: 1 }),
      day(own, gate, START, { count: 1 }),
      { type: 'camera.heard', data: { source: own, camera: gate, sound: 'none' } },
      {
        type: 'camera.registered',
        data: {
          ...{ camera: gate, agent: two.id, customer: two.row.customer, person: newCamera(), place: null },
          ...{ retain: null, signage: null },
        },
      } as never,
    ]);
    expect((await root(source)).waits).toBe(null);
    expect(await camera(gate)).toMatchObject({ agent: one.row.agent, sound: null, registeredPos: null });
    expect(await daysOf(gate)).toMatchObject([{ count: 10 }]);
  });

  it('Y1 is the same when it is made anew', async () => {
    const all = async () => {
      const { read } = world.ctx.store;
      const agents = [one.row.agent, two.row.agent];
      return [await read.rootsOf(agents), await read.camerasOf(agents), await read.cameraSums(agents)];
    };
    await one.send([{ type: 'clock.stepped', data: { byMs: 9_000_000, source: null } }]);
    const before = await all();
    const steps = await world.ctx.store.read.clockSteps.list();
    await world.ctx.store.write((tx) => rebuild(tx));
    expect(await all()).toEqual(before);
    expect(steps).toMatchObject([{ agent: one.row.agent, byMs: 9_000_000 }]);
    expect(await world.ctx.store.read.clockSteps.list()).toEqual(steps);
  });

  it('V90 what one host tells is bounded: cameras by their number, days by their age', async () => {
    const source = newSource();
    const many = Array.from({ length: MAX_CAMERAS + 5 }, () => newCamera());
    for (let at = 0; at < many.length; at += 200)
      await two.send(many.slice(at, at + 200).map((id) => found(source, id, 'c')));
    expect(await world.ctx.store.read.camerasOf([two.row.agent])).toHaveLength(MAX_CAMERAS);
    const first = many[0] as string;
    const days = Array.from({ length: MAX_DAYS + 3 }, (_, n) =>
      day(source, first, utcMs(START - n * DAY_MS)),
    );
    for (let at = 0; at < days.length; at += 200) await two.send(days.slice(at, at + 200));
    const kept = await daysOf(first);
    expect(kept).toHaveLength(MAX_DAYS);
    expect(kept[0]?.fromAt).toBe(Math.floor(START / DAY_MS) * DAY_MS);
  }, 60_000);
});
