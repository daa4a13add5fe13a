/** What is left of a session once it was erased is enough to know it again, and too little to take two for one. */
import { describe, expect, it } from 'vitest';
import { revokeAgent } from '../../collector/agents.ts';
import { boundsOf } from '../../collector/bounds.ts';
import { COOLING_MS } from '../../collector/erasing/end-rules.ts';
import type { AgentRow } from '../../collector/store/types.ts';
import { readBounds } from '../../protocol/bounds.ts';
import type { AgentId, GroupId } from '../../protocol/ids.ts';
import { newId } from '../../protocol/ids.ts';
import { DAY_MS, MINUTE_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { type AgentDouble, DoubleSealer, random, type Sealed } from '../support/agent-double.ts';
import { ownEvents, startWorld, until, type World } from './running.ts';

interface Row {
  startedAt: UtcMs;
  peer: string;
  direction?: string;
}

/** What one agent tells of these rows of its log; sealed while their span lives. */
async function reads(one: AgentDouble, rows: readonly Row[], sealing: boolean): Promise<string[]> {
  const link = await one.connect();
  const texts: string[] = [];
  const sealed: Sealed[] = [];
  const sessions: string[] = [];
  const sealer = sealing ? new DoubleSealer(one.group('span'), one.chain.log) : null;
  for (const { startedAt, peer, direction = 'incoming' } of rows) {
    const session = newId(random);
    const part = sealer?.seal(one.chain.log, one.chain.next, { peerId: peer }) ?? null;
    const pii = part === null ? [] : [{ group: sealer?.group.group as GroupId, c: part.c }];
    const start = {
      ...{ session, source: 'a'.repeat(32), tool: 'teamviewer', direction, mode: 'managed' },
      ...{ kind: 'remote-control', startedAt: toIso(startedAt), startBasis: 'file-utc', occurrence: 0 },
    };
    const endedAt = toIso(utcMs(startedAt + MINUTE_MS));
    const end = { session, endedAt, endBasis: 'file-utc', durationSeconds: 60, reason: 'completed' };
    texts.push(one.chain.add('session.started', start as never, pii).text);
    texts.push(one.chain.add('session.ended', end as never).text);
    if (part !== null) sealed.push(part);
    sessions.push(session);
  }
  link.send(one.batch(texts, sealed));
  await link.ackThrough(one.chain.next - 1);
  await link.close();
  return sessions;
}

/** Marks the group that these lie under as erased, as the end of an erasure does. */
async function erase(world: World, one: AgentDouble): Promise<void> {
  const { store, groups } = world.handle.ctx;
  const row = groups.byId(one.group('span').group as GroupId);
  if (row === null) throw new Error('no such group');
  const dead = { ...row, state: 'erased' as const, erasedAt: utcMs(1), erasedBy: 'test' };
  await store.write(async (tx) => {
    await tx.dropGroups([row.group]);
    await tx.groups.put([dead]);
  });
  groups.committed([dead]);
}

const rowOf = async (world: World, { agent }: { agent: AgentId }) =>
  (await world.handle.ctx.store.read.agents.get(agent)) as AgentRow;

/** The machine is gone: nothing is heard of it any more. */
async function gone(world: World, one: AgentDouble): Promise<void> {
  await until(async () => (await rowOf(world, one)).lastSeenAt !== null);
  await until(async () => !world.handle.ctx.links.isLive(one.agent));
  world.clock.advance(MINUTE_MS);
}

/** Sessions that stand for themselves. */
async function listed(world: World): Promise<string[]> {
  const rows = await world.handle.ctx.store.read.sessions({ customers: null, limit: 1_000 } as never);
  return rows.map(({ session }) => session);
}

/** Some rows of one log, two of them alike in all but the peer. */
function rowsOf(world: World): Row[] {
  const at = (n: number) => utcMs(Math.floor(world.clock.now() / 1_000) * 1_000 - 10 * MINUTE_MS + n * 5_000);
  return [0, 1, 1, 2].map((n, i) => ({ startedAt: at(n), peer: `77${i}` }));
}

describe('M8, M9: a machine that was enrolled anew reads its old log', () => {
  it('after an erasure: the same ids, the same count, both agents’ events; again and again', async () => {
    const world = await startWorld();
    const rows = rowsOf(world);
    const first = await world.agent();
    const sessions = await reads(first, rows, true);
    expect((await listed(world)).sort()).toEqual([...sessions].sort());
    await erase(world, first);
    let before = first;
    const told: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      await gone(world, before);
      before = await world.agent();
      told.push(...(await reads(before, rows, false)));
    }
    // The same host, once more.
    told.push(...(await reads(before, rows, false)));
    expect((await listed(world)).sort()).toEqual([...sessions].sort());
    const { read } = world.handle.ctx.store;
    expect(await read.sessionsById(told as never)).toHaveLength(told.length);
    expect(await ownEvents(world, 'session.merged')).toHaveLength(told.length);
    // Of two that are alike each was found again as often as the other.
    const under = await read.mergedInto(sessions as never, 100);
    expect(sessions.map((session) => under.filter(({ root }) => root === session).length)).toEqual([
      4, 4, 4, 4,
    ]);
  });

  it('also where all of it comes in one turn, and row by row', async () => {
    const world = await startWorld();
    const rows = rowsOf(world);
    const first = await world.agent();
    const sessions = await reads(first, rows, true);
    await erase(world, first);
    await gone(world, first);
    const second = await world.agent();
    for (const row of rows) await reads(second, [row], false);
    expect((await listed(world)).sort()).toEqual([...sessions].sort());
  });

  it('two hosts that live are never one by times alone', async () => {
    const world = await startWorld();
    const rows = rowsOf(world).slice(0, 1);
    const first = await world.agent();
    await reads(first, rows, true);
    await erase(world, first);
    await gone(world, first);
    const second = await world.agent();
    world.clock.advance(MINUTE_MS);
    // It was only away: heard of again after the other one was enrolled.
    await (await first.connect()).close();
    await gone(world, first);
    expect(await reads(second, rows, false)).toHaveLength(1);
    expect(await listed(world)).toHaveLength(2);
  });

  it('nor is one that is connected now, whatever is stored of when it was seen', async () => {
    const world = await startWorld();
    const rows = rowsOf(world).slice(0, 1);
    const first = await world.agent();
    await reads(first, rows, true);
    await erase(world, first);
    const link = await first.connect();
    await until(async () => (await rowOf(world, first)).lastSeenAt !== null);
    world.clock.advance(MINUTE_MS);
    const second = await world.agent();
    await reads(second, rows, false);
    expect(await listed(world)).toHaveLength(2);
    await link.close();
  });

  it('nor another direction, another site, or a host that was enrolled before', async () => {
    const world = await startWorld();
    const rows = rowsOf(world).slice(0, 1);
    const early = await world.agent();
    world.clock.advance(MINUTE_MS);
    const first = await world.agent();
    await reads(first, rows, true);
    await erase(world, first);
    await gone(world, first);
    await reads(early, rows, false);
    const elsewhere = await world.agent({ site: 'Brøndby' });
    await reads(elsewhere, rows, false);
    const second = await world.agent();
    await reads(
      second,
      rows.map((row) => ({ ...row, direction: 'outgoing' })),
      false,
    );
    expect(await listed(world)).toHaveLength(4);
  });

  it('two machines of a site, each enrolled anew: each finds its own number of sessions', async () => {
    const world = await startWorld();
    const rows = rowsOf(world).slice(0, 1);
    const [one, other] = [await world.agent(), await world.agent()];
    await reads(one, [{ ...rows[0], peer: '1' } as Row], true);
    await reads(other, [{ ...rows[0], peer: '2' } as Row], true);
    await erase(world, one);
    await gone(world, one);
    await gone(world, other);
    const again = [await world.agent(), await world.agent()];
    for (const agent of again) await reads(agent, rows, false);
    expect(await listed(world)).toHaveLength(2);
    const merged = (await ownEvents(world, 'session.merged')) as { into: string }[];
    expect(new Set(merged.map(({ into }) => into)).size).toBe(2);
  });

  it('M1 holds before it: in a span that lives the peer tells them apart', async () => {
    const world = await startWorld();
    const rows = rowsOf(world);
    const first = await world.agent();
    const sessions = await reads(first, rows, true);
    await gone(world, first);
    const second = await world.agent();
    await reads(second, rows, true);
    await reads(second, [{ ...rows[0], peer: 'another' } as Row], true);
    expect(await listed(world)).toHaveLength(sessions.length + 1);
  });
});

describe('bounds', () => {
  const told = async (world: World, one: AgentDouble) => {
    const { ctx } = world.handle;
    const signed = await boundsOf(ctx, await rowOf(world, one));
    const { identity } = (await one.enrol()).body as { identity: string };
    return readBounds(identity, { agent: one.agent, agreement: one.token.agreement }, signed);
  };

  it('V61: they name the end of the last erased span, in enrolment and welcome, signed', async () => {
    const world = await startWorld();
    const first = await world.agent();
    expect(await told(world, first)).toEqual({ readFrom: null, sealFrom: null });
    await reads(first, rowsOf(world), true);
    const { to } = first.group('span');
    await erase(world, first);
    const second = await world.agent();
    const of = { agent: second.agent as string, agreement: second.token.agreement };
    const { body } = await second.enrol();
    const link = await second.connect();
    for (const signed of [body.bounds, link.welcome?.bounds]) {
      const bounds = readBounds(body.identity as string, of, signed as never);
      expect(bounds).toEqual({ readFrom: null, sealFrom: utcMs(Date.parse(to ?? '')) });
    }
    await link.close();
    expect(await told(world, await world.agent({ site: 'Brøndby', customer: 'Borealis' }))).toMatchObject({
      sealFrom: null,
    });
  });

  it('V60: they name the end of an earlier agreement of the site, for hosts enrolled after it', async () => {
    const world = await startWorld();
    const { ctx } = world.handle;
    const first = await world.agent();
    const earlier = await ctx.store.read.agreements.get(first.token.agreement as never);
    if (earlier === null) throw new Error('no agreement');
    const here = await world.agent({ mode: 'one-off' });
    const end = utcMs(Math.ceil(world.clock.now()) + DAY_MS);
    await ctx.store.write((tx) =>
      tx.agreements.put([{ ...earlier, endsAt: end, coolingUntil: utcMs(end + COOLING_MS) }]),
    );
    // It is to end, and has not: what was read until then is still its own.
    const between = await world.agent({ mode: 'one-off' });
    world.clock.advance(2 * DAY_MS);
    const after = await world.agent({ mode: 'one-off' });
    const elsewhere = await world.agent({ mode: 'one-off', site: 'Brøndby' });
    await revokeAgent(ctx, first.agent, null);
    const found = [];
    for (const one of [here, between, after, elsewhere]) found.push((await told(world, one))?.readFrom);
    expect(found).toEqual([null, null, end, null]);
  });
});
