/**
 * Time. UTC milliseconds inside, ISO 8601 with milliseconds outside. This file is the only one that reads
 * the machine's clocks; everything else is handed a `Clock`.
 *
 * X5  A time has exactly one text form, and names an instant that exists.
 */

declare const utcMsBrand: unique symbol;
/** Milliseconds since 1970-01-01T00:00:00Z. */
export type UtcMs = number & { readonly [utcMsBrand]: true };

export interface Clock {
  /** Wall clock; may step. */
  now(): UtcMs;
  /** Milliseconds that only grow, from an arbitrary start; never steps with the wall clock. */
  mono(): number;
  /** Calls `fn` once after `ms` of monotonic time; the returned function cancels it. */
  after(ms: number, fn: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now() as UtcMs,
  mono: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};

/** Marks a number as UTC milliseconds. */
export function utcMs(value: number): UtcMs {
  return value as UtcMs;
}

/** `2026-11-22T06:12:00.123Z`. */
export function toIso(at: UtcMs): string {
  return new Date(at).toISOString();
}

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** True for exactly the form that `toIso` writes, naming a real instant. Runs several times for every event. */
export function isIso(text: string): boolean {
  if (!ISO.test(text)) return false;
  const month = two(text, 5);
  const year = two(text, 0) * 100 + two(text, 2);
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && leap ? 29 : (MONTH_DAYS[month - 1] ?? 0);
  const day = two(text, 8);
  return day >= 1 && day <= days && two(text, 11) <= 23 && two(text, 14) <= 59 && two(text, 17) <= 59;
}

/** Two digits as a number. */
function two(text: string, at: number): number {
  return text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 528;
}

/** Reads what `toIso` wrote. Returns null for anything else. */
export function fromIso(text: string): UtcMs | null {
  return isIso(text) ? (Date.parse(text) as UtcMs) : null;
}

export const SECOND_MS = 1000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
