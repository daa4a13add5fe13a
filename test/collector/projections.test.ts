import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyLeaves,
  META_BEYOND,
  META_FAILED,
  PROJECTION_VERSION,
  rebuild,
  refreshProjections,
  type Stored,
} from '../../collector/projections.ts';
import { MAX_PART_POS, MAX_WAITING } from '../../collector/projections-reduce.ts';
import type { AgentRow, Reader, SessionRow, SourceRow, Store, Tx } from '../../collector/store/types.ts';
import type { OwnDraft } from '../../collector/types.ts';
import type { Birth } from '../../protocol/birth.ts';
import { canonical, leafHash } from '../../protocol/canonical.ts';
import { TilsynError } from '../../protocol/errors.ts';
import type {
  AgentId,
  AgreementId,
  CustomerId,
  LogId,
  SessionId,
  SiteId,
  SourceId,
} from '../../protocol/ids.ts';
import { toIso, utcMs } from '../../protocol/time.ts';
import { type House, NOW, newHex, newHouse } from './house.ts';

const time = (seconds: number) => utcMs(NOW + seconds * 1000);
const iso = (seconds: number) => toIso(time(seconds));

interface Event {
  type: string;
  data: Record<string, unknown>;
  sealed?: boolean;
}

/** An agent with one log; `write` appends and projects as ingest does. */
interface Writer {
  agent: AgentRow;
  log: LogId;
  write(tx: Tx, ...events: Event[]): Promise<number[]>;
}

async function registered(store: Store): Promise<AgentRow> {
  const [customer, site, agreement] = [newHex<CustomerId>(), newHex<SiteId>(), newHex<AgreementId>()];
  const agent: AgentRow = {
    agent: newHex<AgentId>(),
    key: newHex(),
    customer,
    site,
    agreement,
    mode: 'managed',
    state: 'approved',
    token: null,
    enrolledAt: NOW,
    revokedAt: null,
    conflictAt: null,
    firstSeenAt: null,
    generation: null,
    lastSeenAt: null,
    readThrough: null,
    skewMs: null,
    backlog: null,
    software: null,
    namePos: null,
  };
  await store.write(async (tx) => {
    await tx.agreements.put([
      {
        agreement,
        customer,
        mode: 'managed',
        state: 'open',
        isDefault: false,
        startsAt: NOW,
        endsAt: null,
        createdAt: NOW,
        coolingUntil: null,
        orderedAt: null,
        orderedBy: null,
        endedAt: null,
      },
    ]);
    await tx.agents.put([agent]);
  });
  return agent;
}

async function logOf(store: Store, agent: AgentRow): Promise<Writer> {
  const log = newHex<LogId>();
  const { agreement, site } = agent;
  const birth = { log, agent: agent.agent, agreement, site } as unknown as Birth;
  const head = Buffer.alloc(32);
  await store.write((tx) =>
    tx.putLogs([{ log, agent: agent.agent, birth, through: 0, head, state: 'open', createdAt: NOW }]),
  );
  return { agent, log, write: (tx, ...events) => append(tx, log, events) };
}

async function append(tx: Tx, log: LogId, events: readonly Event[]): Promise<number[]> {
  const [row] = await tx.logs([log]);
  let seq = row!.through;
  const leaves = events.map(({ type, data, sealed }) => {
    seq += 1;
    const pii = sealed === true ? [{ group: newHex(), c: randomBytes(32).toString('base64url') }] : [];
    const bytes = canonical({ v: 1, log, seq, at: iso(seq), type, data, pii });
    return { log, seq, bytes, hash: leafHash(bytes), type, at: time(seq), receivedAt: time(seq + 1) };
  });
  const positions = await tx.appendLeaves(leaves);
  await tx.setHeads([{ log, through: seq, head: Buffer.alloc(32, 1) }]);
  const stored: Stored[] = leaves.map((leaf, i) => ({ ...leaf, pos: positions[i]! }));
  await applyLeaves(tx, stored);
  return positions;
}

const source = newHex<SourceId>();
const started = (session: string, over: object = {}): Event => ({
  type: 'session.started',
  sealed: true,
  data: {
    session,
    source,
    tool: 'teamviewer',
    direction: 'incoming',
    mode: 'managed',
    kind: 'remote-control',
    startedAt: iso(-100),
    startBasis: 'file-utc',
    occurrence: 0,
    ...over,
  },
});
const ended = (session: string, reason = 'completed'): Event => ({
  type: 'session.ended',
  data: { session, endedAt: iso(-10), endBasis: 'file-utc', durationSeconds: 90, reason },
});
const updated = (session: string, over: object = {}): Event => ({
  type: 'session.updated',
  data: { session, auth: null, failedAttempts: null, files: null, confirmedBy: [], ...over },
});
const told = (type: string, over: object = {}): Event => ({
  type,
  data: { source, tool: 'teamviewer', offset: null, length: null, count: null, reason: null, ...over },
});
const gap = (over: object = {}): Event => ({
  type: 'journal.gap',
  data: {
    source: null,
    log: null,
    from: 1,
    to: 9,
    count: 8,
    reason: 'disk-full',
    fromAt: null,
    toAt: null,
    ...over,
  },
});
const merged = (session: string, into: string): OwnDraft<'session.merged'> => ({
  type: 'session.merged',
  data: { session, into },
});

const session = (store: Store, id: string) =>
  store.read.sessionsById([id as SessionId]).then((rows) => rows[0] as SessionRow);

/** Everything that a projection says. */
async function shown(read: Reader) {
  const agents = await read.agents.list();
  const ids = agents.map((row) => row.agent);
  return {
    sessions: await read.sessions({ customers: null, merged: true, limit: 10_000 }),
    sources: (await read.sources.list()).toSorted((a, b) => (a.source < b.source ? -1 : 1)),
    gaps: await read.gaps(ids, utcMs(0), utcMs(9e15)),
    names: agents.map((row) => row.namePos),
  };
}

async function expectSameAfterRebuild(house: House): Promise<void> {
  const live = await shown(house.store.read);
  await house.store.write(rebuild);
  expect(await shown(house.store.read)).toEqual(live);
}

async function world(): Promise<{ house: House; store: Store; one: Writer; two: Writer }> {
  const house = await newHouse();
  const agent = await registered(house.store);
  const [one, two] = [await logOf(house.store, agent), await logOf(house.store, agent)];
  return { house, store: house.store, one, two };
}

describe('projections', () => {
  it('make a session of its events: who, what, when, from which leaves', async () => {
    const { house, store, one } = await world();
    const id = newHex<SessionId>();
    await store.write((tx) =>
      one.write(tx, started(id), updated(id, { auth: 'fixed-password', confirmedBy: ['connections'] })),
    );
    const { customer, site, agreement, agent } = one.agent;
    expect(await session(store, id)).toMatchObject({
      ...{ customer, site, agreement, agent },
      state: 'active',
      startedAt: time(-100),
      auth: 'fixed-password',
      ...{ log: one.log, firstSeq: 1, lastSeq: 2, partPos: [1] },
    });
    const more = updated(id, { failedAttempts: 2, confirmedBy: ['connections', 'logfile'] });
    await store.write((tx) => one.write(tx, { ...more, sealed: true }, ended(id)));
    expect(await session(store, id)).toMatchObject({
      ...{ state: 'ended', endedAt: time(-10), endReason: 'completed', durationSeconds: 90 },
      ...{ auth: 'fixed-password', failedAttempts: 2, files: null, confirmedBy: ['connections', 'logfile'] },
      ...{ lastSeq: 4, partPos: [1, 3] },
    });
    await expectSameAfterRebuild(house);
  });

  it('Y6 say whether anybody is connected: what was said of the latest instant counts, told last or not', async () => {
    const { house, store, one, two } = await world();
    const [id, twin] = [newHex<SessionId>(), newHex<SessionId>()];
    const says = (state: string, at: number) => ({ connection: { state, at: iso(at) } });
    await store.write((tx) => one.write(tx, started(id), updated(id)));
    expect(await session(store, id)).toMatchObject({ connection: null, connectionAt: null });
    await store.write((tx) => one.write(tx, updated(id, says('disconnected', -50))));
    await store.write((tx) => one.write(tx, updated(id, { files: 2 })));
    const gone = { state: 'active', connection: 'disconnected', connectionAt: time(-50), files: 2 };
    expect(await session(store, id)).toMatchObject(gone);
    await store.write((tx) => one.write(tx, updated(id, says('connected', -40))));
    // Another log tells late of what was before.
    await store.write((tx) => two.write(tx, started(twin), updated(twin, says('disconnected', -45))));
    await store.write((tx) => house.own.append(tx, [merged(twin, id)]));
    expect(await session(store, id)).toMatchObject({ connection: 'connected', connectionAt: time(-40) });
    await store.write((tx) => two.write(tx, updated(twin, says('disconnected', -30))));
    expect(await session(store, id)).toMatchObject({ connection: 'disconnected', connectionAt: time(-30) });
    await expectSameAfterRebuild(house);
  });

  it('say unknown-end where the source does not know the end', async () => {
    const { store, one } = await world();
    const id = newHex<SessionId>();
    await store.write((tx) => one.write(tx, started(id), ended(id, 'unknown')));
    expect((await session(store, id)).state).toBe('unknown-end');
  });

  it('write a session once per batch, however many events it had', async () => {
    const { store, one } = await world();
    const ids = [newHex<SessionId>(), newHex<SessionId>()];
    let puts: number[] = [];
    await store.write(async (tx) => {
      const counting = {
        ...tx,
        putSessions: (rows: readonly SessionRow[]) => {
          puts = [...puts, rows.length];
          return tx.putSessions(rows);
        },
      };
      await one.write(counting, ...ids.flatMap((id) => [started(id), updated(id), ended(id)]));
    });
    expect(puts).toEqual([2]);
  });

  it('Y4 keep what comes before its start, from a successor log, until the start comes', async () => {
    const { house, store, one, two } = await world();
    const id = newHex<SessionId>();
    const other = newHex<SessionId>();
    await store.write((tx) => two.write(tx, updated(id, { files: 3 }), ended(id)));
    await store.write((tx) => house.own.append(tx, [merged(id, other)]));
    expect(await session(store, id)).toBeUndefined();
    expect((await store.read.waiting([id])).map((row) => row.pos)).toEqual([1, 2, 3]);
    await store.write((tx) => one.write(tx, started(id)));
    expect(await session(store, id)).toMatchObject({ state: 'ended', files: 3, mergedInto: other });
    expect(await session(store, id)).toMatchObject({ log: one.log, firstSeq: 1, lastSeq: 1 });
    expect(await store.read.waiting([id])).toEqual([]);
    await expectSameAfterRebuild(house);
  });

  it('Y4 do the same within one batch', async () => {
    const { store, one } = await world();
    const id = newHex<SessionId>();
    await store.write((tx) => one.write(tx, ended(id), started(id)));
    expect((await session(store, id)).state).toBe('ended');
    expect(await store.read.waiting([id])).toEqual([]);
  });

  it('Y5 let so many wait for one start, in the order they came, and count the rest', async () => {
    const { house, store, one, two } = await world();
    const id = newHex<SessionId>();
    const many = Array.from({ length: MAX_WAITING + 10 }, (_, i) => updated(id, { files: i }));
    await store.write((tx) => two.write(tx, ...many.slice(0, 20)));
    await store.write((tx) => two.write(tx, ...many.slice(20), ended(id)));
    expect((await store.read.waiting([id])).length).toBe(MAX_WAITING);
    expect(await store.read.meta(META_BEYOND)).toBe('11');
    await expectSameAfterRebuild(house);
    expect((await store.read.waiting([id])).length).toBe(MAX_WAITING);
    expect(await store.read.meta(META_BEYOND)).toBe('11');
    let read = 0;
    await store.write(async (tx) => {
      const leavesAt = (positions: readonly number[]) => {
        read += positions.length;
        return tx.leavesAt(positions);
      };
      await one.write({ ...tx, leavesAt }, started(id));
    });
    expect(read).toBe(MAX_WAITING);
    expect(await session(store, id)).toMatchObject({ files: MAX_WAITING - 1, state: 'active' });
    await expectSameAfterRebuild(house);
  });

  it('Y5 note so many leaves with parts of one session, its first ones', async () => {
    const { house, store, one, two } = await world();
    const id = newHex<SessionId>();
    const part = { ...updated(id), sealed: true };
    await store.write((tx) => two.write(tx, part));
    await store.write((tx) => one.write(tx, started(id), ...Array.from({ length: 100 }, () => part)));
    const expected = Array.from({ length: MAX_PART_POS }, (_, i) => i + 1);
    expect((await session(store, id)).partPos).toEqual(expected);
    await expectSameAfterRebuild(house);
  });

  it('Y6 show on the session that stays what only the merged one knows, told before or after', async () => {
    const { house, store, one } = await world();
    const other = await logOf(store, await registered(store));
    const [a, b, c] = [newHex<SessionId>(), newHex<SessionId>(), newHex<SessionId>()];
    await store.write(async (tx) => {
      await one.write(tx, started(a), updated(a, { auth: 'key' }));
      await other.write(tx, started(b), updated(b, { auth: 'click', confirmedBy: ['logfile'] }), ended(b));
      await house.own.append(tx, [merged(b, a)]);
    });
    expect(await session(store, a)).toMatchObject({
      ...{ state: 'ended', endedAt: time(-10), endReason: 'completed', durationSeconds: 90 },
      ...{ auth: 'key', confirmedBy: ['logfile'], mergedInto: null },
    });
    await expectSameAfterRebuild(house);
    await store.write(async (tx) => {
      await one.write(tx, started(c));
      await house.own.append(tx, [merged(a, c)]);
    });
    // Through the chain b → a → c, in a batch of its own; c's own telling goes before.
    await store.write((tx) => other.write(tx, updated(b, { files: 7, failedAttempts: 1 })));
    await store.write((tx) => one.write(tx, updated(c, { failedAttempts: 3 })));
    expect(await session(store, c)).toMatchObject({ state: 'ended', files: 7, failedAttempts: 3 });
    await expectSameAfterRebuild(house);
  });

  it('Y6 do so also where the merge itself waited for the start, in a batch that names nothing else', async () => {
    const { house, store, one } = await world();
    const [id, root, top] = [newHex<SessionId>(), newHex<SessionId>(), newHex<SessionId>()];
    await store.write(async (tx) => {
      await one.write(tx, started(root), started(top), ended(id));
      await house.own.append(tx, [merged(id, root), merged(root, top)]);
    });
    await store.write((tx) => one.write(tx, started(id)));
    expect(await session(store, top)).toMatchObject({ state: 'ended', mergedInto: null });
    await expectSameAfterRebuild(house);
  });

  it('Y6 never merge in a ring', async () => {
    const { house, store, one } = await world();
    const [a, b] = [newHex<SessionId>(), newHex<SessionId>()];
    await store.write(async (tx) => {
      await one.write(tx, started(a), started(b));
      await house.own.append(tx, [merged(b, a), merged(a, b), merged(a, a)]);
    });
    expect((await session(store, a)).mergedInto).toBeNull();
    expect((await session(store, b)).mergedInto).toBe(a);
    await expectSameAfterRebuild(house);
  });

  it('Y7 leave out the one leaf that a projection fails on, and no other', async () => {
    const { store, one } = await world();
    const [a, bad, b] = [newHex<SessionId>(), newHex<SessionId>(), newHex<SessionId>()];
    // No column holds this: what an oversight of a reducer would bring.
    const failing = (tx: Tx): Tx => ({
      ...tx,
      putSessions: (rows) =>
        tx.putSessions(rows.map((row) => (row.session === bad ? { ...row, occurrence: 1e30 } : row))),
    });
    await store.write((tx) => one.write(failing(tx), started(a), started(bad), gap(), ended(a), started(b)));
    const expected = async () => {
      const { sessions, gaps } = await shown(store.read);
      expect(sessions.map((row) => row.session).toSorted()).toEqual([a, b].toSorted());
      expect((await session(store, a)).state).toBe('ended');
      expect(gaps.length).toBe(1);
      expect(await store.read.meta(META_FAILED)).toBe('1');
    };
    await expected();
    await store.write((tx) => rebuild(failing(tx)));
    await expected();
    expect((await store.read.counts()).leaves).toBe(5);
    await store.write(rebuild);
    expect(await session(store, bad)).toMatchObject({ state: 'active' });
  });

  it('Y7 blame no leaf for the store: a full disk fails the transaction', async () => {
    const { store, one } = await world();
    const full = new TilsynError('store.full', 'storing: no space left');
    const failing = (tx: Tx): Tx => ({ ...tx, putSessions: () => Promise.reject(full) });
    await expect(store.write((tx) => one.write(failing(tx), started(newHex())))).rejects.toBe(full);
  });

  it('keep a sum of counts within what a column holds', async () => {
    const { house, store, one } = await world();
    const most = Number.MAX_SAFE_INTEGER;
    const huge = ['skipped', 'unreadable'].map((what) => told(`source.${what}`, { count: most }));
    await store.write((tx) => one.write(tx, ...Array.from({ length: 1_100 }, () => huge).flat()));
    expect(await store.read.sources.get(source)).toMatchObject({ skipped: most, unreadable: most });
    await expectSameAfterRebuild(house);
  });

  it('join the events of one session from two logs of one agent', async () => {
    const { house, store, one, two } = await world();
    const id = newHex<SessionId>();
    await store.write((tx) => one.write(tx, started(id)));
    await store.write((tx) => two.write(tx, started(id, { startedAt: iso(-99) }), ended(id)));
    const row = await session(store, id);
    expect(row).toMatchObject({
      state: 'ended',
      startedAt: time(-100),
      log: one.log,
      lastSeq: 1,
      startedPos: 1,
    });
    expect(row.partPos).toEqual([1, 2]);
    await expectSameAfterRebuild(house);
  });

  it('Y3 let no agent touch sessions or sources of another', async () => {
    const { house, store, one } = await world();
    const stranger = await logOf(store, await registered(store));
    const id = newHex<SessionId>();
    await store.write((tx) => one.write(tx, started(id), told('source.opened')));
    const before = await shown(store.read);
    await store.write((tx) =>
      stranger.write(tx, ended(id), updated(id, { files: 9 }), started(id), told('source.lost'), {
        type: 'session.merged',
        data: { session: id, into: newHex() },
      }),
    );
    expect(await shown(store.read)).toEqual(before);
    await expectSameAfterRebuild(house);
  });

  it('point merged sessions to the one that stays, by events of the own log', async () => {
    const { house, store, one } = await world();
    const [a, b] = [newHex<SessionId>(), newHex<SessionId>()];
    await store.write(async (tx) => {
      await one.write(tx, started(a), started(b), ended(b));
      await house.own.append(tx, [merged(b, a)]);
    });
    expect(await session(store, b)).toMatchObject({ mergedInto: a, state: 'ended' });
    expect((await store.read.mergedInto([a], 9)).map(({ row }) => row.session)).toEqual([b]);
    await store.write((tx) => one.write(tx, updated(b, { files: 1 })));
    expect(await session(store, b)).toMatchObject({ mergedInto: a, files: 1 });
    await expectSameAfterRebuild(house);
  });

  it('Y2 leave unknown types and unknown fields alone', async () => {
    const { house, store, one } = await world();
    const id = newHex<SessionId>();
    await store.write((tx) =>
      one.write(
        tx,
        { type: 'session.teleported', data: { session: id } },
        started(id, { mood: 'good' }),
        { type: 'session.started', data: { session: 7 } },
        told('source.opened', { tool: 'some-new-tool' }),
      ),
    );
    const { sessions, sources, gaps } = await shown(store.read);
    expect([sessions, sources, gaps]).toEqual([[], [], []]);
    expect(await store.read.lastPos()).toBe(4);
    await expectSameAfterRebuild(house);
  });

  it('Y2 are made anew once by the first start of another version, and not by the next', async () => {
    const { store, one } = await world();
    const id = newHex<SessionId>();
    await store.write((tx) => one.write(tx, started(id), ended(id)));
    // What a version that did not know the end has left.
    const old = { ...(await session(store, id)), state: 'active' as const, endedAt: null };
    for (const version of [null, '0', String(PROJECTION_VERSION + 1)]) {
      await store.write(async (tx) => {
        await tx.putSessions([old]);
        if (version !== null) await tx.setMeta('projections', version);
      });
      expect(await refreshProjections(store)).toBe(version !== null);
      expect((await session(store, id)).state).toBe('ended');
      expect(await refreshProjections(store)).toBe(false);
    }
  });

  it('follow a source: reading, unreadable, lost, and what it left out', async () => {
    const { house, store, one } = await world();
    const seen = async (...events: Event[]): Promise<SourceRow> => {
      await store.write((tx) => one.write(tx, ...events));
      return (await store.read.sources.get(source))!;
    };
    expect(await seen(told('source.added'))).toMatchObject({ state: 'reading', since: time(1), skipped: 0 });
    expect(await seen(told('source.opened'), told('source.rotated'))).toMatchObject({ since: time(1) });
    expect(await seen(told('source.skipped', { count: 4 }), told('source.skipped'))).toMatchObject({
      skipped: 5,
    });
    expect(await seen(told('source.unreadable', { count: 2 }))).toMatchObject({
      state: 'reading',
      unreadable: 2,
    });
    const denied = told('source.unreadable', { reason: 'EACCES' });
    expect(await seen(denied)).toMatchObject({ state: 'unreadable', since: time(7), unreadable: 2 });
    expect(await seen(told('source.lost'))).toMatchObject({ state: 'lost', since: time(8) });
    expect(await seen(told('source.opened'))).toMatchObject({ state: 'reading', since: time(9) });
    await expectSameAfterRebuild(house);
  });

  it('show gaps with the bounds that are known, else at the time of telling', async () => {
    const { house, store, one } = await world();
    await store.write((tx) =>
      one.write(
        tx,
        gap(),
        gap({ fromAt: iso(-50), toAt: iso(-20), source }),
        gap({ fromAt: iso(-50) }),
        gap({ fromAt: iso(60), toAt: iso(50) }),
      ),
    );
    const { gaps } = await shown(store.read);
    expect(gaps.map((row) => [row.fromAt, row.toAt, row.source])).toEqual([
      [time(1), time(1), null],
      [time(-50), time(-20), source],
      [time(-50), time(3), null],
      [time(50), time(60), null],
    ]);
    expect(gaps[0]).toMatchObject({ agent: one.agent.agent, reason: 'disk-full', count: 8, pos: 1 });
    await expectSameAfterRebuild(house);
  });

  it('keep the newest host.named with a sealed part as the name of the host', async () => {
    const { house, store, one, two } = await world();
    const named = (sealed: boolean): Event => ({ type: 'host.named', data: {}, sealed });
    await store.write((tx) => one.write(tx, named(true)));
    await store.write((tx) => two.write(tx, named(true), named(false)));
    expect((await store.read.agents.get(one.agent.agent))?.namePos).toBe(2);
    await expectSameAfterRebuild(house);
  });

  it('take agreement and site from the birth of the log, also after the agent moved', async () => {
    const { house, store, one } = await world();
    const id = newHex<SessionId>();
    await store.write((tx) => one.write(tx, started(id)));
    const elsewhere = await registered(store);
    const { customer, site, agreement } = elsewhere;
    await store.write((tx) => tx.agents.put([{ ...one.agent, customer, site, agreement }]));
    await expectSameAfterRebuild(house);
    expect(await session(store, id)).toMatchObject({
      customer: one.agent.customer,
      agreement: one.agent.agreement,
    });
  });

  it('Y1 are the same after a rebuild, whatever came in whatever order and batches', async () => {
    const { house, store, one, two } = await world();
    const stranger = await logOf(store, await registered(store));
    const ids = Array.from({ length: 4 }, () => newHex<SessionId>());
    const some = fc.constantFrom(...ids);
    const event: fc.Arbitrary<Event | OwnDraft> = fc.oneof(
      some.map((id) => started(id)),
      some.map((id) => ended(id)),
      fc.tuple(some, fc.nat(5)).map(([id, files]) => updated(id, { files, confirmedBy: [`f${files}`] })),
      fc.tuple(some, some).map(([a, b]) => merged(a, b)),
      fc.constantFrom('opened', 'skipped', 'lost', 'unreadable').map((what) => told(`source.${what}`)),
      fc.constant(gap()),
      fc.constant<Event>({ type: 'host.named', data: {}, sealed: true }),
      fc.constant<Event>({ type: 'future.thing', data: {} }),
    );
    const batch = fc.tuple(
      fc.constantFrom(one, two, stranger),
      fc.array(event, { minLength: 1, maxLength: 6 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 6 }), async (batches) => {
        for (const [writer, events] of batches) {
          await store.write(async (tx) => {
            const own = events.filter((e): e is OwnDraft => e.type === 'session.merged');
            const theirs = events.filter((e): e is Event => e.type !== 'session.merged');
            if (theirs.length > 0) await writer.write(tx, ...theirs);
            await house.own.append(tx, own);
          });
        }
        await expectSameAfterRebuild(house);
      }),
      { numRuns: 30 },
    );
  });

  it('rebuild more leaves than fit one step', async () => {
    const { house, store, one } = await world();
    const ids = Array.from({ length: 1_100 }, () => newHex<SessionId>());
    await store.write((tx) => one.write(tx, ...ids.flatMap((id) => [started(id), ended(id)])));
    expect((await store.read.counts()).sessions).toBe(1_100);
    await expectSameAfterRebuild(house);
  });
});
