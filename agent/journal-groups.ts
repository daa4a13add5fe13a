/**
 * Key groups as this agent holds them: public halves only, signed by the collector. A dead group keeps its id
 * for ever and nothing else.
 *
 * S5  What a dead group held never comes back: not with a late `groups` frame, not with a new part.
 */
import type { SignedGroup } from '../protocol/group.ts';
import { spanHolds } from '../protocol/group.ts';
import { type GroupId, idBytes, idFrom, type SessionId } from '../protocol/ids.ts';
import type { UtcMs } from '../protocol/time.ts';
import type { Db, Statement } from './db.ts';

export interface HeldGroup {
  /** Inner id; grows in order of arrival. */
  id: number;
  signed: SignedGroup;
}

type Raw = { id: number; grp: Buffer; state: 'live' | 'dead'; signed: string | null; erase_lane: number };

/** Parts deleted in one transaction: small enough for a disk that is nearly full. */
const SLICE = 500;

export class GroupBook {
  readonly #live = new Map<string, HeldGroup>();
  readonly #db: Db;
  readonly #all: Statement<[], Raw>;
  readonly #put: Statement;
  readonly #kill: Statement;
  readonly #dead: Statement<[], { id: number }>;
  readonly #dropParts: Statement;
  readonly #dropWraps: Statement;
  readonly #dropSessions: Statement;
  readonly #retireOneOff: Statement;
  readonly #lane: Statement<[], { grp: Buffer }>;
  readonly #confirm: Statement;
  readonly #sessionGroup: Statement<[Buffer], { grp: Buffer }>;
  readonly #bindSession: Statement;
  readonly #freeSession: Statement;

  constructor(db: Db) {
    this.#db = db;
    this.#all = db.prepare<[], Raw>('SELECT id, grp, state, signed, erase_lane FROM groups ORDER BY id');
    this.#put = db.prepare(
      `INSERT INTO groups (grp, state, signed, changed_at) VALUES (?, 'live', ?, ?)
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
       OR EXISTS (SELECT 1 FROM session_groups WHERE grp = groups.id))`,
    );
    this.#dropParts = db.prepare(
      `DELETE FROM parts WHERE grp = @group AND (log, seq) IN
       (SELECT log, seq FROM parts WHERE grp = @group ORDER BY log, seq LIMIT ${SLICE})`,
    );
    this.#dropWraps = db.prepare('DELETE FROM wraps WHERE grp = ?');
    this.#dropSessions = db.prepare('DELETE FROM session_groups WHERE grp = ?');
    this.#retireOneOff = db.prepare(
      `UPDATE groups SET state = 'dead', erase_lane = 1, signed = NULL, changed_at = ?
       WHERE state = 'live' AND signed ->> 'kind' = 'oneoff'`,
    );
    this.#lane = db.prepare<[], { grp: Buffer }>('SELECT grp FROM groups WHERE erase_lane = 1 ORDER BY id');
    this.#confirm = db.prepare('UPDATE groups SET erase_lane = 0 WHERE grp = ?');
    this.#sessionGroup = db.prepare<[Buffer], { grp: Buffer }>(
      `SELECT g.grp FROM session_groups s JOIN groups g ON g.id = s.grp
       WHERE s.session = ? AND g.state = 'live'`,
    );
    this.#bindSession = db.prepare(
      `INSERT INTO session_groups (session, grp) VALUES (?, ?) ON CONFLICT (session) DO NOTHING`,
    );
    this.#freeSession = db.prepare('DELETE FROM session_groups WHERE session = ?');
    this.reload();
  }

  reload(): void {
    this.#live.clear();
    for (const raw of this.#all.all()) {
      if (raw.state !== 'live' || raw.signed === null) continue;
      this.#live.set(idFrom(raw.grp), { id: raw.id, signed: JSON.parse(raw.signed) });
    }
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
    for (const group of groups) this.#put.run(idBytes(group.group as GroupId), JSON.stringify(group), now);
  }

  /** Inside a transaction; `reload` after it. From that commit on nothing of these groups is sent or sealed. */
  kill(groups: readonly GroupId[], now: UtcMs): void {
    for (const group of groups) this.#kill.run(idBytes(group), now);
  }

  /** Inside a transaction, at start: keys of one-off groups died with the process before. */
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
      this.#dropSessions.run(id);
    });
    drop.immediate();
  }

  eraseLane(): GroupId[] {
    return this.#lane.all().map(({ grp }) => idFrom(grp));
  }

  confirm(groups: readonly GroupId[]): void {
    for (const group of groups) this.#confirm.run(idBytes(group));
  }

  /** The live group of a session's first event; null where there is none. */
  sessionGroup(session: SessionId): HeldGroup | null {
    const row = this.#sessionGroup.get(idBytes(session));
    return row === undefined ? null : this.live(idFrom(row.grp));
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
