/**
 * The telemetry of one agreement: one SQLite file, ids and numbers only.
 *
 * J1  A sample counts once. While samples are kept as they came, `(agent, at)` is unique; one that is older than what
 *     was folded already is taken only where it is later than all that its agent told before.
 * J3  A kill or a power cut at any moment leaves a file that reads; what is lost is the last second of samples, and
 *     each step of folding is there with both its sides or not at all.
 */
import Sqlite, { type Database } from 'better-sqlite3';
import type { AgentId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { FaultSeam } from '../types.ts';
import { type Migration, migrate, migrations } from './connection.ts';
import { HOUR_SECONDS, type Point, QUARTER_SECONDS, spansOf, startOf } from './points.ts';
import { type Sql, statements } from './table.ts';
import {
  type Cells,
  DROP_SAMPLES,
  DROP_SPANS,
  INSERT_SAMPLE,
  OLD_SAMPLES,
  OLD_SPANS,
  PUT_SPAN,
  pointOfCells,
  RANGE,
  SPAN_AT,
  sampleValues,
  spanValues,
} from './telemetry-rows.ts';

/** Nothing else writes; a backup tool that locks the file for a moment is waited for this long. */
const BUSY_MS = 2_000;
/** Many of these files are open at once: small caches, small WALs. */
const CACHE_KIB = 512;
const WAL_PAGES = 256;
const WAL_KEEP_BYTES = WAL_PAGES * 4096;
/** Rows that one step of folding takes: a few milliseconds in which nothing else runs. */
export const FOLD_ROWS = 1_000;

const FOLDED_THROUGH = `INSERT INTO meta (key, value) VALUES ('thinned_through', ?)
  ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)`;

let steps: readonly Migration[] | null = null;

/** One sample of one agent. */
export interface NewSample {
  agent: AgentId;
  point: Point;
}

export interface Added {
  stored: number;
  /** Known already, or too late to tell whether it is (J1). */
  duplicates: number;
}

export interface PointQuery {
  since: UtcMs;
  until: UtcMs;
  /** Spans of at least this length; 0: as it is stored. */
  seconds: number;
  /** Exclusive: the start of the last point of the page before. */
  after?: UtcMs;
  limit: number;
}

/** What is old enough to be folded. */
export interface FoldCuts {
  samples: UtcMs;
  quarters: UtcMs;
}
export interface FoldStep {
  /** Rows that were folded. */
  rows: number;
  /** Where the next step begins; null: nothing is left. */
  next: number | null;
}

interface AgentRow {
  id: number;
  newest: number;
}

export class TelemetryFile {
  readonly #db: Database;
  readonly #sql: Sql;
  readonly #faults: FaultSeam;

  /** Opens the file, or makes it. Throws the driver's error. */
  constructor(path: string, faults: FaultSeam) {
    this.#faults = faults;
    this.#db = new Sqlite(path, { timeout: BUSY_MS });
    try {
      this.#db.pragma('journal_mode = WAL');
      // Samples may be shed, so no fsync for each second of them; the file itself stays whole (J3).
      this.#db.pragma('synchronous = NORMAL');
      this.#db.pragma('temp_store = MEMORY');
      this.#db.pragma(`cache_size = -${CACHE_KIB}`);
      this.#db.pragma(`wal_autocheckpoint = ${WAL_PAGES}`);
      this.#db.pragma(`journal_size_limit = ${WAL_KEEP_BYTES}`);
      steps ??= migrations(new URL('./telemetry-schema/', import.meta.url));
      migrate(this.#db, steps);
      this.#sql = statements(this.#db);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }

  /** One transaction (J1). */
  add(samples: readonly NewSample[]): Added {
    return this.#db
      .transaction(() => {
        const folded = this.#foldedThrough();
        let stored = 0;
        for (const [agent, its] of Map.groupBy(samples, (sample) => sample.agent)) {
          stored += this.#addOf(agent, its, folded);
        }
        return { stored, duplicates: samples.length - stored };
      })
      .immediate();
  }

  #addOf(agent: AgentId, samples: readonly NewSample[], folded: number): number {
    const row = this.#agent(agent) ?? this.#newAgent(agent);
    let [newest, stored] = [row.newest, 0];
    for (const { point } of [...samples].sort((a, b) => a.point.at - b.point.at)) {
      if (point.at < folded && point.at <= newest) continue;
      stored += this.#sql(INSERT_SAMPLE).run(...sampleValues(row.id, point)).changes;
      newest = Math.max(newest, point.at);
    }
    if (newest > row.newest) this.#sql('UPDATE agents SET newest = ? WHERE id = ?').run(newest, row.id);
    return stored;
  }

  #agent(agent: AgentId): AgentRow | undefined {
    return this.#sql('SELECT id, newest FROM agents WHERE agent = ?').get(agent) as AgentRow | undefined;
  }

  #newAgent(agent: AgentId): AgentRow {
    const row = this.#sql('INSERT INTO agents (agent, newest) VALUES (?, -1) RETURNING id, newest').get(
      agent,
    );
    return row as AgentRow;
  }

  #foldedThrough(): number {
    const row = this.#sql("SELECT value FROM meta WHERE key = 'thinned_through'").get();
    return (row as { value: number } | undefined)?.value ?? 0;
  }

  /** Of one agent, by `at`; a point that begins before `since` and reaches beyond it is in. */
  points(agent: AgentId, { since, until, seconds, after, limit }: PointQuery): Point[] {
    const row = this.#agent(agent);
    if (row === undefined) return [];
    const from = startOf(Math.max(since, after ?? since), Math.max(seconds, HOUR_SECONDS));
    const cells = this.#sql(RANGE).iterate({ agent: row.id, from, to: until }) as Iterable<Cells>;
    const found: Point[] = [];
    for (const point of spansOf(pointsOf(cells), seconds)) {
      if (point.at + point.seconds * 1000 <= since && point.at < since) continue;
      if (after !== undefined && point.at <= after) continue;
      if (found.push(point) >= limit) break;
    }
    return found;
  }

  /**
   * One step of folding: samples before `cuts.samples` into quarters of an hour, quarters before `cuts.quarters` into
   * hours, of the agents from `from` on, at most about `FOLD_ROWS` rows in one transaction (J3).
   */
  fold(cuts: FoldCuts, from: number): FoldStep {
    const samples = startOf(cuts.samples, QUARTER_SECONDS);
    const quarters = startOf(cuts.quarters, HOUR_SECONDS);
    // Before the first step: were it behind, a sample that came again after its step would count twice (J1).
    if (from === 0) this.#sql(FOLDED_THROUGH).run(samples);
    const step = this.#db.transaction(() => this.#foldAgents(samples, quarters, from)).immediate();
    this.#faults.hit?.('telemetry.fold.after-commit');
    return step;
  }

  #foldAgents(samples: number, quarters: number, from: number): FoldStep {
    const agents = this.#sql('SELECT id FROM agents WHERE id >= ? ORDER BY id').all(from) as { id: number }[];
    let rows = 0;
    for (const { id } of agents) {
      const left = () => FOLD_ROWS - rows;
      rows += this.#foldRows(id, QUARTER_SECONDS, this.#sql(OLD_SAMPLES).all(id, samples, left()), (last) =>
        this.#sql(DROP_SAMPLES).run(id, last),
      );
      const old = left() <= 0 ? [] : this.#sql(OLD_SPANS).all(id, quarters, QUARTER_SECONDS, left());
      rows += this.#foldRows(id, HOUR_SECONDS, old, (last) =>
        this.#sql(DROP_SPANS).run(id, last, QUARTER_SECONDS),
      );
      // This agent may have more of both.
      if (left() <= 0) return { rows, next: id };
    }
    return { rows, next: null };
  }

  /** Rows into spans of `seconds`, added to what these hold already, and the rows gone. */
  #foldRows(agent: number, seconds: number, rows: readonly unknown[], drop: (last: number) => void): number {
    const old = (rows as readonly Cells[]).map(pointOfCells);
    const last = old.at(-1);
    if (last === undefined) return 0;
    for (const span of spansOf(old, seconds)) {
      const there = this.#sql(SPAN_AT).get(agent, span.at, seconds) as Cells | undefined;
      const whole = there === undefined ? [span] : spansOf([pointOfCells(there), span], seconds);
      for (const point of whole) this.#sql(PUT_SPAN).run(...spanValues(agent, point));
    }
    this.#faults.hit?.('telemetry.fold.before-drop');
    drop(last.at);
    this.#faults.hit?.('telemetry.fold.before-commit');
    return old.length;
  }
}

function* pointsOf(cells: Iterable<Cells>): Generator<Point> {
  for (const one of cells) yield pointOfCells(one);
}
