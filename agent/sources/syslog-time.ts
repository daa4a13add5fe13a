/** Times at the head of a line of syslog. Pure. */
import { DAY_MS, HOUR_MS, MINUTE_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { fromWall, wallOf, zoneOffsetMs } from '../../protocol/zone.ts';
import { ownText } from './bounded.ts';
import type { ReaderOptions, TimeBasis } from './change.ts';

export interface LineTime {
  at: UtcMs;
  basis: TimeBasis;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** From one 29th of February to the next there are at most eight years. */
const YEARS_TRIED = 10;
/** No zone is further from UTC. */
const MOST_OFFSET_MS = 15 * HOUR_MS;
const SHORT_YEAR_MS = 360 * DAY_MS;

/** Reads times of the old form; lines of one minute need one look at the calendar. */
export class OldTimes {
  readonly #options: ReaderOptions;
  /** The last time read, without its seconds; as text, and as the instant of its minute. */
  #stamp = '';
  #minute = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** `Mmm [d]d HH:mm:ss` at `at`: the latest year in which that is not more than a day after `near`. */
  read(text: string, at: number): LineTime | null {
    const second = two(text, at + 13);
    if (second === null || second > 60) return null;
    const latest = this.#options.near() + DAY_MS;
    // Within this span no other year can have become the latest one.
    const isKnown = latest >= this.#minute + MINUTE_MS && latest < this.#minute + SHORT_YEAR_MS;
    if (!isKnown || this.#stamp === '' || !text.startsWith(this.#stamp, at)) {
      const found = minuteOf(text, at, latest, this.#options.zone);
      if (found === null) return null;
      this.#minute = found;
      // Its own text: a part of the line would keep the line.
      this.#stamp = ownText(text.slice(at, at + 13));
    }
    return { at: utcMs(this.#minute + Math.min(second, 59) * 1000), basis: 'assumed-zone' };
  }
}

function minuteOf(text: string, at: number, latest: number, zone: string): number | null {
  const month = MONTHS.indexOf(text.slice(at, at + 3)) + 1;
  const day = two(text, at + 4);
  const hour = two(text, at + 7);
  const minute = two(text, at + 10);
  if (month === 0 || day === null || hour === null || minute === null) return null;
  const year = new Date(Math.min(Math.max(latest, 0), MOST_MS)).getUTCFullYear() + 1;
  for (let back = 0; back < YEARS_TRIED; back++) {
    const wall = wallOf(year - back, month, day, hour, minute, 0);
    if (wall === null || wall > latest + MOST_OFFSET_MS) continue;
    const utc = fromWall(wall, zone);
    if (utc <= latest) return utc;
  }
  return null;
}

/** The last millisecond of the year 9998. */
const MOST_MS = 253_370_764_799_999;

const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/;

/** ISO 8601, with an offset or in the machine's zone; to the millisecond. */
export function isoTime(text: string, zone: string): LineTime | null {
  const [whole, year, month, day, hour, minute, second, fraction = '', offset] = ISO.exec(text) ?? [];
  if (whole === undefined) return null;
  const [y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0] = [year, month, day, hour, minute, second].map(Number);
  const wall = wallOf(y, mo, d, h, mi, s, Number(fraction.slice(0, 3).padEnd(3, '0')));
  if (wall === null) return null;
  if (offset === undefined) return { at: fromWall(wall, zone), basis: 'assumed-zone' };
  if (offset === 'Z') return { at: utcMs(wall), basis: 'file-utc' };
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(-2));
  const ahead = minutes * MINUTE_MS * (offset.startsWith('-') ? -1 : 1);
  return { at: utcMs(wall - ahead), basis: 'file-offset' };
}

/**
 * The later of the two instants at which the clocks of `zone` showed what they showed at `at` (X13 takes the
 * earlier); null where there is but one.
 */
export function laterReading(at: UtcMs, zone: string): UtcMs | null {
  const before = zoneOffsetMs(at, zone);
  const later = at + before - zoneOffsetMs(at + 3 * HOUR_MS, zone);
  return later > at && later + zoneOffsetMs(later, zone) === at + before ? utcMs(later) : null;
}

/** Two digits, or a blank and one, as a number. */
function two(text: string, at: number): number | null {
  const tens = text.charCodeAt(at);
  const ones = text.charCodeAt(at + 1) - 48;
  const isNumber = ones >= 0 && ones <= 9 && ((tens >= 48 && tens <= 57) || tens === 32);
  return isNumber ? ones + (tens === 32 ? 0 : (tens - 48) * 10) : null;
}
