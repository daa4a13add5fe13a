import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../protocol/ids.ts';
import { HOUR_MS, MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, PEER, START, type TestHost } from './api-world.ts';

let world: ApiWorld;
let admin: string;
let host: TestHost;
let other: TestHost;
let first: string;

beforeAll(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin');
  host = await world.host();
  other = await world.host({ customer: 'Bolt', site: 'Lund', name: 'srv-02' });
  first = await host.session();
  world.clock.advance(MINUTE_MS);
});
afterAll(() => world.close());

const list = (query = '') => world.get(`/v1/sessions${query}`, admin);
const ids = async (query: string) => (await list(query)).body.items.map((item: { id: string }) => item.id);

describe('sessions', () => {
  it('the item is the one of the contract, names opened', async () => {
    const { status, body } = await list();
    expect(status).toBe(200);
    expect(body.schema).toBe(1);
    expect(body.next).toBeNull();
    expect(body.items).toEqual([
      {
        id: first,
        host: 'srv-01',
        hostId: host.id,
        customer: 'Acme',
        site: 'Albertslund',
        tool: 'teamviewer',
        direction: 'incoming',
        kind: 'remote-control',
        mode: 'managed',
        state: 'ended',
        startedAt: toIso(START),
        endedAt: toIso(utcMs(START + 124_000)),
        durationSeconds: 124,
        startBasis: 'file-utc',
        endBasis: 'file-utc',
        endReason: 'completed',
        peer: { id: '1660360496', names: ['Ada Example'], ips: [{ ip: '203.0.113.7', basis: 'punch' }] },
        technician: null,
        localUser: 'IEUser',
        toolSessionId: '{B1F6A}',
        auth: null,
        failedAttempts: null,
        files: null,
        connection: null,
        connectionAt: null,
        ticket: null,
        purpose: null,
        confirmedBy: [],
        erasedAt: null,
        personal: 'open',
        log: host.log,
        seq: [3, 4],
        mergedFrom: [],
      },
    ]);
  });

  it('A2 a list says what was watched on every host, also on those without a session', async () => {
    const { coverage } = (await list()).body;
    expect(coverage.hosts.map((h: { host: string }) => h.host)).toEqual(['srv-01', 'srv-02']);
    expect(coverage.hosts[0]).toMatchObject({
      hostId: host.id,
      from: toIso(START),
      to: toIso(world.clock.now()),
      gaps: [],
      sources: [{ source: host.source, type: 'teamviewer', state: 'reading', skipped: 0, unreadable: 0 }],
    });
  });

  it('A2 an empty list of a silent host still has its gap', async () => {
    await world.setAgent(other.row.agent, { readThrough: null, firstSeenAt: null });
    const { body } = await list('?host=srv-02');
    expect(body.items).toEqual([]);
    expect(body.coverage.hosts[0].gaps).toEqual([
      { from: toIso(START), to: toIso(world.clock.now()), reason: 'never-connected' },
    ]);
    await world.setAgent(other.row.agent, { readThrough: START, firstSeenAt: START });
  });

  it('finds by host name or id, customer, site, state and time', async () => {
    expect(await ids('?host=SRV-01')).toEqual([first]);
    expect(await ids(`?host=${host.id}`)).toEqual([first]);
    expect(await ids('?host=srv-02')).toEqual([]);
    expect(await ids('?customer=acme')).toEqual([first]);
    expect(await ids('?customer=Bolt')).toEqual([]);
    expect(await ids('?site=Lund')).toEqual([]);
    expect(await ids('?state=ended&tool=teamviewer')).toEqual([first]);
    expect(await ids('?state=active')).toEqual([]);
    expect(await ids(`?since=${toIso(utcMs(START + 1))}`)).toEqual([]);
    expect(await ids(`?since=${toIso(utcMs(START + 1))}&overlaps=1`)).toEqual([first]);
    expect(await ids(`?until=${toIso(START)}`)).toEqual([]);
  });

  it('finds by what is sealed, by opening the candidates', async () => {
    expect(await ids('?peer=1660360496')).toEqual([first]);
    expect(await ids('?peer=1%20660%20360%20496')).toEqual([first]);
    expect(await ids('?peer=999')).toEqual([]);
    expect(await ids('?ip=203.0.113.0/24')).toEqual([first]);
    expect(await ids('?ip=198.51.100.0/24')).toEqual([]);
    expect(await ids('?ip=203.0.113.7&peer=999')).toEqual([]);
    expect((await list('?ip=nonsense')).status).toBe(400);
  });

  it('an unknown filter is refused, and its value is not repeated', async () => {
    const { status, body } = await list('?pear=1660360496');
    expect(status).toBe(400);
    expect(body.error.message).toContain('pear');
    expect(JSON.stringify(body)).not.toContain('1660360496');
  });

  it('pages by a cursor, without losing or repeating a row', async () => {
    const made = [first];
    for (let i = 1; i <= 4; i++) made.push(await other.session({ startedAt: utcMs(START + i * 1000) }));
    const seen: string[] = [];
    for (let next: string | null = ''; next !== null; ) {
      const { body }: { body: { items: { id: string }[]; next: string | null } } = await list(
        `?limit=2${next === '' ? '' : `&after=${next}`}`,
      );
      expect(body.items.length).toBeLessThanOrEqual(2);
      seen.push(...body.items.map((item) => item.id));
      next = body.next;
    }
    expect(seen).toEqual(made);
    const sealed = (await list('?peer=1660360496&limit=2')).body;
    expect(sealed.items).toHaveLength(2);
    expect(await ids(`?peer=1660360496&after=${sealed.next}`)).toEqual(made.slice(2));
    expect((await list('?after=nothing')).status).toBe(400);
  });
});

describe('what became of the personal data', () => {
  it('a session that never had any: none', async () => {
    const session = await host.session({ personal: null, durationSeconds: 1 });
    const { body } = await world.get(`/v1/sessions/${session}`, admin);
    expect(body).toMatchObject({ id: session, personal: 'none', peer: null, erasedAt: null });
  });

  it('a part that never came is missing, never erased', async () => {
    const session = await host.session({ parts: false, durationSeconds: 2 });
    const { body } = await world.get(`/v1/sessions/${session}`, admin);
    expect(body).toMatchObject({ personal: 'missing', peer: null, erasedAt: null });
  });

  it('S3 after an erasure nothing personal is shown, and when it was erased', async () => {
    const gone = await world.host({ customer: 'Gone', name: 'srv-09' });
    const session = await gone.session();
    await world.erase(gone.group('session.started'));
    const { body } = await world.get(`/v1/sessions/${session}`, admin);
    expect(body).toMatchObject({
      personal: 'erased',
      erasedAt: toIso(world.clock.now()),
      peer: null,
      localUser: null,
      toolSessionId: null,
      host: 'srv-09',
    });
    await world.erase(gone.group('host.named'));
    expect((await world.get(`/v1/sessions/${session}`, admin)).body.host).toBe(gone.id);
    expect(await ids('?peer=1660360496&customer=Gone')).toEqual([]);
  });

  it('one session told twice: both ids answer with the same one, the list has it once', async () => {
    const twin = await world.host({ customer: 'Twin', name: 'srv-10' });
    const startedAt = utcMs(START + HOUR_MS);
    const one = await twin.session({ startedAt });
    const two = await twin.session({ startedAt, session: newId<'session'>(randomBytes) });
    const answers = await Promise.all([one, two].map((id) => world.get(`/v1/sessions/${id}`, admin)));
    expect(answers.map((a) => a.body.id)).toEqual([one, one]);
    expect(await ids('?customer=Twin')).toEqual([one]);
  });
});

describe('Q1 readings', () => {
  it('Q1 each list is an event with person, verb and count; what was asked is sealed', async () => {
    const me = (await world.get('/v1/whoami', admin)).body.id;
    const before = (await world.own('reading')).length;
    await list('?peer=1660360496&customer=Acme');
    const readings = (await world.own('reading')).slice(before);
    const last = readings.at(-1);
    expect(last?.data).toMatchObject({ person: me, verb: 'session.list' });
    expect(last?.data.count).toBeGreaterThanOrEqual(3);
    expect(last?.personal).toEqual({
      filter: { peer: PEER.peerId, customer: 'Acme' },
      address: '127.0.0.1',
    });
  });

  it('Q1 the count is of the parts that are opened', async () => {
    const counted = await world.host({ customer: 'Counted', name: 'srv-11' });
    await counted.session();
    await counted.session({ startedAt: utcMs(START + 5000) });
    const before = (await world.own('reading')).length;
    await list(`?host=${counted.id}`);
    // Two sessions, one host, one customer, one site.
    expect((await world.own('reading')).slice(before).map((r) => r.data)).toMatchObject([
      { verb: 'session.list', count: 5 },
    ]);
  });

  it.each(['/v1/sessions', '/v1/hosts', '/v1/people', '/v1/coverage', '/v1/events', '/v1/tokens'])(
    'Q1 %s: where the reading cannot be stored, there is no answer',
    async (path) => {
      world.failOwn = true;
      try {
        const { status, body } = await world.get(path, admin);
        expect(status).toBe(503);
        expect(body.error.code).toBe('reading.not-recorded');
        expect(JSON.stringify(body)).not.toMatch(/srv-|Acme|1660360496/);
      } finally {
        world.failOwn = false;
      }
      expect((await world.get(path, admin)).status).toBe(200);
    },
  );

  it('Q1 one session, where the reading cannot be stored', async () => {
    world.failOwn = true;
    const { status, body } = await world.get(`/v1/sessions/${first}`, admin);
    world.failOwn = false;
    expect([status, body.error.code]).toEqual([503, 'reading.not-recorded']);
  });
});
