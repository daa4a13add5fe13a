import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { TABLE } from '../../cli/table.ts';
import { CliWorld } from './cli-world.ts';

const MAIN = new URL('../../cli/main.ts', import.meta.url);
const cli = new CliWorld();
afterAll(() => cli.close());

describe('the command line', () => {
  it.each(TABLE.map((entry) => [entry.path, entry] as const))(
    '%s --help has an example of itself',
    async (path, entry) => {
      const { code, out } = await cli.run([...path.split(' '), '--help']);
      expect(code).toBe(0);
      expect(out).toContain(`Example:\n  ${entry.example}`);
      expect(entry.example.startsWith(`tilsyn ${path}`)).toBe(true);
    },
  );

  it.each([...new Set(TABLE.flatMap(({ path }) => (path.includes(' ') ? [path.split(' ')[0] ?? ''] : [])))])(
    '%s --help, a group, has an example of one of its commands',
    async (group) => {
      const { code, out } = await cli.run([group, '--help']);
      expect(code).toBe(0);
      expect(out).toMatch(new RegExp(`\nExample:\n  tilsyn ${group} `));
    },
  );

  it.each(['access', 'access explain x', 'agent unenrol', 'ledger head'])(
    '%s is of a later version, and that is said',
    async (line) => {
      const { code, err } = await cli.run([...line.split(' '), '-o', 'json']);
      expect([code, JSON.parse(err).error.code]).toEqual([2, 'cli.not-built']);
      expect(err).not.toContain('Did you mean');
    },
  );

  it.each([
    ['sesion list', 'session'],
    ['session lst', 'list'],
    ['session list --sinse 24h', '--since'],
    ['host aprove x', 'approve'],
  ])('%s: exit 2 and the nearest word', async (line, near) => {
    const { code, out, err } = await cli.run(line.split(' '));
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^error: reading the command: /);
    expect(err).toContain(`hint: Did you mean ${near}?`);
  });

  it.each([[[]], [['session']], [['session', 'show']], [['session', 'list', 'extra']]])(
    '%j is not complete or too much: exit 2',
    async (argv) => {
      const { code, out } = await cli.run(argv as string[]);
      expect([code, out]).toEqual([2, '']);
    },
  );

  it('H3 with -o json an error is one JSON object on stderr, also where nothing could be parsed', async () => {
    for (const argv of [
      ['sesion', '-o', 'json'],
      ['-o', 'json', 'session', 'list'],
      ['whoami', '--output=json'],
    ]) {
      const { out, err } = await cli.run(argv);
      expect(out).toBe('');
      const { error } = JSON.parse(err);
      expect(Object.keys(error)).toEqual(['code', 'message', 'hint']);
    }
  });

  it('enroll is enrol', async () => {
    expect((await cli.run(['agent', 'enroll', '--help'])).out).toContain('enrol this machine');
  });

  it('an output that the command does not have is refused', async () => {
    const { code, err } = await cli.run(['agent', 'check', '--state', cli.dir, '-o', 'xml']);
    expect(code).toBe(2);
    expect(err).toContain('-o table, -o json, -o csv');
  });

  it('nobody is signed in: exit 4, and how to', async () => {
    const { code, err } = await cli.run(['session', 'list']);
    expect(code).toBe(4);
    expect(err).toContain('tilsyn login');
  });

  it.each([
    ['session list --limit 0', 'cli.usage'],
    ['session list --since soon', 'cli.time'],
    ['session list --since 2026-11-22 --until 2026-11-21', 'cli.usage'],
    ['session list --tz Mars', 'cli.zone'],
    ['session list --since 2026-11-22 --ip nonsense', 'cidr.malformed'],
    ['session list --ip 192.0.2.7/24', 'cidr.host-bits'],
    ['session list --ip 2001:db8::1/32', 'cidr.host-bits'],
    ['token create --customer A --site B --cidr 192.0.2.0/33', 'cidr.malformed'],
    ['token create --customer A --site B --cidr 192.0.2.128/24', 'cidr.host-bits'],
    ['token create --customer A --site B --ttl never', 'cli.duration'],
    ['token create --customer A --site B --mode half', 'cli.usage'],
    ['token create --customer A', 'cli.usage'],
    ['host revoke x', 'cli.usage'],
    ['host revoke x --yes', 'cli.usage'],
    ['source test x', 'cli.usage'],
    ['collector init', 'cli.usage'],
    ['collector init --state x', 'cli.usage'],
    ['agent run', 'cli.usage'],
  ])('%s: exit 2 before anything is asked', async (line, code) => {
    const env = { TILSYN_SERVER: 'https://127.0.0.1:1', TILSYN_TOKEN_FILE: cli.file('t', 'x'), TZ: 'UTC' };
    const ran = await cli.run([...line.split(' '), '-o', 'json'], { env });
    expect(ran.code).toBe(2);
    expect(JSON.parse(ran.err).error.code).toBe(code);
  });

  it('a mistyped address range names its own option, and never itself', async () => {
    for (const text of ['nonsense', '192.0.2.7/24', 'fe80::1%eth0']) {
      const env = { TILSYN_SERVER: 'https://127.0.0.1:1', TILSYN_TOKEN_FILE: cli.file('t', 'x') };
      const { err } = await cli.run(['session', 'list', '--ip', text], { env });
      expect(err).toContain('reading --ip: ');
      expect(err).not.toContain('--cidr');
      expect(err.split('\n')[0]).not.toContain(text);
    }
  });

  it.each([
    ['agent enrol --state x --token-file', 'enrolment', 'tilsyn token create'],
    ['login --server https://h --token-file', 'sign-in', 'tilsyn person add'],
  ])(
    '%s: what is missing is called by its name, with the command that makes it',
    async (line, kind, maker) => {
      const run = (last: string) => cli.run([...line.split(' '), last]);
      const none = await run('/nowhere/t');
      expect([none.code, none.err]).toEqual([
        2,
        expect.stringContaining(`reading the ${kind} token /nowhere/t: `),
      ]);
      const empty = await run(cli.file('empty', '\n'));
      expect([empty.code, empty.err.split('\n')[1]]).toEqual([2, expect.stringContaining(`\`${maker}\``)]);
      const stdin = await (kind === 'enrolment'
        ? cli.run(['agent', 'enrol', '--state', 'x', '--token', '-'])
        : run('-'));
      expect(stdin.err).toMatch(
        new RegExp(`^error: reading the ${kind} token from .*\nhint: .*${maker}.* -`),
      );
      expect(stdin.code).toBe(2);
    },
  );

  it('a token as an argument is refused, and not repeated', async () => {
    const { code, err } = await cli.run(['agent', 'enrol', '--state', cli.dir, '--token', 'tilsyn1.secret']);
    expect(code).toBe(2);
    expect(err).not.toContain('secret');
  });
});

describe('the process', () => {
  it('version loads almost nothing', async () => {
    const probe = `
      import { registerHooks } from 'node:module';
      const seen = [];
      registerHooks({ resolve(name, context, next) { const found = next(name, context); seen.push(found.url); return found; } });
      process.argv = ['node', 'tilsyn', 'version'];
      await import(${JSON.stringify(MAIN.href)});
      console.log(JSON.stringify(seen));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', probe]);
    const [version, list] = stdout.trim().split('\n');
    expect(version).toMatch(/^tilsyn \d+\.\d+\.\d+$/);
    const seen = [...new Set<string>(JSON.parse(list ?? '[]'))];
    expect(
      seen.filter((url) => /zod|sqlite|fastify|pino|\/ws\/|yaml|x509|\/agent\/|\/collector\//.test(url)),
    ).toEqual([]);
    const packages = new Set(
      seen.flatMap((url) => /node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(url)?.[1] ?? []),
    );
    expect([...packages]).toEqual(['commander']);
    // Tables are rows of text; what is not a table stays at a handful.
    const own = seen.filter((url) => url.startsWith('file:') && !url.includes('node_modules'));
    expect(own.filter((url) => !/\/cli\/table(-[a-z]+)?\.ts$/.test(url)).length).toBeLessThan(8);
  });

  it('a reader that goes away early is no error', async () => {
    const child = spawn(process.execPath, [fileURLToPath(MAIN), '--help'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    const [code] = await once(child, 'close');
    expect([code, err]).toEqual([0, '']);
  });
});
