/**
 * From the fields of a path to the bounds of a start (D3). Pure.
 *
 * C10 A path that states no instant of a calendar states no time: it is no recording of this layout.
 * C11 A local reading that was shown twice, or never, gives two bounds; a date alone gives the whole day.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, type UtcMs, utcMs } from '../../../protocol/time.ts';
import { wallBounds, wallOf } from '../../../protocol/zone.ts';
import type { LayoutZone } from '../types.ts';
import type { Fields } from './tokens.ts';

export interface When {
  startEarliest: UtcMs;
  startLatest: UtcMs;
  endStated: UtcMs | null;
}

/** @param site zone of the source, for layouts whose paths are local; null: the fields name no instant */
export function whenOf(fields: Fields, zone: LayoutZone, site: string): When | null {
  const exact = epochOf(fields);
  if (exact !== null) return { startEarliest: exact, startLatest: exact, endStated: null };
  const wall = wallOfFields(fields);
  if (wall === null) return null;
  const toUtc = reader(fields, zone, site);
  if (toUtc === null) return null;
  if (fields.hour === undefined) {
    const [from, to] = [toUtc(wall), toUtc(wall + DAY_MS)];
    return { startEarliest: from.earliest, startLatest: to.latest, endStated: null };
  }
  const start = toUtc(wall);
  const end = endWall(fields, wall);
  return {
    startEarliest: start.earliest,
    startLatest: start.latest,
    endStated: end === null ? null : toUtc(end).latest,
  };
}

function epochOf({ epoch, epochMs }: Fields): UtcMs | null {
  if (epochMs !== undefined) return utcMs(Number(epochMs));
  return epoch === undefined ? null : utcMs(Number(epoch) * SECOND_MS);
}

/** The reading as if it were UTC; null where no calendar or clock shows it. */
function wallOfFields(fields: Fields): number | null {
  const year = fields.year ?? (fields.shortYear === undefined ? undefined : `20${fields.shortYear}`);
  if (year === undefined || fields.month === undefined || fields.day === undefined) return null;
  const { month, day, hour, minute, second, fraction } = fields;
  const ms = fraction === undefined ? 0 : Math.floor(Number(`0.${fraction}`) * SECOND_MS);
  return wallOf(Number(year), Number(month), Number(day), part(hour), part(minute), part(second), ms);
}

function part(text: string | undefined): number {
  return text === undefined ? 0 : Number(text);
}

type ToUtc = (wall: number) => { earliest: UtcMs; latest: UtcMs };

function reader({ offset }: Fields, zone: LayoutZone, site: string): ToUtc | null {
  if (zone === 'site') return (wall) => wallBounds(wall, site);
  if (zone !== 'offset') return (wall) => ({ earliest: utcMs(wall), latest: utcMs(wall) });
  if (offset === undefined) return null;
  const ahead = Number(offset.slice(1, 3)) * HOUR_MS + Number(offset.slice(3, 5)) * MINUTE_MS;
  const by = offset.startsWith('-') ? -ahead : ahead;
  return (wall) => ({ earliest: utcMs(wall - by), latest: utcMs(wall - by) });
}

/** The stated end; of the next day where it would be before the start (a file over midnight). */
function endWall({ endHour, endMinute, endSecond }: Fields, start: number): number | null {
  if (endHour === undefined) return null;
  const [hour, minute, second] = [Number(endHour), Number(endMinute ?? 0), Number(endSecond ?? 0)];
  // Some recorders write 24.00.00 for the end of a day.
  if (hour > 24 || minute > 59 || second > 60) return null;
  const day = start - (start % DAY_MS);
  const end = day + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS;
  return end < start ? end + DAY_MS : end;
}
