/**
 * The journal: append-only events, their sealed parts, and the reading positions that led to them. The rows
 * after the acked cursor are the outbox; there is no second queue.
 *
 * J1  Events and the reading positions they came from are one transaction: neither is ever stored without the
 *     other.
 * J2  `(log, seq)` is unique, `seq` has no holes, `prev` is the hash of what stands before: also after a failed
 *     write, a kill at any moment, a full disk.
 * J3, J4  see `journal-sources.ts` · J5, J6 `journal-outgoing.ts` · J7, J8 `journal-space.ts` ·
 * J9  `journal-commands.ts` · S5 `journal-groups.ts` · K1–K5 `sealer.ts` · B1 `protocol/birth.ts`
 * J10 What was appended is on the disk when `append` returns (Q1).
 */
import type { Birth, BirthReason } from '../protocol/birth.ts';
import { TilsynError } from '../protocol/errors.ts';
import { KEEP_ACKED_MS } from '../protocol/frame.ts';
import type { SignedGroup } from '../protocol/group.ts';
import type { GroupId, Id, LogId, Random, SourceId } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import type { Ballast } from './ballast.ts';
import { type Db, databaseError, isFull } from './db.ts';
import { CommandBook } from './journal-commands.ts';
import { GroupBook } from './journal-groups.ts';
import { endOf, LogBook, type LogRow } from './journal-logs.ts';
import { Outbox } from './journal-outgoing.ts';
import { SourceBook, type Unreadable } from './journal-sources.ts';
import { Space } from './journal-space.ts';
import {
  type BirthOptions,
  gapEvent,
  type Lost,
  lostLeaves,
  makeBirth,
  successionEvents,
} from './journal-succession.ts';
import { type Head, LeafWriter } from './journal-write.ts';
import { type Scrub, Sealer } from './sealer.ts';
import type {
  AgentIdentity,
  Applied,
  CursorUpdate,
  Draft,
  FaultSeam,
  Journal,
  LogSummary,
  Outgoing,
} from './types.ts';

export interface JournalOptions {
  db: Db;
  identity: AgentIdentity;
  /** The agent's Ed25519 key: signs births. */
  key: BirthOptions['key'];
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
  keepAckedMs?: number;
}

/** What a pump stores beside events, in the same transaction. */
export interface Aside {
  unreadable?: readonly Unreadable[];
  /** Added to the counters of these names. */
  counts?: Readonly<Record<string, number>>;
  /** What stood in a source's file when it was first seen, as JSON. */
  firstSight?: { source: SourceId; sight: string };
}

/** What an event takes in the database with its part and its places in the indices, about. */
const DRAFT_BYTES = 2048;

type Stored = { firstSeq: number; lastSeq: number } | null;

export class AgentJournal implements Journal {
  readonly #o: JournalOptions;
  readonly #db: Db;
  readonly #faults: FaultSeam;
  readonly #logs: LogBook;
  readonly #groups: GroupBook;
  readonly #sources: SourceBook;
  readonly #commands: CommandBook;
  readonly #outbox: Outbox;
  readonly #space: Space;
  readonly #sealer: Sealer;
  readonly #writer: LeafWriter;
  readonly #listeners = new Set<() => void>();

  constructor(options: JournalOptions) {
    const { db, identity, clock, random, scrub } = options;
    this.#o = options;
    this.#db = db;
    this.#faults = options.faults ?? {};
    this.#logs = new LogBook(db);
    this.#groups = new GroupBook(db);
    this.#sources = new SourceBook(db, options.digestKey, random);
    this.#commands = new CommandBook(db);
    this.#outbox = new Outbox(db);
    this.#space = new Space(db, options.ballast);
    this.#sealer = new Sealer({ mode: identity.mode, groups: this.#groups, clock, random, scrub });
    const boot = random(8).toString('hex');
    this.#writer = new LeafWriter({
      db,
      clock,
      boot,
      sealer: this.#sealer,
      groups: this.#groups,
      sources: this.#sources,
    });
  }

  append(drafts: readonly Draft[], cursors: readonly CursorUpdate[] = [], aside: Aside = {}): Stored {
    if (drafts.length === 0 && cursors.length === 0 && Object.keys(aside).length === 0) return null;
    // The law broken on purpose, for the proof that the crash test sees it.
    const early = this.#faults.broken?.('offset-before-event') === true;
    if (early) this.#write(() => this.#saveCursors(cursors));
    const stored = this.#write(() => {
      const head = this.#store(drafts, early ? [] : cursors, aside);
      this.#faults.hit?.('agent.append.before-commit');
      // A crash up to here leaves nothing of this append; from the commit on, all of it.
      return head;
    }, drafts.length * DRAFT_BYTES);
    this.#moved(stored.row, stored.head);
    this.#faults.hit?.('agent.append.after-commit');
    return drafts.length === 0 ? null : { firstSeq: stored.first, lastSeq: stored.head.next - 1 };
  }

  cursor(source: SourceId): string | null {
    return this.#sources.cursor(source);
  }

  firstSight(source: SourceId): string | null {
    return this.#sources.firstSight(source);
  }

  sourceId(label: string): SourceId {
    return this.#write(() => this.#sources.idOf(label));
  }

  counted(name: string): number {
    return this.#sources.counted(name);
  }

  logs(): LogSummary[] {
    return this.#logs.summaries();
  }

  hashAt(log: LogId, seq: number): Buffer | null {
    return this.#logs.hashAt(this.#logs.row(log), seq);
  }

  outgoing(log: LogId, after: number, limits: { events: number; bytes: number }): Outgoing | null {
    return this.#outbox.next(this.#logs.row(log), after, limits);
  }

  acked(log: LogId, through: number): void {
    const row = this.#logs.row(log);
    if (through <= row.acked) return;
    if (through > endOf(row)) throw ackAhead(through, endOf(row));
    try {
      this.#write(() => this.#logs.saveAck(row, through, this.#o.clock.now()));
    } catch (error) {
      // On a disk that stays full the ack is kept in memory: the outbox drains, and the next ack that fits
      // says the same. A crash sends these leaves again, which `(log, seq)` makes harmless.
      if (!(error instanceof TilsynError) || error.code !== 'journal.full') throw error;
    }
    this.#logs.row(log).acked = through;
    this.#space.restock();
  }

  rewind(log: LogId, through: number): void {
    const row = this.#logs.row(log);
    if (through >= row.acked) return;
    if (!this.#logs.kept(row, through + 1)) throw notKept(through + 1);
    this.#write(() => this.#logs.saveRewind(row, through));
    row.acked = through;
  }

  succeed(log: LogId, reason: BirthReason, predecessor: { size: number; head: string | null }): void {
    const row = this.#logs.row(log);
    const through = Math.min(row.acked, predecessor.size);
    const gap = row.open ? (reason === 'collector-restored' ? reason : 'restored') : 'no-longer-kept';
    const lost = lostLeaves(this.#db, row, through + 1, endOf(row), gap);
    if (!row.open) this.#giveUp(row, through, lost);
    else this.#openSuccessor(row, through, lost, reason, predecessor);
    this.#emit();
  }

  /** A log that is to be born first in an empty database: as enrolled, or after a database was lost. */
  begin(birth: Birth, lost: Lost | null): void {
    this.#write(() => {
      this.#logs.insert(birth);
      if (lost !== null) this.#storeFirst(birth.reason, lost);
    });
    this.#born(birth.log as LogId);
  }

  /** At start: finishes what a crash interrupted, and ends the one-off groups of the process before. */
  resume(): void {
    this.#write(() => this.#groups.retireOneOff(this.#o.clock.now()));
    this.#groups.reload();
    this.#deleteDead();
    this.#space.restock();
  }

  addGroups(groups: readonly SignedGroup[]): void {
    this.#write(() => this.#groups.put(groups, this.#o.clock.now()));
    this.#groups.reload();
  }

  deadGroups(groups: readonly GroupId[]): void {
    this.#write(() => this.#groups.kill(groups, this.#o.clock.now()));
    // From here on these groups are dead for this machine; a crash leaves rows that the next start deletes.
    this.#groups.reload();
    for (const group of groups) this.#sealer.forget(group);
    this.#deleteDead();
  }

  heldGroups(): SignedGroup[] {
    return this.#groups.held();
  }

  erasedHere(): GroupId[] {
    return this.#groups.eraseLane();
  }

  erasedConfirmed(groups: readonly GroupId[]): void {
    this.#write(() => this.#groups.confirm(groups));
  }

  applied(): Applied {
    return this.#commands.applied();
  }

  applyCommand(
    generation: Id<'generation'>,
    n: number,
    verb: string,
    outcome: 'done' | 'failed' | 'unsupported',
  ): boolean {
    if (!this.#commands.isNext(generation, n)) return false;
    const draft: Draft<'command.applied'> = {
      type: 'command.applied',
      data: { generation, n, verb, outcome },
    };
    const { row, head } = this.#write(() => {
      this.#commands.save(generation, n);
      return this.#store([draft], [], {});
    });
    this.#moved(row, head);
    return true;
  }

  adoptGeneration(generation: Id<'generation'>): void {
    if (this.applied().generation === generation) return;
    this.#write(() => this.#commands.adopt(generation));
  }

  backlog(): number {
    return this.#logs.backlog();
  }

  onAppend(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  prune(): void {
    const keep = this.#o.keepAckedMs ?? KEEP_ACKED_MS;
    this.#guarded(() => this.#space.prune(this.#logs.rows(), this.#o.clock.now(), keep));
    this.#deleteDead();
  }

  /** Present log, or null before the first birth. */
  openLog(): LogId | null {
    return this.#logs.openRow()?.log ?? null;
  }

  close(): void {
    this.#sealer.forgetAll();
    this.#db.close();
  }

  /** Stores drafts, positions and what goes with them. Inside a transaction. */
  #store(drafts: readonly Draft[], cursors: readonly CursorUpdate[], aside: Aside) {
    const row = this.#openRow();
    const head: Head = { id: row.id, log: row.log, next: row.next, head: row.head };
    const first = row.next;
    if (drafts.length > 0) {
      this.#writer.append(head, drafts);
      this.#logs.saveHead(row, head.next, head.head);
    }
    this.#saveCursors(cursors, drafts, row, first, head.next - 1);
    this.#saveAside(aside);
    return { row, head, first };
  }

  #saveCursors(
    cursors: readonly CursorUpdate[],
    drafts: readonly Draft[] = [],
    log: LogRow | null = null,
    first = 0,
    last = 0,
  ): void {
    for (const { source, state } of cursors) {
      const row = this.#sources.row(source);
      // Only events made from the source's bytes can be read again (J4).
      const led = drafts.some((draft) => draft.from?.source === source);
      if (led && log !== null) this.#sources.mark(row, log.id, first, last);
      this.#sources.saveCursor(row, state);
    }
  }

  #saveAside({ unreadable = [], counts = {}, firstSight }: Aside): void {
    this.#sources.quarantine(unreadable, this.#o.clock.now());
    for (const [name, by] of Object.entries(counts)) this.#sources.count(name, by);
    if (firstSight !== undefined) this.#sources.saveFirstSight(firstSight.source, firstSight.sight);
  }

  #openSuccessor(
    row: LogRow,
    through: number,
    lost: Lost | null,
    reason: BirthReason,
    predecessor: { size: number; head: string | null },
  ): void {
    const birth = makeBirth(this.#o, reason, { log: row.log, ...predecessor });
    // One transaction: a crash leaves the old log open, and the next link finds the same disagreement again.
    this.#write(() => {
      this.#closeRow(row, through);
      this.#sources.goBack(row.id, through);
      this.#logs.insert(birth);
      this.#storeFirst(reason, lost);
    });
    this.#born(birth.log as LogId);
  }

  /** A closed log that cannot be refilled either: its rest is a gap of the open one. */
  #giveUp(row: LogRow, through: number, lost: Lost | null): void {
    const stored = this.#write(() => {
      this.#closeRow(row, through);
      return this.#store(lost === null ? [] : [gapEvent(lost)], [], {});
    });
    this.#logs.reload();
    this.#moved(stored.row, stored.head);
  }

  #closeRow(row: LogRow, through: number): void {
    const head = this.#logs.hashAt(row, through) ?? row.birthHash;
    this.#logs.close(row, through, head, through, this.#o.clock.now());
  }

  /** The first events of the log that was inserted in this transaction. */
  #storeFirst(reason: BirthReason, lost: Lost | null): void {
    this.#logs.reload();
    this.#store(successionEvents(reason, this.#o.version, lost), [], {});
  }

  #born(log: LogId): void {
    this.#logs.reload();
    this.#o.onBorn?.(log);
  }

  #openRow(): LogRow {
    const row = this.#logs.openRow();
    if (row !== null) return row;
    throw new TilsynError('journal.no-log', 'appending events: this agent has no log yet', {
      hint: 'Enrol it: `tilsyn agent enrol --state DIR --token-file F`.',
    });
  }

  #moved(row: LogRow, head: Head): void {
    const present = this.#logs.row(row.log);
    const grew = head.next > present.next;
    present.next = head.next;
    present.head = head.head;
    if (grew) this.#emit();
  }

  #emit(): void {
    for (const fn of this.#listeners) fn();
  }

  #deleteDead(): void {
    try {
      // What was deleted leaves the WAL as well (S3).
      if (this.#groups.deleteDead()) this.#db.pragma('wal_checkpoint(TRUNCATE)');
    } catch (error) {
      // No room to delete: nothing of it can be sent or opened here, and the next prune goes on.
      if (!isFull(error)) throw databaseError(error, 'deleting what erased groups held');
    }
  }

  /** One durable transaction, tried again once with more room where the disk is full (J7). */
  #write<T>(act: () => T, need = 0): T {
    this.#sealer.begin();
    try {
      const result = this.#space.withRoom(
        () => this.#logs.rows(),
        need,
        () => this.#db.transaction(act).immediate(),
      );
      this.#sealer.commit();
      return result;
    } catch (error) {
      this.#sealer.rollback();
      // The cache may have run ahead of what was rolled back: the disk is right.
      this.#logs.reload();
      this.#groups.reload();
      throw journalError(error);
    }
  }

  #guarded<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw journalError(error);
    }
  }
}

function journalError(error: unknown): TilsynError {
  if (!isFull(error)) return databaseError(error, 'writing to the journal');
  return new TilsynError('journal.full', 'writing to the journal: no space left on the device', {
    hint: 'Free some space on the volume of the state directory; reading goes on by itself, nothing is skipped.',
    retryable: true,
    cause: error,
  });
}

function ackAhead(through: number, end: number): TilsynError {
  return new TilsynError(
    'journal.ack-ahead',
    `taking an ack: through ${through}, but ${end} is the last event`,
    {
      exit: 'integrity',
    },
  );
}

function notKept(seq: number): TilsynError {
  return new TilsynError('journal.not-kept', `going back in a log: event ${seq} is no longer kept`, {
    hint: 'Open a successor log.',
    exit: 'integrity',
  });
}
