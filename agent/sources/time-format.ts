/**
 * Times as logs write them, by a format that a declaration names: `%d/%m/%Y %H:%M:%S`, or a preset. Pure.
 *
 * M1  A time is read whole or not at all: fields that no clock shows, or digits left over, are no time.
 */
import { DAY_MS, MINUTE_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { fromWall, isZone, wallOf } from '../../protocol/zone.ts';
import type { TimeBasis } from './change.ts';

export const TIME_PRESETS: Readonly<Record<string, string>> = {
  iso: '%Y-%m-%dT%H:%M:%S%N%z',
  syslog: '%b %e %H:%M:%S',
  epoch: '%s',
  'epoch-ms': '%Q',
};

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Every repetition has a bound: these are the only patterns that the engine of JavaScript runs on lines. */
const TOKENS = new Map([
  ['Y', '(?<year>\\d{4})'],
  ['y', '(?<shortYear>\\d{2})'],
  ['m', '(?<month>\\d{1,2})'],
  ['b', '(?<monthName>[A-Za-z]{3,9})'],
  ['d', '(?<day>\\d{1,2})'],
  ['e', ' ?(?<day>\\d{1,2})'],
  ['H', '(?<hour>\\d{1,2})'],
  ['I', '(?<hour>\\d{1,2})'],
  ['M', '(?<minute>\\d{2})'],
  ['S', '(?<second>\\d{2})'],
  ['f', '(?<fraction>\\d{1,9})'],
  // A fraction that may be left out, with its point.
  ['N', '(?:[.,](?<fraction>\\d{1,9}))?'],
  ['p', '(?<half>[AaPp])\\.?[Mm]\\.?'],
  ['z', ' ?(?<offset>Z|UTC|GMT|[+-]\\d{2}:?\\d{2})?'],
  ['s', '(?<epoch>\\d{9,11})'],
  ['Q', '(?<epochMs>\\d{12,14})'],
  ['%', '%'],
]);

export interface ReadTime {
  at: UtcMs;
  basis: TimeBasis;
}

export interface TimeOptions {
  /** A preset, or tokens. */
  format: string;
  /** `machine`, `utc`, or a name of the tz database. */
  zone: string;
}

/** What a time needs of its surroundings. */
export interface TimeSurroundings {
  zone: string;
  near: () => UtcMs;
}

/** What is wrong with a format; null where nothing is. */
export function formatProblem(format: string): string | null {
  const tokens = tokensOf(expanded(format));
  const unknown = tokens.find((token) => !TOKENS.has(token));
  if (unknown !== undefined) return `%${/[\x21-\x7e]/.test(unknown) ? unknown : '?'} is no token of a time`;
  const parts = tokens.map((token) => /<(\w+)>/.exec(TOKENS.get(token) ?? '')?.[1]);
  const twice = parts.findIndex((part, index) => part !== undefined && parts.indexOf(part) !== index);
  if (twice !== -1) return `%${tokens[twice]} says what was said before it`;
  const has = (...any: string[]) => any.some((token) => tokens.includes(token));
  if (has('s', 'Q')) return null;
  if (!has('d', 'e') || !has('m', 'b')) return 'expected a day and a month (%d, %m)';
  if (!has('H', 'I') || !has('M')) return 'expected an hour and a minute (%H, %M)';
  return has('I') && !has('p') ? '%I needs %p' : null;
}

export function isTimeZone(zone: string): boolean {
  return zone === 'machine' || zone === 'utc' || isZone(zone);
}

export class TimeFormat {
  readonly #start: RegExp;
  readonly #whole: RegExp;
  readonly #zone: string;

  /** The format has no problem. */
  constructor({ format, zone }: TimeOptions) {
    const pattern = patternOf(expanded(format));
    this.#start = new RegExp(`^${pattern}(?!\\d)`);
    this.#whole = new RegExp(`^\\s?${pattern}\\s{0,8}$`);
    this.#zone = zone;
  }

  /** The time at the start of a line; null where none stands there. */
  atStart(text: string, around: TimeSurroundings): ReadTime | null {
    return this.#read(this.#start.exec(text), around);
  }

  /** A text that is nothing but a time. */
  whole(text: string, around: TimeSurroundings): ReadTime | null {
    return this.#read(this.#whole.exec(text), around);
  }

  #read(match: RegExpExecArray | null, around: TimeSurroundings): ReadTime | null {
    const part = match?.groups;
    if (part === undefined) return null;
    if (part.epoch !== undefined) return { at: utcMs(Number(part.epoch) * 1_000), basis: 'file-utc' };
    if (part.epochMs !== undefined) return { at: utcMs(Number(part.epochMs)), basis: 'file-utc' };
    const offset = part.offset === undefined ? null : offsetOf(part.offset);
    const zone = this.#zone === 'machine' ? around.zone : this.#zone;
    const instant = (wall: number) => {
      if (offset !== null) return utcMs(wall - offset);
      return zone === 'utc' ? utcMs(wall) : fromWall(wall, zone);
    };
    const at = yearsOf(part, around.near)
      .map((year) => wallAt(part, year))
      .map((wall) => (wall === null ? null : instant(wall)))
      .find((one) => one !== null && (hasYear(part) || one <= around.near() + DAY_MS));
    if (at === undefined || at === null) return null;
    if (offset !== null) return { at, basis: offset === 0 ? 'file-utc' : 'file-offset' };
    return { at, basis: zone === 'utc' ? 'file-utc' : 'assumed-zone' };
  }
}

type Parts = Partial<Record<string, string>>;

function hasYear(part: Parts): boolean {
  return part.year !== undefined || part.shortYear !== undefined;
}

/** The year as written; where none is, those that may be meant, newest first: a log is not of the future. */
function yearsOf(part: Parts, near: () => UtcMs): number[] {
  if (part.year !== undefined) return [Number(part.year)];
  if (part.shortYear !== undefined) {
    const short = Number(part.shortYear);
    return [short < 70 ? 2000 + short : 1900 + short];
  }
  const now = new Date(near()).getUTCFullYear();
  // A 29th of February is up to eight years back.
  return Array.from({ length: 10 }, (_, back) => now + 1 - back);
}

function wallAt(part: Parts, year: number): number | null {
  const month =
    part.monthName === undefined
      ? Number(part.month)
      : MONTHS.indexOf(part.monthName.slice(0, 3).toLowerCase()) + 1;
  const hour = hourOf(part);
  if (month === 0 || hour === null) return null;
  const ms = Number((part.fraction ?? '').slice(0, 3).padEnd(3, '0'));
  return wallOf(year, month, Number(part.day), hour, Number(part.minute), Number(part.second ?? 0), ms);
}

function hourOf(part: Parts): number | null {
  const hour = Number(part.hour);
  if (part.half === undefined) return hour;
  if (hour < 1 || hour > 12) return null;
  return (hour % 12) + (part.half.toLowerCase() === 'p' ? 12 : 0);
}

function offsetOf(text: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(text) ?? [];
  if (sign === undefined) return 0;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * MINUTE_MS;
}

function expanded(format: string): string {
  return TIME_PRESETS[format] ?? format;
}

function tokensOf(format: string): string[] {
  return [...format.matchAll(/%(.?)/gs)].map(([, token]) => token ?? '');
}

function patternOf(format: string): string {
  // Letters such as the T of ISO 8601 are themselves; that one is often written as a blank.
  const isIso = format === TIME_PRESETS.iso;
  return format.replaceAll(/%(.)|(\s+)|([^%\s])/gs, (_all, token, blank, other) => {
    if (token !== undefined) return TOKENS.get(token) ?? '';
    if (blank !== undefined) return '\\s{1,8}';
    return isIso && other === 'T' ? '[T ]' : RegExp.escape(other);
  });
}
