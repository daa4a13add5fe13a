/**
 * Holds on this host: orders of the collector, slips, and what is answered about them.
 *
 * H2  A hold is in force with the commit of its row; that commit and `hold.applied` are one transaction. What it covers is
 *     counted afterwards and told by `hold.reported`, again whenever it changed.
 * H10 A slip counts where the collector signed it and it names this host.
 * H11 An order by command places a hold also where it was released before; a slip does not: commands are numbered and
 *     cannot be replayed, paper can.
 */
import { TilsynError } from '../../protocol/errors.ts';
import type { EventData } from '../../protocol/event.ts';
import { type HoldOrder, holdOrder } from '../../protocol/hold.ts';
import { verifyRecord } from '../../protocol/sign.ts';
import { holdSlip } from '../../protocol/slip.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import type { AgentIdentity, Draft, FaultSeam } from '../types.ts';
import type { Answerer, Doer, Doing } from '../uplink/commands.ts';
import type { HeldRow, HoldBook } from './book.ts';
import type { CoverCount, Covered } from './cover.ts';
import type { Soonest } from './disks.ts';

/** How the recordings of a hold are protected where their recorder would delete them (H6). */
export interface Protection {
  state: 'not-needed' | 'copying' | 'copied' | 'failed' | 'cannot-enforce';
  copied: number;
  reason: string | null;
}

export interface DeskDeps {
  journal: Pick<AgentJournal, 'transact' | 'append' | 'applied'>;
  book: HoldBook;
  cover: CoverCount;
  identity: Pick<AgentIdentity, 'agent' | 'site' | 'identity'>;
  /** Trusted time, or what comes nearest to it. */
  now(): UtcMs;
  rest(): Promise<void>;
  protection(hold: string): Promise<Protection>;
  /** Bytes of the volumes that recordings lie on; null: there is none. */
  volume(): { bytes: number; free: number } | null;
  /** How long after its start a recording of this source can end; null: nobody can say. */
  spanOf(source: number): number | null;
  /** The day on which a disk is full, with `more` in force too or without; null: no recordings are kept here (R9). */
  fills(more: HoldOrder | null): Promise<Soonest | null>;
  /** Holds came or went. */
  changed(): void;
  faults?: FaultSeam | undefined;
  /** Telling of them failed. */
  failed(error: unknown): void;
}

export class HoldDesk {
  readonly #o: DeskDeps;
  /** What was told last of each hold, so that the same is not told again. */
  readonly #told = new Map<string, string>();
  /** Of the collector that it was told to. */
  #toldIn: string | null;
  #reporting: Promise<void> = Promise.resolve();

  constructor(options: DeskDeps) {
    this.#o = options;
    this.#toldIn = options.journal.applied().generation;
  }

  readonly doers: Readonly<Record<string, Doer>> = {
    'hold.place': async (body) => this.#place(body, 'command'),
    'hold.release': async (body) => this.#release(body),
  };

  readonly answers: Readonly<Record<string, Answerer>> = {
    'hold.preview': async (body) => await this.#preview(body),
    'hold.status': async () => ({ holds: await this.#statuses() }),
    'hold.list': async () => ({ holds: this.#o.book.list().map((row) => ({ ...row })) }),
  };

  #place(body: Record<string, unknown>, via: 'command' | 'slip'): Doing {
    const read = holdOrder.safeParse(body);
    if (!read.success) return { outcome: 'failed', body: { code: 'hold.unreadable' } };
    const order = read.data;
    const { faults } = this.#o;
    // Commit point: before it nothing is held, after it nothing that is covered is marked for erasing. A crash before the
    // command's outcome is stored carries it out again: the row is the same, and it is told once more.
    this.#o.journal.transact(() => {
      this.#o.book.place(order);
      faults?.hit?.('agent.hold.placing');
      return { tell: [applied(order.hold, 'in-force', via)] };
    });
    faults?.hit?.('agent.hold.placed');
    this.#o.changed();
    void this.report(order.hold);
    return { outcome: 'done' };
  }

  #release({ hold }: Record<string, unknown>): Doing {
    const read = holdOrder.shape.hold.safeParse(hold);
    if (!read.success) return { outcome: 'failed', body: { code: 'hold.unreadable' } };
    const { journal, book, now, faults } = this.#o;
    // Commit point: before it all of it is held, after it what only this hold kept is the next sweep's.
    journal.transact(() => {
      book.release(read.data, now());
      faults?.hit?.('agent.hold.releasing');
      return { tell: [applied(read.data, 'released', 'command')] };
    });
    faults?.hit?.('agent.hold.released');
    this.#told.delete(read.data);
    this.#o.changed();
    return { outcome: 'done' };
  }

  /**
   * A slip that was carried here.
   * @throws TilsynError `slip.unreadable`, `slip.forged`, `slip.elsewhere`, `slip.released`
   */
  import(text: string): { hold: string; already: boolean } {
    const read = holdSlip.safeParse(asJson(text));
    if (!read.success)
      throw refuse('slip.unreadable', 'it is not a hold slip', 'Take it out again: tilsyn hold slip HOLD.');
    const slip = read.data;
    const { identity, book } = this.#o;
    if (!verifyRecord('slip', identity.identity, slip))
      throw refuse(
        'slip.forged',
        'this host’s collector did not sign it, or it was changed',
        'Take it out again at the collector that this host belongs to.',
      );
    const order = slip.orders[identity.agent];
    if (order === undefined)
      throw refuse('slip.elsewhere', 'it names other hosts', 'Take one out for the site of this host.');
    const known = book.get(order.hold);
    if (known !== null && known.releasedAt !== null)
      throw refuse('slip.released', 'the hold was released since', 'Place a new one if it is needed again.');
    const already = known !== null;
    if (!already) this.#place(order, 'slip');
    return { hold: order.hold, already };
  }

  /** The control socket's verb `holds`. @throws TilsynError `slip.*` */
  async asked({ verb, body }: Record<string, unknown>): Promise<Record<string, unknown>> {
    const inner = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
    if (verb === 'import') return { ...this.import(String(inner.slip)) };
    const answer = typeof verb === 'string' && Object.hasOwn(this.answers, verb) ? this.answers[verb] : null;
    return answer == null ? { outcome: 'unsupported' } : await answer(inner);
  }

  async #preview(body: Record<string, unknown>): Promise<Record<string, unknown>> {
    const read = holdOrder.safeParse(body);
    if (!read.success)
      throw new TilsynError('hold.unreadable', 'previewing a hold: its scope cannot be read');
    const covered = await this.#count(read.data);
    const { volume, fills } = this.#o;
    const [without, withThis] = [await fills(null), await fills(read.data)];
    const filling =
      without === null || withThis === null
        ? null
        : { without: filledOn(without), withThis: filledOn(withThis) };
    return { ...shown(covered), volume: volume(), filling };
  }

  #count(order: HoldOrder): Promise<Covered> {
    const { cover, rest, spanOf } = this.#o;
    return cover.count(order, rest, spanOf);
  }

  async #statuses(): Promise<Record<string, unknown>[]> {
    const found: Record<string, unknown>[] = [];
    for (const row of this.#o.book.list()) {
      if (row.releasedAt === null) found.push(await this.#statusOf(row));
    }
    return found;
  }

  async #statusOf(row: HeldRow): Promise<EventData<'hold.reported'>> {
    const covered = await this.#count(row);
    const { state, copied, reason } = await this.#o.protection(row.hold);
    return { hold: row.hold, ...shown(covered), protection: state, copied, reason };
  }

  /** Tells what a hold covers (absent: each of them), where that is another than was told last. Never throws. */
  report(only?: string): Promise<void> {
    this.#reporting = this.#reporting.then(async () => {
      try {
        for (const row of this.#o.book.list()) {
          const asked = only === undefined || row.hold === only;
          if (asked && row.releasedAt === null) await this.#reportOne(row);
        }
      } catch (error) {
        // It is told the next time; what is held stays held.
        this.#o.failed(error);
      }
    });
    return this.#reporting;
  }

  /** V104: a collector that was restored may not know a hold of this host; each is told to it again. */
  met(): void {
    const { generation } = this.#o.journal.applied();
    if (generation === this.#toldIn) return;
    this.#toldIn = generation;
    this.#told.clear();
    void this.report();
  }

  /** What was being told is told. */
  settled(): Promise<void> {
    return this.#reporting;
  }

  async #reportOne(row: HeldRow): Promise<void> {
    const data = await this.#statusOf(row);
    const text = JSON.stringify(data);
    if (this.#told.get(row.hold) === text) return;
    this.#o.journal.append([{ type: 'hold.reported', data }]);
    this.#told.set(row.hold, text);
  }
}

function applied(
  hold: string,
  outcome: 'in-force' | 'released',
  via: 'command' | 'slip',
): Draft<'hold.applied'> {
  return { type: 'hold.applied', data: { hold, outcome, via } as Draft<'hold.applied'>['data'] };
}

function filledOn({ fullAt, byHolds, silence }: Soonest) {
  return { fullAt: fullAt === null ? null : toIso(fullAt), byHolds, silence };
}

function shown({ oldest, newest, ...counts }: Covered) {
  return {
    ...counts,
    oldest: oldest === null ? null : toIso(oldest),
    newest: newest === null ? null : toIso(newest),
  };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function refuse(code: string, what: string, hint: string): TilsynError {
  return new TilsynError(code, `importing a hold slip: ${what}`, { hint, exit: 'usage' });
}
