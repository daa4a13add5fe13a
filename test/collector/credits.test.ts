import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUDGET, Credits, LEAST, type Window, windowFor } from '../../collector/ingest/credits.ts';
import type { Quotas } from '../../collector/ingest/quotas.ts';
import { SendWindow } from '../../collector/ingest/window.ts';
import { BATCH_BYTES, FIRST_CREDITS } from '../../protocol/frame.ts';
import type { CustomerId } from '../../protocol/ids.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { TestClock } from './house.ts';

const noQuota = { spend() {}, over: () => false, wait() {}, forget() {} } as unknown as Quotas;

function open(credits: Credits, quotas = noQuota) {
  const told: Window[] = [];
  const reads: (() => void)[] = [];
  const held: boolean[] = [];
  const window = new SendWindow({
    ...{ credits, quotas, customer: 'c' as CustomerId },
    tell: (one) => told.push(one),
    echo: (read) => reads.push(read) > 0,
    hold: (one) => held.push(one),
  });
  /** The agent has read everything. */
  const read = () => {
    for (const one of reads.splice(0)) one();
  };
  const take = (events: number, bytes = events * 100) => {
    const taken = window.take(events, bytes);
    if (typeof taken === 'string') throw new Error(taken);
    return taken.settled;
  };
  return { window, told, read, held, take };
}

describe('the window of each of many', () => {
  it('S7 all windows together stay inside the budget, and each bears one whole batch', () => {
    for (let senders = 1; senders <= 4_000; senders += 1) {
      const { events, bytes } = windowFor(senders);
      expect(events * senders).toBeLessThanOrEqual(BUDGET.events);
      expect(bytes).toBeGreaterThan(BATCH_BYTES);
      expect(bytes * senders <= BUDGET.bytes || bytes === LEAST.bytes).toBe(true);
    }
    expect(windowFor(1)).toEqual(FIRST_CREDITS);
    expect(windowFor(20_000).events).toBe(LEAST.events);
  });

  it('S7 it shrinks as more of them send, and grows again when they are done', () => {
    const clock = new TestClock();
    const credits = new Credits(clock);
    const all = Array.from({ length: 200 }, () => open(credits));
    const settle = all.map(({ take }) => take(10));
    for (const settled of settle) settled();
    expect(all[0]?.told).toEqual([windowFor(200)]);
    clock.advance(6 * SECOND_MS);
    all[0]?.take(10)();
    expect(all[0]?.told.at(-1)).toEqual(FIRST_CREDITS);
  });

  it('S10 a smaller window holds once the agent has read of it, a larger one at once', () => {
    const credits = new Credits(new TestClock());
    const { window, told, read, take } = open(credits);
    const others = Array.from({ length: 127 }, () => open(credits));
    for (const other of others) other.take(1);
    take(10)();
    expect(told).toEqual([{ events: 500, bytes: 512 * 1024 }]);
    // It had not heard of that when it sent this.
    const settled = take(900);
    read();
    expect(window.take(10, 10)).toBe('too-much');
    settled();
    expect(typeof window.take(500, 10)).toBe('object');
    expect(window.take(1, 10)).toBe('too-much');
  });

  it('S2 a batch over its size, or over the window in events or bytes, is not taken', () => {
    const { window, take } = open(new Credits(new TestClock()));
    expect(window.take(1, BATCH_BYTES + 17 * 1024)).toBe('too-large');
    expect(window.take(1_001, 100)).toBe('too-much');
    for (let i = 0; i < 5; i += 1) take(1, BATCH_BYTES);
    expect(window.take(1, BATCH_BYTES)).toBe('too-much');
  });

  it('S13 who sends on without reading its acks is over its credits, however fast the store is', () => {
    const { window, take, read } = open(new Credits(new TestClock()));
    // The ack of the first goes out with a ping behind it; of what is stored after that nothing is known to be read.
    take(400)();
    take(400)();
    take(400)();
    expect(window.take(400, 100)).toBe('too-much');
    read();
    expect(typeof window.take(400, 100)).toBe('object');
  });

  it('S13 where no ping can be sent nothing is taken back, and the next batch asks again', () => {
    let echoes = false;
    const asked: (() => void)[] = [];
    const window = new SendWindow({
      ...{ credits: new Credits(new TestClock()), quotas: noQuota, customer: 'c' as CustomerId },
      tell() {},
      echo: (read) => echoes && asked.push(read) > 0,
      hold() {},
    });
    const settle = (events: number) => {
      const taken = window.take(events, 1);
      if (typeof taken !== 'string') taken.settled();
      return taken;
    };
    settle(600);
    echoes = true;
    settle(400);
    expect(typeof settle(1_000)).toBe('object');
    expect(settle(1)).toBe('too-much');
  });

  it('S13 who keeps to its window is never over it, whatever the order of stores, acks and pongs', () => {
    // The wire in both directions keeps its order; the agent knows what it has read and nothing else.
    const step = fc.constantFrom('send', 'read', 'arrive', 'store');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), fc.integer({ min: 1, max: 500 }), (steps, size) => {
        const down: ((() => void) | { window: Window } | { ack: number })[] = [];
        const up: (number | (() => void))[] = [];
        const unsettled: { events: number; settled: () => void }[] = [];
        let [flight, known] = [0, FIRST_CREDITS.events as number];
        const window = new SendWindow({
          ...{ credits: new Credits(new TestClock()), quotas: noQuota, customer: 'c' as CustomerId },
          tell: (one) => down.push({ window: one }),
          echo: (read) => down.push(read) > 0,
          hold() {},
        });
        const acts = {
          send: () => {
            if (flight + size > known) return;
            flight += size;
            up.push(size);
          },
          read: () => {
            const next = down.shift();
            if (next === undefined) return;
            if (typeof next === 'function') up.push(next);
            else if ('ack' in next) flight -= next.ack;
            else known = next.window.events;
          },
          arrive: () => {
            const next = up.shift();
            if (typeof next === 'function') next();
            if (typeof next !== 'number') return;
            const taken = window.take(next, 1);
            if (typeof taken === 'string') throw new Error(taken);
            unsettled.push({ events: next, settled: taken.settled });
          },
          store: () => {
            const next = unsettled.shift();
            if (next === undefined) return;
            down.push({ ack: next.events });
            next.settled();
          },
        };
        for (const one of steps) acts[one]();
      }),
      { numRuns: 500 },
    );
  });

  it('S8 beyond the budget those who send are not read, until half of it is stored', () => {
    const credits = new Credits(new TestClock());
    const settles: (() => void)[] = [];
    const all = Array.from({ length: 300 }, () => open(credits));
    for (const { take } of all) settles.push(take(1, BATCH_BYTES));
    const held = all.filter(({ held: told }) => told.at(-1) === true);
    expect(held.length).toBe(300 - BUDGET.bytes / BATCH_BYTES);
    const left = all.find(({ held: told }) => told.at(-1) === true);
    left?.window.end();
    for (const settled of settles) settled();
    expect(held.filter(({ held: told }) => told.at(-1) === false).length).toBe(held.length - 1);
    // Settling twice gives nothing back twice.
    settles[0]?.();
    expect(credits.full).toBe(false);
  });
});
