import { describe, expect, it } from 'vitest';
import { Doorway, networkOf, type Visitor } from '../../collector/doorway.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { TestClock } from './house.ts';

/** How many of `count` are let in from this address. */
function enter(door: Doorway, address: string, count: number): Visitor[] {
  return Array.from({ length: count }, () => door.enter(address)).filter((one) => typeof one !== 'number');
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
    const waiting: Visitor[] = [];
    for (let i = 0; i < 10; i += 1) {
      waiting.push(...enter(door, '203.0.113.7', 1000));
      clock.advance(10 * SECOND_MS);
    }
    expect(waiting).toHaveLength(200);
    expect(enter(door, '198.51.100.1', 1)).toHaveLength(1);
    for (let i = 0; i < 3; i += 1) waiting[0]?.leave();
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

  it('P8 two thousand who are sent away in one moment are called back evenly', () => {
    const clock = new TestClock();
    const door = new Doorway(clock);
    const waits: number[] = [];
    for (let i = 0; i < 2_300; i += 1) {
      const answer = door.enter(`198.51.${i >> 8}.${i % 256}`);
      if (typeof answer === 'number') waits.push(answer);
    }
    expect(waits).toHaveLength(2_100);
    const seconds = new Map<number, number>();
    for (const wait of waits) {
      const second = Math.floor(wait / SECOND_MS);
      seconds.set(second, (seconds.get(second) ?? 0) + 1);
    }
    // From one second on, a hundred in each.
    expect(Math.min(...seconds.keys())).toBe(1);
    expect(Math.max(...seconds.values())).toBeLessThanOrEqual(101);
    expect(Math.max(...waits)).toBeLessThanOrEqual(22 * SECOND_MS);
  });

  it('P8 nobody is sent away for longer than five minutes', () => {
    const clock = new TestClock();
    const door = new Doorway(clock);
    const waits: number[] = [];
    for (let i = 0; i < 100_000; i += 1) {
      const answer = door.enter('192.0.2.1');
      if (typeof answer === 'number') waits.push(answer);
    }
    expect(Math.max(...waits)).toBeLessThanOrEqual(301 * SECOND_MS);
  });

  it('P9 who has proven nothing sends so much: of one socket, of one address, of all', () => {
    const clock = new TestClock();
    const door = new Doorway(clock);
    const [one] = enter(door, '192.0.2.1', 1);
    expect(one?.sent(700 * 1024)).toBe(true);
    expect(one?.sent(700 * 1024)).toBe(false);
    one?.leave();
    const many = enter(door, '192.0.2.1', 50);
    const taken = many.filter((visitor) => visitor.sent(512 * 1024)).length;
    expect(taken).toBe(16);
    // Another address is not its neighbour's keeper; who has left makes room.
    expect(enter(door, '192.0.2.2', 1)[0]?.sent(512 * 1024)).toBe(true);
    for (const visitor of many) visitor.leave();
    expect(enter(door, '192.0.2.1', 1)[0]?.sent(512 * 1024)).toBe(true);
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
