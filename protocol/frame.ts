/**
 * WebSocket messages of subprotocol `tilsyn.v1`: one JSON text frame each. Known fields are strict, unknown
 * fields ignored, an unknown `t` is closed with `unknownFrame`. An event travels as a JSON string with its
 * exact bytes.
 *
 * X7  An unknown field is ignored, so that either side may be the newer one.
 * X8  A known field is strict: type, form and size, or the frame is refused whole.
 * X9  Each way of being wrong has its own close code; reading a frame never throws.
 * X10 A batch names few wraps, and every wrap and part in it is of the size that one has.
 * X14 Keys of one-off groups travel in `batch` and `status` frames, at most `FRAME_KEYS` in each, and in no other.
 */
import { z } from 'zod';
import { birthRecord } from './birth.ts';
import { signedBounds } from './bounds.ts';
import { b64, id, iso, signedGroup } from './group.ts';
import { MAX_BODY_BYTES, WRAP_BYTES } from './seal.ts';

export const SUBPROTOCOL = 'tilsyn.v1';
/** Largest frame either side takes. */
export const MAX_FRAME_BYTES = 1024 * 1024;
/** A batch closes at whichever comes first; bytes are those of the whole frame. */
export const BATCH_EVENTS = 500;
export const BATCH_BYTES = 256 * 1024;
export const BATCH_MS = 200;
/** Wraps that the parts of one batch name, and that travel with it: each costs the collector a key agreement. */
export const BATCH_WRAPS = 32;
/** Keys of one-off groups in one frame. */
export const FRAME_KEYS = 256;
/** First window; the collector may change it with `credit`. */
export const FIRST_CREDITS = { events: 1_000, bytes: 1024 * 1024 } as const;
export const BEAT_MS = 30_000;
export const DEAD_MS = 75_000;
/** How long agents keep acked leaves, managed parts and wraps, to refill a restored collector. */
export const KEEP_ACKED_MS = 30 * 86_400_000;

const count = z.int().min(0);
const generation = id;

export const VERBS = [
  'hold.place',
  'hold.release',
  'policy.set',
  'sweep.approve',
  'sweep.run',
  'agreement.end',
  'source.rescan',
  'source.set',
  'selftest',
  'agreement.erase',
] as const;
export type Verb = (typeof VERBS)[number];

/** Characters of base64url without padding. */
function b64Length(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}

const part = z.object({
  seq: z.int().min(1),
  group: id,
  /** The wrap that holds the content key; null for a one-off group, whose key is in `keys`. */
  wrap: id.nullable(),
  body: b64.max(b64Length(MAX_BODY_BYTES)),
});
const wrap = z.object({ id, group: id, body: b64.length(b64Length(WRAP_BYTES)) });
/** Content key of a one-off group, 32 bytes. */
const handedKey = z.object({ group: id, key: b64.length(43) });
export type WirePart = z.infer<typeof part>;
export type WireWrap = z.infer<typeof wrap>;
export type WireKey = z.infer<typeof handedKey>;

function fewWraps({ parts, wraps }: { parts: WirePart[]; wraps: WireWrap[] }): boolean {
  const named = new Set<string | null>(wraps.map((one) => one.id));
  for (const one of parts) if (one.wrap !== null) named.add(one.wrap);
  return named.size <= BATCH_WRAPS;
}

const software = z.object({
  version: z.string().max(32),
  platform: z.string().max(32),
  node: z.string().max(32),
});

export const agentFrames = {
  hello: z.object({
    t: z.literal('hello'),
    agent: id,
    /** New at each start of the process. */
    instance: id,
    nonce: b64.length(43),
    logs: z
      .array(z.object({ birth: birthRecord, next: z.int().min(1), head: b64.length(43), acked: count }))
      .max(64),
    applied: z.object({ generation: generation.nullable(), n: count }),
    groups: z.array(id).max(2048),
    software,
    time: iso,
  }),
  proof: z.object({
    t: z.literal('proof'),
    sig: b64,
    /** Groups that the agent holds, signed: sent where the generation is new to it, for a restored collector. */
    offer: z.array(signedGroup).max(1024).optional(),
  }),
  erase: z.object({ t: z.literal('erase'), groups: z.array(id).min(1).max(1024) }),
  batch: z
    .object({
      t: z.literal('batch'),
      log: id,
      events: z.array(z.string()).min(1).max(BATCH_EVENTS),
      parts: z.array(part).max(BATCH_EVENTS * 4),
      wraps: z.array(wrap).max(BATCH_EVENTS * 4),
      /** Of one-off groups that this connection has not been told of yet. */
      keys: z.array(handedKey).max(FRAME_KEYS),
      checkpoint: z.string().max(4096).optional(),
    })
    .refine(fewWraps, 'too many wraps'),
  telemetry: z.object({ t: z.literal('telemetry'), samples: z.array(z.unknown()).max(1000) }),
  status: z.object({
    t: z.literal('status'),
    body: z.record(z.string(), z.unknown()),
    /** Of the one-off groups that live, at the beginning of each connection, whatever else waits. */
    keys: z.array(handedKey).max(FRAME_KEYS).optional(),
  }),
  beat: z.object({
    t: z.literal('beat'),
    time: iso,
    /** Every source was read and made durable up to this time; null before the first read. */
    readThrough: iso.nullable(),
    /** Next seq of the open log at that time: evidence up to `readThrough` is complete once acked this far. */
    next: z.int().min(1),
    /** Leaves not yet acked, all logs. */
    backlog: count,
  }),
  result: z.object({
    t: z.literal('result'),
    n: count.nullable(),
    query: id.nullable(),
    ok: z.boolean(),
    body: z.record(z.string(), z.unknown()),
  }),
} as const;

const closing = z.object({
  code: z.string().max(64),
  message: z.string().max(512),
  hint: z.string().max(512).nullable(),
  /** Milliseconds. */
  retryAfter: count.nullable(),
});

export const collectorFrames = {
  challenge: z.object({
    t: z.literal('challenge'),
    nonce: b64.length(43),
    name: z.string().max(128),
    generation,
    time: iso,
    sig: b64,
  }),
  welcome: z.object({
    t: z.literal('welcome'),
    cursors: z
      .array(
        z.object({
          log: id,
          through: count,
          /** Leaf hash at `through` (of the birth at 0). */
          head: b64.length(43),
          state: z.enum(['open', 'frozen', 'quarantined', 'closed']),
        }),
      )
      .max(64),
    credits: z.object({ events: count, bytes: count }),
    commandsThrough: count,
    time: iso,
    /** How far back the agent may go; absent: an earlier version. */
    bounds: signedBounds.optional(),
  }),
  erased: z.object({ t: z.literal('erased'), groups: z.array(id).max(1024) }),
  groups: z.object({
    t: z.literal('groups'),
    add: z.array(signedGroup).max(1024),
    dead: z.array(id).max(1024),
  }),
  ack: z.object({ t: z.literal('ack'), log: id, through: count, receipt: z.string().max(4096).optional() }),
  credit: z.object({ t: z.literal('credit'), events: count, bytes: count }),
  beat: z.object({ t: z.literal('beat'), time: iso, commandsThrough: count }),
  command: z.object({
    t: z.literal('command'),
    n: z.int().min(1),
    id,
    generation,
    agent: id,
    verb: z.string().max(40),
    body: z.record(z.string(), z.unknown()),
    sig: b64,
  }),
  query: z.object({
    t: z.literal('query'),
    id,
    verb: z.string().max(40),
    body: z.record(z.string(), z.unknown()),
  }),
  refuse: closing.extend({ t: z.literal('refuse') }),
} as const;

export type AgentFrame = {
  [K in keyof typeof agentFrames]: z.infer<(typeof agentFrames)[K]>;
}[keyof typeof agentFrames];
export type CollectorFrame = {
  [K in keyof typeof collectorFrames]: z.infer<(typeof collectorFrames)[K]>;
}[keyof typeof collectorFrames];
export type FrameOf<F extends { t: string }, T extends F['t']> = Extract<F, { t: T }>;

export type FrameResult<F> = { ok: true; frame: F } | { ok: false; close: 'badFrame' | 'unknownFrame' };

function reader<F>(schemas: Record<string, z.ZodType>): (text: string) => FrameResult<F> {
  return (text) => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return { ok: false, close: 'badFrame' };
    }
    if (typeof value !== 'object' || value === null || !('t' in value) || typeof value.t !== 'string') {
      return { ok: false, close: 'badFrame' };
    }
    const schema = Object.hasOwn(schemas, value.t) ? schemas[value.t] : undefined;
    if (schema === undefined) return { ok: false, close: 'unknownFrame' };
    const parsed = schema.safeParse(value);
    return parsed.success ? { ok: true, frame: parsed.data as F } : { ok: false, close: 'badFrame' };
  };
}

/** Reads a frame from an agent; says which close code fits where it is none. Never throws. */
export const readAgentFrame = reader<AgentFrame>(agentFrames);
/** Reads a frame from the collector. Never throws. */
export const readCollectorFrame = reader<CollectorFrame>(collectorFrames);

/** Text of a frame. */
export function frameText(frame: AgentFrame | CollectorFrame): string {
  return JSON.stringify(frame);
}
