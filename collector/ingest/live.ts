/**
 * A connection that was let in: window, acks, beats, commands, key groups.
 *
 * S3  `erase`, `result` and beats do not wait behind batches.
 * S4  A connection that is silent for 75 s is closed.
 * S5  Evidence is complete up to a beat's `readThrough` once everything the agent had then is stored here.
 * S6  What needs no credits is bounded in bytes per second, and so are pings.
 * V62 A host that comes back with groups that died meanwhile has no credits until it was told so: it erases before it
 *     sends, and what is to be erased does not leave it any more.
 * S11 Who does not take what is sent to it is cut: the beat before must have left when the next one is due.
 */
import type { CloseName } from '../../protocol/close-code.ts';
import { codeOf } from '../../protocol/errors.ts';
import {
  type AgentFrame,
  BEAT_MS,
  type CollectorFrame,
  DEAD_MS,
  type FrameOf,
  MAX_FRAME_BYTES,
  type WireKey,
} from '../../protocol/frame.ts';
import type { SignedGroup } from '../../protocol/group.ts';
import type { GroupId, Id, LogId } from '../../protocol/ids.ts';
import { fromIso, SECOND_MS, toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { softwareOf } from '../agents.ts';
import { Bucket } from '../bucket.ts';
import { noteConfirmed, toConfirm } from '../erasing/confirm.ts';
import { endGroups } from '../oneoff/end.ts';
import { takeKeys } from '../oneoff/keys.ts';
import { recogniserOf } from '../oneoff/recognise.ts';
import type { AgentRow } from '../store/types.ts';
import type { Context, Refusal } from '../types.ts';
import { commandsAfter, storeResult } from './commands.ts';
import type { Credits } from './credits.ts';
import type { Admission, Hello } from './handshake.ts';
import type { Ingest, Sender } from './ingest.ts';
import type { Presence } from './presence.ts';
import { takeAnswer } from './queries.ts';
import type { Quotas } from './quotas.ts';
import type { Samples } from './samples.ts';
import { supply } from './supply.ts';
import { SendWindow } from './window.ts';
import type { Wire } from './wire.ts';

/** Frames beside batches: one of the largest size at any time, and a steady trickle. */
const BESIDES = { perSecond: 256 * 1024, burst: MAX_FRAME_BYTES };
/** However small a frame is, reading it costs this much of the trickle: 512 in a second, 2,048 at once. */
const LEAST_FRAME_BYTES = 512;
const MAX_GROUPS = 1024;
/** A `hello` with so many may have left some out: what it holds is not known. */
const MAX_HELD = 2048;
/** No credits. */
const NOTHING = { events: 0, bytes: 0 };
const MAX_PENDING_BEATS = 8;
/** Groups that nobody knew here and that are over: those of a month without a link, then a trickle. */
const UNKNOWN = { perSecond: 20, burst: 4096 };

const ERASE_FAILED: Refusal = {
  code: 'erase.failed',
  message: 'ending one-off groups: the collector could not write it; say it again',
  hint: 'See the log of the collector.',
  retryAfter: 5 * SECOND_MS,
};

type LiveFrame = Exclude<AgentFrame, { t: 'hello' | 'proof' }>;

export interface LiveDeps {
  ctx: Context;
  ingest: Ingest;
  presence: Presence;
  samples: Samples;
  credits: Credits;
  quotas: Quotas;
  wire: Wire;
  sender: Sender;
  row: AgentRow;
  /** The agent's process. */
  instance: Id<'instance'>;
}

export class Live {
  readonly #deps: LiveDeps;
  readonly #cursors = new Map<string, number>();
  readonly #openLog: LogId | null;
  /** Groups that the agent holds: named in its `hello`, or sent on this connection. */
  readonly #held = new Set<string>();
  #namesAll = true;
  readonly #window: SendWindow;
  readonly #commands: { sent: number; sending: boolean; again: boolean };
  readonly #besides: Bucket;
  readonly #unknown: Bucket;
  #beats: { next: number; readThrough: UtcMs }[] = [];
  #cancelBeat: () => void = () => {};
  #over = false;

  constructor(deps: LiveDeps, admission: Admission) {
    this.#deps = deps;
    this.#openLog = admission.openLog;
    this.#besides = new Bucket(deps.ctx.clock, BESIDES);
    this.#unknown = new Bucket(deps.ctx.clock, UNKNOWN);
    const { credits, quotas, wire, row } = deps;
    this.#window = new SendWindow({
      ...{ credits, quotas, customer: row.customer },
      tell: (window) => this.#send({ t: 'credit', ...window }),
      echo: (read) => wire.echo(read),
      hold: (held) => wire.stop(held),
    });
    this.#commands = { sent: admission.applied, sending: false, again: false };
    for (const { log, through } of admission.welcome.cursors) this.#cursors.set(log, through);
  }

  begin(hello: Hello, admission: Admission): void {
    const { ctx, presence, row } = this.#deps;
    const dead = ctx.groups.dead(hello.groups as GroupId[]);
    const first = this.#window.first;
    // Without credits it sends no batch: it erases first (V62).
    this.#send({ ...admission.welcome, credits: dead.length > 0 ? NOTHING : first });
    for (const group of hello.groups) this.#held.add(group);
    this.#namesAll = hello.groups.length < MAX_HELD;
    this.#sendGroups(admission.add, dead);
    if (dead.length > 0) this.#send({ t: 'credit', ...first });
    this.#tellDead().catch((error: unknown) => this.#failed(error));
    this.nudge();
    const now = ctx.clock.now();
    const skewMs = (fromIso(hello.time) ?? now) - now;
    const software = softwareOf(hello.software);
    presence.note(row.agent, { lastSeenAt: now, skewMs, software, generation: ctx.generation() }, true);
    this.#beatLater();
  }

  end(): void {
    const { ctx, presence, row } = this.#deps;
    this.#over = true;
    this.#cancelBeat();
    this.#window.end();
    presence.note(row.agent, { lastSeenAt: ctx.clock.now() }, true);
  }

  #send(frame: CollectorFrame): void {
    if (!this.#over) this.#deps.wire.send(frame);
  }

  #offend(close: CloseName, code: string, why: string): void {
    this.#deps.sender.end(close, { code, message: `taking a frame: ${why}`, hint: null, retryAfter: null });
  }

  take(frame: LiveFrame, bytes: number): void {
    const { ctx, row } = this.#deps;
    if (frame.t !== 'batch' && !this.#beside(bytes)) return;
    switch (frame.t) {
      case 'batch':
        this.#takeBatch(frame, bytes);
        break;
      case 'beat':
        this.#takeBeat(frame);
        break;
      case 'erase':
        this.#takeErase(frame.groups as GroupId[], bytes);
        break;
      case 'result':
        takeAnswer(ctx, row.agent, frame);
        this.#inBackground(bytes, () => storeResult(ctx, row.agent, frame));
        break;
      case 'telemetry':
        this.#deps.samples.take(row, frame.samples);
        break;
      case 'status':
        // Its body is taken so that agents of a later version get on with this one; nothing here uses it.
        this.#takeKeys(frame.keys ?? []);
        break;
    }
  }

  /** A ping is answered by `ws` itself; so many of them are a flood. */
  pinged(): void {
    this.#beside(0);
  }

  #beside(bytes: number): boolean {
    if (this.#besides.take(Math.max(bytes, LEAST_FRAME_BYTES))) return true;
    this.#offend('flowExceeded', 'frame.too-fast', 'it is more than is taken in a second beside batches');
    return false;
  }

  #takeBatch(frame: FrameOf<AgentFrame, 'batch'>, bytes: number): void {
    const { ingest, sender, wire } = this.#deps;
    if (!this.#cursors.has(frame.log)) {
      this.#offend('unexpectedFrame', 'batch.log', 'its log was not in the hello');
      return;
    }
    if (!this.#takeKeys(frame.keys)) return;
    if (this.#deps.ctx.faults.broken?.('no-credits')) {
      // A build broken on purpose (S2, S8): whatever comes is taken and waits in memory.
      ingest.submit({ sender, frame, settled: () => {} });
      return;
    }
    const taken = this.#window.take(frame.events.length, bytes);
    if (taken === 'too-large') {
      this.#offend('flowExceeded', 'batch.too-large', 'it is larger than a batch may be');
    } else if (taken === 'too-much') {
      this.#offend('flowExceeded', 'batch.credits', 'it is more than the credits allow');
    } else {
      wire.hold(bytes);
      const settled = () => {
        wire.hold(-bytes);
        taken.settled();
      };
      ingest.submit({ sender, frame, settled });
    }
  }

  acked(log: LogId, through: number): void {
    this.#send({ t: 'ack', log, through });
    this.#cursors.set(log, Math.max(through, this.#cursors.get(log) ?? 0));
    if (log === this.#openLog) this.#settleBeats();
  }

  #takeBeat({ readThrough, next, backlog }: FrameOf<AgentFrame, 'beat'>): void {
    const { ctx, presence, row } = this.#deps;
    presence.note(row.agent, { lastSeenAt: ctx.clock.now(), backlog });
    const at = readThrough === null ? null : fromIso(readThrough);
    if (at === null) return;
    // The newest takes the place of the one before it where many wait: it says more.
    if (this.#beats.length >= MAX_PENDING_BEATS) this.#beats.pop();
    this.#beats.push({ next, readThrough: at });
    this.#settleBeats();
  }

  #settleBeats(): void {
    const { ctx, presence, row } = this.#deps;
    const through = this.#openLog === null ? 0 : (this.#cursors.get(this.#openLog) ?? 0);
    const done = this.#beats.filter(({ next }) => through >= next - 1);
    if (done.length === 0) return;
    this.#beats = this.#beats.filter(({ next }) => through < next - 1);
    // Nothing was read in the future; a clock that says so is ahead of ours.
    const latest = Math.max(...done.map((beat) => beat.readThrough));
    presence.note(row.agent, { readThrough: utcMs(Math.min(ctx.clock.now(), latest)) });
  }

  /** False: too many, and the connection is over. */
  #takeKeys(keys: readonly WireKey[]): boolean {
    const { ctx, row, instance } = this.#deps;
    if (takeKeys(ctx, { agent: row.agent, instance }, keys)) return true;
    this.#offend('flowExceeded', 'keys.too-many', 'these are keys of more sessions than a host can have');
    return false;
  }

  /** Not behind what waits for ingest (O4 of `oneoff/end.ts`); said to be erased when it is, durably. */
  #takeErase(groups: readonly GroupId[], bytes: number): void {
    const { ctx, row, sender } = this.#deps;
    const unknown = groups.filter((group) => ctx.groups.byId(group) === null).length;
    if (!this.#unknown.take(unknown)) {
      this.#offend('flowExceeded', 'erase.too-many', 'it names more groups that nobody knows than are taken');
      return;
    }
    this.#inBackground(bytes, async () => {
      try {
        await recogniserOf(ctx)?.settled(groups);
        const over = await endGroups(ctx, row, groups, 'lane');
        this.#send({ t: 'erased', groups: over });
        ctx.faults.hit?.('collector.erase.answered');
      } catch (error) {
        // The agent says it again on its next connection, until it is told that it is so.
        sender.end('tryLater', ERASE_FAILED);
        throw error;
      }
    });
  }

  /** Sends the commands that were not sent on this connection yet, in order (M2 of `commands.ts`). */
  nudge(): void {
    if (this.#commands.sending) {
      this.#commands.again = true;
      return;
    }
    this.#commands.sending = true;
    this.#sendCommands()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#commands.sending = false;
      });
  }

  async #sendCommands(): Promise<void> {
    const { ctx, row } = this.#deps;
    do {
      this.#commands.again = false;
      for (const command of await commandsAfter(ctx, row.agent, this.#commands.sent)) {
        this.#send(command);
        this.#commands.sent = command.n;
      }
    } while (this.#commands.again);
  }

  /** Sends key groups that are new since the last time, and names the dead ones. */
  async refresh(): Promise<void> {
    const { ctx, row } = this.#deps;
    const now = ctx.clock.now();
    await supply(ctx, row, now);
    const add = ctx.groups.forAgreement(row.agreement, now).filter(({ group }) => !this.#held.has(group));
    const dead = ctx.groups.dead([...this.#held] as GroupId[]);
    if (add.length + dead.length > 0) this.#sendGroups(add, dead);
    await this.#tellDead();
  }

  /** Names dead groups that were not named yet, and hears when the agent has taken that in (V44). */
  async #tellDead(): Promise<void> {
    const { ctx, row, wire } = this.#deps;
    const through = await toConfirm(ctx, row);
    if (through === null || this.#over) return;
    const dead = ctx.groups.dead([...this.#held] as GroupId[]);
    if (dead.length > 0) this.#sendGroups([], dead);
    if (!this.#namesAll) return;
    wire.echo(() => {
      noteConfirmed(ctx, row, through).catch((error: unknown) => this.#failed(error));
    });
  }

  #sendGroups(add: readonly SignedGroup[], dead: readonly GroupId[]): void {
    for (const { group } of add) this.#held.add(group);
    for (const group of dead) this.#held.delete(group);
    this.#send({ t: 'groups', add: [...add], dead: dead.slice(0, MAX_GROUPS) });
    for (let from = MAX_GROUPS; from < dead.length; from += MAX_GROUPS) {
      this.#send({ t: 'groups', add: [], dead: dead.slice(from, from + MAX_GROUPS) });
    }
  }

  #beatLater(): void {
    const { ctx, wire, sender } = this.#deps;
    this.#cancelBeat = ctx.clock.after(BEAT_MS, () => {
      if (ctx.clock.mono() - wire.heardAt > DEAD_MS) {
        sender.end('silent', null);
        return;
      }
      if (wire.stuck) {
        wire.cut();
        return;
      }
      wire.sendMarked({ t: 'beat', time: toIso(ctx.clock.now()), commandsThrough: this.#commands.sent });
      this.#beatLater();
    });
  }

  #inBackground(bytes: number, act: () => Promise<void>): void {
    const { wire } = this.#deps;
    wire.hold(bytes);
    act()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => wire.hold(-bytes));
  }

  #failed(error: unknown): void {
    this.#deps.ctx.log.error({ code: codeOf(error) }, 'socket: an act on a live connection failed');
  }
}
