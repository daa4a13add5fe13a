import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isUnconfirmed } from '../../collector/agents.ts';
import { claimAhead, madeGood } from '../../collector/ingest/generation.ts';
import { CLOSE } from '../../protocol/close-code.ts';
import { newId } from '../../protocol/ids.ts';
import { type AgentDouble, DoubleSealer, random } from '../support/agent-double.ts';
import { ownEvents, startWorld, until, type World } from './running.ts';

/** Stops, lets `fn` work on the files, and starts again. */
async function whileStopped(world: World, fn: () => void): Promise<void> {
  await world.handle.stop();
  fn();
  await world.restart();
}

async function send(one: AgentDouble, count: number): Promise<void> {
  const link = await one.connect();
  link.send(one.batch(one.chain.heartbeats(count)));
  await link.ackThrough(one.chain.next - 1);
  one.acked.set(one.chain.log, one.chain.next - 1);
  await link.close();
}

describe('the generation', () => {
  it('E1: an acked leaf that this state does not know proves that it was rolled back', async () => {
    const world = await startWorld();
    const [one, two] = [await world.agent(), await world.agent()];
    await send(one, 5);
    const database = join(world.dir, 'collector.db');
    await whileStopped(world, () => copyFileSync(database, `${database}.copy`));
    for (const double of [one, two]) Object.assign(double, { address: world.handle.address });
    await send(one, 5);
    await whileStopped(world, () => copyFileSync(`${database}.copy`, database));
    for (const double of [one, two]) Object.assign(double, { address: world.handle.address });
    const old = world.handle.ctx.generation();
    const [before] = (await world.handle.ctx.store.read.logsOf(null)).slice(-1);
    const bystander = await two.connect();
    const row = async (of: AgentDouble) => (await world.handle.ctx.store.read.agents.get(of.agent))!;
    const unconfirmed = async (of: AgentDouble) => isUnconfirmed(world.handle.ctx, await row(of));
    expect([await unconfirmed(one), await unconfirmed(two)]).toEqual([false, false]);
    expect(await (await one.knock()).refused()).toEqual({ refusal: null, close: CLOSE.generationChanged });
    expect(await bystander.closed()).toBe(CLOSE.generationChanged);
    const generation = world.handle.ctx.generation();
    expect(generation).not.toBe(old);
    expect(await ownEvents(world, 'collector.restored')).toEqual([
      { generation, reason: 'rolled-back', agent: one.agent, log: one.chain.log, claimed: 10, known: 5 },
    ]);
    const [after] = (await world.handle.ctx.store.read.logsOf(null)).slice(-1);
    expect(after?.birth).toMatchObject({ reason: 'restored', predecessor: { log: before?.log } });
    // A6: what either has told in between is missing, until they are let in again.
    expect([await unconfirmed(one), await unconfirmed(two)]).toEqual([true, true]);
    // The agent is shown the new one and fills up what is missing.
    const link = await one.connect();
    expect(link.welcome?.cursors[0]?.through).toBe(5);
    link.send(one.batch([...one.chain.texts.values()].slice(5)));
    await link.ackThrough(10);
    await link.close();
    await until(async () => !(await unconfirmed(one)));
    expect(await unconfirmed(two)).toBe(true);
    // It stays after a restart.
    await world.restart();
    expect(world.handle.ctx.generation()).toBe(generation);
  });

  /** Says that so many leaves were acked, of logs that are long enough for it. */
  function claims(one: AgentDouble, acked: number): void {
    while (one.chain.next <= acked) one.chain.heartbeat();
    one.acked.set(one.chain.log, acked);
  }

  it('E2: a claim against a generation that this process made moves nobody', async () => {
    const world = await startWorld();
    const one = await world.agent();
    claims(one, 99);
    expect((await (await one.knock()).refused()).close).toBe(CLOSE.generationChanged);
    one.applied.generation = world.handle.ctx.generation();
    expect(await (await one.knock()).refused()).toEqual({ refusal: 'agent.ahead', close: CLOSE.tryLater });
    expect((await ownEvents(world, 'collector.restored')).length).toBe(1);
  });

  it('E3: an agent that does not send again what it said was lost is not believed twice', async () => {
    const world = await startWorld();
    const [one, two] = [await world.agent(), await world.agent()];
    claims(one, 20);
    expect((await (await one.knock()).refused()).close).toBe(CLOSE.generationChanged);
    await world.restart();
    for (const double of [one, two]) Object.assign(double, { address: world.handle.address });
    const generation = world.handle.ctx.generation();
    one.applied.generation = generation;
    for (const acked of [20, 3]) {
      one.acked.set(one.chain.log, acked);
      expect(await (await one.knock()).refused()).toEqual({ refusal: 'agent.ahead', close: CLOSE.tryLater });
    }
    expect(world.handle.ctx.generation()).toBe(generation);
    // Others are believed, and so is this one once it made its word good.
    one.acked.clear();
    const link = await one.connect();
    link.send(one.batch([...one.chain.texts.values()]));
    await link.ackThrough(20);
    await link.close();
    claims(one, 30);
    expect((await (await one.knock()).refused()).close).toBe(CLOSE.generationChanged);
    expect((await ownEvents(world, 'collector.restored')).map(({ known }) => known)).toEqual([0, 20]);
  });

  it('W1: what an agent says of another’s log is not listened to', async () => {
    const world = await startWorld();
    const [one, two] = [await world.agent(), await world.agent()];
    const generation = world.handle.ctx.generation();
    const logs = two.hello().logs.map((entry) => ({ ...entry, next: 50, acked: 40 }));
    const link = await one.knock({ logs });
    expect(await link.refused()).toEqual({ refusal: 'log.not-its-own', close: CLOSE.logRefused });
    expect(world.handle.ctx.generation()).toBe(generation);
  });

  it('E1 E3: only what is claimed in the present generation, and can have been written, counts', () => {
    const [generation, log] = [newId(random), newId(random)];
    const hello = (of: string | null, n: number, acked: number, next = acked + 1) =>
      ({ applied: { generation: of, n }, logs: [{ birth: { log }, acked, next }] }) as never;
    const known = { generation, through: new Map([[log as string, 5]]), issued: 2 };
    expect(claimAhead(hello(generation, 2, 5), known)).toBeNull();
    expect(claimAhead(hello(generation, 3, 5), known)).toEqual({ log: null, claimed: 3, known: 2 });
    expect(claimAhead(hello(generation, 0, 6), known)).toEqual({ log, claimed: 6, known: 5 });
    expect(claimAhead(hello(generation, 0, 6, 6), known)).toBeNull();
    expect(claimAhead(hello(generation, 0, 2 ** 53 - 1, 7), known)).toBeNull();
    expect(claimAhead(hello(newId(random), 3, 6), known)).toBeNull();
    expect(claimAhead(hello(null, 0, 6), known)).toBeNull();
    const told = { log: log as never, claimed: 6, known: 5 };
    expect(madeGood(told, hello(generation, 0, 5), known)).toBe(false);
    expect(madeGood({ ...told, claimed: 5 }, hello(generation, 0, 5), known)).toBe(true);
    expect(madeGood(told, { logs: [{ birth: { log: newId(random) } }] } as never, known)).toBe(true);
    expect(madeGood({ ...told, log: null }, hello(generation, 0, 5), known)).toBe(false);
  });

  it('a group that the database has lost and whose key lives is taken back before the agent is let in', async () => {
    const world = await startWorld();
    const database = join(world.dir, 'collector.db');
    // A copy that knows the agent, and not yet the groups of a later agreement.
    const one = await world.agent();
    await send(one, 1);
    await whileStopped(world, () => copyFileSync(database, `${database}.copy`));
    one.instance = newId(random);
    Object.assign(one, { address: world.handle.address });
    world.clock.advance(40 * 86_400_000);
    const link = await one.connect();
    const group = one.group('span', 'session', world.clock.now());
    const sealer = new DoubleSealer(group, one.chain.log);
    const seq = one.chain.next;
    const sealed = sealer.seal(one.chain.log, seq, { name: 'srv-01' });
    await link.close();
    await whileStopped(world, () => copyFileSync(`${database}.copy`, database));
    Object.assign(one, { address: world.handle.address });
    const { groups } = world.handle.ctx;
    expect(groups.byId(group.group as never)).toBeNull();
    one.applied.generation = null;
    const again = await one.connect({}, [group]);
    expect(groups.byId(group.group as never)?.state).toBe('live');
    const { text } = one.chain.add(
      'session.updated',
      {
        session: newId(random),
        auth: null,
        failedAttempts: null,
        files: null,
        confirmedBy: [],
      },
      [{ group: group.group as never, c: sealed.c }],
    );
    again.send(one.batch([text], [sealed]));
    await again.ackThrough(seq);
    expect(await ownEvents(world, 'sealed.dropped')).toEqual([]);
    await again.close();
  });
});
