/** Three weeks offline: what waits for a host, and what happens on its return: H1, H4, V95. */
import { expect, it, onTestFinished } from 'vitest';
import { DAY_MS, toIso, utcMs } from '../../protocol/time.ts';
import { THIRTY_DAYS } from '../agent/recordings/sweep-world.ts';
import { ApiWorld, type Loose, START } from './api-world.ts';
import { day, found, newCamera, newSource } from './recording-events.ts';
import { HOLD } from './two-customers.ts';

it('H4 a host that is away is shown with what it puts in force, lets go and then erases', async () => {
  const world = await ApiWorld.make();
  onTestFinished(() => world.close());
  const record = { v: 1, pack: null, person: null, setAt: toIso(START), policy: THIRTY_DAYS };
  await world.ctx.store.write((tx) => tx.setMeta('policy.record', JSON.stringify(record)));
  const host = await world.host({ name: 'nvr-01' });
  const [source, gate] = [newSource(), newCamera()];
  const old = utcMs(START - 20 * DAY_MS);
  await host.send([
    found(source, gate, 'gate'),
    day(source, gate, old, { count: 9, present: 9 }),
    day(source, gate, START, { count: 4, present: 4 }),
  ]);
  let admin = await world.person('admin');
  const [from, to] = [toIso(old), toIso(utcMs(old + DAY_MS))];
  const hold = async () =>
    (await world.post('/v1/holds', admin, { ...HOLD, hosts: [host.id], from, to })).body.id;
  const known = await hold();
  await host.send([
    { type: 'hold.applied', data: { hold: known, outcome: 'in-force', via: 'command' } } as Loose,
  ]);
  const shown = async () => (await world.get(`/v1/hosts/${host.id}`, admin)).body.onReturn;
  expect(await shown()).toBeNull();

  world.ctx.links.isLive = () => false;
  expect(await shown()).toBeNull();
  const told = toIso(world.clock.now());
  world.clock.advance(21 * DAY_MS);
  admin = await world.person('admin');
  const second = await world.person('security');
  const placed = await hold();
  const { error } = (await world.post(`/v1/holds/${known}/release`, admin, { reason: 'over' })).body;
  await world.post(`/v1/approvals/${error.approval}/approve`, second, {});
  expect(await shown()).toEqual({ places: [placed], releases: [known], overdue: { count: 9, asOf: told } });
  const [item] = (await world.get(`/v1/holds/${placed}`, admin)).body.agents;
  expect(item).toMatchObject({
    state: 'pending',
    lastSeen: expect.any(String),
    overdue: { count: 9, asOf: told },
  });
  const [other] = (await world.get(`/v1/holds/${known}`, admin)).body.agents;
  expect(other).toMatchObject({ state: 'in-force', overdue: null });
});
