/**
 * Sessions put together from what a reader said, for somebody who wants to see what a log holds. Pure; counts
 * everything, remembers little.
 *
 * M5  Every change is counted. What is remembered is bounded: the first rows that were asked for, and the sessions
 *     that are open, of which the oldest give way.
 */
import { type UtcMs, utcMs } from '../../protocol/time.ts';
import type { AuthMethod, Beginning, Known, RejectReason, SessionChange, TimeBasis } from './change.ts';
import { joined } from './known.ts';

export type TallyState = 'attempted' | 'rejected' | 'active' | 'ended' | 'unknown-end';

export interface TallyRow {
  state: TallyState;
  startedAt: UtcMs;
  startBasis: TimeBasis;
  endedAt: UtcMs | null;
  endBasis: TimeBasis | null;
  endReason: 'completed' | 'tool-stopped' | 'unknown' | null;
  direction: Beginning['direction'];
  kind: Beginning['kind'];
  auth: AuthMethod | null;
  failedAttempts: number | null;
  files: number | null;
  known: Known;
}

export interface AttemptRow {
  /** Null: the log does not say what came of it. */
  reason: RejectReason | null;
  at: UtcMs;
  basis: TimeBasis;
  count: number;
  known: Known;
}

export interface TallyCounts {
  /** Access was granted. */
  sessions: number;
  active: number;
  ended: number;
  unknownEnd: number;
  /** Somebody was refused, so often. */
  rejected: number;
  /** Somebody knocked, and nothing says what came of it. */
  unanswered: number;
}

export interface Tallied extends TallyCounts {
  firstStart: UtcMs | null;
  lastEnd: UtcMs | null;
  rows: TallyRow[];
  attempts: AttemptRow[];
  findings: { finding: string; count: number }[];
}

const MAX_OPEN = 10_000;
/** Something more may be said of a session that ended a moment ago. */
const MAX_RECENT = 64;

export class Tally {
  readonly #wanted: number;
  readonly #knocking = new Map<string, AttemptRow>();
  readonly #open = new Map<string, TallyRow>();
  readonly #recent = new Map<string, TallyRow>();
  readonly #rows: TallyRow[] = [];
  readonly #attempts: AttemptRow[] = [];
  readonly #findings = new Map<string, number>();
  readonly #count = { sessions: 0, ended: 0, unknownEnd: 0, rejected: 0, unanswered: 0 };
  #firstStart: UtcMs | null = null;
  #lastEnd: UtcMs | null = null;

  /** @param wanted rows to keep, of sessions and of attempts */
  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  take(change: SessionChange): void {
    if (change.what === 'attempted') this.#attempted(change);
    else if (change.what === 'rejected') this.#rejected(change);
    else if (change.what === 'started') this.#started(change);
    else if (change.what === 'updated') this.#updated(change);
    else if (change.what === 'ended') this.#ended(change.key, change);
    else if (change.what === 'tool-stopped') this.#toolStopped(change);
    else this.#findings.set(change.finding, (this.#findings.get(change.finding) ?? 0) + 1);
  }

  /** What is known so far; more may follow. */
  result(): Tallied {
    const { sessions, ended, unknownEnd, rejected, unanswered } = this.#count;
    return {
      sessions,
      active: sessions - ended - unknownEnd,
      ended,
      unknownEnd,
      rejected,
      unanswered: unanswered + this.#knocking.size,
      firstStart: this.#firstStart,
      lastEnd: this.#lastEnd,
      rows: this.#rows.map((row) => ({ ...row })),
      attempts: this.#attempts.map((row) => ({ ...row })),
      findings: [...this.#findings].map(([finding, count]) => ({ finding, count })),
    };
  }

  #attempted({ key, at, basis, known }: Extract<SessionChange, { what: 'attempted' }>): void {
    if (this.#open.has(key)) return;
    const before = this.#knocking.get(key);
    if (before !== undefined) before.known = joined(before.known, known);
    else this.#knocking.set(key, this.#keep(this.#attempts, { reason: null, at, basis, count: 1, known }));
    this.#giveUpKnocks(MAX_OPEN);
  }

  #rejected({ key, at, basis, known, reason, count }: Extract<SessionChange, { what: 'rejected' }>): void {
    this.#count.rejected += count;
    const knock = this.#knocking.get(key);
    this.#knocking.delete(key);
    if (knock === undefined) this.#keep(this.#attempts, { reason, at, basis, count, known });
    else Object.assign(knock, { reason, count, known: joined(knock.known, known) });
  }

  #started(change: Extract<SessionChange, { what: 'started' }>): void {
    const { key, at, basis, direction, kind, known, auth, failedAttempts } = change;
    if (this.#open.has(key)) return;
    const knock = this.#knocking.get(key);
    this.#knocking.delete(key);
    const index = knock === undefined ? -1 : this.#attempts.indexOf(knock);
    if (index !== -1) this.#attempts.splice(index, 1);
    this.#count.sessions += 1;
    this.#firstStart = utcMs(Math.min(this.#firstStart ?? at, at));
    const row: TallyRow = {
      state: 'active',
      startedAt: at,
      startBasis: basis,
      endedAt: null,
      endBasis: null,
      endReason: null,
      direction,
      kind,
      auth,
      failedAttempts,
      files: null,
      known: knock === undefined ? known : joined(knock.known, known),
    };
    this.#open.set(key, this.#keep(this.#rows, row));
    forgetOldest(this.#open, MAX_OPEN);
  }

  #updated({
    key,
    auth,
    failedAttempts,
    files,
    kind,
    known,
  }: Extract<SessionChange, { what: 'updated' }>): void {
    const knock = this.#knocking.get(key);
    if (knock !== undefined && known !== undefined) knock.known = joined(knock.known, known);
    const row = this.#open.get(key) ?? this.#recent.get(key);
    if (row === undefined) return;
    row.auth = auth ?? row.auth;
    row.failedAttempts = failedAttempts ?? row.failedAttempts;
    row.files = files ?? row.files;
    row.kind = kind ?? row.kind;
    if (known !== undefined) row.known = joined(row.known, known);
  }

  #ended(
    key: string,
    end: { at: UtcMs; basis: TimeBasis; reason: NonNullable<TallyRow['endReason']> },
  ): void {
    const row = this.#open.get(key);
    if (row === undefined) return;
    this.#open.delete(key);
    row.state = end.reason === 'unknown' ? 'unknown-end' : 'ended';
    row.endedAt = end.at;
    row.endBasis = end.basis;
    row.endReason = end.reason;
    this.#count[end.reason === 'unknown' ? 'unknownEnd' : 'ended'] += 1;
    this.#lastEnd = utcMs(Math.max(this.#lastEnd ?? end.at, end.at));
    this.#recent.set(key, row);
    forgetOldest(this.#recent, MAX_RECENT);
  }

  #toolStopped({ at, basis }: Extract<SessionChange, { what: 'tool-stopped' }>): void {
    for (const key of [...this.#open.keys()]) this.#ended(key, { at, basis, reason: 'tool-stopped' });
    this.#giveUpKnocks(0);
  }

  #giveUpKnocks(most: number): void {
    this.#count.unanswered += forgetOldest(this.#knocking, most);
  }

  #keep<T>(list: T[], row: T): T {
    if (list.length < this.#wanted) list.push(row);
    return row;
  }
}

/** How many were forgotten. */
function forgetOldest(map: Map<string, unknown>, most: number): number {
  let forgotten = 0;
  for (const key of map.keys()) {
    if (map.size <= most) break;
    map.delete(key);
    forgotten += 1;
  }
  return forgotten;
}
