/** What the self-audit asks of the agent's database, and the one row that it keeps. */
import { type Id, idBytes, idFrom } from '../../protocol/ids.ts';
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Db, Statement } from '../db.ts';
import { fromBytes, toBytes } from '../recordings/names.ts';
import type { ByteName } from '../recordings/types.ts';

/** A row of the catalogue, as much as is compared. */
export interface FileRow {
  name: ByteName;
  sizeBytes: number | null;
  /** 0 present, 1 erasing, 2 erased, 3 missing. */
  state: number;
}

export interface ChainLeaf {
  seq: number;
  bytes: string;
  hash: Buffer;
  /** The agent's wall clock when it was made. */
  at: number;
}

export interface ChainLog {
  id: number;
  birth: string;
  birthHash: Buffer;
  next: number;
  head: Buffer;
  /** The collector has everything up to here. */
  acked: number;
  open: boolean;
}

export interface AuditState {
  /** Of every run that was due by then it was said whether it took place. */
  through: UtcMs;
  run: Id<'run'> | null;
  ranAt: UtcMs | null;
}

export class AuditStore {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Db) {
    this.#sql = prepare(db);
  }

  /** Null: this state directory never knew of self-audits. */
  state(): AuditState | null {
    const found = this.#sql.state.get();
    if (found === undefined) return null;
    const { through, run, ran_at } = found;
    return {
      through: utcMs(through),
      run: run === null ? null : idFrom<'run'>(run),
      ranAt: ran_at === null ? null : utcMs(ran_at),
    };
  }

  /** Inside a transaction. */
  saveState({ through, run, ranAt }: AuditState): void {
    this.#sql.saveState.run(through, run === null ? null : idBytes(run), ranAt);
  }

  /** The first folder of a source from this id on; from the beginning where there is none. Null: it has no folder. */
  folderFrom(source: number, from: number): number | null {
    const found = this.#sql.folderFrom.get(source, from) ?? this.#sql.folderFrom.get(source, 0);
    return found?.id ?? null;
  }

  lastFolder(): number {
    return this.#sql.lastFolder.get()?.id ?? 0;
  }

  /** Rows of a folder in the order of their names, from the one at `skip` on. */
  rowsOf(folder: number, skip: number, limit: number): FileRow[] {
    return this.#sql.rowsOf.all(folder, limit, skip).map(({ name, ...row }) => {
      return { ...row, name: fromBytes(name) };
    });
  }

  row(folder: number, name: ByteName): FileRow | null {
    const found = this.#sql.row.get(folder, toBytes(name));
    return found === undefined ? null : { ...found, name };
  }

  /** Kept as no recording of the layout, or left alone. */
  odd(folder: number, name: ByteName): boolean {
    return this.#sql.odd.get(folder, toBytes(name)) !== undefined;
  }

  /** Left alone past its due time, for a reason that was told. */
  refused(folder: number, name: ByteName): boolean {
    return this.#sql.refused.get(folder, toBytes(name)) !== undefined;
  }

  /** When what the sweep goes by was last changed: rules, or a hold that was released. */
  rulesChangedAt(): number {
    return this.#sql.rulesChanged.get()?.at ?? 0;
  }

  /** Parts and wraps of groups that were erased. */
  ofDeadGroups(): number {
    return this.#sql.deadParts.get()?.n ?? 0;
  }

  liveGroups(): { id: number; signed: string }[] {
    return this.#sql.liveGroups.all();
  }

  partsOf(group: number): number {
    return this.#sql.partsOf.get(group)?.n ?? 0;
  }

  /**
   * Sealed parts that were acked before this hour (since 1970) and are kept all the same; counted up to a limit. The last
   * acked leaf stays, and what belongs to it.
   */
  ackedParts(hour: number): number {
    return this.#sql.ackedParts.all(hour).reduce((sum, { log, through }) => {
      return sum + (this.#sql.partsThrough.get(log, through)?.n ?? 0);
    }, 0);
  }

  /** All sealed parts and wraps, of a database that holds a canary and nothing else. */
  sealed(): Buffer[] {
    return [...this.#sql.allParts.all(), ...this.#sql.allWraps.all()].map(({ body }) => body);
  }

  partCount(): number {
    return this.#sql.allParts.all().length;
  }

  /** A hold, of a database that holds a canary and nothing else. */
  plantHold(hold: Id<'hold'>, scope: object): void {
    this.#sql.plantHold.run(idBytes(hold), 'dispute', JSON.stringify(scope));
  }

  releaseHold(hold: Id<'hold'>, at: UtcMs): void {
    this.#sql.releaseHold.run(at, idBytes(hold));
  }

  logs(): ChainLog[] {
    return this.#sql.logs.all().map(({ birth_hash, open, ...log }) => {
      return { ...log, birthHash: birth_hash, open: open === 1 };
    });
  }

  /** First and last leaf that is kept of a log; null: none is. */
  span(log: number): { first: number; last: number } | null {
    const found = this.#sql.span.get(log);
    return found?.first == null || found.last === null ? null : { first: found.first, last: found.last };
  }

  leaves(log: number, from: number, limit: number): ChainLeaf[] {
    return this.#sql.leaves.all(log, from, limit);
  }
}

const MOST = 10_000;

function prepare(db: Db) {
  const one = <R>(sql: string): Statement<unknown[], R> => db.prepare<unknown[], R>(sql);
  return {
    state: one<{ through: number; run: Buffer | null; ran_at: number | null }>(
      'SELECT through, run, ran_at FROM audit_state',
    ),
    saveState: one(
      `INSERT INTO audit_state (one, through, run, ran_at) VALUES (1, ?, ?, ?)
       ON CONFLICT (one) DO UPDATE SET through = excluded.through, run = excluded.run, ran_at = excluded.ran_at`,
    ),
    folderFrom: one<{ id: number }>(
      'SELECT id FROM rec_folders WHERE source = ? AND gone = 0 AND id >= ? ORDER BY id LIMIT 1',
    ),
    lastFolder: one<{ id: number | null }>('SELECT max(id) AS id FROM rec_folders'),
    rowsOf: one<{ name: Buffer; sizeBytes: number | null; state: number }>(
      `SELECT name, size AS sizeBytes, state FROM recordings WHERE folder = ? ORDER BY name LIMIT ? OFFSET ?`,
    ),
    row: one<{ sizeBytes: number | null; state: number }>(
      'SELECT size AS sizeBytes, state FROM recordings WHERE folder = ? AND name = ?',
    ),
    odd: one('SELECT 1 FROM rec_unknown WHERE folder = ? AND name = ?'),
    refused: one(`SELECT 1 FROM rec_unknown WHERE folder = ? AND name = ? AND kind = 'refused'`),
    rulesChanged: one<{ at: number | null }>(
      `SELECT max(at) AS at FROM (SELECT since AS at FROM policies WHERE class = 'recording'
       UNION ALL SELECT released_at FROM holds WHERE released_at IS NOT NULL)`,
    ),
    deadParts: one<{ n: number }>(
      `SELECT (SELECT count(*) FROM groups g JOIN parts p ON p.grp = g.id WHERE g.state = 'dead')
       + (SELECT count(*) FROM groups g JOIN wraps w ON w.grp = g.id WHERE g.state = 'dead') AS n`,
    ),
    liveGroups: one<{ id: number; signed: string }>(
      `SELECT id, signed FROM groups WHERE state = 'live' AND signed IS NOT NULL ORDER BY id`,
    ),
    partsOf: one<{ n: number }>('SELECT count(*) AS n FROM parts WHERE grp = ?'),
    ackedParts: one<{ log: number; through: number }>(
      'SELECT log, max(through) AS through FROM ack_marks WHERE hour < ? GROUP BY log',
    ),
    partsThrough: one<{ n: number }>(
      `SELECT count(*) AS n FROM (SELECT 1 FROM parts WHERE log = ? AND seq < ? LIMIT ${MOST})`,
    ),
    allParts: one<{ body: Buffer }>('SELECT body FROM parts ORDER BY log, seq'),
    allWraps: one<{ body: Buffer }>('SELECT body FROM wraps ORDER BY id'),
    plantHold: one('INSERT INTO holds (hold, kind, scope, released_at) VALUES (?, ?, ?, NULL)'),
    releaseHold: one('UPDATE holds SET released_at = ? WHERE hold = ?'),
    logs: one<Omit<ChainLog, 'birthHash' | 'open'> & { birth_hash: Buffer; open: number }>(
      'SELECT id, birth, birth_hash, next, head, acked, open FROM logs ORDER BY id',
    ),
    span: one<{ first: number | null; last: number | null }>(
      'SELECT min(seq) AS first, max(seq) AS last FROM leaves WHERE log = ?',
    ),
    leaves: one<ChainLeaf>(
      'SELECT seq, bytes, hash, at FROM leaves WHERE log = ? AND seq >= ? ORDER BY seq LIMIT ?',
    ),
  };
}
