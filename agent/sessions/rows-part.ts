/**
 * A file with one row for each session, written when it has ended: TeamViewer's connections files. A row is joined to
 * the session that the log told of, where there is one; else it is the session itself.
 *
 * B15 As B14: a row that ended before an earlier agreement of this site did is counted, unless its session was told.
 * B10 A row is joined on peer and time, to one session at most, and no session to a second row.
 */
import { newId, type Random, type SessionId } from '../../protocol/ids.ts';
import type { UtcMs } from '../../protocol/time.ts';
import type { Direction } from '../sources/change.ts';
import type { FileState, FollowedLine } from '../sources/follow.ts';
import type { ConnectionRow, RowResult } from '../sources/teamviewer.ts';
import { joinRow } from '../sources/teamviewer-join.ts';
import { keyText } from '../sources/teamviewer-rows.ts';
import type { OpenSession, SessionBook } from './book.ts';
import { begun, ended, knownOf, rowOf, type Told, updated } from './drafts.ts';
import { OccurrenceWindow, type ReadyWindow } from './occurrence.ts';
import type { LineSeen, Moment, Part, PartOptions, Plan } from './part.ts';

export interface RowsPartOptions extends PartOptions {
  parse: (text: string) => RowResult;
  isComplete: (text: string) => boolean;
  isTorn: (text: string) => boolean;
  mode: Told['mode'];
  direction: 'incoming' | 'outgoing';
  random: Random;
  /** Null: everything is read. */
  enrolledAt: UtcMs | null;
  /** B15; null: there was none. */
  readFrom: () => UtcMs | null;
  /** What the log told of; null: no log is read. */
  book: SessionBook | null;
}

export class RowsPart implements Part {
  readonly #o: RowsPartOptions;
  readonly #window: OccurrenceWindow;
  #ready: readonly ReadyWindow[] = [];

  constructor(options: RowsPartOptions) {
    this.#o = options;
    this.#window = new OccurrenceWindow(options.path, (text) => {
      const parsed = options.parse(text);
      return parsed.ok ? keyText(parsed.row) : null;
    });
  }

  isComplete(text: string): boolean {
    return this.#o.isComplete(text);
  }

  isTorn(text: string): boolean {
    return this.#o.isTorn(text);
  }

  restore(): Promise<void> {
    this.#window.reset();
    return Promise.resolve();
  }

  async prepare(lines: readonly FollowedLine[], files: readonly FileState[]): Promise<void> {
    this.#ready = await this.#window.prepare(lines, files);
  }

  line(plan: Plan, line: FollowedLine, { history }: LineSeen): string | null {
    const { parse, enrolledAt, readFrom, book } = this.#o;
    const parsed =
      line.problem === 'too-long' ? { ok: false as const, reason: line.problem } : parse(line.text);
    if (!parsed.ok) return parsed.reason;
    const { row } = parsed;
    // History counts too: it stands in the file for every agent that reads it.
    const occurrence = this.#window.next(line, keyText(row), this.#ready);
    if (history && enrolledAt !== null && row.endedAt < enrolledAt) {
      plan.skipped += 1;
      return null;
    }
    const session = this.#joinedTo(book?.candidates() ?? [], row);
    if (session === undefined && row.endedAt < (readFrom() ?? 0)) {
      plan.passed += 1;
      return null;
    }
    if (session === undefined || book === null) this.#alone(plan, line, row, occurrence);
    else this.#joined(plan, line, row, occurrence, session, book);
    return null;
  }

  /** B10. */
  #joinedTo(candidates: readonly OpenSession[], row: ConnectionRow): OpenSession | undefined {
    const { direction } = this.#o;
    // Once joined, a session is no candidate any more.
    const sessions = candidates.map((one) => ({ ...one, peerId: one.known.peerId ?? '', joined: false }));
    const index = joinRow(sessions, { ...row, direction });
    return index === null ? undefined : candidates[index];
  }

  tick(_plan: Plan, { now, atEnd }: Moment): void {
    const { book, direction } = this.#o;
    if (atEnd) book?.rowsRead(direction, now);
  }

  stored(): object {
    return {};
  }

  /** One row is one whole session: its start and its end. */
  #alone(plan: Plan, line: FollowedLine, row: ConnectionRow, occurrence: number): void {
    const { direction, random } = this.#o;
    const told = { ...this.#told(newId<'session'>(random), line, direction), occurrence };
    const { kind, startedAt: at } = row;
    const beginning = { key: '', at, basis: 'file-utc' as const, direction, kind, known: knownOf(row) };
    const { draft, cut } = begun('session.started', told, beginning);
    plan.drafts.push(draft, ended(told, row, 'file-utc', 'completed'));
    plan.rows += 1;
    plan.cut += cut;
  }

  /** What the row knows beside the log; where the log has not said so yet, that the session is over. */
  #joined(
    plan: Plan,
    line: FollowedLine,
    row: ConnectionRow,
    occurrence: number,
    session: OpenSession,
    book: SessionBook,
  ): void {
    const { startedAt } = session;
    const told = this.#told(session.session, line, session.direction);
    const over = !book.close(session, row.endedAt);
    // Of a one-off session that is over nothing personal is kept, so nothing is added.
    const known = over && told.mode === 'one-off' ? {} : { known: knownOf(row) };
    const news = { ...known, row: rowOf(row, session.direction, occurrence) };
    const { draft, cut } = updated(told, startedAt, news);
    plan.drafts.push(draft);
    plan.cut += cut;
    const span = { startedAt: row.startedAt, endedAt: row.endedAt };
    if (!over) plan.drafts.push(ended(told, span, 'file-utc', 'completed'));
  }

  #told(session: SessionId, line: FollowedLine, direction: Direction): Told {
    const { source, mode } = this.#o;
    const own = direction === 'outgoing' ? 'one-off' : mode;
    return { session, source, tool: 'teamviewer', mode: own, word: 'connections', offset: line.start };
  }
}
