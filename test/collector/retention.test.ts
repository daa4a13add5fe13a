import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../../collector/approvals.ts';
import { policyInForce, setPack } from '../../collector/policy.ts';
import { planOf } from '../../collector/retention-plan.ts';
import { openStore } from '../../collector/store/sqlite.ts';
import type { AgreementRow, GroupRow } from '../../collector/store/types.ts';
import { spanOf } from '../../protocol/group.ts';
import type { AgreementId, PersonId } from '../../protocol/ids.ts';
import { packOf } from '../../protocol/packs.ts';
import { policyDigest } from '../../protocol/policy-own.ts';
import { DAY_MS, toIso, utcMs } from '../../protocol/time.ts';
import { policyOf, ruleOf } from '../fixtures/retention.ts';
import { ApiWorld, type Loose, START, type TestHost } from './api-world.ts';

let world: ApiWorld;
let admin: string;
let host: TestHost;
beforeAll(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin', null);
  host = await world.host();
  await world.host({ customer: 'Bison', name: 'srv-02' });
});
afterAll(() => world.close());

const told = async (type: string) =>
  (await world.ctx.store.read.leaves({ types: [type], limit: 100 })).map(
    ({ bytes }) => (JSON.parse(bytes) as { data: Loose }).data,
  );
const get = async (path: string, token = admin) => (await world.get(path, token)).body;

describe('the policy in force', () => {
  it('V50 nobody chose one: none, and a class has no period', async () => {
    expect(await policyInForce(world.ctx.store.read)).toMatchObject({
      pack: 'none',
      person: null,
      setAt: null,
    });
    const { items } = await get('/v1/retention/rules');
    expect(items.map((item: Loose) => [item.class, item.trigger, item.policy, item.span])).toContainEqual([
      'session',
      null,
      'none',
      'month',
    ]);
  });

  it('V50 setting one is a record and an event, in one transaction', async () => {
    const person = 'c'.repeat(32) as PersonId;
    const failing = world.ctx.store.write(async (tx) => {
      await setPack(world.ctx, tx, { pack: 'dk-msp', person });
      throw new Error('the power went');
    });
    await expect(failing).rejects.toThrow('the power went');
    expect((await policyInForce(world.ctx.store.read)).pack).toBe('none');
    expect(await told('policy.set')).toEqual([]);
    await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'dk-msp', person }));
    expect(await policyInForce(world.ctx.store.read)).toEqual({
      policy: packOf('dk-msp').policy,
      pack: 'dk-msp',
      person,
      setAt: START,
    });
    const rules = policyDigest(packOf('dk-msp').policy);
    expect(await told('policy.set')).toEqual([{ policy: 'dk-msp', version: 1, person, rules }]);
  });

  it('V50 every class has a line, with period, span, action and where it comes from', async () => {
    const { items, next } = await get('/v1/retention/rules');
    expect(next).toBeNull();
    const line = (cls: string, mode: string | null = null) =>
      items.find((item: Loose) => item.class === cls && item.mode === mode);
    expect(line('session', 'one-off')).toMatchObject({
      trigger: 'session-end',
      keepAtMost: 'P0D',
      span: 'session',
      action: 'erase',
      policy: 'dk-msp',
      version: 1,
      zone: 'Europe/Copenhagen',
      note: expect.stringContaining('PN-07'),
      setAt: toIso(START),
    });
    expect(line('session', 'managed')).toMatchObject({ trigger: 'agreement-end', span: 'month' });
    expect(line('host.name')).toMatchObject({ span: 'agreement' });
    expect(line('recording')).toMatchObject({ keepAtMost: 'P30D', span: 'file' });
    expect(line('person.account')).toMatchObject({ keepAtMost: null, span: 'one' });
    const first = await get('/v1/retention/rules?limit=2');
    const rest = await get(`/v1/retention/rules?after=${first.next}`);
    expect([...first.items, ...rest.items]).toEqual(items);
  });

  it('Y18 what it leaves open is told, with the promises that wait', async () => {
    const { items } = await get('/v1/retention/findings');
    expect(items.map((item: Loose) => item.finding)).toEqual(
      expect.arrayContaining(['no-period', 'promise-open']),
    );
    expect(items.some((item: Loose) => item.text.startsWith('PN-50'))).toBe(true);
    expect(items.some((item: Loose) => item.class === 'session')).toBe(false);
  });

  it('Q1 each look is a reading', async () => {
    const verbs = (await told('reading')).map(({ verb }) => verb);
    expect(verbs).toEqual(expect.arrayContaining(['retention.rules', 'retention.lint']));
    await get('/v1/retention/plan');
    expect((await told('reading')).at(-1)).toMatchObject({ verb: 'retention.plan' });
  });

  it('V51 a record that cannot be read is not replaced by a guess', async () => {
    const store = await openStore(join(world.dir, 'other.db'), {});
    for (const text of [
      '',
      '{}',
      '{"v":2}',
      JSON.stringify({ v: 1, pack: null, person: null, setAt: 'x' }),
    ]) {
      await store.write((tx) => tx.setMeta('policy.record', text));
      await expect(policyInForce(store.read)).rejects.toMatchObject({
        code: 'policy.unreadable',
        exit: 'integrity',
      });
    }
    await store.close();
  });
});

describe('setting another pack', () => {
  const set = (pack: string, token: string, more = {}) =>
    world.post('/v1/retention/policy', token, { pack, reason: 'as agreed', ...more });
  const inForce = async () => (await policyInForce(world.ctx.store.read)).policy.name;
  const last = async () => (await world.own('policy.set')).at(-1);

  it('Y19 what makes nothing shorter is done at once, with its reason sealed', async () => {
    expect((await set('none', admin, { dryRun: true })).body).toMatchObject({
      needsApproval: false,
      shortened: [],
    });
    expect(await inForce()).toBe('dk-msp');
    const { status, body } = await set('none', admin);
    expect([status, body.policy, body.dryRun]).toEqual([200, 'none', false]);
    expect(await inForce()).toBe('none');
    expect(await last()).toMatchObject({ data: { policy: 'none' }, personal: { reason: 'as agreed' } });
    expect((await last())?.data.approval).toBeUndefined();
  });

  it('Y19 R7 what could let something go earlier waits for a second person', async () => {
    const dry = (await set('dk-msp', admin, { dryRun: true })).body;
    expect(dry).toMatchObject({ needsApproval: true, shortened: expect.arrayContaining(['recording']) });
    const { status, body } = await set('dk-msp', admin);
    expect([status, body.error.code]).toEqual([403, 'approval.needed']);
    expect(await inForce()).toBe('none');
    const dpo = await world.person('dpo', null);
    const given = await world.post(`/v1/approvals/${body.error.approval}/approve`, dpo, {});
    expect([given.status, given.body.state]).toEqual([200, 'given']);
    expect(await inForce()).toBe('dk-msp');
    expect((await last())?.data).toMatchObject({
      policy: 'dk-msp',
      version: 1,
      approval: body.error.approval,
    });
  });

  it('R8 what is approved is the version that was asked for', async () => {
    await set('none', admin);
    const asker = (await world.ctx.store.read.people.list())[0]?.person as PersonId;
    const body = { pack: 'dk-msp', version: 2 };
    const wanted = { verb: 'retention.set', body, person: asker, reason: null, alone: false } as const;
    await expect(world.ctx.store.write((tx) => ask(world.ctx, tx, wanted))).rejects.toMatchObject({
      code: 'policy.other-version',
    });
    expect(await inForce()).toBe('none');
  });

  it('Q11 it is that of every customer: not for who sees one, and of the packs there are', async () => {
    const bound = await world.person('admin', [host.row.customer]);
    expect((await set('none', bound)).body.error.code).toBe('policy.bound');
    expect((await set('nonsense', admin)).body.error.code).toBe('request.invalid');
    expect((await set('none', await world.person('dpo', null))).body.error.code).toBe('permission.denied');
    expect((await set('dk-msp', admin, { alone: true, reason: null })).body.error.code).toBe(
      'approval.reason',
    );
  });
});

describe('the plan', () => {
  it('says of every key group when it falls due, or why it does not', async () => {
    await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'dk-msp', person: null }));
    const { items } = await get('/v1/retention/plan');
    const mine = items.filter((item: Loose) => item.agreement === host.row.agreement);
    expect(mine.length).toBeGreaterThan(1);
    for (const item of mine) {
      expect(item).toMatchObject({ dueAt: null, reason: 'agreement-open', state: 'kept', customer: 'Acme' });
    }
    const own = items.filter((item: Loose) => item.kind === 'house');
    expect(own.length).toBeGreaterThan(0);
    for (const item of own)
      expect(item).toMatchObject({ reason: 'no-period', customer: null, state: 'kept' });
    const named = mine.find((item: Loose) => item.class === 'host.name');
    expect(named.parts).toBeGreaterThan(0);
    expect(named.more).toBe(false);
  });

  it('an agreement with an end has times, the first to go first; --until leaves out what comes later', async () => {
    const { store } = world.ctx;
    const ends = utcMs(START + DAY_MS);
    await store.write(async (tx) => {
      const row = (await tx.agreements.get(host.row.agreement)) as AgreementRow;
      await tx.agreements.put([{ ...row, endsAt: ends }]);
    });
    const all = (await get('/v1/retention/plan')).items as Loose[];
    const due = all.filter((item) => item.dueAt !== null);
    expect(all.slice(0, due.length)).toEqual(due);
    for (const item of due) {
      expect(item).toMatchObject({ dueAt: toIso(ends), reason: 'agreement-end', state: 'waiting' });
      expect(item).toMatchObject({ policy: 'dk-msp', version: 1, action: 'erase' });
    }
    const dueBefore = (at: number) => get(`/v1/retention/plan?until=${toIso(utcMs(at))}`);
    expect((await dueBefore(ends)).items).toEqual([]);
    expect((await dueBefore(ends + 1)).items).toHaveLength(due.length);
  });

  it('Q11 who is bound to a customer sees the groups of that one only', async () => {
    const auditor = await world.person('auditor', [host.row.customer]);
    const { items } = await get('/v1/retention/plan', auditor);
    expect(new Set(items.map((item: Loose) => item.customerId))).toEqual(new Set([host.row.customer]));
    expect((await world.get('/v1/retention/plan', await world.person('technician', null))).status).toBe(403);
  });

  const row = (over: Partial<GroupRow>): GroupRow => ({
    group: 'd'.repeat(32) as GroupRow['group'],
    kind: 'span',
    agreement: 'e'.repeat(32) as AgreementId,
    class: 'session',
    subject: null,
    ...spanOf(START, 'month'),
    key: null,
    record: {} as GroupRow['record'],
    slot: 1,
    state: 'live',
    dueAt: null,
    erasedAt: null,
    erasedBy: null,
    createdAt: START,
    ...over,
  });
  const year = policyOf([ruleOf({ keepAtMost: 'P1Y' })], 'UTC');
  const planned = (over: Partial<GroupRow>, policy = year, at: number = START) =>
    planOf([row(over)], policy, () => null, utcMs(at)).map(({ dueAt, reason, state }) => [
      dueAt,
      reason,
      state,
    ]);

  it('D5 each reason and state has its word', () => {
    const due = spanOf(utcMs(START + 360 * DAY_MS), 'month').from;
    expect(planned({})).toEqual([[due, 'keep-at-most', 'waiting']]);
    expect(planned({}, year, due)).toEqual([[due, 'keep-at-most', 'due']]);
    expect(planned({ state: 'erasing' }, year, due)).toEqual([[due, 'keep-at-most', 'erasing']]);
    expect(planned({ state: 'erased' }, year, due)).toEqual([]);
    expect(planned({}, policyOf([]))).toEqual([[null, 'no-policy', 'kept']]);
    expect(planned({ kind: 'oneoff', from: null, to: null })).toEqual([[null, 'session-end', 'waiting']]);
    expect(planned({}, policyOf([ruleOf({ action: 'report' })]))).toEqual([[null, 'report-only', 'kept']]);
    expect(planned({ kind: 'late', from: null, to: null })).toEqual([
      [utcMs(START + 365 * DAY_MS), 'keep-at-most', 'waiting'],
    ]);
  });
});
