/** A tool's log: lines that a reader understands, changes that a book makes sessions of. */
import type { Clock, UtcMs } from '../../protocol/time.ts';
import type { LineReader } from '../sources/change.ts';
import type { Feed } from '../sources/feed.ts';
import type { FileState, FollowedLine, FollowState } from '../sources/follow.ts';
import type { Stretch } from '../sources/replay.ts';
import { noOutput, type Output, type SessionBook } from './book.ts';
import type { LineSeen, Moment, Part, Plan } from './part.ts';
import { oldestOf, type Place, type Places, packPlaces, unpackPlaces } from './places.ts';

const GIB = 1024 * 1024 * 1024;
/**
 * Longest stretch of a log that is read again. What began before it ends as unknown, and is told. Where the head of the
 * file says how to read the rest (`fromHead`) nothing else would do, and such a file grows with each report: some minutes
 * of reading at a start are better than rows that nobody understands.
 */
const MOST_REPLAYED = { open: GIB, fromHead: 16 * GIB };
const REPLAYED_AT_ONCE = 2_000;

export interface LogPartOptions {
  book: SessionBook;
  /** A new one, with nothing in memory. */
  reader: () => LineReader;
  clock: Clock;
  /** When this machine was started, about. */
  bootedAt: () => UtcMs;
  /** Something about the tool that an auditor should know. */
  found: (finding: LogFinding) => void;
  /** Bytes; default: `MOST_REPLAYED`. */
  mostReplayed?: { open: number; fromHead: number };
  /** What the tool calls this machine, told again with each look: whoever hears it knows what is new. */
  own?: ((id: string) => void) | undefined;
}

/** `not-replayed`: the file is too long to know again, after a restart, what its head says of its rows. */
export type LogFinding = 'logging-off' | 'not-replayed';

export class LogPart implements Part {
  readonly #o: LogPartOptions;
  #reader: LineReader;
  /** Generation of the last line that was read. */
  #file: number | null = null;
  #trail: Places['trail'] = [];
  /** Found by the last restore, to be told with the next plan. */
  #found: Output = noOutput();

  constructor(options: LogPartOptions) {
    this.#o = options;
    this.#reader = options.reader();
  }

  isComplete(): boolean {
    return false;
  }

  /** A line counts when its newline has come, however long that takes: half of one may be the beginning of anything. */
  isTorn(): boolean {
    return true;
  }

  async restore(cursor: string | null, feed: Feed, seen: (line: FollowedLine) => LineSeen): Promise<void> {
    const { book, clock } = this.#o;
    const places = unpackPlaces(cursor);
    this.#reader = this.#o.reader();
    this.#file = null;
    this.#trail = places.trail;
    this.#found = noOutput();
    book.restore(places.open);
    const fromHead = this.#reader.fromHead === true;
    const state = cursor === null ? null : (JSON.parse(cursor) as FollowState);
    const all = state === null ? [] : stretchesOf(places, state, fromHead);
    const { open, fromHead: most } = this.#o.mostReplayed ?? MOST_REPLAYED;
    const tooLong = bytesOf(all) > (fromHead ? most : open);
    // Its rows will be unreadable, one by one; what of it ended as unknown is told beside this.
    if (tooLong && fromHead) this.#o.found('not-replayed');
    const stretches = tooLong ? [] : all;
    const lines = stretches.length === 0 ? null : await feed.replay(stretches);
    if (lines !== null) await this.#again(lines, seen, oldestOf(places));
    book.caughtUp(this.#found, clock.now());
  }

  async #again(
    lines: AsyncIterable<FollowedLine>,
    seen: (line: FollowedLine) => LineSeen,
    oldest: Place | null,
  ): Promise<void> {
    const old = noOutput();
    let count = 0;
    for await (const line of lines) {
      // What stands before the oldest open line is for the reader alone: it was told to its end.
      this.#read(oldest !== null && isFrom(oldest, line) ? old : null, line, seen(line));
      old.drafts.length = 0;
      // The rest of the agent goes on meanwhile.
      count += 1;
      if (count % REPLAYED_AT_ONCE === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  line(plan: Plan, line: FollowedLine, seen: LineSeen): string | null {
    return this.#read(plan, line, seen, true);
  }

  tick(plan: Plan, { now, past, atEnd }: Moment): void {
    const { book } = this.#o;
    plan.drafts.push(...this.#found.drafts);
    this.#found = noOutput();
    if (past) book.pastHistory(plan, atEnd);
    // The tool wrote no row about a session that it logged the end of: it was told not to.
    if (book.withoutRow(now).length > 0) this.#o.found('logging-off');
    // What is behind is of its own hours, whatever the clock says.
    if (atEnd) book.tick(plan, now, this.#o.bootedAt());
    // An older id of this machine stands further up in its log.
    const own = atEnd ? (this.#reader.ownId?.() ?? null) : null;
    if (own !== null) this.#o.own?.(own);
  }

  stored(files: readonly FileState[]): object {
    const places = this.#o.book.places();
    const oldest = oldestOf(places);
    const trail = new Map(this.#trail.map(({ file, ino }) => [file, ino]));
    // Also of one that is known: what was copied and emptied lies in the copy now, under another inode.
    for (const { file, ino } of files) trail.set(file, ino);
    const kept = oldest === null ? [] : [...trail].filter(([file]) => file >= oldest.file);
    this.#trail = kept.map(([file, ino]) => ({ file, ino }));
    return packPlaces({ ...places, trail: this.#trail });
  }

  #read(out: Output | null, line: FollowedLine, { history }: LineSeen, live = false): string | null {
    if (line.problem === 'too-long') return line.problem;
    if (this.#file !== null && line.file !== this.#file) this.#reader.newFile?.();
    this.#file = line.file;
    const result = this.#reader.line(line.text);
    if (!result.ok) return result.reason;
    for (const [n, change] of result.changes.entries()) {
      if (out !== null && change.what !== 'finding') {
        this.#o.book.take(out, change, { file: line.file, start: line.start, n }, history);
      } else if (live && change.what === 'finding') {
        this.#o.found(change.finding);
      }
    }
    return null;
  }
}

const NO_HEAD = { fp: 0, fpLength: 0 };

function isFrom(place: Place, { file, start }: FollowedLine): boolean {
  return file > place.file || (file === place.file && start >= place.start);
}

function bytesOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { from, to }) => sum + Math.max(0, (to ?? from) - from), 0);
}

/**
 * What has to be read again: from the oldest open line to the cursor; where a head tells how to read the rest, from the
 * start of that generation.
 */
function stretchesOf(places: Places, state: FollowState, fromHead: boolean): Stretch[] {
  const live = state.files.find((file) => file.live);
  const oldest = oldestOf(places) ?? (fromHead && live !== undefined ? { file: live.file, start: 0 } : null);
  if (oldest === null) return [];
  const known = new Map(state.files.map((file) => [file.file, file]));
  const trail = new Map(places.trail.map(({ file, ino }) => [file, ino]));
  for (const { file, ino } of state.files) trail.set(file, ino);
  if (!trail.has(oldest.file)) return [];
  const encoding = live?.encoding ?? 'utf8';
  return [...trail]
    .filter(([file]) => file >= oldest.file)
    .sort(([a], [b]) => a - b)
    .map(([file, ino]): Stretch => {
      const present = known.get(file);
      const from = file === oldest.file && !fromHead ? oldest.start : 0;
      const { fp, fpLength } = present ?? state.known.findLast((one) => one.ino === ino) ?? NO_HEAD;
      const head = fpLength === 0 ? null : { fp, fpLength };
      return { file, ino, head, encoding: present?.encoding ?? encoding, from, to: present?.offset ?? null };
    });
}
