/** The end of an agreement on a whole collector: real port, real files, doubles for its hosts. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COOLING_MS } from '../../collector/erasing/end-rules.ts';
import { backup, restore } from '../../collector/main.ts';
import { addPerson } from '../../collector/people.ts';
import { keepSessions, letGo } from '../../collector/regroup/take-out.ts';
import { takesOf } from '../../collector/regroup/takes.ts';
import type { AgreementRow, GroupRow } from '../../collector/store/types.ts';
import type { EventData } from '../../protocol/event.ts';
import type { AgreementId, GroupId, SessionId } from '../../protocol/ids.ts';
import { newId } from '../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, toIso, utcMs } from '../../protocol/time.ts';
import {
  type AgentDouble,
  type Answer,
  type DoubleLink,
  DoubleSealer,
  http,
  random,
} from '../support/agent-double.ts';
import { keysIn, leftovers } from '../support/leftovers.ts';
import { MovedClock, makePlace, ownEvents, silent, startWorld, until, type World } from './running.ts';

const CANARY = 'Kanarie Øresund 4471';
const HOST = 'canary-host-17';

interface Scene {
  world: World;
  one: AgentDouble;
  other: AgentDouble;
  /** The agreement that ends. */
  agreement: AgreementId;
  session: string;
  otherSession: string;
  call(method: string, path: string, body?: object): Promise<Answer>;
}

function isGathered({ groups }: World['handle']['ctx'], group: GroupId): boolean {
  const row = groups.byId(group);
  return row !== null && takesOf(row)?.gathered === true;
}

/** Two customers with a host and a session each. */
async function scene(): Promise<Scene> {
  const world = await startWorld({ place: await makePlace('dk-msp') });
  const one = await world.agent({ customer: 'Acme' });
  const other = await world.agent({ customer: 'Borealis' });
  const session = await sends(one);
  const otherSession = await sends(other, { peerId: '900 000 001' }, 'other-host');
  // Written a moment after they came: from then on nothing of a host's row changes by itself.
  const { read } = world.handle.ctx.store;
  await until(async () => (await read.agents.list()).every(({ firstSeenAt }) => firstSeenAt !== null));
  const token = readFileSync(world.made.adminTokenFile, 'utf8').trim();
  const call = (method: string, path: string, body?: object) =>
    http(world.handle.address, world.ca, method, path, body, { authorization: `Bearer ${token}` });
  return { world, one, other, agreement: one.token.agreement as AgreementId, session, otherSession, call };
}

function started(one: AgentDouble): EventData<'session.started'> {
  return {
    session: newId(random),
    source: 'a'.repeat(32),
    tool: 'teamviewer',
    direction: 'incoming',
    mode: 'managed',
    kind: 'remote-control',
    startedAt: toIso(utcMs(Date.now())),
    startBasis: 'file-utc',
    occurrence: one.chain.next,
  };
}

/** A host's name and a session, sealed; resolves once both are acked. */
async function sends(one: AgentDouble, personal: object = { peerId: CANARY }, name = HOST): Promise<string> {
  const link = await one.connect();
  const session = batchOf(one, link, personal, name);
  await link.ackThrough(one.chain.next - 1);
  one.acked.set(one.chain.log, one.chain.next - 1);
  await link.close();
  return session;
}

function batchOf(one: AgentDouble, link: DoubleLink, personal: object, name: string): string {
  const { log } = one.chain;
  const [whole, span] = [
    new DoubleSealer(one.group('whole', 'host.name'), log),
    new DoubleSealer(one.group('span'), log),
  ];
  const named = whole.seal(log, one.chain.next, { name });
  const first = one.chain.add('host.named', {}, [{ group: whole.group.group as GroupId, c: named.c }]);
  const sealed = span.seal(log, one.chain.next, { ...personal });
  const data = started(one);
  const second = one.chain.add('session.started', data, [
    { group: span.group.group as GroupId, c: sealed.c },
  ]);
  link.send(one.batch([first.text, second.text], [named, sealed]));
  return data.session;
}

/** Takes the next command, and answers it as an agent does. */
async function obeys(
  one: AgentDouble,
  link: DoubleLink,
  verb = 'agreement.end',
): Promise<{ effectiveAt: number | null }> {
  const command = await link.next('command');
  expect(command.verb).toBe(verb);
  one.applied = { generation: command.generation, n: command.n };
  link.send({ t: 'result', n: command.n, query: null, ok: true, body: { outcome: 'done' } });
  return command.body as { effectiveAt: number | null };
}

/** Drops what it is told is dead, as an agent does, until nothing of its agreement lives. */
async function forgets(one: AgentDouble, link: DoubleLink): Promise<void> {
  while (one.groups.length > 0) {
    const { add, dead } = await link.next('groups');
    one.groups = [...one.groups, ...add].filter(({ group }) => !dead.includes(group));
  }
}

const rowOf = async ({ world, agreement }: Scene) =>
  (await world.handle.ctx.store.read.agreements.get(agreement)) as AgreementRow;
const groupsOf = ({ world, agreement }: Scene) => world.handle.ctx.store.read.groups.list({ agreement });
const allDead = (rows: readonly GroupRow[]) =>
  rows.length > 0 && rows.every(({ state }) => state === 'erased');
const erased = (it: Scene) => until(async () => allDead(await groupsOf(it)));

async function itemOf(it: Scene, agreement: string = it.agreement) {
  const { body } = await it.call('GET', '/v1/agreements');
  return (body.items as Record<string, unknown>[]).find(({ id }) => id === agreement) as Record<
    string,
    unknown
  >;
}
async function sessionOf(it: Scene, session: string) {
  return (await it.call('GET', `/v1/sessions/${session}`)).body;
}
/** Ends it without the 72 hours: asked for by one, approved by another. Nothing else moves the clock. */
async function endsNow(it: Scene): Promise<void> {
  const { ctx, address } = it.world.handle;
  const second = await addPerson(ctx, { role: 'dpo', customers: null, createdBy: null });
  const asked = await it.call('POST', `/v1/agreements/${it.agreement}/end-now`, { reason: 'left' });
  const { approval } = asked.body.error as { approval: string };
  const path = `/v1/approvals/${approval}/approve`;
  const headers = { authorization: `Bearer ${second.token}` };
  const given = await http(address, it.world.ca, 'POST', path, {}, headers);
  expect(given.body).toMatchObject({ state: 'given' });
}

const order = (it: Scene, more: object = {}) =>
  it.call('POST', `/v1/agreements/${it.agreement}/end`, { reason: 'the customer has left', ...more });

/** Everything that is answered about the second customer, without what counts the readings of it. */
async function answersOf(it: Scene): Promise<string> {
  const paths = [
    '/v1/sessions?customer=Borealis',
    `/v1/sessions/${it.otherSession}`,
    '/v1/hosts?customer=Borealis',
    `/v1/hosts/${it.other.agent}`,
    '/v1/coverage?customer=Borealis',
    '/v1/erasures?customer=Borealis',
    `/v1/events?customer=Borealis&personal=1`,
    '/v1/alerts?customer=Borealis',
  ];
  const said: unknown[] = [];
  for (const path of paths) {
    const { status, body } = await it.call('GET', path);
    said.push(path, status, body);
  }
  return JSON.stringify(said, (key, value) =>
    ['to', 'lastSeenAt', 'sources', 'gaps', 'state', 'readThrough', 'skewMs'].includes(key)
      ? undefined
      : value,
  );
}

/** The rows of the second customer's groups, parts, wraps and keys. */
async function dumpOf({ world, other }: Scene): Promise<string> {
  const { read } = world.handle.ctx.store;
  const rows = await read.groups.list({ agreement: other.token.agreement as AgreementId });
  const dump: unknown[] = [rows.map((row) => ({ ...row, dueAt: null }))];
  for (const { group } of rows) {
    const places = await read.partsUnder(group, null, 1_000);
    dump.push(places, await read.parts(places.map(({ pos }) => pos)));
  }
  const keys = [...keysIn(join(world.dir, 'keys.slots'))].filter(([id]) =>
    rows.some(({ group }) => group === id),
  );
  return JSON.stringify([dump, keys.map(([id, key]) => [id, key.toString('hex')])]);
}

describe('an order', () => {
  it('S2 V39 V42 stops the collecting at once, erases after the cooling-off, and names who is pending', async () => {
    const it = await scene();
    const answer = await order(it);
    expect(answer.body).toMatchObject({ state: 'ending', hostsToTell: 1, dryRun: false });
    const link = await it.one.connect();
    expect(await obeys(it.one, link)).toEqual({
      agreement: it.agreement,
      effectiveAt: (await rowOf(it)).endsAt,
    });
    await until(async () => ((await itemOf(it)).hosts as { takenAt: unknown }[])[0]?.takenAt !== null);
    expect((await itemOf(it)).hosts).toMatchObject([{ host: HOST, state: 'pending' }]);
    expect(await sessionOf(it, it.session)).toMatchObject({ peer: { id: CANARY } });
    it.world.clock.advance(COOLING_MS - HOUR_MS);
    await until(async () => (await rowOf(it)).state === 'open');
    expect(await sessionOf(it, it.session)).toMatchObject({ personal: 'open' });
    const events = await ownEvents(it.world, 'agreement.ending');
    expect(events).toMatchObject([{ agreement: it.agreement, person: expect.any(String) }]);
    expect(JSON.stringify(events)).not.toContain('left');
  });

  it('V39 is checked: reason, date, twice, unknown', async () => {
    const it = await scene();
    const end = `/v1/agreements/${it.agreement}/end`;
    const codes: unknown[] = [];
    const said = async (path: string, body: object) => {
      const { body: answer } = await it.call('POST', path, body);
      codes.push((answer.error as { code: string } | undefined)?.code ?? 'done');
    };
    await said(end, {});
    await said(end, { reason: 'r', effectiveAt: '2001-01-01T00:00:00.000Z' });
    await said(`/v1/agreements/${'f'.repeat(32)}/end`, { reason: 'r' });
    await said(`/v1/agreements/${it.agreement}/cancel`, {});
    await said(end, { reason: 'r', dryRun: true });
    await said(end, { reason: 'r' });
    await said(end, { reason: 'r' });
    expect(codes).toEqual([
      'agreement.reason',
      'agreement.effective',
      'agreement.unknown',
      'agreement.not-ending',
      'done',
      'done',
      'agreement.ending',
    ]);
  });

  it('V39 V42 is taken back: hosts are told, and nothing is erased', async () => {
    const it = await scene();
    await order(it);
    const link = await it.one.connect();
    await obeys(it.one, link);
    const { body } = await it.call('POST', `/v1/agreements/${it.agreement}/cancel`, { reason: 'they stay' });
    expect(body).toMatchObject({ state: 'open', endsAt: null });
    expect(await obeys(it.one, link)).toMatchObject({ effectiveAt: null });
    await link.close();
    it.world.clock.advance(2 * COOLING_MS);
    await it.world.restart();
    expect((await rowOf(it)).state).toBe('open');
    expect(await sessionOf(it, it.session)).toMatchObject({ peer: { id: CANARY } });
    expect(await ownEvents(it.world, 'agreement.cancelled')).toHaveLength(1);
    expect(await ownEvents(it.world, 'erasure.started')).toEqual([]);
  });

  it('R4 --now needs a second person, and is refused where there is none', async () => {
    const it = await scene();
    const path = `/v1/agreements/${it.agreement}/end-now`;
    const alone = await it.call('POST', path, { reason: 'left' });
    expect([alone.status, (alone.body.error as { code: string }).code]).toEqual([403, 'approval.nobody']);
    expect(await it.world.handle.ctx.store.read.approvals.list()).toEqual([]);
    const { ctx } = it.world.handle;
    const second = await addPerson(ctx, { role: 'dpo', customers: null, createdBy: null });
    const asked = await it.call('POST', path, { reason: 'left' });
    const { code, approval } = asked.body.error as { code: string; approval: string };
    expect([asked.status, code]).toEqual([403, 'approval.needed']);
    expect((await rowOf(it)).endsAt).toBeNull();
    const own = await it.call('POST', `/v1/approvals/${approval}/approve`, {});
    expect((own.body.error as { code: string }).code).toBe('approval.own');
    const given = await http(
      it.world.handle.address,
      it.world.ca,
      'POST',
      `/v1/approvals/${approval}/approve`,
      {},
      { authorization: `Bearer ${second.token}` },
    );
    expect(given.body).toMatchObject({ state: 'given' });
    await erased(it);
    expect(await ownEvents(it.world, 'agreement.ending')).toMatchObject([{ approval }]);
  });
});

describe('the end', () => {
  it('S2 S3 V41 V44 V47 erases all of it, at the collector and at its hosts, and nothing of anybody else', async () => {
    const it = await scene();
    const { world, one } = it;
    const keys = keysIn(join(world.dir, 'keys.slots'));
    const mine = new Set((await groupsOf(it)).map(({ group }) => group as string));
    const dying = Object.fromEntries([...keys].filter(([id]) => mine.has(id)));
    expect(Object.keys(dying).length).toBeGreaterThanOrEqual(3);
    const [answers, dump] = [await answersOf(it), await dumpOf(it)];
    const link = await one.connect();
    await endsNow(it);
    await erased(it);
    expect(await rowOf(it)).toMatchObject({ state: 'ended', endedAt: null });
    expect(await itemOf(it)).toMatchObject({
      state: 'erasing',
      hosts: [{ host: one.agent, state: 'pending' }],
    });
    expect(await sessionOf(it, it.session)).toMatchObject({
      host: one.agent,
      peer: null,
      localUser: null,
      toolSessionId: null,
      personal: 'erased',
      erasedAt: expect.any(String),
    });
    await forgets(one, link);
    await obeys(one, link);
    await obeys(one, link, 'agreement.erase');
    await until(async () => (await rowOf(it)).endedAt !== null);
    expect(await itemOf(it)).toMatchObject({ state: 'ended', hosts: [{ state: 'done' }] });
    expect(await ownEvents(world, 'agreement.ended')).toMatchObject([
      { agreement: it.agreement, hosts: 1, revoked: 0 },
    ]);
    expect(await dumpOf(it)).toBe(dump);
    expect(await answersOf(it)).toBe(answers);
    expect(existsSync(join(world.dir, 'telemetry', `${it.agreement}.db`))).toBe(false);
    await link.close();
    await world.handle.stop();
    expect(leftovers([world.dir], { ...dying, session: CANARY, host: HOST })).toEqual([]);
    await world.restart();
    expect(await answersOf(it)).toBe(answers);
  });

  it('D5 S6 V48 has a certificate for each group, with what every host has said and how long backups last', async () => {
    const it = await scene();
    await order(it);
    it.world.clock.advance(COOLING_MS + 90_000);
    await erased(it);
    const { body } = await it.call('GET', `/v1/erasures?customer=Acme`);
    const items = body.items as Record<string, unknown>[];
    expect(items.map(({ kind }) => kind).sort()).toEqual((await groupsOf(it)).map(({ kind }) => kind).sort());
    const span = items.find(({ kind, parts }) => kind === 'span' && parts === 1) as Record<string, unknown>;
    const hosts = async () => (await it.call('GET', `/v1/erasures/${span.id}`)).body;
    expect(await hosts()).toMatchObject({
      state: 'erased',
      by: 'agreement',
      policy: 'dk-msp',
      version: 1,
      lateSeconds: 90,
      method: 'slot-overwritten',
      verified: ['keys-read-back', 'rows-deleted', 'database-log-emptied'],
      parts: 1,
      listRoot: expect.stringMatching(/^[\w-]{43}$/),
      backupHorizon: { until: null, known: false, copies: 0, images: 'not-declared' },
      hosts: [{ host: it.one.agent, state: 'pending', confirmedAt: null }],
      events: [{ type: 'erasure.done' }],
    });
    const link = await it.one.connect();
    await until(async () => ((await hosts()).hosts as { state: string }[])[0]?.state === 'confirmed');
    await link.close();
    expect(body.coverage).toMatchObject({ hosts: [{ hostId: it.one.agent }] });
  });

  it('V59 V53 is complete without what is kept, which is named with why, and goes when it is let go', async () => {
    const it = await scene();
    const { world, one } = it;
    const { ctx } = world.handle;
    const [group = '' as GroupId] = await keepSessions(ctx, [it.session as SessionId]);
    await until(async () => (await ctx.store.read.groups.get(group)) !== null && isGathered(ctx, group));
    const link = await one.connect();
    await endsNow(it);
    await until(async () =>
      (await groupsOf(it)).every((row) => row.state === 'erased' || row.group === group),
    );
    await forgets(one, link);
    await obeys(one, link);
    await obeys(one, link, 'agreement.erase');
    await until(async () => (await rowOf(it)).endedAt !== null);
    const kept = [{ group, reason: 'kept', sessions: [it.session] }];
    expect(await itemOf(it)).toMatchObject({ state: 'ended', hosts: [{ state: 'done' }], kept });
    const [ended] = await ownEvents(world, 'agreement.ended');
    expect(ended).toMatchObject({ kept: 1, groups: (await groupsOf(it)).length - 1, hosts: 1 });
    expect(await sessionOf(it, it.session)).toMatchObject({ peer: { id: CANARY }, personal: 'open' });
    // It outlives a restart, and nothing of the rest comes back for it.
    await link.close();
    await world.restart();
    const again = world.handle.ctx;
    expect(await sessionOf(it, it.session)).toMatchObject({ peer: { id: CANARY } });
    await letGo(again, group);
    await erased(it);
    expect(await sessionOf(it, it.session)).toMatchObject({ peer: null, personal: 'erased' });
    expect(await again.store.read.erasures.get(group)).toMatchObject({ by: 'agreement' });
    expect(await itemOf(it)).toMatchObject({ state: 'ended', kept: [], hosts: [{ state: 'done' }] });
    expect(await ownEvents(world, 'agreement.ended')).toHaveLength(1);
  });

  it('V41 a host that is revoked is not waited for', async () => {
    const it = await scene();
    await order(it);
    it.world.clock.advance(COOLING_MS);
    await erased(it);
    expect((await rowOf(it)).endedAt).toBeNull();
    await it.call('POST', `/v1/hosts/${it.one.agent}/revoke`, { reason: 'scrapped' });
    it.world.clock.advance(11 * 60_000);
    await until(async () => (await rowOf(it)).endedAt !== null);
    expect(await ownEvents(it.world, 'agreement.ended')).toMatchObject([{ hosts: 0, revoked: 1 }]);
  });

  it('V43 V49 tokens are useless from its date on, and no key group is made after it', async () => {
    const it = await scene();
    const text = await it.world.token({ customer: 'Acme', agreement: it.agreement, ttlMs: 80 * DAY_MS });
    const late = await it.world.token({ customer: 'Acme', agreement: it.agreement, ttlMs: 80 * DAY_MS });
    await order(it);
    const { AgentDouble } = await import('../support/agent-double.ts');
    const double = (token: string) =>
      new AgentDouble({ address: it.world.handle.address, ca: it.world.ca, token });
    const refused = async (token: string) =>
      ((await double(token).enrol()).body.error as { code: string }).code;
    expect(await refused(text)).toBe('agreement.ended');
    await expect(it.world.token({ customer: 'Acme', agreement: it.agreement })).rejects.toThrow(
      'it has ended',
    );
    // Another default agreement is made, as for a new customer.
    const fresh = await it.world.agent({ customer: 'Acme' });
    expect(fresh.token.agreement).not.toBe(it.agreement);
    it.world.clock.advance(COOLING_MS);
    await erased(it);
    expect(await refused(late)).toBe('agreement.ended');
    const before = (await groupsOf(it)).length;
    it.world.clock.advance(40 * DAY_MS);
    const link = await it.one.connect();
    await link.close();
    await it.world.restart();
    expect((await groupsOf(it)).length).toBe(before);
  });
});

describe('an answer that is lost', () => {
  it.each([
    ['done', 'done'],
    ['failed', 'failed'],
  ] as const)(
    'M10 the host has died in between: its log says %s, and that counts',
    async (outcome, state) => {
      const it = await scene();
      const { one } = it;
      const first = await one.connect();
      await endsNow(it);
      await erased(it);
      await forgets(one, first);
      await obeys(one, first);
      // Carried out and stored there, and killed before a word of it left.
      const { generation, n, verb } = await first.next('command');
      expect(verb).toBe('agreement.erase');
      await first.close();
      one.applied = { generation, n };
      const leaf = one.chain.add('command.applied', { generation, n, verb, outcome });
      const second = await one.connect();
      second.send(one.batch([leaf.text], []));
      await second.ackThrough(one.chain.next - 1);
      await until(
        async () => ((await itemOf(it)).hosts as { state: string }[] | undefined)?.[0]?.state === state,
      );
      if (state === 'done') await until(async () => (await rowOf(it)).endedAt !== null);
      else expect((await rowOf(it)).endedAt).toBeNull();
      await second.close();
    },
  );
});

describe('what comes late', () => {
  it('S2 S5 a host that was off for a week: leaves are stored, parts dropped and counted, nothing comes back', async () => {
    const it = await scene();
    const { world, one } = it;
    const seen = (await world.handle.ctx.store.read.counts()).leaves;
    await order(it);
    world.clock.advance(7 * DAY_MS);
    await erased(it);
    // What it made before it heard of anything: sealed under the groups that it still holds.
    const held = [...one.groups];
    const link = await one.connect();
    await obeys(one, link);
    await obeys(one, link, 'agreement.erase');
    one.groups = held;
    const session = batchOf(one, link, { peerId: CANARY }, HOST);
    one.groups = [];
    await link.ackThrough(one.chain.next - 1);
    expect((await world.handle.ctx.store.read.counts()).leaves).toBeGreaterThan(seen + 1);
    expect(await sessionOf(it, session)).toMatchObject({ peer: null, personal: 'erased' });
    expect(await ownEvents(world, 'sealed.dropped')).toMatchObject([{ log: one.chain.log, count: 2 }]);
    await until(async () => (await rowOf(it)).endedAt !== null);
    await link.close();
    await world.handle.stop();
    expect(leftovers([world.dir], { session: CANARY, host: HOST })).toEqual([]);
  });
});

describe('what a host hears first', () => {
  it('V62 without credits until it was told what died while it was away', async () => {
    const it = await scene();
    await endsNow(it);
    await erased(it);
    const link = await it.one.connect({}, it.one.groups);
    expect(link.welcome?.credits).toEqual({ events: 0, bytes: 0 });
    // `connect` has read the frame that names them; what comes next are the credits.
    expect((await link.next('credit')).events).toBeGreaterThan(0);
    await link.close();
    const other = await it.other.connect({}, it.other.groups);
    expect(other.welcome?.credits.events).toBeGreaterThan(0);
    await other.close();
    await it.world.handle.stop();
  });
});

describe('a collector put back', () => {
  const lose = async (it: Scene, file: string) => {
    await it.world.handle.stop();
    for (const name of readdirSync(it.world.dir)) {
      if (/^collector\.db/.test(name)) rmSync(join(it.world.dir, name));
    }
    return restore({ state: it.world.dir, file, log: silent, clock: it.world.clock });
  };
  const copy = async (it: Scene, name: string) => {
    const file = join(dirname(it.world.dir), name);
    await backup({ file, state: it.world.dir, log: silent });
    return file;
  };

  it('S5 V29 V40 from before the order: erased before the port opens, ended for ever, hosts told again', async () => {
    const it = await scene();
    const file = await copy(it, 'before.tilsyn');
    await order(it);
    it.world.clock.advance(COOLING_MS);
    await erased(it);
    const dump = await dumpOf(it);
    const done = await lose(it, file);
    expect(done.erased).toBeGreaterThanOrEqual(3);
    await it.world.restart();
    expect(await rowOf(it)).toMatchObject({ state: 'ended', endedAt: null });
    expect(allDead(await groupsOf(it))).toBe(true);
    expect(await sessionOf(it, it.session)).toMatchObject({ peer: null, personal: 'erased' });
    expect(await dumpOf(it)).toBe(dump);
    // The host refills what the copy lacked: nothing of it comes back.
    (it.one as { address: string }).address = it.world.handle.address;
    const link = await it.one.connect({}, it.one.groups);
    await obeys(it.one, link);
    await obeys(it.one, link, 'agreement.erase');
    await until(async () => (await rowOf(it)).endedAt !== null);
    await link.close();
    await it.world.handle.stop();
    expect(leftovers([it.world.dir], { session: CANARY, host: HOST })).toEqual([]);
  });

  it('S5 V29 V46 with the order in it: what fell due meanwhile is erased before the port opens', async () => {
    const it = await scene();
    await order(it);
    const file = await copy(it, 'ordered.tilsyn');
    it.world.clock.advance(COOLING_MS - HOUR_MS);
    await it.world.handle.stop();
    it.world.clock.advance(2 * HOUR_MS);
    await it.world.restart();
    await it.world.handle.stop();
    const done = await lose(it, file);
    expect(done.erased).toBeGreaterThanOrEqual(3);
    await it.world.restart();
    expect(allDead(await groupsOf(it))).toBe(true);
  });

  it('V46 a start erases what fell due while it was away, before the port opens', async () => {
    const clock = new MovedClock();
    const it = await scene();
    await order(it);
    await it.world.handle.stop();
    clock.advance(1);
    it.world.clock.advance(COOLING_MS + DAY_MS);
    await it.world.restart();
    expect(allDead(await groupsOf(it))).toBe(true);
    const done = await ownEvents(it.world, 'erasure.done');
    expect(done.length).toBeGreaterThanOrEqual(3);
    for (const { lateSeconds } of done) expect(lateSeconds).toBeGreaterThanOrEqual(86_400);
  });
});
