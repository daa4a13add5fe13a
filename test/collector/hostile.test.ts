/** What one enrolled agent with a valid key can do to others, to what is read, and to its own evidence. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { EventData } from '../../protocol/event.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { newId } from '../../protocol/ids.ts';
import type { Personal } from '../../protocol/seal.ts';
import { toIso, utcMs } from '../../protocol/time.ts';
import { type AgentDouble, DoubleSealer, http, random, type Sealed } from '../support/agent-double.ts';
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
