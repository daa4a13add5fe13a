import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createServer as createTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, START, type TestHost } from '../collector/api-world.ts';
import { makeCa } from '../support/certificates.ts';
import { CliWorld } from './cli-world.ts';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
let world: ApiWorld;
let cli: CliWorld;
let admin: string;
let host: TestHost;
let session: string;
const words = (line: string) => line.split(' ');
const run = (line: string, options = {}) => cli.run(words(line), options);

beforeAll(async () => {
  world = await ApiWorld.make();
  cli = new CliWorld();
  admin = await world.person('admin', null, 'Root Specimen');
  cli.use(world, admin);
  host = await world.host();
  session = await host.session();
  world.clock.advance(MINUTE_MS);
});
afterAll(async () => {
  cli.close();
  await world.close();
});

describe('lists', () => {
  it('JSON is one document, the contract’s', async () => {
    const ran = await run('session list -o json');
    expect([ran.code, ran.err]).toEqual([0, '']);
    expect(Object.keys(ran.json())).toEqual(['schema', 'items', 'coverage', 'next']);
    expect(ran.json().items[0]).toMatchObject({ id: session, host: 'srv-01', peer: { id: '1660360496' } });
  });

  it('A2 a table ends with a coverage line, times in the zone with the offset', async () => {
    const { code, out } = await run('session list --tz Europe/Copenhagen');
    expect(code).toBe(0);
    expect(out).toContain('2026-11-22 13:00:00 +01:00');
    expect(out).toContain('1660360496 Ada Example');
    expect(out.trimEnd().split('\n').at(-1)).toBe(
      'coverage: 1 host, 2026-11-22 13:00:00 +01:00 to 2026-11-22 13:01:00 +01:00, no gap',
    );
  });

  it('CSV holds rows only; coverage goes to stderr', async () => {
    const { out, err } = await run('session list -o csv');
    expect(out.split('\r\n')[0]).toMatch(/^id,host,hostId,customer,site,tool,/);
    expect(out.split('\r\n')).toHaveLength(3);
    expect(err).toContain('coverage: 1 host');
  });

  it('A2 an empty list with a gap exits 6 and says why; without one it exits 0', async () => {
    expect((await run('session list --peer 999')).code).toBe(0);
    const silent = await world.host({
      customer: 'Silent',
      name: 'srv-07',
      change: { firstSeenAt: null, readThrough: null },
    });
    const table = await run('session list --host srv-07');
    expect(table.code).toBe(6);
    expect(table.out).toContain('no sessions\n');
    expect(table.out).toMatch(
      /gap: srv-07 .* never-connected: the agent was enrolled and has not connected yet/,
    );
    const json = await run(`session list --host ${silent.id} -o json`);
    expect([json.code, json.json().items]).toEqual([6, []]);
    const coverage = await run('coverage srv-07');
    expect(coverage.code).toBe(6);
    expect(coverage.out).toContain('teamviewer');
    expect((await run('coverage srv-01')).code).toBe(0);
  });

  it('A2 no host in the range: exit 0, no hosts, and the line', async () => {
    const until = toIso(utcMs(START - 1));
    const table = await run(`session list --until ${until}`);
    expect([table.code, table.out]).toEqual([0, 'no sessions\nno host was watched\n']);
    const json = await run(`session list --until ${until} -o json`);
    expect([json.code, json.json().coverage.hosts, json.err]).toEqual([0, [], 'no host was watched\n']);
  });

  it('fetches pages until the limit, then says how to go on', async () => {
    for (let i = 1; i <= 3; i++) await host.session({ startedAt: utcMs(START + i * 1000) });
    const first = await run('session list -o json --limit 3');
    expect(first.json().items).toHaveLength(3);
    expect(first.err).toBe(`more: --after ${first.json().next}\n`);
    const rest = await run(`session list -o json --after ${first.json().next}`);
    expect(rest.json().items).toHaveLength(1);
    expect(rest.json().next).toBeNull();
  });

  it('a personal filter can come from a file', async () => {
    const file = cli.file('peer', '1 660 360 496\n');
    expect((await run(`session list -o json --limit 1 --peer @${file}`)).json().items[0].id).toBe(session);
    expect((await run('session list --ip 203.0.113.0/24 -o json')).json().items.length).toBeGreaterThan(0);
    expect((await run('session list --ip nonsense')).code).toBe(2);
  });

  it('a local time is echoed on stderr, in UTC', async () => {
    const { err } = await run('session list --since 2026-11-22 -o json', { zone: 'Europe/Copenhagen' });
    expect(err).toContain('--since 2026-11-22 in Europe/Copenhagen is 2026-11-21T23:00:00.000Z');
  });

  it('H3 with -o json an echo waits for the answer, and an error comes alone', async () => {
    const { code, err } = await run('session list --since 2026-11-22 --customer Nobody -o json');
    expect([code, JSON.parse(err).error.code]).toEqual([3, 'customer.unknown']);
  });

  it('an event type that nobody knows is asked for, and said to be unknown', async () => {
    const { code, out, err } = await run('event list --host srv-01 --type bogus.type');
    expect([code, out.split('\n')[0]]).toEqual([0, 'no events']);
    expect(err).toContain('--type bogus.type: this version knows no such type');
    expect((await run('event list --type session.started')).err).toBe('');
  });

  it('Y1 a host that chose its name with care cannot write to the terminal', async () => {
    const evil = await world.host({ customer: 'Evil', name: '\u001b[2Jsrv\u009b\n=1+1' });
    for (const line of [
      'host list',
      `host show ${evil.id}`,
      'session list',
      'host list -o csv',
      'host list -o json',
    ]) {
      const { out, err } = await run(line);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
      expect(out + err).not.toMatch(/[\u001b\u009b]/);
    }
  });

  it('every other list and card', async () => {
    for (const line of [
      'host list',
      'token list',
      'person list',
      'agreement list',
      'event list',
      'event list --personal --limit 5',
    ]) {
      for (const output of ['table', 'json', 'csv']) {
        const ran = await run(`${line} -o ${output}`);
        expect(`${line} ${output} ${ran.code} ${ran.out === ''}`).toBe(`${line} ${output} 0 false`);
        if (output === 'json') expect(ran.json().schema).toBe(1);
      }
    }
    expect((await run(`session show ${session}`)).out).toMatch(/personal data +open/);
    expect((await run(`session show ${session} -o json`)).json().id).toBe(session);
    expect((await run('host show srv-01')).out).toContain('Albertslund');
    expect((await run('whoami')).out).toMatch(/role +admin/);
  });
});

describe('exit codes', () => {
  it.each([
    [`session show ${'0'.repeat(32)}`, 3],
    ['host show nobody', 3],
    ['session list --customer Nobody', 3],
    ['session list --tool nonsense', 2],
    ['event list --after x', 2],
    ['host list --after zzz', 2],
    ['host list --state nonsense', 2],
    ['person add --role boss', 2],
    ['person add --role dpo --nda soon', 2],
  ])('%s', async (line, code) => {
    const ran = await run(line);
    expect([ran.code, ran.out]).toEqual([code, '']);
    expect(ran.err).toMatch(/^error: .+\nhint: .+\n$/);
  });

  it('2 names the option as it is typed and what it takes, never what was given', async () => {
    const said = async (line: string) => (await run(line)).err.trimEnd().split('\n');
    expect(await said('session list --state xyzzy')).toEqual([
      'error: reading --state: this is none of its words',
      'hint: Use one of: attempted, rejected, active, ended, unknown-end.',
    ]);
    expect((await said('host list --state xyzzy'))[1]).toContain('online, late, offline, never-connected');
    expect(await said('person add --role dpo --nda xyzzy')).toEqual([
      'error: reading --nda: this is not what it takes',
      'hint: Write --nda 2026-11-22.',
    ]);
    expect(await said('token create --customer Acme --site x --uses 100001')).not.toContain('100001');
    expect(await said('host list --after zzz')).toEqual([
      'error: listing: `after` is no cursor of this list',
      'hint: Give --after exactly what `next` said.',
    ]);
  });

  it('4 with a token that is not valid, 5 where the role may not', async () => {
    const bad = { TILSYN_TOKEN_FILE: cli.file('bad', 'tilsyn_nonsense') };
    expect((await run('whoami', { env: bad })).code).toBe(4);
    const auditor = { TILSYN_TOKEN_FILE: cli.file('auditor', await world.person('auditor')) };
    expect((await run('person add --role admin', { env: auditor })).code).toBe(5);
  });

  it('7 for two hosts with one name, with both ids', async () => {
    const [a, b] = [await world.host({ name: 'twin' }), await world.host({ name: 'twin' })];
    const { code, err } = await run('host show twin');
    expect(code).toBe(7);
    expect(err).toContain(a.id);
    expect(err).toContain(b.id);
  });

  it('9 where nothing listens, or another certificate does', async () => {
    expect((await run('whoami', { env: { TILSYN_SERVER: 'https://127.0.0.1:1' } })).code).toBe(9);
    const wrong = await run('whoami', { env: { TILSYN_CA: cli.file('other.pem', (await makeCa()).ca) } });
    expect(wrong.code).toBe(9);
    expect(wrong.err).toContain('its certificate is not trusted');
    expect(wrong.err).toContain('TILSYN_CA');
  });

  it('9 where the other side does not speak TLS 1.3', async () => {
    const { key, cert } = await (await makeCa()).server({ ip: ['127.0.0.1'] });
    const old = createTls({ key, cert, maxVersion: 'TLSv1.2' }).listen(0, '127.0.0.1');
    await once(old, 'listening');
    const { port } = old.address() as { port: number };
    const { code } = await run('whoami', { env: { TILSYN_SERVER: `https://127.0.0.1:${port}` } });
    old.close();
    expect(code).toBe(9);
  });

  it('124 where no answer comes', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const { code, err } = await run('whoami --timeout 200ms', {
      env: { TILSYN_SERVER: `https://127.0.0.1:${port}` },
    });
    silent.close();
    expect(code).toBe(124);
    expect(err).toContain('--timeout');
  });

  it('2 for a server address that is none, and the token is not sent anywhere', async () => {
    for (const server of ['http://127.0.0.1:1', 'https://u:p@127.0.0.1', 'nonsense', 'https://h/path']) {
      const { code, err } = await run('whoami', { env: { TILSYN_SERVER: server } });
      expect([code, err.includes('u:p')]).toEqual([2, false]);
    }
    expect((await run('whoami', { env: { TILSYN_SERVER: world.url.replace('https', 'wss') } })).code).toBe(0);
  });

  it('130 on SIGINT', async () => {
    const child = spawn(process.execPath, [MAIN, 'event', 'tail', '--after', '0', '-o', 'jsonl'], {
      env: { ...process.env, ...cli.env },
    });
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect(code).toBe(130);
  });

  it('the real process: JSON on stdout and nothing else', async () => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [MAIN, 'session', 'list', '-o', 'json', '--limit', '1'],
      {
        env: { ...process.env, ...cli.env },
      },
    );
    expect(JSON.parse(stdout).items).toHaveLength(1);
    expect(stderr).toMatch(/^more: /);
  });
});

describe('acts', () => {
  it('token create: exactly the contract’s fields; in a table the token stands alone', async () => {
    const made = (await run('token create --customer New --site Here --ttl 1h --uses 3 -o json')).json();
    expect(Object.keys(made)).toEqual(['id', 'token', 'expiresAt', 'agreement']);
    expect(made.expiresAt).toBe(toIso(utcMs(world.clock.now() + 60 * MINUTE_MS)));
    const { out, err } = await run('token create --customer New --site Here');
    expect(out).toMatch(/^tilsyn1\.[A-Za-z0-9_-]+\n$/);
    expect(err).toContain('tilsyn agent enrol');
    expect(err).not.toContain(out.trim());
    expect((await run('token create --customer New --site Here --agreement nonsense')).code).toBe(2);
  });

  it('a token for one address says so, and what is stored is the range', async () => {
    const { err } = await run('token create --customer New --site Here --cidr 192.0.2.7');
    expect(err).toContain('from this one address, 192.0.2.7/32');
    expect((await run('token list -o json')).json().items.at(-1).cidr).toBe('192.0.2.7/32');
    const wide = await run('token create --customer New --site Here --cidr 2001:db8::/32');
    expect(wide.err).not.toContain('one address');
    expect((await run('token create --customer New --site Here --cidr ::ffff:192.0.2.0/120')).code).toBe(0);
  });

  it('--dry-run changes nothing', async () => {
    const before = (await run('token list -o json')).json().items.length;
    const dry = (await run('token create --customer New --site Here --dry-run -o json')).json();
    expect(dry).toMatchObject({ id: null, token: null, dryRun: true });
    expect((await run('person add --role auditor --dry-run -o json')).json().dryRun).toBe(true);
    expect((await run('agreement create --customer New --dry-run -o json')).json().dryRun).toBe(true);
    expect((await run('agreement create --customer Brandnew --dry-run')).out).toMatch(
      /^customer +Brandnew$/m,
    );
    expect((await run(`host revoke ${host.id} --dry-run -o json`)).json()).toMatchObject({
      state: 'revoked',
      dryRun: true,
    });
    expect((await run(`host show ${host.id} -o json`)).json().approval).toBe('approved');
    expect((await run('token list -o json')).json().items.length).toBe(before);
  });

  it('what takes something away is shown and asked at a terminal, and wants --yes and --reason elsewhere', async () => {
    const { id } = (await run('token create --customer New --site Here -o json')).json();
    expect((await run(`token revoke ${id}`)).code).toBe(2);
    const no = await run(`token revoke ${id}`, { answer: 'n' });
    expect(no.code).toBe(2);
    expect(no.err).toContain(`revoke enrolment token ${id} (New, Here; used 0 of 1) — go on? [y/N]`);
    const state = async () =>
      (await run('token list -o json')).json().items.find((t: Loose) => t.id === id).state;
    expect(await state()).toBe('open');
    const yes = await cli.run(['token', 'revoke', id, '--yes', '--reason', 'no longer needed', '-o', 'json']);
    expect([yes.code, yes.json().state, await state()]).toEqual([0, 'revoked', 'revoked']);
  });

  it('person: added by a name in a file, the token alone on stdout, revoked', async () => {
    const file = cli.file('name', 'Ada Specimen\n');
    const { out, err } = await run(`person add --role technician --customer Acme --name-file ${file}`);
    expect(out).toMatch(/^tilsyn_[A-Za-z0-9_-]{43}\n$/);
    expect(err).not.toContain('Ada');
    const added = (await run('person list -o json')).json().items.at(-1);
    expect(added).toMatchObject({ role: 'technician', name: 'Ada Specimen', state: 'active' });
    const piped = await run('person add --role auditor --name-file -', { stdin: 'Bo Specimen\n' });
    expect([piped.code, piped.err.includes('Bo')]).toEqual([0, false]);
    expect((await run('person list -o json')).json().items.at(-1).name).toBe('Bo Specimen');
    const asked = await run(`person revoke ${added.id}`, { answer: 'y' });
    expect(asked.code).toBe(0);
    expect(asked.err).toContain('(technician) and 1 sign-in(s)');
    expect((await run('whoami', { env: { TILSYN_TOKEN_FILE: cli.file('gone', out) } })).code).toBe(4);
    const made = (await run('person add --role auditor -o json')).json();
    expect(Object.keys(made)).toEqual(['id', 'role', 'customers', 'token', 'expiresAt']);
  });

  it('R4 approval: exit 5 with its id, listed, refused, given by another; alone only with a reason', async () => {
    const dpo = (await run('person add --role dpo -o json')).json();
    const revoke = ['person', 'revoke', dpo.id, '--yes', '--reason', 'left the company'];
    const asked = await cli.run([...revoke, '-o', 'json']);
    const { error } = JSON.parse(asked.err);
    expect([asked.code, asked.out, error.code]).toEqual([5, '', 'approval.needed']);
    expect(Object.keys(error)).toEqual(['code', 'message', 'hint', 'approval']);
    const [item] = (await run('approval list --state open -o json')).json().items;
    expect(item).toMatchObject({ id: error.approval, reason: 'left the company', approvers: [] });
    expect((await run('approval list')).out).toContain(error.approval);
    expect((await run(`approval refuse ${error.approval}`)).code).toBe(2);
    expect((await run(`approval approve ${error.approval}`)).code).toBe(5);
    expect((await run(`approval approve ${error.approval} --alone`)).code).toBe(2);
    expect((await run(`approval approve ${error.approval} --alone --now --reason x`)).code).toBe(2);
    const second = { TILSYN_TOKEN_FILE: cli.file('second', await world.person('security')) };
    expect((await run(`approval approve ${error.approval} --alone --reason x`)).code).toBe(5);
    const no = await run(`approval approve ${error.approval}`, { env: second, answer: 'n' });
    expect([no.code, no.err]).toEqual([
      2,
      expect.stringContaining(`approve person.revoke {"person":"${dpo.id}"}`),
    ]);
    const given = await run(`approval approve ${error.approval} -o json`, { env: second });
    expect([given.code, given.json().state]).toEqual([0, 'given']);
    expect((await run(`approval approve ${error.approval}`, { env: second })).code).toBe(7);
    expect((await run(`approval refuse ${'0'.repeat(32)} --reason x`)).code).toBe(3);
    expect((await cli.run([...revoke, '--alone'])).code).toBe(0); // is revoked already: nothing to ask for
  });

  it('Q12 person change: reading taken away from the next request on, and given back; the NDA is listed', async () => {
    const made = (await run('person add --role auditor --nda 2026-11-01 -o json')).json();
    const auditor = { TILSYN_TOKEN_FILE: cli.file('reads', made.token) };
    const listed = async () =>
      (await run('person list -o json')).json().items.find((one: Loose) => one.id === made.id);
    expect((await run('session list', { env: auditor })).code).toBe(0);
    expect(await listed()).toMatchObject({ nda: '2026-11-01', reading: true });
    expect((await run(`person change ${made.id} --no-reading --dry-run`)).code).toBe(0);
    expect((await run('session list', { env: auditor })).code).toBe(0);
    expect((await run(`person change ${made.id} --no-reading --nda 2026-11-15`)).code).toBe(0);
    const refused = await run('session list -o json', { env: auditor });
    expect([refused.code, JSON.parse(refused.err).error.code]).toEqual([5, 'permission.reading']);
    expect((await run('host list', { env: auditor })).code).toBe(0);
    expect(await listed()).toMatchObject({ nda: '2026-11-15', reading: false });
    expect((await run(`person change ${made.id} --reading`)).code).toBe(0);
    expect((await run('session list', { env: auditor })).code).toBe(0);
    expect((await run(`person change ${made.id}`)).code).toBe(2);
    const blind = (await run('person add --role admin --no-reading -o json')).json();
    const env = { TILSYN_TOKEN_FILE: cli.file('blind', blind.token) };
    expect([(await run('session list', { env })).code, (await run('token list', { env })).code]).toEqual([
      5, 0,
    ]);
  });

  it('host: approve, resolve, revoke', async () => {
    const one = await world.host({ name: 'acts', change: { state: 'waiting' } });
    expect((await run('host approve acts -o json')).json().approval).toBe('approved');
    expect((await run('host resolve acts')).code).toBe(0);
    const gone = await cli.run(['host', 'revoke', one.id, '--yes', '--reason', 'sold', '-o', 'json']);
    expect([gone.code, gone.json().state]).toEqual([0, 'revoked']);
    expect((await run('host approve acts')).code).toBe(7);
  });
});

describe('login', () => {
  const bare = { TILSYN_SERVER: '', TILSYN_TOKEN_FILE: '', TILSYN_CA: '' };

  it('stores what was checked, for this user only; logout forgets it', async () => {
    const args = `--server ${world.url} --ca ${cli.env.TILSYN_CA}`;
    expect((await run('whoami', { env: bare })).code).toBe(4);
    const done = await run(`login ${args} --token-file -`, { env: bare, stdin: `${admin}\n` });
    expect([done.code, done.err]).toEqual([0, '']);
    expect(done.out).toMatch(/ until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+00:00\n$/);
    const file = join(cli.dir, 'config', 'tilsyn', 'login.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(cli.dir, 'config', 'tilsyn')).mode & 0o777).toBe(0o700);
    expect((await run('whoami -o json', { env: bare })).json().role).toBe('admin');
    expect((await run('logout', { env: bare })).code).toBe(0);
    expect(() => readFileSync(file)).toThrow();
    expect((await run('whoami', { env: bare })).code).toBe(4);
  });

  it('what others can read or change is not used, with the way out', async () => {
    const file = join(cli.dir, 'config', 'tilsyn', 'login.json');
    await run(
      `login --server ${world.url} --ca ${cli.env.TILSYN_CA} --token-file ${cli.env.TILSYN_TOKEN_FILE}`,
    );
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(file, mode);
      const { code, err } = await run('whoami', { env: bare });
      expect([code, err]).toEqual([2, expect.stringContaining(`hint: Run \`chmod 600 ${file}\``)]);
    }
    chmodSync(file, 0o600);
    expect((await run('whoami', { env: bare })).code).toBe(0);
    expect((await run('logout', { env: bare })).code).toBe(0);
  });

  it('a token that is not valid is not stored, nor is anything by a dry run', async () => {
    const args = `--server ${world.url} --ca ${cli.env.TILSYN_CA} --token-file`;
    expect((await run(`login ${args} ${cli.file('wrong', 'tilsyn_x')}`, { env: bare })).code).toBe(4);
    expect((await run(`login ${args} ${cli.env.TILSYN_TOKEN_FILE} --dry-run`, { env: bare })).code).toBe(0);
    expect((await run('whoami', { env: bare })).code).toBe(4);
  });
});

describe('tails', () => {
  it('prints one JSON object a line and goes on from the cursor after a broken connection', async () => {
    const stop = new AbortController();
    const lines: Loose[] = [];
    const running = run('event tail --after 0 --type session.started -o jsonl', {
      signal: stop.signal,
      onOut: (text: string) =>
        lines.push(
          ...text
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line)),
        ),
    });
    const stored = async () =>
      (await run('event list --type session.started -o json')).json().items.map((e: Loose) => e.pos);
    await expect.poll(async () => lines.length).toBe((await stored()).length);
    world.app.server.closeAllConnections();
    await host.session({ startedAt: utcMs(START + 60_000) });
    await expect.poll(async () => lines.map((line) => line.pos), { timeout: 20_000 }).toEqual(await stored());
    stop.abort();
    const { code, err } = await running;
    expect(code).toBe(130);
    expect(err).toMatch(/the connection ended; trying again in 1 s from \d+/);
  });

  it('for people: one line a session', async () => {
    const stop = new AbortController();
    let out = '';
    const running = run('session tail --after 0 --host srv-01 --tz UTC', {
      signal: stop.signal,
      onOut: (text: string) => {
        out += text;
      },
    });
    await expect
      .poll(() => out)
      .toContain('2026-11-22 12:00:00 +00:00  srv-01  teamviewer  remote-control  ended  2m 4s  1660360496');
    stop.abort();
    expect((await running).code).toBe(130);
  });

  it('for people: an event bears the name of its host', async () => {
    const stop = new AbortController();
    let out = '';
    const running = run('event tail --after 0 --host srv-01 --type session.started --type bogus.type', {
      signal: stop.signal,
      onOut: (text: string) => {
        out += text;
      },
    });
    await expect.poll(() => out).toMatch(/ {2}session\.started {2}srv-01 {2}\{/);
    expect(out).not.toContain(`  ${host.id}  `);
    stop.abort();
    const { code, err } = await running;
    expect(code).toBe(130);
    expect(err).toContain('--type bogus.type: this version knows no such type');
  });

  it('a refusal ends it', async () => {
    expect((await run('event tail --after x')).code).toBe(2);
    expect((await run('session tail --host nobody')).code).toBe(3);
  });
});
