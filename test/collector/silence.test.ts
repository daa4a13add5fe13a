import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Silence } from '../../collector/silence.ts';
import { LOOK_MS, RETURN_MS } from '../../collector/silence-rules.ts';
import type { AgentRow, AlertRow } from '../../collector/store/types.ts';
import { type AgentId, newId } from '../../protocol/ids.ts';
import { HOUR_MS, MINUTE_MS, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, type TestHost } from './api-world.ts';

let world: ApiWorld;
let silence: Silence;
beforeAll(async () => {
  world = await ApiWorld.make();
});
afterAll(() => world.close());

/** A collector that begins to listen now. */
async function begin(): Promise<void> {
  await silence?.close();
  silence = await Silence.open(world.ctx);
  silence.start();
}

/** Time goes by as it does for a running collector; these hosts are heard all the while. */
async function pass(ms: number, ...heard: TestHost[]): Promise<void> {
  for (let gone = 0; gone < ms; gone += LOOK_MS) {
    world.clock.advance(LOOK_MS);
    for (const { row } of heard) await hear(row.agent);
    await silence.look();
  }
}

const hear = (agent: AgentId) =>
  world.setAgent(agent, { lastSeenAt: world.clock.now(), firstSeenAt: world.clock.now() });

async function newHost(change: Partial<AgentRow> = {}): Promise<TestHost> {
  return await world.host({ name: `s-${newId(randomBytes).slice(0, 8)}`, change });
}

const alertsOf = async ({ row }: TestHost): Promise<AlertRow[]> =>
  await world.ctx.store.read.alerts({ customers: null, agents: [row.agent], limit: 100 });

/** What the own log says of a host: words in order. */
async function toldOf(...hosts: TestHost[]): Promise<string[]> {
  const ids = new Set<string>(hosts.map(({ id }) => id));
  const all = await world.own(
    'alert.raised',
    'alert.changed',
    'alert.cleared',
    'agent.late',
    'agent.offline',
  );
  return all
    .filter(({ data }) => ids.has(data.agent))
    .map(({ type, data }: Loose) =>
      type.startsWith('alert') ? `${type} ${data.level} ${data.notify}` : type,
    );
}

const LATE = ['alert.raised warn audit', 'agent.late'];
const OFFLINE = ['alert.changed crit audit', 'agent.offline'];
const BACK = ['alert.cleared crit audit'];

describe('hosts that fall silent', () => {
  it('U2 are late after 2 minutes, offline after 15, and no more a minute after they are heard', async () => {
    await begin();
    const host = await newHost();
    await pass(MINUTE_MS, host);
    await pass(2 * MINUTE_MS);
    expect(await toldOf(host)).toEqual([]);
    await pass(LOOK_MS);
    expect(await toldOf(host)).toEqual(LATE);
    await pass(13 * MINUTE_MS);
    expect(await toldOf(host)).toEqual([...LATE, ...OFFLINE]);
    const [alert] = await alertsOf(host);
    expect(alert).toMatchObject({
      check: 'agent-silent',
      own: true,
      level: 'crit',
      state: 'open',
      threshold: 900,
      index: null,
    });
    // Two of an hour were told (A14): the end waits for the next.
    await pass(HOUR_MS);
    await pass(MINUTE_MS, host);
    expect((await alertsOf(host))[0]?.state).toBe('open');
    await pass(LOOK_MS, host);
    expect((await alertsOf(host))[0]?.state).toBe('cleared');
    expect(await toldOf(host)).toEqual([...LATE, ...OFFLINE, ...BACK]);
    await pass(65 * MINUTE_MS, host);
    expect(await world.ctx.store.read.silences.list()).toEqual([]);
  });

  it('U2 one that never connected is told of half an hour after its enrolment, and is neither late nor offline', async () => {
    await begin();
    const host = await newHost({ firstSeenAt: null, lastSeenAt: null, readThrough: null });
    await pass(30 * MINUTE_MS);
    expect(await toldOf(host)).toEqual([]);
    await pass(LOOK_MS);
    expect(await toldOf(host)).toEqual(['alert.raised warn audit']);
    await pass(2 * HOUR_MS);
    expect(await toldOf(host)).toHaveLength(1);
    await pass(2 * MINUTE_MS, host);
    expect(await toldOf(host)).toEqual(['alert.raised warn audit', 'alert.cleared warn audit']);
  });

  it('that wait for approval are not expected; once they are let in they have their time', async () => {
    await begin();
    const host = await newHost({ state: 'waiting', firstSeenAt: null, lastSeenAt: null });
    await pass(2 * HOUR_MS);
    await world.setAgent(host.row.agent, { state: 'approved' });
    await pass(29 * MINUTE_MS);
    expect(await toldOf(host)).toEqual([]);
    await pass(2 * MINUTE_MS);
    expect(await toldOf(host)).toEqual(['alert.raised warn audit']);
  });

  it('and are revoked are no concern any more', async () => {
    await begin();
    const host = await newHost();
    await pass(3 * MINUTE_MS);
    await world.setAgent(host.row.agent, { state: 'revoked' });
    await pass(2 * MINUTE_MS);
    expect(await toldOf(host)).toEqual([...LATE, 'alert.cleared warn audit']);
    await pass(2 * HOUR_MS);
    expect(await toldOf(host)).toHaveLength(3);
  });

  it('U1 a collector that was down tells of nobody until they had their time to come back', async () => {
    await begin();
    const hosts = [await newHost(), await newHost(), await newHost()];
    await pass(MINUTE_MS, ...hosts);
    const [back, gone] = [hosts.slice(0, 2), hosts.slice(2)];
    // Down for a day.
    world.clock.advance(24 * HOUR_MS);
    await begin();
    await pass(RETURN_MS - MINUTE_MS);
    await pass(4 * MINUTE_MS, ...back);
    expect(await toldOf(...back)).toEqual([]);
    expect(await toldOf(...gone)).toEqual(LATE);
    await pass(13 * MINUTE_MS, ...back);
    expect(await toldOf(...hosts)).toEqual([...LATE, ...OFFLINE]);
  });

  it('U5 a clock that leaps, or a machine that slept, tells of nobody', async () => {
    await begin();
    const host = await newHost();
    await pass(MINUTE_MS, host);
    world.clock.advance(3 * HOUR_MS);
    await silence.look();
    await pass(MINUTE_MS, host);
    expect(await toldOf(host)).toEqual([]);
    await pass(3 * MINUTE_MS);
    expect(await toldOf(host)).toEqual(LATE);
  });
});

describe('U3 across a restart of the collector', () => {
  /** Stopped for `ms`, and begun again on the same store. */
  async function restart(ms: number): Promise<void> {
    await silence.close();
    world.clock.advance(ms);
    await begin();
  }

  it.each([0, 10 * MINUTE_MS, 24 * HOUR_MS])(
    'U3 a late host stays late and becomes offline (%s ms)',
    async (ms) => {
      await begin();
      const host = await newHost();
      await pass(3 * MINUTE_MS);
      expect(await toldOf(host)).toEqual(LATE);
      await restart(ms);
      await pass(RETURN_MS + 14 * MINUTE_MS);
      expect(await toldOf(host)).toEqual(LATE);
      await pass(2 * MINUTE_MS);
      expect(await toldOf(host)).toEqual([...LATE, ...OFFLINE]);
    },
  );

  it.each([0, 24 * HOUR_MS])(
    'U3 an offline host is told of once, and clears when it is heard (%s ms)',
    async (ms) => {
      await begin();
      const host = await newHost();
      await pass(20 * MINUTE_MS);
      await restart(ms);
      await pass(HOUR_MS);
      expect(await toldOf(host)).toEqual([...LATE, ...OFFLINE]);
      await restart(ms);
      await pass(2 * MINUTE_MS, host);
      expect(await toldOf(host)).toEqual([...LATE, ...OFFLINE, ...BACK]);
    },
  );

  it('U3 a host that was clearing clears after it, and a silent one does not', async () => {
    await begin();
    const hosts = [await newHost(), await newHost()] as const;
    await pass(80 * MINUTE_MS);
    await pass(MINUTE_MS / 2, ...hosts);
    expect((await world.ctx.store.read.silences.get(hosts[0].id))?.state.phase).toBe('clearing');
    await restart(MINUTE_MS);
    await pass(2 * MINUTE_MS, hosts[0]);
    expect(await toldOf(hosts[0])).toEqual([...LATE, ...OFFLINE, ...BACK]);
    await pass(15 * MINUTE_MS, hosts[0]);
    expect((await alertsOf(hosts[1]))[0]?.state).toBe('open');
  });

  it('U3 an episode that is over is forgotten no sooner: the next one is another', async () => {
    await begin();
    const host = await newHost();
    await pass(3 * MINUTE_MS);
    await pass(2 * MINUTE_MS, host);
    await restart(MINUTE_MS);
    await pass(MINUTE_MS, host);
    await pass(3 * MINUTE_MS);
    const [first, second] = await alertsOf(host);
    expect([first?.state, second?.state]).toEqual(['cleared', 'open']);
    expect((await world.ctx.store.read.silences.get(host.id))?.state.flaps).toBe(1);
  });

  it('U3 what could not be stored is told at the next look, once', async () => {
    await begin();
    const host = await newHost();
    await pass(MINUTE_MS, host);
    world.failOwn = true;
    onTestFinished(() => {
      world.failOwn = false;
    });
    await pass(3 * MINUTE_MS);
    expect(await toldOf(host)).toEqual([]);
    expect(await world.ctx.store.read.silences.get(host.id)).toBeNull();
    world.failOwn = false;
    await pass(MINUTE_MS);
    expect(await toldOf(host)).toEqual(LATE);
  });
});

describe('a storm', () => {
  it('U4 2,000 hosts that are gone at once are one transaction', async () => {
    await begin();
    const one = await newHost();
    const rows = Array.from({ length: 2_000 }, (_, i) => ({
      ...one.row,
      agent: newId<'agent'>(randomBytes),
      key: `key-${i}`,
      lastSeenAt: utcMs(world.clock.now()),
    }));
    await world.ctx.store.write((tx) => tx.agents.put(rows));
    await pass(2 * MINUTE_MS, one);
    const before = await world.ctx.store.read.lastPos();
    const commits: number[] = [];
    const stop = world.ctx.onCommit((through) => void commits.push(through));
    await pass(LOOK_MS, one);
    stop();
    expect(commits).toEqual([before + 4_000]);
    const open = await world.ctx.store.read.openAlerts(rows.map(({ agent }) => agent));
    expect(open).toHaveLength(2_000);
    expect(new Set(open.map(({ alert }) => alert)).size).toBe(2_000);
  });
});
