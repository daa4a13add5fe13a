/** An agent's state over a root of recordings, and self-audits of it: real SQLite, real files, a clock that is stepped. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { silentLog } from '../../../agent/log.ts';
import { layoutOf } from '../../../agent/recordings/layouts/index.ts';
import type { AuditFacts } from '../../../agent/self-audit/run.ts';
import { SelfAudit } from '../../../agent/self-audit/self-audit.ts';
import type { ShownSource } from '../../../agent/status.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, type UtcMs } from '../../../protocol/time.ts';
import { frigatePath, SweepWorld, type SweepWorldOptions } from '../recordings/sweep-world.ts';
import type { TestClock, World } from '../support.ts';

export interface AuditWorldOptions extends SweepWorldOptions {
  schedule?: string;
}

export class AuditWorld {
  readonly nvr: SweepWorld;
  readonly base: World;
  audit: SelfAudit;
  waits = false;
  passes = 0;
  pass: () => Promise<'done' | 'too-long'> = async () => 'done';
  shown: Pick<ShownSource, 'source' | 'type' | 'state'>[] = [];
  readThrough: UtcMs | null = null;
  uncovered: string[] = [];
  sealFrom: UtcMs | null = null;
  startedAt: UtcMs | null;
  readonly #schedule: string;

  constructor(options: AuditWorldOptions = {}) {
    this.nvr = new SweepWorld({ layout: 'frigate', floorMs: DAY_MS, ...options });
    this.base = this.nvr.base;
    this.startedAt = this.clock.now();
    this.#schedule = options.schedule ?? '0 3 * * *';
    this.audit = this.newAudit();
  }

  get clock(): TestClock {
    return this.base.clock;
  }

  /** As after a restart: what is remembered stands in the database. */
  newAudit(): SelfAudit {
    const { dir, journal, audits } = this.base;
    return new SelfAudit({
      ...{ state: dir, journal, store: audits, clock: this.clock, random: randomBytes, log: silentLog },
      ...{
        platform: 'linux',
        floorMs: DAY_MS,
        schedule: this.#schedule,
        sweepSchedule: '17 * * * *',
        zone: 'UTC',
      },
      facts: (sweepPeriodMs) => this.facts(sweepPeriodMs),
      tools: () => this.uncovered,
    });
  }

  facts(sweepPeriodMs: number | null = HOUR_MS): AuditFacts {
    const { audits: store, sweeps } = this.base;
    const { source } = this.nvr.swept();
    const layout = layoutOf({ layout: this.nvr.layout, zone: this.nvr.zone, longestSegmentMs: null });
    return {
      ...{ store, sweeps, sweepPeriodMs, sealFrom: this.sealFrom, startedAt: this.startedAt, key: null },
      roots: [{ source, layout, erases: this.nvr.mode === 'erase', waits: this.waits }],
      present: () => null,
      pass: async () => {
        this.passes += 1;
        return await this.pass();
      },
      around: this.nvr.around(),
      trusted: this.nvr.trusted,
      sources: {
        shown: this.shown,
        configured: null,
        readThrough: this.readThrough,
        uncovered: this.uncovered.length,
      },
    };
  }

  /** A recording of so many days ago, on disk; whoever catalogues does so later. */
  record(days: number, camera = 'gate', bytes = 8): string {
    const path = frigatePath(this.clock.now() - days * (DAY_MS + MINUTE_MS), camera);
    this.nvr.record(path, bytes);
    return path;
  }

  /** Straight at the database, behind everybody's back. */
  sql(text: string, ...values: unknown[]): unknown[] {
    const db = new Sqlite(join(this.base.dir, 'agent.db'));
    try {
      const statement = db.prepare(text);
      if (statement.reader) return statement.all(...values);
      statement.run(...values);
      return [];
    } finally {
      db.close();
    }
  }

  /** A run now, as somebody asks for one: code and count of what it found. */
  async found(): Promise<Record<string, number>> {
    if (!this.#started) await this.audit.start();
    this.#started = true;
    const shown = await this.audit.asked();
    return Object.fromEntries((shown?.findings ?? []).map(({ code, count }) => [code, count]));
  }

  #started = false;

  told(type: string): Record<string, unknown>[] {
    return this.nvr.told(type);
  }

  /** Lets what timers began come to its end. */
  async settled(): Promise<void> {
    await this.audit.stop();
  }
}
