/**
 * Follows one log file by its identity, not by its name. Poll based: no watcher can miss or repeat anything,
 * and nothing is locked. The caller stores `step.state` in the transaction that stores what it made of
 * `step.lines`, and then calls `accept`.
 *
 * F1  Every line is delivered exactly once, in the order of its file, whatever happens to the file's name.
 * F2  A file that is renamed away is read to its end through the open handle, also when it is then deleted,
 *     and also what is appended to it later, as long as it may still grow.
 * F3  A rotation that happened while nobody looked is found again among the siblings, by fingerprint; the
 *     generations between it and the live file are read in the order of their times.
 * F4  Where a file was copied and truncated, its unread rest is read from the copy.
 * F5  Truncated in place, also when grown again past the offset between two looks: the new content is read
 *     from 0 and `truncated` is said.
 * F6  An inode alone identifies nothing; an offset beyond the end is never waited at.
 * F7  What the caller did not accept is given again; a step that was not stored has not happened.
 * F8  The stored state is all that a restart needs; it changes together with the lines.
 * F9  Bytes that cannot be read any more are said once, as `lost`, with their range.
 * F10 The last record has no newline: it is delivered when it is complete, or when the file has been quiet,
 *     and a newline that follows later begins the next record. What can only be the beginning of a record
 *     waits for its rest or for a newline, however long that takes.
 * F11 Memory is bounded: blocks of 256 KiB, a line that is too long is reported once and passed over.
 * F12 A file that cannot be read is said once and retried; that it can be read again is said once.
 * F13 The source is opened read-only and never changed.
 */
import type { FileHandle } from 'node:fs/promises';
import { codeOf, TilsynError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import { detectEncoding } from './decode.ts';
import { FollowDisk, type FollowFaults } from './follow-disk.ts';
import { continues, observe } from './follow-identity.ts';
import { cutLines, tailLine } from './follow-lines.ts';
import { copyDraft, type Draft, FolderMoved, firstDraft, notice, Resolver } from './follow-resolve.ts';
import {
  type FileState,
  type FollowedLine,
  type FollowState,
  type FollowStep,
  liveOf,
} from './follow-state.ts';
import { Still } from './follow-still.ts';
import { replayLines, type Stretch } from './replay.ts';

export type { FileState, FollowedLine, FollowNotice, FollowState, FollowStep } from './follow-state.ts';

export interface FollowerOptions {
  path: string;
  clock: Clock;
  /** As stored with the last accepted step; null where this file was never followed. */
  state: FollowState | null;
  /** 32 bytes, of this state directory: the fingerprints say nothing without it. */
  key: Buffer;
  /** True for the text of a record that is whole although no newline follows it. */
  isComplete(text: string): boolean;
  /** True for the text of a record that is surely not whole: quiet does not make it a line. Default: never. */
  isTorn?(text: string): boolean;
  /** Bytes of a line, default 64 KiB. */
  maxLineBytes?: number;
  /** Monotonic ms without growth after which an unterminated rest counts as a line; default 1000. */
  quietMs?: number;
  /** Monotonic ms without growth after which a file that was moved away is closed; default 60,000. */
  lingerMs?: number;
  faults?: FollowFaults;
}

const BLOCK_BYTES = 256 * 1024;
/** A step ends after this much, so that the caller stores and answers in between. */
const STEP_BYTES = 8 * 1024 * 1024;

/** The folder changed while it was looked at: no failure, and no proof that all is well. */
const MOVED = 'moved';

interface Read {
  lines: FollowedLine[];
  /** Files that were read to what is their end for now. */
  ended: Set<FileState>;
  more: boolean;
  /** Error code of the first file that could not be read. */
  failure: string | null;
}

export class Follower {
  readonly #o: Required<Omit<FollowerOptions, 'faults' | 'state'>>;
  readonly #disk: FollowDisk;
  readonly #resolver: Resolver;
  readonly #block: Buffer;
  /** Size and monotonic time of the last growth seen. An observation, so it outlives a rejected step. */
  readonly #growth = new WeakMap<FileHandle, { size: number; at: number }>();
  /** What every step begins with: the last one that was stored, and what was looked at since. */
  #accepted: Draft;
  /** `looked` is the draft before anything was read of it. */
  #pending: { step: FollowStep; draft: Draft; looked: Draft } | null = null;
  #running: Promise<unknown> = Promise.resolve();
  #rotating: boolean;
  readonly #still = new Still();

  constructor(options: FollowerOptions) {
    const { faults, state, ...o } = options;
    this.#o = { isTorn: () => false, maxLineBytes: 64 * 1024, quietMs: 1000, lingerMs: 60_000, ...o };
    this.#disk = new FollowDisk(o.path, faults);
    this.#resolver = new Resolver(this.#disk, o.key);
    this.#block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, this.#o.maxLineBytes * 2));
    this.#accepted = firstDraft(state);
    this.#rotating = this.#accepted.rotating;
  }

  /** True from seeing the file moved away to the first accepted line of its successor. */
  get rotating(): boolean {
    return this.#rotating;
  }

  /**
   * Looks at the file and reads on, at most `maxLines` lines. Never throws for the file's sake (F12). A step
   * with neither lines nor notices needs no `accept`.
   */
  step(maxLines: number): Promise<FollowStep> {
    const step = this.#running.then(() => this.#step(maxLines));
    this.#running = step.catch(() => undefined);
    return step;
  }

  /**
   * The step's state is durable: go on from there.
   * @throws TilsynError `follow.stale-step` for a step that is not the last one: its lines come again.
   */
  accept(step: FollowStep): void {
    if (isEmpty(step)) return;
    if (this.#pending?.step !== step) {
      throw new TilsynError(
        'follow.stale-step',
        'accepting lines of a log file: another step was taken since',
      );
    }
    const { draft } = this.#pending;
    const live = liveOf(draft.state);
    if (step.lines.some((line) => line.file === live?.file)) draft.rotating = false;
    this.#keep(draft);
  }

  /**
   * The step was not stored: the next one gives the same lines and notices again. What the look at the folder found
   * out stays known meanwhile, files, sizes and open handles: one that is deleted before there is room is still
   * read to its end (F2), and one that is emptied is lost with its whole range (F9).
   */
  reject(): void {
    if (this.#pending === null) return;
    const { looked, draft } = this.#pending;
    for (const file of looked.state.files) {
      const read = draft.state.files.find((one) => one.file === file.file);
      file.size = Math.max(file.size, read?.size ?? 0);
    }
    this.#accepted = looked;
    this.#pending = null;
  }

  /** Beside what is followed: reads on its own handles, and changes nothing here. */
  replay(stretches: readonly Stretch[]): Promise<AsyncIterable<FollowedLine> | null> {
    return replayLines(this.#o.path, stretches, this.#o.key);
  }

  /** Closes every handle. The follower is of no use afterwards. */
  async close(): Promise<void> {
    await this.#running;
    await this.#disk.closeExcept([]);
  }

  #keep(draft: Draft): void {
    this.#accepted = { ...draft, notices: [] };
    this.#rotating = draft.rotating;
    this.#pending = null;
  }

  async #step(maxLines: number): Promise<FollowStep> {
    this.#pending = null;
    await this.#disk.closeExcept(this.#accepted.handles.values());
    const glance = await this.#disk.glance();
    if (this.#still.holds(glance, this.#o.clock.mono())) return nothingNew(this.#accepted.state);
    const { draft, failure } = await this.#resolved();
    this.#rotating = draft.rotating;
    const looked = copyDraft(draft);
    const read = await this.#readAll(draft, maxLines);
    this.#closeFinished(draft, read.ended);
    this.#sayReadable(draft, failure ?? read.failure);
    const { state, notices } = draft;
    const behindBytes = state.files.reduce((sum, file) => sum + Math.max(0, file.size - file.offset), 0);
    const step = { lines: read.lines, notices, state, behindBytes, more: read.more };
    this.#pending = { step, draft, looked };
    // Nothing to store: handles, sizes and longer fingerprints are kept without being asked (F8 holds, as
    // they are found again by any restart).
    if (isEmpty(step)) this.#keep(draft);
    if (isAtRest(step, draft, failure ?? read.failure) && maxLines > 0) {
      this.#still.note(glance, this.#o.clock.now(), this.#o.clock.mono());
    } else this.#still.forget();
    return step;
  }

  /** A look at the folder that fails part-way has not happened: what was known before it is read on. */
  async #resolved(): Promise<{ draft: Draft; failure: string | null }> {
    const draft = copyDraft(this.#accepted);
    try {
      await this.#resolver.resolve(draft);
      return { draft, failure: null };
    } catch (error) {
      return {
        draft: copyDraft(this.#accepted),
        failure: error instanceof FolderMoved ? MOVED : codeOf(error),
      };
    }
  }

  /** Oldest file first. */
  async #readAll(d: Draft, maxLines: number): Promise<Read> {
    const read: Read = { lines: [], ended: new Set(), more: false, failure: null };
    for (const file of [...d.state.files]) {
      const handle = d.handles.get(file.file);
      if (handle === undefined) continue;
      try {
        read.more = await this.#readFile(d, file, handle, read.lines, maxLines);
      } catch (error) {
        read.failure ??= codeOf(error);
        continue;
      }
      if (read.more) break;
      read.ended.add(file);
    }
    return read;
  }

  /** Returns true where lines are left for the next step. */
  async #readFile(
    d: Draft,
    file: FileState,
    handle: FileHandle,
    lines: FollowedLine[],
    maxLines: number,
  ): Promise<boolean> {
    for (let left = STEP_BYTES; ; ) {
      if (lines.length >= maxLines || left <= 0) return file.offset < file.size;
      const from = file.offset;
      const got = await this.#disk.read(handle, this.#block, from);
      // F5: looked at after reading, so that the block is known to be of this generation.
      const seen = await this.#disk.look(handle);
      if (!continues(file, seen, this.#o.key) || seen.size < from + got) {
        if (!file.live) this.#resolver.lose(d, file, 'rewritten');
        return false;
      }
      observe(file, seen, this.#o.key);
      if (got === 0 && seen.size > from) return false;
      const quiet = this.#sinceGrowth(handle, seen.size) >= this.#o.quietMs;
      const atEnd = from + got >= seen.size;
      this.#cut(file, this.#block.subarray(0, got), atEnd && quiet, lines, maxLines);
      left -= got;
      if (atEnd && lines.length < maxLines) {
        this.#tail(file, this.#block.subarray(file.offset - from, got), quiet, lines);
        return false;
      }
    }
  }

  #cut(file: FileState, block: Buffer, final: boolean, lines: FollowedLine[], maxLines: number): void {
    let from = 0;
    if (file.offset === 0) {
      const detected = detectEncoding(block, final);
      if (detected === null) return;
      file.encoding = detected.encoding;
      from = detected.markBytes;
    }
    const cut = cutLines(block.subarray(from), file.offset + from, {
      ...file,
      maxLineBytes: this.#o.maxLineBytes,
      maxLines: maxLines - lines.length,
    });
    for (const line of cut.lines) lines.push(line);
    file.offset += from + cut.used;
    file.skipping = cut.skipping;
  }

  /** F10. */
  #tail(file: FileState, rest: Buffer, quiet: boolean, lines: FollowedLine[]): void {
    if (rest.length === 0 || (file.offset === 0 && detectEncoding(rest, quiet) === null)) return;
    const line = tailLine(rest, file.offset, file.file, file.encoding);
    const whole = line.problem === null && this.#o.isComplete(line.text);
    if (!whole && (!quiet || this.#o.isTorn(line.text))) return;
    if (line.text !== '') lines.push(line);
    file.offset = line.end;
  }

  #sinceGrowth(handle: FileHandle, size: number): number {
    const now = this.#o.clock.mono();
    const last = this.#growth.get(handle);
    if (last !== undefined && last.size === size) return now - last.at;
    this.#growth.set(handle, { size, at: now });
    return 0;
  }

  /** F2: a file that was moved away may still grow until its successor has content, and a while longer. */
  #closeFinished(d: Draft, ended: Set<FileState>): void {
    for (const [index, file] of [...d.state.files].entries()) {
      const handle = d.handles.get(file.file);
      if (file.live || handle === undefined || !ended.has(file)) continue;
      const succeeded = d.state.files.slice(index + 1).some((later) => later.size > 0);
      if (!succeeded || this.#sinceGrowth(handle, file.size) < this.#o.lingerMs) continue;
      this.#resolver.lose(d, file, 'unfinished');
    }
  }

  /** F12. */
  #sayReadable(d: Draft, failed: string | null): void {
    if (failed === MOVED) return;
    const live = liveOf(d.state);
    const said = d.state.unreadable;
    if (failed !== null && said === null) {
      d.state.unreadable = failed;
      notice(d, 'unreadable-file', failed, live?.offset ?? 0, 0);
    } else if (failed === null && said !== null && live !== null) {
      d.state.unreadable = null;
      notice(d, 'recovered', said, live.offset, 0);
    }
  }
}

function isEmpty(step: FollowStep): boolean {
  return step.lines.length === 0 && step.notices.length === 0;
}

/** H1: one file, the live one, and not a byte of it unread. */
function isAtRest(step: FollowStep, draft: Draft, failure: string | null): boolean {
  const [file, ...others] = step.state.files;
  if (!isEmpty(step) || step.more || failure !== null || draft.rotating || others.length > 0) return false;
  return file?.live === true && file.offset === file.size;
}

function nothingNew(state: FollowState): FollowStep {
  return { lines: [], notices: [], state, behindBytes: 0, more: false };
}
