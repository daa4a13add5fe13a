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

/** True for exactly the form that `toIso` writes, naming a real instant. */
export function isIso(text: string): boolean {
  if (!ISO.test(text)) return false;
  const at = Date.parse(text);
  return !Number.isNaN(at) && new Date(at).toISOString() === text;
}

/** Reads what `toIso` wrote. Returns null for anything else. */
export function fromIso(text: string): UtcMs | null {
  return isIso(text) ? (Date.parse(text) as UtcMs) : null;
}

export const SECOND_MS = 1000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
