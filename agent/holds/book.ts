/**
 * The holds that this host was given, in the database of the catalogue that they protect.
 *
 * H1  Placing and releasing are transactions of the database that the sweep marks in (R2): what is found present is
 *     protected from that commit on, by any number of processes.
 * H7  A hold ends by a signed release that names it, and by nothing else. A released one stays as a row, so that a slip
 *     that is handed in again changes nothing.
 * H8  Kept of a hold: its id, its cameras, its interval.
 */
import { type HoldOrder, holdScope } from '../../protocol/hold.ts';
import { idBytes, idFrom } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';
import { UNTOLD_KIND } from '../recordings/hold-rows.ts';

interface RawHold {
  hold: Buffer;
  scope: string;
  released_at: number | null;
}

export interface HeldRow extends HoldOrder {
  /** Null: in force. */
  releasedAt: number | null;
  /** False: its scope cannot be read, so that it holds everything (D2). */
  readable: boolean;
}

export class HoldBook {
  readonly #all: Statement<[], RawHold>;
  readonly #get: Statement<[Buffer], RawHold>;
  readonly #place: Statement;
  readonly #release: Statement;

  constructor(db: Db) {
    this.#all = db.prepare('SELECT hold, scope, released_at FROM holds ORDER BY hold');
    this.#get = db.prepare('SELECT hold, scope, released_at FROM holds WHERE hold = ?');
    this.#place = db.prepare(
      `INSERT INTO holds (hold, kind, scope, released_at) VALUES (?, ?, ?, NULL)
       ON CONFLICT (hold) DO UPDATE SET scope = excluded.scope, released_at = NULL`,
    );
    // A release of what was never placed here is kept too: a slip that comes after it places nothing.
    this.#release = db.prepare(
      `INSERT INTO holds (hold, kind, scope, released_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (hold) DO UPDATE SET released_at = coalesce(released_at, excluded.released_at)`,
    );
  }

  get(hold: string): HeldRow | null {
    const row = this.#get.get(idBytes(hold as never));
    return row === undefined ? null : heldOf(row);
  }

  list(): HeldRow[] {
    return this.#all.all().map(heldOf);
  }

  /** Inside the caller's transaction. */
  place({ hold, ...scope }: HoldOrder): void {
    this.#place.run(idBytes(hold as never), UNTOLD_KIND, JSON.stringify(scope));
  }

  /** Inside the caller's transaction. */
  release(hold: string, at: UtcMs): void {
    const nothing = JSON.stringify({ from: null, to: null });
    this.#release.run(idBytes(hold as never), UNTOLD_KIND, nothing, at);
  }
}

function heldOf({ hold, scope, released_at }: RawHold): HeldRow {
  const read = readScope(scope);
  return {
    hold: idFrom(hold),
    from: read?.from ?? null,
    to: read?.to ?? null,
    ...(read?.cameras === undefined ? {} : { cameras: [...read.cameras] }),
    releasedAt: released_at,
    readable: read !== null,
  };
}

function readScope(text: string) {
  try {
    const read = holdScope.safeParse(JSON.parse(text));
    return read.success ? read.data : null;
  } catch {
    return null;
  }
}
