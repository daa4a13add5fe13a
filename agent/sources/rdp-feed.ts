/**
 * Windows' remote desktop events as lines, in one order over several logs: `wevtutil` is asked every half minute.
 *
 * This is the one source that starts a program while the agent runs, and only on Windows, where it is configured: Node
 * cannot read event logs. Half a minute, because virus scanners and users notice programs that start.
 *
 * A line's place is made of its event's time (64 places to a second; a burst runs on into the next ones), because it has
 * to grow over all logs, and numbers of records do so in one only. What has been read of each log is kept beside it, as
 * the number of a record. A log of which nothing was ever read begins with what it has.
 *
 * R82 An event is a line once, after everything that was written before it in any of the logs: what is younger than a
 *     second waits for the next look, two seconds later. What bears a time more than a minute ahead does not wait: the
 *     clock was set back.
 * R83 A record that was read and is gone says that the log was cleared, or went round: `truncated` where nothing that was
 *     not read is missing, or where the numbers began anew, `lost` with the count of records otherwise.
 * R84 A log that cannot be read is said once, and once when it can be again; the others go on. Only the leading one makes
 *     the source unreadable.
 */
import { codeOf, TilsynError } from '../../protocol/errors.ts';
import { type Clock, DAY_MS, SECOND_MS } from '../../protocol/time.ts';
import { SYSTEM_CODES } from '../../protocol/words.ts';
import type { Feed } from './feed.ts';
import type { FollowedLine, FollowState, FollowStep } from './follow-state.ts';
import {
  type Batch,
  type Channel,
  endQuery,
  eventsIn,
  merge,
  type Range,
  RDP_CHANNELS,
  rangeQuery,
  readAnswer,
} from './rdp-channels.ts';
import {
  type ChannelState,
  FILE,
  isSame,
  Look,
  lineOf,
  PLACES_PER_SECOND,
  Places,
  type RdpState,
  stateFrom,
} from './rdp-look.ts';
import type { Stretch } from './replay.ts';

/** Runs `wevtutil` with these arguments. Rejects where it could not be run. */
export type RunWevtutil = (args: readonly string[]) => Promise<{ code: number; stdout: string }>;

export interface WevtutilFeedOptions {
  run: RunWevtutil;
  clock: Clock;
  /** As stored with the last accepted step; null where these logs were never read. */
  state: FollowState | null;
  channels?: readonly Channel[];
  /** Monotonic milliseconds between two looks; default 30,000. */
  everyMs?: number;
}

interface Pending {
  step: FollowStep;
  state: RdpState;
  dueAt: number;
}

const EVERY_MS = 30 * SECOND_MS;
/** R82: when to look again for what was too young. */
const AGAIN_MS = 2 * SECOND_MS;
const REPLAYED_AT_ONCE = 1_000;
/** Clocks that were set back, and bursts that run on, by less than this do not disturb a replay. */
const REPLAY_SLACK_MS = DAY_MS;

export class WevtutilFeed implements Feed {
  readonly #run: RunWevtutil;
  readonly #clock: Clock;
  readonly #channels: readonly Channel[];
  readonly #everyMs: number;
  #state: RdpState;
  #pending: Pending | null = null;
  #running: Promise<unknown> = Promise.resolve();
  /** Monotonic; when to look next. */
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(options: WevtutilFeedOptions) {
    this.#run = options.run;
    this.#clock = options.clock;
    this.#channels = options.channels ?? RDP_CHANNELS;
    this.#everyMs = options.everyMs ?? EVERY_MS;
    this.#state = stateFrom(options.state, this.#channels);
  }

  step(maxLines: number): Promise<FollowStep> {
    const step = this.#running.then(() => this.#step(maxLines));
    this.#running = step.catch(() => undefined);
    return step;
  }

  /** @throws TilsynError `follow.stale-step` for a step that is not the last one: its lines come again. */
  accept(step: FollowStep): void {
    if (isEmpty(step)) return;
    if (this.#pending?.step !== step) {
      throw new TilsynError('follow.stale-step', 'accepting events of a log: another step was taken since');
    }
    this.#keep(this.#pending);
  }

  reject(): void {
    this.#pending = null;
    this.#dueAt = Number.NEGATIVE_INFINITY;
  }

  async close(): Promise<void> {
    await this.#running;
  }

  /** Null where the first of them is gone, or the logs cannot be asked. */
  async replay(stretches: readonly Stretch[]): Promise<AsyncIterable<FollowedLine> | null> {
    const stretch = stretches.find(({ file }) => file === FILE);
    if (stretch === undefined) return null;
    const lines = this.#again(stretch, structuredClone(this.#state.channels));
    const first = await lines.next().catch(() => null);
    if (first === null || first.done === true || first.value.start !== stretch.from) return null;
    return following(first.value, lines);
  }

  #keep({ state, dueAt }: Pending): void {
    this.#state = state;
    this.#dueAt = dueAt;
    this.#pending = null;
  }

  async #step(maxLines: number): Promise<FollowStep> {
    this.#pending = null;
    if (this.#clock.mono() < this.#dueAt) return this.#nothingNew();
    const look = new Look(structuredClone(this.#state), this.#clock.now(), maxLines);
    for (const [index, channel] of this.#channels.entries()) await this.#tip(look, index, channel);
    if (maxLines > 0)
      for (const [index, channel] of this.#channels.entries()) await this.#fetch(look, index, channel);
    const pending = this.#pendingOf(look);
    if (isEmpty(pending.step)) this.#keep(pending);
    else this.#pending = pending;
    return pending.step;
  }

  /** Between two looks nobody knows that there is nothing: `behindBytes` says so, and nothing counts as read through. */
  #nothingNew(): FollowStep {
    return { lines: [], notices: [], state: this.#state, behindBytes: 1, more: false };
  }

  /** What a log's newest record is, before anything is fetched of any (R82). */
  async #tip(look: Look, index: number, channel: Channel): Promise<void> {
    const asked = await this.#ask(endQuery(channel, 'newest'));
    if (typeof asked === 'string') return look.failed(index, asked);
    const [tip] = eventsIn(asked.stdout);
    if (tip === undefined) look.empty(index);
    else look.tips.set(index, tip);
    if (tip === undefined || look.max === 0) look.readable(index);
  }

  async #fetch(look: Look, index: number, channel: Channel): Promise<void> {
    const known = look.state.channels[index];
    const tip = look.tips.get(index);
    if (known === undefined || tip === undefined) return;
    if (isSame(known, tip)) return look.readable(index);
    // R83: the numbers began anew.
    if (tip.record <= known.last) look.restarted(index);
    const range: Range = { last: known.last, upTo: tip.record, since: null };
    const asked = await this.#ask(rangeQuery(channel, range, look.max));
    const answer = typeof asked === 'string' ? asked : readAnswer(asked.stdout, range, look.max);
    if (typeof answer === 'string' || answer.is === 'broken') {
      return look.failed(index, typeof answer === 'string' ? answer : 'EIO');
    }
    const gone = known.last > 0 && (answer.lastOne === null || !isSame(known, answer.lastOne));
    const said = gone ? await this.#sayGone(look, index, channel) : 'said';
    if (said === 'restarted') return this.#fetch(look, index, channel);
    if (said === 'failed') return;
    look.readable(index);
    look.batches.push({ channel: index, events: answer.events, more: answer.is === 'more' });
  }

  /** R83. */
  async #sayGone(look: Look, index: number, channel: Channel): Promise<'said' | 'restarted' | 'failed'> {
    const asked = await this.#ask(endQuery(channel, 'oldest'));
    const [oldest] = typeof asked === 'string' ? [] : eventsIn(asked.stdout);
    const last = look.state.channels[index]?.last ?? 0;
    if (oldest === undefined) {
      look.failed(index, typeof asked === 'string' ? asked : 'EIO');
      return 'failed';
    }
    if (oldest.record <= last) {
      look.restarted(index);
      return 'restarted';
    }
    look.cleared(index, oldest.record - last - 1);
    return 'said';
  }

  #pendingOf(look: Look): Pending {
    const step = look.step();
    const measured = look.max === 0 && look.state.unreadable === null;
    const soon = step.more || measured ? 0 : look.isHeld ? AGAIN_MS : this.#everyMs;
    return { step, state: look.state, dueAt: this.#clock.mono() + soon };
  }

  /** Output, or the code of why there is none. */
  async #ask(args: readonly string[]): Promise<{ stdout: string } | string> {
    try {
      const { code, stdout } = await this.#run(args);
      return code === 0 ? { stdout } : codeWord(code);
    } catch (error) {
      const code = codeOf(error);
      return SYSTEM_CODES.some((known) => known === code) ? code : 'EIO';
    }
  }

  async *#again({ from, to }: Stretch, until: readonly ChannelState[]): AsyncGenerator<FollowedLine> {
    const since = (from / PLACES_PER_SECOND) * SECOND_MS - REPLAY_SLACK_MS;
    const place = new Places(0);
    const lasts = until.map(() => 0);
    for (let more = true; more; ) {
      const batches: Batch[] = [];
      for (const [index, channel] of this.#channels.entries()) {
        const range = { last: lasts[index] ?? 0, upTo: until[index]?.last ?? 0, since };
        if (range.upTo > range.last) batches.push(await this.#batchAgain(index, channel, range));
      }
      const events = merge(batches, Number.POSITIVE_INFINITY);
      for (const event of events) {
        lasts[event.channel] = event.record;
        const line = lineOf(event, place.next(event.at));
        if (line.start >= from && line.start < (to ?? Number.POSITIVE_INFINITY)) yield line;
      }
      more = batches.some((batch) => batch.more) && events.length > 0;
    }
  }

  async #batchAgain(index: number, channel: Channel, range: Range): Promise<Batch> {
    const asked = await this.#ask(rangeQuery(channel, range, REPLAYED_AT_ONCE));
    const answer = typeof asked === 'string' ? null : readAnswer(asked.stdout, range, REPLAYED_AT_ONCE);
    if (answer === null || answer.is === 'broken') return { channel: index, events: [], more: false };
    return { channel: index, events: answer.events, more: answer.is === 'more' };
  }
}

async function* following(
  first: FollowedLine,
  rest: AsyncIterable<FollowedLine>,
): AsyncGenerator<FollowedLine> {
  yield first;
  yield* rest;
}

function isEmpty(step: FollowStep): boolean {
  return step.lines.length === 0 && step.notices.length === 0;
}

/** Windows' error numbers as the codes that other sources have: access denied, no such log. */
function codeWord(code: number): string {
  if (code === 5) return 'EACCES';
  return code === 2 || code === 15_007 ? 'ENOENT' : 'EIO';
}
