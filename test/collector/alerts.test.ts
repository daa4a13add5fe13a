import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { META_ALERTS_BEYOND, rebuild } from '../../collector/projections.ts';
import { MAX_OPEN_ALERTS } from '../../collector/projections-alerts.ts';
import type { AlertRow } from '../../collector/store/types.ts';
import type { OwnDraft } from '../../collector/types.ts';
import { ALERT_CHECKS, ALERT_LEVELS } from '../../protocol/alert.ts';
import type { Id } from '../../protocol/ids.ts';
import { MINUTE_MS, toIso } from '../../protocol/time.ts';
import { alertId, told } from './alert-events.ts';
import { ApiWorld, START, type TestHost } from './api-world.ts';

let world: ApiWorld;
let admin: string;
beforeAll(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin');
});
afterAll(() => world.close());

let hosts = 0;
const newHost = (customer = 'Acme') => {
  hosts += 1;
  return world.host({ customer, name: `alerts-${hosts}` });
};
const own = (...drafts: OwnDraft[]) => world.ctx.store.write((tx) => world.ctx.own.append(tx, drafts));
const ofHost = async (host: TestHost): Promise<AlertRow[]> =>
  await world.ctx.store.read.alerts({ customers: null, agents: [host.row.agent], limit: 10_000 });
const stateOf = async (id: string) => (await world.ctx.store.read.alertsById([id as Id<'alert'>]))[0] ?? null;
const all = () => world.ctx.store.read.alerts({ customers: null, limit: 100_000 });

async function expectSameAfterRebuild(): Promise<void> {
  const before = await all();
  const beyond = await world.ctx.store.read.meta(META_ALERTS_BEYOND);
  await world.ctx.store.write(rebuild);
  expect(await all()).toEqual(before);
  expect(Number(await world.ctx.store.read.meta(META_ALERTS_BEYOND))).toBe(Number(beyond));
}

describe('alerts', () => {
  it('are raised, change and end, with what each telling says', async () => {
    const host = await newHost();
    const alert = alertId();
    await host.send([told('raised', { alert })]);
    expect(await stateOf(alert)).toMatchObject({
      agent: host.id,
      customer: host.row.customer,
      own: false,
      check: 'disk-space',
      index: 0,
      level: 'warn',
      state: 'open',
      value: 930,
      raisedAt: START,
      clearedAt: null,
    });
    world.clock.advance(MINUTE_MS);
    await host.send([told('changed', { alert, level: 'crit', value: 985, threshold: 980 })]);
    expect(await stateOf(alert)).toMatchObject({
      level: 'crit',
      value: 985,
      raisedAt: START,
      changedAt: START + MINUTE_MS,
    });
    await host.send([told('cleared', { alert, level: 'crit', value: 700 })]);
    expect(await stateOf(alert)).toMatchObject({
      state: 'cleared',
      level: 'crit',
      clearedAt: START + MINUTE_MS,
    });
    await host.send([told('changed', { alert }), told('raised', { alert })]);
    expect(await stateOf(alert)).toMatchObject({ state: 'cleared', level: 'crit' });
    await expectSameAfterRebuild();
  });

  it('Y8 no host changes an alert of another, or of the collector, or speaks for another', async () => {
    const [host, stranger] = [await newHost(), await newHost()];
    const [theirs, ours] = [alertId(), alertId()];
    await host.send([told('raised', { alert: theirs })]);
    await own(
      told('raised', { alert: ours, agent: host.id, check: 'agent-silent', index: null }) as OwnDraft,
    );
    const before = await all();
    await stranger.send([
      told('changed', { alert: theirs, level: 'crit' }),
      told('cleared', { alert: theirs }),
      told('cleared', { alert: ours, agent: host.id }),
      told('raised', { agent: host.id }),
      told('raised', { check: 'agent-silent', index: null }),
      { type: 'alert.acked', data: { alert: theirs, person: stranger.id } },
      { type: 'agent.revoked', data: { agent: host.id, token: null, reason: 'revoked' } },
    ]);
    await host.send([told('cleared', { alert: ours, agent: host.id, check: 'agent-silent' })]);
    await own(told('cleared', { alert: theirs, agent: host.id }) as OwnDraft);
    expect(await all()).toEqual(before);
    await expectSameAfterRebuild();
  });

  it('Y9 a new episode of one check and disk ends the one before; another disk has its own', async () => {
    const host = await newHost();
    const [a, b, c] = [alertId(), alertId(), alertId()];
    await host.send([told('raised', { alert: a }), told('raised', { alert: b, index: 1 })]);
    await host.send([told('raised', { alert: c })]);
    expect([(await stateOf(a))?.state, (await stateOf(b))?.state, (await stateOf(c))?.state]).toEqual([
      'cleared',
      'open',
      'open',
    ]);
    await expectSameAfterRebuild();
  });

  it('Y9 of one host only so many are open; the rest is counted, and another host has its own room', async () => {
    const [host, other] = [await newHost(), await newHost()];
    const many = Array.from({ length: MAX_OPEN_ALERTS + 20 }, (_, index) => told('raised', { index }));
    for (let from = 0; from < many.length; from += 100) await host.send(many.slice(from, from + 100));
    expect(await ofHost(host)).toHaveLength(MAX_OPEN_ALERTS);
    expect(await world.ctx.store.read.meta(META_ALERTS_BEYOND)).toBe('20');
    await other.send([told('raised')]);
    expect(await ofHost(other)).toHaveLength(1);
    await host.send([told('cleared', many[0]?.data), told('raised', { index: 5_000 })]);
    expect((await ofHost(host)).filter(({ state }) => state === 'open')).toHaveLength(MAX_OPEN_ALERTS);
    await expectSameAfterRebuild();
  });

  it('a telling of an episode whose beginning is lost begins it; its end alone does not', async () => {
    const host = await newHost();
    const [a, b] = [alertId(), alertId()];
    await host.send([told('changed', { alert: a, level: 'crit' }), told('cleared', { alert: b })]);
    expect(await stateOf(a)).toMatchObject({ state: 'open', level: 'crit' });
    expect(await stateOf(b)).toBeNull();
    await expectSameAfterRebuild();
  });

  it('of a revoked host end with it', async () => {
    const host = await newHost();
    await host.send([told('raised'), told('raised', { index: 3 })]);
    await world.post(`/v1/hosts/${host.id}/revoke`, admin, { reason: 'sold' });
    expect((await ofHost(host)).map(({ state }) => state)).toEqual(['cleared', 'cleared']);
    await expectSameAfterRebuild();
  });

  it('Y1 are the same after a rebuild, whatever came in whatever order and batches', async () => {
    const both = [await newHost(), await newHost()];
    const ids = Array.from({ length: 4 }, alertId);
    const event = fc.record({
      word: fc.constantFrom('raised' as const, 'changed' as const, 'cleared' as const),
      data: fc.record({
        alert: fc.constantFrom(...ids),
        check: fc.constantFrom(...ALERT_CHECKS),
        index: fc.option(fc.nat(2)),
        agent: fc.option(fc.constantFrom(...both.map(({ id }) => id))),
        level: fc.constantFrom(...ALERT_LEVELS),
        value: fc.option(fc.integer()),
      }),
    });
    const batch = fc.record({
      from: fc.constantFrom(0, 1, 2),
      events: fc.array(event, { minLength: 1, maxLength: 6 }),
      ack: fc.option(fc.constantFrom(...ids)),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 6 }), async (batches) => {
        for (const { from, events, ack } of batches) {
          const drafts = events.map(({ word, data }) =>
            told(word, data as Partial<Parameters<typeof told>[1]>),
          );
          const host = both[from];
          if (host === undefined) await own(...(drafts as OwnDraft[]));
          else await host.send(drafts);
          if (ack !== null) await own({ type: 'alert.acked', data: { alert: ack, person: alertId() } });
        }
        await expectSameAfterRebuild();
      }),
      { numRuns: 30 },
    );
  });
});

describe('alert list and ack', () => {
  it('lists with coverage: open ones, by level, check, host and range, in pages', async () => {
    const host = await newHost('Lists');
    const [a, b, c] = [alertId(), alertId(), alertId()];
    await host.send([told('raised', { alert: a })]);
    world.clock.advance(10 * MINUTE_MS);
    await host.send([told('cleared', { alert: a }), told('raised', { alert: b, check: 'cpu', index: null })]);
    await host.send([told('raised', { alert: c, check: 'memory', index: null, level: 'crit' })]);
    const now = world.clock.now();
    const ids = async (query: string) => {
      const { body } = await world.get(`/v1/alerts?customer=Lists&${query}`, admin);
      return body.items.map(({ id }: { id: string }) => id);
    };
    expect(await ids('')).toEqual([a, b, c]);
    expect(await ids('open=1')).toEqual([b, c]);
    expect(await ids('level=crit')).toEqual([c]);
    expect(await ids('check=cpu')).toEqual([b]);
    expect(await ids(`until=${toIso(now)}`)).toEqual([a]);
    world.clock.advance(MINUTE_MS);
    expect(await ids(`since=${toIso(world.clock.now())}`)).toEqual([b, c]);
    const first = (await world.get(`/v1/alerts?customer=Lists&limit=2`, admin)).body;
    expect(first.items.map(({ id }: { id: string }) => id)).toEqual([a, b]);
    expect(await ids(`after=${first.next}`)).toEqual([c]);
    expect(first.coverage.hosts.map(({ hostId }: { hostId: string }) => hostId)).toEqual([host.id]);
    expect(first.items[0]).toMatchObject({
      host: expect.stringMatching(/^alerts-/),
      hostId: host.id,
      customer: 'Lists',
    });
  });

  it('A7 is acked once, by an event after its reading; the second one is told who was first', async () => {
    const host = await newHost();
    const alert = alertId();
    await host.send([told('raised', { alert })]);
    const colleague = await world.person('technician');
    const dry = await world.post(`/v1/alerts/${alert}/ack`, admin, { dryRun: true });
    expect(dry.body).toMatchObject({ id: alert, dryRun: true, state: 'open' });
    expect((await stateOf(alert))?.ackedAt).toBeNull();
    const first = await world.post(`/v1/alerts/${alert}/ack`, admin);
    expect(first.body).toMatchObject({ id: alert, state: 'open', ackedAt: toIso(world.clock.now()) });
    expect(dry.body.ackedBy).toBe(first.body.ackedBy);
    world.clock.advance(MINUTE_MS);
    const second = await world.post(`/v1/alerts/${alert}/ack`, colleague);
    expect([second.status, second.body]).toEqual([200, first.body]);
    const acks = (await world.own('alert.acked')).filter(({ data }) => data.alert === alert);
    expect(acks.map(({ data }) => data.person)).toEqual([first.body.ackedBy]);
    const [reading, event] = (await world.own('reading', 'alert.acked')).slice(-3);
    expect(reading?.data.verb).toBe('alert.ack');
    expect(event?.type).toBe('alert.acked');
    await expectSameAfterRebuild();
  });

  it('Q4 another customer’s alert is as absent as one that never was', async () => {
    const host = await newHost('Theirs');
    const mine = await newHost('Mine');
    const alert = alertId();
    await host.send([told('raised', { alert })]);
    const bound = await world.person('technician', [mine.row.customer]);
    expect((await world.get('/v1/alerts', bound)).body.items).toEqual([]);
    const foreign = await world.post(`/v1/alerts/${alert}/ack`, bound);
    const absent = await world.post(`/v1/alerts/${alertId()}/ack`, bound);
    expect([foreign.status, foreign.body]).toEqual([404, absent.body]);
    expect((await world.post(`/v1/alerts/${alert}/ack`, await world.person('auditor'))).status).toBe(403);
    expect((await stateOf(alert))?.ackedAt).toBeNull();
  });
});
