/** The roster and pseudonyms, through the API: who is shown whom. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DAY_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, PEER, START, type TestHost } from './api-world.ts';

let world: ApiWorld;
let admin: string;
let auditor: string;
let technician: string;
let host: TestHost;
let ada: string;

beforeAll(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin');
  [auditor, technician] = [await world.person('auditor'), await world.person('technician')];
  host = await world.host();
  const added = await world.post('/v1/people', admin, { role: 'technician', name: 'Ada Specimen' });
  ada = added.body.id;
});
afterAll(() => world.close());

let tick = 0;
const fresh = (personal: typeof PEER = PEER, of = host) => {
  tick += 1;
  return of.session({ startedAt: utcMs(START + tick * 60_000), personal });
};
const show = async (session: string, token = admin): Promise<Loose> =>
  (await world.get(`/v1/sessions/${session}`, token)).body;
const identify = (body: Record<string, unknown>, person = ada) =>
  world.post(`/v1/people/${person}/ids`, admin, body);
const CLEAR = [PEER.peerId, 'Ada Example', '203.0.113.7', 'IEUser', '{B1F6A}', 'Ada Specimen'];
const clearIn = (body: unknown) => CLEAR.filter((word) => JSON.stringify(body).includes(word ?? ''));

describe('the roster', () => {
  it('gives a session its technician for the time at which it began, and back', async () => {
    const session = await fresh();
    expect((await show(session)).technician).toBeNull();
    const from = toIso(utcMs(START - DAY_MS));
    const { status, body } = await identify({ kind: 'teamviewer', value: '1 660 360 496', from });
    expect([status, body.kind, body.from]).toEqual([200, 'teamviewer', from]);
    expect((await show(session)).technician).toBe('Ada Specimen');
    const removed = await world.post(`/v1/people/${ada}/ids/${body.id}/remove`, admin);
    expect(removed.body.state).toBe('removed');
    expect((await show(session)).technician).toBeNull();
    expect((await identify({ kind: 'teamviewer', value: '1660360496', to: from })).status).toBe(200);
    expect((await show(session)).technician).toBeNull();
  });

  it('is searched by id of a person and by name', async () => {
    const found = async (who: string, token = admin) =>
      (await world.get(`/v1/sessions?technician=${encodeURIComponent(who)}`, token)).body.items.length;
    await identify({ kind: 'teamviewer', value: '222 333 444' });
    await fresh({ peerId: '222333444' });
    expect([await found(ada), await found('ada specimen'), await found('Nobody')]).toEqual([1, 1, 0]);
    // Whose pseudonym it is would be told by either.
    expect([await found(ada, auditor), await found('Ada Specimen', auditor)]).toEqual([0, 0]);
  });

  it('is listed with its values, which is a reading, and lies sealed with the account', async () => {
    const before = (await world.own('reading')).length;
    const { items } = (await world.get(`/v1/people/${ada}/ids`, admin)).body;
    expect(items.map((item: Loose) => [item.state, item.value])).toContainEqual(['active', '222 333 444']);
    const readings = (await world.own('reading')).slice(before);
    expect(readings.map(({ data }) => [data.verb, data.count])).toEqual([['person.id.list', items.length]]);
    const [event] = (await world.own('person.identified')).slice(-1);
    expect(Object.keys(event?.data)).toEqual(['by', 'from', 'identity', 'kind', 'person', 'to']);
    const files = readdirSync(world.dir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
    const bytes = Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))));
    for (const value of ['222 333 444', '222333444']) expect(bytes.includes(value)).toBe(false);
  });

  it.each([
    ['ssh-key', 'nonsense', 'identity.value'],
    ['network', 'nonsense', 'cidr.malformed'],
    ['teamviewer', '12', 'identity.value'],
    ['shoe-size', '44', 'request.invalid'],
  ])('refuses what is no %s, without repeating it', async (kind, value, code) => {
    const { status, body } = await identify({ kind, value });
    expect([status, body.error.code]).toEqual([400, code]);
    expect(body.error.message).not.toContain(value);
  });

  it('refuses an empty range, a person that there is not, and one whose account is erased', async () => {
    const at = toIso(START);
    const empty = await identify({ kind: 'account', value: 'ada', from: at, to: at });
    expect(empty.body.error.code).toBe('identity.range');
    expect((await identify({ kind: 'account', value: 'ada' }, '6'.repeat(32))).status).toBe(404);
    const gone = (await world.post('/v1/people', admin, { role: 'technician', name: 'Gone' })).body.id;
    const [group] = await world.ctx.store.read.groups.list({ class: 'person.account', subject: gone });
    if (group !== undefined) await world.erase(group.group);
    expect((await identify({ kind: 'account', value: 'x' }, gone)).body.error.code).toBe('person.erased');
  });
});

describe('Q14 pseudonyms', () => {
  it('Q14 auditor and technician are shown pseudonyms, in every answer about sessions', async () => {
    const session = await fresh();
    for (const token of [auditor, technician]) {
      const item = await show(session, token);
      expect(item.personal).toBe('pseudonym');
      expect(item.peer.id).toMatch(/^P-/);
      expect([item.peer.names, item.peer.ips, item.toolSessionId]).toEqual([[], [], null]);
      expect(item.localUser).toMatch(/^U-/);
      const all = await world.get('/v1/sessions', token);
      const events = await world.get('/v1/events?type=session.started&personal=1', token);
      expect([clearIn(item), clearIn(all.body), clearIn(events.body)]).toEqual([[], [], []]);
      expect(events.body.items.every((event: Loose) => event.opened === null)).toBe(true);
    }
    for (const role of ['security', 'dpo'] as const) {
      expect((await show(session, await world.person(role))).peer.id).toBe(PEER.peerId);
    }
    expect((await show(session)).peer.id).toBe(PEER.peerId);
  });

  it('W14 of the roster: one per person, across tools’ ids, months and hosts', async () => {
    await identify({ kind: 'teamviewer', value: '700 000 001' });
    await identify({ kind: 'teamviewer', value: '700 000 002' });
    const second = await world.host({ customer: 'Bolt', name: 'srv-02' });
    const next = { startedAt: utcMs(START + 12 * DAY_MS), personal: { peerId: '700000002' } };
    const shown = [
      await show(await fresh({ peerId: '700000001' }), auditor),
      await show(await second.session(next), auditor),
    ];
    const [one, two] = shown.map((item) => item.technician);
    expect(one).toMatch(/^P-/);
    expect(two).toBe(one);
    expect(shown.map((item) => item.peer.id)).toEqual([one, one]);
  });

  it('Q14 finds by pseudonym only, and not by address', async () => {
    const session = await fresh({ peerId: '123123123' });
    const { peer } = await show(session, auditor);
    const found = async (query: string, token: string) =>
      (await world.get(`/v1/sessions?${query}`, token)).body.items?.map((item: Loose) => item.id);
    expect(await found(`peer=${peer.id}`, auditor)).toEqual([session]);
    expect(await found('peer=123123123', auditor)).toEqual([]);
    expect(await found('peer=123123123', admin)).toEqual([session]);
    const byAddress = await world.get('/v1/sessions?ip=203.0.113.0/24', auditor);
    expect([byAddress.status, byAddress.body.error.code]).toEqual([403, 'session.by-address']);
  });

  it('W14 once the month is erased there is nobody to be a pseudonym of', async () => {
    const gone = await world.host({ customer: 'Gone', name: 'srv-09' });
    const session = await fresh(PEER, gone);
    await world.erase(gone.group('session.started'));
    expect(await show(session, auditor)).toMatchObject({ personal: 'erased', peer: null, localUser: null });
  });

  it('Q14 a reveal is an act with a reason, recorded before anything is shown', async () => {
    const session = await fresh();
    const me = (await world.get('/v1/whoami', auditor)).body.id;
    const bare = await world.post(`/v1/sessions/${session}/reveal`, auditor, {});
    expect([bare.status, bare.body.error.code]).toEqual([400, 'request.invalid']);
    expect(await world.own('session.revealed')).toEqual([]);
    const reason = 'complaint of a specimen';
    const { body } = await world.post(`/v1/sessions/${session}/reveal`, auditor, { reason });
    expect([body.peer.id, body.personal]).toEqual([PEER.peerId, 'open']);
    expect(await world.own('session.revealed')).toMatchObject([
      { data: { session, person: me }, personal: { reason } },
    ]);
    expect((await show(session, auditor)).personal).toBe('pseudonym');
    const refused = await world.post(`/v1/sessions/${session}/reveal`, technician, { reason });
    expect([refused.status, refused.body.error.code]).toEqual([403, 'permission.denied']);
    world.failOwn = true;
    const failed = await world.post(`/v1/sessions/${session}/reveal`, auditor, { reason });
    world.failOwn = false;
    expect(failed.status).toBeGreaterThanOrEqual(500);
    expect(clearIn(failed.body)).toEqual([]);
  });

  it('W14 one per person and month: the same again, another for another, and another next month', async () => {
    const [one, two, other] = [
      await show(await fresh(), auditor),
      await show(await fresh(), auditor),
      await show(await fresh({ peerId: '999888777' }), auditor),
    ];
    expect(one.peer.id).toBe(two.peer.id);
    expect(other.peer.id).not.toBe(one.peer.id);
    world.clock.advance(12 * DAY_MS);
    const next = await host.session();
    expect((await show(next, auditor)).peer.id).not.toBe(one.peer.id);
  });
});
