import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readConfig, statePaths } from '../../collector/config.ts';
import { Quotas } from '../../collector/ingest/quotas.ts';
import { newId } from '../../protocol/ids.ts';
import { MINUTE_MS, SECOND_MS } from '../../protocol/time.ts';
import { random } from '../support/agent-double.ts';
import { makePlace, ownEvents, startWorld, until } from './running.ts';

/** A collector whose customers may send a thousand events in a day. */
async function small() {
  const place = await makePlace();
  const path = statePaths(place.dir).config;
  const config = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...config, customerEventsPerDay: 1_000 }));
  expect(readConfig(place.dir).customerEventsPerDay).toBe(1_000);
  return await startWorld({ place });
}

describe('a customer over its quota', () => {
  it('S9 is slowed to the pace of it, loses nothing, and the own log says so once', async () => {
    const world = await small();
    const one = await world.agent();
    const link = await one.connect();
    expect(link.welcome?.credits).toEqual({ events: 1_000, bytes: 1024 * 1024 });
    for (let i = 0; i < 2; i += 1) link.send(one.batch(one.chain.heartbeats(500)));
    await link.ackThrough(1_000);
    expect(await link.next('credit')).toMatchObject({ events: 0, bytes: 0 });
    await until(async () => (await ownEvents(world, 'customer.slowed')).length > 0);
    expect(await ownEvents(world, 'customer.slowed')).toEqual([
      { customer: expect.any(String), eventsPerDay: 1_000 },
    ]);
    // One of a thousand in a day: 86 s later there is one again.
    for (let i = 0; i < 2; i += 1) {
      world.clock.advance(MINUTE_MS);
      link.send({ t: 'erase', groups: [newId(random)] });
      await link.peek('erased', 'credit');
    }
    expect((await link.next('credit')).events).toBe(1);
    link.send(one.batch([one.chain.heartbeat().text]));
    await link.ackThrough(1_001);
    expect((await link.next('credit')).events).toBe(0);
    expect(await ownEvents(world, 'customer.slowed')).toHaveLength(1);
    await link.close();
  });

  it('S9 others do not notice, and one who comes meanwhile waits for its turn', async () => {
    const world = await small();
    const one = await world.agent();
    const link = await one.connect();
    for (let i = 0; i < 2; i += 1) link.send(one.batch(one.chain.heartbeats(500)));
    await link.ackThrough(1_000);
    const late = await (await world.agent()).connect();
    expect(late.welcome?.credits).toEqual({ events: 0, bytes: 0 });
    const other = await (await world.agent({ customer: 'Bravo' })).connect();
    expect(other.welcome?.credits.events).toBe(1_000);
    await Promise.all([link.close(), late.close(), other.close()]);
  });

  it('S9 those who wait get their turns one by one, and who leaves gives up its place', async () => {
    const world = await small();
    const quotas = new Quotas(world.handle.ctx, 864_000);
    const customer = 'a'.repeat(32) as never;
    quotas.spend(customer, 864_000);
    const turns: string[] = [];
    const wait = (name: string) => {
      const give = (events: number) => void turns.push(`${name} ${events}`);
      quotas.wait(customer, give);
      return give;
    };
    wait('a');
    const gone = wait('b');
    wait('c');
    quotas.forget(customer, gone);
    for (let i = 0; i < 4; i += 1) world.clock.advance(1.1 * SECOND_MS);
    expect(turns).toEqual(['a 10', 'c 10']);
    quotas.close();
  });
});
