/**
 * The time of a line in TeamViewer's log. Lines say local time; only the header that the service writes when it starts,
 * and again at the top of each new file, says its offset: `Start: 2024/02/16 06:05:19.548 (UTC-8:00)`. Pure.
 *
 * R20  A time is read by the last header's offset. Where the machine's zone had that very offset at the header, lines
 *      below it are read in the zone, because a change of the clocks is not announced; where the zone then has another
 *      offset, the basis is `assumed-zone`, as it is without a header and where the header says no offset.
 * R21  A reading that the clocks showed twice is the earlier instant, unless the lines of this file stepped back into
 *      such a reading before it: then it is the later one. Lines of several processes step back by seconds only.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { fromWall, wallOf, zoneOffsetMs } from '../../protocol/zone.ts';
import type { TimeBasis } from './change.ts';

export interface Moment {
  at: UtcMs;
  basis: TimeBasis;
}

/** `2024/02/16 `, and of very old versions `24/02/16 ` and `02/16 `. */
const DAY = /^(?:(\d{4}|\d{2})\/)?(\d{2})\/(\d{2}) /;
const START =
  /^Start:\s+(\d{4})\/(\d{2})\/(\d{2}) (\d{2}):(\d{2}):(\d{2})[.:](\d{3})\s*(?:\(UTC(?:([+-])(\d{1,2}):(\d{2}))?\))?/;
/** No other year was ever in such a file; times far away cannot be stored. */
const FIRST_YEAR = 1990;
const LAST_YEAR = 2199;
/** `HH:mm:ss.fff`. */
const TIME_CHARS = 12;
/** Clocks that are set back step by so much; processes that write beside each other never do. */
const LEAST_STEP_MS = 20 * MINUTE_MS;
const MOST_STEP_MS = 3 * HOUR_MS;

export class LogClock {
  readonly #zone: string;
  readonly #near: () => UtcMs;
  /** Offset of the last header; null where none was seen or it said none. */
  #offset: number | null = null;
  /** The zone had the header's offset at the header. */
  #follows = false;
  /** Reading of the last header: lines that name no year are behind it. */
  #head: number | null = null;
  /** Text that the last line's date was, with its blank, and that day as if it were UTC. */
  #day = '';
  #dayWall = Number.NaN;
  #last = Number.NaN;
  #second = false;
  /** Of the last line that `read` was given: what its clock showed as if it were UTC. NaN: no clock shows that. */
  wall = Number.NaN;

  constructor(zone: string, near: () => UtcMs) {
    this.#zone = zone;
    this.#near = near;
  }

  /** Another file says its own head. */
  newFile(): void {
    this.#offset = null;
    this.#follows = false;
    this.#head = null;
    this.#forget();
  }

  #forget(): void {
    this.#day = '';
    this.#last = Number.NaN;
    this.#second = false;
  }

  /** Reads the header's line. False where it is none that can be read. */
  start(text: string): boolean {
    const [, year, month, day, hour, minute, second, ms, sign, hours, minutes] = START.exec(text) ?? [];
    const wall = dayOf(Number(year), Number(month), Number(day));
    const time = timeOf(Number(hour), Number(minute), Number(second), Number(ms));
    if (Number.isNaN(wall + time)) return false;
    this.#forget();
    this.#head = wall + time;
    const named = sign !== undefined || text.includes('(UTC)');
    const size = Number(hours ?? 0) * HOUR_MS + Number(minutes ?? 0) * MINUTE_MS;
    this.#offset = !named || size > DAY_MS ? null : sign === '-' ? -size : size;
    const at = this.#head - (this.#offset ?? 0);
    this.#follows = this.#offset !== null && zoneOffsetMs(at, this.#zone) === this.#offset;
    this.#second = this.#follows && fromWall(this.#head, this.#zone) < at;
    return true;
  }

  /** Reads the time at the front of a line into `wall`. Where the text goes on behind it; 0 for no such line. */
  read(text: string): number {
    const from = this.#day !== '' && text.startsWith(this.#day) ? this.#day.length : this.#readDay(text);
    const dot = text.charCodeAt(from + 8);
    if (from === 0 || text.charCodeAt(from + 2) !== 58 || text.charCodeAt(from + 5) !== 58) return 0;
    if (dot !== 46 && dot !== 58) return 0;
    const [hour, minute] = [two(text, from), two(text, from + 3)];
    const [second, ms] = [two(text, from + 6), two(text, from + 9) * 10 + (two(text, from + 10) % 10)];
    this.wall = this.#dayWall + timeOf(hour, minute, second, ms);
    if (this.wall < this.#last - LEAST_STEP_MS) this.#steppedBack();
    if (!Number.isNaN(this.wall)) this.#last = this.wall;
    return from + TIME_CHARS;
  }

  /** The instant that `wall` means in this file. */
  momentOf(wall: number): Moment {
    if (this.#offset !== null && !this.#follows)
      return { at: utcMs(wall - this.#offset), basis: 'file-offset' };
    const earlier = fromWall(wall, this.#zone);
    const at = this.#second ? laterOf(wall, earlier, this.#zone) : earlier;
    return { at, basis: wall - at === this.#offset ? 'file-offset' : 'assumed-zone' };
  }

  #readDay(text: string): number {
    const [day, year, month = '', date = ''] = DAY.exec(text) ?? [];
    if (day === undefined) return 0;
    this.#dayWall = dayOf(this.#yearOf(year, Number(month), Number(date)), Number(month), Number(date));
    this.#day = day;
    return day.length;
  }

  /** The year that is written; otherwise the one that brings the date nearest behind the header, or nearest to now. */
  #yearOf(year: string | undefined, month: number, date: number): number {
    if (year !== undefined) return year.length === 4 ? Number(year) : 2000 + Number(year);
    if (this.#head !== null) {
      const head = new Date(this.#head).getUTCFullYear();
      // A line may stand a moment before its header and be written a moment later.
      return dayOf(head, month, date) < this.#head - 2 * DAY_MS ? head + 1 : head;
    }
    const now = new Date(this.#near()).getUTCFullYear();
    return dayOf(now, month, date) > this.#near() + 2 * DAY_MS ? now - 1 : now;
  }

  #steppedBack(): void {
    const twice = laterOf(this.wall, fromWall(this.wall, this.#zone), this.#zone);
    const back = this.#last - this.wall;
    this.#second = back <= MOST_STEP_MS && twice > fromWall(this.wall, this.#zone);
  }
}

/** The later instant at which the zone's clocks showed it; `earlier` where they showed it once. */
function laterOf(wall: number, earlier: UtcMs, zone: string): UtcMs {
  const later = wall - zoneOffsetMs(wall + DAY_MS, zone);
  return later > earlier && later + zoneOffsetMs(later, zone) === wall ? utcMs(later) : earlier;
}

function dayOf(year: number, month: number, date: number): number {
  const known = year >= FIRST_YEAR && year <= LAST_YEAR;
  return known ? (wallOf(year, month, date, 0, 0, 0) ?? Number.NaN) : Number.NaN;
}

function timeOf(hour: number, minute: number, second: number, ms: number): number {
  const shown = hour <= 23 && minute <= 59 && second <= 59 && ms <= 999;
  return shown ? hour * HOUR_MS + minute * MINUTE_MS + second * 1000 + ms : Number.NaN;
}

/** Two digits as a number, or not a number. */
function two(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}
