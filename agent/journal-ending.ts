/**
 * Ends logs and begins them. A log is never continued after a loss (B1): it is closed, its successor says first
 * what was lost, and the sources go back to where that can be read again, all in one transaction.
 */
import type { Birth, BirthReason } from '../protocol/birth.ts';
import type { LogId } from '../protocol/ids.ts';
import type { JournalCore } from './journal-core.ts';
import { endOf, type LogRow } from './journal-logs.ts';
import { gapEvent, type Lost, lostLeaves, makeBirth, successionEvents } from './journal-succession.ts';

/** Where the collector's copy of a log ends. */
export interface Predecessor {
  size: number;
  head: string | null;
}

/** The first log of an empty database: as enrolled, or after a database was lost. */
export function beginLog(core: JournalCore, birth: Birth, lost: Lost | null): void {
  core.write(() => {
    core.logs.insert(birth);
    if (lost !== null) storeFirst(core, birth.reason, lost);
  });
  born(core, birth.log as LogId);
}

/** Closes a log: the open one gets a successor, the rest of a closed one is given up by name. */
export function endLog(core: JournalCore, log: LogId, reason: BirthReason, predecessor: Predecessor): void {
  const row = core.logs.row(log);
  const through = Math.min(row.acked, predecessor.size);
  if (row.open) openSuccessor(core, row, through, reason, predecessor);
  else giveUp(core, row, through);
  core.emit();
}

function openSuccessor(
  core: JournalCore,
  row: LogRow,
  through: number,
  reason: BirthReason,
  predecessor: Predecessor,
): void {
  const gap = reason === 'collector-restored' ? reason : 'restored';
  const lost = lostLeaves(core.o.db, row, through + 1, endOf(row), gap);
  const birth = makeBirth(core.o, reason, { log: row.log, ...predecessor });
  // A crash before the commit leaves the old log open, and the next link finds the same disagreement again.
  core.write(() => {
    close(core, row, through);
    core.sources.goBack(row.id, through);
    core.groups.strand(row.id, through, core.o.clock.now());
    core.logs.insert(birth);
    if (reason === 'restored') unapprove(core);
    storeFirst(core, reason, lost);
  });
  born(core, birth.log as LogId);
  core.tidy();
}

/** R6: the catalogue of recordings is as old as the log. What was approved of it, a person has to approve again. */
function unapprove({ o }: JournalCore): void {
  o.db.prepare('UPDATE rec_sources SET approved = 0').run();
  o.db.prepare('DELETE FROM rec_plans').run();
}

function giveUp(core: JournalCore, row: LogRow, through: number): void {
  const lost = lostLeaves(core.o.db, row, through + 1, endOf(row), 'no-longer-kept');
  core.write(() => {
    close(core, row, through);
    return core.store(lost === null ? [] : [gapEvent(lost)]);
  });
  core.logs.reload();
}

function close(core: JournalCore, row: LogRow, through: number): void {
  const head = core.logs.hashAt(row, through) ?? row.birthHash;
  core.logs.close(row, through, head, through, core.o.clock.now());
}

/** The first events of the log that was inserted in this transaction. */
function storeFirst(core: JournalCore, reason: BirthReason, lost: Lost | null): void {
  core.logs.reload();
  core.store(successionEvents(reason, core.o.version, lost));
}

/** Durable from here on; a crash before `log.json` is written is mended by the next start. */
function born(core: JournalCore, log: LogId): void {
  core.logs.reload();
  core.o.onBorn?.(log);
}
