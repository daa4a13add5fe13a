/**
 * Tails: an answer that goes on, one JSON line per item, from a cursor. A line without an item is a heartbeat and
 * moves the cursor; a line with `error` is the last one.
 *
 * Q8  A tail ends as soon as its sign-in opens nothing any more.
 * Q9  A tail ends with its connection, also where that was gone before the tail began.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TilsynError } from '../../protocol/errors.ts';
import { SECOND_MS, toIso } from '../../protocol/time.ts';
import type { Auth, Caller } from '../auth.ts';
import type { Pos } from '../store/types.ts';
import type { Context } from '../types.ts';
import { asTilsynError, errorBody } from './room.ts';

/** A line is sent at least this often, so that both sides see a broken connection. */
export const HEARTBEAT_MS = 15 * SECOND_MS;
/** Tails open at the same time. */
export const MAX_TAILS = 256;

export interface TailPage {
  items: { pos: Pos; item: Record<string, unknown> }[];
  /** Everything up to here was looked at. */
  after: Pos;
  more: boolean;
}
/** Items after a position, as this person may see them. */
export type TailStep = (caller: Caller, after: Pos) => Promise<TailPage>;

export interface Tails {
  /** `after` null: from now on. Resolves when the tail is over. */
  run(
    caller: Caller,
    request: FastifyRequest,
    reply: FastifyReply,
    after: Pos | null,
    step: TailStep,
  ): Promise<void>;
  /** Ends all of them: the collector stops. */
  close(): void;
}

/** @throws TilsynError `request.cursor` */
export function afterOf(text: string | undefined): Pos | null {
  if (text === undefined) return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new TilsynError('request.cursor', 'following the log: `after` is no position', {
    hint: 'Give --after the `pos` of the last line you have.',
    exit: 'usage',
  });
}

export function makeTails(ctx: Context, auth: Auth): Tails {
  const open = new Set<Tail>();
  return {
    async run(caller, request, reply, after, step) {
      if (open.size >= MAX_TAILS) {
        throw new TilsynError('server.busy', `following the log: ${MAX_TAILS} tails are open already`, {
          hint: 'Close one of them, or try again later.',
          exit: 'unreachable',
          retryable: true,
        });
      }
      const tail = new Tail(ctx, auth, caller, reply);
      const { socket } = request.raw;
      const onClose = () => tail.stop();
      open.add(tail);
      socket.once('close', onClose);
      // Closed while the request was being looked at: `close` was told already, to nobody (Q9).
      if (socket.destroyed) tail.stop();
      try {
        await tail.run(after ?? (await ctx.store.read.lastPos()), step);
      } finally {
        socket.off('close', onClose);
        open.delete(tail);
      }
    },
    close() {
      for (const tail of open) tail.stop();
    },
  };
}

class Tail {
  readonly #ctx: Context;
  readonly #auth: Auth;
  readonly #caller: Caller;
  readonly #reply: FastifyReply;
  #stopped = false;
  #news = false;
  #lastLineAt = 0;
  #wake: (() => void) | null = null;

  constructor(ctx: Context, auth: Auth, caller: Caller, reply: FastifyReply) {
    this.#ctx = ctx;
    this.#auth = auth;
    this.#caller = caller;
    this.#reply = reply;
  }

  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  async run(start: Pos, step: TailStep): Promise<void> {
    this.#reply.hijack();
    const { raw } = this.#reply;
    raw.on('error', () => this.stop()); // the reader went away in the middle of a line
    raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    const unsubscribe = this.#ctx.onCommit(() => {
      this.#news = true;
      this.#wake?.();
    });
    try {
      await this.#loop(start, step);
    } catch (error) {
      if (!this.#stopped) await this.#write(errorBody(asTilsynError(this.#ctx, error)));
    } finally {
      unsubscribe();
      raw.end();
    }
  }

  async #loop(start: Pos, step: TailStep): Promise<void> {
    let after = start;
    // The first line tells the cursor, so that a tail without items can be taken up again too.
    await this.#beat(after);
    while (!this.#stopped) {
      this.#news = false;
      const caller = await this.#auth.again(this.#caller);
      if (caller === null) throw ended();
      const page = await step(caller, after);
      for (const { pos, item } of page.items) await this.#write({ after: pos, item: { pos, ...item } });
      after = Math.max(after, page.after);
      if (this.#restMs() === 0) await this.#beat(after);
      if (!page.more) await this.#wait();
    }
  }

  /** Until the next heartbeat is due; commits that this person sees nothing of do not put it off. */
  #restMs(): number {
    return Math.max(0, this.#lastLineAt + HEARTBEAT_MS - this.#ctx.clock.mono());
  }

  #beat(after: Pos): Promise<void> {
    return this.#write({ after, at: toIso(this.#ctx.clock.now()) });
  }

  /** Until something was committed, the tail is stopped, or a heartbeat is due. */
  #wait(): Promise<void> {
    if (this.#news || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#wake = null;
        resolve();
      };
      const cancel = this.#ctx.clock.after(this.#restMs(), done);
      this.#wake = done;
    });
  }

  /** Waits for a slow reader, so that a tail never holds more than a page in memory. */
  async #write(line: Record<string, unknown>): Promise<void> {
    const { raw } = this.#reply;
    this.#lastLineAt = this.#ctx.clock.mono();
    if (raw.destroyed) this.stop();
    if (this.#stopped || raw.write(`${JSON.stringify(line)}\n`)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        raw.off('drain', done);
        this.#wake = null;
        resolve();
      };
      raw.once('drain', done);
      this.#wake = () => this.#stopped && done();
    });
  }
}

function ended(): TilsynError {
  return new TilsynError('signin.refused', 'following the log: the sign-in has ended', {
    hint: 'See what `tilsyn whoami` says; where it fails, run `tilsyn login` with a new token.',
    exit: 'signedOut',
  });
}
