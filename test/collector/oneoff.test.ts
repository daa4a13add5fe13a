/** One-off sessions at the collector: keys in memory, the erase lane, what comes too late, and who does not come back. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openParts } from '../../collector/api/parts.ts';
import { CARE_LOOK_MS, dueNow } from '../../collector/oneoff/care.ts';
import { regroupOneoff } from '../../collector/oneoff/regroup.ts';
import { CLOSE } from '../../protocol/close-code.ts';
import { FRAME_KEYS } from '../../protocol/frame.ts';
import { type AgreementId, newId, type SessionId, toB64 } from '../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, utcMs } from '../../protocol/time.ts';
import { type AgentDouble, random } from '../support/agent-double.ts';
import { OneOffDouble } from '../support/oneoff-double.ts';
import { ownEvents, startWorld, until, type World } from './running.ts';

const MARK = 'peer-canary-4711';

async function shown(world: World, session: SessionId) {
  const { ctx } = world.handle;
  const [row] = await ctx.store.read.sessionsById([session]);
  const [opened] = await openParts(ctx, [row?.partPos ?? []]);
  return { state: opened?.state, erasedAt: opened?.erasedAt, peers: opened?.parts.map((p) => p.peerId) };
}

const rowOf = (world: World, one: OneOffDouble) => world.handle.ctx.store.read.groups.get(one.group);
const isHeld = (world: World, one: OneOffDouble) => world.handle.ctx.opener.oneoff.get(one.group) !== null;

/** Every byte below the state directory. */
function disk(world: World): Buffer {
  const files = readdirSync(world.dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  return Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))));
}

function forms(one: OneOffDouble): (Buffer | string)[] {
  return [one.key, toB64(one.key), one.key.toString('hex'), MARK];
}

async function oneOffAgent(world: World): Promise<AgentDouble> {
  return await world.agent({ mode: 'one-off' });
}

/** A live session at the collector. */
async function liveSession(agent: AgentDouble) {
  const link = await agent.connect();
  const one = new OneOffDouble(agent);
  link.send(one.batch([one.start({ peerId: MARK })]));
  await link.ackThrough(agent.chain.next - 1);
  agent.acked.set(agent.chain.log, agent.chain.next - 1);
  one.hold();
  return { link, one };
}

describe('while it lives', () => {
  it('O1 O3 is opened for readers with the key that was handed over, which is on no disk', async () => {
    const world = await startWorld();
    const { one } = await liveSession(await oneOffAgent(world));
    expect(await shown(world, one.session)).toEqual({ state: 'open', erasedAt: null, peers: [MARK] });
    expect(await rowOf(world, one)).toMatchObject({ kind: 'oneoff', state: 'live', slot: null, key: null });
    expect(await ownEvents(world, 'sealed.invalid')).toEqual([]);
    for (const form of forms(one)) expect(disk(world).includes(form)).toBe(false);
  });

  it('O2 a restarted collector opens it again once the key is handed over', async () => {
    const world = await startWorld();
    const agent = await oneOffAgent(world);
    const { one } = await liveSession(agent);
    await world.restart();
    expect(await shown(world, one.session)).toMatchObject({ state: 'missing', peers: [] });
    Object.assign(agent, { address: world.handle.address });
    const again = await agent.connect();
    again.send({ t: 'status', body: {}, keys: [one.handed] });
    await until(() => isHeld(world, one));
    expect(await shown(world, one.session)).toMatchObject({ state: 'open', peers: [MARK] });
    // Parts that come without the key in their own frame.
    again.send(one.batch([one.update({ localUser: 'someone' })], []));
    await again.ackThrough(2);
    expect(await shown(world, one.session)).toMatchObject({ state: 'open' });
  });

  it('O2 no agent takes, reads or ends the group of another', async () => {
    const world = await startWorld();
    const { one } = await liveSession(await oneOffAgent(world));
    const thief = await oneOffAgent(world);
    const link = await thief.connect();
    const wrong = new OneOffDouble(thief);
    Object.assign(wrong, { group: one.group });
    link.send(wrong.batch([wrong.start({ peerId: 'thief' })]));
    await link.ackThrough(1);
    link.send({ t: 'erase', groups: [one.group] });
    expect((await link.next('erased')).groups).toEqual([]);
    expect(await shown(world, one.session)).toMatchObject({ state: 'open', peers: [MARK] });
    expect(await ownEvents(world, 'sealed.dropped')).toHaveLength(1);
  });

  it('P6 a part of an unknown group without a key is dropped; of a known one it is kept and flagged', async () => {
    const world = await startWorld();
    const agent = await oneOffAgent(world);
    const { link, one } = await liveSession(agent);
    const stranger = new OneOffDouble(agent);
    link.send(stranger.batch([stranger.start({ peerId: 'x' })], []));
    await link.ackThrough(2);
    expect(await ownEvents(world, 'sealed.dropped')).toHaveLength(1);
    world.handle.ctx.opener.oneoff.drop([one.group]);
    const late = one.update({ localUser: 'late' });
    link.send(one.batch([late], []));
    await link.ackThrough(3);
    expect(await ownEvents(world, 'sealed.invalid')).toHaveLength(1);
    // Sent again with its key it is what it was.
    link.send(one.batch([late]));
    await link.ackThrough(3);
    expect(await shown(world, one.session)).toMatchObject({ state: 'open' });
  });

  it('O2 keys of more sessions than a host can have end the connection', async () => {
    const world = await startWorld();
    const link = await (await oneOffAgent(world)).connect();
    for (let n = 0; n < 17; n += 1) {
      const keys = Array.from({ length: FRAME_KEYS }, () => ({
        group: newId(random),
        key: toB64(random(32)),
      }));
      link.send({ t: 'status', body: {}, keys });
    }
    expect(await link.refused()).toEqual({ refusal: 'keys.too-many', close: CLOSE.flowExceeded });
  });
});

describe('its end', () => {
  it('S1 S3 O4 is erased before what waits, confirmed when it is durable, and leaves no byte', async () => {
    const world = await startWorld();
    const agent = await oneOffAgent(world);
    const { link, one } = await liveSession(agent);
    const [part] = await world.handle.ctx.store.read.parts([
      ...((await world.handle.ctx.store.read.sessionsById([one.session]))[0]?.partPos ?? []),
    ]);
    expect(disk(world).includes(part!.body)).toBe(true);
    link.send({ t: 'erase', groups: [one.group] });
    expect((await link.next('erased')).groups).toEqual([one.group]);
    expect([isHeld(world, one), (await rowOf(world, one))?.state]).toEqual([false, 'erased']);
    await until(() => !disk(world).includes(part!.body));
    for (const form of forms(one)) expect(disk(world).includes(form)).toBe(false);
    const [done] = await ownEvents(world, 'erasure.done');
    expect(done).toMatchObject({ group: one.group, count: 1, method: 'key-dropped', class: 'session' });
    expect(await ownEvents(world, 'erasure.started')).toHaveLength(1);
    link.send(agent.batch([one.end()]));
    await link.ackThrough(2);
    expect(await shown(world, one.session)).toMatchObject({ state: 'erased', peers: [] });
    expect((await shown(world, one.session)).erasedAt).not.toBeNull();
  });

  it('S5 O5 the ack lost and the batch sent again: leaf kept and acked, part dropped, nothing comes back', async () => {
    const world = await startWorld();
    const agent = await oneOffAgent(world);
    const { link, one } = await liveSession(agent);
    const more = one.update({ localUser: 'later' });
    link.send({ t: 'erase', groups: [one.group] });
    await link.next('erased');
    link.send(one.batch([more]));
    await link.ackThrough(2);
    expect(await ownEvents(world, 'sealed.dropped')).toHaveLength(1);
    // As if no ack had come: both once more, with the key.
    agent.acked.set(agent.chain.log, 0);
    const again = await agent.connect();
    again.send(one.batch([more]));
    await again.ackThrough(2);
    expect(isHeld(world, one)).toBe(false);
    expect(await world.handle.ctx.store.read.counts()).toMatchObject({ sessions: 1 });
    expect(await shown(world, one.session)).toMatchObject({ state: 'erased', peers: [] });
    await world.restart();
    expect((await rowOf(world, one))?.state).toBe('erased');
  });

  it('O6 of a group that nobody knew is noted, so that its leaf, which comes later, is shown as erased', async () => {
    const world = await startWorld();
    const agent = await oneOffAgent(world);
    const link = await agent.connect();
    const one = new OneOffDouble(agent);
    link.send({ t: 'erase', groups: [one.group] });
    expect((await link.next('erased')).groups).toEqual([one.group]);
    const { text } = one.start({ peerId: MARK });
    link.send(agent.batch([text, one.end()]));
    await link.ackThrough(2);
    expect(await shown(world, one.session)).toMatchObject({ state: 'erased' });
    expect(await ownEvents(world, 'erasure.done')).toEqual([]);
    link.send({ t: 'erase', groups: Array.from({ length: 1024 }, () => newId(random)) });
    await link.next('erased');
    for (let n = 0; n < 4; n += 1) {
      link.send({ t: 'erase', groups: Array.from({ length: 1024 }, () => newId(random)) });
    }
    expect(await link.refused()).toEqual({ refusal: 'erase.too-many', close: CLOSE.flowExceeded });
  });

  it('O7 a new process of the agent ends what the one before had, before it is let in', async () => {
    const world = await startWorld();
    const agent = await oneOffAgent(world);
    const { link, one } = await liveSession(agent);
    await link.close();
    agent.instance = newId(random);
    agent.groups = [];
    await agent.connect();
    expect([isHeld(world, one), (await rowOf(world, one))?.state]).toEqual([false, 'erased']);
    expect(await shown(world, one.session)).toMatchObject({ state: 'erased' });
  });

  it('O7 the same process on a new connection keeps what it still names', async () => {
    const world = await startWorld();
    const agent = await oneOffAgent(world);
    const { link, one } = await liveSession(agent);
    await link.close();
    await agent.connect();
    expect([isHeld(world, one), (await rowOf(world, one))?.state]).toEqual([true, 'live']);
  });

  it('S1 what could not be written is read by nobody all the same, and the agent is asked to say it again', async () => {
    let broken = false;
    const world = await startWorld({
      faults: {
        hit: (point) => {
          if (broken && point === 'collector.erase.before') throw new Error('the disk is full');
        },
      },
    });
    const agent = await oneOffAgent(world);
    const { link, one } = await liveSession(agent);
    broken = true;
    link.send({ t: 'erase', groups: [one.group] });
    expect(await link.refused()).toEqual({ refusal: 'erase.failed', close: CLOSE.tryLater });
    expect(isHeld(world, one)).toBe(false);
    broken = false;
    const again = await agent.connect();
    again.send({ t: 'erase', groups: [one.group] });
    expect((await again.next('erased')).groups).toEqual([one.group]);
  });
});

describe('O8 a day after the last contact', () => {
  const agent = { state: 'approved', enrolledAt: utcMs(0), revokedAt: null } as const;
  const far = utcMs(100 * DAY_MS);

  it.each([
    ['linked, whatever the clock says', { linked: true, lastSeenAt: utcMs(0), silentMs: DAY_MS * 9 }, false],
    ['an hour', { linked: false, lastSeenAt: utcMs(far - HOUR_MS), silentMs: HOUR_MS }, false],
    [
      'a look before the day',
      { linked: false, lastSeenAt: utcMs(far - DAY_MS + CARE_LOOK_MS), silentMs: 0 },
      true,
    ],
    [
      'the wall clock was set back',
      { linked: false, lastSeenAt: utcMs(far + DAY_MS), silentMs: DAY_MS },
      true,
    ],
    ['never seen', { linked: false, lastSeenAt: null, silentMs: 0 }, true],
  ])('%s', (_name, contact, due) => {
    expect(dueNow(agent, contact, far) !== null).toBe(due);
  });

  it('a revoked agent does not come back', () => {
    const contact = { linked: false, lastSeenAt: far, silentMs: 0 };
    expect(dueNow({ ...agent, state: 'revoked' }, contact, far)?.by).toBe('revoked');
    expect(dueNow(null, contact, far)?.by).toBe('revoked');
  });

  it('ends what the agent left, also where the collector was down in between', async () => {
    const world = await startWorld();
    const gone = await oneOffAgent(world);
    const { link, one } = await liveSession(gone);
    const { one: stays } = await liveSession(await oneOffAgent(world));
    await link.close();
    await until(async () => (await world.handle.ctx.store.read.agents.get(gone.agent))?.lastSeenAt !== null);
    world.clock.advance(DAY_MS - 5 * CARE_LOOK_MS);
    expect((await rowOf(world, one))?.state).toBe('live');
    await until(async () => {
      world.clock.advance(CARE_LOOK_MS);
      return (await rowOf(world, one))?.state === 'erased';
    });
    expect(await rowOf(world, one)).toMatchObject({ erasedBy: 'contact' });
    const [done] = await ownEvents(world, 'erasure.done');
    expect(done).toMatchObject({ group: one.group, count: 1 });
    expect(done?.dueAt).not.toBeNull();
    expect((await rowOf(world, stays))?.state).toBe('live');
    await world.handle.stop();
    world.clock.advance(2 * DAY_MS);
    const later = await startWorld({ place: world, clock: world.clock });
    expect((await rowOf(later, stays))?.state).toBe('erased');
  });
});

describe('a session that turns out to be managed', () => {
  it('O9 O10 moves to the span, with what comes later, and outlives its own group', async () => {
    const world = await startWorld();
    const agent = await oneOffAgent(world);
    const { link, one } = await liveSession(agent);
    const other = await world.agent({ customer: 'Globex' });
    const agreement = other.token.agreement as AgreementId;
    const wish = { agreement, class: 'session', kind: 'span', at: utcMs(world.clock.now()) } as const;
    expect(await regroupOneoff(world.handle.ctx, one.session, wish)).toBe(1);
    link.send(one.batch([one.update({ localUser: 'later' })]));
    await link.ackThrough(2);
    expect(await ownEvents(world, 'sealed.regrouped')).toHaveLength(2);
    link.send({ t: 'erase', groups: [one.group] });
    await link.next('erased');
    expect(await shown(world, one.session)).toMatchObject({ state: 'open', peers: [MARK, undefined] });
    // Sent again, and asked for again: nothing doubles, nothing comes back under the dead group.
    expect(await regroupOneoff(world.handle.ctx, one.session, wish)).toBeNull();
    const [row] = await world.handle.ctx.store.read.sessionsById([one.session]);
    const parts = await world.handle.ctx.store.read.parts(row!.partPos);
    expect(parts.every(({ under, group }) => under !== group && group === one.group)).toBe(true);
  });

  it('O9 without the key nothing moves', async () => {
    const world = await startWorld();
    const agent = await oneOffAgent(world);
    const { one } = await liveSession(agent);
    world.handle.ctx.opener.oneoff.drop([one.group]);
    const wish = {
      agreement: agent.token.agreement as AgreementId,
      class: 'session',
      kind: 'span',
      at: utcMs(world.clock.now()),
    } as const;
    expect(await regroupOneoff(world.handle.ctx, one.session, wish)).toBeNull();
    expect((await rowOf(world, one))?.state).toBe('live');
  });
});
