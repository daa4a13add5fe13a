import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addPerson } from '../../collector/people.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../protocol/time.ts';
import { ApiWorld } from './api-world.ts';

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.make();
});
afterEach(() => world.close());

const bogus = () => `tilsyn_${randomBytes(32).toString('base64url')}`;

describe('sign-in', () => {
  it('a token of this collector is its person', async () => {
    const token = await world.person('auditor');
    expect(token).toMatch(/^tilsyn_[A-Za-z0-9_-]{43}$/);
    const { status, body } = await world.get('/v1/whoami', token);
    expect(status).toBe(200);
    expect(body).toMatchObject({ role: 'auditor', customers: null, collector: 'test.example' });
  });

  it('Q7 only the hash of a token is stored', async () => {
    const token = await world.person('auditor');
    const rows = JSON.stringify(await world.ctx.store.read.signins.list());
    expect(rows).not.toContain(token.slice('tilsyn_'.length));
  });

  it('no token, no answer, and no event either', async () => {
    const { status, body } = await world.get('/v1/whoami');
    expect([status, body.error.code]).toEqual([401, 'signin.missing']);
    expect(await world.own('signin.refused')).toEqual([]);
  });

  it('Q2 unknown, malformed and revoked get one answer, and are told apart in the log only', async () => {
    const revoked = await addPerson(world.ctx, { role: 'auditor', customers: null, createdBy: null });
    await world.ctx.store.write((tx) => tx.people.put([{ ...revoked.person, state: 'revoked' }]));
    const answers = [];
    for (const token of [bogus(), 'nonsense', revoked.token]) {
      answers.push(await world.get('/v1/whoami', token));
      world.clock.advance(2 * MINUTE_MS);
    }
    expect(new Set(answers.map((a) => `${a.status} ${a.body.error.code} ${a.body.error.message}`)).size).toBe(
      1,
    );
    expect(answers[0]?.status).toBe(401);
    const events = await world.own('signin.refused');
    expect(events.map((e) => e.data.reason)).toEqual(['unknown', 'malformed', 'revoked']);
    expect(events[0]?.personal).toEqual({ address: '127.0.0.1' });
    expect(JSON.stringify(events)).not.toContain('tilsyn_');
  });

  it('Q2, Q3 a token that has ended says so to who holds it, with a way on, and is a refusal in the log', async () => {
    const token = await world.person('auditor');
    world.clock.advance(90 * DAY_MS - 1);
    expect((await world.get('/v1/whoami', token)).status).toBe(200);
    world.clock.advance(1);
    const { status, body } = await world.get('/v1/whoami', token);
    expect([status, body.error.code, body.error.exit]).toEqual([401, 'signin.expired', 'signedOut']);
    expect(body.error.hint).toContain('tilsyn person add');
    expect((await world.own('signin.refused')).map((e) => e.data.reason)).toEqual(['expired']);
    const another = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`;
    expect((await world.get('/v1/whoami', another)).body.error.code).toBe('signin.refused');
  });

  it('Q2 a flood is one event at once and one with the rest, and all of it is counted', async () => {
    for (let i = 0; i < 20; i++) await world.get('/v1/whoami', bogus());
    expect((await world.own('signin.refused')).map((e) => e.data.count)).toEqual([1]);
    world.clock.advance(MINUTE_MS);
    await expect
      .poll(async () => (await world.own('signin.refused')).map((e) => e.data.count))
      .toEqual([1, 19]);
    await world.get('/v1/whoami', bogus());
    expect((await world.own('signin.refused')).map((e) => e.data.count)).toEqual([1, 19, 1]);
  });

  it('Q2 the rest of a flood is written when the collector stops', async () => {
    for (let i = 0; i < 3; i++) await world.get('/v1/whoami', bogus());
    await world.app.close();
    expect((await world.own('signin.refused')).map((e) => e.data.count)).toEqual([1, 2]);
  });

  it('Q2 a refusal stands although it cannot be recorded', async () => {
    world.failOwn = true;
    expect((await world.get('/v1/whoami', bogus())).status).toBe(401);
    expect(world.logged.join('')).not.toContain('127.0.0.1');
  });

  it('the first use of a day is an event, the last use is kept', async () => {
    const token = await world.person('auditor');
    for (const ms of [0, 1000, HOUR_MS, DAY_MS]) {
      world.clock.advance(ms);
      await world.get('/v1/whoami', token);
    }
    expect(await world.own('signin.ok')).toHaveLength(2);
    const [signin] = await world.ctx.store.read.signins.list();
    expect(signin?.lastUsedAt).toBe(world.clock.now());
  });

  it('Q3 revoking a person ends all their sign-ins with the next request', async () => {
    const admin = await world.person('admin');
    const token = await world.person('technician');
    const { body: me } = await world.get('/v1/whoami', token);
    expect((await world.post(`/v1/people/${me.id}/revoke`, admin, { reason: 'left' })).status).toBe(200);
    expect((await world.get('/v1/whoami', token)).status).toBe(401);
  });
});

describe('a collector that demands an NDA', () => {
  it('Q12 shows personal data to those only whose date is recorded; everything else goes on', async () => {
    world.ctx.requireNda = true;
    const admin = await world.person('admin');
    const token = await world.person('auditor');
    const { status, body } = await world.get('/v1/sessions', token);
    expect([status, body.error.code, body.error.exit]).toEqual([403, 'permission.nda', 'forbidden']);
    expect((await world.get('/v1/events?personal=1', token)).body.error.code).toBe('permission.nda');
    expect((await world.get('/v1/hosts', token)).status).toBe(200);
    const { id } = (await world.get('/v1/whoami', token)).body;
    expect((await world.post(`/v1/people/${id}/change`, admin, { nda: '2026-11-01' })).status).toBe(200);
    expect((await world.get('/v1/sessions', token)).status).toBe(200);
    const event = (await world.own('person.changed'))[0];
    expect(event?.personal).toEqual({ nda: '2026-11-01' });
    expect(JSON.stringify(event?.data)).not.toContain('2026');
  });
});

describe('what a role may not', () => {
  it('Q13 is one event of a person and a verb at once, and one with the rest of the minute', async () => {
    const token = await world.person('auditor');
    for (let i = 0; i < 20; i++) expect((await world.post('/v1/people', token, {})).status).toBe(403);
    await world.get('/v1/tokens', token);
    const { id } = (await world.get('/v1/whoami', token)).body;
    const told = async () => (await world.own('permission.refused')).map((event) => event.data);
    expect(await told()).toEqual([{ person: id, role: 'auditor', verb: 'person.add', count: 1 }]);
    world.clock.advance(MINUTE_MS);
    await expect.poll(async () => (await told()).map(({ count }) => count)).toEqual([1, 19]);
    expect((await world.own('permission.refused'))[0]?.personal).toEqual({ address: '127.0.0.1' });
  });

  it('Q13 a refusal stands although it cannot be recorded', async () => {
    const token = await world.person('auditor');
    await world.get('/v1/whoami', token);
    world.failOwn = true;
    expect((await world.post('/v1/people', token, {})).status).toBe(403);
  });

  it('Q2, Q13 strangers who flood the one do not hide the other', async () => {
    const token = await world.person('technician');
    for (let i = 0; i < 40; i++) await world.get('/v1/whoami', bogus());
    await world.post('/v1/people', token, {});
    expect((await world.own('permission.refused')).map((e) => e.data.verb)).toEqual(['person.add']);
  });
});
