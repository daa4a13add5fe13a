import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { may, PERMISSIONS, type Verb } from '../../collector/auth.ts';
import { addPerson } from '../../collector/people.ts';
import { ROLES } from '../../protocol/event.ts';
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

  it('Q2 unknown, malformed, expired and revoked get one answer, and are told apart in the log only', async () => {
    const expired = await world.person('auditor');
    world.clock.advance(91 * DAY_MS);
    const revoked = await addPerson(world.ctx, { role: 'auditor', customers: null, createdBy: null });
    await world.ctx.store.write((tx) => tx.people.put([{ ...revoked.person, state: 'revoked' }]));
    const answers = [];
    for (const token of [bogus(), 'nonsense', expired, revoked.token]) {
      answers.push(await world.get('/v1/whoami', token));
      world.clock.advance(2 * MINUTE_MS);
    }
    expect(new Set(answers.map((a) => `${a.status} ${a.body.error.code} ${a.body.error.message}`)).size).toBe(
      1,
    );
    expect(answers[0]?.status).toBe(401);
    const events = await world.own('signin.refused');
    expect(events.map((e) => e.data.reason)).toEqual(['unknown', 'malformed', 'expired', 'revoked']);
    expect(events[0]?.personal).toEqual({ address: '127.0.0.1' });
    expect(JSON.stringify(events)).not.toContain('tilsyn_');
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

describe('permissions', () => {
  it('security and dpo sign in and read nothing but who they are', () => {
    for (const role of ['security', 'dpo'] as const) {
      expect((Object.keys(PERMISSIONS) as Verb[]).filter((verb) => may(role, verb))).toEqual(['whoami']);
    }
  });

  it('an auditor changes nothing', () => {
    const allowed = (Object.keys(PERMISSIONS) as Verb[]).filter((verb) => may('auditor', verb));
    expect(allowed.filter((verb) => /\.(add|create|approve|resolve|revoke)$/.test(verb))).toEqual([]);
  });

  const READS: [Verb, string][] = [
    ['session.list', '/v1/sessions'],
    ['session.show', `/v1/sessions/${'0'.repeat(32)}`],
    ['session.tail', '/v1/sessions/tail?after=x'],
    ['event.list', '/v1/events'],
    ['event.tail', '/v1/events/tail?after=x'],
    ['host.list', '/v1/hosts'],
    ['host.show', `/v1/hosts/${'0'.repeat(32)}`],
    ['coverage', '/v1/coverage'],
    ['token.list', '/v1/tokens'],
    ['agreement.list', '/v1/agreements'],
    ['person.list', '/v1/people'],
  ];
  const ACTS: [Verb, string][] = [
    ['host.approve', `/v1/hosts/${'0'.repeat(32)}/approve`],
    ['host.resolve', `/v1/hosts/${'0'.repeat(32)}/resolve`],
    ['host.revoke', `/v1/hosts/${'0'.repeat(32)}/revoke`],
    ['token.create', '/v1/tokens'],
    ['token.revoke', `/v1/tokens/${'0'.repeat(32)}/revoke`],
    ['agreement.create', '/v1/agreements'],
    ['person.add', '/v1/people'],
    ['person.revoke', `/v1/people/${'0'.repeat(32)}/revoke`],
  ];

  it('every verb of the table has a route that asks for it', async () => {
    expect(
      [...READS, ...ACTS]
        .map(([verb]) => verb)
        .concat('whoami')
        .sort(),
    ).toEqual(Object.keys(PERMISSIONS).sort());
    for (const role of ROLES) {
      const token = await world.person(role);
      for (const [verb, path] of READS) {
        const { status } = await world.get(path, token);
        expect(`${role} ${verb} ${status === 403}`).toBe(`${role} ${verb} ${!may(role, verb)}`);
      }
      for (const [verb, path] of ACTS) {
        const { status } = await world.post(path, token, { nonsense: true });
        expect(`${role} ${verb} ${status === 403}`).toBe(`${role} ${verb} ${!may(role, verb)}`);
      }
    }
  });
});
