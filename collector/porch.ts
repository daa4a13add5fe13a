/**
 * Before the door: how many TLS handshakes begin in a second. They are what costs most of a connection, and nobody
 * has proven anything yet. What is over waits in a line per address, without costing more than its socket.
 *
 * P5  TLS handshakes are bounded, of one address and of all; each address that waits gets its turn, one by one.
 * P10 Where the process is late with its work, few begin at a time: those who are in come first.
 * P6  What waits is bounded too, in number and time; what is over that is cut.
 */
import type { Socket } from 'node:net';
import { type Clock, SECOND_MS } from '../protocol/time.ts';
import { Bucket, Buckets } from './bucket.ts';
import { networkOf } from './doorway.ts';

/** More than the door lets in, for people and enrolment beside agents. Few at once: each takes some ms of the loop. */
const STARTS = { perSecond: 250, burst: 50 };
/** A site behind one address, or a balancer that shows its own. */
const STARTS_OF_ONE = { perSecond: 100, burst: 50 };
/** Sockets that wait: ten seconds' worth of starts and more, for a fleet that comes back at once. */
const MOST_WAITING = 4_000;
const MOST_WAITING_OF_ONE = 1_000;
/** Agents give up a connection that does not come about after 30 s. */
const WAIT_MS = 10 * SECOND_MS;
const LOOK_MS = 20;
/** A look that comes so much too late says that the process has more to do than it can. */
const LATE_MS = 80;
/** A fleet that comes back while it brings its backlogs is still let in within a minute. */
const STARTS_WHEN_LATE = 8;

interface Waiting {
  socket: Socket;
  begin: () => void;
  since: number;
}

export class Porch {
  readonly #clock: Clock;
  readonly #all: Bucket;
  readonly #each: Buckets;
  /** By network; the one whose turn is next comes first. */
  readonly #lines = new Map<string, Waiting[]>();
  readonly #cut: () => void;
  #waiting = 0;
  /** Handshakes begun since the last look. */
  #begun = 0;
  #late = false;
  #cancel: (() => void) | null = null;

  /** @param cut told of each socket that was over the bounds */
  constructor(clock: Clock, cut: () => void) {
    this.#clock = clock;
    this.#all = new Bucket(clock, STARTS);
    this.#each = new Buckets(() => new Bucket(clock, STARTS_OF_ONE));
    this.#cut = cut;
  }

  /** Calls `begin` now or later, or ends the socket. */
  enter(socket: Socket, begin: () => void): void {
    const network = networkOf(socket.remoteAddress ?? '');
    const line = this.#lines.get(network);
    if (this.#waiting === 0 && !this.#late && this.#take(network)) {
      this.#arm();
      begin();
      return;
    }
    if (this.#waiting >= MOST_WAITING || (line?.length ?? 0) >= MOST_WAITING_OF_ONE) {
      this.#end(socket);
      return;
    }
    // Until TLS takes over, a torn connection must not end the process.
    socket.on('error', ignore);
    const one = { socket, begin, since: this.#clock.mono() };
    if (line === undefined) this.#lines.set(network, [one]);
    else line.push(one);
    this.#waiting += 1;
    this.#arm();
  }

  /** Ends what waits. */
  close(): void {
    this.#cancel?.();
    for (const line of this.#lines.values()) for (const { socket } of line) socket.destroy();
    this.#lines.clear();
    this.#waiting = 0;
  }

  #take(network: string): boolean {
    const own = this.#each.of(network);
    if (!own.has() || !this.#all.take()) return false;
    this.#begun += 1;
    return own.take();
  }

  #end(socket: Socket): void {
    socket.on('error', ignore);
    // Without the long good-bye of TCP: a flood would leave thousands of sockets behind.
    socket.resetAndDestroy();
    this.#cut();
  }

  #arm(): void {
    if (this.#cancel !== null) return;
    const due = this.#clock.mono() + LOOK_MS;
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      this.#cancel = null;
      this.#late = this.#clock.mono() - due > LATE_MS;
      const busy = this.#begun > 0;
      this.#begun = 0;
      this.#round();
      // Looks go on for as long as anything begins: how late they are is what the pace goes by.
      if (busy || this.#waiting > 0 || this.#late) this.#arm();
    });
  }

  /** One of each line after the other, as long as any may begin. */
  #round(): void {
    for (let went = true; went; ) {
      went = false;
      for (const [network, line] of [...this.#lines]) {
        if (this.#late && this.#begun >= STARTS_WHEN_LATE) return;
        if (this.#next(network, line)) went = true;
      }
    }
  }

  #next(network: string, line: Waiting[]): boolean {
    this.#tidy(line);
    const first = line[0];
    if (first !== undefined && !this.#take(network)) return false;
    // To the end of the round, also across rounds: who comes first in the map does not always go first.
    this.#lines.delete(network);
    if (first === undefined) return false;
    line.shift();
    this.#waiting -= 1;
    if (line.length > 0) this.#lines.set(network, line);
    first.socket.off('error', ignore);
    first.begin();
    return true;
  }

  /** Those at the head of a line who went away, or have waited too long. */
  #tidy(line: Waiting[]): void {
    const oldest = this.#clock.mono() - WAIT_MS;
    for (let one = line[0]; one !== undefined; one = line[0]) {
      const gone = one.socket.destroyed || one.socket.readyState === 'closed';
      if (!gone && one.since > oldest) return;
      line.shift();
      this.#waiting -= 1;
      if (!gone) this.#end(one.socket);
    }
  }
}

function ignore(): void {}
