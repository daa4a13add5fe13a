import { expect, it } from 'vitest';
import { AgreementEnd } from '../../agent/agreement-end.ts';
import type { AgreementId } from '../../protocol/ids.ts';
import { type Clock, HOUR_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { identity, world } from './support.ts';

const NOW = 1_790_000_000_000;

class Hand implements Clock {
  wall = NOW;
  #timers: { at: number; fn: () => void }[] = [];
  now(): UtcMs {
    return utcMs(this.wall);
  }
  mono(): number {
    return this.wall;
  }
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.wall + ms, fn };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }
  async to(at: number): Promise<void> {
    for (;;) {
      const next = this.#timers.filter((one) => one.at <= at).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.wall = Math.max(this.wall, next.at);
      next.fn();
      await Promise.resolve();
    }
    this.wall = at;
  }
}

const agreement = identity().agreement;

function ended(w = world(), clock = new Hand()) {
  const told: boolean[] = [];
  const end = new AgreementEnd({
    agreement: w.options.identity.agreement,
    journal: w.journal,
    clock,
    changed: (over) => void told.push(over),
  });
  return { w, clock, end, told };
}

it('M1 is over at its date and not before, however far away that is', async () => {
  const { w, clock, end, told } = ended();
  const at = NOW + 100 * 24 * HOUR_MS;
  const body = { agreement: w.options.identity.agreement, effectiveAt: at };
  expect(await end.take(body)).toEqual({ outcome: 'done', body: { over: false } });
  await clock.to(at - 1);
  expect([end.over, told]).toEqual([false, []]);
  await clock.to(at);
  expect([end.over, told]).toEqual([true, [true]]);
});

it('M1 is remembered over a restart', async () => {
  const { w, clock, end } = ended();
  await end.take({ agreement: w.options.identity.agreement, effectiveAt: NOW - 5 });
  const again = ended(w.reopen(), clock);
  expect([again.end.at, again.end.over]).toEqual([NOW - 5, true]);
  await again.end.start();
  expect(again.told).toEqual([true]);
});

it('M2 the last order holds, and an order takes one back', async () => {
  const { w, clock, end, told } = ended();
  const take = (effectiveAt: number | null) =>
    end.take({ agreement: w.options.identity.agreement, effectiveAt });
  await take(NOW);
  expect(told).toEqual([true]);
  await take(null);
  expect([end.at, end.over, told]).toEqual([null, false, [true, false]]);
  await take(NOW + HOUR_MS);
  await take(NOW + 2 * HOUR_MS);
  await clock.to(NOW + HOUR_MS);
  expect(end.over).toBe(false);
  await clock.to(NOW + 2 * HOUR_MS);
  expect(end.over).toBe(true);
});

it('refuses what is not about its own agreement, and what is no date', async () => {
  const { end, told } = ended();
  const other = 'f'.repeat(32) as AgreementId;
  expect(other).not.toBe(agreement);
  for (const body of [{ agreement: other, effectiveAt: 1 }, {}, { agreement, effectiveAt: 'now' }]) {
    expect((await end.take(body)).outcome).toBe('failed');
  }
  expect([end.at, told]).toEqual([null, []]);
});
