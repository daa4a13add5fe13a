/**
 * The link machine against a rig that plays socket, journal and collector at random, and checks what leaves
 * against the invariants U1–U10 of `agent/uplink/state.ts`.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BACKOFF_MAX_MS, RETRY_AFTER_MAX_MS } from '../../agent/uplink/backoff.ts';
import type { LinkEffect, LinkInput, LinkState, Window } from '../../agent/uplink/machine.ts';
import { accepts, deadlineOf, nextState, STOPPED } from '../../agent/uplink/state.ts';
import { CLOSE } from '../../protocol/close-code.ts';
import { BATCH_BYTES, BATCH_EVENTS } from '../../protocol/frame.ts';
import type { LogId } from '../../protocol/ids.ts';

const LOGS = ['a', 'b', 'c'] as unknown as LogId[];
const LEAF_BYTES = 700;

type Op =
  | { op: 'start' | 'stop' | 'opened' | 'failed' | 'proven' | 'unproven' | 'heard' | 'caughtUp' | 'flushed' }
  | { op: 'closed'; code: number }
  | { op: 'wait'; share: number }
  | { op: 'welcome'; behind: number; window: Window; succeeded: boolean }
  | { op: 'ack'; share: number }
  | { op: 'wildAck'; through: number }
  | { op: 'credit'; window: Window }
  | { op: 'append'; count: number }
  | { op: 'refuse'; retryAfter: number | null };

interface Wire {
  opened: boolean;
  proven: boolean;
  welcomed: boolean;
  erased: boolean;
  sent: Map<LogId, number>;
  acked: Map<LogId, number>;
  flights: { log: LogId; through: number; events: number; bytes: number }[];
  window: Window;
}

class Rig {
  state: LinkState = STOPPED;
  now = 1000;
  wire: Wire | null = null;
  clogs = false;
  /** How many leaves each log has; only the last one grows. */
  readonly sizes = new Map<LogId, number>();
  /** What the collector has stored. */
  readonly stored = new Map<LogId, number>();
  readonly random: () => number;

  constructor(sizes: number[], random: () => number) {
    this.random = random;
    LOGS.forEach((log, i) => {
      this.sizes.set(log, sizes[i] ?? 0);
      this.stored.set(log, 0);
    });
  }

  feed(input: LinkInput): void {
    if (input.t === 'closed' || input.t === 'failed') this.wire = null;
    const { state, effects } = nextState(this.state, input, { now: this.now, random: this.random() });
    this.state = state;
    const answers = effects.map((effect) => this.perform(effect)).filter((answer) => answer !== null);
    this.check();
    for (const answer of answers) this.feed(answer);
  }

  perform(effect: LinkEffect): LinkInput | null {
    if (effect.do === 'connect') {
      expect(this.wire, 'U8').toBeNull();
      this.wire = blankWire();
      return null;
    }
    const wire = this.wire;
    expect(wire, 'U8, U10').not.toBeNull();
    if (wire === null) return null;
    if (effect.do === 'close') {
      this.wire = null;
      return null;
    }
    if (effect.do === 'hello') expect(wire.opened, 'U1').toBe(true);
    else if (effect.do === 'proof') expect(wire.proven, 'U1').toBe(true);
    else expect(wire.welcomed, 'U1').toBe(true);
    if (effect.do === 'erase') wire.erased = true;
    if (effect.do === 'acked') this.checkAck(wire, effect);
    return effect.do === 'batch' ? this.batch(wire, effect) : null;
  }

  batch(wire: Wire, effect: Extract<LinkEffect, { do: 'batch' }>): LinkInput {
    const { log, after, events, bytes, room } = effect;
    expect(wire.erased, 'U6').toBe(true);
    expect(after, 'U3').toBe(wire.sent.get(log));
    const older = LOGS.slice(0, LOGS.indexOf(log));
    for (const one of older) expect(wire.sent.get(one), 'U5').toBe(this.sizes.get(one));
    const used = total(wire.flights);
    expect(events, 'U2').toBeLessThanOrEqual(Math.min(BATCH_EVENTS, wire.window.events - used.events));
    expect(room, 'U2').toBe(wire.window.bytes - used.bytes);
    expect(bytes, 'U2').toBeLessThanOrEqual(Math.min(BATCH_BYTES, room));
    if (this.clogs && this.random() < 0.3) return { t: 'clogged' };
    const left = (this.sizes.get(log) ?? 0) - after;
    if (left === 0) return { t: 'empty', log };
    const count = Math.min(left, events, Math.floor(bytes / LEAF_BYTES));
    if (count === 0) return { t: 'tight' };
    const flight = { log, through: after + count, events: count, bytes: count * LEAF_BYTES };
    wire.sent.set(log, flight.through);
    wire.flights.push(flight);
    return { t: 'sent', ...flight };
  }

  checkAck(wire: Wire, { log, through }: { log: LogId; through: number }): void {
    expect(through, 'U4').toBeLessThanOrEqual(wire.sent.get(log) ?? 0);
    expect(through, 'U4').toBeGreaterThan(wire.acked.get(log) ?? 0);
    wire.acked.set(log, through);
    wire.flights = wire.flights.filter((one) => one.log !== log || one.through > through);
  }

  check(): void {
    const { kind } = this.state;
    const due = deadlineOf(this.state);
    if (kind === 'stopped') expect(due, 'U7').toBeNull();
    else expect(due, 'U7').not.toBeNull();
    expect(this.wire === null, 'U8').toBe(kind === 'stopped' || kind === 'waiting' || kind === 'refused');
    if (kind === 'waiting' || kind === 'refused') {
      expect((due ?? 0) - this.now, 'U9').toBeLessThanOrEqual(
        Math.max(BACKOFF_MAX_MS, RETRY_AFTER_MAX_MS * 1.1),
      );
    }
    expect(accepts(this.state, 'challenge'), 'U1').toBe(
      kind === 'proving' && this.state.awaits === 'challenge',
    );
    expect(accepts(this.state, 'ack')).toBe(kind === 'live');
  }

  /** What the collector says, where it has a place; a wire that is not there says nothing. */
  run(op: Op): void {
    const wire = this.wire;
    switch (op.op) {
      case 'start':
      case 'stop': {
        this.feed({ t: op.op });
        return;
      }
      case 'wait': {
        const due = deadlineOf(this.state) ?? this.now;
        this.now = Math.max(this.now, this.now + (due - this.now) * op.share);
        this.feed({ t: 'timer' });
        return;
      }
      case 'append': {
        const open = LOGS.at(-1) as LogId;
        this.sizes.set(open, (this.sizes.get(open) ?? 0) + op.count);
        this.feed({ t: 'appended' });
        return;
      }
      default:
        if (wire !== null) this.network(wire, op);
    }
  }

  network(wire: Wire, op: Op): void {
    const { kind } = this.state;
    switch (op.op) {
      case 'opened':
        if (kind !== 'connecting') return;
        wire.opened = true;
        {
          this.feed({ t: 'opened' });
          return;
        }
      case 'failed': {
        this.feed({ t: 'failed' });
        return;
      }
      case 'closed': {
        this.feed({ t: 'closed', code: op.code });
        return;
      }
      case 'proven':
      case 'unproven':
        if (!accepts(this.state, 'challenge')) return;
        wire.proven = op.op === 'proven';
        {
          this.feed({ t: 'challenge', proven: wire.proven });
          return;
        }
      case 'welcome':
        if (accepts(this.state, 'welcome')) this.welcome(wire, op.behind, op.window, op.succeeded);
        return;
      case 'ack': {
        this.ack(wire, op.share);
        return;
      }
      case 'wildAck':
        if (kind === 'live') this.feed({ t: 'ack', log: LOGS[0] as LogId, through: op.through });
        return;
      case 'credit':
        if (kind !== 'live') return;
        wire.window = op.window;
        {
          this.feed({ t: 'credit', window: op.window });
          return;
        }
      case 'refuse':
        if (accepts(this.state, 'refuse')) this.feed({ t: 'refuse', retryAfter: op.retryAfter });
        return;
      case 'heard':
      case 'caughtUp':
      case 'flushed':
        if (kind === 'live') this.feed({ t: op.op });
        return;
      default:
        return;
    }
  }

  welcome(wire: Wire, behind: number, window: Window, succeeded: boolean): void {
    wire.welcomed = !succeeded;
    wire.window = window;
    const flows = LOGS.map((log) => {
      const through = Math.max(0, (this.stored.get(log) ?? 0) - behind);
      this.stored.set(log, through);
      wire.sent.set(log, through);
      wire.acked.set(log, through);
      return { log, sent: through, acked: through, drained: false };
    });
    this.feed({ t: 'welcome', flows, window, succeeded });
  }

  /** The collector stores a share of what is in flight, in order, and says so. */
  ack(wire: Wire, share: number): void {
    if (this.state.kind !== 'live' || wire.flights.length === 0) return;
    const flight = wire.flights[Math.floor(share * (wire.flights.length - 1))];
    if (flight === undefined) return;
    this.stored.set(flight.log, Math.max(this.stored.get(flight.log) ?? 0, flight.through));
    this.feed({ t: 'ack', log: flight.log, through: flight.through });
  }

  /** A friendly collector for a while: everything must get there (U7). */
  settle(): void {
    this.clogs = false;
    this.run({ op: 'start' });
    for (let round = 0; round < 4000 && !this.done(); round++) this.friendly();
    expect(this.done(), 'U7: all is stored at last').toBe(true);
  }

  friendly(): void {
    const state = this.state;
    if (state.kind === 'connecting') {
      this.run({ op: 'opened' });
      return;
    }
    if (accepts(state, 'challenge')) {
      this.run({ op: 'proven' });
      return;
    }
    const window = { events: 1000, bytes: 1024 * 1024 };
    if (accepts(state, 'welcome')) {
      this.run({ op: 'welcome', behind: 0, window, succeeded: false });
      return;
    }
    if (state.kind !== 'live') {
      this.run({ op: 'wait', share: 1 });
      return;
    }
    if (state.window.events < window.events || state.window.bytes < window.bytes) {
      this.run({ op: 'credit', window });
      return;
    }
    if (state.clogged) {
      this.run({ op: 'flushed' });
      return;
    }
    if ((this.wire?.flights.length ?? 0) > 0) {
      this.run({ op: 'ack', share: 1 });
      return;
    }
    this.run({ op: 'wait', share: 1 });
    this.run({ op: 'heard' });
  }

  done(): boolean {
    return this.state.kind === 'live' && LOGS.every((log) => this.stored.get(log) === this.sizes.get(log));
  }
}

function blankWire(): Wire {
  return {
    opened: false,
    proven: false,
    welcomed: false,
    erased: false,
    sent: new Map(),
    acked: new Map(),
    flights: [],
    window: { events: 0, bytes: 0 },
  };
}

function total(flights: Wire['flights']): Window {
  return flights.reduce((sum, one) => ({ events: sum.events + one.events, bytes: sum.bytes + one.bytes }), {
    events: 0,
    bytes: 0,
  });
}

const window = fc.record({ events: fc.nat(1200), bytes: fc.nat(1024 * 1024) });
const share = fc.double({ min: 0, max: 1, noNaN: true });
const plain = (...ops: ('start' | 'stop' | 'opened' | 'failed' | 'heard' | 'caughtUp' | 'flushed')[]) =>
  fc.constantFrom(...ops).map((op): Op => ({ op }));
const anOp: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: plain('opened') },
  { weight: 3, arbitrary: fc.constant<Op>({ op: 'proven' }) },
  { weight: 1, arbitrary: fc.constant<Op>({ op: 'unproven' }) },
  { weight: 3, arbitrary: plain('heard', 'caughtUp', 'flushed') },
  { weight: 1, arbitrary: plain('start', 'stop', 'failed') },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(1006, 1000, 1011, ...Object.values(CLOSE))
      .map((code): Op => ({ op: 'closed', code })),
  },
  { weight: 6, arbitrary: fc.constantFrom(0, 0.5, 1, 1).map((s): Op => ({ op: 'wait', share: s })) },
  {
    weight: 4,
    arbitrary: fc
      .record({ behind: fc.nat(50), window, succeeded: fc.constantFrom(false, false, false, true) })
      .map((one): Op => ({ op: 'welcome', ...one })),
  },
  { weight: 6, arbitrary: share.map((s): Op => ({ op: 'ack', share: s })) },
  { weight: 1, arbitrary: fc.nat(3000).map((through): Op => ({ op: 'wildAck', through })) },
  { weight: 2, arbitrary: window.map((one): Op => ({ op: 'credit', window: one })) },
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 700 }).map((count): Op => ({ op: 'append', count })) },
  {
    weight: 1,
    arbitrary: fc.option(fc.nat(10_000_000)).map((retryAfter): Op => ({ op: 'refuse', retryAfter })),
  },
);

test('U1–U10 hold whatever socket, journal and collector do, and all leaves arrive in the end', () => {
  fc.assert(
    fc.property(
      fc.array(anOp, { minLength: 1, maxLength: 120 }),
      fc.array(fc.nat(1500), { minLength: 3, maxLength: 3 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      fc.boolean(),
      (ops, sizes, random, clogs) => {
        const rig = new Rig(sizes, () => random.next().value);
        rig.clogs = clogs;
        rig.run({ op: 'start' });
        for (const op of ops) rig.run(op);
        rig.settle();
      },
    ),
    { numRuns: 300 },
  );
});

test('U3: an input without a meaning in a state changes nothing and never throws', () => {
  const inputs: LinkInput[] = [
    { t: 'opened' },
    { t: 'heard' },
    { t: 'appended' },
    { t: 'caughtUp' },
    { t: 'flushed' },
    { t: 'clogged' },
    { t: 'tight' },
    { t: 'challenge', proven: true },
    { t: 'credit', window: { events: 1, bytes: 1 } },
    { t: 'ack', log: LOGS[0] as LogId, through: 1 },
    { t: 'closed', code: 1006 },
    { t: 'failed' },
  ];
  const idle: LinkState[] = [
    STOPPED,
    { kind: 'waiting', until: 5000, tries: { failures: 1, prompts: 0 } },
    { kind: 'refused', until: 5000, tries: { failures: 1, prompts: 0 }, code: CLOSE.revoked },
  ];
  for (const state of idle) {
    for (const input of inputs) {
      expect(nextState(state, input, { now: 0, random: 0 })).toEqual({ state, effects: [] });
    }
  }
});
