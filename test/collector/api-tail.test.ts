import { request } from 'node:https';
import { PassThrough } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HEARTBEAT_MS, makeTails } from '../../collector/api/tail.ts';
import type { Auth, Caller } from '../../collector/auth.ts';
import { HOUR_MS } from '../../protocol/time.ts';
import { ApiWorld, type Loose, type TestHost } from './api-world.ts';

let world: ApiWorld;
let admin: string;
let host: TestHost;
const open: { end(): void }[] = [];
beforeEach(async () => {
  world = await ApiWorld.make();
  admin = await world.person('admin');
  host = await world.host();
});
afterEach(async () => {
  for (const tail of open.splice(0)) tail.end();
  await world.close();
});

/** Opens a tail and collects its lines. */
async function tail(path: string, token = admin) {
  const lines: Loose[] = [];
  const state = { ended: false };
  const outgoing = request(new URL(path, world.url), {
    ca: world.ca,
    agent: false,
    headers: { authorization: `Bearer ${token}` },
  });
  outgoing.on('error', () => {
    state.ended = true;
  });
  outgoing.on('response', (response) => {
    let rest = '';
    response.setEncoding('utf8');
    response.on('error', () => {});
    response.on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts.map((line) => JSON.parse(line)));
    });
    response.on('close', () => {
      state.ended = true;
    });
  });
  outgoing.end();
  const self = {
    lines,
    state,
    items: () => lines.flatMap((l) => l.item ?? []),
    end: () => outgoing.destroy(),
  };
  open.push(self);
  await expect.poll(() => lines.length).toBeGreaterThan(0);
  return self;
}

describe('events tail', () => {
  it('starts now, tells its cursor at once, and goes on with each commit', async () => {
    const t = await tail('/v1/events/tail');
    expect(t.lines[0]).toMatchObject({ after: await world.ctx.store.read.lastPos() });
    const session = await host.session();
    await expect.poll(() => t.items().length).toBe(2);
    expect(t.items()[0]).toMatchObject({
      type: 'session.started',
      log: host.log,
      hostId: host.id,
      recognised: true,
      data: { session },
    });
    expect(t.items()[0].pii).toHaveLength(1);
    expect(JSON.stringify(t.lines)).not.toContain('1660360496');
  });

  it('goes on from a cursor: nothing lost, nothing twice', async () => {
    const all = await tail('/v1/events/tail?after=0&type=session.started&type=session.ended');
    for (let i = 0; i < 3; i++) await host.session({ occurrence: i, personal: null });
    await expect.poll(() => all.items().length).toBe(6);
    const after = all.items()[2].pos;
    const rest = await tail(`/v1/events/tail?after=${after}&type=session.started&type=session.ended`);
    await expect.poll(() => rest.items().length).toBe(3);
    expect(rest.items()).toEqual(all.items().slice(3));
    expect((await world.get('/v1/events/tail?after=x', admin)).status).toBe(400);
  });

  it('beats in silence, also while others make noise that it does not see', async () => {
    const bound = await world.person('technician', [host.row.customer]);
    const other = await world.host({ customer: 'Other', name: 'srv-02' });
    const t = await tail('/v1/events/tail', bound);
    const beats = () => t.lines.filter((line) => line.item === undefined).length;
    for (let i = 2; i <= 3; i++) {
      world.clock.advance(HEARTBEAT_MS);
      await other.session({ occurrence: i });
      await expect.poll(beats).toBe(i);
    }
    expect(t.items()).toEqual([]);
  });

  it('Q8 ends with an error line once the sign-in is revoked', async () => {
    const token = await world.person('technician');
    const { id } = (await world.get('/v1/whoami', token)).body;
    const t = await tail('/v1/events/tail', token);
    await world.post(`/v1/people/${id}/revoke`, admin);
    await expect.poll(() => t.state.ended).toBe(true);
    expect(t.lines.at(-1)).toMatchObject({ error: { code: 'signin.refused', exit: 'signedOut' } });
    expect(JSON.stringify(t.lines)).not.toContain('person.revoked');
  });

  it('Q8, Q12 ends once reading is taken away, before anything more is shown', async () => {
    const token = await world.person('auditor');
    const { id } = (await world.get('/v1/whoami', token)).body;
    const t = await tail('/v1/sessions/tail', token);
    await world.post(`/v1/people/${id}/change`, admin, { reading: false });
    await expect.poll(() => t.state.ended).toBe(true);
    await host.session();
    expect(t.items()).toEqual([]);
    expect((await world.get('/v1/sessions', token)).status).toBe(403);
  });

  it('Q8 ends when the sign-in expires, at the next beat', async () => {
    const t = await tail('/v1/events/tail');
    world.clock.advance(100 * 24 * HOUR_MS);
    await expect.poll(() => t.state.ended).toBe(true);
    expect(t.lines.at(-1)).toMatchObject({ error: { code: 'signin.refused' } });
  });

  it('the collector stops without waiting for open tails', async () => {
    const t = await tail('/v1/events/tail');
    await world.app.close();
    await expect.poll(() => t.state.ended).toBe(true);
  });
});

describe('a tail whose connection is gone', () => {
  const gone = () => new PassThrough().destroy();
  const ask = (socket: PassThrough, raw: PassThrough) => {
    const auth = { again: async (caller: Caller) => caller } as unknown as Auth;
    const tails = makeTails(world.ctx, auth);
    const request = { raw: { socket } } as unknown as FastifyRequest;
    const reply = { hijack: () => {}, raw: Object.assign(raw, { writeHead: () => raw }) };
    const page = { items: [], after: 0, more: false };
    return tails.run({} as Caller, request, reply as unknown as FastifyReply, null, async () => page);
  };

  it('Q9 ends, where it went before the tail began', async () => {
    await ask(gone(), new PassThrough());
  });

  it('Q9 ends, where only the answer knows that nobody reads it', async () => {
    await ask(new PassThrough(), gone());
  });
});

describe('sessions tail', () => {
  it('Q1 shows sessions as they change; each page is a reading', async () => {
    const t = await tail('/v1/sessions/tail');
    const session = await host.session({ open: true });
    await expect.poll(() => t.items().length).toBe(1);
    expect(t.items()[0]).toMatchObject({
      id: session,
      state: 'active',
      host: 'srv-01',
      peer: { id: '1660360496' },
    });
    await host.send([
      {
        type: 'session.ended',
        data: {
          session,
          endedAt: '2026-11-22T12:10:00.000Z',
          endBasis: 'file-utc',
          durationSeconds: 600,
          reason: 'completed',
        },
      },
    ]);
    await expect.poll(() => t.items().length).toBe(2);
    expect(t.items()[1]).toMatchObject({ id: session, state: 'ended', durationSeconds: 600 });
    const verbs = (await world.own('reading')).map((e) => e.data.verb);
    expect(verbs).toEqual(['session.tail', 'session.tail']);
  });

  it('Q1 where the reading cannot be stored, the tail ends without the session', async () => {
    const t = await tail('/v1/sessions/tail');
    world.failOwn = true;
    await host.session({ personal: null });
    await expect.poll(() => t.state.ended).toBe(true);
    world.failOwn = false;
    expect(t.items()).toEqual([]);
    expect(t.lines.at(-1)).toMatchObject({ error: { code: 'reading.not-recorded' } });
  });

  it('Q4 a bound person sees their own customers only', async () => {
    const other = await world.host({ customer: 'Other', name: 'srv-02' });
    const token = await world.person('technician', [host.row.customer]);
    const t = await tail('/v1/sessions/tail?after=0', token);
    await other.session();
    const mine = await host.session();
    await expect.poll(() => t.items().length).toBe(1);
    expect(t.items()[0].id).toBe(mine);
    expect(JSON.stringify(t.lines)).not.toContain(other.id);
  });
});
