/** The journal's laws, on a real SQLite file that is closed and opened again. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { birthHash, verifyBirth } from '../../protocol/birth.ts';
import { leafHash } from '../../protocol/canonical.ts';
import { BATCH_WRAPS } from '../../protocol/frame.ts';
import { type Id, newId } from '../../protocol/ids.ts';
import { readLeaf } from '../../protocol/leaf.ts';
import { CONTENT_KEY_MS } from '../../protocol/seal.ts';
import { DAY_MS } from '../../protocol/time.ts';
import { beat, ended, group, LIMITS, started, type World, world } from './support.ts';

const newSource = (w: World) => w.journal.sourceId('teamviewer:/var/log/Connections_incoming.txt');
const openLog = (w: World) => w.journal.logs().find((log) => log.open)!;

/** Every leaf of a log, checked as a verifier does: canonical, seq without holes, prev. */
function leavesOf(w: World, log = openLog(w)) {
  const leaves = [];
  let prev = birthHash(log.birth);
  for (let after = 0; ; ) {
    const out = w.journal.outgoing(log.log, after, LIMITS);
    if (out === null) break;
    for (const text of out.events) {
      const leaf = readLeaf(text);
      if (typeof leaf === 'string') throw new Error(leaf);
      expect(leaf.seq).toBe(leaves.length + 1);
      expect(leaf.prev).toBe(prev.toString('base64url'));
      prev = leafHash(text);
      leaves.push(leaf);
    }
    after = out.lastSeq;
  }
  expect(log.head.equals(prev)).toBe(true);
  return leaves;
}

it('L1 L2 appends chained leaves to the enrolled log, also over a restart', () => {
  const w = world();
  expect(w.journal.append([beat, beat])).toEqual({ firstSeq: 1, lastSeq: 2 });
  expect(verifyBirth(openLog(w).birth)).toBe(true);
  const again = w.reopen();
  expect(again.journal.append([beat])).toEqual({ firstSeq: 3, lastSeq: 3 });
  const leaves = leavesOf(again);
  expect(leaves.map((leaf) => leaf.seq)).toEqual([1, 2, 3]);
  expect(leaves[0]?.boot).not.toBe(leaves[2]?.boot);
  expect(again.journal.logs()).toHaveLength(1);
});

it('J1 stores events and reading position together, or neither', () => {
  const w = world();
  const source = newSource(w);
  const invalid = { type: 'agent.started', data: { version: 'no version', reason: 'x' } } as never;
  expect(() => w.journal.append([beat, invalid], [{ source, state: '{"at":2}' }])).toThrow(/agent.started/);
  expect(w.journal.cursor(source)).toBeNull();
  expect(w.journal.backlog()).toBe(0);
  w.journal.append([beat], [{ source, state: '{"at":1}' }]);
  const again = w.reopen();
  expect(again.journal.cursor(source)).toBe('{"at":1}');
  expect(again.journal.backlog()).toBe(1);
});

it('J1 a crash before the commit leaves nothing, a crash after it everything', () => {
  let at = 'agent.append.before-commit';
  const faults = {
    hit(point: string) {
      if (point === at) throw new Error('crash');
    },
  };
  const w = world({ faults });
  const source = newSource(w);
  expect(() => w.journal.append([beat], [{ source, state: 'one' }])).toThrow();
  expect(w.journal.cursor(source)).toBeNull();
  at = 'agent.append.after-commit';
  expect(() => w.journal.append([beat], [{ source, state: 'two' }])).toThrow();
  const again = w.reopen({ faults: {} });
  expect(again.journal.cursor(source)).toBe('two');
  expect(leavesOf(again)).toHaveLength(1);
});

it('J1 broken on purpose: the position is stored first, and a crash loses the event', () => {
  const faults = {
    broken: (law: string) => law === 'offset-before-event',
    hit(point: string) {
      if (point === 'agent.append.before-commit') throw new Error('crash');
    },
  };
  const w = world({ faults });
  const source = newSource(w);
  expect(() => w.journal.append([beat], [{ source, state: 'moved' }])).toThrow();
  expect(w.reopen({ faults: {} }).journal.cursor(source)).toBe('moved');
});

it('J2 a failed append leaves head and seq as they were', () => {
  const w = world();
  w.journal.append([beat]);
  const before = openLog(w);
  const invalid = { type: 'agent.started', data: {} } as never;
  expect(() => w.journal.append([beat, beat, invalid])).toThrow();
  expect(openLog(w)).toEqual(before);
  w.journal.append([beat]);
  expect(leavesOf(w)).toHaveLength(2);
});

it('J3 a label has one stable random id and stands nowhere in clear', () => {
  const w = world();
  const one = w.journal.sourceId('label one');
  expect(w.journal.sourceId('label one')).toBe(one);
  expect(w.journal.sourceId('label two')).not.toBe(one);
  expect(w.reopen().journal.sourceId('label one')).toBe(one);
});

it('J5 a wrap goes with its parts until one of them is acked', () => {
  const w = world();
  const span = group('span');
  w.journal.addGroups([span.signed]);
  const source = newSource(w);
  w.journal.append([started(source)]);
  w.journal.append([started(source), beat]);
  const { log } = openLog(w);
  expect(w.journal.outgoing(log, 0, LIMITS)?.wraps).toHaveLength(1);
  expect(w.journal.outgoing(log, 1, LIMITS)?.wraps).toHaveLength(1);
  w.journal.acked(log, 1);
  expect(w.journal.outgoing(log, 1, LIMITS)).toMatchObject({ wraps: [], firstSeq: 2, lastSeq: 3 });
  w.journal.rewind(log, 0);
  expect(w.journal.outgoing(log, 0, LIMITS)?.wraps).toHaveLength(1);
});

it('X10 a frame names so many wraps at most: events of many hours go in more of them', () => {
  const w = world();
  w.journal.addGroups([group('span').signed, group('late').signed]);
  const source = newSource(w);
  const hours = BATCH_WRAPS + 5;
  for (let i = 0; i < hours; i += 1) {
    w.journal.append([started(source)]);
    w.clock.advance(CONTENT_KEY_MS);
  }
  const { log } = openLog(w);
  const frames: number[] = [];
  for (let after = 0; after < hours; ) {
    const out = w.journal.outgoing(log, after, LIMITS)!;
    expect(out.wraps.length).toBe(new Set(out.parts.map(({ wrap }) => wrap)).size);
    frames.push(out.wraps.length);
    after = out.lastSeq;
  }
  expect(frames).toEqual([BATCH_WRAPS, 5]);
});

it('frames stay inside the limits of events and bytes, and a big event still goes', () => {
  const w = world();
  w.journal.addGroups([group('late').signed]);
  const source = newSource(w);
  const names = Array.from({ length: 16 }, () => 'n'.repeat(500));
  w.journal.append(Array.from({ length: 40 }, () => started(source, { personal: { peerNames: names } })));
  const { log } = openLog(w);
  let after = 0;
  while (after < 40) {
    const out = w.journal.outgoing(log, after, { events: 10, bytes: 60_000 })!;
    const { events, parts, wraps, keys } = out;
    const size = Buffer.byteLength(JSON.stringify({ t: 'batch', log, events, parts, wraps, keys }));
    expect(size).toBeLessThanOrEqual(out.bytes);
    expect(out.bytes).toBeLessThanOrEqual(60_000);
    expect(out.bytes - size).toBeLessThan(60_000 * 0.1);
    expect(events.length).toBeLessThanOrEqual(10);
    after = out.lastSeq;
  }
  expect(w.journal.outgoing(log, 0, { events: 10, bytes: 10 })?.events).toHaveLength(1);
  expect(w.journal.outgoing(log, 40, LIMITS)).toBeNull();
});

it('acks are cumulative, survive a restart, never go beyond what was written', () => {
  const w = world();
  w.journal.append([beat, beat, beat]);
  const { log } = openLog(w);
  w.journal.acked(log, 2);
  w.journal.acked(log, 1);
  expect(w.journal.backlog()).toBe(1);
  expect(() => w.journal.acked(log, 4)).toThrow(expect.objectContaining({ code: 'journal.ack-ahead' }));
  expect(w.reopen().journal.backlog()).toBe(1);
});

it('B1 a successor names its predecessor, says what was lost first, and reads again from there', () => {
  const w = world();
  w.journal.addGroups([group('span').signed]);
  const source = newSource(w);
  const row = (offset: number) => {
    const start = started(source, { from: { source, offset } });
    return [start, { ...ended(start.data.session), from: { source, offset } }];
  };
  w.journal.append([beat], [{ source, state: 'seen' }]);
  w.journal.append(row(0), [{ source, state: 'after-one' }]);
  w.journal.append(row(100), [{ source, state: 'after-two' }]);
  w.journal.append([beat], [{ source, state: 'looked' }]);
  const old = openLog(w);
  w.journal.acked(old.log, 3);
  w.journal.succeed(old.log, 'restored', { size: 9, head: old.head.toString('base64url') });
  expect(w.journal.cursor(source)).toBe('after-one');
  const next = openLog(w);
  expect(w.journal.logs().map(({ open, next, acked }) => ({ open, next, acked }))[0]).toMatchObject({
    open: false,
  });
  expect(next.birth.predecessor).toEqual({ log: old.log, size: 9, head: old.head.toString('base64url') });
  const leaves = leavesOf(w);
  expect(leaves.map((leaf) => leaf.type)).toEqual(['agent.restored', 'journal.gap']);
  expect(leaves[1]?.data).toMatchObject({ log: old.log, from: 4, to: 6, count: 3, reason: 'restored' });
  expect(w.journal.backlog()).toBe(2);
  expect(w.journal.outgoing(old.log, 3, LIMITS)).toBeNull();
  expect(w.reopen().journal.cursor(source)).toBe('after-one');
});

it('B1 nothing unacked: no gap, no source moves', () => {
  const w = world();
  const source = newSource(w);
  w.journal.append([{ ...beat, from: { source, offset: 0 } }], [{ source, state: 'read' }]);
  const old = openLog(w);
  w.journal.acked(old.log, 1);
  w.journal.succeed(old.log, 'restored', { size: 5, head: null });
  expect(w.journal.cursor(source)).toBe('read');
  expect(leavesOf(w).map((leaf) => leaf.type)).toEqual(['agent.restored']);
});

it('B1 a closed log refills a restored collector, or is given up by name', () => {
  const w = world();
  w.journal.append([beat, beat, beat]);
  const old = openLog(w);
  w.journal.acked(old.log, 3);
  w.journal.succeed(old.log, 'restored', { size: 3, head: old.head.toString('base64url') });
  w.journal.rewind(old.log, 1);
  const [first] = w.journal.logs();
  expect(first).toMatchObject({ log: old.log, open: false, acked: 1, next: 4 });
  expect(first?.head.equals(old.head)).toBe(true);
  expect(w.journal.outgoing(old.log, 1, LIMITS)?.events).toHaveLength(2);
  w.journal.acked(old.log, 2);
  w.journal.succeed(old.log, 'collector-restored', { size: 2, head: null });
  // Nothing of it waits any more; it is named as long as its end is kept.
  expect(w.journal.logs()[0]).toMatchObject({ log: old.log, open: false, acked: 2, next: 3 });
  expect(leavesOf(w).at(-1)?.data).toMatchObject({ log: old.log, from: 3, to: 3, reason: 'no-longer-kept' });
});

it('J8 prune keeps what was acked less than 30 days ago, what is not acked, and the last acked leaf', () => {
  const w = world();
  w.journal.append([beat, beat, beat]);
  const { log } = openLog(w);
  w.journal.acked(log, 2);
  w.clock.advance(20 * DAY_MS);
  w.journal.append([beat]);
  w.journal.acked(log, 3);
  w.clock.advance(11 * DAY_MS);
  w.journal.prune();
  expect(w.journal.hashAt(log, 0)).toBeNull();
  expect(w.journal.hashAt(log, 2)).toBeNull();
  expect(w.journal.hashAt(log, 3)).not.toBeNull();
  expect(() => w.journal.rewind(log, 1)).toThrow(expect.objectContaining({ code: 'journal.not-kept' }));
  w.clock.advance(40 * DAY_MS);
  w.journal.prune();
  expect(w.journal.hashAt(log, 3)).not.toBeNull();
  expect(w.journal.outgoing(log, 3, LIMITS)?.events).toHaveLength(1);
  const again = w.reopen();
  again.journal.append([beat]);
  expect(again.journal.backlog()).toBe(2);
});

it('B1 what a restored collector needs and nobody keeps is a gap of a successor', () => {
  const w = world();
  w.journal.append([beat, beat, beat]);
  const { log } = openLog(w);
  w.journal.acked(log, 3);
  w.clock.advance(31 * DAY_MS);
  w.journal.prune();
  w.journal.succeed(log, 'collector-restored', { size: 0, head: null });
  expect(leavesOf(w).at(-1)?.data).toMatchObject({ log, from: 1, to: 3, reason: 'collector-restored' });
});

it('J9 a command takes effect once, in order, per generation', () => {
  const w = world();
  const [one, two] = [newId(randomBytes), newId(randomBytes)] as Id<'generation'>[] as [
    Id<'generation'>,
    Id<'generation'>,
  ];
  w.journal.adoptGeneration(one);
  expect(w.journal.applyCommand(one, 1, 'selftest', 'done')).toBe(true);
  expect(w.journal.applyCommand(one, 1, 'selftest', 'done')).toBe(false);
  expect(() => w.journal.applyCommand(one, 3, 'selftest', 'done')).toThrow();
  expect(() => w.journal.applyCommand(two, 1, 'selftest', 'done')).toThrow();
  w.journal.adoptGeneration(two);
  expect(w.journal.applied()).toEqual({ generation: two, n: 0 });
  expect(w.journal.applyCommand(two, 1, 'hold.place', 'unsupported')).toBe(true);
  w.journal.adoptGeneration(one);
  const again = w.reopen();
  expect(again.journal.applied()).toEqual({ generation: one, n: 1 });
  expect(leavesOf(again).map((leaf) => leaf.type)).toEqual(['command.applied', 'command.applied']);
});

it('S5 a dead group loses its parts and wraps at once and never comes back; its leaves stay', () => {
  const w = world();
  const [dying, late] = [group('span'), group('late')];
  w.journal.addGroups([dying.signed, late.signed]);
  const source = newSource(w);
  w.journal.append([started(source), started(source)]);
  w.journal.deadGroups([dying.id, newId(randomBytes)]);
  const { log } = openLog(w);
  expect(w.journal.outgoing(log, 0, LIMITS)).toMatchObject({ parts: [], wraps: [], lastSeq: 2 });
  w.journal.addGroups([dying.signed]);
  expect(w.journal.heldGroups()).toEqual([late.signed]);
  w.journal.append([started(source)]);
  expect(w.journal.outgoing(log, 0, LIMITS)?.parts).toMatchObject([{ seq: 3, group: late.id }]);
  const again = w.reopen();
  expect(again.journal.heldGroups()).toEqual([late.signed]);
  expect(leavesOf(again)).toHaveLength(3);
});

it('S1 one-off groups of the process before are on the erase lane until confirmed', () => {
  const w = world();
  const oneoff = group('oneoff');
  w.journal.addGroups([oneoff.signed]);
  expect(w.journal.erasedHere()).toEqual([]);
  const again = w.reopen();
  expect(again.journal.erasedHere()).toEqual([oneoff.id]);
  expect(again.journal.heldGroups()).toEqual([]);
  again.journal.erasedConfirmed([oneoff.id]);
  expect(again.reopen().journal.erasedHere()).toEqual([]);
});

it('onAppend calls back after the commit, until it is stopped', () => {
  const w = world();
  const seen: number[] = [];
  const stop = w.journal.onAppend(() => seen.push(w.journal.backlog()));
  w.journal.append([beat]);
  w.journal.append([], [{ source: newSource(w), state: 'x' }]);
  stop();
  w.journal.append([beat]);
  expect(seen).toEqual([1]);
});

it('a damaged database found by a write is told at once, and nothing is stored', () => {
  let told = 0;
  let damaged = false;
  const w = world({
    onDamaged: () => {
      told += 1;
    },
    faults: {
      hit: (point) => {
        if (damaged && point === 'agent.append.before-commit') throw sqliteError('SQLITE_CORRUPT');
      },
    },
  });
  w.journal.append([beat]);
  damaged = true;
  expect(() => w.journal.append([beat])).toThrow(expect.objectContaining({ code: 'database.corrupt' }));
  expect(told).toBe(1);
  damaged = false;
  expect(w.journal.append([beat])).toEqual({ firstSeq: 2, lastSeq: 2 });
});

const sqliteError = (code: string) => Object.assign(new Error('injected'), { code });
