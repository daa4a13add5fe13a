/** Metrics and health of a whole collector, over real sockets. */
import { describe, expect, it } from 'vitest';
import { run } from '../../collector/main.ts';
import { watchCollector } from '../../collector/metrics.ts';
import { replyTo } from '../../protocol/metrics.ts';
import { MINUTE_MS } from '../../protocol/time.ts';
import { parseExposition, type Read, valueIn } from '../support/exposition.ts';
import { ApiWorld } from './api-world.ts';
import { makePlace, silent, startWorld, until, type World } from './running.ts';

const told = async (world: World): Promise<Read[]> =>
  parseExposition(await (await fetch(`http://${world.handle.metrics}/metrics`)).text());
const batch = (log: string, events: string[]) => ({
  t: 'batch',
  log,
  events,
  parts: [],
  wraps: [],
  keys: [],
});

describe('metrics of a collector', () => {
  it('F1 X11 count what is stored, acked again, lost and refused, and name nobody', async () => {
    const world = await startWorld({ metrics: '127.0.0.1:0' });
    const one = await world.agent();
    const link = await one.connect();
    const gap = {
      source: null,
      log: one.chain.log,
      from: 1,
      to: 2,
      count: 1,
      reason: 'database-lost',
      fromAt: null,
      toAt: null,
    } as const;
    const events = [...one.chain.heartbeats(3), one.chain.add('journal.gap', gap).text];
    link.send(batch(one.chain.log, events));
    await link.ackThrough(4);
    link.send(batch(one.chain.log, events.slice(0, 2)));
    link.send({ t: 'telemetry', samples: [null] });
    await link.next('ack');
    await link.close();
    const again = await one.connect();
    const stranger = await one.knock({ agent: 'f'.repeat(32) });
    await stranger.refused();
    // When an agent was seen is written a moment later.
    const online = async () => valueIn(await told(world), 'tilsyn_collector_hosts', { state: 'online' });
    await until(async () => (await online()) === 1);
    const before = await world.handle.ctx.store.read.lastPos();
    const read = await told(world);
    const value = (name: string) => valueIn(read, `tilsyn_collector_${name}`);
    expect([value('leaves_stored_total'), value('leaves_duplicate_total')]).toEqual([4, 2]);
    expect([value('leaves_acked_total'), value('gaps_total'), value('forks_total')]).toEqual([6, 1, 0]);
    expect([value('connections_total'), value('reconnects_total'), value('connections')]).toEqual([2, 1, 1]);
    expect(value('handshakes_refused_total')).toBe(1);
    expect(value('telemetry_malformed_total')).toBe(1);
    expect(value('memory_bytes')).toBeGreaterThan(10_000_000);
    expect(value('position')).toBeGreaterThanOrEqual(before);
    expect(value('oldest_uncommitted_seconds')).toBe(0);
    expect(valueIn(read, 'tilsyn_collector_hosts', { state: 'online' })).toBe(1);
    const text = JSON.stringify(read);
    for (const word of [one.agent, one.chain.log, 'Acme', 'Albertslund', '127.0.0.1'])
      expect(text).not.toContain(word);
    await again.close();
  });

  it('health is 200 with its checks; other addresses and methods are not answered', async () => {
    const world = await startWorld({ metrics: '127.0.0.1:0' });
    const answer = await fetch(`http://${world.handle.metrics}/health`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      ok: true,
      checks: {
        database: { ok: true },
        ingest: { ok: true, oldestUncommittedSeconds: 0 },
        keys: { ok: true },
      },
    });
    expect((await fetch(`http://${world.handle.metrics}/secret`)).status).toBe(404);
    expect((await fetch(`http://${world.handle.metrics}/metrics`, { method: 'DELETE' })).status).toBe(405);
  });

  it('health is ill where a copy of the keys is gone, or the database does not read', async () => {
    const world = await ApiWorld.make();
    const looks = {
      memory: () => 1,
      oldestWaitingMs: () => null,
      waitingSamples: () => 0,
      keysComplete: () => false,
    };
    const watched = watchCollector(world.ctx, looks);
    expect(await watched.health()).toMatchObject({
      ok: false,
      checks: { keys: { ok: false }, database: { ok: true } },
    });
    await world.ctx.store.close();
    expect((await replyTo('GET', '/health', watched)).status).toBe(503);
    watched.stop();
    await world.close();
  });

  it('a batch that waits for its commit is seen, and ends as ill health', async () => {
    const world = await startWorld({ metrics: '127.0.0.1:0' });
    const one = await world.agent();
    const link = await one.connect();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const writing = world.handle.ctx.store.write(() => held);
    link.send(batch(one.chain.log, one.chain.heartbeats(1)));
    const oldest = async () => valueIn(await told(world), 'tilsyn_collector_oldest_uncommitted_seconds');
    await until(async () => (await oldest()) > 0);
    world.clock.advance(2 * MINUTE_MS);
    expect(await oldest()).toBeGreaterThan(60);
    expect((await fetch(`http://${world.handle.metrics}/health`)).status).toBe(503);
    release();
    await writing;
    await until(async () => (await oldest()) === 0);
    expect((await fetch(`http://${world.handle.metrics}/health`)).status).toBe(200);
  });

  it('X12 is off by default, is refused beyond loopback and where the port is taken, and goes with the collector', async () => {
    const world = await startWorld({ metrics: '127.0.0.1:0' });
    const { metrics } = world.handle;
    const place = await makePlace();
    const start = (at?: string) =>
      run({ state: place.dir, listen: '127.0.0.1:0', signals: false, log: silent, metrics: at });
    await expect(start('0.0.0.0:9464')).rejects.toMatchObject({ code: 'metrics.address' });
    await expect(start(metrics ?? '')).rejects.toMatchObject({ code: 'metrics.in-use' });
    const without = await start();
    expect(without.metrics).toBeNull();
    await without.stop();
    await world.handle.stop();
    await expect(fetch(`http://${metrics}/health`)).rejects.toThrow();
  });
});
