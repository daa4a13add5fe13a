/** A real agent with a root, a real collector that gives it the rules, and the command line on the host. */

import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../agent/log.ts';
import { askAgent, enrol, type Handle, markRoot, run as runAgent } from '../../agent/main.ts';
import { init, run as runCollector } from '../../collector/main.ts';
import { createToken } from '../../collector/tokens.ts';
import { DAY_MS, MINUTE_MS, systemClock } from '../../protocol/time.ts';
import { freePort } from '../support/free-port.ts';
import { CliWorld } from './cli-world.ts';

let cli: CliWorld;
let home: string;
let root: string;
let state: string;
let agent: Handle;
let port: number;
let collector: Awaited<ReturnType<typeof runCollector>>;
const paths: string[] = [];

beforeAll(async () => {
  cli = new CliWorld();
  home = mkdtempSync(join(tmpdir(), 'tilsyn-cli-nvr-'));
  root = join(home, 'recordings');
  for (const days of [40, 35, 5]) paths.push(record(days));
  port = await freePort();
  const at = join(home, 'collector');
  await init({ state: at, policy: 'dk-msp', url: `wss://127.0.0.1:${port}` });
  collector = await runCollector({ state: at, listen: `127.0.0.1:${port}`, signals: false });
  const { text: token } = await createToken(collector.ctx, {
    customer: 'Acme',
    site: 'Albertslund',
    person: null,
  });
  state = join(home, 'agent');
  await enrol({ state, token });
  await markRoot(root);
  const source = { type: 'recordings', root, layout: 'frigate', mode: 'erase' };
  const config = join(home, 'agent.yaml');
  writeFileSync(config, JSON.stringify({ sources: [source], telemetry: null }));
  agent = await runAgent({ state, config, signals: false, log: silentLog });
}, 60_000);

afterAll(async () => {
  await agent?.stop();
  await collector?.stop();
  cli.close();
  rmSync(home, { recursive: true, force: true });
});

function record(days: number): string {
  const iso = new Date(systemClock.now() - days * DAY_MS).toISOString();
  const path = `${iso.slice(0, 10)}/${iso.slice(11, 13)}/gate/${iso.slice(14, 16)}.${iso.slice(17, 19)}.mp4`;
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), 'footage');
  // Written a minute ago: what is younger may still be written.
  utimesSync(join(root, path), systemClock.now() / 1000 - 60, systemClock.now() / 1000 - 60);
  return path;
}

const run = (line: string) => cli.run([...line.split(' '), '--state', state]);
const items = async (line: string) =>
  (await run(`${line} -o json`)).json().items as Record<string, unknown>[];

/** Why each order of a verb was given, opened (J21). */
async function whys(verb: string): Promise<unknown[]> {
  const { store, opener } = collector.ctx;
  const leaves = await store.read.leaves({ types: ['command.issued'], limit: 100 });
  const of = leaves.filter(({ bytes }) => JSON.parse(bytes).data.verb === verb).map(({ pos }) => pos);
  const opened = await opener.open(store.read, of);
  return of.map((pos) => opened.get(pos)?.reason);
}

describe('the recordings of this host', () => {
  it('A2 lists them with the time until which each is kept, once the collector gave the rules (V70)', async () => {
    await expect.poll(() => items('recording list'), { timeout: 30_000 }).toHaveLength(3);
    await expect
      .poll(async () => (await items('recording list'))[0]?.retainUntil, { timeout: 30_000 })
      .toBeTruthy();
    const answer = (await run('recording list -o json')).json();
    expect(answer).toMatchObject({
      schema: 1,
      next: null,
      coverage: { hosts: [{ sources: [{ type: 'recordings' }] }] },
    });
    const [oldest] = answer.items as Record<string, unknown>[];
    expect(oldest).toMatchObject({
      path: paths[0],
      cameraName: 'gate',
      state: 'present',
      sizeBytes: 7,
      holds: [],
    });
    const until = Date.parse(String(oldest?.endedAt)) + 30 * DAY_MS;
    expect(Date.parse(String(oldest?.retainUntil))).toBe(until);
    const table = (await run('recording list --camera gate --limit 2')).out;
    expect(table).toContain(paths[0]);
    expect(table).not.toContain(paths[2]);
    const csv = (await run('recording list -o csv')).out.split('\r\n');
    expect(csv[0]).toBe(
      'id,source,camera,cameraName,path,startedAt,startedAtLatest,endedAt,endBasis,sizeBytes,state,retainUntil,holds,reason',
    );
    expect(csv).toHaveLength(5);
    expect((await run('recording list --camera nobody')).code).toBe(3);
  });

  it('R8 says what is past its time, and what was not looked at', async () => {
    const { code, out } = await run('recording due');
    expect(code).toBe(6);
    expect(out).toContain(paths[0]);
    expect(out).toContain(paths[1]);
    expect(out).not.toContain(paths[2]);
    expect(out).toMatch(/not looked at: .*backups/);
    const stats = await run('recording stats');
    expect(stats.code).toBe(6);
    expect(stats.out).toContain('policy dk-msp, version 1: recordings are kept at most P30D');
    expect(stats.out).toMatch(/gate +3 +21/);
    expect((await items('recording stats'))[0]).toMatchObject({
      ...{ name: 'gate', count: 3, due: 2, held: 0, limit: 'P30D' },
    });
  });

  it('A2 answers the same through the collector, to who may ask, as a reading on record', async () => {
    const host = agent.status().agent;
    cli.env.TILSYN_SERVER = `https://127.0.0.1:${port}`;
    cli.env.TILSYN_TOKEN_FILE = join(home, 'collector', 'admin.token');
    cli.env.TILSYN_CA = join(home, 'collector', 'ca.pem');
    const far = async (line: string) => await cli.run(`${line} --host ${host} -o json`.split(' '));
    const near = (await run('recording list -o json')).json();
    const first = await far('recording list');
    expect(first.err).toBe('');
    const answer = first.json();
    expect(answer.items).toEqual(
      near.items.map((item: object) => ({ ...item, hostId: host, host: answer.items[0].host })),
    );
    // V72: that no source of sessions is read is no gap of its recordings.
    expect(answer.coverage.hosts).toMatchObject([
      { hostId: host, gaps: [], sources: [{ type: 'recordings' }] },
    ]);
    expect((await far('recording due')).code).toBe(6);
    expect((await far('recording stats')).json().items[0]).toMatchObject({ name: 'gate', count: 3, due: 2 });
    expect((await far('sweep run --dry-run')).json()).toMatchObject({ dryRun: true });
    expect((await far('sweep run')).json()).toMatchObject({ outcome: 'done', ok: true });
    const said = await far('sweep approve --clock --yes --reason seen');
    expect(said.json()).toMatchObject({ outcome: 'done', ok: true });
    expect([await whys('sweep.run'), await whys('sweep.approve')]).toEqual([[undefined], ['seen']]);
    // C74: what it tells by itself, so that the collector can answer for it once it is gone.
    const days = async () => await collector.ctx.store.read.leaves({ types: ['recordings.day'], limit: 10 });
    await expect.poll(async () => (await days()).length, { timeout: 30_000 }).toBe(3);
    const [camera] = (await cli.run('camera list -o json'.split(' '))).json().items;
    expect(camera).toMatchObject({
      name: 'gate',
      recordings: 3,
      findings: ['unregistered', 'not-recording'],
    });
    const readings = await collector.ctx.store.read.leaves({ types: ['reading'], limit: 100 });
    const verbs = readings.map(({ bytes }) => JSON.parse(bytes).data.verb);
    expect(verbs).toEqual(expect.arrayContaining(['recording.list', 'recording.due', 'recording.stats']));
  });

  it('R6 the first sweep waits for a person; the plan is shown, approved, and carried out', async () => {
    expect((await run('sweep run')).code).toBe(0);
    await expect.poll(async () => (await items('sweep status'))[0]?.plan, { timeout: 20_000 }).toBeTruthy();
    expect((await run('sweep status')).code).toBe(6);
    const [plan] = await items('sweep plan');
    expect(plan).toMatchObject({ waits: 'first-sweep', count: 2, bytes: 14 });
    expect((await run(`sweep approve ${plan?.plan}`)).code).toBe(2);
    expect((await run(`sweep approve ${'0'.repeat(32)} --yes --reason x`)).code).toBe(3);
    const dry = await run(`sweep approve ${plan?.plan} --dry-run`);
    expect(dry.out).toContain('2 recordings, 14 bytes');
    expect(existsSync(join(root, paths[0] ?? ''))).toBe(true);
    expect((await run(`sweep approve ${plan?.plan} --yes --reason seen`)).code).toBe(0);
    await expect.poll(() => existsSync(join(root, paths[1] ?? '')), { timeout: 20_000 }).toBe(false);
    expect(paths.map((path) => existsSync(join(root, path)))).toEqual([false, false, true]);
    await expect.poll(async () => (await run('recording due')).code, { timeout: 20_000 }).toBe(0);
    const erased = await items('recording list --recording-state erased');
    expect(erased.map(({ path }) => path)).toEqual(paths.slice(0, 2));
  });

  it('R7 what vanishes without us is missing, and said to be', async () => {
    rmSync(join(root, paths[2] ?? ''));
    await askAgent(state, 'rescan');
    await expect.poll(() => items('recording missing'), { timeout: 20_000 }).toHaveLength(1);
    expect((await run('recording missing')).code).toBe(6);
  });

  it('C41 a root is accepted and given up by a person', async () => {
    expect((await run(`source accept-root ${root}`)).code).toBe(2);
    expect((await run(`source accept-root ${root} --yes --reason disk`)).code).toBe(0);
    expect((await run('source accept-root /nowhere --yes --reason disk')).code).toBe(3);
    const host = agent.status().agent;
    const far = async (line: string) => await cli.run(`${line} --host ${host} --yes -o json`.split(' '));
    const set = await far(`source accept-root ${root} --reason disk`);
    expect(set.json()).toMatchObject({ outcome: 'done', ok: true });
    expect(await whys('source.set')).toEqual(['disk']);
    expect((await far('source accept-root /nowhere --reason disk')).code).toBe(3);
    expect((await run(`source retire ${root} --yes --reason sold`)).code).toBe(2);
    expect((await run(`source retire ${root} --disposition destroyed --yes --reason sold`)).code).toBe(0);
    // C79: why each order was given here is in the log, sealed.
    const ordered = async () => {
      const { store, opener } = collector.ctx;
      const leaves = await store.read.leaves({ types: ['recordings.ordered'], limit: 10 });
      const opened = await opener.open(
        store.read,
        leaves.map(({ pos }) => pos),
      );
      return leaves.map(({ pos, bytes }) => [JSON.parse(bytes).data.verb, opened.get(pos)?.reason]);
    };
    const wanted = [
      ['sweep.approve', 'seen'],
      ['accept-root', 'disk'],
      ['accept-root', 'disk'],
      ['retire', 'sold'],
    ];
    await expect.poll(ordered, { timeout: 20_000 }).toEqual(wanted);
    const told = async () =>
      (await collector.ctx.store.read.leaves({ types: ['recordings.retired'], limit: 10 })).map(
        ({ bytes }) => JSON.parse(bytes).data.reason,
      );
    await expect.poll(told, { timeout: 10 * MINUTE_MS }).toEqual(['destroyed']);
  });

  it('A2 H14 of a host that is not connected it is said since when, and nothing is answered for it', async () => {
    const host = agent.status().agent;
    await agent.stop();
    for (const verb of ['list', 'due', 'missing', 'stats']) {
      const { code, err, json } = await cli.run(`recording ${verb} --host ${host} -o json`.split(' '));
      expect([code, json().items]).toEqual([6, []]);
      // V72, also within the time in which nobody is called silent yet.
      const reasons = (json().coverage.hosts as { gaps: { reason: string }[] }[]).flatMap(({ gaps }) =>
        gaps.map(({ reason }) => reason),
      );
      expect(reasons).toContain('not-connected');
      expect(err).toMatch(/not connected since 20\d\d-/);
    }
    const order = await cli.run(`sweep run --host ${host} -o json`.split(' '));
    expect([order.code, order.json().outcome]).toEqual([10, 'pending']);
  });
});
