/** All sources of this agent, and the watch on its clock. */
import type { UtcMs } from '../protocol/time.ts';
import { type Clock, SECOND_MS } from '../protocol/time.ts';
import type { AgentLog } from './log.ts';
import type { PumpJournal, SourceStatus } from './pump.ts';
import type { PumpChain } from './pump-chain.ts';
import type { Draft } from './types.ts';

/** A wall clock that moved by more than this against monotonic time between two looks was set, or slept. */
export const STEP_MS = 5 * SECOND_MS;
const LOOK_MS = SECOND_MS;

/** Says when the wall clock was set. The times of events are claims; this tells where to doubt them. */
export class ClockWatch {
  readonly #clock: Clock;
  readonly #journal: Pick<PumpJournal, 'append'>;
  #difference: number;

  constructor(clock: Clock, journal: Pick<PumpJournal, 'append'>) {
    this.#clock = clock;
    this.#journal = journal;
    this.#difference = clock.now() - clock.mono();
  }

  /** Stores `clock.stepped` where it was; throws what the journal throws, and then says it at the next look. */
  look(): void {
    const difference = this.#clock.now() - this.#clock.mono();
    const byMs = Math.round(difference - this.#difference);
    if (Math.abs(byMs) > STEP_MS) {
      const draft: Draft<'clock.stepped'> = { type: 'clock.stepped', data: { byMs, source: null } };
      this.#journal.append([draft]);
    }
    // Small differences are the clock being disciplined: they never add up to a step.
    this.#difference = difference;
  }
}

export interface PumpsOptions {
  journal: Pick<PumpJournal, 'append'>;
  clock: Clock;
  log: AgentLog;
}

export class Pumps {
  readonly #o: PumpsOptions;
  readonly #chains: readonly PumpChain[];
  readonly #watch: ClockWatch;
  #cancel: (() => void) | null = null;

  constructor(options: PumpsOptions, chains: readonly PumpChain[]) {
    this.#o = options;
    this.#watch = new ClockWatch(options.clock, options.journal);
    this.#chains = chains;
  }

  start(): void {
    for (const chain of this.#chains) chain.start();
    this.#look();
  }

  async stop(): Promise<void> {
    this.#cancel?.();
    await Promise.all(this.#chains.map((chain) => chain.stop()));
  }

  status(): SourceStatus[] {
    return this.#chains.flatMap((chain) => chain.status());
  }

  /**
   * Every source was read to its end, and all of it was durable, at this time or later; null where one never
   * was, or where there is no source at all.
   */
  readThrough(): UtcMs | null {
    let earliest: UtcMs | null = null;
    for (const chain of this.#chains) {
      const at = chain.readThrough();
      if (at === null) return null;
      if (earliest === null || at < earliest) earliest = at;
    }
    return earliest;
  }

  #look(): void {
    try {
      this.#watch.look();
      this.#o.log.recovered('clock-watch');
    } catch (error) {
      this.#o.log.trouble('clock-watch', error);
    }
    this.#cancel = this.#o.clock.after(LOOK_MS, () => this.#look());
  }
}
