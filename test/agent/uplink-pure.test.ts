/** The pure halves of the uplink: waits, reconciliation, and the live machine's timing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BACKOFF_MAX_MS,
  BROKEN_MAX_MS,
  endingOf,
  NO_TRIES,
  PROMPT_MAX_MS,
  PROMPT_TRIES,
  PURPOSE_MAX_MS,
  REFUSED_MIN_MS,
  type Tries,
  waitAfter,
} from '../../agent/uplink/backoff.ts';
import { ACK_WAIT_MS, FRESH_BEAT_MS } from '../../agent/uplink/flow.ts';
import type { Flow, LinkInput, LinkState, Step } from '../../agent/uplink/machine.ts';
import { type Cursor, type LogView, reconcile } from '../../agent/uplink/reconcile.ts';
import { CONNECT_MS, deadlineOf, nextState, PROVE_MS, STOPPED } from '../../agent/uplink/state.ts';
import { CLOSE } from '../../protocol/close-code.ts';
import { BATCH_MS, BEAT_MS, DEAD_MS, FIRST_CREDITS } from '../../protocol/frame.ts';
import type { LogId } from '../../protocol/ids.ts';

const almostOne = 1 - Number.EPSILON;
const tries = fc.record({ failures: fc.nat(2000), prompts: fc.nat(PROMPT_TRIES) });
const random = fc.double({ min: 0, max: almostOne, noNaN: true });

describe('U9 waits', () => {
  test('grow as 2^n with full jitter up to 300 s, and never end', () => {
    const at = (failures: number) => waitAfter('failed', { failures, prompts: 0 }, almostOne, null).delay;
    expect([0, 1, 2, 7, 8, 1000].map((n) => Math.round(at(n)))).toEqual([
      2_000, 4_000, 8_000, 256_000, 300_000, 300_000,
    ]);
    fc.assert(
      fc.property(tries, random, (before, r) => {
        const { delay, tries: after } = waitAfter('failed', before, r, null);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(BACKOFF_MAX_MS);
        expect(after.failures).toBe(before.failures + 1);
      }),
    );
  });

  test('after a broken link, a close on purpose, a new generation and a refusal lie in their own range', () => {
    const most = (code: number, live: boolean) => {
      const ending = endingOf(code, live);
      return [waitAfter(ending, NO_TRIES, 0, null).delay, waitAfter(ending, NO_TRIES, 1, null).delay];
    };
    expect(most(1006, true)).toEqual([0, BROKEN_MAX_MS]);
    expect(most(CLOSE.goingAway, true)).toEqual([0, PURPOSE_MAX_MS]);
    expect(most(CLOSE.tryLater, false)).toEqual([0, PURPOSE_MAX_MS]);
    expect(most(CLOSE.generationChanged, true)).toEqual([0, PROMPT_MAX_MS]);
    for (const code of [CLOSE.revoked, CLOSE.identityConflict, CLOSE.notProven]) {
      expect(most(code, false)).toEqual([REFUSED_MIN_MS, BACKOFF_MAX_MS]);
      expect(waitAfter(endingOf(code, false), NO_TRIES, 0, null).refused).toBe(true);
    }
  });

  test('prompt returns that lead nowhere turn into failures that grow', () => {
    let state: Tries = NO_TRIES;
    const delays: number[] = [];
    for (let i = 0; i < 14; i++) {
      const wait = waitAfter('prompt', state, almostOne, null);
      delays.push(wait.delay);
      state = wait.tries;
    }
    expect(Math.max(...delays.slice(0, PROMPT_TRIES - 1))).toBeLessThanOrEqual(PROMPT_MAX_MS);
    expect(delays.at(-1)).toBeGreaterThan(100_000);
  });

  test('retryAfter wins, with a little jitter, and is cut at an hour', () => {
    expect(waitAfter('failed', NO_TRIES, 0, 5_000).delay).toBe(5_000);
    expect(waitAfter('refused', NO_TRIES, 1, 5_000).delay).toBe(5_500);
    expect(waitAfter('purpose', NO_TRIES, 1, 1e12).delay).toBe(3_610_000);
  });
});

const LOG = 'log' as unknown as LogId;
const hash = (seq: number) => `h${seq}`;

function view(change: Partial<LogView> & { keptFrom?: number } = {}): LogView {
  const { keptFrom = 1, next = 11 } = change;
  const hashAt = (seq: number) => {
    if (seq === next - 1) return hash(seq);
    if (seq === 0) return keptFrom <= 1 ? hash(0) : null;
    return seq >= keptFrom && seq < next ? hash(seq) : null;
  };
  return { log: LOG, next, acked: 8, open: true, hashAt, ...change };
}
const cursor = (through: number, change: Partial<Cursor> = {}): Cursor => ({
  log: 'log',
  through,
  head: hash(through),
  state: 'open',
  ...change,
});

describe('reconcile', () => {
  const cases: [string, LogView, Cursor | undefined, object][] = [
    ['U13 same place', view(), cursor(8), { do: 'resume', through: 8, rewind: false }],
    ['U13 an ack was lost', view(), cursor(10), { do: 'resume', through: 10, rewind: false }],
    ['U15 collector restored, kept', view(), cursor(3), { do: 'resume', through: 3, rewind: true }],
    ['U15 collector empty, kept', view(), cursor(0), { do: 'resume', through: 0, rewind: true }],
    ['U15 unknown there, kept', view(), undefined, { do: 'resume', through: 0, rewind: true }],
    [
      'a log that was never sent',
      view({ next: 1, acked: 0 }),
      undefined,
      { do: 'resume', through: 0, rewind: false },
    ],
    [
      'U15 collector restored, not kept',
      view({ keptFrom: 6 }),
      cursor(3),
      { do: 'succeed', reason: 'collector-restored', predecessor: { size: 3, head: 'h3' } },
    ],
    [
      'U15 unknown there, not kept',
      view({ keptFrom: 6 }),
      undefined,
      { do: 'succeed', reason: 'collector-restored', predecessor: { size: 0, head: null } },
    ],
    [
      'U14 collector ahead: rolled back',
      view(),
      cursor(12),
      { do: 'succeed', reason: 'restored', predecessor: { size: 12, head: 'h12' } },
    ],
    [
      'U14 other head at the same seq: cloned',
      view(),
      cursor(9, { head: 'x' }),
      { do: 'succeed', reason: 'restored', predecessor: { size: 9, head: 'x' } },
    ],
    [
      'U14 other birth',
      view(),
      cursor(0, { head: 'x' }),
      { do: 'succeed', reason: 'restored', predecessor: { size: 0, head: 'x' } },
    ],
    [
      'U14 frozen',
      view(),
      cursor(8, { state: 'frozen' }),
      { do: 'succeed', reason: 'quarantined', predecessor: { size: 8, head: 'h8' } },
    ],
    [
      'U14 quarantined',
      view(),
      cursor(8, { state: 'quarantined' }),
      { do: 'succeed', reason: 'quarantined', predecessor: { size: 8, head: 'h8' } },
    ],
    [
      'U14 closed there, open here',
      view(),
      cursor(8, { state: 'closed' }),
      { do: 'succeed', reason: 'restored', predecessor: { size: 8, head: 'h8' } },
    ],
    [
      'a closed log with a rest that fits is drained',
      view({ open: false }),
      cursor(8),
      { do: 'resume', through: 8, rewind: false },
    ],
    [
      'U16 a closed log that the collector has whole is left alone',
      view({ open: false }),
      cursor(12, { head: 'x', state: 'closed' }),
      { do: 'resume', through: 10, rewind: false },
    ],
    [
      'a closed log that was frozen is given up, not continued',
      view({ open: false }),
      cursor(8, { state: 'frozen' }),
      { do: 'give-up', reason: 'quarantined', predecessor: { size: 8, head: 'h8' } },
    ],
    [
      'a closed log that takes nothing more is given up',
      view({ open: false }),
      cursor(8, { state: 'closed' }),
      { do: 'give-up', reason: 'restored', predecessor: { size: 8, head: 'h8' } },
    ],
  ];
  test.each(cases)('%s', (_name, ours, theirs, expected) => {
    expect(reconcile(ours, theirs)).toEqual(expected);
  });
});

class Machine {
  state: LinkState = STOPPED;
  now = 10_000;
  step(input: LinkInput): Step['effects'] {
    const { state, effects } = nextState(this.state, input, { now: this.now, random: 0.5 });
    this.state = state;
    return effects;
  }
  live(flows: Flow[] = []): Step['effects'] {
    for (const input of [{ t: 'start' }, { t: 'opened' }, { t: 'challenge', proven: true }] as const)
      this.step(input);
    return this.step({ t: 'welcome', flows, window: { ...FIRST_CREDITS }, succeeded: false });
  }
  /** Passes time to the next deadline; how long it was. */
  wait(): number {
    const due = deadlineOf(this.state) ?? this.now;
    const waited = due - this.now;
    this.now = due;
    return waited;
  }
}
const flow = (change: Partial<Flow> = {}): Flow => ({
  log: LOG,
  sent: 0,
  acked: 0,
  drained: false,
  ...change,
});
const names = (effects: Step['effects']) => effects.map((effect) => effect.do);
const sent = (through: number): LinkInput => ({ t: 'sent', log: LOG, through, events: 1, bytes: 500 });

describe('the live machine', () => {
  test('U6: after welcome erasures leave first, then status and beat, then batches', () => {
    expect(names(new Machine().live([flow()]))).toEqual(['erase', 'status', 'beat', 'batch']);
  });

  test('a lone event goes at once; others gather for 200 ms while one is in flight', () => {
    const m = new Machine();
    m.live([flow({ drained: true })]);
    expect(names(m.step({ t: 'appended' }))).toEqual(['erase', 'batch']);
    expect(names(m.step(sent(1)))).toEqual(['batch']);
    m.step({ t: 'empty', log: LOG });
    expect(names(m.step({ t: 'appended' }))).toEqual(['erase']);
    m.now += 50;
    expect(names(m.step({ t: 'appended' }))).toEqual(['erase']);
    expect(m.wait()).toBe(BATCH_MS - 50);
    expect(names(m.step({ t: 'timer' }))).toEqual(['batch']);
  });

  test('an ack of all that was in flight ends the gathering', () => {
    const m = new Machine();
    m.live([flow({ drained: true })]);
    m.step({ t: 'appended' });
    m.step(sent(1));
    m.step({ t: 'empty', log: LOG });
    m.step({ t: 'appended' });
    expect(names(m.step({ t: 'ack', log: LOG, through: 1 }))).toEqual(['acked', 'batch']);
  });

  test('a beat every 30 s; erasures that came since go with it', () => {
    const m = new Machine();
    m.live();
    m.step({ t: 'caughtUp' });
    m.wait();
    m.step({ t: 'timer' });
    for (let i = 0; i < 5; i++) {
      expect(m.wait()).toBe(BEAT_MS);
      expect(names(m.step({ t: 'timer' }))).toEqual(['erase', 'beat']);
      m.step({ t: 'heard' });
    }
  });

  test('new events and a pump that caught up bring a beat within a second, once', () => {
    const m = new Machine();
    m.live([flow({ drained: true })]);
    m.step({ t: 'caughtUp' });
    m.wait();
    m.step({ t: 'timer' });
    m.step({ t: 'caughtUp' });
    expect((deadlineOf(m.state) ?? 0) - m.now).toBe(BEAT_MS);
    m.step({ t: 'appended' });
    m.step({ t: 'empty', log: LOG });
    m.step({ t: 'caughtUp' });
    expect(m.wait()).toBe(FRESH_BEAT_MS);
    expect(names(m.step({ t: 'timer' }))).toEqual(['erase', 'beat']);
  });

  test('75 s without any frame end the link', () => {
    const m = new Machine();
    m.live();
    const heardAt = m.now;
    for (;;) {
      m.wait();
      if (names(m.step({ t: 'timer' })).includes('close')) break;
    }
    expect(m.now - heardAt).toBe(DEAD_MS);
    expect(m.state.kind).toBe('waiting');
  });

  test('a batch without an ack for 30 s ends the link, also while beats come', () => {
    const m = new Machine();
    m.live([flow()]);
    m.step(sent(1));
    m.step({ t: 'empty', log: LOG });
    m.now += ACK_WAIT_MS - 1;
    m.step({ t: 'heard' });
    expect(m.wait()).toBe(1);
    expect(m.step({ t: 'timer' })).toEqual([{ do: 'close', code: CLOSE.silent }]);
  });

  test('U4: an ack beyond what was sent is not believed', () => {
    const m = new Machine();
    m.live([flow()]);
    m.step(sent(1));
    expect(m.step({ t: 'ack', log: LOG, through: 2 })).toEqual([{ do: 'close', code: CLOSE.badFrame }]);
  });

  test('U7: connecting and proving have their own ends', () => {
    const m = new Machine();
    m.step({ t: 'start' });
    expect(m.wait()).toBe(CONNECT_MS);
    expect(names(m.step({ t: 'timer' }))).toEqual(['close']);
    m.wait();
    expect(names(m.step({ t: 'timer' }))).toEqual(['connect']);
    m.step({ t: 'opened' });
    expect(m.wait()).toBe(PROVE_MS);
    expect(m.step({ t: 'timer' })).toEqual([{ do: 'close', code: CLOSE.silent }]);
  });

  test('a successor is shown by a new hello at once', () => {
    const m = new Machine();
    for (const input of [{ t: 'start' }, { t: 'opened' }, { t: 'challenge', proven: true }] as const)
      m.step(input);
    m.step({ t: 'welcome', flows: [], window: { ...FIRST_CREDITS }, succeeded: true });
    expect(m.wait()).toBeLessThanOrEqual(PROMPT_MAX_MS);
  });

  test('a link that breaks at once again and again is a failure that grows', () => {
    const m = new Machine();
    let last = 0;
    for (let i = 0; i < 12; i++) {
      if (m.state.kind === 'stopped') m.live();
      else {
        m.step({ t: 'timer' });
        m.step({ t: 'opened' });
        m.step({ t: 'challenge', proven: true });
        m.step({ t: 'welcome', flows: [], window: { ...FIRST_CREDITS }, succeeded: false });
      }
      m.step({ t: 'closed', code: 1006 });
      last = m.wait();
    }
    expect(last).toBe(BACKOFF_MAX_MS / 2);
  });
});
