/** What one enrolled agent with a valid key can do to others, to what is read, and to its own evidence. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { EventData } from '../../protocol/event.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { newId } from '../../protocol/ids.ts';
import type { Personal } from '../../protocol/seal.ts';
import { toIso, utcMs } from '../../protocol/time.ts';
import { type AgentDouble, Chain, DoubleSealer, http, random, type Sealed } from '../support/agent-double.ts';
import { ownEvents, startWorld, type World } from './running.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API as they come
type Loose = any;

function api(world: World, path: string): Promise<{ status: number; body: Loose }> {
  const admin = readFileSync(world.made.adminTokenFile, 'utf8').trim();
  return http(world.handle.address, world.ca, 'GET', path, undefined, { authorization: `Bearer ${admin}` });
}
const items = async (world: World, path: string): Promise<Loose[]> => (await api(world, path)).body.items;

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
const ended = (session: string): EventData<'session.ended'> => ({
  session,
  endedAt: toIso(utcMs(Date.now())),
  endBasis: 'file-utc',
  durationSeconds: 9,
  reason: 'completed',
});
const updated = (session: string, change: object = {}): EventData<'session.updated'> => ({
  session,
  auth: null,
  failedAttempts: null,
  files: null,
  confirmedBy: [],
  ...change,
});

interface Told {
  text: string;
  sealed: Sealed[];
}

/** The next event of an agent, with a part under each sealer's group. */
function tell(
  one: AgentDouble,
  type: 'session.started' | 'session.updated',
  data: EventData<'session.started'> | EventData<'session.updated'>,
  ...parts: [DoubleSealer, Personal][]
): Told {
  const sealed = parts.map(([sealer, p]) => sealer.seal(one.chain.log, one.chain.next, p));
  const pii = sealed.map(({ part, c }) => ({ group: part.group as GroupId, c }));
  return { text: one.chain.add(type, data, pii).text, sealed };
}

const batch = (one: AgentDouble, told: readonly Told[], over: object = {}) =>
  one.batch(
    told.map(({ text }) => text),
    told.flatMap(({ sealed }) => sealed),
    over,
  );

async function connected(world: World) {
  const one = await world.agent();
  const link = await one.connect();
  return { one, link, sealer: new DoubleSealer(one.group('span'), one.chain.log) };
}

describe('a sealed part that is not as its allow-list says', () => {
  it('P2, E3: is flagged, opens into no answer, and no answer fails for it', async () => {
    const world = await startWorld();
    const { one, link, sealer } = await connected(world);
    const odd: Personal[] = [{ peerIps: [null] }, { note: 'anything' }, { peerId: 7 }, { peerNames: 'x' }];
    const fine = tell(one, 'session.started', started(), [sealer, { peerId: '1' }]);
    link.send(batch(one, [fine, ...odd.map((p) => tell(one, 'session.started', started(), [sealer, p]))]));
    await link.ackThrough(1 + odd.length);
    for (const query of ['', '?peer=1', '?ip=10.0.0.0/8', '?technician=x']) {
      expect((await api(world, `/v1/sessions${query}`)).status, query).toBe(200);
    }
    const shown = await items(world, '/v1/sessions');
    expect(shown.map(({ personal, peer }) => [personal, peer?.id]).toSorted()).toEqual([
      ...odd.map(() => ['missing', undefined]),
      ['open', '1'],
    ]);
    expect((await ownEvents(world, 'sealed.invalid')).length).toBeGreaterThan(0);
    await link.close();
  });
});

describe('the same session from two agents', () => {
  const at = toIso(utcMs(Date.now() - 60_000));
  const key = (n: number) => ({ peerId: String(n), localUser: 'u', toolSessionId: `g${n}` });

  it('M4: no agent ties two sessions of another together with one of its own', async () => {
    const world = await startWorld();
    const [victim, other] = [await connected(world), await connected(world)];
    const [one, two] = [started({ startedAt: at }), started({ startedAt: at, kind: 'file-transfer' })];
    const tellBoth = (by: typeof victim, change: object) => [
      tell(by.one, 'session.started', { ...one, ...change }, [by.sealer, key(1)]),
      tell(by.one, 'session.started', { ...two, ...change }, [by.sealer, key(2)]),
    ];
    victim.link.send(batch(victim.one, tellBoth(victim, {})));
    await victim.link.ackThrough(2);
    // One id of the attacker's, told twice; and one leaf with two parts that open.
    const session = newId(random);
    const next = new DoubleSealer(other.one.group('late'), other.one.chain.log);
    const told = tellBoth(other, { session });
    const both = started({ startedAt: at });
    told.push(tell(other.one, 'session.started', both, [other.sealer, key(1)], [next, key(2)]));
    other.link.send(batch(other.one, told));
    await other.link.ackThrough(3);
    const shown = await items(world, `/v1/sessions?host=${victim.one.agent}`);
    expect(shown.map(({ id }) => id).toSorted()).toEqual([one.session, two.session].toSorted());
    await Promise.all([victim.link.close(), other.link.close()]);
  });

  it('M5, M6: told in advance by another host, it is found under its own, and shows its own names', async () => {
    const world = await startWorld();
    const [early, real] = [await connected(world), await connected(world)];
    const first = tell(early.one, 'session.started', started({ startedAt: at }), [
      early.sealer,
      { ...key(7), technician: 'Forged' },
    ]);
    early.link.send(batch(early.one, [first]));
    await early.link.ackThrough(1);
    const data = started({ startedAt: at });
    real.link.send(
      batch(real.one, [
        tell(real.one, 'session.started', data, [real.sealer, { ...key(7), technician: 'T' }]),
      ]),
    );
    await real.link.ackThrough(1);
    for (const { one } of [early, real]) {
      const [item, ...more] = await items(world, `/v1/sessions?host=${one.agent}`);
      expect(more).toEqual([]);
      expect(item.mergedFrom).toEqual([{ id: data.session, hostId: real.one.agent }]);
    }
    const shown = (await api(world, `/v1/sessions/${data.session}`)).body;
    expect(shown).toMatchObject({ hostId: early.one.agent, technician: 'Forged', peer: { id: '7' } });
    expect((await items(world, '/v1/sessions?technician=T')).length).toBe(0);
    await Promise.all([early.link.close(), real.link.close()]);
  });

  it('Y6: a re-installed agent’s end, told of the merged session, ends the one that stays', async () => {
    const world = await startWorld();
    const [old, fresh] = [await connected(world), await connected(world)];
    const data = started({ startedAt: at });
    old.link.send(batch(old.one, [tell(old.one, 'session.started', data, [old.sealer, key(9)])]));
    await old.link.ackThrough(1);
    const again = { ...data, session: newId(random) };
    const told = tell(fresh.one, 'session.started', again, [fresh.sealer, { ...key(9), peerNames: ['Ada'] }]);
    const end = { text: fresh.one.chain.add('session.ended', ended(again.session)).text, sealed: [] };
    fresh.link.send(batch(fresh.one, [told, end]));
    await fresh.link.ackThrough(2);
    const shown = await items(world, '/v1/sessions');
    expect(shown).toMatchObject([
      { id: data.session, state: 'ended', durationSeconds: 9, personal: 'open', peer: { names: ['Ada'] } },
    ]);
    await Promise.all([old.link.close(), fresh.link.close()]);
  });
});

describe('parts and wraps', () => {
  const shownPeers = async (world: World) =>
    (await items(world, '/v1/sessions')).map(({ peer, personal }) => [peer?.id ?? null, personal]);

  /** Holds the one writer until it is let go, so that what is sent meanwhile is one turn. */
  async function inOneTurn(world: World, send: () => Promise<void>) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = world.handle.ctx.store.write(() => promise);
    await send();
    resolve();
    await held;
  }

  it('P5: a wrap that came in an earlier frame of the same turn is found, and stored', async () => {
    const world = await startWorld();
    const { one, link, sealer } = await connected(world);
    await inOneTurn(world, async () => {
      // The first frame is at work and waits for the writer; those behind it are the next turn.
      link.send(
        batch(
          one,
          [one.chain.heartbeat()].map(({ text }) => ({ text, sealed: [] })),
        ),
      );
      link.send(batch(one, [tell(one, 'session.started', started(), [sealer, { peerId: '1' }])]));
      const bare = { wraps: [] };
      link.send(batch(one, [tell(one, 'session.started', started(), [sealer, { peerId: '2' }])], bare));
      // Answered when everything before it has been read; nothing that needs the writer is.
      const read = once(link.ws, 'pong');
      link.ws.ping();
      await read;
    });
    await link.ackThrough(3);
    expect((await shownPeers(world)).toSorted()).toEqual([
      ['1', 'open'],
      ['2', 'open'],
    ]);
    expect(await ownEvents(world, 'sealed.invalid')).toEqual([]);
    await link.close();
  });

  it('P5: so is the wrap of a part that was moved elsewhere, by a part that comes later without it', async () => {
    const world = await startWorld();
    const { one, link } = await connected(world);
    const late = new DoubleSealer(one.group('late'), one.chain.log);
    link.send(batch(one, [tell(one, 'session.started', started(), [late, { peerId: '1' }])]));
    await link.ackThrough(1);
    link.send(batch(one, [tell(one, 'session.started', started(), [late, { peerId: '2' }])], { wraps: [] }));
    await link.ackThrough(2);
    expect((await shownPeers(world)).length).toBe(2);
    expect(await ownEvents(world, 'sealed.invalid')).toEqual([]);
    await link.close();
  });

  it('a wrap that no part names is not stored', async () => {
    const world = await startWorld();
    const { one, link, sealer } = await connected(world);
    link.send({ ...one.batch([one.chain.heartbeat().text]), wraps: [sealer.wrap] });
    await link.ackThrough(1);
    expect(await world.handle.ctx.store.read.wraps([sealer.wrap.id as never])).toEqual([]);
    await link.close();
  });

  it('R3: a part that opens takes the place of one that does not; nothing takes the place of one that does', async () => {
    const world = await startWorld();
    const { one, link, sealer } = await connected(world);
    const told = tell(one, 'session.started', started(), [sealer, { peerId: '1' }]);
    link.send(batch(one, [told], { wraps: [] }));
    await link.ackThrough(1);
    expect(await shownPeers(world)).toEqual([[null, 'missing']]);
    for (const broken of [false, true]) {
      const again = await one.connect();
      const [sealed] = told.sealed;
      if (sealed === undefined) throw new Error('one part');
      const bad = { ...sealed, part: { ...sealed.part, body: 'AAAA' } };
      again.send(batch(one, [{ ...told, sealed: [broken ? bad : sealed] }]));
      await again.ackThrough(1);
      expect(await shownPeers(world)).toEqual([['1', 'open']]);
    }
    expect((await ownEvents(world, 'sealed.invalid')).length).toBe(1);
  });

  it('R4: a part that was erased alone does not come back with its event', async () => {
    const world = await startWorld();
    const { one, link, sealer } = await connected(world);
    const told = tell(one, 'session.started', started(), [sealer, { peerId: '1' }]);
    link.send(batch(one, [told]));
    await link.ackThrough(1);
    const { store } = world.handle.ctx;
    const [leaf] = await store.read.leavesOf(one.chain.log, 1, 1);
    const key = { pos: leaf?.pos ?? 0, group: sealer.group.group as GroupId };
    await store.write((tx) => tx.entomb([key]));
    const again = await one.connect();
    again.send(batch(one, [told]));
    await again.ackThrough(1);
    expect(await store.read.parts([key.pos])).toEqual([]);
    expect(await store.read.tombstones([key.pos])).toEqual([key]);
    await again.close();
  });

  it('P4: however many parts are dropped, the own log says so once per batch, with their number', async () => {
    const world = await startWorld();
    const { one, link } = await connected(world);
    const parts: { seq: number; group: string; wrap: null; body: string }[] = [];
    const texts = Array.from({ length: 100 }, () => {
      const groups = Array.from({ length: 4 }, () => newId<'group'>(random));
      for (const group of groups) parts.push({ seq: one.chain.next, group, wrap: null, body: '' });
      const pii = groups.map((group) => ({ group, c: 'A'.repeat(43) }));
      return one.chain.add('session.updated', updated(newId(random)), pii).text;
    });
    link.send({ ...one.batch(texts), parts });
    await link.ackThrough(100);
    expect(await ownEvents(world, 'sealed.dropped')).toEqual([
      { log: one.chain.log, seq: 1, from: null, to: null, count: 400 },
    ]);
    await link.close();
  });

  it('P3: under a span that the session did not begin in, a part is moved to the one it did', async () => {
    const world = await startWorld();
    const { one, link } = await connected(world);
    const present = one.group('span');
    const next = new DoubleSealer(one.group('span', 'session', Date.parse(present.to ?? '')), one.chain.log);
    const data = started();
    const told = [
      tell(one, 'session.started', data, [next, { peerId: '1' }]),
      tell(one, 'session.updated', updated(data.session), [next, { localUser: 'u' }]),
      // A session whose start is not told at all.
      tell(one, 'session.updated', updated(newId(random)), [next, { localUser: 'v' }]),
    ];
    link.send(batch(one, told));
    await link.ackThrough(3);
    const { read } = world.handle.ctx.store;
    const leaves = await read.leavesOf(one.chain.log, 1, 3);
    const parts = await read.parts(leaves.map(({ pos }) => pos));
    expect(parts.map(({ under }) => under)).toEqual(Array.from({ length: 3 }, () => present.group));
    const at = { log: one.chain.log, seq: 1, from: next.group.group, to: present.group };
    expect(await ownEvents(world, 'sealed.regrouped')).toEqual([{ ...at, count: 3 }]);
    expect(await items(world, '/v1/sessions')).toMatchObject([{ peer: { id: '1' }, localUser: 'u' }]);
    await link.close();
  });

  it('I3: a fork of a log that was closed is kept, and said once', async () => {
    const world = await startWorld();
    const one = await world.agent();
    let link = await one.connect();
    const { text } = one.chain.heartbeat();
    link.send(one.batch([text]));
    await link.ackThrough(1);
    const old = one.chain;
    const predecessor = { log: old.log, size: 1, head: null };
    one.chains.push(new Chain(one.birth({ predecessor, reason: 'restored' })));
    const { prev } = JSON.parse(text) as { prev: string };
    for (const refusal of ['log.forked', 'log.not-open']) {
      link = await one.connect();
      link.send({ ...one.batch([old.raw({ seq: 1, prev, up: 999 })]), log: old.log });
      expect((await link.refused()).refusal).toBe(refusal);
    }
    expect((await world.handle.ctx.store.read.forks(old.log)).map(({ seq }) => seq)).toEqual([1]);
    expect(await ownEvents(world, 'log.forked')).toEqual([{ log: old.log, seq: 1 }]);
  });
});
