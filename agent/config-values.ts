/** The small languages inside `agent.yaml`: durations, schedules, paths, proxies. Pure; messages never quote a value. */
import { isIP } from 'node:net';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../protocol/time.ts';

const UNITS = new Map([
  ['ms', 1],
  ['s', SECOND_MS],
  ['m', MINUTE_MS],
  ['h', HOUR_MS],
  ['d', DAY_MS],
]);

const SHORT = /^(\d{1,9})(ms|s|m|h|d)$/;
const ISO = /^P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?$/;

/**
 * `60s`, `24h`, `P3D`, `PT12H` to milliseconds; null for anything else. Months and years are refused: they
 * have no fixed length.
 */
export function durationMs(text: string): number | null {
  const short = SHORT.exec(text);
  if (short !== null) return Number(short[1]) * (UNITS.get(short[2] ?? '') ?? 0);
  const iso = ISO.exec(text);
  if (iso === null || /[PT]$/.test(text)) return null;
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = iso
    .slice(1)
    .map((part) => Number(part ?? 0));
  return (weeks * 7 + days) * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS;
}

const SIZE = /^(\d{1,9}(?:\.\d{1,3})?) ?(MB|GB|TB)$/;
const SIZE_UNITS: Readonly<Record<string, number>> = { MB: 1e6, GB: 1e9, TB: 1e12 };

/** `500 GB`, `1.5TB` to bytes, in powers of ten as disks are sold; null for anything else. */
export function sizeBytes(text: string): number | null {
  const found = SIZE.exec(text);
  return found === null ? null : Math.round(Number(found[1]) * (SIZE_UNITS[found[2] ?? ''] ?? 0));
}

/** Minute, hour, day of month, month, day of week; month and day names as cron knows them. */
const CRON_FIELDS: { min: number; max: number; names: string[] }[] = [
  { min: 0, max: 59, names: [] },
  { min: 0, max: 23, names: [] },
  { min: 1, max: 31, names: [] },
  {
    min: 1,
    max: 12,
    names: ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { min: 0, max: 7, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];

/** True for the five fields of a cron schedule: `17 * * * *`. */
export function isSchedule(text: string): boolean {
  const fields = text.trim().split(/[ \t]+/);
  return (
    text.length <= 200 &&
    fields.length === CRON_FIELDS.length &&
    CRON_FIELDS.every((range, index) => fields[index]?.split(',').every((part) => isCronPart(part, range)))
  );
}

function isCronPart(part: string, range: { min: number; max: number; names: string[] }): boolean {
  const [span = '', step, more] = part.split('/');
  if (more !== undefined || (step !== undefined && !/^[1-9]\d?$/.test(step))) return false;
  if (span === '*') return true;
  const ends = span.split('-').map((end) => cronNumber(end, range.names));
  if (ends.length > 2 || ends.some((end) => end === null || end < range.min || end > range.max)) return false;
  return ends.length === 1 || Number(ends[0]) <= Number(ends[1]);
}

function cronNumber(text: string, names: string[]): number | null {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const named = text === '' ? -1 : names.indexOf(text.toLowerCase());
  return named === -1 ? null : named;
}

/** True for an absolute path of Windows, of a network share, or of anything else. */
export function isAbsolutePath(text: string): boolean {
  return text.length <= 4096 && !text.includes('\0') && /^(?:\/|[A-Za-z]:[\\/]|\\\\[^\\])/.test(text);
}

/** True for a network: an address and how many bits of it count. */
export function isNetwork(text: string): boolean {
  const [address = '', bits = '', more] = text.split('/');
  const family = isIP(address);
  return (
    family !== 0 && more === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
  );
}

/** What is wrong with a proxy's address; null where nothing is. */
export function proxyProblem(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    return 'expected http://host:port or null';
  }
  if (url.username !== '' || url.password !== '') {
    return 'user and password do not belong into this file; give them in the environment (HTTPS_PROXY)';
  }
  return url.pathname === '/' && url.search === '' && url.hash === ''
    ? null
    : 'expected http://host:port, no path';
}
