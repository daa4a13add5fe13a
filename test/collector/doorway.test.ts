import { describe, expect, it } from 'vitest';
import { Doorway, networkOf } from '../../collector/doorway.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { TestClock } from './house.ts';

/** How many of `count` are let in from this address. */
function enter(door: Doorway, address: string, count: number): (() => void)[] {
  return Array.from({ length: count }, () => door.enter(address)).filter((leave) => leave !== null);
}

describe('the door for agents', () => {
  it('P4 one address takes its own share and leaves the others theirs', () => {
    const clock = new TestClock();
    const door = new Doorway(clock);
    expect(enter(door, '203.0.113.7', 1000)).toHaveLength(100);
    expect(enter(door, '::ffff:203.0.113.7', 10)).toHaveLength(0);
    // Fifty honest hosts behind one address, in the same moment.
    expect(enter(door, '198.51.100.1', 50)).toHaveLength(50);
    clock.advance(SECOND_MS);
    expect(enter(door, '203.0.113.7', 1000)).toHaveLength(50);
    expect(enter(door, '198.51.100.1', 50)).toHaveLength(50);
  });

  it('P4 so many of one address wait to prove themselves; who has, or is gone, makes room once', () => {
    const clock = new TestClock();
    const door = new Doorway(clock);
    const waiting: (() => void)[] = [];
    for (let i = 0; i < 10; i += 1) {
      waiting.push(...enter(door, '203.0.113.7', 1000));
      clock.advance(10 * SECOND_MS);
    }
    expect(waiting).toHaveLength(200);
    expect(enter(door, '198.51.100.1', 1)).toHaveLength(1);
    for (let i = 0; i < 3; i += 1) waiting[0]?.();
    expect(enter(door, '203.0.113.7', 1000)).toHaveLength(1);
  });

  it('P2 all together are bounded too', () => {
    const clock = new TestClock();
    const door = new Doorway(clock);
    let inside = 0;
    for (let i = 0; i < 40; i += 1) inside += enter(door, `192.0.2.${i}`, 100).length;
    expect(inside).toBe(200);
    for (let round = 0; round < 20; round += 1) {
      clock.advance(10 * SECOND_MS);
      for (let i = 0; i < 40; i += 1) inside += enter(door, `192.0.2.${i}`, 100).length;
    }
    expect(inside).toBe(2000);
  });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('P4 %s counts as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
