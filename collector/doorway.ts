/**
 * Who may begin a handshake: so many at once and in a second, of one address and of all together. What is counted is
 * in RAM only, so addresses may be keys.
 *
 * P4  Nobody without a key keeps the others out from one address: each address is bounded before all together are.
 */
import { isIP } from 'node:net';
import type { Clock } from '../protocol/time.ts';
import { Bucket, Buckets } from './bucket.ts';
import { plainAddress } from './cidr.ts';

/** A fleet that comes back at once is let in over a minute, not in one second. */
const HANDSHAKES = { perSecond: 200, burst: 200 };
/** A site of some hundred hosts behind one address is back in seconds. */
const HANDSHAKES_OF_ONE = { perSecond: 50, burst: 100 };
/** Sockets whose agent has not proven itself yet. */
const MAX_UNPROVEN = 2_000;
const MAX_UNPROVEN_OF_ONE = 200;

/** What counts as one address: of IPv6 the 64 bits that a customer is given. */
export function networkOf(address: string): string {
  const plain = plainAddress(address);
  if (isIP(plain) !== 6) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  while (groups.length + last.length < 8) groups.push('0');
  return `${[...groups, ...last].slice(0, 4).join(':')}::/64`;
}

export class Doorway {
  readonly #all: Bucket;
  readonly #each: Buckets;
  readonly #unproven = new Map<string, number>();
  #count = 0;

  constructor(clock: Clock) {
    this.#all = new Bucket(clock, HANDSHAKES);
    this.#each = new Buckets(() => new Bucket(clock, HANDSHAKES_OF_ONE));
  }

  /** Null: come again later. Otherwise to be called once the agent has proven itself, or is gone; repeating is safe. */
  enter(address: string): (() => void) | null {
    const network = networkOf(address);
    const waiting = this.#unproven.get(network) ?? 0;
    if (waiting >= MAX_UNPROVEN_OF_ONE || !this.#each.of(network).take()) return null;
    if (this.#count >= MAX_UNPROVEN || !this.#all.take()) return null;
    this.#unproven.set(network, waiting + 1);
    this.#count += 1;
    let inside = false;
    return () => {
      if (inside) return;
      inside = true;
      this.#leave(network);
    };
  }

  #leave(network: string): void {
    this.#count -= 1;
    const left = (this.#unproven.get(network) ?? 1) - 1;
    if (left === 0) this.#unproven.delete(network);
    else this.#unproven.set(network, left);
  }
}
