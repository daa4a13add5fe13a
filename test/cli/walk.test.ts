/** The way of an operator: collector, token, agent, sessions; both roles run as the product runs them. */

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLog } from '../../agent/log.ts';
import { type Handle as AgentHandle, run as runAgent } from '../../agent/main.ts';
import { type Handle as CollectorHandle, run as runCollector } from '../../collector/main.ts';
import { systemClock } from '../../protocol/time.ts';
import type { Loose } from '../collector/api-world.ts';
import { freePort } from '../support/free-port.ts';
import { CliWorld } from './cli-world.ts';

const ROW = (minute: string) =>
  `\n1660360496\tAda Example\t16-02-2024 14:${minute}:32\t16-02-2024 14:${minute}:36\tIEUser\tRemoteControl\t{b3a4df33-d027-44d5-b50f-4e6111549${minute}4}\t`;

let cli: CliWorld;
let collector: CollectorHandle;
let agent: AgentHandle | null = null;
let connections: string;
const run = (line: string, options = {}) => cli.run(line.split(' '), options);
const quiet = { write: () => true };

beforeAll(async () => {
  cli = new CliWorld();
  const port = await freePort();
  cli.env.TILSYN_STATE = join(cli.dir, 'collector');
  const made = (await run(`collector init --policy none --url wss://127.0.0.1:${port} -o json`)).json();
  cli.env.TILSYN_SERVER = `https://127.0.0.1:${port}`;
  cli.env.TILSYN_TOKEN_FILE = made.adminTokenFile;
  cli.env.TILSYN_CA = made.caFile;
  const log = pino({ level: 'silent' });
  collector = await runCollector({
    state: cli.env.TILSYN_STATE,
    listen: `127.0.0.1:${port}`,
    signals: false,
    log,
  });
  connections = cli.file('Connections_incoming.txt', ROW('16'));
});
afterAll(async () => {
  await agent?.stop();
  await collector.stop();
  cli.close();
});

describe('an operator’s way', () => {
  it('nobody is enrolled: no host was watched, exit 0', async () => {
    const { code, out } = await run('session list');
    expect([code, out]).toEqual([0, 'no sessions\nno host was watched\n']);
  });

  it('enrols once; the same line again says so, exit 0, and takes no use', async () => {
    const state = join(cli.dir, 'agent');
    const { out: token } = await run('token create --customer Acme --site Albertslund');
    const first = await run(`agent enrol --state ${state} --token -`, { stdin: token });
    expect([first.code, first.out.split('\n')[0]]).toEqual([0, 'enrolled']);
    const check = await run(`agent check --state ${state}`);
    expect([check.code, check.out]).toEqual([0, expect.stringContaining('never run yet')]);
    const again = await run(`agent enroll --state ${state} --token -`, { stdin: token });
    expect([again.code, again.out.split('\n')[0]]).toEqual([0, 'already enrolled']);
    expect((await run('token list -o json')).json().items[0]).toMatchObject({
      used: 1,
      uses: 1,
      state: 'used',
    });
    const spent = await run(`agent enrol --state ${join(cli.dir, 'second')} --token -`, { stdin: token });
    expect(spent.code).not.toBe(0);
  });

  it('A2 enrolled and never connected: an empty list exits 6', async () => {
    const { code, out } = await run('session list');
    expect(code).toBe(6);
    expect(out).toContain('never-connected');
  });

  it('sessions of the machine arrive, also those that it has while we look', async () => {
    const config = cli.file(
      'agent.yaml',
      `sources:\n  - type: teamviewer\n    connectionsIncoming: ${connections}\n    startFrom: beginning\n`,
    );
    const log = openLog({ clock: systemClock, to: quiet as never });
    agent = await runAgent({ state: join(cli.dir, 'agent'), config, signals: false, log });
    const sessions = async () => (await run('session list -o json')).json().items as Loose[];
    await expect.poll(sessions, { timeout: 30_000 }).toHaveLength(1);
    appendFileSync(connections, `${ROW('17')}${ROW('18')}\n`);
    await expect.poll(sessions, { timeout: 30_000 }).toHaveLength(3);
    expect((await sessions())[0]).toMatchObject({
      customer: 'Acme',
      site: 'Albertslund',
      peer: { id: '1660360496', names: ['Ada Example'] },
      personal: 'open',
    });
  });

  it('the agent says what it reads, and its state is sound', async () => {
    const state = join(cli.dir, 'agent');
    const status = await run(`agent status --state ${state}`);
    expect(status.code).toBe(0);
    expect(status.out).toContain('everything found is read');
    const checked = (await run(`agent check --state ${state} -o json`)).json();
    expect(checked).toMatchObject({ running: true, findings: [] });
    // The machine that the test runs on may have tools of its own (A2).
    const codes = checked.audit.findings.map(({ code }: Loose) => code);
    expect(codes.filter((code: string) => code !== 'tool-without-source')).toEqual([]);
    expect(checked.ok).toBe(codes.length === 0);
    expect((await run(`source list --state ${state} -o json`)).json()).toMatchObject({ running: true });
  });

  it('A2 stopped and revoked: the gap has its reason', async () => {
    await agent?.stop();
    agent = null;
    const { id } = (await run('host list -o json')).json().items[0];
    const revoked = await cli.run(['host', 'revoke', id, '--yes', '--reason', 'end of test']);
    expect(revoked.code).toBe(0);
    const coverage = await run(`coverage ${id} -o json`);
    expect(coverage.code).toBe(6);
    expect(coverage.json().items.at(-1).reason).toBe('revoked');
  });
});
