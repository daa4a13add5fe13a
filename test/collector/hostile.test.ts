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
