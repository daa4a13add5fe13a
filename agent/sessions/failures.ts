/**
 * Refusals, counted together: somebody who tries a million passwords in an hour costs a handful of events. Pure but
 * for what it remembers.
 *
 * B1  The first refusal of a peer in an hour is told at once, whole; what follows in that hour is one summary.
 * B2  So many peers are told apart in an hour; all others together are one more. Events of an hour are bounded,
 *     whatever is tried and from however many addresses.
 * B3  Nothing is lost in a restart: what waits is counted again from the line at which it began.
 *
 * Hours are those of the log's own times, so that reading it again gives the same.
 */
import { HOUR_MS, type UtcMs } from '../../protocol/time.ts';
import type { RejectReason, SessionChange } from '../sources/change.ts';
import type { Place } from './places.ts';

export type Rejected = Extract<SessionChange, { what: 'rejected' }>;

export interface Summary {
  /** The first that it stands for; says who, where it is one peer. */
  first: Rejected;
  /** False: of several peers that are not told apart. */
  onePeer: boolean;
  count: number;
  from: UtcMs;
  to: UtcMs;
  reason: RejectReason;
}

interface Counted {
  first: Rejected;
  count: number;
  from: UtcMs;
  to: UtcMs;
  reasons: Set<RejectReason>;
}

/** Peers told apart in an hour. */
export const MOST_PEERS = 64;
const OTHERS = '';

export class Failures {
  /** Start of the hour that is counted; null: none is. */
  #hour: number | null = null;
  #since: Place | null = null;
  readonly #told = new Set<string>();
  readonly #counted = new Map<string, Counted>();

  /** First line of what waits to be told (B3); null: nothing waits. */
  get since(): Place | null {
    return this.#counted.size === 0 ? null : this.#since;
  }

  /** Forgets everything; it is counted again. */
  reset(): void {
    this.#hour = null;
    this.#since = null;
    this.#told.clear();
    this.#counted.clear();
  }

  /**
   * True: it is to be told at once. `due` has the summaries of the hour before, where this begins another. `knocked`: the
   * attempt was told, so its refusal is told too, and counted nowhere else.
   */
  add(change: Rejected, place: Place, knocked = false): { tell: boolean; due: Summary[] } {
    const hour = Math.floor(change.at / HOUR_MS);
    const due = this.#hour !== null && hour > this.#hour ? this.flush() : [];
    // A time that steps back is of the hour that is counted.
    if (this.#hour === null) this.#hour = hour;
    this.#since ??= place;
    const peer = peerOf(change);
    if (!this.#told.has(peer) && this.#told.size < MOST_PEERS) {
      this.#told.add(peer);
      // What one line says of several is told as several.
      return { tell: true, due };
    }
    if (knocked) return { tell: true, due };
    this.#count(this.#told.has(peer) ? peer : OTHERS, change);
    return { tell: false, due };
  }

  /** The hour of this time is over: its summaries. */
  dueAt(now: UtcMs): Summary[] {
    return this.#hour !== null && Math.floor(now / HOUR_MS) > this.#hour ? this.flush() : [];
  }

  flush(): Summary[] {
    const all = [...this.#counted].map(([peer, { first, count, from, to, reasons }]): Summary => {
      const [only] = reasons;
      const reason = reasons.size === 1 && only !== undefined ? only : 'unknown';
      return { first, onePeer: peer !== OTHERS, count, from, to, reason };
    });
    this.reset();
    return all;
  }

  #count(key: string, change: Rejected): void {
    const { at, count, reason } = change;
    const known = this.#counted.get(key);
    if (known === undefined) {
      this.#counted.set(key, { first: change, count, from: at, to: at, reasons: new Set([reason]) });
      return;
    }
    known.count += count;
    known.from = at < known.from ? at : known.from;
    known.to = at > known.to ? at : known.to;
    known.reasons.add(reason);
  }
}

/** Who tries: by address or id, never by the account, which the other side chooses freely. */
function peerOf({ known, key }: Rejected): string {
  return known.peerId ?? known.peerIps?.[0]?.ip ?? key;
}
