import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changeOf } from '../../../agent/vault/copy.ts';
import { admit, merged, Pace, perHour, type Room, refusal } from '../../../agent/vault/plan.ts';
import { violations } from '../../../agent/vault/violated.ts';
import type { Hold } from '../../../protocol/hold.ts';
import type { SiteId } from '../../../protocol/ids.ts';
import { HOUR_MS, utcMs } from '../../../protocol/time.ts';

const interval = fc
  .tuple(fc.nat(200), fc.nat(200))
  .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
const sizes = fc.nat(1_000);
const room: fc.Arbitrary<Room> = fc.record({
  free: fc.option(sizes),
  volume: fc.option(sizes),
  used: sizes,
  quota: fc.option(sizes),
  perHour: fc.nat(50),
  leaveHours: fc.nat(10),
});
const needs = fc.uniqueArray(
  fc.record({ hold: fc.stringMatching(/^[0-9a-f]{4}$/), bytes: fc.nat(400), begun: fc.boolean() }),
  { selector: ({ hold }) => hold, maxLength: 8 },
);

describe('agent/vault: deciding', () => {
  it('I1 merged intervals hold the same instants, apart and in order', () => {
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 8 }), fc.nat(200), (all, at) => {
        const inside = (list: typeof all) => list.some(({ from, to }) => from <= at && at <= to);
        const out = merged(all);
        expect(inside(out)).toBe(inside(all));
        for (const [n, { from }] of out.entries())
          if (n > 0) expect(from).toBeGreaterThan(out[n - 1]?.to ?? 0);
      }),
    );
  });

  it('I2 what is admitted fits, all together: under the quota, into the volume, and leaves the hours', () => {
    fc.assert(
      fc.property(needs, room, (list, it1) => {
        const verdicts = admit(list, it1);
        const taken = list.filter(({ hold }) => verdicts.get(hold) === null);
        const bytes = taken.reduce((sum, one) => sum + one.bytes, 0);
        if (bytes === 0) return;
        if (it1.quota !== null) expect(it1.used + bytes).toBeLessThanOrEqual(it1.quota);
        const left = (it1.free ?? -1) - bytes;
        expect(left).toBeGreaterThanOrEqual(it1.perHour * it1.leaveHours);
        expect(left).toBeGreaterThanOrEqual((it1.volume ?? Number.POSITIVE_INFINITY) * 0.05 - 1e-6);
      }),
    );
  });

  it('I2 nobody is refused who would have fitted after those that come first; one alone that fits is served', () => {
    fc.assert(
      fc.property(needs, room, (list, it1) => {
        const verdicts = admit(list, it1);
        for (const { hold, bytes, begun } of list) {
          if (verdicts.get(hold) === null) continue;
          const first = list.filter((one) => verdicts.get(one.hold) === null);
          const before = first.filter(
            (one) => one.begun > begun || (one.begun === begun && one.bytes <= bytes),
          );
          const taken = before.reduce((sum, one) => sum + one.bytes, 0);
          expect(refusal(taken + bytes, it1)).not.toBeNull();
        }
      }),
    );
  });

  it('I2 a volume that does not say how much is free takes nothing', () => {
    const it1 = { free: null, volume: 0, used: 0, quota: null, perHour: 0, leaveHours: 0 };
    expect(refusal(1, it1)).toBe('vault-space');
    expect(refusal(1, { ...it1, free: 10, volume: null })).toBe('vault-space');
    expect(refusal(1, { ...it1, free: 1 })).toBeNull();
    expect(refusal(6, { ...it1, free: 10, volume: 100 })).toBe('vault-space');
    expect(refusal(5, { ...it1, free: 10, volume: 100 })).toBeNull();
    expect(refusal(1, { ...it1, free: 10, perHour: 5, leaveHours: 2 })).toBe('vault-leaves-too-little');
  });

  it('I2 the rate is what was written over the time that it took, an hour at the least', () => {
    expect(perHour([{ bytes: 240, ms: 24 * HOUR_MS }])).toBe(10);
    expect(perHour([{ bytes: 100, ms: 1 }])).toBe(100);
    expect(
      perHour([
        { bytes: 100, ms: 0 },
        { bytes: 20, ms: 2 * HOUR_MS },
      ]),
    ).toBe(110);
    expect(perHour([])).toBe(0);
  });

  it('R10 no more goes through than the rate allows, and time that passed unused is not saved up', () => {
    const clock = { mono: 1_000 };
    const pace = new Pace(1_000, clock.mono);
    let waited = 0;
    for (let n = 0; n < 20; n++) {
      const ms = pace.after(500, clock.mono);
      clock.mono += ms;
      waited += ms;
    }
    expect(waited).toBeGreaterThanOrEqual(9_990);
    clock.mono += 60_000;
    pace.after(500, clock.mono);
    expect(pace.after(500, clock.mono)).toBeGreaterThanOrEqual(500);
  });

  it('I5 every difference between two looks has a name', () => {
    const seen = fc.record({
      size: fc.bigInt(0n, 3n),
      mtimeNs: fc.bigInt(0n, 3n),
      ino: fc.bigInt(0n, 3n),
    });
    fc.assert(
      fc.property(seen, seen, (a, b) => {
        const same = a.size === b.size && a.mtimeNs === b.mtimeNs && a.ino === b.ino;
        expect(changeOf(a, b) === null).toBe(same);
        if (a.ino === b.ino && b.size < a.size) expect(changeOf(a, b)).toBe('truncated');
      }),
    );
  });

  it('I8 one event for each hold and camera, with the span and how many are safe', () => {
    const hold = (id: string, cameras: string[], from: number, to: number): Hold => {
      return { hold: id, scope: { cameras, from: utcMs(from), to: utcMs(to) } };
    };
    const at = (start: number) => {
      return { startEarliest: utcMs(start), startLatest: utcMs(start), endLatest: utcMs(start + 10) };
    };
    const touched = [
      { camera: 'a', bounds: at(100), copied: true },
      { camera: 'a', bounds: at(200), copied: false },
      { camera: 'b', bounds: at(100), copied: false },
      { camera: 'c', bounds: at(100), copied: true },
    ];
    const standing = { zone: 'UTC', site: 's' as SiteId, host: 'h', agreementEndsAt: null };
    const holds = [hold('one', ['a', 'b'], 0, 1_000), hold('two', ['a'], 150, 1_000)];
    const told = violations('source', touched, { holds, standing, reason: 'vanished' }).map(
      ({ data }) => data,
    );
    const iso = (ms: number) => new Date(ms).toISOString();
    expect(told).toEqual([
      {
        source: 'source',
        camera: 'a',
        hold: 'one',
        count: 2,
        copied: 1,
        from: iso(100),
        to: iso(210),
        reason: 'vanished',
      },
      {
        source: 'source',
        camera: 'a',
        hold: 'two',
        count: 1,
        copied: 0,
        from: iso(200),
        to: iso(210),
        reason: 'vanished',
      },
      {
        source: 'source',
        camera: 'b',
        hold: 'one',
        count: 1,
        copied: 0,
        from: iso(100),
        to: iso(110),
        reason: 'vanished',
      },
    ]);
  });
});
