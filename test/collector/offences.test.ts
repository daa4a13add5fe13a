import { describe, expect, it } from 'vitest';
import { Offences } from '../../collector/offences.ts';
import { newId } from '../../protocol/ids.ts';
import { MINUTE_MS, SECOND_MS } from '../../protocol/time.ts';
import { random } from '../support/agent-double.ts';
import { ownEvents, startWorld, until } from './running.ts';

describe('offences', () => {
  it('P7 a flood is a bounded number of events, and its numbers add up', async () => {
    const world = await startWorld();
    const { ctx } = world.handle;
    const offences = new Offences(ctx);
    const rows = async () => await ownEvents(world, 'agent.offence');
    for (let i = 0; i < 1_000; i += 1) offences.add(newId<'agent'>(random), 'frame-bad');
    for (let i = 0; i < 1_000; i += 1) offences.add(null, 'not-proven');
    world.clock.advance(SECOND_MS);
    await until(async () => (await rows()).length > 0);
    expect(await rows()).toHaveLength(34);
    // Within a minute nothing more is written, however much comes.
    for (let i = 0; i < 1_000; i += 1) offences.add(null, 'not-proven');
    world.clock.advance(30 * SECOND_MS);
    expect(await rows()).toHaveLength(34);
    world.clock.advance(MINUTE_MS);
    await until(async () => (await rows()).length > 34);
    await offences.close();
    const counts = new Map<unknown, number>();
    for (const { reason, count } of await rows())
      counts.set(reason, (counts.get(reason) ?? 0) + Number(count));
    expect(Object.fromEntries(counts)).toEqual({ 'frame-bad': 1_000, 'not-proven': 2_000 });
  });

  it('S12, P7: what an agent does is counted under its id once it has proven to be it', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const proven = await one.connect();
    proven.text('{"t":"batch"');
    await proven.closed();
    const posing = await one.open();
    posing.send({ ...one.hello(), agent: one.agent });
    await posing.next('challenge');
    posing.send({ t: 'proof', sig: 'A'.repeat(86) });
    expect((await posing.refused()).refusal).toBe('agent.not-proven');
    await world.handle.ctx.store.read.lastPos();
    await until(async () => (await ownEvents(world, 'agent.offence')).length === 2);
    expect(await ownEvents(world, 'agent.offence')).toEqual([
      { agent: one.agent, reason: 'frame-bad', count: 1 },
      { agent: null, reason: 'not-proven', count: 1 },
    ]);
  });
});
