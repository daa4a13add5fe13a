import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dueFor } from '../../collector/erasing/due.ts';
import { emptyLog } from '../../collector/erasing/erase.ts';
import { eraseDue } from '../../collector/erasing/eraser.ts';
import { createGroups } from '../../collector/groups.ts';
import { policyInForce } from '../../collector/policy.ts';
import { rebuild } from '../../collector/projections.ts';
import { keepSessions, letGo, settleRequests, takeOut } from '../../collector/regroup/take-out.ts';
import { takesOf } from '../../collector/regroup/takes.ts';
import type { EventPersonal } from '../../protocol/event.ts';
import type { GroupId, SessionId } from '../../protocol/ids.ts';
import { packNamed } from '../../protocol/packs.ts';
import { openPart } from '../../protocol/seal.ts';
import { DAY_MS, MINUTE_MS, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, PEER, START, type TestHost } from './api-world.ts';

type Personal = EventPersonal<'session.started'>;
const ADA: Personal = { ...PEER, peerId: '1660360777', peerNames: ['Ada Specimen 7731'] };

interface Scene {
  world: ApiWorld;
  host: TestHost;
  admin: string;
  look(): ReturnType<typeof eraseDue>;
}

async function scene(rule: Record<string, unknown> = {}): Promise<Scene> {
  const world = await ApiWorld.make();
  onTestFinished(() => world.close());
  const admin = await world.person('admin');
  const host = await world.host();
  await inForce(world, rule);
  const look = async () => {
    const done = await eraseDue(world.erasing);
    await emptyLog(world.erasing);
    return done;
  };
  return { world, host, admin, look };
}

/** Twelve months for sessions. */
async function inForce({ ctx }: ApiWorld, change: Record<string, unknown> = {}): Promise<void> {
  const rule = { class: 'session', trigger: 'event', keepAtMost: 'P12M', keepAtLeast: null, action: 'erase' };
  const policy = {
    ...{ name: 'twelve-months', version: 3, author: 'test', zone: 'UTC' },
    rules: [{ ...rule, ...change }],
  };
  const record = { v: 1, pack: null, person: null, setAt: new Date(START).toISOString(), policy };
  await ctx.store.write((tx) => tx.setMeta('policy.record', JSON.stringify(record)));
}

let tick = 0;
const next = () => {
  tick += 1;
  return utcMs(START + tick * MINUTE_MS);
};

const request = ({ world }: Scene, sessions: SessionId[]) =>
  world.ctx.store.write((tx) =>
    takeOut(world.ctx, tx, { sessions, why: 'request', approval: 'a'.repeat(32) }),
  );

async function partsOf({ world }: Scene, session: SessionId) {
  const [row] = await world.ctx.store.read.sessionsById([session]);
  return await world.ctx.store.read.parts(row?.partPos ?? []);
}

const undersOf = async (it: Scene, session: SessionId) =>
  (await partsOf(it, session)).map(({ under }) => under);

/** What a person sees of these, and the bytes that lie sealed of them. */
async function seen({ world, admin }: Scene, sessions: readonly SessionId[]): Promise<string> {
  const { body } = await world.get('/v1/sessions?limit=1000', admin);
  const items = body.items.filter((item: Loose) => sessions.includes(item.id));
  expect(items).toHaveLength(sessions.length);
  const rows = await world.ctx.store.read.sessionsById(sessions);
  const parts = await world.ctx.store.read.parts(rows.flatMap(({ partPos }) => partPos));
  return JSON.stringify([items, rows, parts]);
}

const peerOf = async ({ world, admin }: Scene, session: SessionId) =>
  (await world.get(`/v1/sessions/${session}`, admin)).body.peer;

describe('one person’s records', () => {
  it('V52 V55 S5 are taken out of a month with 200 sessions; the others are the same byte for byte', async () => {
    const it = await scene();
    const { world, host, look } = it;
    const others: SessionId[] = [];
    const mine: SessionId[] = [];
    for (let i = 0; i < 200; i += 1) {
      const personal = i % 40 === 7 ? ADA : { ...PEER, peerId: String(1_660_000_000 + i) };
      (personal === ADA ? mine : others).push(await host.session({ startedAt: next(), personal }));
    }
    expect(mine).toHaveLength(5);
    const before = await seen(it, others);
    const span = host.group('session.started');
    const [group] = await request(it, mine);
    expect(group).toMatchObject({ kind: 'single', class: 'session', agreement: host.row.agreement });
    expect(await look()).toMatchObject({ erased: 1, complete: true });
    for (const session of mine) {
      expect(await partsOf(it, session)).toEqual([]);
      expect(await peerOf(it, session)).toBeNull();
      expect((await world.get(`/v1/sessions/${session}`, it.admin)).body).toMatchObject({
        tool: 'teamviewer',
      });
    }
    expect(await seen(it, others)).toBe(before);
    expect((await world.ctx.store.read.groups.get(span))?.state).toBe('live');
    const moved = await world.own('sealed.regrouped');
    expect(moved.map(({ data }) => [data.from, data.to])).toEqual(Array(5).fill([span, group?.group]));
    const done = (await world.own('erasure.done')).find(({ data }) => data.group === group?.group);
    expect(done?.data).toMatchObject({ by: 'request', policy: null, count: 5, method: 'slot-overwritten' });
    const { body } = await world.get(`/v1/erasures/${group?.group}`, it.admin);
    expect(body).toMatchObject({ state: 'erased', by: 'request', kind: 'single', parts: 5 });
    expect(body.request).toEqual({ approval: 'a'.repeat(32), sessions: expect.arrayContaining(mine) });
    expect(await look()).toMatchObject({ erased: 0 });
  });

  it('W11 take what explains them along, also what was said before, and nothing is added after', async () => {
    const it = await scene();
    const { world, host, admin, look } = it;
    const session = await host.session({ startedAt: next(), personal: ADA });
    for (const ticket of ['INC-1', 'INC-2']) {
      await world.post(`/v1/sessions/${session}/explain`, admin, { ticket });
    }
    const [group] = await request(it, [session]);
    await look();
    const done = (await world.own('erasure.done')).find(({ data }) => data.group === group?.group);
    expect(done?.data.count).toBe(3);
    expect((await world.own('session.explained')).map(({ personal }) => personal)).toEqual([null, null]);
    const again = await world.post(`/v1/sessions/${session}/explain`, admin, { ticket: 'INC-3' });
    expect([again.status, again.body.error.code]).toEqual([409, 'session.erased']);
  });

  it('V52 P7 S5 do not come back with what comes later, and it is counted as dropped', async () => {
    const it = await scene();
    const { world, host, look } = it;
    const startedAt = next();
    const session = await host.session({ startedAt, personal: ADA, open: true });
    await request(it, [session]);
    await look();
    const data = { session, auth: null, failedAttempts: null, files: null, confirmedBy: [] };
    await host.send([{ type: 'session.updated', data, personal: { peerNames: ['Ada Specimen'] } } as Loose]);
    expect(await partsOf(it, session)).toEqual([]);
    expect((await world.own('sealed.dropped')).length).toBe(1);
  });

  it('V57 M1 S5 do not come back by a log that is read again: it is the same session, and dropped', async () => {
    const it = await scene();
    const { world, host, look } = it;
    const startedAt = next();
    const session = await host.session({ startedAt, personal: ADA });
    await request(it, [session]);
    await look();
    const again = await host.session({ startedAt, personal: ADA });
    expect(again).not.toBe(session);
    expect(await partsOf(it, again)).toEqual([]);
    const [row] = await world.ctx.store.read.sessionsById([again]);
    expect(row?.mergedInto).toBe(session);
    expect(await world.own('sealed.dropped')).toHaveLength(1);
    const other = await world.host({ name: 'srv-02' });
    const third = await other.session({ startedAt, personal: ADA });
    expect(await partsOf(it, third)).toEqual([]);
    await world.ctx.store.write(rebuild);
    expect(await peerOf(it, session)).toBeNull();
  });

  it('V54 S5 do not come back with a database that was put back: the start asks for it again', async () => {
    const it = await scene();
    const { world, host, look } = it;
    const session = await host.session({ startedAt: next(), personal: ADA });
    const stays = await host.session({ startedAt: next() });
    // What an older database knows: the session, and nothing of the request.
    await world.ctx.bury([session]);
    expect(await undersOf(it, session)).toEqual([host.group('session.started')]);
    const tombs = world.erasing.keyring.tombstones();
    expect(await settleRequests(world.ctx, tombs)).toBe(1);
    expect(await look()).toMatchObject({ erased: 1 });
    expect(await partsOf(it, session)).toEqual([]);
    expect(await partsOf(it, stays)).toHaveLength(1);
    expect(await settleRequests(world.ctx, tombs)).toBe(0);
    // One that this database has never heard of is dropped as it comes.
    const unheard = randomBytes(16).toString('hex') as SessionId;
    await world.ctx.bury([unheard]);
    await host.session({ session: unheard, startedAt: next(), personal: ADA });
    expect(await partsOf(it, unheard)).toEqual([]);
  });

  it('P7 nobody drops another agreement’s parts by naming a session of theirs', async () => {
    const it = await scene();
    const { world, host, look } = it;
    const other = await world.host({ customer: 'Theirs', name: 'theirs-01' });
    const session = await host.session({ startedAt: next(), personal: ADA });
    await request(it, [session]);
    await look();
    const data = { session, auth: null, failedAttempts: null, files: null, confirmedBy: [] };
    const foreign = { type: 'session.updated', data };
    await other.send([{ ...foreign, personal: { peerNames: ['Bo Specimen'] } } as Loose]);
    expect(await world.own('sealed.dropped')).toEqual([]);
  });
});

describe('one session', () => {
  it('V53 is kept while its month goes, also past the end of its agreement, until it is let go', async () => {
    const it = await scene();
    const { world, host, look } = it;
    const [kept, goes] = [
      await host.session({ startedAt: next() }),
      await host.session({ startedAt: next() }),
    ];
    const before = await peerOf(it, kept);
    const span = host.group('session.started');
    const [group = '' as GroupId] = await keepSessions(world.ctx, [kept]);
    await look();
    expect(await undersOf(it, kept)).toEqual([group]);
    world.clock.advance(400 * DAY_MS);
    it.admin = await world.person('admin');
    await look();
    expect((await world.ctx.store.read.groups.get(span))?.state).toBe('erased');
    expect(await partsOf(it, goes)).toEqual([]);
    expect(await peerOf(it, kept)).toEqual(before);
    expect(await world.ctx.store.read.groups.get(group)).toMatchObject({ state: 'live', dueAt: null });
    const row = world.ctx.groups.byId(group) as Loose;
    const { policy } = await policyInForce(world.ctx.store.read);
    expect(dueFor(row, policy, { endsAt: START, coolingUntil: START })).toBeNull();
    const { body } = await world.get('/v1/retention/plan', it.admin);
    expect(body.items.find((one: Loose) => one.group === group)).toMatchObject({
      reason: 'kept',
      dueAt: null,
    });
    const refused = await world.post('/v1/sessions/erase', it.admin, { sessions: [kept], dryRun: true });
    expect([refused.status, refused.body.error.code]).toEqual([409, 'session.kept']);
    await letGo(world.ctx, group);
    expect(await look()).toMatchObject({ erased: 1 });
    expect(await partsOf(it, kept)).toEqual([]);
    const [erasure] = [await world.ctx.store.read.erasures.get(group)];
    expect(erasure).toMatchObject({ by: 'policy', policy: 'twelve-months' });
  });

  it('V52 that runs takes what comes later along; what it is one with too, and the rows outlive the process', async () => {
    const it = await scene();
    const { world, host, look } = it;
    const startedAt = next();
    const session = await host.session({ startedAt, open: true });
    const [group] = await keepSessions(world.ctx, [session]);
    await look();
    const data = { session, auth: null, failedAttempts: null, files: null, confirmedBy: [] };
    await host.send([{ type: 'session.updated', data, personal: { peerNames: ['Ada Specimen'] } } as Loose]);
    expect(await undersOf(it, session)).toEqual([group, group]);
    const twin = await host.session({ startedAt, open: true });
    await look();
    expect(await undersOf(it, twin)).toEqual([group]);
    const { store, clock, identity, random } = world.ctx;
    const { keyring } = world.erasing;
    const started = await createGroups({
      ...{ store, keyring, identity, clock, random },
      spans: packNamed('none'),
    });
    expect(started.takenOut(twin)?.group).toBe(group);
    expect(takesOf(started.takenOut(session) as Loose)).toMatchObject({ why: 'kept', gathered: true });
    // Kept twice is kept once.
    expect(await keepSessions(world.ctx, [session])).toEqual([]);
  });
});

describe('session erase', () => {
  const ERASE = '/v1/sessions/erase';
  const reason = 'request 2026-14';

  it('V58 R7 is asked for, given by a second person, and done by the one road with that approval', async () => {
    const it = await scene();
    const { world, host, admin, look } = it;
    const [mine, stays] = [
      await host.session({ startedAt: next(), personal: ADA }),
      await host.session({ startedAt: next() }),
    ];
    const dry = await world.post(ERASE, admin, { sessions: [mine], dryRun: true });
    expect(dry.body).toEqual({ sessions: [mine], hosts: 1, parts: 1, needsApproval: true, dryRun: true });
    expect((await world.post(ERASE, admin, { sessions: [mine] })).body.error.exit).toBe('usage');
    const asked = await world.post(ERASE, admin, { sessions: [mine], reason });
    expect([asked.status, asked.body.error.code]).toEqual([403, 'approval.needed']);
    expect(await look()).toMatchObject({ erased: 0 });
    expect(await partsOf(it, mine)).toHaveLength(1);
    const { approval } = asked.body.error;
    const dpo = await world.person('dpo');
    expect((await world.post(`/v1/approvals/${approval}/approve`, dpo)).status).toBe(200);
    expect(await look()).toMatchObject({ erased: 1, complete: true });
    expect([await partsOf(it, mine), (await partsOf(it, stays)).length]).toEqual([[], 1]);
    const { body } = await world.get('/v1/erasures', admin);
    expect(body.items).toMatchObject([
      { by: 'request', policy: null, state: 'erased', parts: 1, request: { approval, sessions: [mine] } },
    ]);
    const again = await world.post(ERASE, admin, { sessions: [mine], dryRun: true });
    expect([again.status, again.body.error.code]).toEqual([409, 'session.erased']);
  });

  it.each([
    ['the policy wants it kept for longer', { keepAtMost: 'P24M', keepAtLeast: 'P6M' }, {}],
    ['it runs', {}, { open: true }],
  ])('V58 Y17 D2 is refused while %s, and nothing is asked for', async (_, rule, session) => {
    const it = await scene(rule);
    const { world, host, admin } = it;
    const id = await host.session({ startedAt: next(), ...session });
    const { status, body } = await world.post(ERASE, admin, { sessions: [id], reason });
    expect([status, body.error.code]).toEqual([409, 'session.kept']);
    expect(await world.own('approval.asked')).toEqual([]);
  });

  it.each([
    ['has no period', { keepAtMost: null }],
    ['only reports', { action: 'report' }],
  ] as const)('V58 Y17 is asked for and done also under a policy that %s', async (_, rule) => {
    const it = await scene(rule);
    const { world, host, admin, look } = it;
    const id = await host.session({ startedAt: next() });
    const asked = await world.post(ERASE, admin, { sessions: [id], reason });
    expect([asked.status, asked.body.error.code]).toEqual([403, 'approval.needed']);
    const dpo = await world.person('dpo');
    const path = `/v1/approvals/${asked.body.error.approval}/approve`;
    expect((await world.post(path, dpo)).status).toBe(200);
    expect(await look()).toMatchObject({ erased: 1, complete: true });
    expect(await partsOf(it, id)).toEqual([]);
  });

  it('V58 what is kept since it was asked for is not erased: the approval is not given', async () => {
    const it = await scene();
    const { world, host, admin, look } = it;
    const id = await host.session({ startedAt: next() });
    const { body } = await world.post(ERASE, admin, { sessions: [id], reason });
    await keepSessions(world.ctx, [id]);
    const dpo = await world.person('dpo');
    const given = await world.post(`/v1/approvals/${body.error.approval}/approve`, dpo);
    expect([given.status, given.body.error.code]).toEqual([409, 'session.kept']);
    await look();
    expect(await partsOf(it, id)).toHaveLength(1);
    expect(world.ctx.isBuried?.(id)).toBe(false);
  });
});

describe('anonymising', () => {
  it('D5 V35 erases what is sealed, leaves what counts, and the certificate says so', async () => {
    const it = await scene({ action: 'anonymise' });
    const { world, host, look } = it;
    const session = await host.session({ startedAt: next() });
    const span = host.group('session.started');
    world.clock.advance(400 * DAY_MS);
    it.admin = await world.person('admin');
    await look();
    expect(await partsOf(it, session)).toEqual([]);
    const { body } = await world.get(`/v1/sessions/${session}`, it.admin);
    expect(body).toMatchObject({
      tool: 'teamviewer',
      kind: 'remote-control',
      peer: null,
      durationSeconds: 124,
    });
    const certificate = await world.get(`/v1/erasures/${span}`, it.admin);
    expect(certificate.body).toMatchObject({ method: 'anonymised', by: 'policy', policy: 'twelve-months' });
    expect(certificate.body.verified).toContain('keys-read-back');
    const events = await world.own('erasure.started', 'erasure.done');
    const of = events.filter(({ data }) => data.group === span);
    expect(of.map(({ data }) => data.method)).toEqual(['anonymised', 'anonymised']);
  });
});

/** The part of a session's start: where it lies, and what is in it. */
async function open({ ctx }: ApiWorld, session: SessionId) {
  const [row] = await ctx.store.read.sessionsById([session]);
  const [part] = await ctx.store.read.parts(row?.partPos ?? []);
  const [leaf] = await ctx.store.read.leavesAt([part?.pos ?? 0]);
  const [wrap] = part?.wrap == null ? [] : await ctx.store.read.wraps([part.wrap]);
  if (part === undefined || leaf === undefined || wrap === undefined) throw new Error('no part');
  const { group, under, body } = part;
  const { pii } = JSON.parse(leaf.bytes) as { pii: { group: string; c: string }[] };
  const c = pii.find((one) => one.group === group)?.c ?? '';
  const key = ctx.opener.contentKey(under, wrap);
  const opened = openPart(key ?? Buffer.alloc(32), { log: leaf.log, seq: leaf.seq, group, under }, c, body);
  return { under, p: opened?.p, r: opened?.r.toString('base64url') ?? '', c, leaf: leaf.bytes };
}

describe('a part that is moved', () => {
  it('V55 P3 opens to the same, and the commitment of its leaf stays valid, whatever it holds', async () => {
    const it = await scene();
    const { world, host, look } = it;
    const personal = fc.record({
      peerId: fc.string({ minLength: 1, maxLength: 40 }),
      peerNames: fc.array(fc.string({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 3 }),
      localUser: fc.string({ minLength: 1, maxLength: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(personal, async (p) => {
        const session = await host.session({ startedAt: next(), personal: p as Personal });
        const before = await open(world, session);
        await keepSessions(world.ctx, [session]);
        await look();
        const after = await open(world, session);
        expect(after.under).not.toBe(before.under);
        expect(after.p).toEqual(p);
        expect([after.p, after.r, after.c]).toEqual([before.p, before.r, before.c]);
        expect(after.leaf).toBe(before.leaf);
      }),
      { numRuns: 20 },
    );
  });
});
