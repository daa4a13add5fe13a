import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenText } from '../../protocol/enrolment.ts';
import { CliWorld } from './cli-world.ts';

let cli: CliWorld;
beforeAll(() => {
  cli = new CliWorld();
});
afterAll(() => cli.close());

const ROW =
  '1660360496\tAda Example\t16-02-2024 14:16:32\t16-02-2024 14:18:36\tIEUser\tRemoteControl\t{b3a4df33-d027-44d5-b50f-4e61115494d4}\t';

describe('collector init', () => {
  it('prints exactly the contract’s fields', async () => {
    const state = join(cli.dir, 'collector');
    const { code, json } = await cli.run(['collector', 'init', '--policy', 'none', '-o', 'json'], {
      env: { TILSYN_STATE: state },
    });
    expect(code).toBe(0);
    expect(Object.keys(json())).toEqual(['name', 'url', 'identity', 'caFile', 'adminTokenFile']);
    for (const dry of [[], ['--dry-run']]) {
      const again = await cli.run([
        'collector',
        'init',
        '--state',
        state,
        '--policy',
        'none',
        ...dry,
        '-o',
        'json',
      ]);
      expect([again.code, JSON.parse(again.err).error.code]).toEqual([7, 'collector.exists']);
    }
  });

  it('a policy has to be said, and to be known', async () => {
    expect(
      (
        await cli.run([
          'collector',
          'init',
          '--state',
          join(cli.dir, 'x'),
          '--policy',
          'nonsense',
          '--dry-run',
        ])
      ).code,
    ).toBe(2);
  });
});

describe('agent', () => {
  it('status of one that is not enrolled: what to do, exit 6', async () => {
    const state = join(cli.dir, 'nobody');
    mkdirSync(state, { mode: 0o700 });
    const { code, out, err } = await cli.run(['agent', 'status', '--state', state]);
    expect(code).toBe(6);
    expect(out).toContain('not enrolled');
    expect(err).toContain('tilsyn agent enrol');
  });

  it.each(['check', 'status'])('%s of a folder that is none: exit 3; of a file: exit 2', async (verb) => {
    const asked = async (state: string) => {
      const { code, err } = await cli.run(['agent', verb, '--state', state, '-o', 'json']);
      return [code, JSON.parse(err).error.code];
    };
    expect(await asked(join(cli.dir, 'absent'))).toEqual([3, 'state.missing']);
    expect(await asked(cli.file('a-file', ''))).toEqual([2, 'state.not-a-folder']);
  });

  it('W4 enrol and run on a file: exit 2, and which', async () => {
    const state = cli.file('a-file', '');
    const run = await cli.run(['agent', 'run', '--state', state, '-o', 'json']);
    expect([run.code, JSON.parse(run.err).error.code]).toEqual([2, 'state.not-a-folder']);
    const ids = { agreement: '1'.repeat(32), site: '2'.repeat(32), token: '3'.repeat(32) };
    const half = 'A'.repeat(43);
    const token = tokenText({
      v: 1,
      url: 'wss://127.0.0.1:1',
      identity: half,
      trust: 'system',
      ...ids,
      secret: half,
    });
    const enrol = await cli.run(['agent', 'enrol', '--state', state, '--token', '-', '-o', 'json'], {
      stdin: token,
    });
    expect([enrol.code, JSON.parse(enrol.err).error.code]).toEqual([2, 'state.not-a-folder']);
  });

  it('enrol: a token that is none is refused, without repeating it', async () => {
    const { code, err } = await cli.run(['agent', 'enrol', '--state', cli.dir, '--token', '-'], {
      stdin: 'tilsyn1.AAAA',
    });
    expect(code).toBe(2);
    expect(err).not.toContain('AAAA');
  });
});

describe('source', () => {
  it('test: what was understood and what was not, exit 6 where something was not', async () => {
    const good = cli.file('good.txt', `\n${ROW}`);
    const fine = await cli.run(['source', 'test', good, '--type', 'teamviewer', '-o', 'json']);
    expect(fine.code).toBe(0);
    expect(fine.json()).toMatchObject({ schema: 1, sessions: 1, firstStart: '2024-02-16T14:16:32.000Z' });
    const bad = cli.file('bad.txt', `\n${ROW}\nnonsense`);
    const half = await cli.run(['source', 'test', bad, '--type', 'teamviewer']);
    expect(half.code).toBe(6);
    expect(half.out).toMatch(/not understood +1 lines/);
    expect(half.out).toMatch(/line 3: fields/);
    expect((await cli.run(['source', 'test', join(cli.dir, 'none'), '--type', 'teamviewer'])).code).not.toBe(
      0,
    );
    expect((await cli.run(['source', 'test', good, '--type', 'telnet'])).code).toBe(2);
  });

  it('detect and list are lists with their coverage', async () => {
    const found = await cli.run(['source', 'detect', '-o', 'json']);
    expect(found.json()).toMatchObject({ schema: 1, coverage: { hosts: [] }, next: null });
    expect(found.json().lookedAt.length).toBeGreaterThan(0);
    const config = cli.file(
      'agent.yaml',
      'sources:\n  - type: teamviewer\n    connectionsIncoming: /x/Connections_incoming.txt\n',
    );
    const state = join(cli.dir, 'nobody');
    const listed = await cli.run(['source', 'list', '--state', state, '--config', config, '-o', 'json']);
    expect(listed.json().items[0]).toEqual({
      type: 'teamviewer',
      file: '/x/Connections_incoming.txt',
      state: 'not-running',
      problem: 'no such file yet',
      configured: true,
    });
    const table = await cli.run(['source', 'list', '--state', state, '--config', config]);
    expect(table.out).toMatch(/teamviewer +\/x\/Connections_incoming.txt +not-running +no such file yet/);
    expect(
      (await cli.run(['source', 'list', '--state', state, '--config', join(cli.dir, 'no.yaml')])).code,
    ).toBe(2);
  });
});

describe('version', () => {
  it('as text and as JSON', async () => {
    expect((await cli.run(['version'])).out).toMatch(/^tilsyn \d/);
    expect(Object.keys((await cli.run(['version', '-o', 'json'])).json())).toEqual([
      'version',
      'node',
      'platform',
    ]);
    expect((await cli.run(['--version'])).code).toBe(0);
  });
});
