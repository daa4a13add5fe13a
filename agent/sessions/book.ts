/**
 * The sessions of one tool on this machine, as far as they are open or ended a moment ago: changes in, events out.
 * Memory only; `places.ts` is what the disk remembers of it.
 *
 * B4  A session is told in the order: attempted, then started or rejected, then ended; each at most once, under one id.
 * B5  After a restart the same lines are read again, by the same road, and what comes of it is thrown away: it was told
 *     before. Only ids are remembered; a session whose lines are gone ends as unknown.
 * B6  With `startFrom: now` a session that began and ended before the enrolment is counted as skipped; one that is
 *     still open then is told, however early it began.
 * B7  What this agent is not to record (`match: listed`) is never told, only counted.
 * B12 No session outlives the machine's own start: one that began before it, and of whose end the log says nothing, ended
 *     with the machine. A power cut writes no last line.
 * B13 How long a row is waited for counts from where its file is read: one that cannot be read now may have it.
 * B14 What ended before an earlier agreement of this site did is not told but counted, whenever its lines came; what was
 *     open then is told.
 * B8  Sessions, attempts and failures that are remembered are bounded; what is pushed out ends as unknown, attempts before
 *     sessions.
 */
import { newId, type Random, type SessionId, type SourceId } from '../../protocol/ids.ts';
import { HOUR_MS, MINUTE_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import type { Beginning, Direction, Known, SessionChange } from '../sources/change.ts';
import type { AgentIdentity, Draft } from '../types.ts';
import { begun, ended, type Made, rejected, type Told, updated } from './drafts.ts';
import { Failures, type Summary } from './failures.ts';
import { earlier, type OpenPlace, type OpenState, type Place, placeKey } from './places.ts';

/** Sessions that are open at once; a terminal server has hundreds. */
const MOST_OPEN = 1_024;
/** How long after its end a row about a session may come. */
export const ROW_WAIT_MS = 10 * MINUTE_MS;
/** An attempt of which nothing more was heard for so long is forgotten. */
const ATTEMPT_MS = HOUR_MS;
/** Attempts told in an hour; of those beyond only what becomes a session is told. */
const MOST_ATTEMPTS = 256;

/** Clocks are set while a machine starts. */
const BOOT_SLACK_MS = 5 * MINUTE_MS;

type Change<W extends SessionChange['what']> = Extract<SessionChange, { what: W }>;

export interface BookOptions {
  source: SourceId;
  tool: Told['tool'];
  /** Of incoming sessions; outgoing ones are one-off until the collector knows better. */
  mode: AgentIdentity['mode'];
  /** What its file is called in events. */
  word: string;
  random: Random;
  /** B7. */
  matches: (known: Known) => boolean;
  /** B6; null: everything is read. */
  enrolledAt: UtcMs | null;
  /** B14; null: there was none. */
  readFrom: () => UtcMs | null;
  /** Directions of which a session that ended is kept for a while, because a row about it may come. */
  rows: readonly Direction[];
}

export interface Output {
  drafts: Draft[];
  /** Sessions told. */
  rows: number;
  skipped: number;
  /** Of an earlier agreement (B14). */
  passed: number;
  unlisted: number;
  /** Fields that were too long. */
  cut: number;
}

export const noOutput = (): Output => ({ drafts: [], rows: 0, skipped: 0, passed: 0, unlisted: 0, cut: 0 });

/** Attempts told in one hour, and where the first of them stands. */
const noAttempts = () => ({ hour: 0, told: 0, since: null as Place | null });

export interface OpenSession {
  key: string;
  session: SessionId;
  place: Place;
  /** `silent`: not told, and never will be. */
  state: OpenState | 'silent';
  startedAt: UtcMs;
  endedAt: UtcMs | null;
  /** When its end had been read, by this machine's clock: its row may come from then on. */
  readAt: UtcMs | null;
  direction: Direction;
  known: Known;
  /** Its beginning stood in the file at first sight. */
  history: boolean;
  /** Of `held`: what is told once it is known to be no history. */
  waiting: (Change<'started'> | Change<'updated'>)[];
}

export class SessionBook {
  readonly #o: BookOptions;
  readonly #open = new Map<string, OpenSession>();
  readonly #failures = new Failures();
  /** By place, while lines are read again (B5). */
  #remembered: Map<string, OpenPlace> | null = null;
  #attempts = noAttempts();
  /** When the rows of a direction had last been read to their end. */
  readonly #rowsAt = new Map<Direction, UtcMs>();

  constructor(options: BookOptions) {
    this.#o = options;
  }

  /** Forgets everything and takes the ids that the disk remembers. Lines that follow are old ones, until `caughtUp`. */
  restore(open: readonly OpenPlace[]): void {
    this.#open.clear();
    this.#failures.reset();
    this.#attempts = noAttempts();
    this.#remembered = new Map(open.map((one) => [placeKey(one), one]));
  }

  /** Every line up to the cursor was read again, as far as they are still there. */
  caughtUp(out: Output, now: UtcMs): void {
    const remembered = this.#remembered ?? new Map<string, OpenPlace>();
    this.#remembered = null;
    for (const one of this.#open.values()) {
      const known = remembered.get(placeKey(one.place));
      remembered.delete(placeKey(one.place));
      // One that is not remembered was told to its end, or was not to be told.
      one.state = known?.state ?? 'silent';
      if (one.state !== 'held') one.waiting = [];
      if (known?.endedAt != null) one.endedAt = utcMs(known.endedAt);
    }
    for (const { session, state, startedAt, start } of remembered.values()) {
      if (state !== 'active') continue;
      const told = { session, source: this.#o.source, offset: start };
      out.drafts.push(ended(told, { startedAt, endedAt: now }, 'observed', 'unknown'));
    }
  }

  /** For the disk. `failing`: where what waits to be counted begins. */
  places(): { open: OpenPlace[]; failing: Place | null } {
    const open = [...this.#open.values()].flatMap(({ state, place, session, startedAt, endedAt }) =>
      state === 'silent' ? [] : [{ ...place, session, state, startedAt, endedAt }],
    );
    const failing = this.#failures.since;
    // What is counted depends on which attempts were told: these are counted again too (B3).
    return { open, failing: failing === null ? null : earlier(failing, this.#attempts.since) };
  }

  /** Sessions that a row may be about: told, open or ended a moment ago. */
  candidates(): OpenSession[] {
    return [...this.#open.values()].filter(({ state }) => state === 'active' || state === 'done');
  }

  /** Incoming ones whose end was told and for which no row came within `ROW_WAIT_MS`. */
  withoutRow(now: UtcMs): OpenSession[] {
    return this.candidates().filter(
      (one) => one.direction === 'incoming' && this.#waited(one, now) > ROW_WAIT_MS,
    );
  }

  /** The rows of this direction were read to their end (B13). */
  rowsRead(direction: Direction, now: UtcMs): void {
    this.#rowsAt.set(direction, now);
  }

  /** For so long the row about a session that ended could have been read. */
  #waited({ direction, readAt }: OpenSession, now: UtcMs): number {
    if (readAt === null) return 0;
    const { rows } = this.#o;
    return (rows.includes(direction) ? (this.#rowsAt.get(direction) ?? readAt) : now) - readAt;
  }

  /** A row was joined to it, which says when it ended. True: nothing had said so before. */
  close(one: OpenSession, endedAt: UtcMs): boolean {
    const open = one.state === 'active';
    one.endedAt ??= endedAt;
    // Its last lines in the log are still to come, and are nothing new.
    if (open) one.state = 'silent';
    else this.#open.delete(one.key);
    return open;
  }

  /** @param history the line stood in the file when it was first seen (B6) */
  take(out: Output, change: SessionChange, place: Place, history: boolean): void {
    if (change.what === 'attempted') this.#attempted(out, change, place, history);
    else if (change.what === 'rejected') this.#rejected(out, change, place, history);
    else if (change.what === 'started') this.#started(out, change, place, history);
    else if (change.what === 'updated') this.#updated(out, change, place);
    else if (change.what === 'ended') this.#ended(out, change, place);
    else if (change.what === 'tool-stopped') this.#stopped(out, change, place);
  }

  /** What time alone brings, once the log has been read to its end. */
  tick(out: Output, now: UtcMs, bootedAt: UtcMs): void {
    for (const { key, state, startedAt, place } of [...this.#open.values()]) {
      if (state !== 'active' || startedAt >= bootedAt - BOOT_SLACK_MS) continue;
      const over = { what: 'ended', key, at: bootedAt, basis: 'observed', reason: 'tool-stopped' } as const;
      this.#ended(out, over, place);
    }
    for (const summary of this.#failures.dueAt(now)) this.#tellSummary(out, summary);
    for (const [key, one] of this.#open) {
      const attempt = one.state === 'untold' || one.state === 'attempted';
      if (attempt && now - one.startedAt > ATTEMPT_MS) this.#open.delete(key);
      if (one.endedAt !== null) one.readAt ??= now;
      if (this.#waited(one, now) > 2 * ROW_WAIT_MS) this.#open.delete(key);
    }
  }

  /** All that stood in the file at first sight was read: what is still open is no history (B6). */
  pastHistory(out: Output, atEnd: boolean): void {
    for (const one of this.#open.values()) {
      // Lines of an earlier agreement may come at any time, and their end only with the next step (B14).
      if (one.state === 'held' && (atEnd || !this.#isBefore(one.startedAt))) this.#tellHeld(out, one);
    }
  }

  #attempted(out: Output, change: Change<'attempted'>, place: Place, history: boolean): void {
    const one = this.#add(out, change, place);
    const old = (history && this.#isOld(change.at)) || this.#isBefore(change.at);
    if (old || !this.#o.matches(change.known) || !this.#mayTellAttempt(change.at, place)) return;
    one.state = 'attempted';
    this.#push(out, begun('session.attempted', this.#told(one, place), change));
  }

  #started(out: Output, change: Change<'started'>, place: Place, history: boolean): void {
    const present = this.#open.get(change.key);
    const attempt = present?.state === 'untold' || present?.state === 'attempted';
    const one = present !== undefined && attempt ? present : this.#add(out, change, place);
    Object.assign(one, { startedAt: change.at, direction: change.direction, history });
    one.known = { ...one.known, ...change.known };
    if (!this.#o.matches(one.known)) {
      one.state = 'silent';
      out.unlisted += 1;
    } else if ((history && this.#isOld(change.at)) || this.#isBefore(change.at)) {
      one.state = 'held';
      one.waiting.push(change);
    } else {
      this.#tellStart(out, one, change, place);
    }
  }

  #tellStart(out: Output, one: OpenSession, change: Change<'started'>, place: Place): void {
    one.state = 'active';
    out.rows += 1;
    const told = this.#told(one, place);
    this.#push(out, begun('session.started', told, change));
    const { auth, failedAttempts } = change;
    if (auth === null && failedAttempts === null) return;
    this.#push(out, updated(told, change.at, { auth, failedAttempts }));
  }

  #rejected(out: Output, change: Change<'rejected'>, place: Place, history: boolean): void {
    const present = this.#open.get(change.key);
    const open = present?.state === 'attempted' || present?.state === 'untold' ? present : undefined;
    if (open !== undefined) this.#open.delete(change.key);
    if (!this.#o.matches(change.known)) out.unlisted += change.count;
    else if (this.#isBefore(change.at)) out.passed += 1;
    else if (history && this.#isOld(change.at)) out.skipped += 1;
    else this.#countRejected(out, change, place, open);
  }

  #countRejected(out: Output, change: Change<'rejected'>, place: Place, open: OpenSession | undefined): void {
    // Who was told to have knocked is told to have been refused, whatever is counted together.
    const { tell, due } = this.#failures.add(change, place, open?.state === 'attempted');
    for (const summary of due) this.#tellSummary(out, summary);
    if (!tell) return;
    const one = { session: open?.session ?? newId<'session'>(this.#o.random), direction: change.direction };
    this.#push(out, rejected(this.#told(one, place), change, null));
  }

  #tellSummary(out: Output, { first, onePeer, count, from, to, reason }: Summary): void {
    const one = { session: newId<'session'>(this.#o.random), direction: first.direction };
    // Accounts are tried by the thousand: the first one is no more than the others.
    const { localUser: _first, ...peer } = first.known;
    const known = onePeer ? peer : {};
    this.#push(out, rejected(this.#told(one, null), { ...first, at: from, known, reason, count }, to));
  }

  #updated(out: Output, change: Change<'updated'>, place: Place): void {
    const one = this.#open.get(change.key);
    if (one === undefined) return;
    one.known = { ...one.known, ...change.known };
    if (one.state === 'held') one.waiting = withUpdate(one.waiting, change);
    if (one.state !== 'active' && one.state !== 'done') return;
    const { what: _what, key: _key, known, ...news } = change;
    if (known === undefined && Object.keys(news).length === 0) return;
    // Of a one-off session nothing personal is kept once it is over, so nothing is added.
    const told = this.#told(one, place);
    const closed = one.state === 'done' && told.mode === 'one-off';
    this.#push(out, updated(told, one.startedAt, known === undefined || closed ? news : { ...news, known }));
  }

  #ended(out: Output, change: Change<'ended'>, place: Place): void {
    const one = this.#open.get(change.key);
    if (one === undefined || one.endedAt !== null) return;
    const before = this.#isBefore(change.at);
    if (one.state === 'held' && (before || (one.history && this.#isOld(change.at)))) {
      if (before) out.passed += 1;
      else out.skipped += 1;
      this.#open.delete(change.key);
      return;
    }
    if (one.state === 'held') this.#tellHeld(out, one);
    one.endedAt = change.at;
    // Of an attempt too: how long somebody was connected is evidence, whether they were let in or not.
    if (one.state === 'active' || one.state === 'attempted') {
      const told = { session: one.session, source: this.#o.source, offset: place.start };
      const { startedAt } = one;
      out.drafts.push(ended(told, { startedAt, endedAt: change.at }, change.basis, change.reason));
    }
    if (one.state === 'active' && this.#o.rows.length > 0) one.state = 'done';
    else this.#open.delete(change.key);
  }

  #stopped(out: Output, { at, basis }: Change<'tool-stopped'>, place: Place): void {
    for (const { key } of [...this.#open.values()]) {
      this.#ended(out, { what: 'ended', key, at, basis, reason: 'tool-stopped' }, place);
    }
  }

  #tellHeld(out: Output, one: OpenSession): void {
    const { waiting } = one;
    one.waiting = [];
    for (const change of waiting) {
      if (change.what === 'started') this.#tellStart(out, one, change, one.place);
      else this.#updated(out, change, one.place);
    }
  }

  /** A new session under this key. One that is open under it, or has no room, ends as unknown (B8). */
  #add(out: Output, { key, at, direction, known }: Beginning, place: Place): OpenSession {
    for (const gone of [key, this.#open.size >= MOST_OPEN ? this.#least() : undefined]) {
      if (gone === undefined || !this.#open.has(gone)) continue;
      this.#ended(out, { what: 'ended', key: gone, at, basis: 'observed', reason: 'unknown' }, place);
      this.#open.delete(gone);
    }
    const session = this.#remembered?.get(placeKey(place))?.session ?? newId<'session'>(this.#o.random);
    const times = { startedAt: at, endedAt: null, readAt: null };
    const one: OpenSession = {
      key,
      session,
      place,
      state: 'untold',
      ...times,
      direction,
      known,
      history: false,
      waiting: [],
    };
    this.#open.set(key, one);
    return one;
  }

  /** Who gives way (B8): the oldest attempt, so that nobody who is there is pushed out by knocking; then the oldest. */
  #least(): string | undefined {
    for (const { key, state } of this.#open.values())
      if (state === 'untold' || state === 'attempted') return key;
    return this.#open.keys().next().value;
  }

  #mayTellAttempt(at: UtcMs, place: Place): boolean {
    const hour = Math.floor(at / HOUR_MS);
    if (hour !== this.#attempts.hour) this.#attempts = { hour, told: 0, since: place };
    this.#attempts.told += 1;
    return this.#attempts.told <= MOST_ATTEMPTS;
  }

  #isOld(at: UtcMs): boolean {
    return this.#o.enrolledAt !== null && at < this.#o.enrolledAt;
  }

  #isBefore(at: UtcMs): boolean {
    const from = this.#o.readFrom();
    return from !== null && at < from;
  }

  /** @param place null: no line in particular */
  #told({ session, direction }: Pick<OpenSession, 'session' | 'direction'>, place: Place | null): Told {
    const { source, tool, mode, word } = this.#o;
    return {
      ...{ session, source, tool, word, offset: place?.start ?? 0 },
      mode: direction === 'outgoing' ? 'one-off' : mode,
    };
  }

  #push(out: Output, { draft, cut }: Made): void {
    out.drafts.push(draft);
    out.cut += cut;
  }
}

/** All that came to be known in one: a session that is not told yet holds two changes at most (B8). */
function withUpdate(waiting: OpenSession['waiting'], change: Change<'updated'>): OpenSession['waiting'] {
  const before = waiting.find((one) => one.what === 'updated');
  const known = { ...before?.known, ...change.known };
  const whole = { ...before, ...change, ...(Object.keys(known).length === 0 ? {} : { known }) };
  return [...waiting.filter((one) => one.what === 'started'), whole];
}
