/**
 * Holds as the agent keeps them: id, cameras, interval (H8). The sweep reads every one that is in force.
 *
 * D2  A row that cannot be read holds everything.
 * C80 A hold that names a camera which this catalogue does not know covers every camera of the host: after the loss of a
 *     catalogue the same camera has another id, until the collector says which.
 */
import { type Hold, holdScope } from '../../protocol/hold.ts';
import { idBytes, idFrom, isId } from '../../protocol/ids.ts';
import type { Db, Statement } from '../db.ts';

/** In the column `kind`: a host is not told why something is held. */
export const UNTOLD_KIND = 'untold';

export function readHold(row: { hold: Buffer; scope: string }): Hold | null {
  try {
    const read = holdScope.safeParse(JSON.parse(row.scope));
    return read.success ? { hold: idFrom(row.hold), scope: read.data } : null;
  } catch {
    return null;
  }
}

interface RawHold {
  hold: Buffer;
  scope: string;
}

export class HoldRows {
  readonly #inForce: Statement<[], RawHold>;
  readonly #released: Statement<[number], RawHold>;
  readonly #knows: Statement<[Buffer], { id: number }>;
  /** Read once for each text: a sweep asks for the holds many times. */
  #read = new Map<string, Hold | null>();

  constructor(db: Db) {
    this.#inForce = db.prepare('SELECT hold, scope FROM holds WHERE released_at IS NULL ORDER BY hold');
    this.#released = db.prepare('SELECT hold, scope FROM holds WHERE released_at >= ? ORDER BY hold');
    this.#knows = db.prepare('SELECT id FROM rec_cameras WHERE camera = ?');
  }

  /** Null: one of them cannot be read, so that nothing is known of any (D2). */
  inForce(): Hold[] | null {
    const before = this.#read;
    this.#read = new Map();
    const found: Hold[] = [];
    for (const row of this.#inForce.all()) {
      const key = `${row.hold.toString('hex')} ${row.scope}`;
      const known = before.get(key);
      const hold = known === undefined ? readHold(row) : known;
      this.#read.set(key, hold);
      if (hold === null) return null;
      found.push(this.#widened(hold));
    }
    return found;
  }

  /** Those that were released at `since` or later: what only they kept became due then. One that cannot be read is none. */
  releasedSince(since: number): Hold[] {
    return this.#released.all(since).flatMap((row) => readHold(row) ?? []);
  }

  /** C80. */
  #widened(hold: Hold): Hold {
    const { cameras, ...scope } = hold.scope;
    if (cameras === undefined || cameras.every((camera) => this.#isKnown(camera))) return hold;
    return { ...hold, scope };
  }

  #isKnown(camera: string): boolean {
    return isId(camera) && this.#knows.get(idBytes(camera)) !== undefined;
  }
}
