/**
 * One event as a leaf: canonical JSON of at most 16 KiB, made once on its side, stored and shipped as those
 * bytes.
 *
 * L1  `seq` runs from 1 without holes; a loss is itself an event (`journal.gap`).
 * L2  `prev` is the leaf hash of seq − 1, of the birth record for seq 1.
 * L3  Stored bytes are never re-serialised; canonical form is checked, not repaired.
 */
import { z } from 'zod';
import { canonical, isCanonical, leafHash } from './canonical.ts';
import { TilsynError } from './errors.ts';
import { checkData, type EventData, type EventType } from './event.ts';
import { b64, id, iso } from './group.ts';
import type { GroupId, LogId } from './ids.ts';
import { isIso, toIso, type UtcMs } from './time.ts';

export const MAX_LEAF_BYTES = 16 * 1024;
export const MAX_GROUPS_PER_EVENT = 4;

const leafRecord = z.object({
  v: z.literal(1),
  log: id,
  seq: z.int().min(1),
  prev: b64.length(43),
  at: iso,
  boot: z.string().regex(/^[0-9a-f]{16}$/),
  up: z.int().min(0),
  type: z.string().regex(/^[a-z][a-z.-]{0,63}$/),
  data: z.record(z.string(), z.unknown()),
  /** At most one part per group. */
  pii: z
    .array(z.object({ group: id, c: b64.length(43) }))
    .max(MAX_GROUPS_PER_EVENT)
    .refine((list) => new Set(list.map((item) => item.group)).size === list.length, 'a group stands twice'),
});
export type Leaf = Omit<z.infer<typeof leafRecord>, 'log'> & { log: LogId };

export interface LeafInput<T extends EventType = EventType> {
  log: LogId;
  seq: number;
  prev: Uint8Array;
  at: UtcMs;
  /** 16 hex characters, new at each start of the process. */
  boot: string;
  /** Milliseconds of monotonic time since that start. */
  up: number;
  type: T;
  data: EventData<T>;
  pii: { group: GroupId; c: string }[];
}

export interface MadeLeaf {
  text: string;
  hash: Buffer;
}

/**
 * Makes a leaf. `data` is checked against its closed schema here, at the only place where events are made.
 * @throws TilsynError `event.invalid` (message names the field, never its value), `event.too-large`
 */
export function makeLeaf<T extends EventType>(input: LeafInput<T>): MadeLeaf {
  const checked = checkData(input.type, input.data);
  if ('wrong' in checked) {
    throw new TilsynError(
      'event.invalid',
      `making a ${input.type} event: field ${checked.wrong} is not as its schema says`,
    );
  }
  const text = canonical({
    v: 1,
    log: input.log,
    seq: input.seq,
    prev: Buffer.from(input.prev.buffer, input.prev.byteOffset, input.prev.length).toString('base64url'),
    at: toIso(input.at),
    boot: input.boot,
    up: Math.max(0, Math.round(input.up)),
    type: input.type,
    data: checked.data,
    pii: input.pii,
  });
  if (Buffer.byteLength(text) > MAX_LEAF_BYTES) {
    throw new TilsynError('event.too-large', `making a ${input.type} event: over ${MAX_LEAF_BYTES} bytes`);
  }
  return { text, hash: leafHash(text) };
}

export type LeafProblem = 'too-large' | 'not-json' | 'not-canonical' | 'not-a-leaf';

/** Reads a leaf as it came. Types and fields that this version does not know are no problem. Never throws. */
export function readLeaf(text: string): Leaf | LeafProblem {
  if (text.length > MAX_LEAF_BYTES || Buffer.byteLength(text) > MAX_LEAF_BYTES) return 'too-large';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'not-json';
  }
  if (!isCanonical(text, value)) return 'not-canonical';
  return looksLikeLeaf(value) ? value : 'not-a-leaf';
}

const HEX32 = /^[0-9a-f]{32}$/;
const HEX16 = /^[0-9a-f]{16}$/;
const B64_32 = /^[A-Za-z0-9_-]{43}$/;
const TYPE = /^[a-z][a-z.-]{0,63}$/;

// By hand rather than through zod: this runs for every event at ingest. `leafRecord` above is the schema, and a
// property test holds the two together.
function looksLikeLeaf(value: unknown): value is Leaf {
  if (typeof value !== 'object' || value === null) return false;
  const v = value as Record<string, unknown>;
  return (
    v.v === 1 &&
    matches(v.log, HEX32) &&
    isInt(v.seq, 1) &&
    matches(v.prev, B64_32) &&
    typeof v.at === 'string' &&
    isIso(v.at) &&
    matches(v.boot, HEX16) &&
    isInt(v.up, 0) &&
    matches(v.type, TYPE) &&
    isRecord(v.data) &&
    isPiiList(v.pii)
  );
}

function matches(value: unknown, form: RegExp): boolean {
  return typeof value === 'string' && form.test(value);
}

function isInt(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPiiList(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > MAX_GROUPS_PER_EVENT) return false;
  const seen = new Set<unknown>();
  return value.every((item: unknown) => {
    if (!isRecord(item)) return false;
    const { group, c } = item as Record<string, unknown>;
    if (!matches(group, HEX32) || !matches(c, B64_32) || seen.has(group)) return false;
    seen.add(group);
    return true;
  });
}

/** The zod schema of a leaf, for tests and tools; `readLeaf` is its fast twin. */
export const leafSchema = leafRecord;
