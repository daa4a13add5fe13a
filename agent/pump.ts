/**
 * One source, from its file to the journal: read on, make events, store them with the reading position, read on.
 *
 * U1  A row gives its events in one transaction with the reading position (J1); it is never split.
 * U2  Every line is an event, a counted history row, or a quarantined line with a count: none is passed over
 *     in silence, and none stops the reading.
 * U3, U4, U19  see `pump-sight.ts`, `sessions/occurrence.ts`
 * U5  What cannot be stored now (full disk, no key group yet) is given again later; nothing is skipped for it.
 * U6  The journal may move the reading position (a successor log reads again what was lost): the pump goes on
 *     from there, and never from what it remembers.
 * U7  `readThrough` is a time at which the file had been read to its end and everything in it was durable.
 * U20 What is tried again is what was made: while the disk is full or there is no key group, the same lines are not
 *     read again for what they mean, and nothing is replayed, however often it is tried, also where the file is rotated
 *     meanwhile. Where it has other lines by then, it is made anew.
 * U18 What one file of a tool changes in what another one's part remembers is stored with it, in one transaction: a row
 *     that ends a session takes it off the list that the log keeps.
 */
import { codeOf, hasCode } from '../protocol/errors.ts';
import type { LogId } from '../protocol/ids.ts';
import type { UtcMs } from '../protocol/time.ts';
import { noticeEvents, type SourceName, sourceEvent, unreadable, unreadableEvent } from './pump-events.ts';
import { isSame, type Made } from './pump-held.ts';
import type { Beside, PumpOptions, PumpState, SourceStatus, Turn } from './pump-options.ts';
import { type FirstSight, isHistory, isPast, readSight, sightOf } from './pump-sight.ts';
import { type LineSeen, noPlan, type Plan } from './sessions/part.ts';
import type { Feed } from './sources/feed.ts';
import type { FileState, FollowedLine, FollowState, FollowStep } from './sources/follow.ts';
import type { CursorUpdate, Draft } from './types.ts';

export type { Beside, PumpJournal, PumpOptions, PumpState, SourceStatus, Turn } from './pump-options.ts';

/** Rows of one transaction: about 50 ms of work where each is a session. */
export const ROWS = 200;
/** Of a log that says little about sessions so many lines; reading them costs next to nothing, a commit does. */
const MOST_ROWS = 1_000;
/** Events of a transaction up to which more lines are asked for the next time. */
const FEW_EVENTS = 200;
/** Between tries of what cannot be stored: doubles from the first to the last. */
const BACKOFF_MS = { least: 250, most: 5_000 };

/** Nothing was stored, for a reason that passes. */
const NO_ROOM = ['journal.full', 'seal.no-group'] as const;
/** One row that cannot become an event must not stop the others: it is then tried alone, and set aside. */
const POISON = ['event.invalid', 'event.too-large', 'seal.too-large', 'canonical.unencodable'] as const;

export class Pump implements Beside {
  readonly #o: PumpOptions;
  readonly #name: SourceName;
  #feed: Feed;
  /** What the part remembers is not what is stored: it is brought there before the next step (B9). */
  #stale = true;
  /** There was no room for it: the part knows of it already, the journal does not (U20). */
  #held: Made | null = null;
  /** The reading position as this pump last stored or loaded it. */
  #stored: string | null;
  #sight: FirstSight | null;
  #files: readonly FileState[] = [];
  #log: LogId | null;
  /** A successor log does not know yet that this source is read. */
  #announce = false;
  /** So many rows are still taken one at a time, because one of them cannot become an event. */
  #careful = 0;
  /** The next row alone was refused: it is set aside. */
  #refuse = false;
  #state: PumpState = 'starting';
  #behind = 0;
  #problem: string | null = null;
  #lastRowAt: UtcMs | null = null;
  #readThrough: UtcMs | null = null;
  #wait = 0;
  #told = 0;
  /** Lines that are asked for at once. */
  #most = ROWS;

  constructor(options: PumpOptions) {
    const { journal, source } = options;
    this.#o = options;
    this.#name = { source, tool: options.type };
    this.#stored = journal.cursor(source);
    this.#sight = readSight(journal.firstSight(source));
    this.#log = journal.openLog();
    this.#feed = this.#newFeed();
  }

  /** What was not stored comes again at the next start. */
  async close(): Promise<void> {
    await this.#feed.close();
  }

  /** Events stored by this pump, since it was made. */
  get told(): number {
    return this.#told;
  }

  /** How long to wait after a turn that was stuck, milliseconds. */
  get wait(): number {
    return this.#wait;
  }

  /** U7; null before the first time. */
  readThrough(): UtcMs | null {
    return this.#readThrough;
  }

  status(): SourceStatus {
    const { source, type, journal } = this.#o;
    return {
      source,
      type,
      state: this.#state,
      position: this.#files.find((file) => file.live)?.offset ?? null,
      behindBytes: this.#behind,
      rows: journal.counted(`rows:${source}`),
      unreadable: journal.counted(`unreadable:${source}`),
      skipped: journal.counted(`skipped:${source}`),
      unlisted: journal.counted(`unlisted:${source}`),
      lastRowAt: this.#lastRowAt,
      problem: this.#problem,
    };
  }

  /** True where the part has to be restored before the next step; whoever owns several does it for all of them. */
  get stale(): boolean {
    return this.#stale;
  }

  /** True where something waits for room: nothing else of the tool is read and stored before it (U20, U18). */
  get held(): boolean {
    return this.#held !== null;
  }

  /** What the part remembers is of no use any more. */
  forget(): void {
    this.#stale = true;
    this.#held = null;
  }

  /** Keeps track of the file while another one of the tool waits for room: what is rotated meanwhile is found (F2). */
  async look(): Promise<void> {
    await this.#feed.step(0);
    this.#feed.reject();
  }

  news(): CursorUpdate | null {
    const { source, part } = this.#o;
    if (this.#stored === null) return null;
    const state = JSON.parse(this.#stored) as FollowState;
    const text = JSON.stringify({ ...state, ...part.stored(state.files) });
    return text === this.#stored ? null : { source, state: text };
  }

  stored({ state }: CursorUpdate): void {
    this.#stored = state;
  }

  /** Brings the part to what is stored (B9). False: it could not be, and is to be tried again. */
  async restore(): Promise<boolean> {
    try {
      await this.#followTheJournal();
      await this.#o.part.restore(this.#stored, this.#feed, (line) => this.#seen(line, this.#sight));
      this.#stale = false;
    } catch (error) {
      this.forget();
      this.#stuck(error);
    }
    return !this.#stale;
  }

  /** One step: look, read, store. */
  async turn(): Promise<Turn> {
    try {
      return await this.#turn();
    } catch (error) {
      // No fault of a row: the folder of the source, or the database.
      return this.#stuck(error);
    }
  }

  async #turn(): Promise<Turn> {
    await this.#followTheJournal();
    if (this.#stale) return 'more';
    const looked = this.#o.clock.now();
    const step = await this.#feed.step(this.#held?.step.lines.length ?? this.#rows());
    if (this.#held === null) await this.#o.part.prepare(step.lines, [...step.state.files, ...this.#files]);
    else if (!isSame(this.#held.step, step)) return this.#otherwise();
    // Between look and store the uplink may have opened a successor log: this step is then of the past (U6).
    if (this.#moved()) return 'more';
    try {
      this.#store(step);
    } catch (error) {
      return this.#failed(error, step);
    }
    this.#went(step, looked);
    return step.more || this.#announce ? 'more' : 'idle';
  }

  /** How many lines to ask for. None before first sight: what stands there must be measured first (U3). */
  #rows(): number {
    if (this.#sight === null) return 0;
    return this.#careful > 0 ? 1 : this.#most;
  }

  /** The file was written anew, or its last line was gone on with, while there was no room. */
  #otherwise(): Turn {
    this.#feed.reject();
    this.forget();
    return 'more';
  }

  #newFeed(): Feed {
    const { feed, part } = this.#o;
    return feed(this.#stored === null ? null : JSON.parse(this.#stored), part);
  }

  #moved(): boolean {
    return this.#o.journal.openLog() !== this.#log || this.#o.journal.cursor(this.#o.source) !== this.#stored;
  }

  /** U6. */
  async #followTheJournal(): Promise<void> {
    if (!this.#moved()) return;
    this.#announce ||= this.#o.journal.openLog() !== this.#log;
    this.#log = this.#o.journal.openLog();
    await this.#reload();
  }

  /** Goes on from what the journal holds. */
  async #reload(): Promise<void> {
    await this.#feed.close();
    this.#stored = this.#o.journal.cursor(this.#o.source);
    this.#sight = readSight(this.#o.journal.firstSight(this.#o.source));
    this.#feed = this.#newFeed();
    this.forget();
  }

  #make(step: FollowStep): Made {
    const sight = this.#sight ?? sightOf(step.state);
    const plan = this.#plan(step, sight);
    return { step, plan, said: this.#sayHistory(sight, step, plan) };
  }

  /** Stores a step, or throws and has stored nothing of it. */
  #store(step: FollowStep): void {
    this.#held ??= this.#make(step);
    const { plan, said } = this.#held;
    const drafts = [...this.#ofFile(step), ...plan.drafts];
    const seen = said !== null && JSON.stringify(said) !== JSON.stringify(this.#sight);
    const empty = step.lines.length === 0 && step.notices.length === 0 && drafts.length === 0;
    if (empty && !seen) {
      this.#held = null;
      return;
    }
    const { source, part, beside = [] } = this.#o;
    const state = JSON.stringify({ ...step.state, ...part.stored(step.state.files) });
    const others = drafts.length === 0 ? [] : beside.map((other) => ({ other, news: other.news() }));
    const moved = others.flatMap(({ news }) => (news === null ? [] : [news]));
    this.#o.journal.append(drafts, [{ source, state }, ...moved], {
      unreadable: plan.bad,
      counts: {
        [`rows:${source}`]: plan.rows,
        [`unreadable:${source}`]: plan.bad.length,
        [`skipped:${source}`]: plan.skipped + plan.passed,
        [`unlisted:${source}`]: plan.unlisted,
        'fields-cut': plan.cut,
      },
      ...(seen ? { firstSight: { source, sight: JSON.stringify(said) } } : {}),
    });
    // Durable from here on. A crash before `accept` changes nothing: the next start goes on from the position.
    this.#held = null;
    this.#stored = state;
    for (const { other, news } of others) if (news !== null) other.stored(news);
    this.#sight = said;
    this.#announce = false;
    this.#feed.accept(step);
    this.#told += drafts.length;
    if (drafts.length > FEW_EVENTS) this.#most = ROWS;
    else if (step.lines.length >= this.#most) this.#most = Math.min(this.#most * 2, MOST_ROWS);
    if (plan.rows > 0) this.#lastRowAt = this.#o.clock.now();
  }

  /** What the file went through, before what its lines say: as it is known when it is stored. */
  #ofFile(step: FollowStep): Draft[] {
    const opened = this.#announce ? [this.#opened(step)] : [];
    return [...opened, ...step.notices.flatMap((notice) => noticeEvents(this.#name, notice))];
  }

  #plan(step: FollowStep, sight: FirstSight | null): Plan {
    const { part, clock } = this.#o;
    const plan = noPlan();
    for (const line of step.lines) this.#line(plan, line, sight);
    const past = sight !== null && isPast(sight, step.state);
    const atEnd = !step.more && step.behindBytes === 0 && step.state.unreadable === null;
    part.tick(plan, { now: clock.now(), past, atEnd });
    plan.drafts.push(...unreadableEvent(this.#name, plan.bad));
    return plan;
  }

  #seen(line: FollowedLine, sight: FirstSight | null): LineSeen {
    return { history: sight !== null && isHistory(sight, this.#o.start, line) };
  }

  #line(plan: Plan, line: FollowedLine, sight: FirstSight | null): void {
    const { source, digestKey, part } = this.#o;
    const reason = this.#refuse ? 'refused' : part.line(plan, line, this.#seen(line, sight));
    if (reason !== null) plan.bad.push(unreadable(source, digestKey, line, reason));
  }

  /** U3, U19: the counts of what was passed over, said once. */
  #sayHistory(sight: FirstSight | null, step: FollowStep, plan: Plan): FirstSight | null {
    if (sight === null) return sight;
    if (sight.said) {
      // What came to the file later is no part of what was there: it is told with the step that read it.
      this.#skip(plan, 'before-agreement', plan.passed, null);
      return sight;
    }
    const skipped = sight.skipped + plan.skipped;
    const passed = (sight.passed ?? 0) + plan.passed;
    const said = isPast(sight, step.state);
    if (said) {
      this.#skip(plan, 'before-enrolment', skipped, sight.through);
      this.#skip(plan, 'before-agreement', passed, sight.through);
    }
    return { ...sight, skipped, passed, said };
  }

  #skip(plan: Plan, reason: string, count: number, length: number | null): void {
    if (count === 0) return;
    const facts = { offset: length === null ? null : 0, length, count, reason };
    plan.drafts.push(sourceEvent(this.#name, 'source.skipped', facts));
  }

  #opened(step: FollowStep): Draft {
    const live = step.state.files.find((file) => file.live);
    const facts = { offset: live?.offset ?? null, length: live?.size ?? null, reason: 'successor-log' };
    return sourceEvent(this.#name, 'source.opened', facts);
  }

  #went(step: FollowStep, looked: UtcMs): void {
    this.#files = step.state.files;
    this.#behind = step.behindBytes;
    this.#careful = Math.max(0, this.#careful - step.lines.length);
    this.#refuse = false;
    this.#wait = 0;
    this.#problem = step.state.unreadable;
    this.#state = stateOf(step);
    this.#o.log.recovered(`source.${this.#o.source}`);
    if (step.more || step.behindBytes > 0 || step.state.unreadable !== null || this.#sight === null) return;
    this.#readThrough = looked;
  }

  /** A step that was not stored, as far as known. What the part made of its lines has not happened. */
  async #failed(error: unknown, step: FollowStep): Promise<Turn> {
    this.#behind = step.behindBytes;
    if (hasCode(error, ...NO_ROOM) && this.#held !== null) {
      this.#feed.reject();
      return this.#stuck(error);
    }
    this.forget();
    if (hasCode(error, ...POISON) && step.lines.length > 0) {
      this.#refuse = this.#careful > 0;
      this.#careful = step.lines.length;
      this.#feed.reject();
      return 'more';
    }
    // It may have been stored all the same (a failure after the commit): the journal knows.
    await this.#reload();
    return this.#stuck(error);
  }

  #stuck(error: unknown): Turn {
    this.#state = 'waiting';
    this.#problem = codeOf(error);
    this.#wait = Math.min(Math.max(this.#wait * 2, BACKOFF_MS.least), BACKOFF_MS.most);
    this.#o.log.trouble(`source.${this.#o.source}`, error);
    return 'stuck';
  }
}

function stateOf(step: FollowStep): PumpState {
  if (step.state.unreadable !== null) return 'unreadable';
  if (step.more) return 'reading';
  return step.state.files.some((file) => file.live) ? 'caught-up' : 'no-file';
}
