import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SessionAlerts } from '../../collector/config.ts';
import { SessionAlertWatch } from '../../collector/session-alerts.ts';
import { isOutside, measure, rulesOf } from '../../collector/session-alerts-rules.ts';
import type { OwnDraft } from '../../collector/types.ts';
import { canonical, leafHash } from '../../protocol/canonical.ts';
import type { CustomerId, GroupId } from '../../protocol/ids.ts';
import { makeLeaf } from '../../protocol/leaf.ts';
import { HOUR_MS, MINUTE_MS, utcMs } from '../../protocol/time.ts';
import { told } from './alert-events.ts';
import { ApiWorld, type Loose, PEER, START, type TestHost } from './api-world.ts';

const OFFICE = { days: [1, 2, 3, 4, 5], from: '07:00', to: '18:00', zone: 'Europe/Copenhagen' };
let world: ApiWorld;
let admin: string;
let host: TestHost;
let watch: SessionAlertWatch;

beforeEach(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin');
  host = await world.host();
  watch = await SessionAlertWatch.open(world.ctx);
});
afterEach(async () => {
  await watch.close();
  await world.close();
});

const set = (sessionAlerts: SessionAlerts) => Object.assign(world.ctx, { sessionAlerts });
async function lookFor(minutes: number): Promise<void> {
  for (let i = 0; i < minutes; i += 1) {
    world.clock.advance(MINUTE_MS);
    await watch.look();
  }
}
const alerts = async (): Promise<string[]> =>
  (await world.get('/v1/alerts', admin)).body.items.map(
    ({ check, state, value, threshold }: Loose) => `${check} ${state} ${value}/${threshold}`,
  );
async function roster(value: string): Promise<void> {
  const { id } = (await world.post('/v1/people', admin, { role: 'technician' })).body;
  await world.post(`/v1/people/${id}/ids`, admin, { kind: 'teamviewer', value });
}
/** An event of a type that this version may not know. */
async function rejected(count?: number): Promise<void> {
  const [own] = await world.ctx.store.read.logStatesOf([host.row.agent]);
  if (own === undefined) throw new Error('no log');
  const data = { source: host.source, ...(count === undefined ? {} : { count }) };
  const at = world.clock.now();
  await world.ctx.store.write(async (tx) => {
    const seq = own.through + 1;
    const bare = { log: own.log, seq, prev: own.head, at, boot: '0'.repeat(16), up: 0, pii: [] };
    const made = makeLeaf({ ...bare, type: 'session.ended', data: ENDED });
    const bytes = canonical({ ...JSON.parse(made.text), type: 'session.rejected', data });
    const hash = leafHash(bytes);
    const leaf = { log: own.log, seq, bytes, hash, type: 'session.rejected', at, receivedAt: at };
    await tx.appendLeaves([leaf]);
    await tx.setHeads([{ log: own.log, through: seq, head: hash }]);
  });
}
const ENDED = {
  session: '0'.repeat(32),
  endedAt: '2026-11-22T12:00:00.000Z',
  endBasis: 'observed',
  durationSeconds: 1,
  reason: 'completed',
} as const;

describe('alerts from sessions', () => {
  it('an unknown id raises one alert for its host, which clears an hour after the last', async () => {
    await roster('111 222 333');
    await host.session({ personal: { peerId: '111222333' } });
    await lookFor(1);
    expect(await alerts()).toEqual([]);
    await host.session({ startedAt: world.clock.now(), personal: { peerId: '999000999' } });
    await lookFor(1);
    expect(await alerts()).toEqual(['session-unknown open 1/0']);
    await host.session({ startedAt: world.clock.now(), personal: { peerId: '999000998' } });
    await lookFor(10);
    expect(await alerts()).toHaveLength(1);
    await lookFor(55);
    expect(await alerts()).toEqual(['session-unknown cleared 0/1']);
  });

  it('is known again as soon as the roster knows them', async () => {
    await roster('111 222 333');
    await host.session({ personal: { peerId: '999000999' } });
    await lookFor(1);
    await roster('999 000 999');
    await lookFor(3);
    expect(await alerts()).toEqual(['session-unknown cleared 0/1']);
  });

  it('without a roster nobody is unknown, unless that is asked for; nobody is known by nothing', async () => {
    await host.session();
    await host.session({ startedAt: utcMs(START + 1), personal: null });
    await lookFor(1);
    expect(await alerts()).toEqual([]);
    set({ unknown: true });
    await lookFor(1);
    expect(await alerts()).toEqual(['session-unknown open 1/0']);
  });

  it('several denied attempts within an hour, by single events and by summaries', async () => {
    for (let i = 0; i < 4; i += 1) await rejected();
    await lookFor(1);
    expect(await alerts()).toEqual([]);
    await rejected(2_000_000_000);
    await lookFor(1);
    expect(await alerts()).toEqual(['session-denied open 1000004/4']);
    // After a restart the hour is read again.
    await watch.close();
    watch = await SessionAlertWatch.open(world.ctx);
    await lookFor(10);
    expect(await alerts()).toEqual(['session-denied open 1000004/4']);
    await lookFor(55);
    expect(await alerts()).toEqual(['session-denied cleared 0/1']);
  });

  it('U18 what judges staff is off, and on where the configuration says so, for one customer too', async () => {
    // A Sunday.
    await host.session({ open: true });
    await lookFor(3 * 60);
    expect(await alerts()).toEqual([]);
    set({ customers: { [host.row.customer]: { workingHours: OFFICE, longerThanHours: 2 } } });
    await lookFor(1);
    expect(await alerts()).toEqual(['session-hours open 1/0', 'session-long open 10860/7200']);
    set({});
    await lookFor(2);
    expect((await alerts()).every((line) => line.includes('cleared'))).toBe(true);
  });

  it('U19 nothing of an alert says whose session it was, or which', async () => {
    set({ unknown: true, workingHours: OFFICE });
    const session = await host.session();
    await lookFor(1);
    const events = await world.own('alert.raised');
    expect(events.map(({ data }) => data.check)).toEqual(['session-unknown', 'session-hours']);
    const text = JSON.stringify(events);
    for (const word of [session, PEER.peerId, 'Ada', '203.0.113']) expect(text).not.toContain(word);
    expect(events.every(({ data }) => data.agent === host.id && data.notify === 'all')).toBe(true);
    const { body } = await world.get('/v1/alerts', admin);
    expect(JSON.stringify(body.items)).not.toContain(session);
  });

  it('U20 a look that cannot be stored leaves nothing, and is made again; a restart repeats nothing', async () => {
    set({ unknown: true });
    await host.session();
    world.failOwn = true;
    await lookFor(1);
    world.failOwn = false;
    expect(await alerts()).toEqual([]);
    await lookFor(1);
    await watch.close();
    watch = await SessionAlertWatch.open(world.ctx);
    await lookFor(2);
    expect(await world.own('alert.raised')).toHaveLength(1);
    await lookFor(70);
    expect(await world.own('alert.cleared')).toHaveLength(1);
    await lookFor(70);
    expect(await world.ctx.store.read.sessionWatch.list()).toEqual([]);
  });

  it('of a month that was erased nobody is unknown', async () => {
    await roster('111 222 333');
    await host.session();
    await world.erase(host.group('session.started') as GroupId);
    await lookFor(1);
    expect(await alerts()).toEqual([]);
  });

  it('Y8 a host cannot say any of it', async () => {
    await host.send([told('raised', { check: 'session-unknown', index: null })]);
    expect(await alerts()).toEqual([]);
    await world.ctx.store.write((tx) =>
      world.ctx.own.append(tx, [
        told('raised', { check: 'session-unknown', index: null, agent: host.id }) as OwnDraft,
      ]),
    );
    expect(await alerts()).toHaveLength(1);
  });
});

describe('the rules', () => {
  const customer = 'c'.repeat(32) as CustomerId;
  it('U18 are on as they are said, and a customer’s stand instead of the rest', () => {
    expect(Object.keys(rulesOf({}, customer, true))).toEqual(['session-unknown', 'session-denied']);
    expect(Object.keys(rulesOf({}, customer, false))).toEqual(['session-denied']);
    const all = { unknown: false, deniedMoreThan: null, workingHours: OFFICE, longerThanHours: 1 };
    expect(Object.keys(rulesOf(all, customer, true))).toEqual(['session-hours', 'session-long']);
    expect(rulesOf({ ...all, customers: { [customer]: {} } }, customer, false)).toEqual(
      rulesOf({}, customer, false),
    );
  });

  it('working hours are those of the clocks on the wall, also when they change', () => {
    const at = (text: string) => utcMs(Date.parse(text));
    expect(isOutside(at('2026-10-23T05:00:00Z'), OFFICE)).toBe(false); // 07:00 in summer
    expect(isOutside(at('2026-10-26T05:59:00Z'), OFFICE)).toBe(true); // 06:59 in winter
    expect(isOutside(at('2026-10-26T17:00:00Z'), OFFICE)).toBe(true); // 18:00
    expect(isOutside(at('2026-10-25T12:00:00Z'), OFFICE)).toBe(true); // Sunday
  });

  it('measures no more than there is, whatever the sessions', () => {
    const one = fc.record({
      agent: fc.constant('a'.repeat(32) as never),
      customer: fc.constant(customer),
      startedAt: fc.integer({ min: -5 * HOUR_MS, max: HOUR_MS }).map((ms) => utcMs(START + ms)),
      active: fc.boolean(),
      failedAttempts: fc.nat(100),
      known: fc.option(fc.boolean()),
    });
    fc.assert(
      fc.property(fc.array(one), fc.nat(100), (sessions, denied) => {
        const values = measure(sessions, denied, { workingHours: OFFICE }, START);
        expect(values['session-unknown']).toBeLessThanOrEqual(sessions.length);
        expect(values['session-hours']).toBeLessThanOrEqual(sessions.length);
        expect(values['session-denied']).toBeGreaterThanOrEqual(denied);
        expect(values['session-long'] >= 0 && values['session-long'] <= 5 * 3600).toBe(true);
        for (const value of Object.values(values)) expect(Number.isSafeInteger(value)).toBe(true);
      }),
    );
  });
});
