import { describe, expect, it } from 'vitest';
import { type StoredTime, TrustedTime } from '../../agent/trusted-time.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, utcMs } from '../../protocol/time.ts';
import { TestClock } from './support.ts';

const BOOT = { boot: () => 'boot-1', uptimeMs: () => 5_000 };

function setUp(stored: StoredTime | null = null, uptimeMs = 5_000) {
  const clock = new TestClock();
  const real = clock.wall;
  return {
    clock,
    real,
    time: new TrustedTime(clock, { boot: () => 'boot-1', uptimeMs: () => uptimeMs }, stored),
  };
}

describe('agent/trusted-time', () => {
  it('C1 is what the collector stated, and the monotonic time since', () => {
    const { clock, real, time } = setUp();
    expect(time.now()).toBeNull();
    expect(time.trouble()).toBe('never-told');
    expect(time.stated(utcMs(real + 3 * HOUR_MS))).toBe(true);
    clock.advance(MINUTE_MS);
    expect(time.now()).toBe(real + 3 * HOUR_MS + MINUTE_MS);
  });

  it.each([
    ['60 days forward', 60 * DAY_MS],
    ['60 days back', -60 * DAY_MS],
    ['a minute in 2031', 5 * 365 * DAY_MS],
  ])('C1 a wall clock that steps %s neither hurries nor holds up', (_, by) => {
    const { clock, real, time } = setUp();
    time.stated(utcMs(real));
    clock.wall += by;
    clock.advance(SECOND_MS);
    expect(time.now()).toBe(real + SECOND_MS);
    clock.wall -= by;
    expect(time.now()).toBe(real + SECOND_MS);
  });

  it('C1 a frozen wall clock holds nothing up', () => {
    const { clock, real, time } = setUp();
    time.stated(utcMs(real));
    clock.ticks += HOUR_MS;
    expect(time.now()).toBe(real + HOUR_MS);
  });

  it('C14 a collector whose clock steps is not believed alone; with the wall clock it is', () => {
    const { clock, real, time } = setUp();
    time.stated(utcMs(real));
    expect(time.stated(utcMs(real + 60 * DAY_MS))).toBe(false);
    expect(time.trouble()).toBe('conflict');
    expect(time.now()).toBeNull();
    expect(time.stated(utcMs(real + 2 * SECOND_MS))).toBe(true);
    expect(time.now()).toBe(real + 2 * SECOND_MS);
    // The machine slept: monotonic time stood still, and the two others agree.
    clock.wall += 8 * HOUR_MS;
    expect(time.stated(utcMs(clock.wall))).toBe(true);
    expect(time.now()).toBe(clock.wall);
  });

  it('C13 what was stored lasts over a restart in the same boot, while the wall clock agrees', () => {
    const first = setUp();
    first.time.stated(utcMs(first.real));
    const stored = first.time.stored();
    expect(stored).toEqual({ boot: 'boot-1', uptimeMs: 5_000, trusted: first.real });
    const { clock, real, time } = setUp(stored, 5_000 + HOUR_MS);
    clock.wall = real + HOUR_MS;
    expect(time.now()).toBe(real + HOUR_MS);
    clock.wall += 60 * DAY_MS;
    expect(time.trouble()).toBe('stepped');
    expect(time.now()).toBeNull();
    expect(time.stated(utcMs(real + HOUR_MS))).toBe(true);
    expect(time.now()).toBe(real + HOUR_MS);
  });

  it('C13 after another boot, or with an uptime that went back, nothing is known', () => {
    const stored = { boot: 'boot-0', uptimeMs: 5_000, trusted: 1 };
    expect(new TrustedTime(new TestClock(), BOOT, stored).now()).toBeNull();
    const back = { boot: 'boot-1', uptimeMs: 5_001, trusted: 1 };
    expect(new TrustedTime(new TestClock(), BOOT, back).trouble()).toBe('never-told');
    const none = { boot: null, uptimeMs: 1, trusted: 1 };
    expect(new TrustedTime(new TestClock(), { ...BOOT, boot: () => null }, none).now()).toBeNull();
  });

  it('C14 a person confirms that the wall clock is right', () => {
    const { clock, real, time } = setUp();
    time.stated(utcMs(real));
    time.stated(utcMs(real + DAY_MS));
    clock.wall = real + DAY_MS;
    time.confirm();
    expect(time.now()).toBe(real + DAY_MS);
  });
});
