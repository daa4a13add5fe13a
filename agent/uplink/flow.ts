/**
 * The live half of the link machine: window, batches, acks, beats. Pure, as `state.ts` is; the invariants
 * U2–U6 are written there.
 */
import { CLOSE } from '../../protocol/close-code.ts';
import { BATCH_BYTES, BATCH_EVENTS, BATCH_MS, BEAT_MS, DEAD_MS } from '../../protocol/frame.ts';
import type { LogId } from '../../protocol/ids.ts';
import { MINUTE_MS, SECOND_MS } from '../../protocol/time.ts';
import { endingOf, NO_TRIES, type Tries } from './backoff.ts';
import {
  type Flow,
  type LinkContext,
  type LinkEffect,
  type LinkInput,
  type Live,
  leave,
  over,
  type Step,
  stay,
  type Window,
} from './machine.ts';

/** Batches are out and no ack has come for so long: the collector is stuck, or the way back is. */
export const ACK_WAIT_MS = 30 * SECOND_MS;
/** A beat follows this soon after the pump caught up with new events, so that coverage is fresh. */
export const FRESH_BEAT_MS = SECOND_MS / 2;
/** A link that lived so long was of use; shorter ones count as failures unless something was acked. */
export const USEFUL_MS = MINUTE_MS;

export function beginLive(flows: Flow[], window: Window, tries: Tries, ctx: LinkContext): Step {
  const live: Live = {
    kind: 'live',
    tries,
    retryAfter: null,
    since: ctx.now,
    flows,
    window,
    inFlight: [],
    heardAt: ctx.now,
    beatAt: ctx.now + BEAT_MS,
    progressAt: ctx.now,
    gatherUntil: null,
    stale: true,
    asked: false,
    clogged: false,
    tight: false,
    useful: false,
  };
  return fill(live, ctx, [{ do: 'erase' }, { do: 'status' }, { do: 'beat' }]);
}

export function nextLive(live: Live, input: LinkInput, ctx: LinkContext): Step {
  switch (input.t) {
    case 'ack':
      return onAck(live, input.log, input.through, ctx);
    case 'credit':
      return fill({ ...live, heardAt: ctx.now, window: input.window, tight: false }, ctx);
    case 'heard':
      return stay({ ...live, heardAt: ctx.now });
    case 'appended':
      return onAppended(live, ctx);
    case 'caughtUp':
      if (!live.stale) return stay(live);
      return stay({ ...live, stale: false, beatAt: Math.min(live.beatAt, ctx.now + FRESH_BEAT_MS) });
    case 'sent':
      return onSent(live, input, ctx);
    case 'empty':
      return fill({ ...withFlow(live, input.log, { drained: true }), asked: false, gatherUntil: null }, ctx);
    case 'tight':
      return stay({ ...live, asked: false, tight: true });
    case 'clogged':
      return stay({ ...live, asked: false, clogged: true });
    case 'flushed':
      return fill({ ...live, clogged: false }, ctx);
    case 'timer':
      return onTimer(live, ctx);
    default:
      return onEnding(live, input, ctx);
  }
}

function onEnding(live: Live, input: LinkInput, ctx: LinkContext): Step {
  switch (input.t) {
    case 'refuse':
      return stay({ ...live, retryAfter: input.retryAfter });
    case 'closed':
      return { state: over(endingOf(input.code, true), ended(live, ctx), input.code, ctx), effects: [] };
    case 'failed':
      return { state: over('broken', ended(live, ctx), 0, ctx), effects: [] };
    case 'improper':
      return leave('broken', ended(live, ctx), input.code, ctx);
    case 'challenge':
    case 'welcome':
      return leave('broken', ended(live, ctx), CLOSE.unexpectedFrame, ctx);
    default:
      return stay(live);
  }
}

/** A useful link clears the count of failures; a link that dies at once again and again does not. */
function ended(live: Live, ctx: LinkContext): { tries: Tries; retryAfter: number | null } {
  const useful = live.useful || ctx.now - live.since >= USEFUL_MS;
  return { tries: useful ? NO_TRIES : live.tries, retryAfter: live.retryAfter };
}

export function liveDeadline(live: Live): number {
  const times = [live.beatAt, live.heardAt + DEAD_MS];
  if (live.inFlight.length > 0) times.push(live.progressAt + ACK_WAIT_MS);
  // Gathering without room or with a full socket buffer is not due by time but by ack, credit or flush.
  if (live.gatherUntil !== null && mayFill(live)) times.push(live.gatherUntil);
  return Math.min(...times);
}

function onTimer(live: Live, ctx: LinkContext): Step {
  const stuck = live.inFlight.length > 0 && ctx.now >= live.progressAt + ACK_WAIT_MS;
  if (stuck || ctx.now >= live.heardAt + DEAD_MS) {
    return leave('broken', ended(live, ctx), CLOSE.silent, ctx);
  }
  const due = ctx.now >= live.beatAt;
  return fill(
    due ? { ...live, beatAt: ctx.now + BEAT_MS } : live,
    ctx,
    due ? [{ do: 'erase' }, { do: 'beat' }] : [],
  );
}

function onAppended(live: Live, ctx: LinkContext): Step {
  const open = live.flows.at(-1);
  if (open === undefined) return { state: live, effects: [{ do: 'erase' }] };
  // Only the first event after a pause starts the gathering; later ones join it.
  const gatherUntil =
    open.drained && live.inFlight.length > 0 ? (live.gatherUntil ?? ctx.now + BATCH_MS) : live.gatherUntil;
  // What ended with these events goes at once, before any of them and whatever waits (U6).
  const effects: LinkEffect[] = [{ do: 'erase' }];
  return fill({ ...withFlow(live, open.log, { drained: false }), stale: true, gatherUntil }, ctx, effects);
}

function onSent(live: Live, sent: Extract<LinkInput, { t: 'sent' }>, ctx: LinkContext): Step {
  const { log, through, events, bytes } = sent;
  const moved = withFlow(live, log, { sent: through });
  const progressAt = live.inFlight.length === 0 ? ctx.now : live.progressAt;
  const inFlight = [...live.inFlight, { log, through, events, bytes }];
  return fill({ ...moved, inFlight, progressAt, asked: false, gatherUntil: null }, ctx);
}

function onAck(live: Live, log: LogId, through: number, ctx: LinkContext): Step {
  const flow = live.flows.find((one) => one.log === log);
  if (flow === undefined || through > flow.sent) {
    return leave('broken', ended(live, ctx), CLOSE.badFrame, ctx);
  }
  const heard = { ...live, heardAt: ctx.now };
  if (through <= flow.acked) return stay(heard);
  const inFlight = live.inFlight.filter((one) => one.log !== log || one.through > through);
  const moved = withFlow(heard, log, { acked: through });
  return fill({ ...moved, inFlight, progressAt: ctx.now, tight: false, useful: true }, ctx, [
    { do: 'acked', log, through },
  ]);
}

function withFlow(live: Live, log: LogId, change: Partial<Flow>): Live {
  return { ...live, flows: live.flows.map((flow) => (flow.log === log ? { ...flow, ...change } : flow)) };
}

function room(live: Live): Window {
  let { events, bytes } = live.window;
  for (const flight of live.inFlight) {
    events -= flight.events;
    bytes -= flight.bytes;
  }
  return { events, bytes };
}

function mayFill(live: Live): boolean {
  const left = room(live);
  return !live.asked && !live.clogged && !live.tight && left.events > 0 && left.bytes > 0;
}

/**
 * Asks for the next batch where there may be one: at most one effect, answered by `sent`, `empty`, `tight` or
 * `clogged`, so that the window is right again before the next one is asked for (U2).
 */
function fill(live: Live, ctx: LinkContext, before: LinkEffect[] = []): Step {
  const flow = live.flows.find((one) => !one.drained);
  const gathers = live.gatherUntil !== null && live.inFlight.length > 0 && ctx.now < live.gatherUntil;
  if (flow === undefined || gathers || !mayFill(live)) return { state: live, effects: before };
  const left = room(live);
  const batch: LinkEffect = {
    do: 'batch',
    log: flow.log,
    after: flow.sent,
    events: Math.min(BATCH_EVENTS, left.events),
    bytes: Math.min(BATCH_BYTES, left.bytes),
    room: left.bytes,
  };
  return { state: { ...live, asked: true }, effects: [...before, batch] };
}
