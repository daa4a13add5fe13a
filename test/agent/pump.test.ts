/** A real file, followed into a real journal. Turns are driven by hand; the clock stands unless it is moved. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { OpenOptions } from '../../agent/journal-open.ts';
import { silentLog } from '../../agent/log.ts';
import { ROWS } from '../../agent/pump.ts';
import { ClockWatch, Pumps } from '../../agent/pump-all.ts';
import type { PumpChain } from '../../agent/pump-chain.ts';
import type { StartRule } from '../../agent/pump-sight.ts';
import { chainOf } from '../../agent/sessions/chains.ts';
import { WINDOW_BYTES } from '../../agent/sessions/occurrence.ts';
import type { FaultSeam } from '../../agent/types.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import { PLAIN, records, row } from '../fixtures/teamviewer.ts';
import { group, LIMITS, openAll, type TestGroup, type World, world } from './support.ts';

const ENROLLED = utcMs(Date.UTC(2026, 10, 1));
/** After the enrolment. */
const NEW = { start: '20-11-2026 10:00:00', end: '20-11-2026 10:05:00' };

interface Rig {
  w: World;
  path: string;
  pump: PumpChain;
  late: TestGroup;
  /** Turns until there is nothing more at once. */
  drain(): Promise<void>;
  /** Stops the pump and starts another one, as a restart does. */
  restart(): Promise<void>;
}

const rigs: Rig[] = [];
afterEach(async () => {
  for (const { pump } of rigs.splice(0)) await pump.stop();
});

interface RigOptions extends Partial<OpenOptions> {
  start?: StartRule;
  onCaughtUp?: () => void;
  over?: () => boolean;
}

/** The chain of one connections file, and no log. */
function chain(w: World, path: string, label: string, { start, onCaughtUp, over }: RigOptions): PumpChain {
  const rule = start ?? { startFrom: 'beginning', enrolledAt: ENROLLED };
  const { journal, clock } = w;
  const deps = {
    ...{ journal, clock, log: silentLog, random: randomBytes, mode: 'managed' as const, onCaughtUp, over },
    ...{ digestKey: w.options.digestKey, enrolledAt: rule.enrolledAt, found() {} },
    machine: { zone: 'UTC', ownIps: [], uptimeMs: () => 1e12 },
  };
  const file = { source: journal.sourceId(label), path, word: 'connections', direction: 'incoming' as const };
  return chainOf(deps, {
    type: 'teamviewer',
    startFrom: rule.startFrom,
    matches: null,
    logs: [],
    rows: [file],
  });
}

async function rig(content: string | null, o: RigOptions = {}): Promise<Rig> {
  const w = world({ ...(o.faults === undefined ? {} : { faults: o.faults as FaultSeam }) });
  const path = join(dirname(w.dir), 'Connections_incoming.txt');
  if (content !== null) writeFileSync(path, content);
  const late = group('late');
  w.journal.addGroups([late.signed]);
  const pumpOf = () => chain(rigged.w, path, `teamviewer:${path}`, o);
  const rigged: Rig = {
    w,
    path,
    late,
    pump: undefined as unknown as PumpChain,
    async drain() {
      while ((await this.pump.turn()) === 'more');
    },
    async restart() {
      await this.pump.stop();
      this.w = this.w.reopen();
      this.pump = pumpOf();
    },
  };
  rigged.pump = pumpOf();
  rigs.push(rigged);
  return rigged;
}

const openLog = (r: Rig) => r.w.journal.logs().find((log) => log.open)!;

function eventsOf(r: Rig) {
  const { log } = openLog(r);
  const events = [];
  for (let out = r.w.journal.outgoing(log, 0, LIMITS); out !== null; ) {
    events.push(...out.events.map((text) => JSON.parse(text)));
    out = r.w.journal.outgoing(log, out.lastSeq, LIMITS);
  }
  return events;
}

const ofType = (r: Rig, type: string) => eventsOf(r).filter((event) => event.type === type);
const rows = (n: number, change: (i: number) => Partial<typeof PLAIN> = () => ({})) =>
  records(Array.from({ length: n }, (_, i) => row({ peerId: String(100_000_000 + i), ...change(i) })));

it('U1 each row gives its start and its end in one transaction with the position', async () => {
  const r = await rig(rows(ROWS + 3));
  await r.drain();
  const sessions = eventsOf(r).filter((event) => event.type.startsWith('session.'));
  expect(sessions).toHaveLength((ROWS + 3) * 2);
  for (let i = 0; i < sessions.length; i += 2) {
    expect(sessions[i].type).toBe('session.started');
    expect(sessions[i + 1]).toMatchObject({
      type: 'session.ended',
      data: { session: sessions[i].data.session, durationSeconds: 124 },
    });
  }
  expect(ofType(r, 'source.opened')).toHaveLength(1);
  expect(r.pump.status()[0]).toMatchObject({
    state: 'caught-up',
    rows: ROWS + 3,
    behindBytes: 0,
    problem: null,
  });
});

it('U1 what was sealed is what the row said; the leaf says nothing of it', async () => {
  const r = await rig(records([row()]));
  await r.drain();
  const out = r.w.journal.outgoing(openLog(r).log, 0, LIMITS)!;
  expect(openAll(out, [r.late])[0]?.p).toEqual({
    peerId: PLAIN.peerId,
    peerNames: [PLAIN.peerName],
    localUser: PLAIN.user,
    toolSessionId: PLAIN.guid,
  });
  for (const secret of [PLAIN.peerId, PLAIN.peerName, PLAIN.user, PLAIN.guid]) {
    expect(out.events.join()).not.toContain(secret);
  }
});

it('U1 a restart reads on, without loss and without repeating', async () => {
  const r = await rig(rows(5));
  await r.drain();
  await r.restart();
  await r.drain();
  appendFileSync(r.path, rows(2));
  await r.drain();
  expect(ofType(r, 'session.started')).toHaveLength(7);
});

it('U1 a clock set back during a session gives a duration of zero, and both times', async () => {
  const r = await rig(records([row({ start: NEW.end, end: NEW.start })]));
  await r.drain();
  expect(ofType(r, 'session.ended')[0].data).toMatchObject({
    durationSeconds: 0,
    endedAt: '2026-11-20T10:00:00.000Z',
  });
});

it('U2 unreadable lines are counted, set aside by a keyed digest, and said once for a transaction', async () => {
  const r = await rig(records([row(), 'no row at all', row({ peerId: '12' }), row({ peerId: '222222222' })]));
  await r.drain();
  expect(ofType(r, 'session.started')).toHaveLength(2);
  expect(ofType(r, 'source.unreadable').map((event) => event.data)).toMatchObject([
    { count: 2, reason: 'mixed' },
  ]);
  expect(r.pump.status()[0]?.unreadable).toBe(2);
  expect(JSON.stringify(eventsOf(r))).not.toContain('no row');
});

it('U2 a row that cannot become an event is set aside alone; its neighbours are read', async () => {
  const r = await rig(rows(6, (i) => (i === 3 ? { guid: 'refuse-me' } : {})));
  const append = r.w.journal.append.bind(r.w.journal);
  r.w.journal.append = (drafts, cursors, aside) => {
    if (JSON.stringify(drafts).includes('refuse-me')) {
      throw Object.assign(new Error(), { code: 'event.invalid' });
    }
    return append(drafts, cursors, aside);
  };
  await r.drain();
  expect(ofType(r, 'session.started')).toHaveLength(5);
  expect(ofType(r, 'source.unreadable')[0].data).toMatchObject({ count: 1, reason: 'refused' });
});

it('U3 startFrom now: history is passed over and counted once; what ended after enrolment is read', async () => {
  const start = { startFrom: 'now', enrolledAt: ENROLLED } as const;
  const r = await rig(
    rows(450, (i) => (i % 9 === 0 ? NEW : {})),
    { start },
  );
  await r.pump.turn();
  await r.pump.turn();
  await r.restart();
  await r.drain();
  expect(ofType(r, 'session.started')).toHaveLength(50);
  expect(ofType(r, 'source.skipped').map((event) => event.data)).toMatchObject([
    { count: 400, offset: 0, reason: 'before-enrolment' },
  ]);
  expect(r.pump.status()[0]).toMatchObject({ rows: 50, skipped: 400 });
});

it('U3 startFrom now: what is appended after first sight is read, whatever its dates', async () => {
  const start = { startFrom: 'now', enrolledAt: ENROLLED } as const;
  const r = await rig(rows(2), { start });
  await r.drain();
  appendFileSync(r.path, rows(3));
  await r.drain();
  expect(ofType(r, 'session.started')).toHaveLength(3);
  expect(ofType(r, 'source.skipped')).toHaveLength(1);
});

it('U3 startFrom now: a file that comes later holds no history', async () => {
  const start = { startFrom: 'now', enrolledAt: ENROLLED } as const;
  const r = await rig(null, { start });
  await r.drain();
  expect(r.pump.status()[0]).toMatchObject({ state: 'no-file', position: null });
  writeFileSync(r.path, rows(2));
  await r.drain();
  expect(ofType(r, 'session.started')).toHaveLength(2);
  expect(ofType(r, 'source.skipped')).toHaveLength(0);
});

it('U4 equal rows are numbered by the bytes before them, the same over a restart and for a new agent', async () => {
  const text = rows(6, () => ({ peerId: '123456789' }));
  const cut = text.indexOf('\n', text.length / 2);
  const r = await rig(text.slice(0, cut));
  await r.drain();
  await r.restart();
  appendFileSync(r.path, text.slice(cut));
  await r.drain();
  const other = await rig(text);
  await other.drain();
  const numbers = (one: Rig) => ofType(one, 'session.started').map((event) => event.data.occurrence);
  expect(numbers(r)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(numbers(other)).toEqual(numbers(r));
});

it('U4 the window is 64 KiB of the file, also where it begins inside a row', async () => {
  const bytes = records([row()]).length;
  const between = Math.ceil(WINDOW_BYTES / bytes) + 5;
  const same = { peerId: PLAIN.peerId };
  const text = records([row(same)]) + rows(between) + records([row(same), row(same)]);
  const r = await rig(text.slice(0, -bytes * 2));
  await r.drain();
  await r.restart();
  appendFileSync(r.path, text.slice(-bytes * 2));
  await r.drain();
  const other = await rig(text);
  await other.drain();
  const numbers = (one: Rig) => ofType(one, 'session.started').map((event) => event.data.occurrence);
  expect(numbers(r).slice(-2)).toEqual([0, 1]);
  expect(numbers(other)).toEqual(numbers(r));
});

it('U4 history counts too', async () => {
  const start = { startFrom: 'now', enrolledAt: ENROLLED } as const;
  const r = await rig(
    rows(2, () => ({ peerId: '123456789' })),
    { start },
  );
  await r.drain();
  appendFileSync(
    r.path,
    rows(1, () => ({ peerId: '123456789' })),
  );
  await r.drain();
  expect(ofType(r, 'session.started')[0].data.occurrence).toBe(2);
});

it('rotation, truncation and loss are events in the transaction of the position', async () => {
  const r = await rig(rows(3));
  await r.drain();
  renameSync(r.path, `${r.path}.1`);
  writeFileSync(
    r.path,
    rows(1, () => ({ peerId: '777777777' })),
  );
  await r.drain();
  appendFileSync(
    r.path,
    rows(2, () => ({ peerId: '888888888' })),
  );
  await r.drain();
  truncateSync(r.path, 0);
  writeFileSync(
    r.path,
    rows(1, () => ({ peerId: '999999999' })),
  );
  await r.drain();
  const types = eventsOf(r).map((event) => event.type);
  expect(types.filter((type) => type === 'session.started')).toHaveLength(7);
  expect(types).toEqual(expect.arrayContaining(['source.opened', 'source.rotated']));
});

it('bytes that are gone are source.lost and a journal.gap with their range', async () => {
  const r = await rig(rows(ROWS + 50));
  await r.pump.turn();
  await r.pump.turn();
  await r.restart();
  rmSync(r.path);
  writeFileSync(
    r.path,
    rows(1, () => ({ peerId: '999999999' })),
  );
  await r.drain();
  const lost = ofType(r, 'source.lost');
  const gaps = ofType(r, 'journal.gap');
  expect(lost).toHaveLength(1);
  expect(gaps).toHaveLength(1);
  expect(ofType(r, 'session.started')).toHaveLength(ROWS + 1);
  for (const [i, { data }] of gaps.entries()) {
    expect(data).toMatchObject({ reason: 'rotated-away', from: lost[i].data.offset, log: null });
    expect(data.to - data.from).toBe(lost[i].data.length);
  }
});

it('U5 without a key group nothing is stored and nothing skipped; with one, reading goes on', async () => {
  const r = await rig(rows(3));
  r.w.journal.deadGroups([r.late.id]);
  while ((await r.pump.turn()) === 'more');
  expect(await r.pump.turn()).toBe('stuck');
  expect(r.pump.status()[0]).toMatchObject({ state: 'waiting', problem: 'seal.no-group', rows: 0 });
  expect(r.pump.readThrough()).toBeNull();
  r.w.journal.addGroups([group('late').signed]);
  await r.drain();
  expect(ofType(r, 'session.started')).toHaveLength(3);
  expect(r.pump.status()[0]).toMatchObject({ state: 'caught-up', problem: null });
});

it('U5 J1 a failure after the commit does not repeat what was stored', async () => {
  let armed = false;
  const faults = {
    hit(point: string) {
      if (armed && point === 'agent.append.after-commit') {
        armed = false;
        throw new Error('crash');
      }
    },
  };
  const r = await rig(rows(3), { faults });
  await r.pump.turn();
  armed = true;
  expect(await r.pump.turn()).toBe('stuck');
  await r.drain();
  appendFileSync(r.path, rows(1));
  await r.drain();
  expect(ofType(r, 'session.started')).toHaveLength(4);
});

it('U6 B1 after a successor log what was lost is read again, and the source is named in it', async () => {
  const r = await rig(rows(5));
  await r.drain();
  const old = openLog(r);
  r.w.journal.acked(old.log, 1);
  r.w.journal.succeed(old.log, 'restored', { size: 7, head: null });
  appendFileSync(r.path, rows(2));
  await r.drain();
  const events = eventsOf(r);
  expect(events.map((event) => event.type).slice(0, 2)).toEqual(['agent.restored', 'journal.gap']);
  expect(ofType(r, 'session.started')).toHaveLength(7);
  expect(ofType(r, 'source.opened').map((event) => event.data.reason)).toEqual(['successor-log']);
});

it('U6 B1 a successor between look and store: the step of the past is given up', async () => {
  const r = await rig(rows(5));
  await r.drain();
  appendFileSync(r.path, rows(2));
  const turn = r.pump.turn();
  const old = openLog(r);
  r.w.journal.acked(old.log, 1);
  r.w.journal.succeed(old.log, 'restored', { size: 7, head: null });
  await turn;
  await r.drain();
  expect(ofType(r, 'session.started')).toHaveLength(7);
});

it('U7 readThrough is the time of the look that found the end, never of one that did not', async () => {
  let caught = 0;
  const r = await rig(rows(ROWS * 2), { onCaughtUp: () => (caught += 1) });
  await r.pump.turn();
  await r.pump.turn();
  expect(r.pump.readThrough()).toBeNull();
  await r.drain();
  const first = r.pump.readThrough();
  expect(first).toBe(r.w.clock.now());
  expect(caught).toBe(1);
  r.w.clock.advance(5_000);
  await r.drain();
  expect(r.pump.readThrough()).toBe((first as UtcMs) + 5_000);
  expect(caught).toBe(1);
});

it('a pump that is started reads by the clock and stops when told', async () => {
  const r = await rig(rows(3));
  const reached = new Promise<void>((resolve) => {
    const stop = r.w.journal.onAppend(() => {
      if (r.w.journal.backlog() < 8) return;
      stop();
      resolve();
    });
  });
  const pumps = new Pumps({ journal: r.w.journal, clock: r.w.clock, log: silentLog }, [
    chain(r.w, r.path, 'by the clock', {}),
  ]);
  expect(pumps.readThrough()).toBeNull();
  pumps.start();
  // One append at first sight, one for the rows; then one row more, met by the poll.
  while (r.w.journal.backlog() < 7) await new Promise((resolve) => setImmediate(resolve));
  appendFileSync(r.path, rows(1));
  while (r.w.journal.backlog() < 9) {
    r.w.clock.advance(300);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await reached;
  await pumps.stop();
  expect(pumps.status()[0]?.rows).toBe(4);
});

it('a set clock is an event with its step; a slow drift and the passing of time are none', () => {
  const w = world();
  const watch = new ClockWatch(w.clock, w.journal);
  w.clock.advance(60_000);
  watch.look();
  w.clock.wall += 4_000;
  watch.look();
  w.clock.wall += 4_000;
  watch.look();
  expect(w.journal.backlog()).toBe(0);
  w.clock.wall -= 3_600_000;
  watch.look();
  watch.look();
  const { log } = w.journal.logs()[0]!;
  const out = w.journal.outgoing(log, 0, LIMITS)!;
  expect(out.events.map((text) => JSON.parse(text).data)).toEqual([{ byMs: -3_600_000, source: null }]);
});

it('M1 at its date, and not at the next look of a timer, a file is read no further', async () => {
  let over = false;
  const r = await rig(rows(2), { over: () => over });
  await r.drain();
  const told = eventsOf(r).length;
  over = true;
  appendFileSync(
    r.path,
    rows(3, (i) => ({ peerId: String(200_000_000 + i) })),
  );
  expect(await r.pump.turn()).toBe('idle');
  expect(eventsOf(r)).toHaveLength(told);
  over = false;
  await r.drain();
  expect(eventsOf(r).length).toBeGreaterThan(told);
});
