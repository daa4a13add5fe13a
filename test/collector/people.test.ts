import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addPerson, listPeople, revokePerson, within } from '../../collector/people.ts';
import type { PersonRow } from '../../collector/store/types.ts';
import type { CustomerId, PersonId } from '../../protocol/ids.ts';
import { DAY_MS } from '../../protocol/time.ts';
import { ApiWorld, START } from './api-world.ts';

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.make();
});
afterEach(() => world.close());

const A = 'a'.repeat(32) as CustomerId;
const B = 'b'.repeat(32) as CustomerId;
const add = async (role: PersonRow['role'], customers: CustomerId[] | null = null) =>
  (await addPerson(world.ctx, { role, customers, createdBy: null })).person;
const revoke = (person: PersonId, by: PersonId) => revokePerson(world.ctx, { person, by, reason: 'left' });

describe('people', () => {
  it('a sign-in lives 90 days, unless said otherwise', async () => {
    const { expiresAt } = await addPerson(world.ctx, { role: 'admin', customers: null, createdBy: null });
    expect(expiresAt - START).toBe(90 * DAY_MS);
    for (const ttlMs of [0, -1, 367 * DAY_MS]) {
      await expect(
        addPerson(world.ctx, { role: 'admin', customers: null, createdBy: null, ttlMs }),
      ).rejects.toMatchObject({ code: 'person.ttl', exit: 'usage' });
    }
  });

  it('Q7 a name lies in the sealed part of person.added, and nowhere else', async () => {
    const name = 'Grace Specimen';
    const { person } = await addPerson(world.ctx, {
      role: 'auditor',
      customers: null,
      createdBy: null,
      name,
      nda: '2026-01-31',
    });
    const [event] = await world.own('person.added');
    expect(event).toEqual({
      type: 'person.added',
      data: { person: person.person, role: 'auditor' },
      personal: { name, nda: '2026-01-31' },
    });
    const { read } = world.ctx.store;
    const rows = [await read.people.list(), await read.leaves({ limit: 100 })];
    expect(JSON.stringify(rows)).not.toContain('Grace');
  });

  it('Q5 revoking a person revokes their sign-ins in the same transaction, with one event', async () => {
    const admin = await add('admin');
    const other = await add('technician');
    await revoke(other.person, admin.person);
    await revoke(other.person, admin.person);
    const { read } = world.ctx.store;
    expect((await read.signins.list({ person: other.person })).map((s) => s.state)).toEqual(['revoked']);
    expect(await world.own('person.revoked')).toMatchObject([
      { data: { person: other.person, by: admin.person }, personal: { reason: 'left' } },
    ]);
  });

  it('Q5 where the event cannot be stored, nobody is revoked', async () => {
    const admin = await add('admin');
    const other = await add('technician');
    world.failOwn = true;
    await expect(revoke(other.person, admin.person)).rejects.toThrow();
    world.failOwn = false;
    const { read } = world.ctx.store;
    expect((await read.people.get(other.person))?.state).toBe('active');
    expect((await read.signins.list({ person: other.person })).map((s) => s.state)).toEqual(['active']);
  });

  it('Q6 the last admin cannot be revoked, two cannot revoke each other at once', async () => {
    const one = await add('admin');
    await expect(revoke(one.person, one.person)).rejects.toMatchObject({
      code: 'person.last-admin',
      exit: 'conflict',
    });
    const two = await add('admin');
    const results = await Promise.allSettled([
      revoke(one.person, two.person),
      revoke(two.person, one.person),
    ]);
    expect(results.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('Q6 an admin of some customers, or one whose sign-ins have ended, is no other admin', async () => {
    const one = await add('admin');
    const some = await add('admin', [A]);
    await expect(revoke(one.person, one.person)).rejects.toMatchObject({ code: 'person.last-admin' });
    await revoke(some.person, one.person);
    world.clock.advance(91 * DAY_MS);
    const late = await add('admin');
    await expect(revoke(late.person, late.person)).rejects.toMatchObject({ code: 'person.last-admin' });
    await revoke(one.person, late.person);
  });

  it('an unknown person: not found', async () => {
    await expect(revoke('f'.repeat(32) as PersonId, 'e'.repeat(32) as PersonId)).rejects.toMatchObject({
      exit: 'notFound',
    });
  });

  it('Q4 an admin of some customers sees those who are bound to no other', async () => {
    await add('admin');
    const inside = await add('technician', [A]);
    await add('technician', [A, B]);
    const seen = await listPeople(world.ctx.store.read, [A]);
    expect(seen.map((p) => p.person.person)).toEqual([inside.person]);
    expect(await listPeople(world.ctx.store.read, null)).toHaveLength(3);
  });

  it.each([
    [null, null, true],
    [[A], null, true],
    [null, [A], false],
    [[A], [A, B], true],
    [[A, B], [A], false],
    [[], [A], false],
  ])('Q4 %j reaches nothing beyond %j: %j', (inner, outer, expected) => {
    expect(within(inner, outer)).toBe(expected);
  });
});
