import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { access, begin, gone, knock, refused } from '../fixtures/x11vnc.ts';
import { CliWorld } from './cli-world.ts';

let cli: CliWorld;
beforeAll(() => {
  cli = new CliWorld();
});
afterAll(() => cli.close());

const IP = '203.0.113.7';
const LOG = [
  ...begin('10:00:00'),
  ...knock('10:01:00', IP),
  ...access('10:01:01', IP),
  ...gone('10:09:00', IP),
  ...knock('10:20:00', IP, 2),
  ...refused('10:20:03', IP),
  ...gone('10:20:03', IP),
  ...knock('10:30:00', IP, 3),
  ...access('10:30:01', IP),
  '',
].join('\n');

describe('source test of a declared log', () => {
  const test = (...more: string[]) =>
    cli.run(['source', 'test', cli.file('v.log', LOG), '--type', 'declared', ...more]);

  it('as JSON: sessions with what the log can know, refusals, nothing that was not understood', async () => {
    const { code, json } = await test('--spec', 'x11vnc', '-o', 'json');
    expect(code).toBe(0);
    expect(json()).toMatchObject({
      schema: 1,
      type: 'declared',
      encoding: 'utf8',
      sessions: 2,
      active: 1,
      ended: 1,
      rejected: 1,
      unanswered: 0,
      unreadable: { total: 0, first: [] },
      findings: [],
    });
    const [first, second] = json().rows;
    expect(first).toMatchObject({
      state: 'ended',
      endReason: 'completed',
      durationSeconds: 479,
      peer: { id: null, names: [], ips: [{ ip: IP, basis: 'socket' }] },
      technician: null,
    });
    expect(second).toMatchObject({ state: 'active', endedAt: null, durationSeconds: null });
    expect(json().attempts).toEqual([
      expect.objectContaining({ reason: 'wrong-password', count: 1, peer: expect.anything() }),
    ]);
  });

  it('as a table and as CSV, with as many rows as asked for', async () => {
    const table = await test('--spec', 'x11vnc', '--rows', '1');
    expect(table.out).toMatch(/sessions +2: 1 ended, 1 open at the end, 0 without a known end/);
    expect(table.out).toMatch(/refused +1\n/);
    expect(table.out.match(/remote-control/g)).toHaveLength(1);
    const csv = await test('--spec', 'x11vnc', '-o', 'csv');
    expect(csv.out.split('\n')[0]).toContain('state,startedAt,endedAt');
    expect(csv.err).toBe('2 sessions, 1 refusals, 0 lines not understood\n');
  });

  it('a declaration of one’s own, its mistakes, and lines that it cannot read: exit 6', async () => {
    const own = cli.file(
      'own.yaml',
      'format: lines\ntool: T\ntime: {format: "%H %d.%m.%Y %M", zone: utc}\nlines:\n' +
        '  - {match: \'client (?P<ip>\\S+)$\', what: record, fields: {ip: "{ip}"}}\n',
    );
    const unread = await test('--spec', own);
    expect([unread.code, /line \d+: start/.test(unread.out)]).toEqual([6, true]);
    const wrong = await test('--spec', cli.file('wrong.yaml', 'format: lines\ntol: x\n'), '-o', 'json');
    expect([wrong.code, JSON.parse(wrong.err).error.code]).toEqual([2, 'spec.invalid']);
    expect(JSON.parse(wrong.err).error.message).toContain('did you mean "tool"?');
  });

  it('what is not named, not there, or of another type says so', async () => {
    const failed = async (...more: string[]) => {
      const { code, err } = await test(...more, '-o', 'json');
      return [code, JSON.parse(err).error.code];
    };
    expect(await failed()).toEqual([2, 'source.spec-missing']);
    expect(await failed('--spec', join(cli.dir, 'none.yaml'))).toEqual([3, 'spec.missing']);
    expect(await failed('--spec', 'talk2m')).toEqual([2, 'source.wrong-spec']);
  });

  it('a report: --type csv', async () => {
    const report = cli.file(
      'report.csv',
      '\ufeffid;username;start_date;end_date\r\n{a};Ada Example;2026-11-27T10:00:00Z;2026-11-27T10:05:00Z\r\n',
    );
    const { code, json } = await cli.run([
      ...['source', 'test', report, '--type', 'csv', '--spec', 'teamviewer-report', '-o', 'json'],
    ]);
    expect(code).toBe(0);
    expect(json().rows).toEqual([
      expect.objectContaining({ technician: 'Ada Example', toolSessionId: '{a}', durationSeconds: 300 }),
    ]);
  });
});

it('R70 source test and source list say where a configuration lists nobody', async () => {
  const log = cli.file('auth.log', '');
  const test = async (source: object, ...command: string[]) => {
    const config = cli.file(
      'agent.yaml',
      JSON.stringify({ sources: [{ type: 'sshd', path: log, ...source }] }),
    );
    return await cli.run([...command, '--config', config, '-o', 'json']);
  };
  const asked = ['source', 'test', log, '--type', 'sshd'];
  const nobody = await test({ match: 'listed' }, ...asked);
  expect([nobody.code, nobody.json().findings]).toEqual([6, [{ finding: 'nobody-listed', count: 1 }]]);
  for (const source of [{ match: 'all' }, { match: 'listed', listed: { networks: ['198.51.100.0/24'] } }]) {
    const { code, json } = await test(source, ...asked);
    expect([code, json().findings]).toEqual([0, []]);
  }
  const state = join(cli.dir, 'not-enrolled');
  mkdirSync(state, { mode: 0o700 });
  const list = await test({ match: 'listed' }, 'source', 'list', '--state', state);
  const { items } = list.json();
  expect(items[0]).toMatchObject({ type: 'sshd', problem: expect.stringContaining('nobody is listed') });
});

describe('source detect', () => {
  it('tools, findings and where was looked; the exit says whether something is not watched', async () => {
    const { code, json } = await cli.run(['source', 'detect', '-o', 'json']);
    const { items, findings, lookedAt } = json();
    for (const item of items) {
      expect(Object.keys(item)).toEqual(
        expect.arrayContaining(['tool', 'name', 'folder', 'files', 'readable', 'supported', 'spec']),
      );
    }
    const incomplete =
      findings.length > 0 || lookedAt.some((one: { result: string }) => one.result === 'refused');
    expect(code).toBe(incomplete ? 6 : 0);
    expect((await cli.run(['source', 'detect'])).out).toMatch(/looked into \d+ folders/);
  });

  it('is told of sources by --config, and of mistakes in it', async () => {
    const types = ['sshd', 'rdp'].map((type) => `  - {type: ${type}, match: all}\n`).join('');
    const log = cli.file('x.log', '');
    const config = cli.file(
      'agent.yaml',
      `sources:\n${types}  - {type: declared, spec: x11vnc, path: ${log}}\n`,
    );
    const { json } = await cli.run(['source', 'detect', '--config', config, '-o', 'json']);
    expect(json().findings).not.toContainEqual(
      expect.objectContaining({ reason: 'no-source', tool: 'sshd' }),
    );
    expect(json().findings).not.toContainEqual(expect.objectContaining({ tool: 'x11vnc' }));
    const wrong = cli.file('agent.yaml', 'sorces: []\n');
    expect((await cli.run(['source', 'detect', '--config', wrong])).code).toBe(2);
  });
});

describe('source list', () => {
  it('every kind of source of a configuration, with its first file', async () => {
    const config = cli.file(
      'agent.yaml',
      `sources:
  - {type: sshd, match: all, path: /none/auth.log}
  - {type: anydesk, connections: /none/c.txt}
  - {type: rustdesk}
  - {type: rdp, match: all}
  - {type: csv, spec: talk2m, path: /none/r.csv}
`,
    );
    const state = join(cli.dir, 'nobody');
    mkdirSync(state, { mode: 0o700 });
    const { json } = await cli.run(['source', 'list', '--state', state, '--config', config, '-o', 'json']);
    const configured = json().items.filter((one: { configured: boolean }) => one.configured);
    expect(configured.map((one: { type: string; file: string }) => [one.type, one.file])).toEqual([
      ['sshd', '/none/auth.log'],
      ['anydesk', '/none/c.txt'],
      ['rustdesk', null],
      ['rdp', null],
      ['csv', '/none/r.csv'],
    ]);
  });
});
