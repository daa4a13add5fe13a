/**
 * Samples on their way to the collector. They have no acks of their own: what was sent on a link that lived on for a
 * while has arrived, the rest is sent again on the next link, and the collector drops what it has already.
 *
 * T19 Every sample that is kept is sent until it has arrived; after a reconnect from the stored cursor on.
 */
import type { Sample } from '../../protocol/telemetry.ts';
import { MAX_SAMPLES } from '../../protocol/telemetry.ts';
import { type Clock, MINUTE_MS } from '../../protocol/time.ts';
import type { TelemetryStore } from './store.ts';

/** A link that lived so long after a frame has delivered it: two beats of the collector have come back since. */
export const ARRIVED_MS = MINUTE_MS + 15_000;
/** Of one frame, about. The collector takes 256 KiB a second beside batches. */
export const FRAME_BYTES = 64 * 1024;

export interface SampleLink {
  /** Number of the live link; null while there is none. */
  live(): number | null;
  /** False: not now. */
  sendSamples(samples: readonly Sample[]): boolean;
}

export class SampleOutbox {
  readonly #store: TelemetryStore;
  readonly #link: SampleLink;
  readonly #clock: Pick<Clock, 'mono'>;
  #live: number | null = null;
  #sent = 0;
  #arrived: number;
  #flights: { through: number; at: number }[] = [];

  constructor(store: TelemetryStore, link: SampleLink, clock: Pick<Clock, 'mono'>) {
    this.#store = store;
    this.#link = link;
    this.#clock = clock;
    this.#arrived = store.sentThrough;
  }

  /** Sends at most one frame. Call it every minute or so: a backlog of two weeks is gone within the hour. */
  send(): void {
    this.#settle();
    if (this.#live === null) return;
    const samples: Sample[] = [];
    let through = this.#sent;
    let left = FRAME_BYTES;
    for (const { n, sample } of this.#store.after(this.#sent, MAX_SAMPLES)) {
      left -= JSON.stringify(sample).length;
      if (left < 0 && samples.length > 0) break;
      samples.push(sample);
      through = n;
    }
    if (samples.length === 0 || !this.#link.sendSamples(samples)) return;
    this.#sent = through;
    this.#flights.push({ through, at: this.#clock.mono() });
  }

  /** What has arrived by now; to be stored with the next sample. Null: nothing new. */
  arrived(): number | null {
    return this.#arrived > this.#store.sentThrough ? this.#arrived : null;
  }

  #settle(): void {
    const live = this.#link.live();
    if (live !== this.#live) {
      this.#live = live;
      this.#sent = this.#arrived;
      this.#flights = [];
    }
    const now = this.#clock.mono();
    const done = this.#flights.filter(({ at }) => now - at >= ARRIVED_MS);
    this.#flights = this.#flights.slice(done.length);
    this.#arrived = done.at(-1)?.through ?? this.#arrived;
  }
}
