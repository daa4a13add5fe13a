import { afterEach, expect, it } from 'vitest';
import type { Pump, Turn } from '../../agent/pump.ts';
import { PumpChain, REST_POLL_MS } from '../../agent/pump-chain.ts';
import { TestClock } from './support.ts';

const chains: PumpChain[] = [];
afterEach(async () => {
  for (const chain of chains.splice(0)) await chain.stop();
});

const soon = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A chain of one file; notes when it is looked at. */
function chainOf(clock: TestClock, turn: () => Turn = () => 'idle'): { looks: number[] } {
  const looks: number[] = [];
  const pump = {
    ...{ stale: false, held: false, told: 0, wait: 250, readThrough: () => null, close: async () => {} },
    async turn() {
      looks.push(clock.mono());
      return turn();
    },
  };
  const chain = new PumpChain({ clock }, [pump as unknown as Pump]);
  chains.push(chain);
  chain.start();
  return { looks };
}

async function pass(clock: TestClock, ms: number): Promise<void> {
  for (const until = clock.mono() + ms; clock.mono() < until; ) {
    clock.advance(10);
    await soon();
  }
}

it('U21 files at rest are looked at together, once a second, however far apart they began', async () => {
  const clock = new TestClock();
  const one = chainOf(clock);
  await pass(clock, 130);
  const other = chainOf(clock);
  await pass(clock, 270);
  const third = chainOf(clock);
  await pass(clock, 10_000);
  const from = clock.mono();
  await pass(clock, 10_000);
  const late = ({ looks }: { looks: number[] }) => looks.filter((at) => at > from);
  expect(late(one)).toHaveLength(10);
  expect(late(one).every((at) => at % REST_POLL_MS === 0)).toBe(true);
  expect([late(other), late(third)]).toEqual([late(one), late(one)]);
});

it('U21 a beat is never left out, nor looked at twice for a timer that rang early or late', async () => {
  const clock = new TestClock();
  const { looks } = chainOf(clock);
  await pass(clock, 10_000);
  // The machine slept, or was busy, up to just before a beat.
  clock.advance(REST_POLL_MS - 1 - (clock.mono() % REST_POLL_MS));
  await soon();
  clock.advance(2);
  await soon();
  const from = looks.length;
  for (let i = 0; i < 2_000; i += 1) {
    clock.advance(5);
    await soon();
  }
  const gaps = looks.slice(from).map((at, i) => at - (looks[from + i - 1] ?? at));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(REST_POLL_MS + 60);
  expect(looks.length - from).toBeLessThanOrEqual(11);
  expect(looks.length - from).toBeGreaterThanOrEqual(9);
});
