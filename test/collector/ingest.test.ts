import { describe, expect, it } from 'vitest';
import { revokeAgent } from '../../collector/agents.ts';
import type { LinkRegistry } from '../../collector/ingest/links.ts';
import { CLOSE } from '../../protocol/close-code.ts';
import type { EventData } from '../../protocol/event.ts';
import type { AgentFrame } from '../../protocol/frame.ts';
import type { GroupId, LogId } from '../../protocol/ids.ts';
import { newId } from '../../protocol/ids.ts';
import { DAY_MS, toIso, utcMs } from '../../protocol/time.ts';
import { type AgentDouble, Chain, DoubleSealer, random, type Sealed } from '../support/agent-double.ts';
import { ownEvents, startWorld, type World } from './running.ts';

function started(change: object = {}): EventData<'session.started'> {
  return {
    session: newId(random),
    source: 'a'.repeat(32),
    tool: 'teamviewer',
    direction: 'incoming',
    mode: 'managed',
    kind: 'remote-control',
    startedAt: toIso(utcMs(Date.now())),
    startBasis: 'file-utc',
    occurrence: 0,
    ...change,
  };
}

function ended(session: string, change: object = {}): EventData<'session.ended'> {
  return {
    session,
    endedAt: toIso(utcMs(Date.now())),
    endBasis: 'file-utc',
    durationSeconds: 9,
    reason: 'completed',
    ...change,
  };
}

/** A started session with its part sealed under `sealer`'s group. */
function sealedStart(
  one: AgentDouble,
  sealer: DoubleSealer,
  personal: object,
  change: object = {},
): { text: string; sealed: Sealed; session: string } {
  const data = started(change);
  const sealed = sealer.seal(one.chain.log, one.chain.next, { ...personal });
  const pii = [{ group: sealer.group.group as GroupId, c: sealed.c }];
  return { text: one.chain.add('session.started', data, pii).text, sealed, session: data.session };
}

/** Marks a group as erased, as the end of an erasure does. */
async function kill(world: World, group: GroupId): Promise<void> {
  const { store, groups } = world.handle.ctx;
  const row = groups.byId(group);
  if (row === null) throw new Error('no such group');
  const dead = { ...row, state: 'erased' as const, erasedAt: utcMs(1), erasedBy: 'test' };
  await store.write((tx) => tx.groups.put([dead]));
  groups.committed([dead]);
}

const logRow = async (world: World, log: LogId) => (await world.handle.ctx.store.read.logs([log]))[0];
const storedOf = async (world: World, log: LogId) =>
  await world.handle.ctx.store.read.leavesOf(log, 1, 1_000_000);

describe('leaves', () => {
  it('I1, G1: are stored as they came, in order, and acked once stored', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const texts = one.chain.heartbeats(700);
    link.send(one.batch(texts.slice(0, 500)));
    link.send(one.batch(texts.slice(500)));
    await link.ackThrough(700);
    expect((await storedOf(world, one.chain.log)).map(({ bytes }) => bytes)).toEqual(texts);
    expect(await logRow(world, one.chain.log)).toMatchObject({ through: 700, head: one.chain.head });
    await link.close();
  });

  it('I2: duplicates are acked again and not stored again, across connections', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const texts = one.chain.heartbeats(20);
    for (const from of [0, 0, 5]) {
      const link = await one.connect();
      link.send(one.batch(texts.slice(from)));
      await link.ackThrough(20);
      await link.close();
    }
    expect((await storedOf(world, one.chain.log)).length).toBe(20);
  });

  it('I3: other bytes at a number that is taken: kept in forks, log frozen, said once', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const texts = one.chain.heartbeats(3);
    link.send(one.batch(texts));
    await link.ackThrough(3);
    const { prev } = JSON.parse(texts[1] ?? '') as { prev: string };
    link.send(one.batch([one.chain.raw({ seq: 2, prev, up: 999 })]));
    expect(await link.refused()).toEqual({ refusal: 'log.forked', close: CLOSE.logRefused });
    expect((await logRow(world, one.chain.log))?.state).toBe('frozen');
    expect((await world.handle.ctx.store.read.forks(one.chain.log)).map(({ seq }) => seq)).toEqual([2]);
    const again = await one.connect();
    expect(again.welcome?.cursors[0]).toMatchObject({ through: 3, state: 'frozen' });
    again.send(one.batch([one.chain.raw({ seq: 2, prev, up: 1000 })]));
    expect((await again.refused()).refusal).toBe('log.not-open');
    expect(await ownEvents(world, 'log.forked')).toEqual([{ log: one.chain.log, seq: 2 }]);
  });

  it('I4: a hole closes with outOfOrder and leaves the log as it is', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const texts = one.chain.heartbeats(5);
    link.send(one.batch([texts[0] ?? '', texts[1] ?? '', texts[3] ?? '']));
    expect((await link.next('ack')).through).toBe(2);
    expect(await link.refused()).toEqual({ refusal: 'log.hole', close: CLOSE.outOfOrder });
    const again = await one.connect();
    expect(again.welcome?.cursors[0]).toMatchObject({ through: 2, state: 'open' });
    again.send(one.batch(texts.slice(2)));
    await again.ackThrough(5);
    await again.close();
  });

  it('I5: not canonical, wrong prev, another log: quarantined, and nobody else is touched', async () => {
    const world = await startWorld();
    const other = await world.agent();
    const calm = await other.connect();
    const bad: ((chain: Chain) => string)[] = [
      (chain) => `${chain.raw()} `,
      (chain) => chain.raw({ prev: 'A'.repeat(43) }),
      (chain) => chain.raw({ log: 'b'.repeat(32) }),
      (chain) => chain.raw({ seq: 0 }),
      (chain) => JSON.stringify({ ...(JSON.parse(chain.raw()) as object), a: 1.0 }).replace('1}', '1.0}'),
      () => 'nothing',
      (chain) => chain.raw({ data: { text: 'x'.repeat(17_000) } }),
    ];
    for (const make of bad) {
      const one = await world.agent();
      const link = await one.connect();
      const good = one.chain.heartbeats(1);
      link.send(one.batch([...good, make(one.chain)]));
      expect((await link.next('ack')).through).toBe(1);
      expect(await link.refused()).toEqual({ refusal: 'log.quarantined', close: CLOSE.logRefused });
      expect(await logRow(world, one.chain.log)).toMatchObject({ through: 1, state: 'quarantined' });
      // The agent goes on with a successor.
      const predecessor = { log: one.chain.log, size: 1, head: null };
      one.chains.push(new Chain(one.birth({ predecessor, reason: 'quarantined' })));
      const next = await one.connect();
      expect(next.welcome?.cursors.map(({ state }) => state)).toEqual(['quarantined', 'open']);
      next.send(one.batch(one.chain.heartbeats(1)));
      await next.ackThrough(1);
      await next.close();
    }
    expect((await ownEvents(world, 'log.quarantined')).length).toBe(bad.length);
    calm.send(other.batch(other.chain.heartbeats(1)));
    await calm.ackThrough(1);
    await calm.close();
  });

  it('I8: unknown types, unknown fields and any clock are stored and acked', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const texts = [
      one.chain.take(one.chain.raw({ type: 'coffee.made', data: { cups: 2 } })).text,
      one.chain.take(one.chain.raw({ later: { field: [1, 2] }, at: '1999-01-01T00:00:00.000Z' })).text,
      one.chain.take(one.chain.raw({ at: '2999-01-01T00:00:00.000Z', data: { unknown: true } })).text,
    ];
    link.send(one.batch(texts));
    await link.ackThrough(3);
    expect((await storedOf(world, one.chain.log)).map(({ bytes }) => bytes)).toEqual(texts);
    await link.close();
  });

  it('events that only the collector makes are evidence when an agent sends them, and mean nothing', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const [a, b] = [started(), started()];
    const texts = [
      one.chain.add('session.started', a).text,
      one.chain.add('session.started', b).text,
      one.chain.add('session.merged', { session: b.session, into: a.session }).text,
      one.chain.add('person.revoked', { person: 'd'.repeat(32), by: null, reason: 'x' }).text,
    ];
    link.send(one.batch(texts));
    await link.ackThrough(4);
    const rows = await world.handle.ctx.store.read.sessionsById([a.session, b.session] as never[]);
    expect(rows.map(({ mergedInto }) => mergedInto)).toEqual([null, null]);
    await link.close();
  });

  it('S2: more than the credits allow closes the connection; a log that was not in hello does too', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const texts = one.chain.heartbeats(1500);
    // Nothing is stored until this is done, so the window stays open.
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = world.handle.ctx.store.write(() => promise);
    for (const from of [0, 500, 1000]) link.send(one.batch(texts.slice(from, from + 500)));
    expect(await link.refused()).toEqual({ refusal: 'batch.credits', close: CLOSE.flowExceeded });
    resolve();
    await held;
    const again = await one.connect();
    again.send(one.batch(texts.slice(0, 1), [], { log: 'c'.repeat(32) }));
    expect((await again.refused()).close).toBe(CLOSE.unexpectedFrame);
  });

  it('S2: a batch over its size closes the connection, and nothing of it is stored', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const long = () => {
      const text = one.chain.raw({ type: 'later.type', data: { later: 'x'.repeat(15_000) } });
      return one.chain.take(text).text;
    };
    const texts = Array.from({ length: 17 }, long);
    link.send(one.batch(texts));
    await link.ackThrough(17);
    link.send(one.batch(Array.from({ length: 19 }, long)));
    expect(await link.refused()).toEqual({ refusal: 'batch.too-large', close: CLOSE.flowExceeded });
    expect((await logRow(world, one.chain.log))?.through).toBe(17);
  });

  it('S6: what needs no credits is taken at a bounded rate', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const still = world.clock.mono();
    world.clock.mono = () => still;
    const link = await one.connect();
    const status: AgentFrame = { t: 'status', body: { any: 'x'.repeat(200_000) } };
    for (let i = 0; i < 5; i += 1) link.send(status);
    link.send({ t: 'erase', groups: [newId(random)] });
    await link.next('erased');
    link.send(status);
    expect(await link.refused()).toEqual({ refusal: 'frame.too-fast', close: CLOSE.flowExceeded });
  });

  it('S5: coverage moves on once everything that the agent had then is stored', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const texts = one.chain.heartbeats(3);
    const readThrough = toIso(utcMs(Date.now() - 1000));
    const row = async () => {
      link.send({ t: 'erase', groups: [newId(random)] });
      await link.next('erased');
      world.clock.advance(16_000);
      await world.handle.ctx.store.write(async () => {});
      return await world.handle.ctx.store.read.agents.get(one.agent);
    };
    link.send({ t: 'beat', time: readThrough, readThrough, next: 4, backlog: 3 });
    expect(await row()).toMatchObject({ readThrough: null, backlog: 3 });
    link.send(one.batch(texts));
    await link.ackThrough(3);
    expect(await row()).toMatchObject({ readThrough: Date.parse(readThrough) });
    await link.close();
  });
});

describe('sealed parts', () => {
  it('are stored where they open and are what the leaf commits to, and open again when read', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const sealer = new DoubleSealer(one.group('span'), one.chain.log);
    const { text, sealed } = sealedStart(one, sealer, { peerId: '1660360496', localUser: 'IEUser' });
    link.send(one.batch([text], [sealed]));
    await link.ackThrough(1);
    const { opener, store } = world.handle.ctx;
    const [leaf] = await storedOf(world, one.chain.log);
    const opened = await opener.open(store.read, [leaf?.pos ?? 0]);
    expect([...opened.values()]).toEqual([{ peerId: '1660360496', localUser: 'IEUser' }]);
    // The wrap came before; a later part needs only name it.
    const next = sealedStart(one, sealer, { peerId: '2' });
    link.send(one.batch([next.text], [next.sealed], { wraps: [] }));
    await link.ackThrough(2);
    expect(await ownEvents(world, 'sealed.invalid')).toEqual([]);
    await link.close();
  });

  it('P2: a part that does not open, or is not what was committed to, is stored, acked and flagged', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const sealer = new DoubleSealer(one.group('span'), one.chain.log);
    const [a, b, c] = [1, 2, 3].map((n) => sealedStart(one, sealer, { peerId: String(n) }));
    if (a === undefined || b === undefined || c === undefined) throw new Error('three');
    const swapped = [
      { ...a.sealed, part: { ...a.sealed.part, body: b.sealed.part.body } },
      { ...b.sealed, part: { ...b.sealed.part, wrap: 'f'.repeat(32) } },
      { ...c.sealed, part: { ...c.sealed.part, body: 'AAAA' } },
    ];
    link.send(one.batch([a.text, b.text, c.text], swapped));
    await link.ackThrough(3);
    const from = sealer.group.group;
    const said = { log: one.chain.log, seq: 1, from, to: null, count: 3 };
    expect(await ownEvents(world, 'sealed.invalid')).toEqual([said]);
    expect((await world.handle.ctx.store.read.counts()).parts).toBeGreaterThanOrEqual(3);
    await link.close();
  });

  it('P1, P4: parts of groups that are unknown, of others, or not named are dropped and counted', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const stranger = await world.agent({ customer: 'Other' });
    await (await stranger.connect()).close();
    const link = await one.connect();
    const before = (await world.handle.ctx.store.read.counts()).parts;
    const foreign = new DoubleSealer(stranger.group('span'), one.chain.log);
    const unknown = new DoubleSealer({ ...one.group('span'), group: 'e'.repeat(32) }, one.chain.log);
    const wrongClass = new DoubleSealer(one.group('whole', 'host.name'), one.chain.log);
    const all = [foreign, foreign, unknown, wrongClass].map((sealer) =>
      sealedStart(one, sealer, { peerId: '1' }),
    );
    const own = new DoubleSealer(one.group('span'), one.chain.log);
    const unnamed = {
      text: one.chain.add('session.started', started()).text,
      sealed: own.seal(one.chain.log, 5, { peerId: '2' }),
    };
    link.send(
      one.batch(
        [...all, unnamed].map(({ text }) => text),
        [...all, unnamed].map(({ sealed }) => sealed),
      ),
    );
    await link.ackThrough(5);
    const said = { log: one.chain.log, seq: 1, from: null, to: null, count: 5 };
    expect(await ownEvents(world, 'sealed.dropped')).toEqual([said]);
    expect((await world.handle.ctx.store.read.counts()).parts).toBe(before);
    await link.close();
  });

  it('a part without its event in the frame is no frame of ours, and nothing of it is taken', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const sealer = new DoubleSealer(one.group('span'), one.chain.log);
    const { text } = one.chain.heartbeat();
    link.send(one.batch([text], [sealer.seal(one.chain.log, 9, { peerId: '1' })]));
    expect(await link.refused()).toEqual({ refusal: 'batch.stray-part', close: CLOSE.badFrame });
    expect(await storedOf(world, one.chain.log)).toEqual([]);
  });

  it('refill: a duplicate whose part is absent takes the part, once', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const sealer = new DoubleSealer(one.group('span'), one.chain.log);
    const { text, sealed } = sealedStart(one, sealer, { peerId: '1660360496' });
    link.send(one.batch([text]));
    await link.ackThrough(1);
    const { store, opener } = world.handle.ctx;
    const [leaf] = await storedOf(world, one.chain.log);
    const pos = leaf?.pos ?? 0;
    expect(await store.read.parts([pos])).toEqual([]);
    for (let i = 0; i < 2; i += 1) {
      link.send(one.batch([text], [sealed]));
      await link.ackThrough(1);
    }
    expect([...(await opener.open(store.read, [pos])).values()]).toEqual([{ peerId: '1660360496' }]);
    // A wrong part takes no place.
    const other = sealer.seal(one.chain.log, 1, { peerId: '9' });
    link.send(one.batch([text], [other]));
    await link.ackThrough(1);
    expect(await ownEvents(world, 'sealed.invalid')).toEqual([]);
    await link.close();
  });

  it('P3: late parts move to the span that their session began in; updates follow it; commitments stay', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const late = new DoubleSealer(one.group('late'), one.chain.log);
    const startedAt = toIso(utcMs(Date.now() - 70 * DAY_MS));
    const { text, sealed, session } = sealedStart(one, late, { peerId: '1' }, { startedAt });
    link.send(one.batch([text], [sealed]));
    await link.ackThrough(1);
    const update = late.seal(one.chain.log, 2, { technician: 'Kim' });
    const { text: second } = one.chain.add(
      'session.updated',
      { session, auth: null, failedAttempts: null, files: null, confirmedBy: [] },
      [{ group: late.group.group as GroupId, c: update.c }],
    );
    link.send(one.batch([second], [update]));
    await link.ackThrough(2);
    const { store, opener, groups } = world.handle.ctx;
    const leaves = await storedOf(world, one.chain.log);
    const parts = await store.read.parts(leaves.map(({ pos }) => pos));
    const target = groups.find(one.token.agreement as never, 'session', 'span', utcMs(Date.parse(startedAt)));
    expect(parts.map(({ group, under }) => [group, under])).toEqual([
      [late.group.group, target?.group],
      [late.group.group, target?.group],
    ]);
    const opened = await opener.open(
      store.read,
      leaves.map(({ pos }) => pos),
    );
    expect([...opened.values()]).toEqual([{ peerId: '1' }, { technician: 'Kim' }]);
    expect(await ownEvents(world, 'sealed.regrouped')).toEqual(
      [1, 2].map((seq) => ({ log: one.chain.log, seq, from: late.group.group, to: target?.group })),
    );
    await link.close();
  });

  it('P3: late parts whose span is dead are dropped and counted, also when they are sent again', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const late = new DoubleSealer(one.group('late'), one.chain.log);
    const { ctx } = world.handle;
    await kill(world, one.group('span').group as GroupId);
    const { text, sealed, session } = sealedStart(one, late, { peerId: '1' });
    for (let i = 0; i < 2; i += 1) {
      link.send(one.batch([text], [sealed]));
      await link.ackThrough(1);
    }
    const [leaf] = await storedOf(world, one.chain.log);
    expect(await ctx.store.read.parts([leaf?.pos ?? 0])).toEqual([]);
    expect(await ownEvents(world, 'sealed.dropped')).toEqual([
      { log: one.chain.log, seq: 1, from: late.group.group, to: null },
    ]);
    // The session itself stays.
    expect((await ctx.store.read.sessionsById([session as never])).length).toBe(1);
    await link.close();
  });

  it('P1: parts of an erased group never come back; agents are told that it is dead', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const sealer = new DoubleSealer(one.group('span'), one.chain.log);
    const { text, sealed } = sealedStart(one, sealer, { peerId: '1' });
    link.send(one.batch([text], [sealed]));
    await link.ackThrough(1);
    const { store, groups, links } = world.handle.ctx;
    const [leaf] = await storedOf(world, one.chain.log);
    await kill(world, sealer.group.group as GroupId);
    await store.write((tx) => tx.dropGroups([sealer.group.group as GroupId]));
    (links as LinkRegistry).refreshAll();
    expect((await link.next('groups')).dead).toEqual([sealer.group.group]);
    link.send(one.batch([text], [sealed]));
    await link.ackThrough(1);
    expect(await store.read.parts([leaf?.pos ?? 0])).toEqual([]);
    expect(groups.byId(sealer.group.group as GroupId)?.state).toBe('erased');
    await link.close();
    const again = await one.knock({ groups: [sealer.group.group] });
    expect((await again.next('groups')).dead).toEqual([sealer.group.group]);
    await again.close();
  });

  it('P3: without a start to go by, or with one that cannot be, a part stays under late', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const late = new DoubleSealer(one.group('late'), one.chain.log);
    const far = sealedStart(one, late, { peerId: '1' }, { startedAt: '2999-01-01T00:00:00.000Z' });
    const lone = late.seal(one.chain.log, 2, { technician: 'Kim' });
    const { text } = one.chain.add(
      'session.updated',
      { session: newId(random), auth: null, failedAttempts: null, files: null, confirmedBy: [] },
      [{ group: late.group.group as GroupId, c: lone.c }],
    );
    link.send(one.batch([far.text, text], [far.sealed, lone]));
    await link.ackThrough(2);
    const { read } = world.handle.ctx.store;
    const parts = await read.parts((await storedOf(world, one.chain.log)).map(({ pos }) => pos));
    expect(parts.every(({ under }) => under === late.group.group)).toBe(true);
    expect(parts.length).toBe(2);
    await link.close();
  });
});

describe('the same session twice', () => {
  it('M1, M3: a re-installed agent: equal natural keys are one session, the first one stays', async () => {
    const world = await startWorld();
    const [one, two] = [await world.agent(), await world.agent()];
    const startedAt = toIso(utcMs(Date.now() - 60_000));
    const sessions: string[] = [];
    for (const agent of [one, two]) {
      const link = await agent.connect();
      const sealer = new DoubleSealer(agent.group('span'), agent.chain.log);
      const { text, sealed, session } = sealedStart(agent, sealer, { peerId: '77' }, { startedAt });
      link.send(agent.batch([text], [sealed]));
      await link.ackThrough(1);
      sessions.push(session);
      await link.close();
    }
    expect(await ownEvents(world, 'session.merged')).toEqual([{ session: sessions[1], into: sessions[0] }]);
    const { read } = world.handle.ctx.store;
    const rows = await read.sessionsById(sessions as never[]);
    expect(rows.find(({ session }) => session === sessions[1])?.mergedInto).toBe(sessions[0]);
  });

  it('M4: the same session id again is no second session; another peer is another session', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const sealer = new DoubleSealer(one.group('span'), one.chain.log);
    const data = { startedAt: toIso(utcMs(Date.now())), session: newId(random) };
    const same = [1, 2].map(() => sealedStart(one, sealer, { peerId: '77' }, data));
    const other = sealedStart(one, sealer, { peerId: '78' }, { ...data, session: newId(random) });
    const all = [...same, other];
    link.send(
      one.batch(
        all.map(({ text }) => text),
        all.map(({ sealed }) => sealed),
      ),
    );
    await link.ackThrough(3);
    expect(await ownEvents(world, 'session.merged')).toEqual([]);
    await link.close();
  });

  it('M2: rows without a sealed part that agree in everything are one session once they have ended', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const at = { startedAt: '2026-11-01T10:00:00.000Z', mode: 'one-off' };
    const end = { endedAt: '2026-11-01T10:05:00.000Z', durationSeconds: 300 };
    const texts: string[] = [];
    const sessions: string[] = [];
    for (const change of [at, at, { ...at, kind: 'vpn' }]) {
      const data = started(change);
      sessions.push(data.session);
      texts.push(one.chain.add('session.started', data).text);
      texts.push(one.chain.add('session.ended', ended(data.session, end)).text);
    }
    link.send(one.batch(texts));
    await link.ackThrough(6);
    expect(await ownEvents(world, 'session.merged')).toEqual([{ session: sessions[1], into: sessions[0] }]);
    await link.close();
  });
});

describe('failures', () => {
  it('G2: what cannot be stored is not acked, closes its own connection only, and works later', async () => {
    let failing = false;
    const hit = (point: string) => {
      if (failing && point === 'collector.ingest.before-commit') throw new Error('no');
    };
    const world = await startWorld({ faults: { hit } });
    const one = await world.agent();
    const link = await one.connect();
    failing = true;
    const texts = one.chain.heartbeats(2);
    link.send(one.batch(texts));
    expect(await link.refused()).toEqual({ refusal: 'ingest.failed', close: CLOSE.tryLater });
    expect(await storedOf(world, one.chain.log)).toEqual([]);
    failing = false;
    const again = await one.connect();
    again.send(one.batch(texts));
    await again.ackThrough(2);
    await again.close();
  });

  it('G1: a build that acks before it commits is seen as one: the proof that the tests above see it', async () => {
    const broken = (law: string) => law === 'ack-before-commit';
    const hit = (point: string) => {
      if (point === 'collector.ingest.before-commit') throw new Error('the power is gone');
    };
    const world = await startWorld({ faults: { broken, hit } });
    const one = await world.agent();
    const link = await one.connect();
    link.send(one.batch(one.chain.heartbeats(2)));
    await link.ackThrough(2);
    expect(await storedOf(world, one.chain.log)).toEqual([]);
  });

  it('I2: a build without de-duplication is seen as one', async () => {
    const world = await startWorld({ faults: { broken: (law) => law === 'no-dedup' } });
    const one = await world.agent();
    const link = await one.connect();
    const texts = one.chain.heartbeats(2);
    for (let i = 0; i < 2; i += 1) {
      link.send(one.batch(texts));
      await link.ackThrough(2);
    }
    const { read } = world.handle.ctx.store;
    expect((await read.leaves({ logs: [one.chain.log], limit: 100 })).length).toBe(4);
    await link.close();
  });

  it('G3: what a revoked agent sent and was not stored yet is not stored', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const { ctx } = world.handle;
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = ctx.store.write(() => promise);
    const revoked = revokeAgent(ctx, one.agent, null);
    link.send(one.batch(one.chain.heartbeats(3)));
    resolve();
    await Promise.all([held, revoked]);
    expect((await link.refused()).close).toBe(CLOSE.revoked);
    const through = (await logRow(world, one.chain.log))?.through ?? -1;
    const other = await world.agent();
    const calm = await other.connect();
    calm.send(other.batch(other.chain.heartbeats(1)));
    await calm.ackThrough(1);
    // All of it or nothing: it may have been first, and nothing came after the revocation.
    expect((await logRow(world, one.chain.log))?.through).toBe(through);
    await calm.close();
  });

  it('N3: stopping stores what was taken', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    link.send(one.batch(one.chain.heartbeats(400)));
    link.send({ t: 'erase', groups: [newId(random)] });
    await link.next('erased');
    await world.restart();
    expect(await link.closed()).toBe(CLOSE.goingAway);
    expect((await storedOf(world, one.chain.log)).length).toBe(400);
  });
});

describe('a start', () => {
  it('N1, Y2: makes projections of another version anew before the port opens', async () => {
    const world = await startWorld();
    const one = await world.agent();
    const link = await one.connect();
    const data = started();
    link.send(one.batch([one.chain.add('session.started', data).text]));
    await link.ackThrough(1);
    await link.close();
    await world.handle.ctx.store.write(async (tx) => {
      await tx.clearProjections();
      await tx.setMeta('projections', 'another');
    });
    await world.restart();
    const rows = await world.handle.ctx.store.read.sessionsById([data.session as never]);
    expect(rows.map(({ state }) => state)).toEqual(['active']);
  });
});
