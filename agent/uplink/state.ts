/**
 * The link to the collector as a pure machine: state and input in, state and effects out. It reads no clock,
 * draws no random number and touches no socket; `link.ts` does what it says and tells it what happened.
 *
 * U1  Nothing but `hello` leaves before a verified challenge, nothing but `proof` before `welcome` (T1).
 * U2  Batches leave only while live, and only inside the window: events and bytes in flight never exceed it.
 * U3  On one connection each log is sent in order, without holes or repeats, from its cursor on.
 * U4  An ack is cumulative, never moves back, and is never believed beyond what was sent.
 * U5  No leaf of a log leaves while an older log has leaves to send.
 * U6  After `welcome` erasures leave first, later ones with the append that they come with; erase, status and beats
 *     never wait for credits.
 * U7  Never gives up: every state but `stopped` has a deadline.
 * U8  One connection at a time: a new one begins only after the old one was closed or aborted.
 * U9  Each wait lies inside what `backoff.ts` allows for its ending.
 * U10  After `stop` nothing leaves until `start`.
 */
import { CLOSE } from '../../protocol/close-code.ts';
import type { CollectorFrame } from '../../protocol/frame.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { endingOf, NO_TRIES, type Tries } from './backoff.ts';
import { beginLive, liveDeadline, nextLive } from './flow.ts';
import { type LinkContext, type LinkInput, type LinkState, leave, over, type Step, stay } from './machine.ts';

/** Longest that DNS, TCP, a proxy, TLS and the upgrade may take together. */
export const CONNECT_MS = 30 * SECOND_MS;
/** Longest from the open socket to `welcome`. */
export const PROVE_MS = 30 * SECOND_MS;

export const STOPPED: LinkState = { kind: 'stopped' };

/** The one function that moves the link. Total: an input without a meaning in a state changes nothing. */
export function nextState(state: LinkState, input: LinkInput, ctx: LinkContext): Step {
  if (input.t === 'stop') return halt(state);
  switch (state.kind) {
    case 'stopped':
      return input.t === 'start' ? connect(NO_TRIES, ctx) : stay(state);
    case 'waiting':
    case 'refused':
      return input.t === 'timer' && ctx.now >= state.until ? connect(state.tries, ctx) : stay(state);
    case 'connecting':
      return nextConnecting(state, input, ctx);
    case 'proving':
      return nextProving(state, input, ctx);
    case 'live':
      return nextLive(state, input, ctx);
  }
}

/** Monotonic time at which `timer` is due; null where only `start` helps (U7). */
export function deadlineOf(state: LinkState): number | null {
  if (state.kind === 'stopped') return null;
  return state.kind === 'live' ? liveDeadline(state) : state.until;
}

const LIVE_FRAMES: ReadonlySet<CollectorFrame['t']> = new Set([
  'ack',
  'credit',
  'beat',
  'groups',
  'erased',
  'command',
  'query',
  'refuse',
]);

/** True where a frame of this type has a place in this state (U1). */
export function accepts(state: LinkState, frame: CollectorFrame['t']): boolean {
  if (state.kind === 'proving') return frame === state.awaits || frame === 'refuse';
  return state.kind === 'live' && LIVE_FRAMES.has(frame);
}

function halt(state: LinkState): Step {
  const linked = state.kind === 'connecting' || state.kind === 'proving' || state.kind === 'live';
  return { state: STOPPED, effects: linked ? [{ do: 'close', code: CLOSE.goingAway }] : [] };
}

function connect(tries: Tries, ctx: LinkContext): Step {
  return {
    state: { kind: 'connecting', until: ctx.now + CONNECT_MS, tries },
    effects: [{ do: 'connect' }],
  };
}

type Connecting = Extract<LinkState, { kind: 'connecting' }>;

function nextConnecting(state: Connecting, input: LinkInput, ctx: LinkContext): Step {
  switch (input.t) {
    case 'opened':
      return {
        state: {
          kind: 'proving',
          until: ctx.now + PROVE_MS,
          tries: state.tries,
          awaits: 'challenge',
          retryAfter: null,
        },
        effects: [{ do: 'hello' }],
      };
    case 'failed':
      return { state: over('failed', state, 0, ctx), effects: [] };
    case 'closed':
      return { state: over(endingOf(input.code, false), state, input.code, ctx), effects: [] };
    case 'improper':
      return leave('failed', state, input.code, ctx);
    case 'timer':
      return ctx.now >= state.until ? leave('failed', state, CLOSE.goingAway, ctx) : stay(state);
    default:
      return stay(state);
  }
}

type Proving = Extract<LinkState, { kind: 'proving' }>;

function nextProving(state: Proving, input: LinkInput, ctx: LinkContext): Step {
  switch (input.t) {
    case 'challenge':
      if (state.awaits !== 'challenge') return leave('failed', state, CLOSE.unexpectedFrame, ctx);
      if (!input.proven) return leave('failed', state, CLOSE.notProven, ctx);
      return { state: { ...state, awaits: 'welcome' }, effects: [{ do: 'proof' }] };
    case 'welcome':
      if (state.awaits !== 'welcome') return leave('failed', state, CLOSE.unexpectedFrame, ctx);
      if (input.succeeded) return leave('prompt', state, CLOSE.goingAway, ctx);
      return beginLive(input.flows, input.window, state.tries, ctx);
    case 'refuse':
      return stay({ ...state, retryAfter: input.retryAfter });
    case 'closed':
      return { state: over(endingOf(input.code, false), state, input.code, ctx), effects: [] };
    case 'failed':
      return { state: over('failed', state, 0, ctx), effects: [] };
    case 'improper':
      return leave('failed', state, input.code, ctx);
    case 'timer':
      return ctx.now >= state.until ? leave('failed', state, CLOSE.silent, ctx) : stay(state);
    default:
      return stay(state);
  }
}
