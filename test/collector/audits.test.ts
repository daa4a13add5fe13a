/** Self-audits at the collector: listed, shown, signed, and missed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuditWatch } from '../../collector/audit-watch.ts';
import { LATE_PERMILLE, LOOK_MS, lateness, SETTLE_MS } from '../../collector/audit-watch-rules.ts';
import { rebuild } from '../../collector/projections.ts';
import type { OwnDraft } from '../../collector/types.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, START, type TestHost } from './api-world.ts';
import { finding, ran, runId } from './audit-events.ts';

let world: ApiWorld;
let admin: string;
let auditor: string;
let host: TestHost;

beforeEach(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin');
  auditor = await world.person('auditor');
  host = await world.host();
});
afterEach(() => world.close());

const list = async (query = '', token = admin) => (await world.get(`/v1/audits${query}`, token)).body;
const show = async (run: string, token = admin) => await world.get(`/v1/audits/${run}`, token);
const own = (...drafts: OwnDraft[]) => world.ctx.store.write((tx) => world.ctx.own.append(tx, drafts));
const runs = async () => await world.ctx.store.read.auditRuns.list();

/** A run with these findings, as a host sends it. */
async function told(codes: readonly string[], over: Loose = {}, of = host): Promise<string> {
  const run = runId();
  const found = codes.map((check) => finding(run, { check: check as 'row-differs' }));
  await of.send([...found, ran({ run, findings: codes.length, ...over })]);
  return run;
}

describe('self-audits', () => {
  it('are listed with their coverage, and shown with what was looked at and what was found', async () => {
    const run = await told(['row-without-file', 'canary-kept']);
    await told([], { startedAt: toIso(utcMs(START + DAY_MS)) });
    const { items, coverage } = await list();
    expect(items).toMatchObject([
      { id: run, hostId: host.id, trigger: 'schedule', findings: 2, everySeconds: 86_400, signed: [] },
      { findings: 0 },
    ]);
    expect(coverage.hosts).toMatchObject([{ hostId: host.id }]);
    expect((await list('?findings=1')).items).toHaveLength(1);
    expect((await list(`?until=${toIso(utcMs(START + HOUR_MS))}`)).items).toHaveLength(1);
    const page = await list('?limit=1');
    expect((await list(`?after=${page.next}`)).items).toHaveLength(1);
    const { body } = await show(run);
    expect(body.checks).toMatchObject([{ check: 'rows', looked: 12, of: 900, unseen: ['beyond-sample'] }]);
    expect(body.found).toMatchObject([
      { code: 'row-without-file', check: 'rows', count: 3, unseen: ['backups'] },
      { code: 'canary-kept' },
    ]);
    expect(body.findingsMissing).toBe(0);
    const [reading] = (await world.own('reading')).slice(-1);
    expect(reading?.data.verb).toBe('audit.show');
  });

  it('V85 findings that are not there are said to be missing, and none of another run is shown', async () => {
    const run = runId();
    await host.send([finding(runId()), finding(run), ran({ run, findings: 3 })]);
    const { body } = await show(run);
    expect(body.found).toHaveLength(1);
    expect(body.findingsMissing).toBe(2);
  });

  it('V80 no host makes, changes or takes over a run of another; what is told twice is the first telling', async () => {
    const stranger = await world.host({ customer: 'Theirs', name: 'theirs' });
    const run = await told([]);
    const before = await runs();
    await stranger.send([ran({ run, findings: 9 })]);
    await host.send([ran({ run, findings: 7 })]);
    await own({
      type: 'audit.signed',
      data: { run, agent: host.id, person: runId() },
    } as unknown as OwnDraft);
    await stranger.send([{ type: 'audit.signed', data: { run, agent: host.id, person: runId() } } as never]);
    expect(await runs()).toEqual(before);
    expect(await world.ctx.store.read.auditSignaturesOf([run as never])).toHaveLength(1);
    const all = async () => [
      await runs(),
      await world.ctx.store.read.auditHosts.list(),
      await world.ctx.store.read.auditSignatures.list(),
    ];
    const made = await all();
    await world.ctx.store.write(rebuild);
    expect(await all()).toEqual(made);
  });

  it('V81 a person signs a run once: who, when, and the note that they leave, sealed', async () => {
    const run = await told(['row-differs']);
    const body = { note: 'seen with Specimen Person' };
    const dry = await world.post(`/v1/audits/${run}/sign`, auditor, { ...body, dryRun: true });
    expect(dry.body).toMatchObject({ dryRun: true, signed: [] });
    const first = (await world.post(`/v1/audits/${run}/sign`, auditor, body)).body;
    expect(first.signed).toMatchObject([{ note: body.note, at: toIso(world.clock.now()) }]);
    world.clock.advance(HOUR_MS);
    const again = (await world.post(`/v1/audits/${run}/sign`, auditor, { note: 'again' })).body;
    expect(again.signed).toEqual(first.signed);
    await world.post(`/v1/audits/${run}/sign`, admin, {});
    const { signed } = (await show(run)).body;
    expect(signed).toMatchObject([{ note: body.note }, { note: null }]);
    expect(await world.own('audit.signed')).toHaveLength(2);
    const leaves = (await world.own('audit.signed')).map(({ data }) => data);
    expect(JSON.stringify(leaves)).not.toContain('Specimen');
    expect((await list('?unsigned=1')).items).toEqual([]);
    expect((await list()).items[0].signed).toHaveLength(2);
    expect(JSON.stringify(await list())).not.toContain('Specimen');
  });

  it('Q11 a technician reads a run and not what others noted of it, and does not sign', async () => {
    const technician = await world.person('technician');
    const run = await told([]);
    await world.post(`/v1/audits/${run}/sign`, auditor, { note: 'mine' });
    expect((await show(run, technician)).body.signed).toMatchObject([{ note: null }]);
    expect((await world.post(`/v1/audits/${run}/sign`, technician, {})).status).toBe(403);
    expect((await show(runId())).status).toBe(404);
  });

  it('Q1 what could not be recorded is neither shown nor signed', async () => {
    const run = await told([]);
    world.failOwn = true;
    expect((await show(run)).status).toBeGreaterThanOrEqual(500);
    const signed = await world.post(`/v1/audits/${run}/sign`, auditor, {});
    expect(signed.status).toBeGreaterThanOrEqual(500);
    world.failOwn = false;
    expect((await show(run)).body.signed).toEqual([]);
  });

  it('V84 a host without an audit in time is a gap of every list, also of an empty one', async () => {
    const gaps = async () =>
      (await list()).coverage.hosts.flatMap(({ gaps: all }: Loose) =>
        all.filter((one: Loose) => one.reason === 'no-audit'),
      );
    expect(await gaps()).toEqual([]);
    world.clock.advance(1.4 * DAY_MS);
    expect(await gaps()).toEqual([]);
    world.clock.advance(0.2 * DAY_MS);
    expect(await gaps()).toMatchObject([{ to: toIso(world.clock.now()) }]);
    await told([]);
    expect(await gaps()).toEqual([]);
    world.clock.advance(1.6 * DAY_MS);
    expect(await gaps()).toHaveLength(1);
  });
});

describe('self-audits that did not come', () => {
  let watch: AuditWatch;
  beforeEach(async () => {
    watch = await AuditWatch.open(world.ctx);
    watch.start();
  });
  afterEach(() => watch.close());

  /** Looks as a running collector does: a step of a minute now and then, the time between in silence. */
  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= LOOK_MS) {
      world.clock.advance(LOOK_MS);
      await watch.look();
    }
  }
  const alerts = async () =>
    (await list2()).map(({ check, state, level, hostId }: Loose) => ({ check, state, level, hostId }));
  const list2 = async () => (await world.get('/v1/alerts?check=audit-missed', admin)).body.items;

  it('V82 A1 an alert once one and a half periods went by, and its end with the next audit', async () => {
    await told([], { everySeconds: 7_200 });
    await pass(2.9 * HOUR_MS);
    expect(await alerts()).toEqual([]);
    await pass(0.3 * HOUR_MS);
    expect(await alerts()).toEqual([
      { check: 'audit-missed', state: 'open', level: 'warn', hostId: host.id },
    ]);
    await told([], { everySeconds: 7_200 });
    await pass(5 * MINUTE_MS);
    expect(await alerts()).toMatchObject([{ state: 'cleared' }]);
    // Nothing personal, and told once.
    expect(await world.own('alert.raised')).toHaveLength(1);
  });

  it('V83 what is open stays so over a restart, and is raised by one event', async () => {
    await told([], { everySeconds: 3_600 });
    await pass(2 * HOUR_MS);
    expect(await alerts()).toMatchObject([{ state: 'open' }]);
    await watch.close();
    watch = await AuditWatch.open(world.ctx);
    watch.start();
    await pass(HOUR_MS);
    expect(await world.own('alert.raised')).toHaveLength(1);
    await world.post(`/v1/hosts/${host.id}/revoke`, admin, { reason: 'gone' });
    await pass(5 * MINUTE_MS);
    expect(await alerts()).toMatchObject([{ state: 'cleared' }]);
  });

  it('V82 what hosts say of their own clocks moves nothing: it counts from when the leaf came', async () => {
    const future = toIso(utcMs(START + 300 * DAY_MS));
    await told([], { startedAt: future, endedAt: future, everySeconds: 3_600 });
    await pass(2 * HOUR_MS);
    expect(await alerts()).toMatchObject([{ state: 'open' }]);
  });

  it('V82 a collector that has only begun to listen, or stood still, raises nothing', async () => {
    await told([], { everySeconds: 3_600 });
    world.clock.advance(3 * DAY_MS);
    await watch.look();
    await pass(SETTLE_MS / 2);
    await told([], { everySeconds: 3_600 });
    await pass(SETTLE_MS);
    expect(await alerts()).toEqual([]);
  });
});

describe('self-audits: how late', () => {
  const base = { state: 'approved' as const, enrolledAt: utcMs(0) };
  const open = { state: 'open' as const, endsAt: null };
  const at = (ms: number) => ({ now: ms, listening: -DAY_MS });

  it('V82 a host that never told of one is given a day, counted from its enrolment', () => {
    expect(lateness(base, open, null, at(DAY_MS))).toBe(1_000);
    expect(lateness(base, open, null, at(1.5 * DAY_MS + 1))).toBe(LATE_PERMILLE);
    expect(lateness(base, open, null, at(2 * DAY_MS))).toBeGreaterThan(LATE_PERMILLE);
  });

  it('V82 nothing is expected of one that waits, is revoked, or whose agreement is over', () => {
    expect(lateness({ ...base, state: 'revoked' }, open, null, at(9 * DAY_MS))).toBe('gone');
    expect(lateness({ ...base, state: 'waiting' }, open, null, at(9 * DAY_MS))).toBe('gone');
    expect(lateness(base, { state: 'open', endsAt: utcMs(DAY_MS) }, null, at(9 * DAY_MS))).toBe('gone');
    expect(lateness(base, { state: 'ended', endsAt: null }, null, at(9 * DAY_MS))).toBe('gone');
    expect(lateness(base, { state: 'open', endsAt: utcMs(10 * DAY_MS) }, null, at(9 * DAY_MS))).toBe(9_000);
  });

  it('V82 a schedule of minutes is held to an hour, one that means nothing near to nothing', () => {
    expect(lateness(base, open, { receivedAt: 0, everySeconds: 60 }, at(HOUR_MS))).toBe(1_000);
    expect(lateness(base, open, { receivedAt: 0, everySeconds: null }, at(99 * DAY_MS))).toBe(0);
    expect(lateness(base, open, null, { now: 9 * DAY_MS, listening: 9 * DAY_MS })).toBeNull();
  });
});
