import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runDue } from '../../collector/approvals.ts';
import { addPerson } from '../../collector/people.ts';
import type { PersonRow } from '../../collector/store/types.ts';
import type { CustomerId, PersonId } from '../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, toIso, utcMs } from '../../protocol/time.ts';
import { type Answer, ApiWorld } from './api-world.ts';

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.make();
});
afterEach(() => world.close());

interface Who {
  id: PersonId;
  token: string;
}
async function add(role: PersonRow['role'], by: Who | null = null, customers: CustomerId[] | null = null) {
  const { person, token } = await addPerson(world.ctx, { role, customers, createdBy: by?.id ?? null });
  return { id: person.person, token };
}
const revoke = (who: Who, by: Who, body: object = {}) =>
  world.post(`/v1/people/${who.id}/revoke`, by.token, { reason: 'left', ...body });
const approve = (id: string, by: Who, body: object = {}) =>
  world.post(`/v1/approvals/${id}/approve`, by.token, { ...body });
const refuse = (id: string, by: Who, reason: string | null = 'stays') =>
  world.post(`/v1/approvals/${id}/refuse`, by.token, { reason });
const list = async (by: Who, query = '') => (await world.get(`/v1/approvals${query}`, by.token)).body.items;
const stateOf = async (who: Who) => (await world.ctx.store.read.people.get(who.id))?.state;
const said = ({ status, body }: Answer) => [status, body.error?.code];
const told = async () =>
  (await world.own('approval.asked', 'approval.alone', 'approval.given', 'approval.refused')).map(
    ({ type, data }) => [type.replace('approval.', ''), data.person],
  );
/** Asks for the revocation; returns the approval's id. */
async function askFor(who: Who, by: Who): Promise<string> {
  const { status, body } = await revoke(who, by);
  expect([status, body.error.code, body.error.exit]).toEqual([403, 'approval.needed', 'forbidden']);
  return body.error.approval;
}

describe('revoking somebody who could approve', () => {
  it('R7 is asked for, and done once another gives it: events, row and sign-ins in one', async () => {
    const [admin, dpo, gone] = [await add('admin'), await add('dpo'), await add('security')];
    const id = await askFor(gone, admin);
    expect(await stateOf(gone)).toBe('active');
    expect(await list(dpo)).toMatchObject([
      {
        id,
        verb: 'person.revoke',
        body: { person: gone.id },
        state: 'open',
        askedBy: admin.id,
        reason: 'left',
        approvers: [dpo.id],
      },
    ]);
    const { status, body } = await approve(id, dpo);
    expect([status, body.state, body.decidedBy]).toEqual([200, 'given', dpo.id]);
    expect((await world.get('/v1/whoami', gone.token)).status).toBe(401);
    expect(await told()).toEqual([
      ['asked', admin.id],
      ['given', dpo.id],
    ]);
    const [event] = await world.own('person.revoked');
    expect(event?.data).toEqual({ person: gone.id, by: admin.id, reason: 'asked', approval: id });
    const [asked] = await world.own('approval.asked');
    expect(asked?.personal).toEqual({ reason: 'left' });
  });

  it('needs nobody where the person is no possible approver, or cannot sign in any more', async () => {
    const [admin, dpo, auditor] = [await add('admin'), await add('dpo'), await add('auditor')];
    expect((await revoke(auditor, admin)).status).toBe(200);
    world.clock.advance(91 * DAY_MS);
    const late = await add('admin');
    expect((await revoke(dpo, late)).status).toBe(200);
    expect(await told()).toEqual([]);
  });

  it('a dry run says that it needs a second person, and asks for nothing', async () => {
    const [admin, dpo] = [await add('admin'), await add('dpo')];
    const { status, body } = await revoke(dpo, admin, { dryRun: true });
    expect([status, body.needsApproval]).toEqual([200, true]);
    expect(await list(admin)).toEqual([]);
  });

  it('Q6 the last admin is not even asked for', async () => {
    const [admin] = [await add('admin'), await add('dpo')];
    expect(said(await revoke(admin, admin))).toEqual([409, 'person.last-admin']);
    expect(await list(admin)).toEqual([]);
  });

  it('R9 asked for twice is one approval, with one event; asked for anew once its asker is gone', async () => {
    const [admin, two, gone] = [await add('admin'), await add('admin'), await add('dpo')];
    const id = await askFor(gone, admin);
    expect(await askFor(gone, admin)).toBe(id);
    expect(await askFor(gone, two)).toBe(id);
    expect((await told()).length).toBe(1);
    await world.ctx.store.write(async (tx) => {
      const row = (await tx.people.get(admin.id)) as PersonRow;
      await tx.people.put([{ ...row, state: 'revoked' }]);
    });
    expect(await askFor(gone, two)).not.toBe(id);
  });
});

describe('who may not', () => {
  it('R1 the asker and the person it is about, each with its own words and an event of the refusal', async () => {
    const [admin, two, gone] = [await add('admin'), await add('admin'), await add('dpo')];
    const id = await askFor(gone, admin);
    expect(said(await approve(id, admin))).toEqual([403, 'approval.own']);
    expect(said(await approve(id, gone))).toEqual([403, 'approval.about']);
    expect(said(await refuse(id, gone))).toEqual([403, 'approval.about']);
    const refusals = (await world.own('permission.refused')).map(({ data }) => [data.person, data.verb]);
    expect(refusals).toEqual([
      [admin.id, 'approval.approve'],
      [gone.id, 'approval.approve'],
      [gone.id, 'approval.refuse'],
    ]);
    expect((await approve(id, two)).status).toBe(200);
  });

  it('R2 an account that the asker made, or had made, less than 7 days ago', async () => {
    const admin = await add('admin');
    const gone = await add('dpo');
    const old = await add('admin', admin);
    const puppet = await add('admin', old);
    const id = await askFor(gone, admin);
    for (const one of [old, puppet]) expect(said(await approve(id, one))).toEqual([403, 'approval.young']);
    expect((await list(admin))[0].approvers).toEqual([]);
    world.clock.advance(7 * DAY_MS - 1);
    expect(said(await approve(id, puppet))).toEqual([403, 'approval.young']);
    world.clock.advance(1);
    expect((await approve(id, puppet)).status).toBe(200);
  });

  it('R3 a role that the table does not give it: not even asked', async () => {
    const [admin, auditor, gone] = [await add('admin'), await add('auditor'), await add('dpo')];
    const id = await askFor(gone, admin);
    expect(said(await approve(id, auditor))).toEqual([403, 'permission.denied']);
    expect(await list(auditor)).toHaveLength(1);
  });

  it('R3, Q4 of another customer it is as absent as one that never was', async () => {
    const [mine, theirs] = [await world.host({ customer: 'Mine' }), await world.host({ customer: 'Theirs' })];
    const admin = await add('admin');
    const gone = await add('dpo', null, [theirs.row.customer]);
    const bound = await add('dpo', null, [mine.row.customer]);
    const near = await add('security', null, [theirs.row.customer]);
    const id = await askFor(gone, admin);
    expect(await list(bound)).toEqual([]);
    expect(await approve(id, bound)).toEqual(await approve('0'.repeat(32), bound));
    expect(said(await approve(id, bound))).toEqual([404, 'approval.unknown']);
    expect((await approve(id, near)).status).toBe(200);
  });

  it('R5 given, refused and expired stay so, and the act does not run again', async () => {
    const [admin, dpo] = [await add('admin'), await add('dpo')];
    const [one, two, three] = [await add('security'), await add('security'), await add('security')];
    const given = await askFor(one, admin);
    await approve(given, dpo);
    expect(said(await approve(given, dpo))).toEqual([409, 'approval.over']);
    const refused = await askFor(two, admin);
    expect((await refuse(refused, dpo)).body.state).toBe('refused');
    expect(said(await approve(refused, dpo))).toEqual([409, 'approval.over']);
    const expired = await askFor(three, admin);
    world.clock.advance(14 * DAY_MS);
    expect(said(await approve(expired, dpo))).toEqual([409, 'approval.expired']);
    expect((await list(admin, '?state=expired')).map((item: { id: string }) => item.id)).toEqual([expired]);
    expect([await stateOf(two), await stateOf(three)]).toEqual(['active', 'active']);
    expect(await world.own('person.revoked')).toHaveLength(1);
  });

  it('R3 the asker takes back what they asked for; a refusal wants a reason', async () => {
    const [admin, gone] = [await add('admin'), await add('dpo')];
    const id = await askFor(gone, admin);
    expect(said(await refuse(id, admin, null))).toEqual([400, 'approval.reason']);
    expect((await refuse(id, admin, 'was a mistake')).body.state).toBe('refused');
    expect((await world.own('approval.refused'))[0]?.personal).toEqual({ reason: 'was a mistake' });
  });

  it('R6 what a revoked person asked for does not run', async () => {
    const [admin, two, dpo] = [await add('admin'), await add('admin'), await add('dpo')];
    const gone = await add('security');
    const id = await askFor(gone, two);
    await approve(await askFor(two, admin), dpo);
    expect(said(await approve(id, dpo))).toEqual([409, 'approval.asker-gone']);
    expect(await stateOf(gone)).toBe('active');
  });
});

describe('alone', () => {
  it('R4 one admin: exit 5, then --alone, then 72 hours, and it is recorded as such', async () => {
    const admin = await add('admin');
    const gone = await add('dpo', admin);
    const { body } = await revoke(gone, admin);
    const id = body.error.approval;
    expect(body.error.hint).toContain(`tilsyn approval approve ${id} --alone --reason`);
    expect(said(await approve(id, admin, { alone: true }))).toEqual([400, 'approval.reason']);
    const asked = await approve(id, admin, { alone: true, reason: 'nobody else is here' });
    const due = utcMs(world.clock.now() + 72 * HOUR_MS);
    expect([asked.status, asked.body.state, asked.body.aloneAt]).toEqual([200, 'open', toIso(due)]);
    world.clock.advance(72 * HOUR_MS - 1);
    expect(await runDue(world.ctx)).toBe(0);
    world.clock.advance(1);
    expect(await runDue(world.ctx)).toBe(1);
    expect(await runDue(world.ctx)).toBe(0);
    expect(await stateOf(gone)).toBe('revoked');
    expect(await told()).toEqual([
      ['asked', admin.id],
      ['alone', admin.id],
      ['given', null],
    ]);
    expect((await world.own('approval.alone'))[0]?.personal).toEqual({ reason: 'nobody else is here' });
    expect(await world.own('person.revoked')).toHaveLength(1);
  });

  it('R4 --alone on the command itself asks and goes alone in one; said twice it does not begin anew', async () => {
    const [admin, gone] = [await add('admin'), await add('dpo')];
    expect(said(await revoke(gone, admin, { alone: true, reason: null }))).toEqual([400, 'approval.reason']);
    const first = await revoke(gone, admin, { alone: true });
    expect(said(first)).toEqual([403, 'approval.needed']);
    world.clock.advance(HOUR_MS);
    await revoke(gone, admin, { alone: true });
    world.clock.advance(71 * HOUR_MS);
    expect(await list(admin, '?state=given')).toHaveLength(1);
    expect(await stateOf(gone)).toBe('revoked');
  });

  it('R4 not where somebody else could approve, now or when its time is over', async () => {
    const [admin, gone] = [await add('admin'), await add('dpo')];
    const other = await add('security');
    expect(said(await revoke(gone, admin, { alone: true }))).toEqual([403, 'approval.not-alone']);
    expect(await told()).toEqual([]);
    await approve(await askFor(other, admin), gone);
    const { body } = await revoke(gone, admin, { alone: true });
    const late = await add('security');
    world.clock.advance(4 * DAY_MS);
    expect(await runDue(world.ctx)).toBe(0);
    expect(await stateOf(gone)).toBe('active');
    expect((await approve(body.error.approval, late)).status).toBe(200);
  });

  it('R4 nobody goes alone with what another asked for', async () => {
    const [admin, gone] = [await add('admin'), await add('dpo')];
    const id = await askFor(gone, admin);
    const made = await add('admin', admin);
    const answer = await approve(id, made, { alone: true, reason: 'why not' });
    expect(said(answer)).toEqual([403, 'approval.not-asker']);
  });

  it('R5 refused within the 72 hours it never runs', async () => {
    const [admin, gone] = [await add('admin'), await add('dpo')];
    const { body } = await revoke(gone, admin, { alone: true });
    const young = await add('security', admin);
    expect((await refuse(body.error.approval, young)).status).toBe(200);
    world.clock.advance(4 * DAY_MS);
    expect(await runDue(world.ctx)).toBe(0);
    expect(await stateOf(gone)).toBe('active');
  });
});

describe('what runs', () => {
  it('R7 two who approve at once: it is given once, and runs once', async () => {
    const [admin, gone] = [await add('admin'), await add('dpo')];
    const approvers = [await add('security'), await add('security'), await add('admin')];
    const id = await askFor(gone, admin);
    const answers = await Promise.all(approvers.map((one) => approve(id, one)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect(await world.own('person.revoked')).toHaveLength(1);
  });

  it('R7 where the act cannot be stored nothing was given, and it can be given again', async () => {
    const [admin, gone, dpo] = [await add('admin'), await add('security'), await add('dpo')];
    const id = await askFor(gone, admin);
    await world.get('/v1/whoami', dpo.token);
    world.failOwn = true;
    expect((await approve(id, dpo)).status).toBe(500);
    world.failOwn = false;
    expect([await stateOf(gone), (await list(admin))[0].state]).toEqual(['active', 'open']);
    expect((await told()).map(([type]) => type)).toEqual(['asked']);
    expect((await approve(id, dpo)).status).toBe(200);
  });

  it('R7 where the act is refused by its own law nothing was given', async () => {
    const [admin, two, dpo] = [await add('admin'), await add('admin'), await add('dpo')];
    const [one, other] = [await askFor(admin, admin), await askFor(two, two)];
    expect((await approve(one, dpo)).status).toBe(200);
    expect(said(await approve(other, dpo))).toEqual([409, 'person.last-admin']);
    expect(await stateOf(two)).toBe('active');
    expect((await told()).map(([type]) => type)).toEqual(['asked', 'asked', 'given']);
  });

  it('R8 a body that was changed after it was asked for does not run', async () => {
    const [admin, gone, dpo] = [await add('admin'), await add('security'), await add('dpo')];
    const victim = await add('admin');
    const id = await askFor(gone, admin);
    await world.ctx.store.write(async (tx) => {
      const [row] = await tx.approvals.list();
      if (row !== undefined) await tx.approvals.put([{ ...row, body: { person: victim.id } }]);
    });
    expect(said(await approve(id, dpo))).toEqual([500, 'approval.changed']);
    expect([await stateOf(victim), await stateOf(gone)]).toEqual(['active', 'active']);
  });

  it('R10 what was asked for before a state was set back does not run; asked for anew it does', async () => {
    const [admin, gone] = [await add('admin'), await add('dpo')];
    const { body } = await revoke(gone, admin, { alone: true });
    await world.ctx.store.write((tx) => world.journal.succeed(tx, 'collector-restored'));
    world.clock.advance(4 * DAY_MS);
    expect(await runDue(world.ctx)).toBe(0);
    const two = await add('admin');
    expect(said(await approve(body.error.approval, two))).toEqual([409, 'approval.before-restore']);
    expect(await stateOf(gone)).toBe('active');
    const anew = await askFor(gone, admin);
    expect(anew).not.toBe(body.error.approval);
    expect((await approve(anew, two)).status).toBe(200);
    expect((await refuse(body.error.approval, two)).status).toBe(200);
  });

  it('Q1 a list of approvals is a reading; a dry run decides nothing', async () => {
    const [admin, gone, dpo] = [await add('admin'), await add('security'), await add('dpo')];
    const id = await askFor(gone, admin);
    expect((await approve(id, dpo, { dryRun: true })).body).toMatchObject({ state: 'given', dryRun: true });
    await list(dpo);
    expect(await stateOf(gone)).toBe('active');
    const readings = (await world.own('reading')).map(({ data }) => [data.verb, data.count]);
    expect(readings.slice(-1)).toEqual([['approval.list', 1]]);
  });
});
