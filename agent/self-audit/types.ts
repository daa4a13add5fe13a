/** What the parts of the self-audit hand each other: results of checks, and what a run needs of the machine. Types, and how it stays polite. */
import type { AuditCheck, AuditTrigger, Unseen } from '../../protocol/event-audit.ts';
import type { FINDINGS } from '../../protocol/event-shapes.ts';
import type { Id, SourceId } from '../../protocol/ids.ts';
import type { Clock, UtcMs } from '../../protocol/time.ts';

export type FindingCode = (typeof FINDINGS)[number];

export interface Found {
  code: FindingCode;
  count: number;
  /** Null: the machine, or several. */
  source: SourceId | null;
}

/** A type and not an interface, so that it may travel as a plain record. */
export type CheckResult = {
  check: AuditCheck;
  looked: number;
  /** Null: nobody counted. */
  of: number | null;
  /** Wrong at first sight, for a reason that is told elsewhere. */
  explained: number;
  unseen: Unseen[];
  found: Found[];
};

export interface AuditReport {
  run: Id<'run'>;
  trigger: AuditTrigger;
  startedAt: UtcMs;
  endedAt: UtcMs;
  everySeconds: number | null;
  checks: CheckResult[];
}

/** Nothing looked at yet. */
export function nothing(check: AuditCheck, unseen: readonly Unseen[] = []): CheckResult {
  return { check, looked: 0, of: null, explained: 0, unseen: [...unseen], found: [] };
}

/** Adds to what was found; the same code of the same source is one. */
export function add(result: CheckResult, code: FindingCode, count: number, source: SourceId | null): void {
  if (count <= 0) return;
  const same = result.found.find((one) => one.code === code && one.source === source);
  if (same === undefined) result.found.push({ code, count, source });
  else same.count += count;
}

export function leave(result: CheckResult, ...words: Unseen[]): void {
  for (const word of words) if (!result.unseen.includes(word)) result.unseen.push(word);
}

/** Longest that a check keeps everything else from running. */
const STRETCH_MS = 20;

/** Lets everything else have its turn (A27). */
export class Pace {
  readonly #clock: Pick<Clock, 'mono'>;
  readonly #rest: () => Promise<void>;
  #since: number;

  constructor(clock: Pick<Clock, 'mono'>, rest: () => Promise<void> = turn) {
    this.#clock = clock;
    this.#rest = rest;
    this.#since = clock.mono();
  }

  /** True where it is time to rest; the caller then awaits `rest`. */
  get due(): boolean {
    return this.#clock.mono() - this.#since >= STRETCH_MS;
  }

  async rest(): Promise<void> {
    await this.#rest();
    this.#since = this.#clock.mono();
  }

  /** Rests where it is time to. */
  async step(): Promise<void> {
    if (this.due) await this.rest();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
