import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonical, leafHash } from '../../protocol/canonical.ts';
import { MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, START, type TestHost } from './api-world.ts';

let world: ApiWorld;
let admin: string;
let host: TestHost;
beforeAll(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin');
  host = await world.host();
  await host.session();
  world.clock.advance(MINUTE_MS);
});
afterAll(() => world.close());
const items = async (query: string) => (await world.get(`/v1/events${query}`, admin)).body.items as Loose[];

describe('events', () => {
  it('the leaf as stored: its canonical bytes can be made again', async () => {
    const [item] = await items(`?host=${host.id}&type=session.started`);
    const { pos, receivedAt, recognised, hostId, ...leaf } = item;
    const [row] = await world.ctx.store.read.leavesAt([pos]);
    expect(canonical(leaf)).toBe(row?.bytes);
    expect(leafHash(canonical(leaf))).toEqual(row?.hash);
    expect({ receivedAt, recognised, hostId }).toEqual({
      receivedAt: toIso(START),
      recognised: true,
      hostId: host.id,
    });
  });

  it('by default ids, numbers and times only; personal parts where they are asked for', async () => {
    const plain = await items(`?host=${host.id}`);
    expect(JSON.stringify(plain)).not.toMatch(/1660360496|srv-01|IEUser/);
    const opened = await items(`?host=${host.id}&personal=1`);
    expect(opened.map((e) => [e.type, e.personal])).toEqual([
      ['host.named', 'open'],
      ['source.added', 'none'],
      ['session.started', 'open'],
      ['session.ended', 'none'],
    ]);
    expect(opened[2].opened.peerId).toBe('1660360496');
  });

  it('Q1 opening parts counts them', async () => {
    const before = (await world.own('reading')).length;
    await items(`?host=${host.id}`);
    await items(`?host=${host.id}&personal=1`);
    const counts = (await world.own('reading')).slice(before).map((e) => e.data.count);
    expect(counts).toEqual([3, 5]);
  });

  it('the collector’s own log is there, for who sees all', async () => {
    const own = await items('?type=person.added');
    expect(own).toMatchObject([{ type: 'person.added', hostId: null }]);
  });

  it('by time, type and cursor', async () => {
    expect(await items(`?since=${toIso(utcMs(START + 1))}&host=srv-01`)).toEqual([]);
    const two = (await world.get(`/v1/events?host=srv-01&limit=2`, admin)).body;
    expect(two.items).toHaveLength(2);
    const rest = (await world.get(`/v1/events?host=srv-01&after=${two.next}`, admin)).body;
    expect(rest.items.map((e: Loose) => e.type)).toEqual(['session.started', 'session.ended']);
    expect(rest.next).toBeNull();
  });

  it('A2 coverage: every gap is an item', async () => {
    await world.setAgent(host.row.agent, { readThrough: START });
    world.clock.advance(2 * MINUTE_MS);
    const { body } = await world.get('/v1/coverage?host=srv-01', admin);
    expect(body.items).toEqual([
      {
        host: 'srv-01',
        hostId: host.id,
        from: toIso(START),
        to: toIso(world.clock.now()),
        reason: 'no-contact',
      },
    ]);
    expect(body.coverage.hosts[0].gaps).toHaveLength(1);
    expect((await world.get(`/v1/coverage?until=${toIso(START)}`, admin)).body.coverage.hosts).toEqual([]);
  });

  it('Q10 what a host made up beside the fields of a leaf is not shown as the collector’s word', async () => {
    const [last] = (await world.ctx.store.read.leavesOf(host.log, 1, 1)).map(({ bytes }) =>
      JSON.parse(bytes),
    );
    const forged = {
      personal: 'open',
      opened: { name: 'FORGED' },
      hostId: 'FORGED',
      recognised: 'FORGED',
      erasedAt: 'FORGED',
      type: 'later.type',
      data: { later: 'kept' },
      pii: [{ group: 'a'.repeat(32), c: 'A'.repeat(43), opened: 'FORGED' }],
    };
    const bytes = canonical({ ...last, ...forged, seq: 99 });
    const at = START;
    const leaf = {
      log: host.log,
      seq: 99,
      bytes,
      hash: leafHash(bytes),
      type: 'later.type',
      at,
      receivedAt: at,
    };
    await world.ctx.store.write((tx) => tx.appendLeaves([leaf]));
    const [item] = await items('?type=later.type');
    expect(JSON.stringify(item)).not.toContain('FORGED');
    expect(item).toMatchObject({ data: { later: 'kept' }, recognised: false, hostId: host.id, seq: 99 });
    expect(item).not.toHaveProperty('personal');
  });
});
