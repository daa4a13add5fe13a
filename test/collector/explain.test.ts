import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rebuild } from '../../collector/projections.ts';
import { utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, type SessionOptions, START, type TestHost } from './api-world.ts';

let world: ApiWorld;
let admin: string;
let host: TestHost;

beforeAll(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin');
  host = await world.host();
});
afterAll(() => world.close());

const TICKET = 'INC-SPECIMEN-4711';
const PURPOSE = 'printer driver of the front desk';
let tick = 0;
/** Each at a time of its own: two that begin at once, of one peer, are one session. */
const fresh = (options: SessionOptions = {}) => {
  tick += 1;
  return host.session({ startedAt: utcMs(START + tick * 60_000), ...options });
};
const explain = (session: string, body: Record<string, unknown>, token = admin) =>
  world.post(`/v1/sessions/${session}/explain`, token, body);
const show = async (session: string, token = admin) =>
  (await world.get(`/v1/sessions/${session}`, token)).body;
const listed = async (query: string): Promise<string[]> =>
  (await world.get(`/v1/sessions${query}`, admin)).body.items.map((item: Loose) => item.id);

/** Every byte of the state directory. */
function bytesOnDisk(): Buffer {
  const files = readdirSync(world.dir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
  return Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))));
}

describe('session explain', () => {
  it('W11 the event holds ids and a word; ticket and purpose lie under the session’s own group', async () => {
    const session = await fresh();
    const { status, body } = await explain(session, { ticket: TICKET, purpose: PURPOSE });
    expect([status, body.ticket, body.purpose]).toEqual([200, TICKET, PURPOSE]);
    const me = (await world.get('/v1/whoami', admin)).body.id;
    const [event] = (await world.own('session.explained')).slice(-1);
    expect(event?.data).toEqual({ session, person: me, reason: 'asked' });
    expect(event?.personal).toEqual({ ticket: TICKET, purpose: PURPOSE });
    const [leaf] = (await world.ctx.store.read.leaves({ types: ['session.explained'], limit: 10 })).slice(-1);
    const [part] = await world.ctx.store.read.parts([leaf?.pos ?? 0]);
    expect(part?.under).toBe(host.group('session.started'));
    expect(leaf?.bytes).not.toContain('4711');
  });

  it('K4 a password that was typed into the purpose is dropped before it is stored', async () => {
    const session = await fresh();
    const { body } = await explain(session, {
      ticket: 'A-9',
      purpose: 'new printer, password: Hunter2-canary',
    });
    expect(body.purpose).toBe('new printer, password: [dropped]');
    expect((await show(session)).purpose).toBe('new printer, password: [dropped]');
  });

  it('W12 again replaces: the newest counts, and a purpose that is not said again is gone', async () => {
    const session = await fresh();
    await explain(session, { ticket: 'A-1', purpose: 'first' });
    await explain(session, { ticket: 'A-2' });
    expect(await show(session)).toMatchObject({ ticket: 'A-2', purpose: null });
    expect((await world.own('session.explained')).filter((e) => e.data.session === session)).toHaveLength(2);
  });

  it('a dry run says what would be, and changes nothing', async () => {
    const session = await fresh();
    const { body } = await explain(session, { ticket: TICKET, dryRun: true });
    expect(body).toMatchObject({ ticket: TICKET, dryRun: true });
    expect((await show(session)).ticket).toBeNull();
  });

  it.each([
    [{}],
    [{ ticket: '' }],
    [{ ticket: 'x'.repeat(129) }],
    [{ ticket: 'x', purpose: 'y'.repeat(513) }],
  ])('refuses what is no explanation, without repeating it: %#', async (body) => {
    const session = await fresh({ personal: null });
    const answer = await explain(session, body);
    expect([answer.status, answer.body.error.code]).toEqual([400, 'request.invalid']);
    expect(JSON.stringify(answer.body)).not.toMatch(/x{9}|y{9}/);
  });

  it('a session without sealed parts is explained under the span that it began in', async () => {
    const session = await fresh({ personal: null });
    expect((await explain(session, { ticket: TICKET })).body.ticket).toBe(TICKET);
  });

  it('of a session that was merged, the one that stays is explained, and both ids show it', async () => {
    const startedAt = utcMs(START + 500);
    const one = await host.session({ startedAt, durationSeconds: 7 });
    const two = await host.session({ startedAt, durationSeconds: 7 });
    expect((await show(two)).id).toBe(one);
    await explain(two, { ticket: TICKET });
    expect([(await show(one)).ticket, (await show(two)).ticket]).toEqual([TICKET, TICKET]);
  });

  it('W11, S3 the erasure of the month takes ticket and purpose along; then nothing can be added', async () => {
    const gone = await world.host({ customer: 'Gone', name: 'srv-09' });
    const session = await gone.session();
    const [ticket, purpose] = ['INC-CANARY-90210', 'canary purpose of a month'];
    await explain(session, { ticket, purpose });
    const group = gone.group('session.started');
    const leaf = (await world.ctx.store.read.leaves({ types: ['session.explained'], limit: 100 })).at(-1);
    await world.erase(group);
    expect(await show(session)).toMatchObject({ personal: 'erased', ticket: null, purpose: null });
    expect(await world.ctx.store.read.parts([leaf?.pos ?? 0])).toEqual([]);
    const again = await explain(session, { ticket });
    expect([again.status, again.body.error.code]).toEqual([409, 'session.erased']);
    expect((await explain(session, { ticket, dryRun: true })).body.error.code).toBe('session.erased');
    // The fact stays, so that a list of what is unexplained does not grow with each erasure.
    expect(await listed('?unexplained=1&customer=Gone')).toEqual([]);
  });

  it('S1 nothing is added to a one-off session: what it would say would outlive it', async () => {
    const oneoff = await world.host({ customer: 'Visitor', name: 'srv-08', mode: 'one-off' });
    const session = await oneoff.session({ personal: null });
    expect((await explain(session, { ticket: TICKET })).body.error.code).toBe('session.erased');
  });

  it('a host cannot say why somebody was there', async () => {
    const session = await fresh();
    const person = '0'.repeat(32);
    await host.send([{ type: 'session.explained', data: { session, person, reason: 'asked' } }]);
    expect(await listed('?unexplained=1')).toContain(session);
  });

  it('S3 nothing of it stands on disk or in the log in clear', () => {
    const bytes = bytesOnDisk();
    for (const secret of [TICKET, PURPOSE, 'INC-CANARY-90210', 'canary purpose']) {
      expect(bytes.includes(secret), secret).toBe(false);
      expect(world.logged.join('')).not.toContain(secret);
    }
  });
});

describe('session list', () => {
  it('--unexplained shows what nobody has explained; the list and a rebuild agree (Y1)', async () => {
    const mine = await world.host({ customer: 'Listed', name: 'srv-20' });
    const [one, two] = [await mine.session(), await mine.session({ startedAt: utcMs(START + 1) })];
    expect(await listed('?unexplained=1&customer=Listed')).toEqual([one, two]);
    await explain(one, { ticket: TICKET });
    expect(await listed('?unexplained=1&customer=Listed')).toEqual([two]);
    expect(await listed('?customer=Listed')).toEqual([one, two]);
    const before = await world.ctx.store.read.sessions({ customers: null, merged: true, limit: 1000 });
    await world.ctx.store.write(rebuild);
    const after = await world.ctx.store.read.sessions({ customers: null, merged: true, limit: 1000 });
    expect(after).toEqual(before);
    expect(await listed('?unexplained=1&customer=Listed')).toEqual([two]);
  });

  it('attempts are listed where they are asked for only, and are never unexplained', async () => {
    const knocked = await world.host({ customer: 'Knocked', name: 'srv-21' });
    const [kept, tried, denied] = [
      await knocked.session(),
      await knocked.session({ startedAt: utcMs(START + 1), open: true }),
      await knocked.session({ startedAt: utcMs(START + 2), open: true }),
    ];
    await world.ctx.store.write(async (tx) => {
      const rows = await tx.sessionsById([tried, denied]);
      await tx.putSessions(
        rows.map((row) => ({ ...row, state: row.session === tried ? 'attempted' : ('rejected' as const) })),
      );
    });
    expect(await listed('?customer=Knocked')).toEqual([kept]);
    expect(await listed('?customer=Knocked&unexplained=1')).toEqual([kept]);
    expect(await listed('?customer=Knocked&attempts=1')).toEqual([kept, tried, denied]);
    expect(await listed('?customer=Knocked&state=rejected')).toEqual([denied]);
  });
});
