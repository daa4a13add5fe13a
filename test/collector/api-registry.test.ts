import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Id } from '../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, START, type TestHost } from './api-world.ts';

let world: ApiWorld;
let admin: string;
let host: TestHost;
beforeAll(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin', null, 'Root Specimen');
  host = await world.host();
});
afterAll(() => world.close());

describe('hosts', () => {
  it('shows name, place, state and what is read', async () => {
    const { items } = (await world.get('/v1/hosts', admin)).body;
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({
      id: host.id,
      host: 'srv-01',
      customer: 'Acme',
      site: 'Albertslund',
      mode: 'managed',
      state: 'online',
      approval: 'approved',
      logs: [{ log: host.log, through: 2, state: 'open' }],
    });
    expect(items[0].sources).toHaveLength(1);
  });

  it.each([
    ['online', { lastSeenAt: START }],
    ['late', { lastSeenAt: utcMs(START - 3 * MINUTE_MS) }],
    ['offline', { lastSeenAt: utcMs(START - HOUR_MS) }],
    ['never-connected', { lastSeenAt: null }],
    ['unconfirmed', { generation: 'f'.repeat(32) as Id<'generation'> }],
    ['waiting', { state: 'waiting' as const }],
    ['conflict', { conflictAt: START }],
    ['revoked', { state: 'revoked' as const }],
  ])('state %s', async (state, change) => {
    const one = await world.host({ customer: 'States', name: `h-${state}`, change });
    const { body } = await world.get(`/v1/hosts/${one.id}`, admin);
    expect(body.state).toBe(state);
    const found = (await world.get(`/v1/hosts?customer=States&state=${state}`, admin)).body.items;
    expect(found.map((h: { id: string }) => h.id)).toEqual([one.id]);
  });

  it('two hosts with one name: a conflict that names both ids', async () => {
    const one = await world.host({ customer: 'Same', name: 'twin' });
    const two = await world.host({ customer: 'Same', name: 'TWIN' });
    const { status, body } = await world.get('/v1/hosts/twin', admin);
    expect(status).toBe(409);
    expect(body.error).toMatchObject({ code: 'host.ambiguous', exit: 'conflict' });
    expect(body.error.message).toContain(one.id);
    expect(body.error.message).toContain(two.id);
    expect((await world.get(`/v1/hosts/${two.id}`, admin)).body.id).toBe(two.id);
  });

  it('approve, resolve, revoke; a dry run shows the same and changes nothing', async () => {
    const one = await world.host({ customer: 'Acts', name: 'acts', change: { state: 'waiting' } });
    const approve = (body = {}) => world.post(`/v1/hosts/${one.id}/approve`, admin, body);
    expect((await approve({ dryRun: true })).body).toMatchObject({ approval: 'approved', dryRun: true });
    expect((await world.get(`/v1/hosts/${one.id}`, admin)).body.approval).toBe('waiting');
    expect((await approve()).body.approval).toBe('approved');
    await world.setAgent(one.row.agent, { conflictAt: START });
    expect((await world.post(`/v1/hosts/${one.id}/resolve`, admin)).body.conflictAt).toBeNull();
    expect((await world.post(`/v1/hosts/acts/revoke`, admin, { reason: 'sold' })).body.state).toBe('revoked');
    expect((await approve()).status).toBe(409);
  });

  it('Q1 who asked for an act, and why, is recorded before it', async () => {
    const one = await world.host({ customer: 'Acts', name: 'acts-2' });
    await world.post(`/v1/hosts/${one.id}/revoke`, admin, { reason: 'sold' });
    const last = (await world.own('reading', 'agent.revoked')).slice(-2);
    expect(last.map((e) => e.type)).toEqual(['reading', 'agent.revoked']);
    expect(last[0]).toMatchObject({
      data: { verb: 'host.revoke' },
      personal: { filter: { host: one.id, reason: 'sold' } },
    });
    world.failOwn = true;
    const two = await world.post(`/v1/hosts/${host.id}/revoke`, admin, {});
    world.failOwn = false;
    expect(two.status).toBe(503);
    expect((await world.get(`/v1/hosts/${host.id}`, admin)).body.approval).toBe('approved');
  });
});

describe('tokens and agreements', () => {
  it('a token is shown once and listed without its secret', async () => {
    const { status, body } = await world.post('/v1/tokens', admin, {
      customer: 'New',
      site: 'Here',
      uses: 2,
    });
    expect(status).toBe(200);
    expect(body.token).toMatch(/^tilsyn1\./);
    expect(body).toMatchObject({ agreementMade: true, mode: 'managed', uses: 2 });
    const { items } = (await world.get('/v1/tokens', admin)).body;
    const item = items.find((one: { id: string }) => one.id === body.id);
    expect(item).toMatchObject({ customer: 'New', site: 'Here', state: 'open', agreement: body.agreement });
    expect(JSON.stringify(items)).not.toContain(body.token.slice(10, 40));
    expect((await world.post(`/v1/tokens/${body.id}/revoke`, admin)).body.state).toBe('revoked');
  });

  it('a dry run makes neither token nor customer nor agreement', async () => {
    const counts = async () => {
      const { read } = world.ctx.store;
      return [await read.tokens.list(), await read.customers.list(), await read.agreements.list()].map(
        (l) => l.length,
      );
    };
    const before = await counts();
    const asked = { customer: 'Never', site: 'Nowhere', ttlMs: DAY_MS, dryRun: true };
    const { body } = await world.post('/v1/tokens', admin, asked);
    expect(body).toMatchObject({ id: null, token: null, agreement: null, dryRun: true });
    expect(body.expiresAt).toBe(toIso(utcMs(world.clock.now() + DAY_MS)));
    expect(await counts()).toEqual(before);
    const wrong = await world.post('/v1/tokens', admin, { ...asked, cidr: 'nonsense' });
    expect(wrong.status).toBe(400);
  });

  it('agreements: made for a known customer, or for a new one by name, never by an unknown id', async () => {
    const { body } = await world.post('/v1/agreements', admin, { customer: 'Acme', mode: 'one-off' });
    expect(body).toMatchObject({ customer: 'Acme', mode: 'one-off', state: 'open', isDefault: false });
    const { items } = (await world.get('/v1/agreements', admin)).body;
    expect(items.map((a: { id: string }) => a.id)).toContain(body.id);
    expect((await world.post('/v1/agreements', admin, { customer: 'f'.repeat(32) })).status).toBe(404);
    const fresh = await world.post('/v1/agreements', admin, { customer: 'Brand new' });
    expect(fresh.body).toMatchObject({ customer: 'Brand new', mode: 'managed', dryRun: false });
    const dry = await world.post('/v1/agreements', admin, { customer: 'Acme', dryRun: true });
    expect(dry.body).toMatchObject({ id: null, dryRun: true });
  });

  it('a list of the registry pages by id and says that no host was watched for it', async () => {
    const all = (await world.get('/v1/agreements', admin)).body;
    expect(all.coverage).toEqual({ from: null, to: toIso(world.clock.now()), hosts: [] });
    const first = (await world.get('/v1/agreements?limit=1', admin)).body;
    expect(first.next).toBe(first.items[0].id);
    const rest = (await world.get(`/v1/agreements?after=${first.next}`, admin)).body;
    expect([...first.items, ...rest.items]).toEqual(all.items);
    expect((await world.get('/v1/agreements?after=x', admin)).status).toBe(400);
  });
});

describe('people', () => {
  it('adds, lists with the name opened, revokes', async () => {
    const asked = { role: 'technician', customers: ['Acme'], name: 'Ada Specimen' };
    const dry = (await world.post('/v1/people', admin, { ...asked, dryRun: true })).body;
    expect(dry).toMatchObject({ id: null, token: null, role: 'technician', dryRun: true });
    const { body } = await world.post('/v1/people', admin, asked);
    expect(body.customers).toEqual([host.row.customer]);
    const { items } = (await world.get('/v1/people', admin)).body;
    expect(items.map((p: { name: string }) => p.name)).toEqual(['Root Specimen', 'Ada Specimen']);
    const gone = await world.post(`/v1/people/${body.id}/revoke`, admin, { reason: 'left' });
    expect(gone.body).toMatchObject({ state: 'revoked', signins: 1 });
    expect((await world.get('/v1/whoami', body.token)).status).toBe(401);
  });

  it('Q6 a dry run of revoking the last admin is refused too', async () => {
    const { id } = (await world.get('/v1/whoami', admin)).body;
    const { status, body } = await world.post(`/v1/people/${id}/revoke`, admin, { dryRun: true });
    expect([status, body.error.code]).toEqual([409, 'person.last-admin']);
  });
});

describe('Q4 another customer’s rows', () => {
  let mine: TestHost;
  let token: string;
  let bound: string;
  beforeAll(async () => {
    mine = await world.host({ customer: 'Mine', site: 'Mine', name: 'mine' });
    await mine.session();
    await host.session();
    token = await world.person('technician', [mine.row.customer]);
    bound = await world.person('admin', [mine.row.customer]);
  });
  const seen = async (path: string) => JSON.stringify((await world.get(path, token)).body);

  it.each([
    '/v1/sessions',
    '/v1/hosts',
    '/v1/events',
    '/v1/events?personal=1',
    '/v1/coverage',
    '/v1/tokens',
    '/v1/agreements',
  ])('Q4 %s holds no row of another customer', async (path) => {
    const text = await seen(path);
    for (const foreign of [
      host.id,
      host.log,
      host.row.customer,
      host.row.agreement,
      'srv-01',
      'Acme',
      'Albertslund',
    ]) {
      expect(text).not.toContain(foreign);
    }
  });

  it('Q4 the own rows are there, the collector’s own log is not', async () => {
    expect((await world.get('/v1/sessions', token)).body.items).toHaveLength(1);
    const types = new Set(
      (await world.get('/v1/events', token)).body.items.map((e: { type: string }) => e.type),
    );
    expect([...types].sort()).toEqual(['host.named', 'session.ended', 'session.started', 'source.added']);
  });

  it('Q4 what is another’s answers exactly as what never was', async () => {
    const absent = '0'.repeat(32);
    const session = (await world.get('/v1/sessions?customer=Acme', admin)).body.items[0].id;
    const made = (await world.post('/v1/tokens', admin, { customer: 'Acme', site: 'Albertslund' })).body.id;
    const person = (await world.get('/v1/people', admin)).body.items[0].id;
    const pairs: [string, string][] = [
      [`/v1/sessions/${session}`, `/v1/sessions/${absent}`],
      [`/v1/hosts/${host.id}`, `/v1/hosts/${absent}`],
      ['/v1/hosts/srv-01', '/v1/hosts/nobody'],
      ['/v1/sessions?host=srv-01', '/v1/sessions?host=nobody'],
      [`/v1/sessions?customer=${host.row.customer}`, `/v1/sessions?customer=${absent}`],
      ['/v1/sessions?customer=Acme', '/v1/sessions?customer=Nobody'],
    ];
    for (const [theirs, none] of pairs) {
      const [a, b] = [await world.get(theirs, token), await world.get(none, token)];
      expect(a.status).toBe(404);
      expect(a).toEqual(b);
    }
    const acts: [string, string, object][] = [
      [`/v1/hosts/${host.id}/revoke`, `/v1/hosts/${absent}/revoke`, {}],
      [`/v1/tokens/${made}/revoke`, `/v1/tokens/${absent}/revoke`, {}],
    ];
    for (const [theirs, none, body] of acts) {
      const [a, b] = [
        await world.post(theirs, token, { ...body }),
        await world.post(none, token, { ...body }),
      ];
      expect(a.status).toBe(404);
      expect(a).toEqual(b);
    }
    const [a, b] = [
      await world.post('/v1/tokens', token, { customer: 'Acme', site: 'x' }),
      await world.post('/v1/tokens', token, { customer: 'Nobody', site: 'x' }),
    ];
    expect([a.status, a.body]).toEqual([404, b.body]);
    const [c, d] = [
      await world.post(`/v1/people/${person}/revoke`, bound),
      await world.post(`/v1/people/${absent}/revoke`, bound),
    ];
    expect([c.status, c.body]).toEqual([404, d.body]);
  });

  it('Q4 an admin of some customers gives nobody more than they have', async () => {
    const { body } = await world.post('/v1/people', bound, { role: 'admin' });
    expect(body.customers).toEqual([mine.row.customer]);
    expect((await world.post('/v1/people', bound, { role: 'admin', customers: ['Acme'] })).status).toBe(404);
  });
});

describe('an address that is not there', () => {
  it('is answered as an error of ours', async () => {
    const { status, body } = await world.get('/v1/nothing', admin);
    expect([status, body.error.code]).toEqual([404, 'request.unknown']);
  });

  it('a body that is not JSON is a usage error', async () => {
    const { status, body } = await world.call('POST', '/v1/tokens', admin, undefined);
    expect([status, body.error.code]).toEqual([400, 'request.invalid']);
  });
});
