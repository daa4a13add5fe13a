/** What a table says of an alert. */
import type { Column, Item } from './print.ts';
import { field, time } from './print.ts';

/** Unit of a check's value and threshold, for people. */
const UNITS: Readonly<Record<string, (n: number) => string>> = {
  'clock-offset': (n) => `${n} ms`,
  'disk-fill': seconds,
  'hold-disk': seconds,
  'agent-silent': seconds,
  'session-long': seconds,
  'session-unknown': String,
  'session-denied': String,
  'session-hours': String,
  'audit-missed': (n) => `${Math.floor(n / 10)} % of its period`,
  'sweep-waiting': seconds,
  'root-suspect': String,
  'recordings-overdue': String,
  'clock-stepped': String,
  'camera-unknown': String,
  'hold-notice': seconds,
  'hold-review': seconds,
  'hold-pending': seconds,
  'hold-violated': String,
};

function seconds(n: number): string {
  if (n >= 7_200) return `${Math.floor(n / 3_600)} h`;
  return n >= 120 ? `${Math.floor(n / 60)} min` : `${n} s`;
}

function amount(check: unknown, value: unknown): string | null {
  if (typeof value !== 'number') return null;
  return (UNITS[String(check)] ?? ((n: number) => `${(n / 10).toFixed(1)} %`))(value);
}

const about: Column = [
  'check',
  ({ check, index }: Item) => (index === null ? String(check) : `${check} (disk ${index})`),
];
const acked: Column = ['acked', ({ ackedAt, ackedBy }) => (ackedAt === null ? null : `by ${ackedBy}`)];

export const ALERT_ROW: readonly Column[] = [
  field('host', 'host'),
  about,
  field('level', 'level'),
  field('state', 'state'),
  ['value', ({ check, value }) => amount(check, value)],
  ['threshold', ({ check, threshold }) => amount(check, threshold)],
  time('raised', 'raisedAt'),
  time('cleared', 'clearedAt'),
  acked,
  field('id', 'id'),
];

export const ALERT_CARD: readonly Column[] = [
  ...ALERT_ROW,
  field('customer', 'customer'),
  field('site', 'site'),
  time('changed', 'changedAt'),
  time('acked at', 'ackedAt'),
];
