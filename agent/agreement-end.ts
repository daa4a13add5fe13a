/**
 * The end of this agent's agreement, as the collector ordered it: remembered, and kept.
 *
 * M1  From its effective date on nothing is read and nothing is measured, also after a restart, also without the
 *     collector, also where the database was lost; what stands in the files is left as it is (S4).
 * M2  The last order holds; only an order takes one back. One that could not be stored changes nothing.
 * M8  Once the collector has said that erasing has begun, nothing of the telemetry stays on this machine: that it was
 *     said is durable before the first row goes, and a start goes on before it does anything else.
 */
import { z } from 'zod';
import { id } from '../protocol/group.ts';
import type { AgreementId } from '../protocol/ids.ts';
import { type Clock, HOUR_MS, SECOND_MS, type UtcMs, utcMs } from '../protocol/time.ts';
import { inState, readText, writeAtomic } from './files.ts';
import type { Journal } from './types.ts';
import type { Doing } from './uplink/commands.ts';

/** Timers of the system reach about 24 days: it is looked at again in between. */
const LOOK_MS = HOUR_MS;
/** Somebody who reads the database keeps its log from being emptied: so often, and so far apart, it is tried again. */
const TRIES = 30;
const AGAIN_MS = SECOND_MS;

const about = z.object({ agreement: id });
const order = about.extend({ effectiveAt: z.int().nullable() });
/** The first versions wrote the date alone. */
const stored = z.object({
  agreement: id.optional(),
  effectiveAt: z.int().nullable(),
  erasing: z.boolean().default(false),
});

/** Beside the database, so that the order survives its loss. */
export const END_FILE = 'agreement-end.json';

/** What is known of the end; `at` null: there is no order. */
interface Known {
  at: UtcMs | null;
  /** The collector has said that erasing has begun: it is over whatever the clock says. */
  erasing: boolean;
}

/** The file of that name in a state directory. */
export function besideDatabase(state: string): EndDeps['beside'] {
  const file = inState(state, END_FILE);
  return { read: () => readText(file), write: (text) => writeAtomic(file, text) };
}

export interface EndDeps {
  agreement: AgreementId;
  journal: Pick<Journal, 'append' | 'cursor' | 'sourceId'>;
  clock: Clock;
  /** Told when it is over, and when an order was taken back that had made it so. */
  changed(over: boolean): void | Promise<void>;
  /** `END_FILE`, whole or not at all; null: there is none. */
  beside: { read(): string | null; write(text: string): void };
  /** Erases what was measured; safe to be called again. False: something of it may be left, call it again. */
  erase(): boolean;
}

export class AgreementEnd {
  readonly #deps: EndDeps;
  #known: Known;
  #told = false;
  #cancel: () => void = () => {};
  readonly #stopped = Promise.withResolvers<void>();
  #stopping = false;

  constructor(deps: EndDeps) {
    this.#deps = deps;
    this.#known = this.#read();
  }

  /** Effective date; null: there is no order. */
  get at(): UtcMs | null {
    return this.#known.at;
  }

  get over(): boolean {
    const { at, erasing } = this.#known;
    return erasing || (at !== null && at <= this.#deps.clock.now());
  }

  /** At the start, before anything is read, measured or sent: goes on with what a crash interrupted (M8). */
  resume(): void {
    if (this.#known.erasing) this.#deps.erase();
  }

  /** Waits for the date, and tells of it. */
  async start(): Promise<void> {
    this.#cancel();
    const { clock, changed } = this.#deps;
    if (this.over !== this.#told) {
      this.#told = this.over;
      await changed(this.#told);
    }
    // Taken anew while others were told: whoever changed it has called this, too.
    this.#cancel();
    const { at, erasing } = this.#known;
    if (at === null || erasing || this.#stopping) return;
    // Also once it is over: a clock that was ahead may be set back to before the date.
    const wait = this.over ? LOOK_MS : Math.min(LOOK_MS, at - clock.now());
    this.#cancel = clock.after(wait, () => void this.start());
  }

  stop(): void {
    this.#stopping = true;
    this.#cancel();
    this.#stopped.resolve();
  }

  /** Carries out `agreement.end`. Durable when it resolves; safe to be called again. */
  async take(body: Record<string, unknown>): Promise<Doing> {
    const read = order.safeParse(body);
    if (!read.success || read.data.agreement !== this.#deps.agreement) return NOT_OURS;
    const { effectiveAt } = read.data;
    this.#save({ at: effectiveAt === null ? null : utcMs(effectiveAt), erasing: false });
    await this.start();
    return { outcome: 'done', body: { over: this.over } };
  }

  /**
   * Carries out `agreement.erase`: erasing has begun. Done when no byte of the telemetry is left in a file of ours; safe
   * to be called again.
   */
  async takeErase(body: Record<string, unknown>): Promise<Doing> {
    const read = about.safeParse(body);
    if (!read.success || read.data.agreement !== this.#deps.agreement) return NOT_OURS;
    // Commit point: from here on every start erases, before anything else. Whose clock is late, it is over here too.
    this.#save({ at: this.#known.at ?? this.#deps.clock.now(), erasing: true });
    await this.start();
    for (let tries = 1; !this.#deps.erase(); tries += 1) {
      if (tries === TRIES || this.#stopping) return { outcome: 'failed', body: { code: 'database.busy' } };
      await this.#pause();
    }
    return { outcome: 'done', body: { over: true } };
  }

  #pause(): Promise<void> {
    const waited = Promise.withResolvers<void>();
    const cancel = this.#deps.clock.after(AGAIN_MS, waited.resolve);
    return Promise.race([waited.promise, this.#stopped.promise]).finally(cancel);
  }

  /** The journal keeps a reading position for anything that has a label: here it is the date. */
  #memory() {
    return this.#deps.journal.sourceId('agreement.end');
  }

  /** What the database says counts; where it was lost, what lies beside it. */
  #read(): Known {
    const { journal, beside } = this.#deps;
    return (
      this.#readFrom(journal.cursor(this.#memory())) ??
      this.#readFrom(beside.read()) ?? { at: null, erasing: false }
    );
  }

  #readFrom(text: string | null): Known | null {
    const read = stored.safeParse(text === null ? null : jsonOf(text));
    if (!read.success) return null;
    const { agreement = this.#deps.agreement, effectiveAt, erasing } = read.data;
    if (agreement !== this.#deps.agreement) return null;
    return { at: effectiveAt === null ? null : utcMs(effectiveAt), erasing };
  }

  /**
   * On the disk first: what could not be stored is not known here either (M2). The file goes before the database, whose
   * word counts: a crash in between leaves the order that held before, and the collector gives the new one again.
   */
  #save({ at, erasing }: Known): void {
    const { agreement, journal, beside } = this.#deps;
    const state = JSON.stringify({ agreement, effectiveAt: at, erasing });
    beside.write(state);
    journal.append([], [{ source: this.#memory(), state }]);
    this.#known = { at, erasing };
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const NOT_OURS: Doing = { outcome: 'failed', body: { code: 'agreement.not-ours' } };
