import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TicketMatcher } from '../../collector/tickets.ts';
import { DAY_MS, MINUTE_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, START, type TestHost } from './api-world.ts';

let world: ApiWorld;
let admin: string;
let me: string;
let ada: string;
let host: TestHost;
let matcher: TicketMatcher;
let n = 0;

beforeAll(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin');
  me = (await world.get('/v1/whoami', admin)).body.id;
  ada = (await world.post('/v1/people', admin, { role: 'technician', name: 'Ada Specimen' })).body.id;
  await world.post(`/v1/people/${ada}/ids`, admin, { kind: 'teamviewer', value: '1660360496' });
  matcher = new TicketMatcher(world.ctx);
});
afterAll(async () => {
  await matcher.close();
  await world.close();
});
beforeEach(async () => {
  n += 1;
  host = await world.host({ customer: `Customer ${n}`, name: `srv-${n}` });
});

const at = (minutes: number) => utcMs(START + minutes * MINUTE_MS);
interface Line {
  ticket?: string;
  who?: string;
  from?: UtcMs;
  to?: UtcMs;
  where?: string;
  purpose?: string;
}
const csv = (...lines: Line[]) =>
  [
    'ticket;host;technician;from;to;purpose',
    ...lines.map(({ ticket = 'INC-1', who = 'ada specimen', from = at(0), to = at(60), ...more }) =>
      [ticket, more.where ?? `srv-${n}`, who, toIso(from), toIso(to), more.purpose ?? ''].join(';'),
    ),
  ].join('\n');
const bring = (text: string, more: Record<string, unknown> = {}, token = admin) =>
  world.post('/v1/tickets', token, { csv: text, ...more });
const show = async (session: string): Promise<Loose> =>
  (await world.get(`/v1/sessions/${session}`, admin)).body;
const explained = async (session: string) =>
  (await world.own('session.explained')).filter(({ data }) => data.session === session);

describe('ticket import', () => {
  it('W16 explains the session that exactly one ticket fits, by who imported it', async () => {
    const session = await host.session({ startedAt: at(10) });
    const stranger = await host.session({ startedAt: at(20), personal: { peerId: '999' } });
    const { status, body } = await bring(csv({ purpose: 'printer' }));
    expect([status, body]).toEqual([
      200,
      { tickets: 1, imported: 1, known: 0, explained: [session], ambiguous: [], dryRun: false },
    ]);
    expect(await show(session)).toMatchObject({ ticket: 'INC-1', purpose: 'printer' });
    expect((await show(stranger)).ticket).toBeNull();
    expect((await explained(session)).map(({ data }) => data)).toEqual([
      { session, person: me, reason: 'matched' },
    ]);
  });

  it('W16 several that fit: nothing is guessed, and they are named', async () => {
    const session = await host.session({ startedAt: at(10) });
    const { body } = await bring(csv({ ticket: 'INC-1' }, { ticket: 'INC-2' }));
    expect([body.explained, body.ambiguous]).toEqual([[], [session]]);
    expect((await show(session)).ticket).toBeNull();
  });

  it('W16 an earlier import counts as well: a second ticket for the same time is not a surer one', async () => {
    await bring(csv({ ticket: 'INC-1' }));
    const session = await host.session({ startedAt: at(10) });
    expect((await bring(csv({ ticket: 'INC-2' }))).body.ambiguous).toEqual([session]);
  });

  it('the same file again brings nothing twice, and matches what has come since', async () => {
    const file = csv({}, {}, { ticket: 'INC-2', from: at(600), to: at(660) });
    expect((await bring(file)).body).toMatchObject({ tickets: 2, imported: 2, known: 0 });
    const session = await host.session({ startedAt: at(10) });
    expect((await bring(file)).body).toMatchObject({ imported: 0, known: 2, explained: [session] });
    expect(await world.ctx.store.read.tickets.list({ agent: host.row.agent })).toHaveLength(2);
  });

  it('a dry run says the same and leaves nothing', async () => {
    const session = await host.session({ startedAt: at(10) });
    const { body } = await bring(csv({}), { dryRun: true });
    expect(body).toMatchObject({ imported: 1, explained: [session], dryRun: true });
    expect((await show(session)).ticket).toBeNull();
    expect(await world.ctx.store.read.tickets.list({ agent: host.row.agent })).toEqual([]);
  });

  it('W15 all that is wrong is named at once, with lines; nothing is taken', async () => {
    const file = csv(
      { where: 'nowhere' },
      { who: 'nobody' },
      {},
      { from: utcMs(START - 400 * DAY_MS), to: utcMs(START - 399 * DAY_MS) },
      { ticket: '' },
    );
    const { status, body } = await bring(file);
    expect([status, body.error.code]).toEqual([400, 'ticket.file']);
    const named = [...body.error.message.matchAll(/line (\d+), (\w+)/g)].map(
      ([, line, what]) => `${line} ${what}`,
    );
    expect(named).toEqual(['2 host', '3 technician', '5 from', '6 ticket']);
    expect(body.error.message).not.toMatch(/nowhere|nobody|Ada|INC/);
    expect(await world.ctx.store.read.tickets.list({ agent: host.row.agent })).toEqual([]);
  });

  it('finds a technician by id, and by an account of the roster', async () => {
    await world.post(`/v1/people/${ada}/ids`, admin, { kind: 'account', value: `EXAMPLE\\ada${n}` });
    expect((await bring(csv({ who: ada }))).body.imported).toBe(1);
    expect((await bring(csv({ who: `example\\ADA${n}`, ticket: 'INC-2' }))).body.imported).toBe(1);
  });

  it('Q4 a host of another customer is a host that there is not', async () => {
    const other = await world.person('security', [(await world.host({ customer: 'Else' })).row.customer]);
    const answers = [
      await bring(csv({ who: ada }), {}, other),
      await bring(csv({ who: ada, where: 'no' }), {}, other),
    ];
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.status).toBe(400);
  });
});

describe('as sessions come', () => {
  it('W16 later sessions are explained by earlier tickets, once, also where who came is known later', async () => {
    await bring(csv({}));
    await matcher.look();
    const known = await host.session({ startedAt: at(10) });
    const late = await host.session({ startedAt: at(20), personal: null, open: true });
    await matcher.look();
    expect((await show(known)).ticket).toBe('INC-1');
    expect((await show(late)).ticket).toBeNull();
    const update = { session: late, auth: null, failedAttempts: null, files: null, confirmedBy: ['logfile'] };
    await host.send([{ type: 'session.updated', data: update, personal: { peerId: '1660360496' } }]);
    await matcher.look();
    await matcher.look();
    expect((await show(late)).ticket).toBe('INC-1');
    expect([(await explained(known)).length, (await explained(late)).length]).toEqual([1, 1]);
  });

  it('W17 what a person has said stays', async () => {
    await bring(csv({}));
    const session = await host.session({ startedAt: at(10) });
    await world.post(`/v1/sessions/${session}/explain`, admin, { ticket: 'SAID-1' });
    await matcher.look();
    expect((await bring(csv({}))).body.explained).toEqual([]);
    expect((await show(session)).ticket).toBe('SAID-1');
  });

  it('a look that fails begins there again', async () => {
    await bring(csv({}));
    const session = await host.session({ startedAt: at(10) });
    world.failOwn = true;
    await matcher.look();
    world.failOwn = false;
    expect(await explained(session)).toEqual([]);
    await matcher.look();
    expect(await explained(session)).toHaveLength(1);
  });

  it('W18, S3 tickets go with the month; then nothing is matched by them', async () => {
    const secret = `INC-CANARY-${n}-77`;
    await bring(csv({ ticket: secret, purpose: 'canary purpose' }));
    const [row] = await world.ctx.store.read.tickets.list({ agent: host.row.agent });
    await world.erase(host.group('session.started', START));
    expect(await world.ctx.store.read.parts([row?.pos ?? 0])).toEqual([]);
    const session = await host.session({ startedAt: at(10) });
    await matcher.look();
    expect(await explained(session)).toEqual([]);
    const again = await bring(csv({ ticket: secret }));
    expect(again.body.error.message).toContain('line 2, from');
    const files = readdirSync(world.dir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
    const bytes = Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))));
    for (const word of [secret, 'canary purpose', 'ada specimen'])
      expect(bytes.includes(word), word).toBe(false);
    expect(world.logged.join('')).not.toContain(secret);
  });
});
