/** Samples over a real socket into real files. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_WAITING,
  NEWEST_MS,
  OLDEST_MS,
  SAMPLES_AT_ONCE,
  Samples,
  wrongTime,
} from '../../collector/ingest/samples.ts';
import { openTelemetry } from '../../collector/store/telemetry.ts';
import { FIRST_THIN_MS } from '../../collector/telemetry-care.ts';
import type { AgreementId } from '../../protocol/ids.ts';
import type { Sample } from '../../protocol/telemetry.ts';
import { DAY_MS, MINUTE_MS, utcMs } from '../../protocol/time.ts';
import type { AgentDouble } from '../support/agent-double.ts';
import { startWorld, until, type World } from './running.ts';

function sampleAt(at: number): Sample {
  const disks = [{ index: 0, usedPermille: 400, freeMb: 600, totalMb: 1000, inodesUsedPermille: null }];
  return { at, cpuPermille: 120, memUsedPermille: 500, memTotalMb: 8000, uptimeSeconds: 60, disks };
}
const minutesBefore = (now: number, count: number) =>
  Array.from({ length: count }, (_, i) => sampleAt(now - (count - i) * MINUTE_MS));

const agreementOf = (one: AgentDouble) => one.token.agreement as AgreementId;
function pointsOf(world: World, one: AgentDouble) {
  const query = { since: utcMs(0), until: utcMs(world.clock.now() + DAY_MS), seconds: 0, limit: 100_000 };
  return world.handle.ctx.telemetry.points(agreementOf(one), one.agent, query);
}
const counted = (world: World, name: Parameters<World['handle']['ctx']['counters']['of']>[0]) =>
  world.handle.ctx.counters.of(name);

const samplesOf = (world: World) => new Samples(world.handle.ctx);

describe('telemetry frames', () => {
  it('J7 J1 samples are stored under their agent, once, also when they come again', async () => {
    const world = await startWorld();
    const [one, two] = [await world.agent(), await world.agent()];
    const samples = minutesBefore(world.clock.now(), 30);
    for (const agent of [one, two]) {
      const link = await agent.connect();
      link.send({ t: 'telemetry', samples });
      link.send({ t: 'telemetry', samples });
    }
    await until(
      () => counted(world, 'telemetry_stored') === 60 && counted(world, 'telemetry_duplicate') === 60,
    );
    expect((await pointsOf(world, one)).map(({ at }) => at)).toEqual(samples.map(({ at }) => at));
    expect(await pointsOf(world, two)).toHaveLength(30);
  });

  it('J8 what is no sample is dropped alone: the others are stored, and the connection stays', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const now = world.clock.now();
    const good = sampleAt(now);
    const bad = [
      null,
      7,
      'x',
      [],
      {},
      { ...good, at: -1 },
      { ...good, cpuPermille: 1001 },
      { ...good, disks: [{ index: 0 }] },
      { ...good, disks: Array.from({ length: 65 }, () => good.disks[0]) },
    ];
    const late = [sampleAt(now - OLDEST_MS - MINUTE_MS), sampleAt(now + NEWEST_MS + MINUTE_MS)];
    link.send({ t: 'telemetry', samples: [...bad, good, ...late] });
    await until(() => counted(world, 'telemetry_stored') === 1);
    expect(counted(world, 'telemetry_malformed')).toBe(bad.length);
    expect(counted(world, 'telemetry_clock')).toBe(late.length);
    link.send({
      t: 'batch',
      log: one.chain.log,
      events: one.chain.heartbeats(1),
      parts: [],
      wraps: [],
      keys: [],
    });
    await link.ackThrough(1);
    await link.close();
  });

  it('J8 a time is taken where an agent may have kept it, on a clock of any zone', () => {
    const now = utcMs(Date.UTC(2026, 10, 22));
    fc.assert(
      fc.property(fc.integer({ min: -30 * DAY_MS, max: 30 * DAY_MS }), (shift) => {
        const taken = wrongTime(now + shift, now) === null;
        expect(taken).toBe(shift >= -OLDEST_MS && shift <= NEWEST_MS);
      }),
    );
  });

  it('J9 what an agent kept for 14 days is taken at once, what is over it waits for its quota', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const samples = samplesOf(world);
    const row = { agent: one.agent, agreement: agreementOf(one) };
    const kept = minutesBefore(world.clock.now(), 14 * 24 * 60);
    expect(kept.length).toBeLessThan(SAMPLES_AT_ONCE);
    samples.take(row, kept);
    await samples.flush();
    expect(counted(world, 'telemetry_stored')).toBe(kept.length);
    const flood = Array.from({ length: SAMPLES_AT_ONCE }, (_, i) => sampleAt(world.clock.now() + i));
    samples.take(row, flood);
    await samples.flush();
    const over = counted(world, 'telemetry_quota');
    expect(over).toBeGreaterThan(0);
    expect(counted(world, 'telemetry_stored')).toBeLessThan(SAMPLES_AT_ONCE + kept.length / 2);
    expect(counted(world, 'telemetry_stored') + over).toBe(kept.length + flood.length);
  });

  it('J7 more than may wait is shed and counted, and events are stored meanwhile', async () => {
    const world = await startWorld();
    const agents = await Promise.all([1, 2, 3].map(() => world.agent()));
    const samples = samplesOf(world);
    for (const one of agents) {
      const row = { agent: one.agent, agreement: agreementOf(one) };
      samples.take(row, minutesBefore(world.clock.now(), 20_000));
    }
    const [first] = agents;
    if (first === undefined) throw new Error('no agent');
    const link = await first.connect();
    link.send({
      t: 'batch',
      log: first.chain.log,
      events: first.chain.heartbeats(3),
      parts: [],
      wraps: [],
      keys: [],
    });
    await link.ackThrough(3);
    await samples.flush();
    const [shed, stored] = [counted(world, 'telemetry_shed'), counted(world, 'telemetry_stored')];
    expect(shed + stored).toBe(60_000);
    expect(stored).toBeGreaterThanOrEqual(MAX_WAITING);
    expect(shed).toBeGreaterThan(0);
    await link.close();
  });
});

describe('where the disk is nearly full', () => {
  it('J7 samples are shed and counted, and events are stored', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const dir = join(world.dir, 'telemetry');
    const none = openTelemetry({ dir, leastFreeBytes: Number.POSITIVE_INFINITY });
    const samples = new Samples({ ...world.handle.ctx, telemetry: none });
    samples.take({ agent: one.agent, agreement: agreementOf(one) }, minutesBefore(world.clock.now(), 7));
    await samples.flush();
    expect([counted(world, 'telemetry_shed'), counted(world, 'telemetry_stored')]).toEqual([7, 0]);
    expect(openTelemetry({ dir, leastFreeBytes: 1 }).hasRoom()).toBe(true);
    const link = await one.connect();
    const batch = {
      t: 'batch',
      log: one.chain.log,
      events: one.chain.heartbeats(2),
      parts: [],
      wraps: [],
      keys: [],
    };
    link.send(batch);
    await link.ackThrough(2);
    await link.close();
  });
});

describe('with the agreement', () => {
  it('J5 samples of an agreement that has ended are dropped, and a start removes its file', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    link.send({ t: 'telemetry', samples: minutesBefore(world.clock.now(), 5) });
    await until(() => counted(world, 'telemetry_stored') === 5);
    const { store } = world.handle.ctx;
    await store.write(async (tx) => {
      const row = await tx.agreements.get(agreementOf(one));
      if (row !== null) await tx.agreements.put([{ ...row, state: 'ended' }]);
    });
    link.send({ t: 'telemetry', samples: [sampleAt(world.clock.now())] });
    await until(() => counted(world, 'telemetry_ended') === 1);
    await world.restart();
    expect(readdirSync(join(world.dir, 'telemetry'))).toEqual([]);
  });

  it('J4 samples outlive a restart, and are thinned by the regular care', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    link.send({ t: 'telemetry', samples: minutesBefore(world.clock.now() - 3 * DAY_MS, 60) });
    await until(() => counted(world, 'telemetry_stored') === 60);
    await world.restart();
    expect(await pointsOf(world, one)).toHaveLength(60);
    world.clock.advance(FIRST_THIN_MS);
    await until(async () => (await pointsOf(world, one)).every(({ seconds }) => seconds === 900));
    const points = await pointsOf(world, one);
    expect(points.reduce((sum, { n }) => sum + n, 0)).toBe(60);
  });
});
