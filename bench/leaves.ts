/**
 * Real leaves with real seals, made by `protocol/` ahead of time: what a backlog of an agent looks like on the wire.
 * Nothing of it is made while the clock runs.
 */
import { randomBytes } from 'node:crypto';
import { BATCH_BYTES, BATCH_EVENTS, frameText, type WirePart, type WireWrap } from '../protocol/frame.ts';
import type { SignedGroup } from '../protocol/group.ts';
import { type GroupId, type LogId, newId, type SessionId, type SourceId, toB64 } from '../protocol/ids.ts';
import { type LeafInput, makeLeaf } from '../protocol/leaf.ts';
import { CONTENT_KEY_PARTS, makeWrap, sealPart, type Wrap } from '../protocol/seal.ts';
import { fromIso, toIso, type UtcMs, utcMs } from '../protocol/time.ts';

export interface Line {
  seq: number;
  text: string;
  hash: Buffer;
  part: { body: Buffer; wrap: Wrap } | null;
}

export interface Batch {
  /** The whole frame. */
  text: string;
  events: number;
  through: number;
}

export interface Wanted {
  log: LogId;
  /** `prev` of the first leaf. */
  head: Buffer;
  firstSeq: number;
  events: number;
  /** The span group of the session's month; null: no personal parts. */
  group: SignedGroup | null;
}

const BOOT = '00000000000000aa';

/**
 * Sessions, two events each. With a group: `session.started` and `session.updated`, each with a part; without:
 * `session.started` and `session.ended`, as on a one-off machine.
 */
export function* makeLines(wanted: Wanted): Generator<Line> {
  const { log, group, firstSeq, events } = wanted;
  const source = newId<'source'>(randomBytes);
  const from = group === null ? utcMs(Date.now() - 86_400_000) : (fromIso(group.from ?? '') ?? utcMs(0));
  let prev = wanted.head;
  let session = newId<'session'>(randomBytes);
  let seal = group === null ? null : newKey(log, group);
  for (let i = 0; i < events; i += 1) {
    if (i % 2 === 0) session = newId<'session'>(randomBytes);
    if (seal !== null && group !== null && seal.parts >= CONTENT_KEY_PARTS) seal = newKey(log, group);
    const seq = firstSeq + i;
    const startedAt = utcMs(from + (i >> 1) * 1000);
    const part = seal === null ? null : sealed(seal, log, seq, i);
    const input = { log, seq, prev, at: startedAt, boot: BOOT, up: i, pii: part?.pii ?? [] };
    const { text, hash } = makeLeaf(
      eventOf(input, { i, session, source, startedAt, withPart: group !== null }),
    );
    prev = hash;
    yield { seq, text, hash, part };
  }
}

type Place = Omit<LeafInput, 'type' | 'data'>;
interface Facts {
  i: number;
  session: SessionId;
  source: SourceId;
  startedAt: UtcMs;
  withPart: boolean;
}

function eventOf(place: Place, { i, session, source, startedAt, withPart }: Facts): LeafInput {
  if (i % 2 === 0) return { ...place, type: 'session.started', data: started(session, source, startedAt) };
  if (!withPart) return { ...place, type: 'session.ended', data: ended(session, startedAt) };
  const data = { session, auth: null, failedAttempts: null, files: null, confirmedBy: ['logfile' as const] };
  return { ...place, type: 'session.updated', data };
}

function started(session: SessionId, source: SourceId, startedAt: UtcMs) {
  return {
    ...{
      session,
      source,
      tool: 'teamviewer' as const,
      direction: 'incoming' as const,
      mode: 'managed' as const,
    },
    ...{ kind: 'remote-control' as const, startedAt: toIso(startedAt), startBasis: 'file-utc' as const },
    ...{ occurrence: 0, confirmedBy: ['connections' as const] },
  };
}

function ended(session: SessionId, startedAt: UtcMs) {
  const endedAt = toIso(utcMs(startedAt + 124_000));
  return {
    session,
    endedAt,
    endBasis: 'file-utc' as const,
    durationSeconds: 124,
    reason: 'completed' as const,
  };
}

interface SealKey {
  group: GroupId;
  key: Buffer;
  wrap: Wrap;
  parts: number;
}

function newKey(log: LogId, signed: SignedGroup): SealKey {
  const group = signed.group as GroupId;
  const key = randomBytes(32);
  return { group, key, wrap: makeWrap(signed.key ?? '', log, group, key, randomBytes), parts: 0 };
}

function sealed(seal: SealKey, log: LogId, seq: number, i: number) {
  const p = {
    peerId: String(1_000_000_000 + i),
    peerNames: [`Peer ${i}`],
    localUser: 'Administrator',
    toolSessionId: `{${newId(randomBytes)}}`,
  };
  const { group } = seal;
  const { c, body } = sealPart(seal.key, { log, seq, group, under: group }, p, randomBytes);
  seal.parts += 1;
  return { pii: [{ group, c }], body, wrap: seal.wrap };
}

/** Frames as an agent would cut them: at most 500 events and 256 KiB. */
export function makeBatches(log: LogId, lines: Iterable<Line>): Batch[] {
  const batches: Batch[] = [];
  const sent = new Set<string>();
  let open: Line[] = [];
  let bytes = 0;
  const close = () => {
    if (open.length > 0) batches.push(batchOf(log, open, sent));
    open = [];
    bytes = 0;
  };
  for (const line of lines) {
    const size = wireBytes(line);
    if (open.length >= BATCH_EVENTS || bytes + size > BATCH_BYTES - 4096) close();
    open.push(line);
    bytes += size;
  }
  close();
  return batches;
}

/** An event is a string inside JSON: each of its quotes takes one byte more. */
function wireBytes({ text, part }: Line): number {
  const quotes = text.split('"').length + 4;
  return text.length + quotes + (part === null ? 0 : Math.ceil((part.body.length * 4) / 3) + 140);
}

function batchOf(log: LogId, lines: readonly Line[], sent: Set<string>): Batch {
  const parts: WirePart[] = [];
  const wraps: WireWrap[] = [];
  for (const { seq, part } of lines) {
    if (part === null) continue;
    const { id, group, body } = part.wrap;
    parts.push({ seq, group, wrap: id, body: toB64(part.body) });
    if (!sent.has(id)) wraps.push({ id, group, body: toB64(body) });
    sent.add(id);
  }
  const events = lines.map(({ text }) => text);
  const text = frameText({ t: 'batch', log, events, parts, wraps, keys: [] });
  return { text, events: lines.length, through: lines.at(-1)?.seq ?? 0 };
}
