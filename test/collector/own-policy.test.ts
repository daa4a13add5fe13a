import { describe, expect, it, onTestFinished } from 'vitest';
import { ask } from '../../collector/approvals.ts';
import { emptyLog } from '../../collector/erasing/erase.ts';
import { eraseDue } from '../../collector/erasing/eraser.ts';
import { policyInForce } from '../../collector/policy.ts';
import { splitOf } from '../../collector/regroup/splits.ts';
import { keepSessions } from '../../collector/regroup/take-out.ts';
import type { FaultSeam } from '../../collector/types.ts';
import { spanOf } from '../../protocol/group.ts';
import type { PersonId, SessionId } from '../../protocol/ids.ts';
import { type Policy, policySchema } from '../../protocol/policy.ts';
import { DAY_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, PEER, START, type TestHost } from './api-world.ts';

interface Scene {
  world: ApiWorld;
  host: TestHost;
  admin: string;
  dpo: string;
  look(faults?: FaultSeam): ReturnType<typeof eraseDue>;
}

async function scene(): Promise<Scene> {
  const world = await ApiWorld.make();
  onTestFinished(() => world.close());
  const admin = await world.person('admin');
  const dpo = await world.person('dpo');
  const host = await world.host();
  const look = async (faults: FaultSeam = {}) => {
    const done = await eraseDue({ ...world.erasing, faults });
    await emptyLog(world.erasing);
    return done;
  };
  return { world, host, admin, dpo, look };
}

function policy(version: number, keepAtMost: string, change: Record<string, unknown> = {}): Policy {
  const rule = { class: 'session', trigger: 'event', keepAtMost, keepAtLeast: null, action: 'erase' };
  const rules = [{ ...rule, ...change }];
  return policySchema.parse({ name: 'our-sessions', version, author: 'office', zone: 'UTC', rules });
}

const post = ({ world, admin }: Scene, wanted: Policy, more = {}) =>
  world.post('/v1/retention/policy', admin, { policy: wanted, reason: 'as agreed', ...more });

/** Asked for by one person and approved by another. */
async function approved(it: Scene, wanted: Policy): Promise<void> {
  const { status, body } = await post(it, wanted);
  expect([status, body.error.code]).toEqual([403, 'approval.needed']);
  const given = await it.world.post(`/v1/approvals/${body.error.approval}/approve`, it.dpo, {});
  expect([given.status, given.body.state]).toEqual([200, 'given']);
}

const monthBack = (months: number) => utcMs(Date.UTC(2026, 10 - months, 15, 9));

/** A session that began then, under the span that serves it. */
async function sessionAt({ world, host }: Scene, startedAt: UtcMs, peerId: string): Promise<SessionId> {
  const wish = { agreement: host.row.agreement, class: 'session', kind: 'span', at: startedAt } as const;
  const prepared = await world.ctx.groups.prepare([wish]);
  await world.ctx.store.write((tx) => prepared.commit(tx));
  return host.session({ startedAt, personal: { ...PEER, peerId } });
}

async function partsOf({ world }: Scene, session: SessionId) {
  const [row] = await world.ctx.store.read.sessionsById([session]);
  return world.ctx.store.read.parts(row?.partPos ?? []);
}

/** Of these, which still have their sealed part. */
async function kept(it: Scene, sessions: readonly SessionId[]): Promise<number[]> {
  const parts = await Promise.all(sessions.map((session) => partsOf(it, session)));
  return parts.flatMap((list, i) => (list.length > 0 ? [i] : []));
}

const inForce = async ({ world }: Scene) => (await policyInForce(world.ctx.store.read)).policy;

describe('a policy of one’s own', () => {
  it('D5 Y19 R7 12 months become 6: what is due by that goes, nothing else; 6 become 12: the rest stays', async () => {
    const it = await scene();
    const sessions: SessionId[] = [];
    for (let back = 0; back < 12; back += 1) {
      sessions.push(await sessionAt(it, monthBack(back), String(1_660_000_100 + back)));
    }
    await approved(it, policy(1, 'P12M'));
    expect(await it.look()).toMatchObject({ erased: 0 });
    const six = policy(2, 'P6M');
    const dry = (await post(it, six, { dryRun: true })).body;
    expect(dry).toMatchObject({
      needsApproval: true,
      shortened: ['session'],
      policy: 'our-sessions',
      version: 2,
    });
    // Every month is due earlier; those of December to May at once.
    const mine = dry.effects.find((one: Loose) => one.class === 'session');
    expect(mine).toMatchObject({ later: 0, dueNow: 6 });
    const asked = (await post(it, six)).body.error;
    expect(asked.code).toBe('approval.needed');
    expect(await it.look()).toMatchObject({ erased: 0 });
    expect(await kept(it, sessions)).toHaveLength(12);

    await it.world.post(`/v1/approvals/${asked.approval}/approve`, it.dpo, {});
    expect(await it.look()).toMatchObject({ erased: 6, complete: true });
    expect(await kept(it, sessions)).toEqual([0, 1, 2, 3, 4, 5]);
    const told = await it.world.own('erasure.started', 'erasure.done');
    expect(told).toHaveLength(12);
    const dues = [11, 10, 9, 8, 7, 6].map((back) => toIso(utcMs(Date.UTC(2026, 16 - back, 1))));
    for (const type of ['erasure.started', 'erasure.done']) {
      const data = told.filter((one) => one.type === type).map((one) => one.data);
      expect(data.map((one: Loose) => one.dueAt).sort()).toEqual(dues);
      for (const one of data) expect(one).toMatchObject({ policy: 'our-sessions', version: 2, by: 'policy' });
    }

    // Longer: at once, by one person. What is gone is gone, the rest has its twelve months again.
    const longer = await post(it, policy(3, 'P12M'));
    expect([longer.status, longer.body.shortened]).toEqual([200, []]);
    expect(await it.look()).toMatchObject({ erased: 0 });
    expect(await kept(it, sessions)).toEqual([0, 1, 2, 3, 4, 5]);
    const live = await it.world.ctx.store.read.groups.list({ class: 'session', state: 'live', kind: 'span' });
    const june = live.find(({ from }) => from === Date.UTC(2026, 5, 1));
    expect(june?.dueAt).toBe(Date.UTC(2027, 5, 1));
  });

  it('V64 a version says one thing for ever; the name of a pack is taken', async () => {
    const it = await scene();
    await approved(it, policy(1, 'P12M'));
    const other = await post(it, policy(1, 'P2Y'));
    expect([other.status, other.body.error.code]).toEqual([409, 'policy.version-used']);
    expect((await post(it, policy(1, 'P2Y'), { dryRun: true })).body.error.code).toBe('policy.version-used');
    expect((await post(it, { ...policy(9, 'P12M'), name: 'dk-msp' })).body.error.code).toBe('policy.name');
    expect((await post(it, { ...policy(9, 'P12M'), name: 'Ada Specimen' })).body.error.code).toBe(
      'request.invalid',
    );
    const both = await it.world.post('/v1/retention/policy', it.admin, {
      pack: 'none',
      policy: policy(9, 'P1Y'),
    });
    expect(both.body.error.code).toBe('policy.unnamed');
    expect(await inForce(it)).toEqual(policy(1, 'P12M'));
    // The same again is no other text.
    expect((await post(it, policy(1, 'P12M'))).status).toBe(200);
    const [set] = (await it.world.own('policy.set')).slice(-1);
    expect(set?.data).toMatchObject({
      policy: 'our-sessions',
      version: 1,
      rules: expect.stringMatching(/^[\w-]{43}$/),
    });
  });

  it('R8 what was asked for shortens what was in force then: after another it is asked for anew', async () => {
    const it = await scene();
    await approved(it, policy(1, 'P12M'));
    const asked = (await post(it, policy(2, 'P6M'))).body.error;
    expect((await post(it, policy(3, 'P3Y'))).status).toBe(200);
    const given = await it.world.post(`/v1/approvals/${asked.approval}/approve`, it.dpo, {});
    expect([given.status, given.body.error.code]).toEqual([409, 'policy.changed']);
    expect((await inForce(it)).version).toBe(3);
  });

  it('Y19 a keep-at-least is not shortened, or left out, by one person', async () => {
    const it = await scene();
    await approved(it, policy(1, 'P12M', { keepAtLeast: 'P6M' }));
    for (const least of ['P5M', null]) {
      const { body } = await post(it, policy(2, 'P12M', { keepAtLeast: least }));
      expect(body.error.code).toBe('approval.needed');
    }
    const person = (await it.world.ctx.store.read.people.list())[0]?.person as PersonId;
    const body = {
      policy: { ...policy(2, 'P1D'), name: 'none' },
      after: { policy: 'our-sessions', version: 1 },
    };
    const wanted = { verb: 'retention.set', body, person, reason: null, alone: false } as const;
    await expect(it.world.ctx.store.write((tx) => ask(it.world.ctx, tx, wanted))).rejects.toMatchObject({
      code: 'policy.name',
    });
    expect((await inForce(it)).version).toBe(1);
  });
});

describe('months that become days', () => {
  const on = (day: number) => utcMs(Date.UTC(2026, 9, day, 9));

  async function october(): Promise<Scene & { sessions: SessionId[] }> {
    const it = await scene();
    const sessions: SessionId[] = [];
    for (const day of [2, 10, 20, 28])
      sessions.push(await sessionAt(it, on(day), String(1_660_000_200 + day)));
    return { ...it, sessions };
  }

  it('V61 D5 each session goes on the day that its own day is due, and no other with it', async () => {
    const it = await october();
    await approved(it, policy(1, 'P30D'));
    // 22 November: the 2nd, 10th and 20th of October are over thirty days ago, the 28th is not.
    expect(await it.look()).toMatchObject({ erased: 3 });
    expect(await kept(it, it.sessions)).toEqual([3]);
    const [part] = await partsOf(it, it.sessions[3]!);
    const row = it.world.ctx.groups.byId(part!.under);
    expect(row).toMatchObject({
      kind: 'span',
      ...spanOf(on(28), 'day'),
      dueAt: on(28) - 9 * 3_600_000 + 30 * DAY_MS,
    });
    const { data } = (await it.world.own('erasure.started'))[0]!;
    expect(data).toMatchObject({ policy: 'our-sessions', version: 1 });
    // The month stays, empty, for what hosts sealed under it and have not sent: until its last day is due.
    const month = await it.world.ctx.store.read.groups.list({
      class: 'session',
      state: 'live',
      kind: 'span',
    });
    const long = month.find(({ from, to }) => from === Date.UTC(2026, 9, 1) && to === Date.UTC(2026, 10, 1));
    expect(long?.dueAt).toBe(Date.UTC(2026, 9, 31) + 30 * DAY_MS);
    expect(splitOf(long!)).toEqual({ rest: false });
    it.world.clock.advance(10 * DAY_MS);
    await it.look();
    expect(await kept(it, it.sessions)).toEqual([]);
  });

  it('V63 M1 S5 what is read again is the same session, or stays gone', async () => {
    const it = await october();
    const [held] = it.sessions.slice(2, 3) as [SessionId];
    await keepSessions(it.world.ctx, [held]);
    await approved(it, policy(1, 'P30D'));
    await it.look();
    expect(await kept(it, it.sessions)).toEqual([2, 3]);
    const again: SessionId[] = [];
    for (const day of [2, 10, 20, 28]) again.push(await sessionAt(it, on(day), String(1_660_000_200 + day)));
    const rows = await it.world.ctx.store.read.sessionsById(again);
    const into = again.map((session) => rows.find((row) => row.session === session)?.mergedInto ?? null);
    expect(into[2]).toBe(held);
    expect(into[3]).toBe(it.sessions[3]);
    // Of the dead days nothing sealed is stored again.
    expect((await kept(it, again)).filter((i) => i < 2)).toEqual([]);
  });

  it('V62 days that become months stay days, and what began in one is read into it', async () => {
    const it = await scene();
    await approved(it, policy(1, 'P30D'));
    await it.look();
    const early = await sessionAt(it, on(28), '1660000301');
    const [part] = await partsOf(it, early);
    expect((await post(it, policy(2, 'P12M'))).status).toBe(200);
    await it.look();
    expect(await partsOf(it, early)).toEqual([part]);
    const row = await it.world.ctx.store.read.groups.get(part!.under);
    expect(row).toMatchObject({ state: 'live', ...spanOf(on(28), 'day'), dueAt: Date.UTC(2027, 9, 28) });
    const again = await it.host.session({ startedAt: on(28), personal: { ...PEER, peerId: '1660000301' } });
    const [merged] = await it.world.ctx.store.read.sessionsById([again]);
    expect(merged?.mergedInto).toBe(early);
    const other = await sessionAt(it, on(27), '1660000302');
    const [under] = await partsOf(it, other);
    expect(it.world.ctx.groups.byId(under!.under)).toMatchObject(spanOf(on(27), 'month'));
  });

  it('V61 V55 whatever stops it, the next look goes on from there, and each part lies in its own day', async () => {
    const points: string[] = [];
    const whole = await october();
    await approved(whole, policy(1, 'P1D'));
    await whole.look({ hit: (point) => void points.push(point) });
    const mine = points.filter((point) => point.startsWith('split.'));
    expect(new Set(mine)).toEqual(new Set(['split.said', 'split.slice', 'split.done']));
    for (const stopAt of mine.keys()) {
      const it = await october();
      await approved(it, policy(1, 'P30D'));
      let left = stopAt;
      const faults = {
        hit(point: string) {
          if (!point.startsWith('split.')) return;
          if (left === 0) throw new Error(`stopped at ${point}`);
          left -= 1;
        },
      };
      await expect(it.look(faults)).rejects.toThrow('stopped at split.');
      expect(await it.world.own('erasure.started')).toEqual([]);
      await it.look();
      expect(await kept(it, it.sessions)).toEqual([3]);
      const [part] = await partsOf(it, it.sessions[3]!);
      expect(it.world.ctx.groups.byId(part!.under)).toMatchObject(spanOf(on(28), 'day'));
    }
  }, 60_000);

  it('D1 V53 what is kept stays, whatever the policy', async () => {
    const it = await october();
    await keepSessions(it.world.ctx, [it.sessions[0]!]);
    await it.look();
    await approved(it, policy(1, 'P1D'));
    await it.look();
    expect(await kept(it, it.sessions)).toEqual([0]);
    expect(toIso(START)).toBe('2026-11-22T12:00:00.000Z');
  });
});
