/**
 * Any sequence of appends, failures, acks, rewinds, dead groups, successors, prunes and restarts: what was
 * promised stays, seq has no holes, positions agree with events, parts open, dead groups stay dead.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { birthHash, verifyBirth } from '../../protocol/birth.ts';
import { leafHash } from '../../protocol/canonical.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { readLeaf } from '../../protocol/leaf.ts';
import { DAY_MS } from '../../protocol/time.ts';
import { beat, ended, group, openAll, started, type TestGroup, type World, world } from '../agent/support.ts';

type Step =
  | { do: 'rows' | 'beats'; n: number; crash: boolean }
  | { do: 'ack' | 'rewind'; part: number }
  | { do: 'kill-group' | 'new-group' | 'succeed' | 'prune' | 'restart' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('rows' as const, 'beats' as const),
      n: fc.integer({ min: 1, max: 6 }),
      crash: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('ack' as const, 'rewind' as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'kill-group' as const,
        'new-group' as const,
        'succeed' as const,
        'prune' as const,
        'restart' as const,
      ),
    }),
  },
);

/** What the test knows besides the journal. */
interface Model {
  w: World;
  crash: boolean;
  groups: TestGroup[];
  dead: Set<GroupId>;
  /** Rows read from the source, as its position says. */
  read: number;
}

const open = (w: World) => w.journal.logs().find((log) => log.open)!;
const sourceOf = (w: World) => w.journal.sourceId('a source');

function fresh(): Model {
  const model = {
    crash: false,
    groups: [group('late')],
    dead: new Set<GroupId>(),
    read: 0,
  } as unknown as Model;
  model.w = world({
    faults: {
      hit(point) {
        if (model.crash && point === 'agent.append.before-commit') throw new Error('crash');
      },
    },
  });
  model.w.journal.addGroups(model.groups.map((one) => one.signed));
  return model;
}

const ACTS: Record<Step['do'], (m: Model, s: never) => void> = {
  rows: (m, { n, crash }: { n: number; crash: boolean }) => {
    const source = sourceOf(m.w);
    const rows = Array.from({ length: n }, (_, i) =>
      started(source, { from: { source, offset: m.read + i } }),
    );
    const drafts = rows.flatMap((row) => [row, { ...ended(row.data.session), from: { source, offset: 0 } }]);
    m.crash = crash;
    try {
      m.w.journal.append(drafts, [{ source, state: String(m.read + n) }]);
      m.read += n;
    } catch {
      expect(crash).toBe(true);
    }
    m.crash = false;
  },
  beats: (m, { n }: { n: number }) => void m.w.journal.append(Array.from({ length: n }, () => beat)),
  ack: (m, { part }: { part: number }) => {
    const { log, next } = open(m.w);
    m.w.journal.acked(log, Math.floor((next - 1) * part));
  },
  rewind: (m, { part }: { part: number }) => {
    const { log, acked } = open(m.w);
    const through = Math.floor(acked * part);
    if (through >= acked) return;
    const notKept = expect.objectContaining({ code: 'journal.not-kept' });
    if (m.w.journal.hashAt(log, through + 1) === null) {
      expect(() => m.w.journal.rewind(log, through)).toThrow(notKept);
      return;
    }
    // The uplink compares heads first, and opens a successor where it cannot.
    if (m.w.journal.hashAt(log, through) === null) return;
    m.w.journal.rewind(log, through);
  },
  'kill-group': (m) => {
    const alive = m.groups.filter((one) => !m.dead.has(one.id));
    if (alive.length < 2) return;
    m.w.journal.deadGroups([alive[0]!.id]);
    m.dead.add(alive[0]!.id);
    m.w.journal.addGroups([alive[0]!.signed]);
  },
  'new-group': (m) => {
    const made = group('late');
    m.groups.push(made);
    m.w.journal.addGroups([made.signed]);
  },
  succeed: (m) => {
    const { log, acked } = open(m.w);
    m.w.journal.succeed(log, 'restored', { size: acked, head: null });
    m.read = Number(m.w.journal.cursor(sourceOf(m.w)) ?? 0);
  },
  prune: (m) => {
    m.w.clock.advance(31 * DAY_MS);
    m.w.journal.prune();
  },
  restart: (m) => {
    m.w = m.w.reopen();
  },
};

/** Everything that can be asked of the open log, asked. */
function check(m: Model): void {
  const { log, birth, next, head, acked } = open(m.w);
  expect(verifyBirth(birth)).toBe(true);
  expect(Number(m.w.journal.cursor(sourceOf(m.w)) ?? 0)).toBe(m.read);
  let after = acked;
  let prev = acked === 0 ? birthHash(birth) : m.w.journal.hashAt(log, acked)!;
  const known = new Map<string, Buffer>();
  for (let out = m.w.journal.outgoing(log, after, { events: 3, bytes: 4_000 }); out !== null; ) {
    expect(out.firstSeq).toBe(after + 1);
    for (const text of out.events) {
      const leaf = readLeaf(text);
      if (typeof leaf === 'string') throw new Error(leaf);
      after += 1;
      expect(leaf).toMatchObject({ log, seq: after, prev: prev.toString('base64url') });
      prev = leafHash(text);
    }
    for (const part of out.parts) expect(m.dead.has(part.group)).toBe(false);
    // Wraps acked before are known to the collector: only those named here can be asked for.
    for (const wrap of out.wraps) expect(m.dead.has(wrap.group)).toBe(false);
    if (acked === 0) openAll(out, m.groups, known);
    out = m.w.journal.outgoing(log, after, { events: 3, bytes: 4_000 });
  }
  expect(after).toBe(next - 1);
  expect(prev.equals(head)).toBe(true);
  for (const held of m.w.journal.heldGroups()) expect(m.dead.has(held.group as GroupId)).toBe(false);
}

it('J1 J2 J5 J6 S5 B1 hold over any sequence of acts', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
      const model = fresh();
      for (const one of steps) {
        ACTS[one.do](model, one as never);
        check(model);
      }
      model.w = model.w.reopen();
      check(model);
      model.w.journal.close();
    }),
    { numRuns: 60 },
  );
});
