/** Outgoing sessions to managed devices: recognised while their key lives, moved into the device's agreement, or erased. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { revokeAgent } from '../../collector/agents.ts';
import { openParts } from '../../collector/api/parts.ts';
import { wakeEraser } from '../../collector/erasing/wake.ts';
import { recogniserOf, spanTime, whose } from '../../collector/oneoff/recognise.ts';
import { rebuild } from '../../collector/projections.ts';
import { takeOut } from '../../collector/regroup/take-out.ts';
import { turnsOf } from '../../collector/turns.ts';
import type { AgreementId, CustomerId } from '../../protocol/ids.ts';
import { DAY_MS, utcMs } from '../../protocol/time.ts';
import type { AgentDouble, DoubleLink } from '../support/agent-double.ts';
import { calledSo, says } from '../support/device-double.ts';
import { OneOffDouble } from '../support/oneoff-double.ts';
import { ownEvents, startWorld, until, type World } from './running.ts';

const PEER = '1555000444';
const STRANGER = '1555000999';
const OUT = { direction: 'outgoing', mode: 'one-off' } as const;

interface Machine {
  agent: AgentDouble;
  link: DoubleLink;
}

async function machine(world: World, change: Parameters<World['agent']>[0]): Promise<Machine> {
  const agent = await world.agent(change);
  return { agent, link: await agent.connect() };
}

const technician = (world: World) => machine(world, { customer: 'Helpers', mode: 'one-off' });
const managed = (world: World, customer = 'Acme') => machine(world, { customer, mode: 'managed' });
const agreementOf = ({ agent }: Machine) => agent.token.agreement as AgreementId;

/** A live outgoing session at the collector. */
async function calls({ agent, link }: Machine, peerId: string): Promise<OneOffDouble> {
  const one = new OneOffDouble(agent);
  link.send(one.batch([one.start({ peerId, localUser: 'tech' }, OUT)]));
  await link.ackThrough(agent.chain.next - 1);
  agent.acked.set(agent.chain.log, agent.chain.next - 1);
  one.hold();
  return one;
}

/** Ends as an agent tells of it: the erase lane first. */
async function ends({ agent, link }: Machine, one: OneOffDouble): Promise<void> {
  link.send({ t: 'erase', groups: [one.group] });
  await link.next('erased');
  link.send(agent.batch([one.end()]));
  await link.ackThrough(agent.chain.next - 1);
}

async function shown(world: World, { session }: OneOffDouble) {
  const { ctx } = world.handle;
  const [row] = await ctx.store.read.sessionsById([session]);
  const [opened] = await openParts(ctx, [row?.partPos ?? []]);
  const parts = await ctx.store.read.parts(row?.partPos ?? []);
  const under = [...new Set(parts.map((part) => ctx.groups.byId(part.under)))];
  return {
    state: opened?.state,
    peers: opened?.parts.map(({ peerId }) => peerId),
    under: under.map((group) => [group?.kind, group?.agreement]),
  };
}

const moved = (world: World) => ownEvents(world, 'sealed.regrouped');
const kept = (of: Machine) => ({ state: 'open', peers: [PEER], under: [['span', agreementOf(of)]] });

describe('a live outgoing session to a managed device', () => {
  it('O12 O14 is moved into the device’s agreement, and outlives its end; to an unknown device it is erased', async () => {
    const world = await startWorld();
    const device = await managed(world);
    await says(device.agent, device.link, '1 555 000 444');
    const tech = await technician(world);
    const [known, unknown] = [await calls(tech, PEER), await calls(tech, STRANGER)];
    await until(async () => (await moved(world)).length === 1);
    expect(await shown(world, unknown)).toMatchObject({
      state: 'open',
      under: [['oneoff', agreementOf(tech)]],
    });
    // What comes later goes the same way.
    tech.link.send(known.batch([known.update({ peerNames: ['later'] })]));
    await tech.link.ackThrough(tech.agent.chain.next - 1);
    await ends(tech, known);
    await ends(tech, unknown);
    expect(await shown(world, known)).toEqual({ ...kept(device), peers: [PEER, undefined] });
    expect(await shown(world, unknown)).toEqual({ state: 'erased', peers: [], under: [] });
    await world.restart();
    expect(await shown(world, known)).toEqual({ ...kept(device), peers: [PEER, undefined] });
  });

  it('O14 is recognised also where the device becomes known after it began, and not once it is over', async () => {
    const world = await startWorld();
    const [device, tech] = [await managed(world), await technician(world)];
    const [over, live] = [await calls(tech, PEER), await calls(tech, PEER)];
    await ends(tech, over);
    await says(device.agent, device.link, PEER);
    await until(async () => (await moved(world)).length === 1);
    await ends(tech, live);
    expect(await shown(world, live)).toEqual(kept(device));
    expect(await shown(world, over)).toEqual({ state: 'erased', peers: [], under: [] });
  });

  it('O14 is moved before its end is taken; the end of another waits for nothing', async () => {
    const gate = Promise.withResolvers<void>();
    const recognised = Promise.withResolvers<void>();
    const faults = {
      hit(point: string) {
        if (point !== 'collector.oneoff.recognised') return;
        // What moves takes its turn behind this one.
        void turnsOf(world.handle.ctx, 'ingest').run(() => gate.promise);
        recognised.resolve();
      },
    };
    const world = await startWorld({ faults });
    const device = await managed(world);
    await says(device.agent, device.link, PEER);
    const tech = await technician(world);
    const other = await calls(tech, STRANGER);
    const one = await calls(tech, PEER);
    await recognised.promise;
    for (const { group } of [one, other]) tech.link.send({ t: 'erase', groups: [group] });
    expect((await tech.link.next('erased')).groups).toEqual([other.group]);
    gate.resolve();
    expect((await tech.link.next('erased')).groups).toEqual([one.group]);
    expect(await shown(world, one)).toEqual(kept(device));
    expect(await shown(world, other)).toMatchObject({ state: 'erased' });
  });

  it('O14 the collector restarts before the device is known: the key handed over again, then it is', async () => {
    const world = await startWorld();
    const [device, tech] = [await managed(world), await technician(world)];
    const one = await calls(tech, PEER);
    await says(device.agent, device.link, STRANGER);
    await world.restart();
    for (const { agent } of [device, tech]) Object.assign(agent, { address: world.handle.address });
    const again = { agent: tech.agent, link: await tech.agent.connect() };
    const known = await device.agent.connect();
    again.link.send({ t: 'status', body: {}, keys: [one.handed] });
    await until(() => world.handle.ctx.opener.oneoff.get(one.group) !== null);
    await says(device.agent, known, PEER);
    await until(async () => (await moved(world)).length === 1);
    await ends(again, one);
    expect(await shown(world, one)).toEqual(kept(device));
  });

  it('a machine’s own id, and a device of its own agreement, are recognised like any other', async () => {
    const world = await startWorld();
    const device = await managed(world);
    await says(device.agent, device.link, PEER);
    // The mode belongs to the session: what goes out of a managed machine is one-off too.
    const one = await calls(device, PEER);
    await until(async () => (await moved(world)).length === 1);
    await ends(device, one);
    expect(await shown(world, one)).toEqual(kept(device));
  });

  it('an incoming one-off session, whoever its peer, stays one-off', async () => {
    const world = await startWorld();
    const device = await managed(world);
    await says(device.agent, device.link, PEER);
    const tech = await technician(world);
    const one = new OneOffDouble(tech.agent);
    tech.link.send(one.batch([one.start({ peerId: PEER })]));
    await tech.link.ackThrough(tech.agent.chain.next - 1);
    await ends(tech, one);
    expect(await shown(world, one)).toMatchObject({ state: 'erased' });
    expect(await moved(world)).toEqual([]);
  });
});

describe('whose it is', () => {
  it('O12 two agreements that claim one id are nobody; the nearer one goes before', async () => {
    const world = await startWorld();
    const [acme, globex] = [await managed(world, 'Acme'), await managed(world, 'Globex')];
    for (const { agent, link } of [acme, globex]) await says(agent, link, PEER);
    const tech = await technician(world);
    const one = await calls(tech, PEER);
    await ends(tech, one);
    expect(await shown(world, one)).toMatchObject({ state: 'erased' });
    const inside = await machine(world, { customer: 'Acme', mode: 'managed' });
    const near = await calls(inside, PEER);
    await ends(inside, near);
    expect(await shown(world, near)).toEqual(kept(acme));
  });

  it('O12 is always an agreement that claims it, and the only one of the nearest', () => {
    const id = fc.constantFrom('a', 'b', 'c');
    const claim = fc.record({ agreement: id, customer: id }) as unknown as fc.Arbitrary<{
      agreement: AgreementId;
      customer: CustomerId;
    }>;
    fc.assert(
      fc.property(claim, fc.array(claim, { maxLength: 5 }), (from, claims) => {
        const found = whose(from, claims);
        const own = claims.some(({ agreement }) => agreement === from.agreement);
        const same = claims.filter(({ customer }) => customer === from.customer);
        const near = same.length > 0 ? same : claims;
        if (own) expect(found).toBe(from.agreement);
        else if (found !== null)
          expect(new Set(near.map(({ agreement }) => agreement))).toEqual(new Set([found]));
        else expect(new Set(near.map(({ agreement }) => agreement)).size).not.toBe(1);
      }),
    );
  });

  it('a start that cannot be picks the span of now', () => {
    const now = utcMs(1_000 * DAY_MS);
    const off = [null, utcMs(0), utcMs(now + 9 * DAY_MS)].map((at) => spanTime(at, now));
    expect(off).toEqual([now, now, now]);
    expect(spanTime(utcMs(now - DAY_MS), now)).toBe(now - DAY_MS);
  });

  it('O13 a revoked device, one of a one-off agreement and one of an agreement that is over claim nothing', async () => {
    const world = await startWorld();
    const { ctx } = world.handle;
    const tech = await technician(world);
    const revoked = await managed(world);
    await says(revoked.agent, revoked.link, PEER);
    await revokeAgent(ctx, revoked.agent.agent, null);
    const forward = await machine(world, { customer: 'Initech', mode: 'one-off' });
    await says(forward.agent, forward.link, PEER);
    const ending = await managed(world, 'Globex');
    await says(ending.agent, ending.link, PEER);
    await ctx.store.write(async (tx) => {
      const row = await tx.agreements.get(agreementOf(ending));
      await tx.agreements.put([{ ...row!, endsAt: utcMs(ctx.clock.now() - 1) }]);
    });
    const one = await calls(tech, PEER);
    await ends(tech, one);
    expect(await moved(world)).toEqual([]);
    expect(await shown(world, one)).toMatchObject({ state: 'erased' });
  });

  it('the last word of a device holds: what it was called before is nobody', async () => {
    const world = await startWorld();
    const [device, tech] = [await managed(world), await technician(world)];
    const first = calledSo(device.agent, [PEER]);
    device.link.send(first);
    await says(device.agent, device.link, '1555000555');
    // Its ack lost, and sent again: an old word stays old.
    device.link.send(first);
    await device.link.ackThrough(2);
    const one = await calls(tech, PEER);
    await ends(tech, one);
    expect(await shown(world, one)).toMatchObject({ state: 'erased' });
  });
});

describe('what is kept of it', () => {
  it('O11 the id is on no disk in clear, and the index is the same after a rebuild and a restart', async () => {
    const world = await startWorld();
    const device = await managed(world);
    await says(device.agent, device.link, PEER);
    const { store } = world.handle.ctx;
    const before = await store.read.devices.list();
    expect(before).toMatchObject([{ agent: device.agent.agent }]);
    await store.write((tx) => rebuild(tx));
    expect(await store.read.devices.list()).toEqual(before);
    await world.restart();
    const tech = await technician(world);
    const one = await calls(tech, PEER);
    await ends(tech, one);
    expect(await shown(world, one)).toEqual(kept(device));
    const files = readdirSync(world.dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
    const bytes = Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))));
    expect(bytes.includes(PEER)).toBe(false);
  });

  /** One that was moved, and is over at its agent. */
  async function movedOne(world: World) {
    const device = await managed(world);
    await says(device.agent, device.link, PEER);
    const tech = await technician(world);
    const one = await calls(tech, PEER);
    await ends(tech, one);
    expect(await shown(world, one)).toEqual(kept(device));
    return { device, tech, one };
  }

  it('V52 is taken out on request, with what its machine tells of it later', async () => {
    const world = await startWorld();
    const device = await managed(world);
    await says(device.agent, device.link, PEER);
    const tech = await technician(world);
    const one = await calls(tech, PEER);
    await until(async () => (await moved(world)).length === 1);
    const { ctx } = world.handle;
    const made = await ctx.store.write((tx) =>
      takeOut(ctx, tx, { sessions: [one.session], why: 'request', approval: null }),
    );
    expect(made).toMatchObject([{ kind: 'single', agreement: agreementOf(device) }]);
    wakeEraser(ctx);
    // The key goes first, what it opened a moment later.
    await until(async () => (await shown(world, one)).under.length === 0);
    tech.link.send(one.batch([one.update({ localUser: 'again' })]));
    await tech.link.ackThrough(tech.agent.chain.next - 1);
    expect(await shown(world, one)).toMatchObject({ peers: [], under: [] });
  });

  it('O11 goes with the device’s agreement, as what its devices are called does', async () => {
    const world = await startWorld();
    const { device, tech, one } = await movedOne(world);
    const { ctx } = world.handle;
    const past = utcMs(ctx.clock.now() - 1);
    await ctx.store.write(async (tx) => {
      const row = await tx.agreements.get(agreementOf(device));
      await tx.agreements.put([{ ...row!, endsAt: past, coolingUntil: past, orderedAt: past }]);
    });
    expect(recogniserOf(ctx)?.devices).toBe(1);
    wakeEraser(ctx);
    await until(async () => (await shown(world, one)).state === 'erased');
    expect(recogniserOf(ctx)?.devices).toBe(0);
    const late = await calls(tech, PEER);
    await ends(tech, late);
    expect(await shown(world, late)).toMatchObject({ state: 'erased' });
    expect(await moved(world)).toHaveLength(1);
  });

  it('goes on where a move could not be written, and O9 not without the key', async () => {
    let broken = true;
    const faults = {
      hit(point: string) {
        if (broken && point === 'collector.oneoff.recognised') throw new Error('the disk is full');
      },
    };
    const world = await startWorld({ faults });
    const device = await managed(world);
    await says(device.agent, device.link, PEER);
    const tech = await technician(world);
    const [one, lost] = [await calls(tech, PEER), await calls(tech, PEER)];
    await ends(tech, lost);
    broken = false;
    await until(async () => {
      world.clock.advance(5_000);
      return (await moved(world)).length === 1;
    });
    await ends(tech, one);
    expect(await shown(world, one)).toEqual(kept(device));
    expect(await shown(world, lost)).toMatchObject({ state: 'erased', peers: [] });
  });
});
