/**
 * From a state directory to a journal: opens the database, sets a damaged one aside, and sees to it that a log
 * is open. The identity (`agent.json`, `agent.key`) is not part of the database and survives its loss.
 */
import type { KeyObject } from 'node:crypto';
import type { Birth } from '../protocol/birth.ts';
import { hasCode } from '../protocol/errors.ts';
import { isId, type LogId, type Random } from '../protocol/ids.ts';
import { scrub } from '../protocol/scrub.ts';
import type { Clock, UtcMs } from '../protocol/time.ts';
import { BALLAST_FILE, Ballast } from './ballast.ts';
import { type Db, openDatabase } from './db.ts';
import {
  ensureStateDir,
  halfQuarantined,
  inState,
  quarantineDatabase,
  readText,
  removeFile,
  restrict,
  writeAtomic,
} from './files.ts';
import { HoldBook } from './holds/book.ts';
import { CoverCount } from './holds/cover.ts';
import { AgentJournal } from './journal.ts';
import { lostDatabase, makeBirth } from './journal-succession.ts';
import { Catalogue } from './recordings/catalogue.ts';
import { SweepStore } from './recordings/sweep-store.ts';
import type { Scrub } from './sealer.ts';
import { AuditStore } from './self-audit/store.ts';
import { TelemetryStore } from './telemetry/store.ts';
import type { AgentIdentity, FaultSeam } from './types.ts';
import { VaultStore } from './vault/store.ts';

export const DATABASE_FILE = 'agent.db';
/**
 * Names the open log beside the database, so that a successor can name its predecessor when the database is
 * lost. Written once a log's birth is durable; brought in line with the database at each start.
 */
export const LOG_FILE = 'log.json';

export interface OpenOptions {
  dir: string;
  identity: AgentIdentity;
  /** The agent's Ed25519 key (`keys.ts`). */
  key: KeyObject;
  /** `keys.ts` */
  digestKey: Buffer;
  clock: Clock;
  random: Random;
  version: string;
  /** The birth that was enrolled; used where this state directory never had a log. */
  birth?: Birth;
  faults?: FaultSeam;
  scrub?: Scrub;
  /** What began before it was erased (`bounds.ts`); absent: nothing was. */
  sealFrom?: () => UtcMs | null;
  ballastBytes?: number;
  keepAckedMs?: number;
  /** A write found the database damaged: only a restart sets it aside and goes on. */
  onDamaged?: () => void;
}

export interface OpenedJournal {
  journal: AgentJournal;
  /** In the same database, each. */
  telemetry: TelemetryStore;
  catalogue: Catalogue;
  sweeps: SweepStore;
  book: HoldBook;
  cover: CoverCount;
  audits: AuditStore;
  vault: VaultStore;
  /** Number of the damaged database that was set aside just now; null: none was. */
  quarantined: number | null;
}

/**
 * @throws TilsynError `state.denied`, `state.read-only`, `state.full`, `state.failed`, `database.failed`
 */
export function openJournal(o: OpenOptions): OpenedJournal {
  ensureStateDir(o.dir);
  const path = inState(o.dir, DATABASE_FILE);
  const { db, quarantined } = openOrSetAside(o, path);
  try {
    for (const suffix of ['', '-wal', '-shm']) restrict(path + suffix);
    const journal = startJournal(o, db);
    return {
      journal,
      telemetry: new TelemetryStore(db, o.digestKey),
      catalogue: new Catalogue(db, o.random),
      sweeps: new SweepStore(db),
      book: new HoldBook(db),
      cover: new CoverCount(db),
      audits: new AuditStore(db),
      vault: new VaultStore(db),
      quarantined,
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

function openOrSetAside(o: OpenOptions, path: string): { db: Db; quarantined: number | null } {
  const half = halfQuarantined(path) === null ? null : quarantineDatabase(path);
  try {
    return { db: openWithRoom(o, path), quarantined: half };
  } catch (error) {
    if (!hasCode(error, 'database.corrupt')) throw nameTheCause(o.dir, error);
    // A crash from here on leaves no database: the next start takes the same road through `log.json`.
    const n = quarantineDatabase(path);
    return { db: openWithRoom(o, path), quarantined: n };
  }
}

/** SQLite needs a little room even to open; on a full disk the ballast gives it. */
function openWithRoom(o: OpenOptions, path: string): Db {
  try {
    return openDatabase(path, o.faults);
  } catch (error) {
    if (!hasCode(error, 'state.full') || !removeFile(inState(o.dir, BALLAST_FILE))) throw error;
    return openDatabase(path, o.faults);
  }
}

/** SQLite says "cannot open" for many things; a write of our own says which. */
function nameTheCause(dir: string, error: unknown): unknown {
  if (!hasCode(error, 'state.denied', 'state.read-only', 'state.failed')) return error;
  const probe = inState(dir, 'probe');
  try {
    writeAtomic(probe, '');
    removeFile(probe);
    return error;
  } catch (named) {
    return named;
  }
}

function startJournal(o: OpenOptions, db: Db): AgentJournal {
  const ballast = new Ballast(o.dir, {
    clock: o.clock,
    random: o.random,
    ...(o.ballastBytes === undefined ? {} : { bytes: o.ballastBytes }),
  });
  const onBorn = (log: LogId) => saveLogFile(o.dir, log);
  const journal = new AgentJournal({ ...o, db, ballast, onBorn, scrub: o.scrub ?? scrub });
  if (journal.openLog() === null) firstLog(o, journal);
  const open = journal.openLog();
  if (open !== null && readLogFile(o.dir) !== open) saveLogFile(o.dir, open);
  journal.resume();
  return journal;
}

/**
 * A database without a log is either new or takes the place of a lost one; `log.json` tells them apart. An
 * enrolled birth is never used twice: that would continue a log after a loss (B1).
 */
function firstLog(o: OpenOptions, journal: AgentJournal): void {
  const before = readLogFile(o.dir);
  if (before === null) {
    journal.begin(o.birth ?? makeBirth(o, 'enrolled', null), null);
    return;
  }
  const log = before === 'unreadable' ? null : before;
  const predecessor = log === null ? null : { log, size: 0, head: null };
  journal.begin(makeBirth(o, 'quarantined', predecessor), lostDatabase(log, o.clock.now()));
}

function saveLogFile(dir: string, log: LogId): void {
  writeAtomic(inState(dir, LOG_FILE), `${JSON.stringify({ v: 1, log })}\n`);
}

/** The log that was last open here; null where there never was one. A file that names none still says so much. */
export function readLogFile(dir: string): LogId | 'unreadable' | null {
  const text = readText(inState(dir, LOG_FILE));
  if (text === null) return null;
  try {
    const { log } = JSON.parse(text);
    return isId(log) ? (log as LogId) : 'unreadable';
  } catch {
    return 'unreadable';
  }
}
