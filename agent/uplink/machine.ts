/**
 * Vocabulary of the link machine: its states, inputs and effects, and the two ways out of a connection. The
 * invariants U1–U10 are written in `state.ts`.
 */
import type { LogId } from '../../protocol/ids.ts';
import { type Ending, type Tries, waitAfter } from './backoff.ts';

export type LinkState =
  | { kind: 'stopped' }
  | { kind: 'waiting'; until: number; tries: Tries }
  /** The collector said no (revoked, two identities, not proven); asked again seldom, for ever. */
  | { kind: 'refused'; until: number; tries: Tries; code: number }
  | { kind: 'connecting'; until: number; tries: Tries }
  | {
      kind: 'proving';
      until: number;
      tries: Tries;
      awaits: 'challenge' | 'welcome';
      retryAfter: number | null;
    }
  | Live;

export type LinkInput =
  | { t: 'start' }
  | { t: 'stop' }
  /** Time passed; `deadlineOf` says when this is due. */
  | { t: 'timer' }
  /** Subprotocol agreed over TLS; the channel value is known. */
  | { t: 'opened' }
  /** No connection came about. */
  | { t: 'failed' }
  | { t: 'closed'; code: number }
  /** A frame that is none, or has no place now; `code` is what to close with. */
  | { t: 'improper'; code: number }
  | { t: 'challenge'; proven: boolean }
  /** `succeeded`: a log of ours was closed and has a successor, which only a new `hello` can show. */
  | { t: 'welcome'; flows: Flow[]; window: Window; succeeded: boolean }
  | { t: 'refuse'; retryAfter: number | null }
  | { t: 'ack'; log: LogId; through: number }
  | { t: 'credit'; window: Window }
  /** Any other sign of life of the collector. */
  | { t: 'heard' }
  | { t: 'appended' }
  /** The pump has read everything there was. */
  | { t: 'caughtUp' }
  /** What became of a `batch` effect. */
  | { t: 'sent'; log: LogId; through: number; events: number; bytes: number }
  | { t: 'empty'; log: LogId }
  /** The next leaf does not fit into what is left of the window. */
  | { t: 'tight' }
  /** The socket's own buffer is full; `flushed` when it is not any more. */
  | { t: 'clogged' }
  | { t: 'flushed' };

export type LinkEffect =
  | { do: 'connect' }
  | { do: 'hello' }
  | { do: 'proof' }
  | { do: 'erase' }
  | { do: 'status' }
  | { do: 'beat' }
  /** `events` and `bytes` are what to aim for, `room` is what the window bears in bytes. */
  | { do: 'batch'; log: LogId; after: number; events: number; bytes: number; room: number }
  | { do: 'acked'; log: LogId; through: number }
  | { do: 'close'; code: number };

export interface LinkContext {
  /** Milliseconds of monotonic time. */
  now: number;
  /** In [0, 1), fresh for each input. */
  random: number;
}

export interface Step {
  state: LinkState;
  effects: LinkEffect[];
}

/** One log on this connection. Logs that cannot be sent are not in the list at all. */
export interface Flow {
  log: LogId;
  /** Last seq sent, or known to be stored. */
  sent: number;
  acked: number;
  /** True: nothing was left after `sent` when last asked. */
  drained: boolean;
}

export interface Window {
  events: number;
  bytes: number;
}

interface Flight {
  log: LogId;
  through: number;
  events: number;
  bytes: number;
}

export interface Live {
  kind: 'live';
  tries: Tries;
  retryAfter: number | null;
  /** Monotonic, as all times here. */
  since: number;
  /** Oldest log first. */
  flows: Flow[];
  window: Window;
  /** Sent and not acked, in order of sending. */
  inFlight: Flight[];
  heardAt: number;
  beatAt: number;
  /** Last ack, or the first batch after none was in flight. */
  progressAt: number;
  /** Until then a small batch waits for company; null: nothing waits. */
  gatherUntil: number | null;
  /** Events came since the last beat that followed a catching up. */
  stale: boolean;
  /** A `batch` effect is out that was not answered yet; no other one may be. */
  asked: boolean;
  clogged: boolean;
  /** The next leaf did not fit into the rest of the window. */
  tight: boolean;
  /** Something was acked on this connection. */
  useful: boolean;
}

export function stay(state: LinkState): Step {
  return { state, effects: [] };
}

/** The connection is over: into `waiting` or `refused` (U7). */
export function over(
  ending: Ending,
  from: { tries: Tries; retryAfter?: number | null },
  code: number,
  ctx: LinkContext,
): LinkState {
  const wait = waitAfter(ending, from.tries, ctx.random, from.retryAfter ?? null);
  const until = ctx.now + wait.delay;
  return wait.refused
    ? { kind: 'refused', until, tries: wait.tries, code }
    : { kind: 'waiting', until, tries: wait.tries };
}

/** We end the connection ourselves (U8). */
export function leave(
  ending: Ending,
  from: { tries: Tries; retryAfter?: number | null },
  code: number,
  ctx: LinkContext,
): Step {
  return { state: over(ending, from, code, ctx), effects: [{ do: 'close', code }] };
}
