/**
 * How much may be on its way from all agents together. Windows shrink as more of them send, so that thousands that
 * drain at once stay inside one budget and each gets its acks in time; what they may hold back costs nothing here.
 *
 * S7  The windows of those who send are inside one budget of events and bytes, as far as each may still send
 *     something.
 * S8  Where more bytes than the budget came all the same, those who send are not read until half of it is stored.
 */
import { BATCH_BYTES, FIRST_CREDITS } from '../../protocol/frame.ts';
import { type Clock, SECOND_MS } from '../../protocol/time.ts';

export interface Window {
  events: number;
  bytes: number;
}

/**
 * About ten seconds of work: an agent takes a link for broken that acks nothing for thirty. An event is 1 KB on the
 * wire, and about three times that while it is worked on.
 */
export const BUDGET: Window = { events: 64_000, bytes: 64 * 1024 * 1024 };
/** Whatever the pressure, one whole batch of the largest size fits: less could never be sent. */
export const LEAST: Window = { events: 16, bytes: BATCH_BYTES + 32 * 1024 };
/** Who sent nothing for so long is not counted among those who send. */
const ACTIVE_MS = 5 * SECOND_MS;
/** So many may have the whole first window. */
const FULL_SENDERS = BUDGET.events / FIRST_CREDITS.events;

/** The window of each of so many senders; in steps of two, so that it seldom changes. Pure. */
export function windowFor(senders: number): Window {
  const step = 2 ** Math.ceil(Math.log2(Math.max(1, senders / FULL_SENDERS)));
  return {
    events: Math.max(LEAST.events, Math.floor(FIRST_CREDITS.events / step)),
    bytes: Math.max(LEAST.bytes, Math.floor(FIRST_CREDITS.bytes / step)),
  };
}

export class Credits {
  readonly #clock: Clock;
  /** When each last sent something; the longest ago first. */
  readonly #senders = new Map<object, number>();
  #held: (() => void)[] = [];
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of one who sends now. */
  window(): Window {
    const oldest = this.#clock.mono() - ACTIVE_MS;
    for (const [sender, at] of this.#senders) {
      if (at > oldest) break;
      this.#senders.delete(sender);
    }
    return windowFor(this.#senders.size);
  }

  /** True while more is on its way than the budget (S8). */
  get full(): boolean {
    return this.#bytes > BUDGET.bytes;
  }

  took(sender: object, bytes: number): void {
    this.#senders.delete(sender);
    this.#senders.set(sender, this.#clock.mono());
    this.#bytes += bytes;
  }

  gave(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#held.length === 0 || this.#bytes > BUDGET.bytes / 2) return;
    const held = this.#held;
    this.#held = [];
    for (const goOn of held) goOn();
  }

  left(sender: object): void {
    this.#senders.delete(sender);
  }

  /** Calls back once, when half of the budget is free. */
  whenRoom(goOn: () => void): void {
    this.#held.push(goOn);
  }
}
