/**
 * Periods of retention, ISO 8601: `P30D`, `P6M`, `P1Y`, `P0D`.
 *
 * Y11 A day is exactly 24 hours, a week seven of them. Months and years are those of the calendar in the site's zone,
 *     at the same reading of the clock; a day that the month has not becomes its last one.
 * Y12 What falls due at a reading that the zone shows twice does so at the earlier instant; at one that it never shows,
 *     by the offset of before the jump (X13).
 */
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, type UtcMs, utcMs } from './time.ts';
import { fromWall, zoneOffsetMs } from './zone.ts';

export interface Period {
  /** Years are twelve. */
  months: number;
  /** Weeks, days and the part after `T`. */
  ms: number;
}

const FORM =
  /^P(?=[\dT])(?:(\d{1,5})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?$/;

/** A century: what is longer is a slip of the pen, and would leave the range of times that have a text form. */
const MAX_MONTHS = 1_200;
const MAX_MS = 36_525 * DAY_MS;

/** Null for anything that is no period of ours: fractions, signs, more than a century. */
export function readPeriod(text: string): Period | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const [years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((digits) => Number(digits ?? 0));
  const period = {
    months: years * 12 + months,
    ms: (weeks * 7 + days) * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS,
  };
  return period.months <= MAX_MONTHS && period.ms <= MAX_MS ? period : null;
}

/** When a period that began at `at` is over: months first, then the exact part (Y11). */
export function addPeriod(at: UtcMs, { months, ms }: Period, zone: string): UtcMs {
  return utcMs((months === 0 ? at : addMonths(at, months, zone)) + ms);
}

function addMonths(at: UtcMs, months: number, zone: string): UtcMs {
  const wall = new Date(at + zoneOffsetMs(at, zone));
  const day = wall.getUTCDate();
  wall.setUTCDate(1);
  wall.setUTCMonth(wall.getUTCMonth() + months);
  wall.setUTCDate(Math.min(day, daysIn(wall)));
  return fromWall(wall.getTime(), zone);
}

function daysIn(month: Date): number {
  return new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 0)).getUTCDate();
}

/** The end of 31 December of the year that `at` lies in, by the clocks of `zone`. */
export function endOfYear(at: UtcMs, zone: string): UtcMs {
  const year = new Date(at + zoneOffsetMs(at, zone)).getUTCFullYear();
  return fromWall(Date.UTC(year + 1, 0, 1), zone);
}

/** A midnight by the clocks of `zone`: `days` 0 is the last one that is not after `at`, 1 the next. */
export function midnight(at: UtcMs, days: number, zone: string): UtcMs {
  const wall = at + zoneOffsetMs(at, zone);
  return fromWall((Math.floor(wall / DAY_MS) + days) * DAY_MS, zone);
}

/** Calendar months of every length there is, from each month of a leap cycle. */
function monthsMs(months: number): number[] {
  return Array.from({ length: 48 }, (_, i) => Date.UTC(2000, i + months, 1) - Date.UTC(2000, i, 1));
}

/** The longest that a period can be. */
export function longest({ months, ms }: Period): number {
  return Math.max(...monthsMs(months)) + ms;
}

/** True where, from some start on, `a` ends after `b`: `P1M` outlasts `P30D`, `P12M` never `P1Y`. */
export function outlasts(a: Period, b: Period): boolean {
  const months = a.months - b.months;
  const most = months >= 0 ? Math.max(...monthsMs(months)) : -Math.min(...monthsMs(-months));
  return most + a.ms - b.ms > 0;
}
