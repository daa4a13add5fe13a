/**
 * Reads the outbox: one frame's worth at a time, straight from the tables. Nothing is cached, so that draining
 * a million events takes no more memory than draining ten.
 *
 * J5  A wrap travels with every part that names it until one such part is acked.
 * J6  Nothing of a dead group leaves this machine.
 * The keys of one-off groups are not here: they lie in no table (K5).
 */
import { BATCH_WRAPS } from '../protocol/frame.ts';
import { idFrom, toB64 } from '../protocol/ids.ts';
import type { Db, Statement } from './db.ts';
import { endOf, type LogRow } from './journal-logs.ts';
import type { Outgoing } from './types.ts';

type LeafRow = {
  seq: number;
  bytes: string;
  partBytes: number;
  parts: number;
  /** Parts of one-off groups. */
  bare: number;
  wraps: string | null;
};
type PartRow = { seq: number; grp: Buffer; wrap: Buffer | null; body: Buffer };
type WrapRow = { wrap: Buffer; grp: Buffer; body: Buffer };

/** `{"t":"batch","log":"…","events":[],"parts":[],"wraps":[],"keys":[]}` and a checkpoint's name. */
const FRAME_BYTES = 160;
/** A part without its body, a wrap with it. */
const PART_BYTES = 130;
const WRAP_BYTES = 280;
/** A one-off group's key. */
const KEY_BYTES = 110;

const b64Bytes = (bytes: number): number => Math.ceil((bytes * 4) / 3);

export class Outbox {
  readonly #leaves: Statement<[number, number, number, number], LeafRow>;
  readonly #parts: Statement<[number, number, number], PartRow>;
  readonly #wraps: Statement<[number, number, number, number], WrapRow>;

  constructor(db: Db) {
    this.#leaves = db.prepare<[number, number, number, number], LeafRow>(
      `SELECT l.seq, l.bytes,
         (SELECT count(*) FROM parts p WHERE p.log = l.log AND p.seq = l.seq) AS parts,
         (SELECT count(*) FROM parts p WHERE p.log = l.log AND p.seq = l.seq AND p.wrap IS NULL) AS bare,
         (SELECT coalesce(sum(length(p.body)), 0) FROM parts p WHERE p.log = l.log AND p.seq = l.seq) AS partBytes,
         (SELECT group_concat(p.wrap) FROM parts p WHERE p.log = l.log AND p.seq = l.seq) AS wraps
       FROM leaves l WHERE l.log = ? AND l.seq > ? AND l.seq <= ? ORDER BY l.seq LIMIT ?`,
    );
    this.#parts = db.prepare<[number, number, number], PartRow>(
      `SELECT p.seq, g.grp, w.wrap, p.body FROM parts p JOIN groups g ON g.id = p.grp
         LEFT JOIN wraps w ON w.id = p.wrap
       WHERE p.log = ? AND p.seq BETWEEN ? AND ? AND g.state = 'live' ORDER BY p.seq, g.id`,
    );
    this.#wraps = db.prepare<[number, number, number, number], WrapRow>(
      `SELECT w.wrap, g.grp, w.body FROM wraps w JOIN groups g ON g.id = w.grp
       WHERE w.first_seq > ? AND g.state = 'live' AND w.id IN
         (SELECT wrap FROM parts WHERE log = ? AND seq BETWEEN ? AND ?)
       ORDER BY w.id`,
    );
  }

  /**
   * The next frame after `after`. At least one event, whatever its size, so that nothing can stop the queue.
   * Null where there is nothing, or where `after + 1` is no longer kept.
   */
  next(row: LogRow, after: number, limits: { events: number; bytes: number }): Outgoing | null {
    const { events, bytes } = this.#take(row, after, limits);
    if (events.length === 0) return null;
    const firstSeq = after + 1;
    const lastSeq = after + events.length;
    const parts = this.#parts.all(row.id, firstSeq, lastSeq).map((part) => ({
      seq: part.seq,
      group: idFrom<'group'>(part.grp),
      wrap: part.wrap === null ? null : idFrom<'wrap'>(part.wrap),
      body: toB64(part.body),
    }));
    const wraps = this.#wraps
      .all(Math.min(row.acked, after), row.id, firstSeq, lastSeq)
      .map(({ wrap, grp, body }) => ({
        id: idFrom<'wrap'>(wrap),
        group: idFrom<'group'>(grp),
        body: toB64(body),
      }));
    const size = bytes + wraps.length * WRAP_BYTES;
    return { log: row.log, firstSeq, lastSeq, events, parts, wraps, keys: [], bytes: size };
  }

  #take(row: LogRow, after: number, limits: { events: number; bytes: number }) {
    const events: string[] = [];
    const named = new Set<string>();
    let bytes = FRAME_BYTES;
    // One row at a time: a limit of bytes is usually met before the limit of events.
    for (const leaf of this.#leaves.iterate(row.id, after, endOf(row), limits.events)) {
      if (leaf.seq !== after + events.length + 1) break;
      const size = sizeOf(leaf);
      if (events.length > 0 && bytes + size + WRAP_BYTES > limits.bytes) break;
      for (const wrap of leaf.wraps?.split(',') ?? []) named.add(wrap);
      // Events of many hours, each under a key of its own, go in more frames.
      if (events.length > 0 && named.size > BATCH_WRAPS) break;
      events.push(leaf.bytes);
      bytes += size;
    }
    return { events, bytes };
  }
}

/** What an event and its parts take in a frame: the event as a JSON string with its quotes escaped. */
function sizeOf(leaf: LeafRow): number {
  const event = Buffer.byteLength(JSON.stringify(leaf.bytes)) + 1;
  return event + leaf.parts * PART_BYTES + leaf.bare * KEY_BYTES + b64Bytes(leaf.partBytes);
}
