import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Porch } from '../../collector/porch.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { TestClock } from './house.ts';

/** A clock whose timers go off when it is moved past them. */
class TimerClock extends TestClock {
  #due: { at: number; fn: () => void }[] = [];

  override after(...[ms = 0, fn = () => {}]: [number?, (() => void)?]): () => void {
    const one = { at: this.mono() + ms, fn };
    this.#due.push(one);
    return () => {
      this.#due = this.#due.filter((other) => other !== one);
    };
  }

  override advance(ms: number): void {
    super.advance(ms);
    const due = this.#due.filter(({ at }) => at <= this.mono());
    this.#due = this.#due.filter(({ at }) => at > this.mono());
    for (const { fn } of due) fn();
  }
}

/** A socket as far as the porch looks at one. */
function knock(remoteAddress: string): Socket {
  const socket = Object.assign(new EventEmitter(), { remoteAddress, destroyed: false, readyState: 'open' });
  const end = () => {
    socket.destroyed = true;
  };
  return Object.assign(socket, { destroy: end, resetAndDestroy: end }) as unknown as Socket;
}

function world() {
  const clock = new TimerClock();
  const tally = { begun: [] as string[], cut: 0 };
  const porch = new Porch(clock, () => {
    tally.cut += 1;
  });
  const enter = (address: string, count: number): Socket[] =>
    Array.from({ length: count }, () => {
      const socket = knock(address);
      porch.enter(socket, () => tally.begun.push(address));
      return socket;
    });
  const begun = (address: string) => tally.begun.filter((one) => one === address).length;
  return { clock, porch, tally, enter, begun };
}

const looks = (clock: TestClock, count: number) => {
  for (let i = 0; i < count; i += 1) clock.advance(20);
};

describe('before the door', () => {
  it('P5 one address begins so many handshakes in a second, the others wait, and another is not kept out', () => {
    const { clock, enter, begun, tally } = world();
    enter('203.0.113.7', 900);
    expect(begun('203.0.113.7')).toBe(50);
    enter('198.51.100.1', 20);
    looks(clock, 50);
    expect(begun('198.51.100.1')).toBe(20);
    expect(begun('203.0.113.7')).toBeGreaterThanOrEqual(145);
    expect(begun('203.0.113.7')).toBeLessThanOrEqual(151);
    expect(tally.cut).toBe(0);
  });

  it('P5 where all together are too many, each address that waits gets its turn', () => {
    const { clock, enter, begun } = world();
    for (let i = 0; i < 8; i += 1) enter(`203.0.113.${i}`, 300);
    enter('198.51.100.1', 5);
    looks(clock, 15);
    expect(begun('198.51.100.1')).toBe(5);
  });

  it('P10 late with its work, the process begins few at a time, and catches up when it is not', () => {
    const { clock, enter, begun } = world();
    enter('203.0.113.7', 90);
    expect(begun('203.0.113.7')).toBe(50);
    for (let i = 1; i <= 3; i += 1) {
      clock.advance(500);
      expect(begun('203.0.113.7')).toBe(50 + 8 * i);
    }
    // Also where nobody waits before it.
    const [late] = enter('198.51.100.1', 1);
    expect(late?.destroyed).toBe(false);
    looks(clock, 2);
    expect(begun('198.51.100.1')).toBe(1);
    looks(clock, 20);
    expect(begun('203.0.113.7')).toBe(90);
  });

  it('P6 what waits is bounded in number; who goes away makes room', () => {
    const { clock, enter, tally, begun } = world();
    const sockets = enter('203.0.113.7', 1_500);
    expect(tally.cut).toBe(450);
    for (const socket of sockets.slice(50, 550)) socket.destroy();
    looks(clock, 1);
    enter('203.0.113.7', 10);
    expect(tally.cut).toBe(450);
    looks(clock, 600);
    expect(begun('203.0.113.7')).toBe(50 + 500 + 10);
  });

  it('P6 and in time; the end takes what waits with it', () => {
    const { clock, porch, enter, tally } = world();
    enter('203.0.113.7', 700);
    clock.advance(11 * SECOND_MS);
    expect(tally.cut).toBeGreaterThan(600);
    const last = enter('203.0.113.7', 900);
    const begun = tally.begun.length;
    porch.close();
    clock.advance(SECOND_MS);
    expect(tally.begun.length).toBe(begun);
    expect(last.filter(({ destroyed }) => destroyed).length).toBe(900);
  });
});
