import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endQuestions, takeAnswer } from '../../collector/ingest/queries.ts';
import { setPack } from '../../collector/policy.ts';
import type { Links } from '../../collector/types.ts';
import type { AgentId } from '../../protocol/ids.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, START, type TestHost } from './api-world.ts';
import { day, done, found, newCamera, newSource } from './recording-events.ts';

let world: ApiWorld;
let token: string;
const sources = new Map<string, string>();
const cameras = new Map<string, string>();
const hosts: TestHost[] = [];

/** What a host that is asked does with it. */
type Does = (verb: string, body: Loose, settle: (ok: boolean, body: Loose) => void) => void;
const live = new Map<AgentId, Does>();
const asked: { agent: AgentId; verb: string; body: Loose }[] = [];

function hostOf(name: string): TestHost {
  const at = ['nvr-01', 'nvr-02', 'nvr-03'].indexOf(name);
  return hosts[at] as TestHost;
}

beforeAll(async () => {
  world = await ApiWorld.make();
  token = await world.person('auditor', null, 'A');
  await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'dk-msp', person: null }));
  for (const name of ['nvr-01', 'nvr-02', 'nvr-03']) {
    const host = await world.host({ name, site: name === 'nvr-03' ? 'Vejle' : 'Albertslund' });
    hosts.push(host);
    const [source, camera] = [newSource(), newCamera()];
    sources.set(name, source);
    cameras.set(name, camera);
    await host.send([
      found(source, camera, 'gate'),
      day(source, camera, utcMs(START - 40 * DAY_MS), { present: 3, erased: 7 }),
      day(source, camera, utcMs(START - 2 * DAY_MS), { missing: 1, present: 9 }),
      done(source),
    ]);
  }
  // Without recordings: never asked, never in the coverage.
  await world.host({ name: 'srv-01' });
  const links: Links = {
    ...world.ctx.links,
    isLive: (agent) => live.has(agent),
    send(agent, frame) {
      const does = live.get(agent);
      if (does === undefined || frame.t !== 'query') return false;
      asked.push({ agent, verb: frame.verb, body: frame.body });
      const settle = (ok: boolean, body: Loose) =>
        takeAnswer(world.ctx, agent, { t: 'result', n: null, query: frame.id, ok, body });
      does(frame.verb, frame.body, settle);
      return true;
    },
  };
  world.ctx.links = links;
});
afterAll(() => world.close());
beforeEach(() => {
  live.clear();
  asked.length = 0;
});

const item = (name: string, n: number) => ({
  id: `${name}.${n}`,
  camera: cameras.get(name),
  path: `${n}.mp4`,
});
/** Answers as an agent does, with items that go on. */
const answers =
  (name: string, count: number): Does =>
  (_verb, body, settle) => {
    const from = Number(body.after ?? 0);
    const to = Math.min(count, from + body.limit);
    const items = Array.from({ length: to - from }, (_, i) => item(name, from + i));
    settle(true, { items, next: to < count ? String(to) : null, watched: [], notLookedAt: ['backups'] });
  };
const get = async (path: string) => (await world.get(`/v1/recordings/${path}`, token)).body;
const reasons = (body: Loose) =>
  Object.fromEntries(
    body.coverage.hosts.map((host: Loose) => [host.host, host.gaps.map((g: Loose) => g.reason)]),
  );

describe('recordings of many hosts', () => {
  it('J22 asks the hosts that are connected, and says of each other one what it told before (V94)', async () => {
    live.set(hostOf('nvr-01').row.agent, answers('nvr-01', 2));
    world.clock.advance(MINUTE_MS);
    const body = await get('list');
    expect(body.items.map(({ host, id }: Loose) => [host, id])).toEqual([
      ['nvr-01', 'nvr-01.0'],
      ['nvr-01', 'nvr-01.1'],
    ]);
    expect(asked).toMatchObject([{ verb: 'recordings.list' }]);
    expect(reasons(body)).toEqual({ 'nvr-01': [], 'nvr-02': ['not-connected'], 'nvr-03': ['not-connected'] });
    const [, second] = body.hosts;
    expect(second).toMatchObject({
      ...{ host: 'nvr-02', site: 'Albertslund', answered: false, why: 'not-connected' },
      ...{ offlineSince: toIso(START), asOf: toIso(START) },
    });
    expect(second.days).toHaveLength(2);
    expect(second.days[0]).toMatchObject({ cameraName: 'gate', present: 9, missing: 1 });
    const [reading] = (await world.own('reading')).slice(-1);
    expect(reading?.data).toMatchObject({ verb: 'recording.list' });
  });

  it('answers of one site or one customer', async () => {
    expect(Object.keys(reasons(await get('stats?site=Vejle')))).toEqual(['nvr-03']);
    expect(Object.keys(reasons(await get('stats?customer=Acme')))).toHaveLength(3);
    expect(reasons(await get('list?host=srv-01'))).toEqual({ 'srv-01': ['not-connected'] });
  });

  it('V94 V95 figures of a host that is not connected are as it told them, with what is over the limit', async () => {
    const body = await get('stats?host=nvr-02');
    const [source] = body.hosts[0].sources;
    expect(source).toMatchObject({
      ...{ source: sources.get('nvr-02'), told: true, limit: 'P30D', state: 'watched', root: null },
      sweptAt: toIso(START),
    });
    expect(source.cameras).toMatchObject([
      { name: 'gate', count: 12, missing: 1, erased: 7, due: 3, held: null },
    ]);
    expect(source.notLookedAt).toContain('backups');
    const due = await get('due?host=nvr-02');
    expect(due.hosts[0].days).toMatchObject([{ present: 3, erased: 7 }]);
    const missing = await get('missing?host=nvr-02');
    expect(missing.hosts[0].days).toMatchObject([{ missing: 1 }]);
  });

  it('J24 a page ends between two hosts or where that of a host does, and nothing is left out', async () => {
    for (const [name, count] of [
      ['nvr-01', 3],
      ['nvr-02', 5],
      ['nvr-03', 1],
    ] as const) {
      live.set(hostOf(name).row.agent, answers(name, count));
    }
    const seen: string[] = [];
    let pages = 0;
    for (let after = ''; pages < 20; pages += 1) {
      const body = await get(`list?limit=2${after}`);
      expect(body.items.length).toBeLessThanOrEqual(2);
      seen.push(...body.items.map(({ id }: Loose) => id));
      if (body.next === null) break;
      after = `&after=${body.next}`;
    }
    const all = (name: string, count: number) => Array.from({ length: count }, (_, n) => `${name}.${n}`);
    expect(seen).toEqual([...all('nvr-01', 3), ...all('nvr-02', 5), ...all('nvr-03', 1)]);
    expect((await world.get('/v1/recordings/list?after=x', token)).status).toBe(400);
  });

  it('V93 a camera by HOST/CAMERA, by its id, or by a name that it alone has', async () => {
    live.set(hostOf('nvr-02').row.agent, answers('nvr-02', 1));
    const body = await get('list?camera=nvr-02/gate');
    expect(body.items).toHaveLength(1);
    expect(asked).toMatchObject([{ body: { camera: cameras.get('nvr-02') } }]);
    expect((await get(`list?camera=${cameras.get('nvr-02')}`)).items).toHaveLength(1);
    const several = await world.get('/v1/recordings/list?camera=gate', token);
    expect([several.status, several.body.error.code]).toEqual([409, 'camera.ambiguous']);
    const none = await world.get('/v1/recordings/list?camera=nvr-02/yard', token);
    expect([none.status, none.body.error.code]).toEqual([404, 'camera.unknown']);
  });

  it('M12 one that is silent, busy, refuses or drops is a gap of its own, and the others are answered', async () => {
    const [one, two, three] = hosts.map(({ row }) => row.agent) as [AgentId, AgentId, AgentId];
    live.set(one, answers('nvr-01', 1));
    live.set(two, () => {});
    live.set(three, (_verb, _body, settle) => settle(false, { code: 'unsupported' }));
    const silent = get('list');
    await expect.poll(() => asked.length).toBe(3);
    world.clock.advance(20 * SECOND_MS);
    expect(reasons(await silent)).toEqual({
      ...{ 'nvr-01': [], 'nvr-02': ['host-silent'], 'nvr-03': ['host-refused'] },
    });
    // M13: nobody waits for one that has gone.
    asked.length = 0;
    const dropped = get('list');
    await expect.poll(() => asked.length).toBe(3);
    live.delete(two);
    endQuestions(world.ctx, two);
    expect(reasons(await dropped)['nvr-02']).toEqual(['not-connected']);
    // As many as a host lets wait, and one more.
    live.set(two, () => {});
    asked.length = 0;
    const waiting = Array.from({ length: 9 }, () => get('list?host=nvr-02'));
    const said = await Promise.race(waiting);
    expect(reasons(said)).toEqual({ 'nvr-02': ['host-busy'] });
    endQuestions(world.ctx, two);
    await Promise.all(waiting);
  });

  it('Q12 who is shown no personal data is shown no recording', async () => {
    const { addPerson } = await import('../../collector/people.ts');
    const wanted = { role: 'admin' as const, reading: false, customers: null, createdBy: null };
    const blind = (await addPerson(world.ctx, wanted)).token;
    for (const question of ['list', 'due', 'missing', 'stats']) {
      expect((await world.get(`/v1/recordings/${question}`, blind)).status).toBe(403);
    }
    const { status, body } = await world.get('/v1/cameras', blind);
    expect([status, body.items.map(({ name }: Loose) => name)]).toEqual([200, [null, null, null]]);
  });
});

describe('more hosts than are asked side by side', () => {
  it('J23 what was not reached by the deadline is a gap, and what answered counts', async () => {
    const many: TestHost[] = [];
    for (let n = 0; n < 18; n++) {
      const host = await world.host({ name: `many-${n}`, site: 'Many' });
      await host.send([found(newSource(), newCamera(), 'gate')]);
      many.push(host);
      live.set(host.row.agent, n === 0 ? answers('nvr-01', 1) : () => {});
    }
    const body = get('list?site=Many');
    await expect.poll(() => asked.length).toBe(17);
    world.clock.advance(20 * SECOND_MS);
    await expect.poll(() => asked.length).toBe(18);
    world.clock.advance(20 * SECOND_MS);
    const said = await body;
    expect(said.items).toHaveLength(1);
    const all = Object.values(reasons(said)).map((one) => (one as string[])[0] ?? 'whole');
    expect(all).toEqual(['whole', ...Array.from({ length: 16 }, () => 'host-silent'), 'not-asked']);
  }, 60_000);
});

describe('cameras and their register', () => {
  it('V97 PN-26 a camera that is in no register is a finding', async () => {
    const { items, coverage } = (await world.get('/v1/cameras?limit=3', token)).body;
    expect(items).toHaveLength(3);
    expect(items[0]).toMatchObject({
      ...{ host: 'nvr-01', name: 'gate', registered: null, findings: ['unregistered'], recordings: 12 },
    });
    expect(coverage.hosts).toHaveLength(21);
  });

  it('V96 V97 what the register says, sealed, with what does not fit the rule in force (HS-16)', async () => {
    const dpo = await world.person('dpo', null, 'D');
    const put = (body: Loose) => world.post('/v1/cameras/register', dpo, { camera: 'nvr-01/gate', ...body });
    expect((await world.post('/v1/cameras/register', token, { camera: 'x', purpose: 'y' })).status).toBe(403);
    expect((await put({ purpose: 'theft', retain: '30 days' })).body.error.code).toBe('camera.period');
    const dry = await put({ purpose: 'theft', dryRun: true });
    expect(dry.body).toMatchObject({ registered: null, dryRun: true });
    const bare = await put({ purpose: 'theft' });
    expect(bare.body.findings).toEqual(['retention-missing', 'signage-missing']);
    const other = await put({ purpose: 'theft', retain: 'P7D', signage: toIso(START) });
    expect(other.body.findings).toEqual(['retention-differs']);
    const said = {
      purpose: 'theft',
      address: 'Specimen Road 1',
      retain: 'P30D',
      signage: toIso(START),
      place: 'outdoor',
    };
    expect((await put(said)).body).toMatchObject({
      ...{ address: 'Specimen Road 1', purpose: 'theft', findings: [] },
      registered: { retain: { months: 0, hours: 720 }, signage: toIso(START), place: 'outdoor' },
    });
    const events = await world.own('camera.registered');
    expect(events).toHaveLength(3);
    expect(JSON.stringify(events.map(({ data }) => data))).not.toMatch(/Specimen|theft/);
    expect(events[2]?.personal).toMatchObject({ address: 'Specimen Road 1' });
    const { items } = (await world.get('/v1/cameras?unregistered=1', token)).body;
    expect(items.slice(0, 2).map(({ host }: Loose) => host)).toEqual(['nvr-02', 'nvr-03']);
  });

  it('V96 the register is the same when the projections are made anew', async () => {
    const { rebuild } = await import('../../collector/projections.ts');
    const before = (await world.get('/v1/cameras?host=nvr-01', token)).body.items;
    await world.ctx.store.write((tx) => rebuild(tx));
    expect((await world.get('/v1/cameras?host=nvr-01', token)).body.items).toEqual(before);
  });
});
