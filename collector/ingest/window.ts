/**
 * The window of one connection: what it was granted, what came, and what it is granted next.
 *
 * S2  More than the credits allow closes the connection, and so does a batch over its size; nothing that was taken is
 *     lost.
 * S10 A smaller window holds from the moment on at which the agent has read of it, which a pong behind it shows.
 * S13 What came counts against the window until the agent can know that it is stored: who sends on without reading
 *     its acks is over its credits, however fast the store is; who reads them never is.
 */
import { BATCH_BYTES } from '../../protocol/frame.ts';
import type { CustomerId } from '../../protocol/ids.ts';
import { type Credits, LEAST, type Window } from './credits.ts';
import type { Quotas } from './quotas.ts';

/** A frame's size as the agent reckons it may differ a little from what came. */
const WINDOW_SLACK_BYTES = 256 * 1024;
/** A batch is closed before it is too large; agents of other versions may reckon it a little otherwise. */
const MAX_BATCH_BYTES = BATCH_BYTES + 16 * 1024;

export interface WindowDeps {
  credits: Credits;
  quotas: Quotas;
  customer: CustomerId;
  /** Sends the `credit` frame. */
  tell(window: Window): void;
  /** Calls back when everything that was told so far has been read. False: too many such calls are out, none comes. */
  echo(read: () => void): boolean;
  /** Stops and begins reading. */
  hold(held: boolean): void;
}

export type Taken = 'too-large' | 'too-much' | { settled: () => void };

export class SendWindow {
  readonly #deps: WindowDeps;
  /** On their way: came and not settled. */
  #events = 0;
  #bytes = 0;
  /** Came, and the agent cannot know yet that they are stored (S13). */
  readonly #unread = { events: 0, bytes: 0 };
  /** Stored and acked since the last ping: unread still, until the next one follows their acks. */
  #acked = { events: 0, bytes: 0 };
  #pinged = false;
  #granted: Window;
  /** What the agent may believe to have; the granted one, once it knows of it. */
  #allowed: Window;
  /** Events of the granted window that its customer's quota has paid for already. */
  #paid = 0;
  #waits = false;
  #held = false;
  #over = false;

  constructor(deps: WindowDeps) {
    this.#deps = deps;
    const { credits, quotas, customer } = deps;
    const waits = quotas.over(customer);
    this.#granted = waits ? { events: 0, bytes: 0 } : credits.window();
    this.#allowed = this.#granted;
    if (waits) this.#waitTurn();
  }

  /** For `welcome`. */
  get first(): Window {
    return { ...this.#granted };
  }

  take(events: number, bytes: number): Taken {
    if (bytes > MAX_BATCH_BYTES) return 'too-large';
    const { events: most, bytes: mostBytes } = this.#allowed;
    const unread = this.#unread;
    if (unread.events + events > most || unread.bytes + bytes > mostBytes + WINDOW_SLACK_BYTES)
      return 'too-much';
    const { credits, quotas, customer } = this.#deps;
    this.#events += events;
    this.#bytes += bytes;
    unread.events += events;
    unread.bytes += bytes;
    credits.took(this, bytes);
    const paid = Math.min(this.#paid, events);
    this.#paid -= paid;
    if (events > paid) quotas.spend(customer, events - paid);
    if (credits.full) this.#hold();
    return { settled: this.#once(() => this.#settled(events, bytes)) };
  }

  end(): void {
    this.#over = true;
    const { credits, quotas, customer } = this.#deps;
    credits.left(this);
    if (this.#waits) quotas.forget(customer, this.#give);
  }

  #once(act: () => void): () => void {
    let done = false;
    return () => {
      if (!done) act();
      done = true;
    };
  }

  #settled(events: number, bytes: number): void {
    this.#events -= events;
    this.#bytes -= bytes;
    const { credits, quotas, customer } = this.#deps;
    credits.gave(bytes);
    if (this.#over) return;
    this.#acked.events += events;
    this.#acked.bytes += bytes;
    this.#ping();
    if (this.#waits) return;
    if (!quotas.over(customer)) {
      this.#grant(credits.window());
      return;
    }
    this.#grant({ events: 0, bytes: 0 });
    this.#waitTurn();
  }

  /**
   * One ping at a time, behind the acks. Frames keep their order, and so do pings and pongs: before its pong comes,
   * nothing can have come that was sent in the knowledge of a later ack. So from the ping on these acks count as known.
   */
  #ping(): void {
    if (this.#pinged || this.#over || this.#acked.events === 0) return;
    // Where too many pings are out, the next batch that is settled asks again.
    this.#pinged = this.#deps.echo(() => {
      this.#pinged = false;
      this.#ping();
    });
    if (!this.#pinged) return;
    this.#unread.events -= this.#acked.events;
    this.#unread.bytes -= this.#acked.bytes;
    this.#acked = { events: 0, bytes: 0 };
  }

  #waitTurn(): void {
    const { quotas, customer } = this.#deps;
    this.#waits = true;
    quotas.wait(customer, this.#give);
  }

  readonly #give = (events: number): void => {
    this.#waits = false;
    this.#paid += events;
    // Beside what is on its way still, which was granted before.
    this.#grant({ events: this.#events + events, bytes: this.#bytes + LEAST.bytes });
  };

  #grant(window: Window): void {
    const { events, bytes } = this.#granted;
    if (this.#over || (window.events === events && window.bytes === bytes)) return;
    this.#granted = window;
    this.#allowed = {
      events: Math.max(this.#allowed.events, window.events),
      bytes: Math.max(this.#allowed.bytes, window.bytes),
    };
    const { tell, echo } = this.#deps;
    tell(window);
    echo(() => {
      if (this.#granted === window) this.#allowed = window;
    });
  }

  #hold(): void {
    if (this.#held) return;
    const { credits, hold } = this.#deps;
    this.#held = true;
    hold(true);
    credits.whenRoom(() => {
      this.#held = false;
      if (!this.#over) hold(false);
    });
  }
}
