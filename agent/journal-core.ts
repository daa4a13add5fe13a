/**
 * The inside of the journal: its tables, and the one way to write to them. Everything that writes goes through
 * `write`; the caches are brought in line with the disk where a write fails.
 */
import type { KeyObject } from 'node:crypto';
import { TilsynError } from '../protocol/errors.ts';
import type { GroupId, LogId, Random, SourceId } from '../protocol/ids.ts';
import { type Clock, SECOND_MS, type UtcMs } from '../protocol/time.ts';
import type { Ballast } from './ballast.ts';
import { type Db, databaseError, isFull, unhurried } from './db.ts';
import { CommandBook } from './journal-commands.ts';
import { GroupBook } from './journal-groups.ts';
import { LogBook, type LogRow } from './journal-logs.ts';
import { Outbox } from './journal-outgoing.ts';
import { SourceBook, type Unreadable } from './journal-sources.ts';
import { Space } from './journal-space.ts';
import { type Head, LeafWriter } from './journal-write.ts';
import { type Scrub, Sealer } from './sealer.ts';
import type { AgentIdentity, CursorUpdate, Draft, FaultSeam } from './types.ts';

/** Where the WAL could not be emptied. */
const TIDY_MS = SECOND_MS;

export interface JournalOptions {
  db: Db;
  identity: AgentIdentity;
  /** The agent's Ed25519 key: signs births. */
  key: KeyObject;
  /** 32 bytes of this state directory; digests of labels and lines. */
  digestKey: Buffer;
  clock: Clock;
  random: Random;
  /** Version of the software, as `agent.restored` names it. */
  version: string;
  ballast: Ballast;
  scrub: Scrub;
  faults?: FaultSeam;
  /** Told of each log that is born, once it is durable. */
  onBorn?: (log: LogId) => void;
  /** A write found the database damaged: only a restart sets it aside and goes on. */
  onDamaged?: () => void;
  keepAckedMs?: number;
  /** What began before it was erased (K6); absent: nothing was. */
  sealFrom?: () => UtcMs | null;
}

/** What is stored beside events, in the same transaction. */
export interface Aside {
  unreadable?: readonly Unreadable[];
  /** Added to the counters of these names. */
  counts?: Readonly<Record<string, number>>;
  /** What stood in a source's file when it was first seen, as JSON. */
  firstSight?: { source: SourceId; sight: string };
  /** Writes what another room keeps with these events. */
  also?: () => void;
}

/** Where the open log stands after a `store`; counts once the transaction is committed. */
export interface Stored {
  row: LogRow;
  head: Head;
  /** First seq of what was stored. */
  first: number;
}

export class JournalCore {
  readonly o: JournalOptions;
  readonly faults: FaultSeam;
  readonly logs: LogBook;
  readonly groups: GroupBook;
  readonly sources: SourceBook;
  readonly commands: CommandBook;
  readonly outbox: Outbox;
  readonly space: Space;
  readonly sealer: Sealer;
  readonly #writer: LeafWriter;
  readonly #listeners = new Set<() => void>();
  /** Losses told in this run, and in the transaction that is open. */
  #gaps = 0;
  #gapsInside = 0;
  /** Something was deleted that the WAL may hold still. */
  #unwiped = false;
  #cancelTidy: () => void = () => {};

  constructor(options: JournalOptions) {
    const { db, identity, clock, random, scrub, sealFrom = () => null } = options;
    this.o = options;
    this.faults = options.faults ?? {};
    this.logs = new LogBook(db);
    this.groups = new GroupBook(db);
    this.sources = new SourceBook(db, options.digestKey, random);
    this.commands = new CommandBook(db);
    this.outbox = new Outbox(db);
    this.space = new Space(db, options.ballast);
    this.sealer = new Sealer({ identity, groups: this.groups, clock, random, scrub, sealFrom });
    const boot = random(8).toString('hex');
    const { sealer, groups, sources } = this;
    this.#writer = new LeafWriter({ db, clock, boot, sealer, groups, sources });
  }

  /**
   * One durable transaction, tried again once with more room where the disk is full (J7).
   * @param need bytes that it adds, about; 0: next to nothing
   */
  write<T>(act: () => T, need = 0): T {
    const { logs, groups, space, sealer } = this;
    try {
      const transaction = this.o.db.transaction(() => {
        sealer.begin();
        groups.begin();
        this.#gapsInside = 0;
        return act();
      });
      const result = space.withRoom(
        () => logs.rows(),
        need,
        () => transaction.immediate(),
      );
      sealer.commit();
      this.#forget(groups.commit());
      this.#gaps += this.#gapsInside;
      return result;
    } catch (error) {
      sealer.rollback();
      const meant = journalError(error);
      if (meant.code === 'database.corrupt') this.o.onDamaged?.();
      else this.#reload();
      throw meant;
    }
  }

  /**
   * One transaction that gives way to events (J11): no room is made for it. False where there is none.
   * It may not touch what events are made of.
   * @param lasting false: it can be done again, and need not have reached the disk by now (Q4)
   */
  spare(act: () => void, lasting = true): boolean {
    if (!this.space.plenty()) return false;
    const { db } = this.o;
    const transaction = db.transaction(act);
    try {
      if (lasting) transaction.immediate();
      else unhurried(db, () => transaction.immediate());
      return true;
    } catch (error) {
      if (isFull(error)) return false;
      const meant = journalError(error);
      if (meant.code === 'database.corrupt') this.o.onDamaged?.();
      throw meant;
    }
  }

  /** Losses that were told in this run. */
  get gaps(): number {
    return this.#gaps;
  }

  /** The cache may have run ahead of what was rolled back: the disk is right. */
  #reload(): void {
    this.logs.reload();
    this.groups.reload();
  }

  /** Stores drafts, positions and what goes with them in the open log. Inside `write`. */
  store(drafts: readonly Draft[], cursors: readonly CursorUpdate[] = [], aside: Aside = {}): Stored {
    const row = this.#openRow();
    const head: Head = { id: row.id, log: row.log, next: row.next, head: row.head };
    const first = row.next;
    if (drafts.length > 0) {
      this.#writer.append(head, drafts);
      this.#gapsInside += drafts.filter(({ type }) => type === 'journal.gap').length;
      this.logs.saveHead(row, head.next, head.head);
    }
    // Only events made from a source's bytes can be read again (J4).
    if (drafts.some(({ from }) => from !== undefined)) {
      for (const { source } of cursors)
        this.sources.mark(this.sources.row(source), row.id, first, head.next - 1);
    }
    this.saveCursors(cursors);
    this.#saveAside(aside);
    return { row, head, first };
  }

  /** Inside `write`. */
  saveCursors(cursors: readonly CursorUpdate[]): void {
    for (const { source, state } of cursors) this.sources.saveCursor(this.sources.row(source), state);
  }

  /** What `store` stored is committed. */
  stored({ row, head, first }: Stored): void {
    const present = this.logs.row(row.log);
    present.next = head.next;
    present.head = head.head;
    if (head.next > first) this.emit();
  }

  /** Committed: these one-off groups are dead, and their parts are deleted (O1). */
  #forget(ended: readonly GroupId[]): void {
    for (const group of ended) this.sealer.forget(group);
    if (ended.length > 0) this.#unwiped = true;
  }

  /** Deletes what dead groups hold, from the tables and from the WAL (S3). */
  deleteDead(): void {
    try {
      if (this.groups.deleteDead()) this.#unwiped = true;
      this.#wipe();
    } catch (error) {
      // No room to delete: nothing of it can be sent or opened here, and the next prune goes on.
      if (!isFull(error)) throw databaseError(error, 'deleting what erased groups held');
    }
  }

  /** After a commit that may have ended one-off sessions: what was deleted leaves the WAL too (S3). Never throws. */
  tidy(): void {
    if (!this.#unwiped) return;
    this.#cancelTidy();
    try {
      this.#wipe();
    } catch (error) {
      // What was appended is stored; the key is gone, so that what is left in the file opens for nobody.
      if (databaseError(error, 'emptying the WAL').code === 'database.corrupt') this.o.onDamaged?.();
    }
    if (this.#unwiped) this.#cancelTidy = this.o.clock.after(TIDY_MS, () => this.tidy());
  }

  /** The WAL still holds what a crash left in it: a start empties it once. */
  wipeAtStart(): void {
    this.#unwiped = true;
    this.tidy();
  }

  /** Something was deleted: true where no byte of it is left in the WAL; where there is, it is tried again (S3). */
  wiped(): boolean {
    this.#unwiped = true;
    this.tidy();
    return !this.#unwiped;
  }

  /** Somebody who reads the database at this moment keeps the WAL from being emptied. */
  #wipe(): void {
    if (!this.#unwiped) return;
    const [state] = this.o.db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    this.#unwiped = state?.busy !== 0;
  }

  close(): void {
    this.#cancelTidy();
    this.sealer.forgetAll();
    this.o.db.close();
  }

  listen(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  emit(): void {
    for (const fn of this.#listeners) fn();
  }

  #saveAside({ unreadable = [], counts = {}, firstSight, also }: Aside): void {
    this.sources.quarantine(unreadable, this.o.clock.now());
    for (const [name, by] of Object.entries(counts)) this.sources.count(name, by);
    if (firstSight !== undefined) this.sources.saveFirstSight(firstSight.source, firstSight.sight);
    also?.();
  }

  #openRow(): LogRow {
    const row = this.logs.openRow();
    if (row !== null) return row;
    throw new TilsynError('journal.no-log', 'appending events: this agent has no log yet', {
      hint: 'Enrol it: `tilsyn agent enrol --state DIR --token-file F`.',
    });
  }
}

/** What a failed write means. */
export function journalError(error: unknown): TilsynError {
  if (!isFull(error)) return databaseError(error, 'writing to the journal');
  return new TilsynError('journal.full', 'writing to the journal: no space left on the device', {
    hint: 'Free some space on the volume of the state directory; reading goes on by itself, nothing is skipped.',
    retryable: true,
    cause: error,
  });
}
