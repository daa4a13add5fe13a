import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from '../../collector/ingest/fair.ts';
import { Pace } from '../../collector/ingest/pace.ts';

interface Item {
  sender: number;
  n: number;
  cost: number;
}

describe('whose turn it is', () => {
  it('F1 a live event goes into the next turn, however many drain', () => {
    const queue = new FairQueue<string>();
    for (let i = 0; i < 400; i += 1) {
      const sender = { i };
      queue.add(sender, `${i}a`, 500);
      queue.add(sender, `${i}b`, 500);
    }
    queue.take(2_000);
    queue.take(2_000);
    queue.add({}, 'live', 1);
    expect(queue.take(2_000)).toContain('live');
  });

  it('F3 and many live ones do not stop those who drain', () => {
    const queue = new FairQueue<string>();
    const drains = {};
    for (let i = 0; i < 100; i += 1) queue.add(drains, 'old', 50);
    queue.take(100);
    let old = 0;
    for (let turn = 0; turn < 10; turn += 1) {
      for (let i = 0; i < 500; i += 1) queue.add({}, 'live', 1);
      old += queue.take(100).filter((item) => item === 'old').length;
    }
    expect(old).toBe(10);
  });

  it('F2 each item comes out once, those of a sender in their order, and a turn is not much too long', () => {
    const step = fc.oneof(
      fc.record({ sender: fc.integer({ min: 0, max: 5 }), cost: fc.integer({ min: 1, max: 500 }) }),
      fc.constant('take' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new FairQueue<Item>();
        const senders = Array.from({ length: 6 }, () => ({}));
        const [given, came]: Item[][] = [[], []];
        const take = () => {
          const turn = queue.take(1_000);
          expect(turn.length > 0 || queue.empty).toBe(true);
          // A visit may end a share after the limit was reached: at most one full batch and a share over it.
          expect(turn.reduce((sum, { cost }) => sum + cost, 0)).toBeLessThan(1_000 + 550);
          came?.push(...turn);
        };
        for (const one of steps) {
          if (one === 'take') take();
          else {
            const item = { ...one, n: given?.length ?? 0 };
            given?.push(item);
            queue.add(senders[one.sender] ?? {}, item, one.cost);
          }
        }
        while (!queue.empty) take();
        for (const [i] of senders.entries())
          expect(came?.filter(({ sender }) => sender === i)).toEqual(
            given?.filter(({ sender }) => sender === i),
          );
      }),
    );
  });
});

describe('how long a turn is', () => {
  it('is short where events cost much, and never too short for its fsync', () => {
    const pace = new Pace();
    expect(pace.events).toBe(2_000);
    for (let i = 0; i < 20; i += 1) pace.took(1_000, 1_000);
    expect(pace.events).toBeLessThan(250);
    for (let i = 0; i < 20; i += 1) pace.took(100_000, 1_000);
    expect(pace.events).toBe(100);
    // One event alone says nothing about a thousand.
    pace.took(50_000, 1);
    for (let i = 0; i < 40; i += 1) pace.took(20, 2_000);
    expect(pace.events).toBe(2_000);
  });
});
