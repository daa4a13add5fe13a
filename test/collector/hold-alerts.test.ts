/** What people are told of holds: V107. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldAlertWatch, measureHolds } from '../../collector/holds/alerts.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, START, type TestHost } from './api-world.ts';
import { HOLD } from './two-customers.ts';

let world: ApiWorld;
let host: TestHost;
let watch: HoldAlertWatch;
let admin: string;
beforeEach(async () => {
  world = await ApiWorld.make();
  host = await world.host({ name: 'nvr-01' });
  admin = await world.person('admin');
  watch = await HoldAlertWatch.open(world.ctx);
});
afterEach(() => world.close());

const told = async () =>
  (await world.own('alert.raised', 'alert.changed', 'alert.cleared')).map(
    ({ type, data }) => `${type.slice(6)} ${data.check} ${data.level}`,
  );
async function look(minutes = 2): Promise<void> {
  for (let n = 0; n < minutes; n++) {
    await watch.look();
    world.clock.advance(MINUTE_MS);
  }
}
const span = { from: toIso(utcMs(START - 2 * HOUR_MS)), to: toIso(utcMs(START - HOUR_MS)) };
async function place(more = {}): Promise<string> {
  const { body } = await world.post('/v1/holds', admin, { ...HOLD, hosts: [host.id], ...span, ...more });
  return body.id;
}
const inForce = (hold: string) =>
  host.send([{ type: 'hold.applied', data: { hold, outcome: 'in-force', via: 'command' } } as Loose]);

describe('alerts of holds', () => {
  it('V107, H5 a notice is reminded of, is critical once it is due, and is over when it was given', async () => {
    const hold = await place();
    await inForce(hold);
    await look();
    expect(await told()).toEqual([]);
    world.clock.advance(28 * DAY_MS);
    await look();
    expect(await told()).toEqual(['raised hold-notice warn']);
    world.clock.advance(3 * DAY_MS);
    await look();
    expect(await told()).toEqual(['raised hold-notice warn', 'changed hold-notice crit']);
    admin = await world.person('admin');
    await world.post(`/v1/holds/${hold}/notify`, admin, { who: 'x', how: 'letter' });
    await look(70);
    expect((await told()).at(-1)).toBe('cleared hold-notice crit');
  });

  it('V107 a hold that waits to be in force is told after an hour, a broken one at once', async () => {
    const hold = await place({ kind: 'crime' });
    world.clock.advance(HOUR_MS);
    await look();
    expect(await told()).toEqual(['raised hold-pending warn']);
    await inForce(hold);
    const data = {
      source: '1'.repeat(32),
      camera: null,
      hold,
      count: 2,
      copied: 1,
      ...span,
      reason: 'truncated',
    };
    await host.send([{ type: 'hold.violated', data } as Loose]);
    await look();
    expect(await told()).toContain('raised hold-violated warn');
    const [item] = (await world.get(`/v1/holds/${hold}`, admin)).body.agents;
    expect(item).toMatchObject({ state: 'in-force', violated: 2 });
  });

  it('V107 a review is reminded of three days before', async () => {
    await inForce(await place({ kind: 'crime', review: toIso(utcMs(START + 5 * DAY_MS)) }));
    world.clock.advance(2 * DAY_MS + HOUR_MS);
    await look();
    expect(await told()).toEqual(['raised hold-review warn']);
  });

  it('V107 a hold on sessions is told of their hosts', async () => {
    const session = await host.session({ startedAt: utcMs(START) });
    const body = { ...HOLD, kind: 'crime', sessions: [session], review: toIso(utcMs(START + DAY_MS)) };
    await world.post('/v1/holds', admin, body);
    await look();
    const [first] = await world.own('alert.raised');
    expect(first?.data).toMatchObject({ check: 'hold-review', agent: host.id });
  });

  it('V107, H5 a dispute over a session is reminded of, counted from the session', async () => {
    const session = await host.session({ startedAt: utcMs(START) });
    await world.post('/v1/holds', admin, { ...HOLD, kind: 'dispute', sessions: [session] });
    await look();
    expect(await told()).toEqual([]);
    world.clock.advance(28 * DAY_MS);
    await look();
    expect(await told()).toEqual(['raised hold-notice warn']);
  });

  it('V107 one that was released asks for nothing', () => {
    const hold = {
      state: 'released',
      kind: 'dispute',
      scope: { from: null, to: null, padSeconds: 0 },
    } as Loose;
    expect(measureHolds([{ hold, row: null, hosts: [], earliest: null }], utcMs(START))).toEqual({
      ...{ 'hold-notice': 0, 'hold-review': 0, 'hold-pending': 0, 'hold-violated': 0 },
    });
  });
});
