/**
 * The one writer of agents' leaves. Batches wait in a line per connection; a turn takes some of every line, opens
 * their parts, and stores everything in one transaction.
 *
 * G1  Ack = committed and fsynced, cumulative: nothing is acked that the transaction did not store.
 * G2  A batch that cannot be stored harms no other: where a transaction fails, its batches are tried one by one.
 * G3  A revoked agent's batches are not stored any more, however long they waited.
 */
import type { CloseName } from '../../protocol/close-code.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { AgentFrame, FrameOf } from '../../protocol/frame.ts';
import type { AgentId, AgreementId, GroupId, LogId } from '../../protocol/ids.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { registerNamed } from '../oneoff/keys.ts';
import { recogniserOf } from '../oneoff/recognise.ts';
import type { WrapRow } from '../store/types.ts';
import { turnsOf } from '../turns.ts';
import type { Context, Refusal } from '../types.ts';
import { type IncomingLeaf, type Offence, readIncoming } from './decide.ts';
import { FairQueue } from './fair.ts';
import { Pace } from './pace.ts';
import { type PartsOf, planParts, regroupLate } from './parts.ts';
import { Resealer } from './regroup.ts';
import { type Outcome, type Prepared, writeBatches } from './transact.ts';
import { WrapCache, wrapRows } from './wraps.ts';

export type BatchFrame = FrameOf<AgentFrame, 'batch'>;

/** The connection that a batch came over. */
export interface Sender {
  readonly agent: AgentId;
  readonly agreement: AgreementId;
  /** True where what waits of it must not be stored (G3). */
  readonly barred: boolean;
  acked(log: LogId, through: number): void;
  end(name: CloseName, refusal: Refusal | null): void;
}

export interface Batch {
  sender: Sender;
  frame: BatchFrame;
  /** Returns the batch's credits; called once, whatever became of it. */
  settled(): void;
}

interface Work {
  batch: Batch;
  prepared: Prepared;
}

const RETRY_MS = 5 * SECOND_MS;

export class Ingest {
  readonly #ctx: Context;
  readonly #wraps = new WrapCache();
  readonly #resealer: Resealer;
  readonly #queue = new FairQueue<Batch>();
  readonly #pace = new Pace();
  /** When each batch came that is not stored or refused yet, the oldest first. */
  readonly #since = new Map<Batch, number>();
  #running: Promise<void> | null = null;
  #failing = false;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#resealer = new Resealer(ctx.clock, ctx.random);
  }

  submit(batch: Batch): void {
    this.#since.set(batch, this.#ctx.clock.mono());
    this.#queue.add(batch.sender, batch, batch.frame.events.length);
    this.#running ??= this.#run();
  }

  /** How long the oldest batch waits for its commit, milliseconds; null: none does. */
  oldestWaitingMs(): number | null {
    const [oldest] = this.#since.values();
    return oldest === undefined ? null : this.#ctx.clock.mono() - oldest;
  }

  /** A group is being erased: what this room holds of its keys is zeroed. */
  forget(group: GroupId): void {
    this.#resealer.forget(group);
  }

  /** Resolves when everything that was submitted is stored or refused; then nothing is held in memory. */
  async close(): Promise<void> {
    while (this.#running !== null) await this.#running;
    this.#resealer.close();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#queue.empty) {
        // Sockets are read in between, so that one fsync serves what came meanwhile.
        await new Promise<void>((resolve) => setImmediate(resolve));
        // Who moves parts comes in between, when none is opened and not stored.
        await turnsOf(this.#ctx, 'ingest').run(() => this.#timed(this.#queue.take(this.#pace.events)));
      }
    } finally {
      // In the same breath as the last look at the queue: a batch that comes later starts a run of its own.
      this.#running = null;
    }
  }

  async #timed(batches: readonly Batch[]): Promise<void> {
    const { clock } = this.#ctx;
    const began = clock.mono();
    await this.#turn(batches);
    const events = batches.reduce((sum, { frame }) => sum + frame.events.length, 0);
    this.#pace.took(clock.mono() - began, events);
  }

  async #turn(taken: readonly Batch[]): Promise<void> {
    const batches = taken.filter(({ sender }) => !sender.barred);
    try {
      if (batches.length > 0) await this.#store(batches);
    } catch (error) {
      if (batches.length === 1) this.#fail(batches, error);
      else for (const batch of batches) await this.#turn([batch]);
    }
    // Settling is safe to repeat, and nobody may lose credits to an error.
    for (const batch of taken) {
      this.#since.delete(batch);
      batch.settled();
    }
  }

  async #store(batches: readonly Batch[]): Promise<void> {
    const { store, faults } = this.#ctx;
    const work = await this.#prepare(batches);
    if (work.length === 0) return;
    if (faults.broken?.('ack-before-commit')) ackEarly(work);
    const written = await store.write(async (tx) => {
      const result = await writeBatches(
        this.#ctx,
        tx,
        work.map(({ prepared }) => prepared),
      );
      faults.hit?.('collector.ingest.before-commit');
      // The commit point: a crash before it leaves nothing, the agents send again; after it they get their ack
      // again as duplicates.
      return result;
    });
    this.#wraps.add(written.wraps);
    this.#wraps.trim();
    this.#recovered();
    faults.hit?.('collector.ingest.after-commit');
    for (const { prepared } of work) recognise(this.#ctx, prepared);
    for (const [i, outcome] of written.outcomes.entries()) {
      const batch = work[i]?.batch;
      if (batch !== undefined) this.#answer(batch, outcome);
    }
  }

  /** Reads batches and opens their parts. Parts without their event end the connection, and nothing is taken. */
  async #prepare(batches: readonly Batch[]): Promise<Work[]> {
    await this.#wraps.load(
      this.#ctx.store.read,
      batches.map(({ frame }) => frame),
    );
    await registerNamed(
      this.#ctx,
      batches.map(({ sender: { agent, agreement }, frame: { parts } }) => ({ agent, agreement, parts })),
    );
    const work: Work[] = [];
    const wraps = new Map<LogId, Map<string, WrapRow>>();
    for (const batch of batches) {
      const prepared = this.#read(batch, wraps);
      if (hasStrayParts(prepared)) batch.sender.end('badFrame', STRAY);
      else work.push({ batch, prepared });
    }
    await regroupLate(
      this.#ctx,
      this.#resealer,
      work.map(({ prepared }) => prepared),
    );
    return work;
  }

  /** `turn`: the wraps of this turn's frames so far. */
  #read({ sender, frame }: Batch, turn: Map<LogId, Map<string, WrapRow>>): Prepared {
    const incoming = frame.events.map(readIncoming);
    const leaves = new Map<number, IncomingLeaf>();
    for (const one of incoming) {
      if (one.leaf !== null && !leaves.has(one.leaf.seq)) leaves.set(one.leaf.seq, one);
    }
    const log = frame.log as LogId;
    const { agent, agreement } = sender;
    // The frame's own first: what came before under an id that was given twice is not what it was sealed with.
    const wraps = new Map([...(turn.get(log) ?? []), ...wrapRows(log, frame.wraps)]);
    turn.set(log, wraps);
    const of: PartsOf = {
      agent,
      agreement,
      log,
      leaves,
      parts: frame.parts,
      wraps,
    };
    return { of, incoming, planned: planParts(this.#ctx, of, this.#wraps) };
  }

  #answer({ sender, frame }: Batch, { through, offence }: Outcome): void {
    this.#ctx.faults.hit?.('collector.ack.before');
    sender.acked(frame.log as LogId, through);
    if (offence !== null) refuse(sender, offence);
  }

  #fail(batches: readonly Batch[], error: unknown): void {
    const code = codeOf(error);
    // Once until it works again: a full disk would otherwise write a line per batch.
    if (!this.#failing) this.#ctx.log.error({ code }, 'ingest: batches cannot be stored; agents keep them');
    this.#failing = true;
    const refusal: Refusal = {
      code: 'ingest.failed',
      message: 'storing events: the collector could not write them; keep them',
      hint: 'See the log of the collector.',
      retryAfter: RETRY_MS,
    };
    for (const { sender } of batches) sender.end('tryLater', refusal);
  }

  #recovered(): void {
    if (this.#failing) this.#ctx.log.info('ingest: batches are stored again');
    this.#failing = false;
  }
}

/** Tells of starts of one-off sessions, and of what devices are called, once they are stored. */
function recognise(ctx: Context, { of: { agent }, planned }: Prepared): void {
  for (const { leaf, under, outcome, opened } of planned) {
    if (outcome !== 'store' || opened === null) continue;
    const { type, data } = leaf.leaf;
    if (type === 'device.known') recogniserOf(ctx)?.deviceSaid(agent);
    if (type !== 'session.started' || ctx.groups.byId(under)?.kind !== 'oneoff') continue;
    recogniserOf(ctx)?.began({ group: under, agent, data, personal: opened.p });
  }
}

/** A build broken on purpose (G1). */
function ackEarly(work: readonly Work[]): void {
  for (const { batch, prepared } of work) {
    batch.sender.acked(prepared.of.log, Math.max(0, ...prepared.of.leaves.keys()));
  }
}

/** A part whose event is not in the frame; where an event cannot be read, its number is not known either. */
function hasStrayParts({ of, incoming }: Prepared): boolean {
  if (incoming.some(({ leaf }) => leaf === null)) return false;
  return of.parts.some(({ seq }) => !of.leaves.has(seq));
}

const STRAY: Refusal = {
  code: 'batch.stray-part',
  message: 'taking events: a sealed part came without its event',
  hint: 'Agent and collector may be of different versions; update the older one.',
  retryAfter: null,
};

const REFUSALS: Record<Offence['kind'], { close: CloseName; refusal: Refusal }> = {
  fork: {
    close: 'logRefused',
    refusal: {
      code: 'log.forked',
      message: 'taking events: this log has other bytes at a number that is taken; it is frozen',
      hint: 'The agent opens a new log by itself. Was this machine cloned or set back to a snapshot?',
      retryAfter: null,
    },
  },
  quarantine: {
    close: 'logRefused',
    refusal: {
      code: 'log.quarantined',
      message: 'taking events: an event of this log is not well-formed or not its next one',
      hint: 'The agent opens a new log by itself; what was stored before stays.',
      retryAfter: null,
    },
  },
  'not-open': {
    close: 'logRefused',
    refusal: {
      code: 'log.not-open',
      message: 'taking events: this log takes no new ones',
      hint: 'The agent opens a new log by itself.',
      retryAfter: null,
    },
  },
  hole: {
    close: 'outOfOrder',
    refusal: {
      code: 'log.hole',
      message: 'taking events: numbers are missing before them',
      hint: 'The agent begins again where the collector stands.',
      retryAfter: null,
    },
  },
};

function refuse(sender: Sender, offence: Offence): void {
  const { close, refusal } = REFUSALS[offence.kind];
  sender.end(close, refusal);
}
