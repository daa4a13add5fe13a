/**
 * One look at Windows' event logs: what it found, and the state and the lines that come of it. Pure; the laws are in
 * `rdp-feed.ts`.
 */
import { MINUTE_MS, SECOND_MS } from '../../protocol/time.ts';
import {
  emptyState,
  type FileState,
  type FollowedLine,
  type FollowNotice,
  type FollowState,
  type FollowStep,
} from './follow-state.ts';
import { type Batch, type Channel, type Merged, merge, type RawEvent } from './rdp-channels.ts';

/** The only generation there is: places never begin anew. */
export const FILE = 1;
export const PLACES_PER_SECOND = 64;
/** R82: how long a record may be on its way into its log. */
const SETTLED_MS = SECOND_MS;
/** R82: what bears a time so far ahead is not waited for. */
const AHEAD_MS = MINUTE_MS;

export interface ChannelState {
  name: string;
  /** Number of the last record that was taken or passed over; 0: none. */
  last: number;
  /** Its time, to know it from another record of the same number; 0: the log was seen empty since, or nothing read. */
  lastAt: number;
  /** What was said of it (R84). */
  unreadable: string | null;
}

/** Stored as it is. */
export interface RdpState extends FollowState {
  channels: ChannelState[];
}

/** One look at all logs: what it finds, and the state that comes of it. */
export class Look {
  readonly state: RdpState;
  readonly now: number;
  readonly max: number;
  readonly tips = new Map<number, RawEvent>();
  readonly batches: Batch[] = [];
  /** R82: something was too young. */
  isHeld = false;
  readonly #notices: FollowNotice[] = [];

  constructor(state: RdpState, now: number, max: number) {
    this.state = state;
    this.now = now;
    this.max = max;
  }

  /** R84. */
  failed(index: number, code: string): void {
    this.tips.delete(index);
    const channel = this.state.channels[index];
    if (channel === undefined || channel.unreadable !== null) return;
    channel.unreadable = code;
    if (index === 0) this.state.unreadable = code;
    this.#notice('unreadable-file', code, 0);
  }

  readable(index: number): void {
    const channel = this.state.channels[index];
    if (channel === undefined || channel.unreadable === null) return;
    this.#notice('recovered', channel.unreadable, 0);
    channel.unreadable = null;
    if (index === 0) this.state.unreadable = null;
  }

  /** R83: said when it is seen, because what comes next may have the number that follows. */
  empty(index: number): void {
    const channel = this.state.channels[index];
    if (channel === undefined || channel.lastAt === 0) return;
    channel.lastAt = 0;
    this.#notice('truncated', 'shortened', 0);
  }

  restarted(index: number): void {
    const channel = this.state.channels[index];
    if (channel === undefined) return;
    Object.assign(channel, { last: 0, lastAt: 0 });
    this.#notice('truncated', 'rewritten', 0);
  }

  cleared(index: number, missing: number): void {
    if (missing > 0) this.#notice('lost', 'rotated', missing);
    // Not again where it was seen empty.
    else if (this.state.channels[index]?.lastAt !== 0) this.#notice('truncated', 'shortened', 0);
  }

  /** Everything up to this record has been taken, or was not wanted. */
  passed(index: number, { record, at }: RawEvent): void {
    Object.assign(this.state.channels[index] ?? {}, { last: record, lastAt: at });
  }

  step(): FollowStep {
    const { state, max } = this;
    const file = this.#file();
    const due = merge(this.batches, this.#until());
    const taken = due.slice(0, max);
    const place = new Places(file.offset);
    const lines = taken.map((event) => lineOf(event, place.next(event.at)));
    const left = this.#take(taken);
    const cutShort = due.length > max || this.batches.some(({ more }) => more);
    // Nothing could be taken: more of the same would be no different now.
    this.isHeld = left > 0 && (!cutShort || taken.length === 0);
    file.offset = Math.max(file.offset, lines.at(-1)?.end ?? 0);
    file.size = Math.max(file.size, file.offset + (left > 0 ? 1 : 0));
    if (left === 0 && max > 0) file.offset = file.size;
    const behindBytes = max === 0 ? Number(file.size > file.offset) : left;
    return { lines, notices: this.#notices, state, behindBytes, more: left > 0 && !this.isHeld };
  }

  /** What is left of the batches, at least. */
  #take(taken: readonly Merged[]): number {
    let left = 0;
    for (const { channel, events, more } of this.batches) {
      const own = taken.filter((event) => event.channel === channel);
      const tip = this.tips.get(channel);
      const last = own.at(-1);
      left += events.length - own.length + (more ? 1 : 0);
      if (own.length === events.length && !more && tip !== undefined) this.passed(channel, tip);
      else if (last !== undefined) this.passed(channel, last);
    }
    return left;
  }

  /** At first sight it is as long as the newest record says: what stands before that is history. */
  #file(): FileState {
    const [present] = this.state.files;
    if (present !== undefined) return present;
    const newest = Math.max(0, ...[...this.tips.values()].map(({ at }) => at));
    const file = newFile(placeAt(newest) + PLACES_PER_SECOND);
    Object.assign(this.state, { begun: true, files: [file], nextFile: FILE + 1 });
    this.#notices.unshift({ kind: 'opened', reason: 'first', offset: 0, length: file.size });
    return file;
  }

  /** R82. */
  #until(): number {
    const latest = Math.max(0, ...this.batches.flatMap(({ events }) => events.map(({ at }) => at)));
    return latest > this.now + AHEAD_MS ? latest : this.now - SETTLED_MS;
  }

  #notice(kind: FollowNotice['kind'], reason: string, length: number): void {
    this.#notices.push({ kind, reason, offset: this.state.files[0]?.offset ?? 0, length });
  }
}

/** Places grow, whatever the times do. */
export class Places {
  #next: number;

  constructor(from: number) {
    this.#next = from;
  }

  next(at: number): number {
    const place = Math.max(this.#next, placeAt(at));
    this.#next = place + 1;
    return place;
  }
}

/** The first place of a second. */
function placeAt(at: number): number {
  return Math.floor(at / SECOND_MS) * PLACES_PER_SECOND;
}

export function lineOf({ xml, tooLong }: RawEvent, start: number): FollowedLine {
  return { text: xml, file: FILE, start, end: start + 1, problem: tooLong ? 'too-long' : null };
}

/** A log that was not read before begins at its beginning; one that is not read any more is forgotten. */
export function stateFrom(stored: FollowState | null, channels: readonly Channel[]): RdpState {
  const { channels: known = [] } = (stored ?? {}) as Partial<RdpState>;
  const fresh = ({ name }: Channel): ChannelState => ({ name, last: 0, lastAt: 0, unreadable: null });
  const { begun, files, nextFile, unreadable } = stored ?? emptyState();
  return {
    ...emptyState(),
    ...{ begun, files, nextFile, unreadable },
    channels: channels.map((channel) => known.find(({ name }) => name === channel.name) ?? fresh(channel)),
  };
}

function newFile(size: number): FileState {
  const nothing = { fp: 0, fpLength: 0, offset: 0, skipping: false };
  return { file: FILE, ino: String(FILE), ...nothing, size, encoding: 'utf8', live: true };
}

export function isSame(known: ChannelState, { record, at }: RawEvent): boolean {
  return known.last === record && known.lastAt === at;
}
