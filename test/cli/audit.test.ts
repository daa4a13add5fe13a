/** From an agent's audit of a real root to a signature at a real collector, all by the command line. */

import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../agent/log.ts';
import { detectTools, enrol, type Handle, markRoot, parseConfig, run as runAgent } from '../../agent/main.ts';
import { init, run as runCollector } from '../../collector/main.ts';
import { createToken } from '../../collector/tokens.ts';
import { DAY_MS, systemClock } from '../../protocol/time.ts';
import type { Loose } from '../collector/api-world.ts';
import { freePort } from '../support/free-port.ts';
import { CliWorld } from './cli-world.ts';

let cli: CliWorld;
let home: string;
let root: string;
let state: string;
let agent: Handle | null = null;
/** Exit of a check that finds nothing of what is provoked here. */
let usual = 0;
let collector: Awaited<ReturnType<typeof runCollector>>;
const paths: string[] = [];
const OLD_S = systemClock.now() / 1000 - 3_600;

beforeAll(async () => {
  cli = new CliWorld();
  home = mkdtempSync(join(tmpdir(), 'tilsyn-cli-audit-'));
  root = join(home, 'recordings');
  for (const days of [7, 6, 5]) paths.push(record(days));
  const port = await freePort();
  const at = join(home, 'collector');
  const made = await init({ state: at, policy: 'dk-msp', url: `wss://127.0.0.1:${port}` });
  collector = await runCollector({ state: at, listen: `127.0.0.1:${port}`, signals: false });
  cli.env.TILSYN_SERVER = `https://127.0.0.1:${port}`;
  cli.env.TILSYN_TOKEN_FILE = made.adminTokenFile;
  cli.env.TILSYN_CA = made.caFile ?? '';
  const place = { customer: 'Acme', site: 'Albertslund', person: null };
  const { text: token } = await createToken(collector.ctx, place);
  state = join(home, 'agent');
  await enrol({ state, token });
  await markRoot(root);
  const source = { type: 'recordings', root, layout: 'frigate', mode: 'erase' };
  const config = JSON.stringify({ sources: [source], telemetry: null });
  writeFileSync(join(home, 'agent.yaml'), config);
  agent = await runAgent({ state, config: join(home, 'agent.yaml'), signals: false, log: silentLog });
  await until(async () => agent?.status().sources[0]?.rows === 3);
  // Tools of the machine that the test runs on are findings of their own (A2).
  usual = (await detectTools(parseConfig(config, 'the test'))).uncovered.length > 0 ? 6 : 0;
}, 60_000);

afterAll(async () => {
  await agent?.stop();
  await collector?.stop();
  cli.close();
  rmSync(home, { recursive: true, force: true });
});

function record(days: number): string {
  const iso = new Date(systemClock.now() - days * DAY_MS).toISOString();
  const path = join(
    root,
    iso.slice(0, 10),
    iso.slice(11, 13),
    'gate',
    `${iso.slice(14, 16)}.${iso.slice(17, 19)}.mp4`,
  );
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'footage');
  for (const one of [path, dirname(path), join(path, '../..'), join(path, '../../..')])
    utimesSync(one, OLD_S, OLD_S);
  return path;
}

/** Takes a file away as somebody does who does not want it to be missed: the folder looks untouched. */
function takeAway(path: string): void {
  const { atimeMs, mtimeMs } = lstatSync(dirname(path));
  unlinkSync(path);
  utimesSync(dirname(path), atimeMs / 1000, mtimeMs / 1000);
}

async function until(ready: () => Promise<boolean>): Promise<void> {
  while (!(await ready())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Files of the state directory, without those that SQLite makes to read. */
const own = () =>
  readdirSync(state)
    .filter((name) => !/-(?:wal|shm)$/.test(name))
    .sort();
const check = (more = '') => cli.run(`agent check --state ${state}${more}`.split(' '));
const run = (line: string) => cli.run(line.split(' '));
const listed = async (): Promise<Loose[]> => (await run('audit list -o json')).json().items;

describe('self-audits, from the host to a signature', () => {
  it('A1 H11 a check of a running agent audits it: what was looked at and what was not', async () => {
    const { code, out, err } = await check();
    expect([code, err]).toEqual([usual, '']);
    expect(out).toMatch(/\nrows +3 +3 +0 +exports, copies-elsewhere, backups, snapshots\n/);
    expect(out).toMatch(/\ncanary-footage +3 +3 +0 +-?\n/);
    expect(out).toMatch(/\ncanary-session +2 +2 +0 +-?\n/);
    expect(out).toMatch(/not looked at: exports: recordings that were exported/);
    expect(out).toMatch(/agent check: .*; the agent runs\n/);
    await until(async () => (await listed()).length === 1);
  });

  it('A23 a recording that was taken away behind the scan is found: exit 6, in both forms', async () => {
    takeAway(paths[1] ?? '');
    const { code, out } = await check();
    expect(code).toBe(6);
    expect(out).toMatch(/rows +row-without-file +1\n/);
    const json = await check(' -o json');
    expect(json.code).toBe(6);
    expect(json.json()).toMatchObject({ ok: false, findings: [], audit: { trigger: 'asked' } });
    expect(json.json().audit.findings[0]).toMatchObject({
      check: 'rows',
      code: 'row-without-file',
      count: 1,
    });
    // Neither the name of the file nor that of the camera leaves the host.
    expect(json.out).not.toMatch(/mp4|gate/);
  });

  it('V80 H12 the collector lists the runs with their coverage, and shows the findings of one: exit 6', async () => {
    await until(async () => (await listed()).length === 3);
    const [clean, found] = await listed();
    expect(found).toMatchObject({ trigger: 'asked', signed: [] });
    expect(found?.findings).toBe(Number(clean?.findings) + 1);
    const table = await run('audit list --findings');
    expect(table.code).toBe(0);
    expect(table.out.trimEnd().split('\n').at(-1)).toMatch(/^coverage: 1 host/);
    expect((await run(`audit show ${clean?.id}`)).code).toBe(usual);
    const shown = await run(`audit show ${found?.id}`);
    expect(shown.code).toBe(6);
    expect(shown.out).toMatch(/row-without-file +rows +1 /);
    expect(shown.out).toMatch(/signed +by nobody/);
    expect(shown.out).toMatch(/not looked at: backups/);
    const csv = await run(`audit show ${found?.id} -o csv`);
    expect(csv.out.split('\r\n')[0]).toContain('found.code');
  });

  it('V81 H12 a person signs once; what was found stays found', async () => {
    const [, found] = await listed();
    const dry = await run(`audit sign ${found?.id} --dry-run -o json`);
    expect(dry.json()).toMatchObject({ dryRun: true, signed: [] });
    const signed = await cli.run(['audit', 'sign', String(found?.id), '--note', 'the disk is ordered']);
    expect(signed.code).toBe(6);
    expect(signed.out).toContain('the disk is ordered');
    const again = (await run(`audit sign ${found?.id} -o json`)).json();
    expect(again.signed).toMatchObject([{ note: 'the disk is ordered' }]);
    expect((await run('audit list --unsigned -o json')).json().items).toHaveLength(2);
    expect((await run(`audit show ${'0'.repeat(32)}`)).code).toBe(3);
  });

  it('H11 without a running agent the database and the disk are looked at, and what only it knows is said', async () => {
    await agent?.stop();
    agent = null;
    const before = own();
    const { code, out } = await check();
    expect(code).toBe(6);
    expect(out).toMatch(/row-without-file +1/);
    expect(out).toMatch(/\nsources +0 +- +0 +not-running\n/);
    expect(out).toMatch(/\ncanary-footage +3 +3/);
    expect(out).toContain('the agent does not run');
    expect(own()).toEqual(before);
    // It was no run of the agent: nothing is recorded of it.
    expect((await check(' -o json')).json().audit.run).toBeNull();
  });

  it('L3 a journal that was changed is an integrity violation: exit 8', async () => {
    const db = new Sqlite(join(state, 'agent.db'));
    db.exec("UPDATE leaves SET bytes = replace(bytes, 'asked', 'aksed') WHERE bytes LIKE '%audit.run%'");
    db.close();
    for (const name of readdirSync(state))
      if (name.startsWith('agent.db')) chmodSync(join(state, name), 0o600);
    const { code, out } = await check();
    expect(code).toBe(8);
    expect(out).toMatch(/chain +chain-broken/);
  });
});
