/** Holds at the collector over a real store, real keys and real sealed leaves: H3, V100–V105, J30, J31. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eraseDue } from '../../collector/erasing/eraser.ts';
import { calledNow, HoldCourier } from '../../collector/holds/courier.ts';
import { mayErase } from '../../collector/holds/sessions.ts';
import { storeResult } from '../../collector/ingest/commands.ts';
import { takesOf } from '../../collector/regroup/takes.ts';
import { newId } from '../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, START, type TestHost } from './api-world.ts';
import { HOLD } from './two-customers.ts';

interface Scene {
  world: ApiWorld;
  host: TestHost;
  admin: string;
  second: string;
  place(body: Record<string, unknown>): Promise<Loose>;
  release(hold: string): Promise<void>;
  look(): ReturnType<typeof eraseDue>;
}

async function scene(): Promise<Scene> {
  const world = await ApiWorld.make();
  onTestFinished(() => world.close());
  const admin = await world.person('admin');
  const second = await world.person('security');
  const host = await world.host();
  const rule = { class: 'session', trigger: 'event', keepAtMost: 'P12M', keepAtLeast: null, action: 'erase' };
  const policy = { name: 'twelve-months', version: 3, author: 'test', zone: 'UTC', rules: [rule] };
  const record = { v: 1, pack: null, person: null, setAt: toIso(START), policy };
  await world.ctx.store.write((tx) => tx.setMeta('policy.record', JSON.stringify(record)));
  return {
    ...{ world, host, admin, second },
    async place(body) {
      const answer = await world.post('/v1/holds', admin, { ...HOLD, ...body });
      expect([answer.status, answer.body.error]).toEqual([200, undefined]);
      return answer.body;
    },
    async release(hold) {
      const asked = await world.post(`/v1/holds/${hold}/release`, admin, { reason: 'settled' });
      expect(asked.status).toBe(403);
      const { approval } = asked.body.error;
      expect((await world.post(`/v1/approvals/${approval}/approve`, second, {})).status).toBe(200);
    },
    look: () => eraseDue(world.erasing),
  };
}

const at = (minutes: number) => utcMs(START + minutes * MINUTE_MS);
const peerOf = async ({ world, admin }: Scene, session: string) =>
  (await world.get(`/v1/sessions/${session}`, admin)).body.peer;
/** Sign-ins end after 90 days. */
async function later(it: Scene, ms: number): Promise<void> {
  it.world.clock.advance(ms);
  it.admin = await it.world.person('admin');
  it.second = await it.world.person('security');
}

describe('a hold on sessions', () => {
  it('V101 keeps what it covers when its month falls due; the rest is unrecoverable; released, it goes', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const [held, goes] = [await host.session({ startedAt: at(1) }), await host.session({ startedAt: at(2) })];
    const before = await peerOf(it1, held);
    const span = host.group('session.started');
    const { id, sessions } = await it1.place({ sessions: [held] });
    expect(sessions).toEqual({ held: 1, gone: 0 });
    await later(it1, 400 * DAY_MS);
    await it1.look();
    expect(world.ctx.groups.byId(span)?.state).toBe('erased');
    expect(await peerOf(it1, goes)).toBeNull();
    expect(await peerOf(it1, held)).toEqual(before);
    const refused = await world.post('/v1/sessions/erase', it1.admin, { sessions: [held], dryRun: true });
    expect(refused.body.error.code).toBe('session.kept');
    const again = await releaseAs(it1, id);
    expect(again).toBe(200);
    await it1.look();
    expect(await peerOf(it1, held)).toBeNull();
  });

  it('V101 a session that ends as the hold begins is in it', async () => {
    const it1 = await scene();
    const { host } = it1;
    const session = await host.session({ startedAt: at(-60), durationSeconds: 600 });
    const goes = await host.session({ startedAt: at(-61), durationSeconds: 600 });
    const { sessions } = await it1.place({ hosts: [host.id], from: toIso(at(-50)), to: toIso(at(-10)) });
    expect(sessions).toEqual({ held: 1, gone: 0 });
    await later(it1, 400 * DAY_MS);
    await it1.look();
    await it1.look();
    expect(await peerOf(it1, session)).not.toBeNull();
    expect(await peerOf(it1, goes)).toBeNull();
  });

  it('V101, V102 what was let go and is held again is not erased before it was moved', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const [both, one] = [await host.session({ startedAt: at(1) }), await host.session({ startedAt: at(2) })];
    const first = await it1.place({ sessions: [both, one] });
    await it1.look();
    await it1.place({ sessions: [both] });
    await later(it1, 400 * DAY_MS);
    await it1.look();
    // The release takes what is still held into a group of its own, on paper; its parts lie where they lay.
    expect(await releaseAs(it1, first.id)).toBe(200);
    const singles = await world.ctx.store.read.groups.list({ kind: 'single', state: 'live' });
    const letGo = singles.filter((group) => takesOf(group)?.why === 'let-go');
    expect(letGo).toHaveLength(1);
    for (const group of letGo)
      expect(await world.ctx.store.write((tx) => mayErase(world.ctx, tx, group))).toBe(false);
    await it1.look();
    await it1.look();
    expect(await peerOf(it1, both)).not.toBeNull();
    expect(await peerOf(it1, one)).toBeNull();
  });

  it('V101 also what is recorded after it, and what lies in the same group: the eraser asks as it begins', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const [from, to] = [toIso(at(0)), toIso(at(60))];
    await it1.place({ hosts: [host.id], from, to });
    const late = await host.session({ startedAt: at(30) });
    const outside = await host.session({ startedAt: at(90) });
    const span = host.group('session.started');
    await later(it1, 400 * DAY_MS);
    // Two looks: whatever the first one found in the way is moved by then.
    await it1.look();
    await it1.look();
    expect(await peerOf(it1, outside)).toBeNull();
    expect(await peerOf(it1, late)).not.toBeNull();
    expect(world.ctx.groups.byId(span)?.state).toBe('erased');
  });

  it('V101 false as long as something in the group is held and not moved out of it', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const { ctx } = world;
    const held = await host.session({ startedAt: at(1) });
    const group = ctx.groups.byId(host.group('session.started')) as Loose;
    const may = () => ctx.store.write((tx) => mayErase(ctx, tx, group));
    expect(await may()).toBe(true);
    const { id } = await it1.place({ sessions: [held] });
    // Taken out, not moved yet.
    expect(await may()).toBe(false);
    await it1.look();
    expect(await may()).toBe(true);
    // As a restored registry has it: the hold is there, and nothing was taken out.
    const other = await host.session({ startedAt: at(2) });
    const row = await ctx.store.read.holds.get(id);
    const scope = { from: null, to: null, padSeconds: 0, hosts: [host.id] };
    await ctx.store.write((tx) => tx.holds.put([{ ...(row as Loose), hold: newId(randomBytes), scope }]));
    expect(await may()).toBe(false);
    await it1.look();
    expect(await may()).toBe(true);
    expect(ctx.groups.takenOut(other)?.state).toBe('live');
  });

  it('V106 what was written of a hold goes by its own class, counted from its release', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const rules = ['session', 'hold.record'].map((cls) => {
      return { class: cls, trigger: 'event', keepAtMost: 'P12M', keepAtLeast: null, action: 'erase' };
    });
    const policy = { name: 'both', version: 1, author: 'test', zone: 'UTC', rules };
    const record = { v: 1, pack: null, person: null, setAt: toIso(START), policy };
    await world.ctx.store.write((tx) => tx.setMeta('policy.record', JSON.stringify(record)));
    const { id } = await it1.place({ sessions: [await host.session({ startedAt: at(1) })] });
    const writtenOf = async () => (await world.get(`/v1/holds/${id}`, it1.admin)).body.case;
    await later(it1, 400 * DAY_MS);
    await it1.look();
    expect(await writtenOf()).toBe(HOLD.case);
    expect(await releaseAs(it1, id)).toBe(200);
    await later(it1, 300 * DAY_MS);
    await it1.look();
    expect(await writtenOf()).toBe(HOLD.case);
    await later(it1, 100 * DAY_MS);
    await it1.look();
    expect(await writtenOf()).toBeNull();
  });

  it('V102 what two holds cover stays until both are released; what one covered alone goes', async () => {
    const it1 = await scene();
    const { host } = it1;
    const [both, one] = [await host.session({ startedAt: at(1) }), await host.session({ startedAt: at(2) })];
    const first = await it1.place({ sessions: [both, one] });
    await it1.place({ sessions: [both], kind: 'crime' });
    await later(it1, 400 * DAY_MS);
    await it1.look();
    expect(await releaseAs(it1, first.id)).toBe(200);
    await it1.look();
    await it1.look();
    expect(await peerOf(it1, one)).toBeNull();
    expect(await peerOf(it1, both)).not.toBeNull();
  });

  it('says truly what was gone before it', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const gone = await host.session({ startedAt: at(1) });
    await world.erase(host.group('session.started'));
    expect((await it1.place({ sessions: [gone] })).sessions).toEqual({ held: 0, gone: 1 });
  });
});

async function releaseAs(it1: Scene, hold: string): Promise<number> {
  const asked = await it1.world.post(`/v1/holds/${hold}/release`, it1.admin, { reason: 'settled' });
  const { approval } = asked.body.error;
  return (await it1.world.post(`/v1/approvals/${approval}/approve`, it1.second, {})).status;
}

describe('releasing', () => {
  it('H3 wants a second person; one alone waits 72 hours, and only where nobody else could', async () => {
    const it1 = await scene();
    const { world, admin, host } = it1;
    const { id } = await it1.place({ sessions: [await host.session({ startedAt: at(1) })] });
    const none = await world.post(`/v1/holds/${id}/release`, admin, {});
    expect(none.body.error.code).toBe('approval.reason');
    const alone = await world.post(`/v1/holds/${id}/release`, admin, { reason: 'settled', alone: true });
    expect(alone.body.error.code).toBe('approval.not-alone');
    await it1.release(id);
    expect((await world.get(`/v1/holds/${id}`, admin)).body).toMatchObject({
      state: 'released',
      notice: null,
    });
    const twice = await world.post(`/v1/holds/${id}/release`, admin, { reason: 'again' });
    expect(twice.body.error.code).toBe('hold.released');
  });
});

describe('what hosts say', () => {
  const report = (hold: string, more = {}) => ({
    type: 'hold.reported' as const,
    data: {
      ...{
        hold,
        recordings: 3,
        bytes: 30,
        erasing: 0,
        erased: 1,
        missing: 0,
        oldest: toIso(at(1)),
        newest: null,
      },
      ...{ protection: 'not-needed', copied: 0, reason: null, ...more },
    } as Loose,
  });
  const applied = (hold: string, outcome = 'in-force') =>
    ({ type: 'hold.applied', data: { hold, outcome, via: 'command' } }) as Loose;
  const span = { from: toIso(at(-60)), to: toIso(at(-30)) };

  it('V103 is what stands, not what was sent', async () => {
    const it1 = await scene();
    const { world, host, admin } = it1;
    const { id, agents } = await it1.place({ hosts: [host.id], ...span });
    expect(agents).toMatchObject([{ state: 'pending', recordings: null }]);
    const [order] = await world.ctx.store.read.commands.list({ agent: host.row.agent, verb: 'hold.place' });
    await storeResult(world.ctx, host.row.agent, {
      t: 'result',
      n: order?.n ?? 0,
      query: null,
      ok: true,
      body: { outcome: 'done' },
    });
    expect((await world.get(`/v1/holds/${id}`, admin)).body.agents).toMatchObject([{ state: 'pending' }]);
    await host.send([applied(id), report(id)]);
    expect((await world.get(`/v1/holds/${id}`, admin)).body.agents).toMatchObject([
      { state: 'in-force', recordings: 3, erased: 1, protection: 'not-needed' },
    ]);
    await host.send([report(id, { protection: 'cannot-enforce' })]);
    expect((await world.get(`/v1/holds/${id}`, admin)).body.agents).toMatchObject([
      { state: 'cannot-enforce' },
    ]);
    const note = { host: host.id, note: 'evidence lock set in the recorder' };
    expect((await world.post(`/v1/holds/${id}/confirm`, admin, note)).body.agents).toMatchObject([
      { confirmed: true },
    ]);
  });

  it('H2 an order that failed there is failed, with its reason; a revoked host too', async () => {
    const it1 = await scene();
    const { world, host, admin } = it1;
    const { id } = await it1.place({ hosts: [host.id], ...span });
    const body = { outcome: 'failed', code: 'hold.unreadable' };
    await storeResult(world.ctx, host.row.agent, { t: 'result', n: 1, query: null, ok: false, body });
    const [item] = (await world.get(`/v1/holds/${id}`, admin)).body.agents;
    expect(item).toMatchObject({ state: 'failed', reason: 'hold.unreadable' });
  });

  it('V104 a hold that only the host knows is taken back, and is no way into another customer’s', async () => {
    const it1 = await scene();
    const { world, host, admin } = it1;
    const other = await world.host({ customer: 'Theirs', site: 'Vejle', name: 'theirs-01' });
    const hold = newId(randomBytes);
    await host.send([applied(hold)]);
    const { items } = (await world.get('/v1/holds', admin)).body;
    expect(items).toMatchObject([
      { id: hold, kind: 'unknown', state: 'placed', agents: [{ state: 'in-force' }] },
    ]);
    expect(await world.own('hold.adopted')).toMatchObject([{ data: { hold, agent: host.id } }]);
    await other.send([applied(hold)]);
    expect((await world.get(`/v1/holds/${hold}`, admin)).body.agents).toHaveLength(1);
    // Nobody places it again: what it is about is known to the host alone.
    await new HoldCourier(world.ctx).look();
    expect(await world.ctx.store.read.commands.list({ agent: host.row.agent })).toEqual([]);
  });

  it('V104 a report alone is enough to take one back', async () => {
    const it1 = await scene();
    const { world, host, admin } = it1;
    const hold = newId(randomBytes);
    const counts = {
      recordings: 3,
      bytes: 30,
      erasing: 0,
      erased: 0,
      missing: 0,
      oldest: null,
      newest: null,
    };
    const data = { hold, ...counts, protection: 'not-needed', copied: 0, reason: null };
    await host.send([{ type: 'hold.reported', data } as Loose]);
    expect((await world.get('/v1/holds', admin)).body.items).toMatchObject([
      { id: hold, kind: 'unknown', agents: [{ state: 'in-force', recordings: 3 }] },
    ]);
    expect(await world.own('hold.adopted')).toHaveLength(1);
  });

  it('V104 of a hold that is known a host is taken back with what the hold says, not with everything', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const { id } = await it1.place({ site: 'Albertslund', ...span, wide: 'a theft at one of the doors' });
    const late = await world.host({ name: 'nvr-02' });
    // It was ordered it by a collector that was restored since, to before that.
    await late.send([applied(id)]);
    const [row] = await world.ctx.store.read.holdHosts.list({ hold: id, agent: late.row.agent });
    expect([row?.orders.from, row?.orders.to]).not.toContain(null);
    const [own] = await world.ctx.store.read.holdHosts.list({ hold: id, agent: host.row.agent });
    expect(row?.orders).toEqual(own?.orders);
  });

  it('V105 what a host could not do is ordered again, an hour later', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    await it1.place({ hosts: [host.id], ...span });
    const courier = new HoldCourier(world.ctx);
    const { commands } = world.ctx.store.read;
    const orders = () => commands.list({ agent: host.row.agent, verb: 'hold.place' });
    const [sent] = await orders();
    await world.ctx.store.write((tx) =>
      tx.commands.put([
        { ...(sent as Loose), resultAt: world.clock.now(), ok: false, result: { code: 'x' } },
      ]),
    );
    await courier.look();
    expect(await orders()).toHaveLength(1);
    world.clock.advance(HOUR_MS);
    await courier.look();
    await courier.look();
    expect(await orders()).toHaveLength(2);
  });

  it('V105 is ordered again in a new generation, of machines that join the site, and until it is let go', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const { commands } = world.ctx.store.read;
    const { id } = await it1.place({ site: 'Albertslund', ...span, wide: 'a theft at one of the doors' });
    const courier = new HoldCourier(world.ctx);
    await courier.look();
    expect(await commands.list({ agent: host.row.agent })).toHaveLength(1);
    const joined = await world.host({ name: 'srv-02' });
    await courier.look();
    expect(await commands.list({ agent: joined.row.agent })).toMatchObject([{ verb: 'hold.place', n: 1 }]);
    const generation = world.ctx.generation;
    world.ctx.generation = () => 'f'.repeat(32) as Loose;
    await courier.look();
    await courier.look();
    expect(await commands.list({ agent: host.row.agent })).toMatchObject([
      { n: 1 },
      { n: 1, verb: 'hold.place' },
    ]);
    world.ctx.generation = generation;
    await it1.release(id);
    await host.send([applied(id, 'released')]);
    await courier.look();
    const verbs = async (agent: string) =>
      (await commands.list({ agent: agent as Loose })).map(({ verb }) => verb);
    expect((await verbs(host.id)).filter((verb) => verb === 'hold.release')).toHaveLength(1);
    // Put in force by an old slip since: it is ordered to let go once more.
    const sent = await commands.list({ agent: host.row.agent, verb: 'hold.release' });
    await world.ctx.store.write((tx) =>
      tx.commands.put(sent.map((row) => ({ ...row, resultAt: at(0), ok: true }))),
    );
    world.clock.advance(MINUTE_MS);
    await host.send([applied(id)]);
    await courier.look();
    expect((await verbs(host.id)).filter((verb) => verb === 'hold.release')).toHaveLength(2);
  });

  it('V105, C80 a camera is ordered by the id that its host calls it by now', () => {
    const camera = (id: string, name: string | null, source: string, pos: number) =>
      ({ agent: 'a', camera: id, name, source, pos }) as Loose;
    const told = [camera('1', 'gate', 's', 1), camera('2', 'yard', 's', 2), camera('3', 'gate', 's', 3)];
    expect(calledNow(['1'], told)).toEqual(['3']);
    expect(calledNow(['1', '2'], told)).toEqual(['2', '3']);
    // Of another root: it may be that one or both.
    expect(calledNow(['1'], [...told.slice(0, 2), camera('4', 'gate', 't', 4)])).toEqual(['1', '4']);
    expect(calledNow(['9'], told)).toEqual(['9']);
    expect(calledNow(['1'], [camera('1', null, 's', 1), camera('3', 'gate', 's', 3)])).toEqual(['1']);
  });
});

describe('a notice', () => {
  it('H5 is due 30 days after the earliest recording; done, or not possible with a reason, it is not overdue', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const [from, to] = [toIso(at(-60)), toIso(at(-30))];
    const { id, notice } = await it1.place({ hosts: [host.id], from, to });
    expect(notice).toEqual({ dueAt: toIso(utcMs(at(-60) + 30 * DAY_MS)), doneAt: null, overdue: false });
    await later(it1, 30 * DAY_MS);
    const overdue = async () =>
      (await world.get('/v1/holds?overdue=1', it1.admin)).body.items.map((one: Loose) => one.id);
    expect(await overdue()).toEqual([id]);
    const none = await world.post(`/v1/holds/${id}/notify`, it1.admin, { notPossible: true });
    expect(none.body.error.message).toContain('why it is not possible');
    const body = { notPossible: true, note: 'the person is not known' };
    expect((await world.post(`/v1/holds/${id}/notify`, it1.admin, body)).body.notice.overdue).toBe(false);
    expect(await overdue()).toEqual([]);
    expect(await world.own('hold.notified')).toMatchObject([
      { data: { outcome: 'not-possible' }, personal: { note: 'the person is not known' } },
    ]);
  });

  it('H5 counts from the earliest that was kept, also when its original is gone and its copy stays', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const { id } = await it1.place({ hosts: [host.id], from: toIso(at(-60)), wide: 'as long as it lasts' });
    const counts = { recordings: 3, bytes: 30, erasing: 0, erased: 0, missing: 0, newest: null };
    const tell = (oldest: string | null) => {
      const data = { hold: id, ...counts, oldest, protection: 'copied', copied: 3, reason: null };
      return host.send([{ type: 'hold.reported', data } as Loose]);
    };
    const due = async () => (await world.get(`/v1/holds/${id}`, it1.admin)).body.notice.dueAt;
    await tell(toIso(at(-50)));
    const first = await due();
    expect(first).toBe(toIso(utcMs(at(-50) + 30 * DAY_MS)));
    await tell(toIso(at(-10)));
    await tell(null);
    expect(await due()).toBe(first);
  });

  it('H5 pages of what is overdue are full, whatever lies between', async () => {
    const it1 = await scene();
    const { world, host } = it1;
    const [from, to] = [toIso(at(-60)), toIso(at(-30))];
    const late: string[] = [];
    for (const kind of ['crime', 'dispute', 'crime', 'crime', 'dispute', 'crime']) {
      const { id } = await it1.place({ kind, hosts: [host.id], from, to });
      if (kind === 'dispute') late.push(id);
    }
    await later(it1, 30 * DAY_MS);
    const seen: string[] = [];
    for (let next: string | null = ''; next !== null; ) {
      const page = `/v1/holds?overdue=1&limit=1${next === '' ? '' : `&after=${next}`}`;
      const { body }: Loose = await world.get(page, it1.admin);
      expect(body.items).toHaveLength(1);
      seen.push(body.items[0].id);
      next = body.next;
    }
    expect(seen.toSorted()).toEqual(late.toSorted());
  });

  it('H5 nobody is told of a crime by it', async () => {
    const it1 = await scene();
    const { id, notice } = await it1.place({
      hosts: [it1.host.id],
      from: toIso(at(-60)),
      to: toIso(at(-30)),
      kind: 'crime',
    });
    expect(notice).toBeNull();
    const told = await it1.world.post(`/v1/holds/${id}/notify`, it1.admin, { who: 'x', how: 'x' });
    expect(told.body.error.code).toBe('hold.no-notice');
  });
});

it('J31 a restricted hold is to a technician as one that is not there', async () => {
  const it1 = await scene();
  const { world, host } = it1;
  const technician = await world.person('technician');
  const span = { from: toIso(at(-60)), to: toIso(at(-30)) };
  const { id } = await it1.place({ hosts: [host.id], ...span, restricted: true });
  const open = await it1.place({ hosts: [host.id], ...span });
  const seen = (await world.get('/v1/holds', technician)).body.items.map((one: Loose) => one.id);
  expect(seen).toEqual([open.id]);
  expect((await world.get(`/v1/holds/${id}`, technician)).status).toBe(404);
});

it('V100 what a crash in the middle leaves is nothing of it', async () => {
  const it1 = await scene();
  const { world, host, admin } = it1;
  const session = await host.session({ startedAt: at(1) });
  world.failOwn = true;
  expect(
    (await world.post('/v1/holds', admin, { ...HOLD, sessions: [session] })).status,
  ).toBeGreaterThanOrEqual(500);
  world.failOwn = false;
  expect(await world.ctx.store.read.holds.list()).toEqual([]);
  expect(world.ctx.groups.takenOut(session)).toBeNull();
});
