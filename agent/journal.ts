/**
 * The journal: append-only events, their sealed parts, and the reading positions that led to them. The rows
 * after the acked cursor are the outbox; there is no second queue.
 *
 * J1  Events and the reading positions they came from are one transaction: neither is ever stored without the
 *     other.
 * J2  `(log, seq)` is unique, `seq` has no holes, `prev` is the hash of what stands before: also after a failed
 *     write, a kill at any moment, a full disk.
 * J3, J4  see `journal-sources.ts` · J5, J6 `journal-outgoing.ts` · J7, J8, J11 `journal-space.ts` ·
 * J9  `journal-commands.ts` · S5, O1 `journal-groups.ts` · K1–K5 `sealer.ts` · B1 `protocol/birth.ts`
 * J10 What was appended is on the disk when `append` returns (Q1).
 */
import type { Birth, BirthReason } from '../protocol/birth.ts';
import { hasCode, TilsynError } from '../protocol/errors.ts';
import { KEEP_ACKED_MS } from '../protocol/frame.ts';
import type { SignedGroup } from '../protocol/group.ts';
import type { GroupId, Id, LogId, SourceId } from '../protocol/ids.ts';
import { type UtcMs, utcMs } from '../protocol/time.ts';
import { type Aside, JournalCore, type JournalOptions, journalError } from './journal-core.ts';
import { beginLog, endLog, type Predecessor } from './journal-ending.ts';
import { endOf } from './journal-logs.ts';
import type { Lost } from './journal-succession.ts';
import type { Applied, CursorUpdate, Draft, Journal, LogSummary, Outgoing } from './types.ts';

export type { Aside, JournalOptions } from './journal-core.ts';

/** What an event takes in the database with its part and its places in the indices, about. */
const DRAFT_BYTES = 2048;

export class AgentJournal implements Journal {
  readonly #core: JournalCore;

  constructor(options: JournalOptions) {
    this.#core = new JournalCore(options);
  }

  /** `aside`: what is stored beside events, in the same transaction. */
  append(
    drafts: readonly Draft[],
    cursors: readonly CursorUpdate[] = [],
    aside: Aside = {},
  ): { firstSeq: number; lastSeq: number } | null {
    if (drafts.length === 0 && cursors.length === 0 && Object.keys(aside).length === 0) return null;
    const core = this.#core;
    // The law broken on purpose, for the proof that the crash test sees it.
    const early = core.faults.broken?.('offset-before-event') === true;
    if (early) core.write(() => core.saveCursors(cursors));
    const stored = core.write(() => {
      const inside = core.store(drafts, early ? [] : cursors, aside);
      core.faults.hit?.('agent.append.before-commit');
      // A crash up to here leaves nothing of this append; from the commit on, all of it.
      return inside;
    }, drafts.length * DRAFT_BYTES);
    core.stored(stored);
    core.faults.hit?.('agent.append.after-commit');
    core.tidy();
    core.faults.hit?.('agent.append.tidied');
    return drafts.length === 0 ? null : { firstSeq: stored.first, lastSeq: stored.head.next - 1 };
  }

  /**
   * One durable transaction in which is decided what happened, stored what belongs to it, and told (R1, R2). What
   * `act` reads is what is so at the commit; where it throws, nothing was stored.
   */
  transact(act: () => { tell: readonly Draft[] }): void {
    const core = this.#core;
    const stored = core.write(() => {
      const { tell } = act();
      return tell.length === 0 ? null : core.store(tell);
    }, DRAFT_BYTES);
    if (stored !== null) core.stored(stored);
  }

  /** One transaction that gives way to events. False where there is no room for it (J11). `lasting`: as `JournalCore` has it. */
  spare(act: () => void, lasting = true): boolean {
    return this.#core.spare(act, lasting);
  }

  /**
   * Deletes what is no event: `slice` is called in transactions of its own until it says that nothing is left, and then
   * the WAL is emptied (S3). A crash leaves a part of it, to be deleted by calling it again.
   * @returns false where somebody reads the database at this moment: call it again
   */
  erase(slice: () => boolean): boolean {
    while (this.#core.write(slice)) this.#core.faults.hit?.('agent.erase.slice');
    this.#core.faults.hit?.('agent.erase.rows-gone');
    return this.#core.wiped();
  }

  /** Losses that were told in this run (journal.gap). */
  gaps(): number {
    return this.#core.gaps;
  }

  /** When the oldest event was made that is not acked yet; null where all are. */
  waitingSince(): UtcMs | null {
    return this.#core.logs.waitingSince();
  }

  cursor(source: SourceId): string | null {
    return this.#core.sources.cursor(source);
  }

  firstSight(source: SourceId): string | null {
    return this.#core.sources.firstSight(source);
  }

  sourceId(label: string): SourceId {
    return this.#core.write(() => this.#core.sources.idOf(label));
  }

  counted(name: string): number {
    return this.#core.sources.counted(name);
  }

  logs(): LogSummary[] {
    return this.#core.logs.summaries();
  }

  hashAt(log: LogId, seq: number): Buffer | null {
    return this.#core.logs.hashAt(this.#core.logs.row(log), seq);
  }

  outgoing(log: LogId, after: number, limits: { events: number; bytes: number }): Outgoing | null {
    const out = this.#core.outbox.next(this.#core.logs.row(log), after, limits);
    if (out === null) return null;
    const named = new Set(out.parts.filter(({ wrap }) => wrap === null).map(({ group }) => group));
    return named.size === 0 ? out : { ...out, keys: this.#core.sealer.oneoffKeys(named) };
  }

  acked(log: LogId, through: number): void {
    const row = this.#core.logs.row(log);
    if (through <= row.acked) return;
    if (through > endOf(row)) throw ackAhead(through, endOf(row));
    try {
      this.#core.write(() => this.#core.logs.saveAck(row, through, this.#core.o.clock.now()));
    } catch (error) {
      // On a disk that stays full the ack is kept in memory: the outbox drains, and the next ack that fits
      // says the same. A crash sends these leaves again, which `(log, seq)` makes harmless.
      if (!hasCode(error, 'journal.full')) throw error;
    }
    this.#core.logs.row(log).acked = through;
    this.#core.space.restock();
  }

  rewind(log: LogId, through: number): void {
    const row = this.#core.logs.row(log);
    if (through >= row.acked) return;
    if (!this.#core.logs.kept(row, through + 1)) throw notKept(through + 1);
    this.#core.write(() => this.#core.logs.saveRewind(row, through));
    row.acked = through;
  }

  succeed(log: LogId, reason: BirthReason, predecessor: Predecessor): void {
    endLog(this.#core, log, reason, predecessor);
  }

  /** The first log of an empty database. */
  begin(birth: Birth, lost: Lost | null): void {
    beginLog(this.#core, birth, lost);
  }

  /** At start: finishes what a crash interrupted, and ends the one-off groups of the process before. */
  resume(): void {
    const { groups, space, o } = this.#core;
    this.#core.write(() => groups.retireOneOff(o.clock.now()));
    groups.reload();
    this.#core.deleteDead();
    this.#core.wipeAtStart();
    space.restock();
  }

  addGroups(groups: readonly SignedGroup[]): void {
    this.#core.write(() => this.#core.groups.put(groups, this.#core.o.clock.now()));
    this.#core.groups.reload();
  }

  deadGroups(groups: readonly GroupId[]): void {
    this.#core.write(() => this.#core.groups.kill(groups, this.#core.o.clock.now()));
    // From here on these groups are dead for this machine; a crash leaves rows that the next start deletes.
    this.#core.groups.reload();
    for (const group of groups) this.#core.sealer.forget(group);
    this.#core.deleteDead();
  }

  heldGroups(): SignedGroup[] {
    return this.#core.groups.held();
  }

  /** The process is over: what it knows of one-off sessions ends now, and not with the next start (O1). */
  endOneOffs(): void {
    const { groups, o } = this.#core;
    this.#core.write(() => groups.endOneOffs(o.clock.now()));
    this.#core.tidy();
    this.#core.emit();
  }

  oneoffKeys(): { group: GroupId; key: string }[] {
    return this.#core.sealer.oneoffKeys();
  }

  erasedHere(): GroupId[] {
    return this.#core.groups.eraseLane();
  }

  erasedConfirmed(groups: readonly GroupId[]): void {
    this.#core.write(() => this.#core.groups.confirm(groups));
  }

  applied(): Applied {
    return this.#core.commands.applied();
  }

  applyCommand(
    generation: Id<'generation'>,
    n: number,
    verb: string,
    outcome: 'done' | 'failed' | 'unsupported',
  ): boolean {
    if (!this.#core.commands.isNext(generation, n)) return false;
    const draft: Draft<'command.applied'> = {
      type: 'command.applied',
      data: { generation, n, verb, outcome },
    };
    const stored = this.#core.write(() => {
      this.#core.commands.save(generation, n);
      return this.#core.store([draft]);
    });
    this.#core.stored(stored);
    return true;
  }

  adoptGeneration(generation: Id<'generation'>): void {
    if (this.applied().generation === generation) return;
    const { commands, groups, o } = this.#core;
    const since = utcMs(o.clock.now() - (o.keepAckedMs ?? KEEP_ACKED_MS));
    this.#core.write(() => {
      commands.adopt(generation);
      // A restored collector may hold again what died here since its backup was made (S5).
      groups.tellAgain(since);
    });
  }

  backlog(): number {
    return this.#core.logs.backlog();
  }

  onAppend(fn: () => void): () => void {
    return this.#core.listen(fn);
  }

  prune(): void {
    const keep = this.#core.o.keepAckedMs ?? KEEP_ACKED_MS;
    const { logs, space, o } = this.#core;
    try {
      space.prune(logs.rows(), o.clock.now(), keep);
    } catch (error) {
      throw journalError(error);
    }
    this.#core.deleteDead();
  }

  /** Present log, or null before the first birth. */
  openLog(): LogId | null {
    return this.#core.logs.openRow()?.log ?? null;
  }

  close(): void {
    this.#core.close();
  }
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
