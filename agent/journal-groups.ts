/**
 * Key groups as this agent holds them: public halves only, signed by the collector, and the groups that it makes
 * itself for one-off sessions. A dead group keeps its id for ever and nothing else.
 *
 * S5  What a dead group held never comes back: not with a late `groups` frame, not with a new part.
 * O1  A one-off session has one group in its life. With its end, and with the process, that group is dead, its parts
 *     are gone and it is on the erase lane, in one transaction.
 */
import { oneoffGroup, type SignedGroup, spanHolds } from '../protocol/group.ts';
import { type AgreementId, type GroupId, idBytes, idFrom, type SessionId } from '../protocol/ids.ts';
import type { UtcMs } from '../protocol/time.ts';
import type { Db, Statement } from './db.ts';

export interface HeldGroup {
  /** Inner id; grows in order of arrival. */
  id: number;
  signed: SignedGroup;
}

/** What a session is bound to. */
export interface Binding {
  /** Null: that group is dead, and nothing more of the session is kept. */
  group: HeldGroup | null;
  oneoff: boolean;
}

type Raw = { id: number; grp: Buffer; signed: string };

/** Parts deleted in one transaction: small enough for a disk that is nearly full. */
const SLICE = 500;

export class GroupBook {
  readonly #live = new Map<string, HeldGroup>();
  /** Made, and ended, in the transaction that is open. */
  #made: GroupId[] = [];
  #ended: GroupId[] = [];
  readonly #db: Db;
  readonly #all: Statement<[], Raw>;
  readonly #put: Statement;
  readonly #kill: Statement;
  readonly #dead: Statement<[], { id: number }>;
  readonly #dropParts: Statement;
  readonly #dropWraps: Statement;
  readonly #dropSessions: Statement;
  readonly #makeOneOff: Statement<unknown[], { id: number }>;
  readonly #endOneOff: Statement<unknown[], { id: number; grp: Buffer }>;
  readonly #retireOneOff: Statement;
  readonly #strand: Statement<unknown[], { id: number; grp: Buffer }>;
  readonly #again: Statement;
  readonly #lane: Statement<[], { grp: Buffer }>;
  readonly #confirm: Statement;
  readonly #binding: Statement<[Buffer], { grp: Buffer; state: string; oneoff: number }>;
  readonly #bindSession: Statement;
  readonly #freeSession: Statement;

  constructor(db: Db) {
    this.#db = db;
    this.#all = db.prepare<[], Raw>(
      `SELECT id, grp, signed FROM groups WHERE state = 'live' AND signed IS NOT NULL ORDER BY id`,
    );
    this.#put = db.prepare(
      `INSERT INTO groups (grp, state, signed, changed_at, oneoff) VALUES (?, 'live', ?, ?, ?)
       ON CONFLICT (grp) DO UPDATE SET signed = excluded.signed WHERE state = 'live'`,
    );
    this.#kill = db.prepare(
      `INSERT INTO groups (grp, state, signed, changed_at) VALUES (?, 'dead', NULL, ?)
       ON CONFLICT (grp) DO UPDATE SET state = 'dead', signed = NULL, changed_at = excluded.changed_at
       WHERE state = 'live'`,
    );
    this.#dead = db.prepare<[], { id: number }>(
      `SELECT id FROM groups WHERE state = 'dead' AND (EXISTS (SELECT 1 FROM parts WHERE grp = groups.id)
       OR EXISTS (SELECT 1 FROM wraps WHERE grp = groups.id)
       OR (oneoff = 0 AND EXISTS (SELECT 1 FROM session_groups WHERE grp = groups.id)))`,
    );
    this.#dropParts = db.prepare(
      `DELETE FROM parts WHERE grp = @group AND (log, seq) IN
       (SELECT log, seq FROM parts WHERE grp = @group ORDER BY log, seq LIMIT ${SLICE})`,
    );
    this.#dropWraps = db.prepare('DELETE FROM wraps WHERE grp = ?');
    this.#makeOneOff = db.prepare<unknown[], { id: number }>(
      `INSERT INTO groups (grp, state, signed, changed_at, oneoff) VALUES (?, 'live', ?, ?, 1) RETURNING id`,
    );
    this.#endOneOff = db.prepare<unknown[], { id: number; grp: Buffer }>(
      `UPDATE groups SET state = 'dead', erase_lane = 1, signed = NULL, changed_at = ?
       WHERE state = 'live' AND oneoff = 1 AND id = (SELECT grp FROM session_groups WHERE session = ?)
       RETURNING id, grp`,
    );
    this.#strand = db.prepare<unknown[], { id: number; grp: Buffer }>(
      `UPDATE groups SET state = 'dead', erase_lane = 1, signed = NULL, changed_at = ?
       WHERE state = 'live' AND oneoff = 1
         AND (NOT EXISTS (SELECT 1 FROM parts WHERE grp = groups.id AND NOT (log = ? AND seq > ?)) OR ?)
       RETURNING id, grp`,
    );
    this.#again = db.prepare(
      `UPDATE groups SET erase_lane = 1 WHERE state = 'dead' AND oneoff = 1 AND changed_at > ?`,
    );
    this.#dropSessions = db.prepare(
      `DELETE FROM session_groups WHERE grp = @group
       AND EXISTS (SELECT 1 FROM groups WHERE id = @group AND oneoff = 0)`,
    );
    this.#retireOneOff = db.prepare(
      `UPDATE groups SET state = 'dead', erase_lane = 1, signed = NULL, changed_at = ?
       WHERE state = 'live' AND oneoff = 1`,
    );
    this.#lane = db.prepare<[], { grp: Buffer }>('SELECT grp FROM groups WHERE erase_lane = 1 ORDER BY id');
    this.#confirm = db.prepare('UPDATE groups SET erase_lane = 0 WHERE grp = ?');
    this.#binding = db.prepare<[Buffer], { grp: Buffer; state: string; oneoff: number }>(
      `SELECT g.grp, g.state, g.oneoff FROM session_groups s JOIN groups g ON g.id = s.grp WHERE s.session = ?`,
    );
    this.#bindSession = db.prepare(
      `INSERT INTO session_groups (session, grp) VALUES (?, ?) ON CONFLICT (session) DO NOTHING`,
    );
    this.#freeSession = db.prepare('DELETE FROM session_groups WHERE session = ?');
    this.reload();
  }

  reload(): void {
    this.#live.clear();
    this.#made = [];
    this.#ended = [];
    for (const raw of this.#all.all()) {
      this.#live.set(idFrom(raw.grp), { id: raw.id, signed: JSON.parse(raw.signed) });
    }
  }

  /** A transaction begins; one that is tried again forgets what its first try made. */
  begin(): void {
    for (const group of this.#made) this.#live.delete(group);
    this.#made = [];
    this.#ended = [];
  }

  /** It was committed; returns the one-off groups that died in it, whose keys are to be zeroed. */
  commit(): GroupId[] {
    const ended = this.#ended;
    for (const group of ended) this.#live.delete(group);
    this.#made = [];
    this.#ended = [];
    return ended;
  }

  held(): SignedGroup[] {
    return [...this.#live.values()].map(({ signed }) => signed);
  }

  live(group: GroupId): HeldGroup | null {
    return this.#live.get(group) ?? null;
  }

  /**
   * The live group that a class's item of this time belongs to; `late` where it has none. Of several the newest: the
   * collector makes another for the same span only where the key of the first one was lost.
   */
  pick(cls: string, at: UtcMs): HeldGroup | null {
    let own: HeldGroup | null = null;
    let late: HeldGroup | null = null;
    for (const held of this.#live.values()) {
      const { signed } = held;
      if (signed.class !== cls || signed.key === null) continue;
      if (signed.kind === 'whole' || (signed.kind === 'span' && spanHolds(signed, at)))
        own = newer(own, held);
      if (signed.kind === 'late') late = newer(late, held);
    }
    return own ?? late;
  }

  /** Inside a transaction; `reload` after it. */
  put(groups: readonly SignedGroup[], now: UtcMs): void {
    for (const group of groups) {
      const oneoff = group.kind === 'oneoff' ? 1 : 0;
      this.#put.run(idBytes(group.group as GroupId), JSON.stringify(group), now, oneoff);
    }
  }

  /** Inside a transaction; `reload` after it. From that commit on nothing of these groups is sent or sealed. */
  kill(groups: readonly GroupId[], now: UtcMs): void {
    for (const group of groups) this.#kill.run(idBytes(group), now);
  }

  /** Inside a transaction: the group of one one-off session, under this id. */
  makeOneOff(group: GroupId, agreement: AgreementId, now: UtcMs): HeldGroup {
    const signed = oneoffGroup(group, agreement);
    const row = this.#makeOneOff.get(idBytes(group), JSON.stringify(signed), now) as { id: number };
    const held = { id: row.id, signed };
    this.#live.set(group, held);
    this.#made.push(group);
    return held;
  }

  /** Inside a transaction: the session is over (O1). Nothing where it is bound to no live one-off group. */
  endOneOff(session: SessionId, now: UtcMs): void {
    this.#drop(this.#endOneOff.all(now, idBytes(session)));
  }

  /** Inside a transaction: the process is over. */
  endOneOffs(now: UtcMs): void {
    this.#drop(this.#strand.all(now, -1, 0, 1));
  }

  /**
   * Inside a transaction that ends a log after `through`: sessions that began behind it are told anew, by other ids,
   * and nobody would ever say that these ended. A group without a part before that place is one of those.
   */
  strand(log: number, through: number, now: UtcMs): void {
    this.#drop(this.#strand.all(now, log, through, 0));
  }

  #drop(rows: readonly { id: number; grp: Buffer }[]): void {
    for (const { id, grp } of rows) {
      while (this.#dropParts.run({ group: id }).changes > 0);
      this.#ended.push(idFrom(grp));
    }
  }

  /** Inside a transaction: the collector's state is another one, and may not know what died since `since`. */
  tellAgain(since: UtcMs): void {
    this.#again.run(since);
  }

  /** Inside a transaction, at start: keys of one-off groups died with the process before (O1). */
  retireOneOff(now: UtcMs): void {
    this.#retireOneOff.run(now);
  }

  /**
   * Deletes what dead groups still hold, in slices of their own transactions. A crash in between leaves rows
   * of dead groups, which are not sent; the next start goes on here. True where there was something.
   */
  deleteDead(): boolean {
    const dead = this.#dead.all();
    for (const { id } of dead) {
      while (this.#dropParts.run({ group: id }).changes > 0);
      this.#dropRest(id);
    }
    return dead.length > 0;
  }

  #dropRest(id: number): void {
    const drop = this.#db.transaction(() => {
      this.#dropWraps.run(id);
      this.#dropSessions.run({ group: id });
    });
    drop.immediate();
  }

  eraseLane(): GroupId[] {
    return this.#lane.all().map(({ grp }) => idFrom(grp));
  }

  confirm(groups: readonly GroupId[]): void {
    for (const group of groups) this.#confirm.run(idBytes(group));
  }

  /** What a session's first event lies under; null where nothing binds it. A dead span binds nobody. */
  binding(session: SessionId): Binding | null {
    const row = this.#binding.get(idBytes(session));
    if (row === undefined) return null;
    const group = row.state === 'live' ? this.live(idFrom(row.grp)) : null;
    return group === null && row.oneoff === 0 ? null : { group, oneoff: row.oneoff === 1 };
  }

  /** Inside a transaction. */
  bindSession(session: SessionId, group: HeldGroup): void {
    this.#bindSession.run(idBytes(session), group.id);
  }

  /** Inside a transaction: the session is over, later events are items of their own. */
  freeSession(session: SessionId): void {
    this.#freeSession.run(idBytes(session));
  }
}

function newer(a: HeldGroup | null, b: HeldGroup): HeldGroup {
  return a === null || b.id > a.id ? b : a;
}
