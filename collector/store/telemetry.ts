/**
 * Telemetry at the collector: one SQLite file per agreement, outside of the ledger and of `collector.db`.
 *
 * J4  Samples are kept as they came for 48 hours, as quarters of an hour for 30 days, as hours until the agreement
 *     ends.
 * J5  The file of an agreement goes with it, all its files; once dropped it is not made again, and a start removes
 *     what belongs to no open agreement.
 * J6  A damaged file is set aside and another begun; nothing else of the collector waits for it.
 * J7  The last room on the disk is for events: below so many free bytes samples are shed.
 */
import { join } from 'node:path';
import { codeOf, TilsynError } from '../../protocol/errors.ts';
import { type AgentId, type AgreementId, isId } from '../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import {
  ensureStateDir,
  freeBytes,
  namesIn,
  quarantineDatabase,
  removeDatabase,
  restrict,
  sizeOf,
} from '../files.ts';
import type { FaultSeam } from '../types.ts';
import { storeError } from './errors.ts';
import type { Point } from './points.ts';
import { type Added, type NewSample, type PointQuery, TelemetryFile } from './telemetry-file.ts';

/** How long samples stay as they came (J4). */
export const SAMPLES_KEPT_MS = 48 * HOUR_MS;
/** How long quarters of an hour stay (J4). */
export const QUARTERS_KEPT_MS = 30 * DAY_MS;
/** Less than this is left to the events (J7). */
export const LEAST_FREE_BYTES = 256 * 1024 * 1024;
/** Files that are open at once: three descriptors and at most a megabyte each. */
export const MAX_OPEN = 128;

const SUFFIX = '.db';

export interface TelemetryOptions {
  /** Folder of the files; made where it is absent. */
  dir: string;
  faults?: FaultSeam;
  /** A file was damaged and set aside. */
  damaged?: (agreement: AgreementId) => void;
  /** Files that are open at once. */
  maxOpen?: number;
  leastFreeBytes?: number;
}

/** What the rest of the collector sees of it. */
export interface Telemetry {
  /** One transaction; samples of an agreement that was dropped are not taken. */
  add(agreement: AgreementId, samples: readonly NewSample[]): Promise<Added>;
  points(agreement: AgreementId, agent: AgentId, query: PointQuery): Promise<Point[]>;
  /** Folds what is old enough, in steps between which others run. Returns how many rows were folded. */
  thin(now: UtcMs): Promise<number>;
  /** False: samples have to be shed (J7). */
  hasRoom(): boolean;
  /** Removes the file of an agreement that has ended (J5). True where there was one. */
  dropAgreement(agreement: AgreementId): Promise<boolean>;
  /** Removes the files of all agreements but these; how many there were (J5). */
  keepOnly(agreements: ReadonlySet<AgreementId>): Promise<number>;
  /** Bytes on the disk; 0 where there is no file. */
  sizeOf(agreement: AgreementId): number;
  close(): Promise<void>;
}

export function openTelemetry(options: TelemetryOptions): Telemetry {
  return new TelemetryFiles(options);
}

class TelemetryFiles implements Telemetry {
  readonly #o: TelemetryOptions;
  /** By agreement, the one used last at the end. */
  readonly #open = new Map<AgreementId, TelemetryFile>();
  readonly #dropped = new Set<AgreementId>();
  #closed = false;

  constructor(options: TelemetryOptions) {
    this.#o = options;
    ensureStateDir(options.dir);
  }

  async add(agreement: AgreementId, samples: readonly NewSample[]): Promise<Added> {
    if (this.#dropped.has(agreement)) return { stored: 0, duplicates: 0 };
    return this.#on(agreement, (file) => file.add(samples));
  }

  async points(agreement: AgreementId, agent: AgentId, query: PointQuery): Promise<Point[]> {
    if (!this.#has(agreement)) return [];
    return this.#on(agreement, (file) => file.points(agent, query));
  }

  async thin(now: UtcMs): Promise<number> {
    const cuts = { samples: utcMs(now - SAMPLES_KEPT_MS), quarters: utcMs(now - QUARTERS_KEPT_MS) };
    let rows = 0;
    for (const agreement of this.#agreements()) {
      for (let from: number | null = 0; from !== null; ) {
        // Others ran since the last step: the file may have been dropped, or all of them closed.
        if (this.#closed || !this.#has(agreement)) break;
        const at: number = from;
        const step = this.#on(agreement, (file) => file.fold(cuts, at));
        rows += step.rows;
        from = step.next;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    }
    return rows;
  }

  async dropAgreement(agreement: AgreementId): Promise<boolean> {
    this.#dropped.add(agreement);
    this.#close(agreement);
    return removeDatabase(this.#path(agreement));
  }

  async keepOnly(agreements: ReadonlySet<AgreementId>): Promise<number> {
    const gone = this.#agreements().filter((agreement) => !agreements.has(agreement));
    for (const agreement of gone) {
      this.#close(agreement);
      removeDatabase(this.#path(agreement));
    }
    return gone.length;
  }

  hasRoom(): boolean {
    const { dir, leastFreeBytes = LEAST_FREE_BYTES } = this.#o;
    return (freeBytes(dir) ?? Number.POSITIVE_INFINITY) >= leastFreeBytes;
  }

  sizeOf(agreement: AgreementId): number {
    const path = this.#path(agreement);
    return (sizeOf(path) ?? 0) + (sizeOf(`${path}-wal`) ?? 0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const agreement of [...this.#open.keys()]) this.#close(agreement);
  }

  #path(agreement: AgreementId): string {
    return join(this.#o.dir, `${agreement}${SUFFIX}`);
  }

  #has(agreement: AgreementId): boolean {
    return !this.#dropped.has(agreement) && sizeOf(this.#path(agreement)) !== null;
  }

  /** Those that have any file, also only one that was set aside. */
  #agreements(): AgreementId[] {
    const ids = namesIn(this.#o.dir).map((name) => name.split(SUFFIX)[0] ?? '');
    return [...new Set(ids)].filter((id): id is AgreementId => isId(id));
  }

  #close(agreement: AgreementId): void {
    this.#open.get(agreement)?.close();
    this.#open.delete(agreement);
  }

  /** Runs `act` on a file; a damaged one is set aside, and `act` gets the new one (J6). */
  #on<T>(agreement: AgreementId, act: (file: TelemetryFile) => T): T {
    try {
      return act(this.#file(agreement));
    } catch (error) {
      const ours = storeError(error, 'storing telemetry');
      if (codeOf(ours) !== 'store.corrupt') throw ours;
      this.#close(agreement);
      quarantineDatabase(this.#path(agreement));
      this.#o.damaged?.(agreement);
      return act(this.#file(agreement));
    }
  }

  /** @throws TilsynError `store.closed` */
  #file(agreement: AgreementId): TelemetryFile {
    if (this.#closed) throw new TilsynError('store.closed', 'storing telemetry: it is closed');
    const file = this.#open.get(agreement) ?? this.#opened(agreement);
    this.#open.delete(agreement);
    this.#open.set(agreement, file);
    for (const [oldest] of this.#open) {
      if (this.#open.size <= (this.#o.maxOpen ?? MAX_OPEN)) break;
      this.#close(oldest);
    }
    return file;
  }

  #opened(agreement: AgreementId): TelemetryFile {
    const path = this.#path(agreement);
    const file = new TelemetryFile(path, this.#o.faults ?? {});
    // SQLite gives `-wal` and `-shm` the mode of the database, and makes them as it opens.
    for (const suffix of ['', '-wal', '-shm']) restrict(`${path}${suffix}`);
    return file;
  }
}
