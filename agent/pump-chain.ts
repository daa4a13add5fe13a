/**
 * The files of one tool, read in turns by one loop: the log before the rows, because a row is joined to what the log
 * has told of.
 *
 * U8  Where one file of a tool could not be stored, what all of its parts remember is made anew before anything else is
 *     read: what a row was joined to is known to the log's part.
 * U21 Files at rest are looked at together, on the same beats of the monotonic clock whatever their tool: the agent wakes
 *     once a second for all of them, and not once for each.
 */
import type { Clock, UtcMs } from '../protocol/time.ts';
import type { Pump, SourceStatus, Turn } from './pump.ts';

export const POLL_MS = 300;
/** Where nothing was written for a while: a third of the looks, and still well inside of two seconds. */
export const REST_POLL_MS = 1_000;
const EARLY_MS = 50;
/** Looks in a row that found nothing, about five seconds, after which a chain rests. */
const RESTS_AFTER = 16;

export interface ChainOptions {
  clock: Clock;
  /** Everything there was has been read and is durable. */
  onCaughtUp?: (() => void) | undefined;
  /** True: nothing is read (M1). Absent: it may be. */
  over?: (() => boolean) | undefined;
}

export class PumpChain {
  readonly #o: ChainOptions;
  readonly #pumps: readonly Pump[];
  #fresh = true;
  /** Looks in a row that found nothing. */
  #quiet = 0;
  #stopped = false;
  #running: Promise<void> | null = null;
  #wake: (() => void) | null = null;

  /** @param pumps in the order in which they are read */
  constructor(options: ChainOptions, pumps: readonly Pump[]) {
    this.#o = options;
    this.#pumps = pumps;
  }

  /** Reads until `stop`. */
  start(): void {
    this.#running ??= this.#loop();
  }

  /** Ends after the step under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
    for (const pump of this.#pumps) await pump.close();
  }

  status(): SourceStatus[] {
    return this.#pumps.map((pump) => pump.status());
  }

  /** U7: the earliest of all. */
  readThrough(): UtcMs | null {
    const all = this.#pumps.map((pump) => pump.readThrough());
    return all.reduce(
      (low, at) => (low === null || at === null ? null : at < low ? at : low),
      all[0] ?? null,
    );
  }

  /** One turn of each, in order; a later one waits until all before it have read what there is. */
  async turn(): Promise<Turn> {
    // Timers are late, and machines sleep over a date: it is asked at the last moment before each look into a file.
    if (this.#o.over?.()) return 'idle';
    if (!(await this.#restored())) return 'stuck';
    const held = this.#pumps.find((pump) => pump.held);
    if (held !== undefined && !(await this.#freed(held))) return 'stuck';
    for (const pump of this.#pumps) {
      const before = pump.told;
      const turn = await pump.turn();
      this.#fresh ||= pump.told > before;
      if (pump.stale) for (const other of this.#pumps) other.forget();
      if (turn !== 'idle') return turn;
    }
    if (this.#fresh && this.readThrough() !== null) {
      this.#fresh = false;
      this.#o.onCaughtUp?.();
    }
    return 'idle';
  }

  /** U20: what waits for room goes before anything else is read. False: it still waits. */
  async #freed(held: Pump): Promise<boolean> {
    for (const pump of this.#pumps) if (pump !== held) await pump.look();
    const before = held.told;
    await held.turn();
    this.#fresh ||= held.told > before;
    if (held.stale) for (const other of this.#pumps) other.forget();
    return !held.held;
  }

  /** False: it is to be tried again. */
  async #restored(): Promise<boolean> {
    if (!this.#pumps.some((pump) => pump.stale)) return true;
    for (const pump of this.#pumps) if (!(await pump.restore())) return false;
    return true;
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      const turn = await this.turn();
      this.#quiet = turn === 'idle' ? this.#quiet + 1 : 0;
      if (turn !== 'more') await this.#pause(this.#wait(turn));
    }
  }

  #wait(turn: Turn): number {
    if (turn === 'stuck') return Math.max(...this.#pumps.map((pump) => pump.wait));
    if (this.#quiet < RESTS_AFTER) return POLL_MS;
    // U21. A timer may ring a little before its time: the beat that it was for is not looked at twice.
    const toBeat = REST_POLL_MS - (Math.floor(this.#o.clock.mono()) % REST_POLL_MS);
    return toBeat < EARLY_MS ? toBeat + REST_POLL_MS : toBeat;
  }

  #pause(ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#o.clock.after(ms, () => {
        this.#wake = null;
        resolve();
      });
      this.#wake = () => {
        cancel();
        this.#wake = null;
        resolve();
      };
    });
  }
}
