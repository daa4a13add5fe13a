import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDuties } from '../../collector/duties.ts';
import { MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, START } from './api-world.ts';

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.make();
});
afterEach(() => world.close());

it('W16, U20 a collector that runs matches tickets and looks at sessions, and lets both finish', async () => {
  const admin = await world.person('admin');
  const host = await world.host();
  const ada = (await world.post('/v1/people', admin, { role: 'technician' })).body.id;
  await world.post(`/v1/people/${ada}/ids`, admin, { kind: 'teamviewer', value: '1660360496' });
  const [from, to] = [toIso(START), toIso(utcMs(START + 60 * MINUTE_MS))];
  const csv = `ticket,host,technician,from,to\nINC-1,srv-01,${ada},${from},${to}`;
  await world.post('/v1/tickets', admin, { csv });
  const duties = await openDuties(world.ctx, { around: world.erasing });
  await duties.start();
  const known = await host.session();
  const stranger = { startedAt: utcMs(START + 1_000), personal: { peerId: '999000999' } };
  await host.session(stranger);
  world.clock.advance(MINUTE_MS);
  await duties.close();
  expect((await world.get(`/v1/sessions/${known}`, admin)).body.ticket).toBe('INC-1');
  expect((await world.own('alert.raised')).map(({ data }) => data.check)).toEqual(['session-unknown']);
});
