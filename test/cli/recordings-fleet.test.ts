/** Recordings of many hosts and the register of cameras, as the command line shows them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeAnswer } from '../../collector/ingest/queries.ts';
import { setPack } from '../../collector/policy.ts';
import type { AgentId } from '../../protocol/ids.ts';
import { DAY_MS, MINUTE_MS, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, START } from '../collector/api-world.ts';
import { day, done, found, newCamera, newSource } from '../collector/recording-events.ts';
import { CliWorld } from './cli-world.ts';

let world: ApiWorld;
let cli: CliWorld;
/** Hosts that are connected, and what each answers. */
const live = new Map<AgentId, (verb: string) => Loose>();
const run = (line: string, options = {}) => cli.run(line.split(' '), options);
const source = newSource();
const camera = newCamera();

/** What the connected host answers of its root. */
const stats: Record<string, unknown> = {};
beforeAll(async () => {
  world = await ApiWorld.make();
  cli = new CliWorld();
  cli.use(world, await world.person('admin'));
  await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'dk-msp', person: null }));
  const [one, two] = [await world.host({ name: 'nvr-01' }), await world.host({ name: 'nvr-02' })];
  const other = newSource();
  const export_ = { kind: 'export', place: 'beside', count: 2, more: false } as const;
  await one.send([found(source, camera, 'gate'), done(source)]);
  await two.send([
    found(other, newCamera(), 'hall'),
    day(other, newCamera(), START),
    { type: 'recordings.copies', data: { source: other, copies: [export_] } },
    done(other),
  ]);
  const hall = (await world.ctx.store.read.camerasOf([two.row.agent]))[0]?.camera ?? '';
  await two.send([
    day(other, hall, utcMs(START - 40 * DAY_MS), { present: 3, erased: 7 }),
    day(other, hall, utcMs(START - DAY_MS)),
  ]);
  world.ctx.links = {
    ...world.ctx.links,
    isLive: (agent) => live.has(agent),
    send(agent, frame) {
      const says = live.get(agent);
      if (says === undefined || frame.t !== 'query') return false;
      takeAnswer(world.ctx, agent, {
        t: 'result',
        n: null,
        query: frame.id,
        ok: true,
        body: says(frame.verb),
      });
      return true;
    },
  };
  live.set(one.row.agent, (verb) => {
    const watched = [{ source, from: null, to: null, gaps: [], scannedAt: null }];
    Object.assign(stats, {
      cameras: [{ camera, name: 'gate', count: 5, bytes: 50, due: 0, held: 0, unbounded: 0 }],
    });
    const root = {
      source,
      root: '/srv/nvr',
      layout: 'frigate',
      mode: 'erase',
      state: 'watched',
      waits: null,
    };
    const rules = {
      policy: 'dk-msp',
      version: 1,
      limit: 'P30D',
      unjudged: null,
      scannedAt: null,
      sweptAt: null,
    };
    const item = {
      id: '1.a',
      source,
      camera,
      cameraName: 'gate',
      path: 'a.mp4',
      state: 'present',
      reason: 'hold',
    };
    const sources = [{ ...root, ...rules, odd: {}, notLookedAt: ['backups'], copies: [], ...stats }];
    return verb === 'recordings.stats'
      ? { sources, watched }
      : { items: verb === 'recordings.list' ? [item] : [], next: null, watched, notLookedAt: ['backups'] };
  });
  world.clock.advance(MINUTE_MS);
});
afterAll(async () => {
  cli.close();
  await world.close();
});

describe('recordings of many hosts on the command line', () => {
  it('H13 H14 one screen a site: what is over the limit, as of when, and what was not looked at', async () => {
    const { code, out, err } = await run('recording stats --site Albertslund');
    expect(code).toBe(6);
    expect(out).toContain(
      'Acme, Albertslund: 3 recordings are over their limit (P30D), but 1 of 2 hosts did not answer',
    );
    expect(out).toMatch(/nvr-02: not connected since .*; as last told at /);
    expect(out).toMatch(/hall +13 /);
    expect(out).toContain('/srv/nvr (frigate, erase, watched); policy dk-msp, version 1');
    expect(out).toMatch(/not looked at: .*; seen of it: 2 export beside a root/);
    expect(out).toContain('not-connected: the host is not connected, and only it can say');
    expect(err).toContain('nvr-02: not connected since');
    expect(out.split('\n').length).toBeLessThan(40);
  });

  it('H14 a list names its hosts, and of one that is not connected the days that it told of', async () => {
    const list = await run('recording list');
    expect(list.code).toBe(6);
    expect(list.out).toContain('a.mp4');
    expect(list.out).toMatch(/nvr-02: as last told at .*, by days/);
    expect(list.out).toMatch(/hall +2026-10-13.* +10 +3 +7 +0/);
    const json = (await run('recording list -o json')).json();
    expect(json).toMatchObject({ schema: 1, items: [{ host: 'nvr-01', cameraName: 'gate' }], next: null });
    expect(json.hosts).toMatchObject([{ answered: true }, { answered: false, why: 'not-connected' }]);
    const due = await run('recording due');
    expect([due.code, due.out.match(/hall/g)?.length]).toEqual([6, 1]);
    expect(due.out).toContain('not looked at: ');
  });

  it('R9 says when the disk of a root is full, whether holds are why, or why nobody can say', async () => {
    const screen = async (disk: object) => {
      Object.assign(stats, {
        disk: { fullAt: null, withoutHolds: null, unknown: 0, silence: null, ...disk },
      });
      return (await run('recording stats --host nvr-01')).out;
    };
    const at = { fullAt: '2027-01-15T10:00:00.000Z' };
    expect(await screen(at)).toContain('is expected to be full on 2027-01-15; without holds not in sight');
    const both = { ...at, withoutHolds: '2027-02-01T10:00:00.000Z', unknown: 2 };
    expect(await screen(both)).toMatch(/without holds expected on 2027-02-01 \(2 cameras are too new/);
    expect(await screen({})).toContain('its disk does not fill up in the next year\n');
    expect(await screen({ silence: 'time-untrusted' })).toContain('is not known: time-untrusted');
  });

  it('A2 where every host answered and nothing is over its limit the exit code is 0', async () => {
    const { code, out } = await run('recording stats --host nvr-01');
    expect([code, out]).toEqual([0, expect.stringContaining('nothing over its limit (P30D) was found\n')]);
    expect((await run('recording due --host nvr-01')).code).toBe(0);
    const csv = (await run('recording stats --host nvr-01 -o csv')).out;
    expect(csv).toContain('host');
    expect((await run('recording list --camera nvr-01/nobody')).code).toBe(3);
  });

  it('V97 cameras with what is wrong with each; registering one mends it', async () => {
    const before = await run('camera list');
    expect(before.code).toBe(6);
    expect(before.out).toMatch(/nvr-01 .*gate .*not in the register/);
    const words = [
      'camera',
      'register',
      'nvr-01/gate',
      '--purpose',
      'theft',
      '--address',
      'Road 1',
      '--retain',
      'P7D',
    ];
    const dry = await cli.run([...words, '--dry-run', '-o', 'json']);
    expect(dry.json()).toMatchObject({ dryRun: true, registered: null });
    const made = await cli.run([...words, '--signage', '2026-01-15T00:00:00Z']);
    expect([made.code, made.err]).toEqual([0, '']);
    expect(made.out).toMatch(/kept +P7D/);
    expect(made.out).toContain('another period than the rule in force');
    expect((await run('camera list --unregistered --host nvr-01')).out).toContain('no cameras\n');
    expect((await run('camera register nvr-01/gate --purpose x --place space')).code).toBe(2);
  });
});
