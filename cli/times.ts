/**
 * Times and durations as people type and read them.
 *
 * W1  A time without an offset is local time in `--tz` (else the terminal's zone): it is echoed back in UTC, and
 *     refused where the clocks of that zone showed it twice or never.
 */
import { TilsynError } from '../protocol/errors.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, toIso, type UtcMs, utcMs } from '../protocol/time.ts';
import { isZone, zoneOffsetMs as offsetOf } from '../protocol/zone.ts';

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
};
const SHORT = /^(\d{1,9})(ms|s|m|h|d|w)$/;
const ISO_DURATION = /^P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?$/;

/** `30m`, `24h`, `7d`, `P3D`, `PT12H`; null for anything else. A day is 24 hours. */
export function durationMs(text: string): number | null {
  const short = SHORT.exec(text);
  if (short !== null) return Number(short[1]) * (UNITS[short[2] ?? ''] ?? Number.NaN);
  const long = ISO_DURATION.exec(text);
  const parts = long?.slice(1) ?? [];
  if (parts.every((part) => part === undefined)) return null;
  const [weeks, days, hours, minutes, seconds] = parts.map((part) => Number(part ?? 0));
  return (
    ((weeks ?? 0) * 7 + (days ?? 0)) * DAY_MS +
    (hours ?? 0) * HOUR_MS +
    (minutes ?? 0) * MINUTE_MS +
    (seconds ?? 0) * SECOND_MS
  );
}

/** @throws TilsynError `cli.duration` */
export function readDuration(text: string, option: string): number {
  const ms = durationMs(text);
  if (ms !== null && ms > 0) return ms;
  throw new TilsynError('cli.duration', `reading ${option}: ${JSON.stringify(text)} is not a duration`, {
    hint: 'Write it as 30m, 24h, 7d or P3D.',
    exit: 'usage',
  });
}

export interface TimeContext {
  now: UtcMs;
  zone: string;
}
export interface ReadTime {
  at: UtcMs;
  /** To be shown to the person: how their local time was understood (W1). */
  echo: string | null;
}

const STAMP =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?$/;

/**
 * `now`, `24h` or `-24h` (that long ago), `2026-11-22T06:12:00Z`, `2026-11-22 07:12`, `2026-11-22`.
 * @throws TilsynError `cli.time`, `cli.time-ambiguous`, `cli.time-missing`
 */
export function readTime(text: string, option: string, context: TimeContext): ReadTime {
  if (text === 'now') return { at: context.now, echo: null };
  const ago = durationMs(text.replace(/^-/, ''));
  if (ago !== null) return { at: utcMs(context.now - ago), echo: null };
  const stamp = STAMP.exec(text);
  const wall = stamp === null ? null : wallOf(stamp);
  if (stamp === null || wall === null) {
    throw new TilsynError('cli.time', `reading ${option}: ${JSON.stringify(text)} is not a time`, {
      hint: 'Write it as 2026-11-22T06:12:00Z, 2026-11-22T07:12+01:00, 2026-11-22, 24h or now.',
      exit: 'usage',
    });
  }
  const offset = stamp[8];
  if (offset !== undefined) return { at: utcMs(wall - offsetMs(offset)), echo: null };
  const at = fromWall(wall, text, option, context.zone);
  return { at, echo: `${option} ${text} in ${context.zone} is ${toIso(at)}` };
}

/** The wall-clock reading as if it were UTC; null where there is no such date or time. */
function wallOf(stamp: RegExpExecArray): number | null {
  const [year, month, day, hour, minute, second] = stamp.slice(1, 7).map((part) => Number(part ?? 0));
  const millis = Number((stamp[7] ?? '0').padEnd(3, '0'));
  const wall = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second, millis);
  if (Number.isNaN(wall)) return null;
  const back = toIso(utcMs(wall));
  const same = back.startsWith(
    `${stamp[1]}-${stamp[2]}-${stamp[3]}T${stamp[4] ?? '00'}:${stamp[5] ?? '00'}:`,
  );
  return same && back.slice(17, 19) === (stamp[6] ?? '00') ? wall : null;
}

function offsetMs(text: string): number {
  if (text === 'Z') return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
  return (text.startsWith('-') ? -minutes : minutes) * MINUTE_MS;
}

function fromWall(wall: number, text: string, option: string, zone: string): UtcMs {
  // Every offset that the zone has within a day of this reading; those that lead back to it are the candidates.
  const offsets = new Set([-DAY_MS, 0, DAY_MS].map((shift) => zoneOffsetMs(utcMs(wall + shift), zone)));
  const found = [...offsets].map((o) => wall - o).filter((at) => at + zoneOffsetMs(utcMs(at), zone) === wall);
  const [only] = found;
  if (found.length === 1 && only !== undefined) return utcMs(only);
  const never = found.length === 0;
  throw new TilsynError(
    never ? 'cli.time-missing' : 'cli.time-ambiguous',
    `reading ${option}: the clocks of ${zone} showed ${text} ${never ? 'at no time' : 'twice'}`,
    {
      hint: `Give an offset, for example ${text.replace(' ', 'T')}+01:00 or the time in UTC with Z.`,
      exit: 'usage',
    },
  );
}

/** Local time minus UTC at this instant. @throws TilsynError `cli.zone` */
export function zoneOffsetMs(at: UtcMs, zone: string): number {
  if (isZone(zone)) return offsetOf(at, zone);
  throw new TilsynError('cli.zone', `reading --tz: there is no time zone ${JSON.stringify(zone)}`, {
    hint: 'Use a name of the tz database, for example Europe/Copenhagen or UTC.',
    exit: 'usage',
  });
}

/** `2026-11-22 07:12:00 +01:00`. */
export function showTime(at: UtcMs, zone: string): string {
  const offset = zoneOffsetMs(at, zone);
  const local = toIso(utcMs(at + offset));
  const minutes = Math.abs(offset) / MINUTE_MS;
  const hh = String(Math.floor(minutes / 60)).padStart(2, '0');
  const mm = String(Math.floor(minutes % 60)).padStart(2, '0');
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${offset < 0 ? '-' : '+'}${hh}:${mm}`;
}

/** A time of a JSON answer, for a table. */
export function showIso(iso: string | null | undefined, zone: string): string | null {
  if (iso === null || iso === undefined) return null;
  const at = Date.parse(iso);
  return Number.isNaN(at) ? iso : showTime(utcMs(at), zone);
}

/** Of a time of a JSON answer the day, where the hour would say more than is known. */
export function showDay(iso: string, zone: string): string {
  return (showIso(iso, zone) ?? iso).slice(0, 10);
}

/** `2h 3m`, for a table. */
export function showSeconds(seconds: number | null | undefined): string | null {
  if (seconds === null || seconds === undefined) return null;
  const h = Math.floor(seconds / 3600);
  const m = Math.floor((seconds % 3600) / 60);
  const s = seconds % 60;
  if (h > 0) return `${h}h ${m}m`;
  return m > 0 ? `${m}m ${s}s` : `${s}s`;
}
