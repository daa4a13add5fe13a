/**
 * Who may begin a handshake: so many at once and in a second, of one address and of all together. What is counted is
 * in RAM only, so addresses may be keys.
 *
 * P4  Nobody without a key keeps the others out from one address: each address is bounded before all together are.
 * P8  Who is sent away is told when to come: each at another time, so that a fleet comes back evenly.
 * P9  What those send who have proven nothing is bounded, of each, of one address and of all.
 */
import { isIP } from 'node:net';
import { type Clock, MINUTE_MS, SECOND_MS } from '../protocol/time.ts';
import { Bucket, Buckets } from './bucket.ts';
import { plainAddress } from './cidr.ts';

/** A fleet that comes back at once is let in over a minute, not in one second. */
const HANDSHAKES = { perSecond: 200, burst: 200 };
/** A site of some hundred hosts behind one address is back in seconds. */
const HANDSHAKES_OF_ONE = { perSecond: 50, burst: 100 };
/** Sockets whose agent has not proven itself yet. */
const MAX_UNPROVEN = 2_000;
const MAX_UNPROVEN_OF_ONE = 200;
/** A `hello` and a `proof` that offers a thousand groups to a restored collector are less than this together. */
const MAX_BYTES_OF_SOCKET = 768 * 1024;
const MAX_BYTES_OF_ONE = 8 * 1024 * 1024;
const MAX_BYTES = 32 * 1024 * 1024;
/** Half of what is let in: those who come without having been asked find room too. */
const CALLED_PER_SECOND = HANDSHAKES.perSecond / 2;
const LEAST_WAIT_MS = SECOND_MS;
/** Nobody is sent away for longer; from here on the times begin anew. */
const MOST_WAIT_MS = 5 * MINUTE_MS;

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

/** One that may begin a handshake. */
export interface Visitor {
  /** Bytes came of it; false: it has sent too much, and is to be cut. */
  sent(bytes: number): boolean;
  /** It has proven itself, or is gone; repeating is safe. */
  leave(): void;
}

interface Inside {
  count: number;
  bytes: number;
}

export class Doorway {
  readonly #clock: Clock;
  readonly #all: Bucket;
  readonly #each: Buckets;
  readonly #inside = new Map<string, Inside>();
  readonly #together: Inside = { count: 0, bytes: 0 };
  /** Monotonic time for which nobody was called back yet. */
  #free = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#all = new Bucket(clock, HANDSHAKES);
    this.#each = new Buckets(() => new Bucket(clock, HANDSHAKES_OF_ONE));
  }

  /** A visitor, or in how many milliseconds to come again. */
  enter(address: string): Visitor | number {
    const network = networkOf(address);
    const mine = this.#inside.get(network) ?? { count: 0, bytes: 0 };
    if (mine.count >= MAX_UNPROVEN_OF_ONE || !this.#each.of(network).take()) return this.#later();
    if (this.#together.count >= MAX_UNPROVEN || !this.#all.take()) return this.#later();
    this.#inside.set(network, mine);
    mine.count += 1;
    this.#together.count += 1;
    return this.#visitor(network, mine);
  }

  #later(): number {
    const now = this.#clock.mono();
    const earliest = now + LEAST_WAIT_MS;
    if (this.#free < earliest || this.#free > now + MOST_WAIT_MS) this.#free = earliest;
    const wait = Math.ceil(this.#free - now);
    this.#free += SECOND_MS / CALLED_PER_SECOND;
    return wait;
  }

  #visitor(network: string, mine: Inside): Visitor {
    let [inside, own] = [true, 0];
    return {
      sent: (bytes) => {
        if (!inside) return true;
        own += bytes;
        mine.bytes += bytes;
        this.#together.bytes += bytes;
        const { bytes: all } = this.#together;
        return own <= MAX_BYTES_OF_SOCKET && mine.bytes <= MAX_BYTES_OF_ONE && all <= MAX_BYTES;
      },
      leave: () => {
        if (!inside) return;
        inside = false;
        mine.count -= 1;
        mine.bytes -= own;
        this.#together.count -= 1;
        this.#together.bytes -= own;
        if (mine.count === 0) this.#inside.delete(network);
      },
    };
  }
}
