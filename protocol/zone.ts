/**
 * Local time and UTC. A zone's clocks show some readings twice and some never.
 *
 * X13 A local reading that the zone showed twice is the earlier instant, one that it never showed is read by the
 *     offset of before the jump: the same text gives the same instant for ever.
 */
import { DAY_MS, MINUTE_MS, type UtcMs, utcMs } from './time.ts';

const formats = new Map<string, Intl.DateTimeFormat | null>();
/** Offsets change at most some times a year: one look for each quarter of an hour of local time is enough. */
const STEP_MS = 15 * MINUTE_MS;
const MAX_REMEMBERED = 4_096;
const remembered = new Map<string, number>();

/** True for a name of the tz database that this Node knows. */
export function isZone(zone: string): boolean {
  return formatOf(zone) !== null;
}

/** Milliseconds to add to UTC for what the clocks of `zone` show at `at`; 0 where there is no such zone. */
export function zoneOffsetMs(at: number, zone: string): number {
  const step = Math.floor(at / STEP_MS);
  const key = `${zone}\0${step}`;
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const offset = askOffset(step * STEP_MS, zone);
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(key, offset);
  return offset;
}

function askOffset(at: number, zone: string): number {
  const format = formatOf(zone);
  if (format === null) return 0;
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
  const shown = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour') % 24, part('minute'));
  return shown - Math.floor(at / MINUTE_MS) * MINUTE_MS;
}

function formatOf(zone: string): Intl.DateTimeFormat | null {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  let made: Intl.DateTimeFormat | null = null;
  try {
    made = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric' },
    });
  } catch {
    // No such zone: UTC, and whoever configured it was told so where it was read.
  }
  formats.set(zone, made);
  return made;
}

/** @param wall the reading as if it were UTC (`Date.UTC` of its fields) */
export function fromWall(wall: number, zone: string): UtcMs {
  const before = zoneOffsetMs(wall - DAY_MS, zone);
  const after = zoneOffsetMs(wall + DAY_MS, zone);
  const found = [wall - before, wall - after].filter((at) => at + zoneOffsetMs(at, zone) === wall);
  if (found.length > 0) return utcMs(Math.min(...found));
  // Never shown: by the offset of before it is the instant of the jump, or shortly after it.
  return utcMs(wall - before);
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** `Date.UTC` of fields that a calendar and a clock have; null for any others. `month` from 1. */
export function wallOf(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  ms = 0,
): number | null {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && leap ? 29 : (MONTH_DAYS[month - 1] ?? 0);
  const inRange =
    year >= 1970 && year <= 9999 && day >= 1 && day <= days && hour <= 23 && minute <= 59 && second <= 60;
  return inRange && ms <= 999 ? Date.UTC(year, month - 1, day, hour, minute, Math.min(second, 59), ms) : null;
}

/**
 * Both instants that a local reading can stand for: equal but for a reading that the zone showed twice, or never.
 *
 * X18 Whoever must not be too early takes the later one, whoever must not miss anything takes both.
 * @param wall the reading as if it were UTC
 */
export function wallBounds(wall: number, zone: string): { earliest: UtcMs; latest: UtcMs } {
  const instants = [wall - zoneOffsetMs(wall - DAY_MS, zone), wall - zoneOffsetMs(wall + DAY_MS, zone)];
  const shown = instants.filter((at) => at + zoneOffsetMs(at, zone) === wall);
  const found = shown.length > 0 ? shown : instants;
  return { earliest: utcMs(Math.min(...found)), latest: utcMs(Math.max(...found)) };
}
