import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiWorld, type TestHost } from '../collector/api-world.ts';
import { Receiver } from '../collector/receiver.ts';
import { CliWorld } from './cli-world.ts';

let world: ApiWorld;
let cli: CliWorld;
let host: TestHost;
const to = new Receiver();
const run = (line: string, options = {}) => cli.run(line.split(' '), options);

beforeAll(async () => {
  world = await ApiWorld.make();
  cli = new CliWorld();
  cli.use(world, await world.person('admin'));
  host = await world.host();
  await to.open();
});
afterAll(async () => {
  await to.close();
  cli.close();
  await world.close();
});

const fileOf = (id: string) => join(world.dir, 'webhooks', `${id}.json`);

describe('webhooks on the command line', () => {
  it('D11 a secret that is made is shown once, alone on stdout; it lies in a file, not in the database', async () => {
    const dry = await run(`webhook add --url ${to.url} --make-secret --dry-run`);
    expect([dry.code, dry.out]).toEqual([0, '']);
    expect((await run('webhook list -o json')).json().items).toEqual([]);
    const made = await run(`webhook add --url ${to.url} --make-secret`);
    to.secret = made.out.trim();
    expect(to.secret).toMatch(/^[\w-]{43}$/);
    const listed = await run('webhook list -o json');
    const [item] = listed.json().items;
    expect(item).toMatchObject({ state: 'ok', customer: null, waiting: 0, delivered: 0, lastStatus: null });
    expect(item.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/…$/);
    expect(`${listed.out}${made.err}`).not.toContain(to.secret);
    expect(`${listed.out}${made.err}`).not.toContain('of-the-receiver');
    expect(statSync(fileOf(item.id)).mode & 0o777).toBe(0o600);
    for (const suffix of ['', '-wal']) {
      const bytes = readFileSync(join(world.dir, `collector.db${suffix}`));
      for (const secret of [to.secret, 'of-the-receiver']) expect(bytes.includes(secret)).toBe(false);
    }
    const [event] = await world.own('webhook.added');
    expect(event?.data).toMatchObject({ webhook: item.id, customer: null });
    expect((await run(`webhook test ${item.id}`)).out).toMatch(/answered +200/);
    expect(to.taken.at(-1)).toMatchObject({ signed: true, body: { type: 'webhook.test' } });
    to.mood = 500;
    const failed = await run(`webhook test ${item.id}`);
    expect([failed.code, failed.err]).toEqual([9, expect.stringContaining('it answered with status 500')]);
    const removed = await run(`webhook remove ${item.id} --yes --reason moved`);
    expect([removed.code, existsSync(fileOf(item.id))]).toEqual([0, false]);
    expect((await run(`webhook test ${item.id}`)).code).toBe(3);
  });

  it('D11 takes a secret by file or standard input, never both ways, and of one customer', async () => {
    const file = cli.file('secret', 'a-secret-of-their-own\n');
    const both = await run(`webhook add --url ${to.url} --secret-file ${file} --make-secret`);
    const none = await run(`webhook add --url ${to.url}`);
    expect([both.code, none.code]).toEqual([2, 2]);
    expect((await run(`webhook add --url ${to.url} --secret-file -`, { stdin: 'short' })).code).toBe(2);
    expect((await run('webhook add --url http://alerts.example/ --make-secret')).code).toBe(2);
    const added = await run(`webhook add --url ${to.url} --secret-file ${file} --customer Acme -o json`);
    expect(added.json()).toMatchObject({ customer: host.row.customer, secret: null });
    expect(JSON.parse(readFileSync(fileOf(added.json().id), 'utf8')).secret).toBe('a-secret-of-their-own');
    const table = (await run('webhook list')).out;
    expect(table).toMatch(/Acme +ok/);
    expect((await run(`webhook test ${added.json().id} --dry-run`)).code).toBe(0);
  });

  it('Q4 Q11 only an admin has to do with them, and one bound to customers with theirs only', async () => {
    const bound = await world.person('admin', [host.row.customer]);
    const asked = { url: 'https://alerts.example/' };
    expect((await world.post('/v1/webhooks', bound, asked)).body.error.code).toBe('webhook.customer');
    expect((await world.get('/v1/webhooks', await world.person('technician'))).status).toBe(403);
  });
});
