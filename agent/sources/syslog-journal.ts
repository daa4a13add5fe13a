/**
 * One line of `journalctl -o json`: an object whose fields are texts, arrays of bytes where a text is not printable,
 * arrays of texts where a field stands twice, and null where it was too long for the output. Pure.
 *
 * Anybody on the machine may call themselves `sshd` in `SYSLOG_IDENTIFIER`; the fields that begin with `_` are added
 * by journald itself. Where it says which program wrote the line, that counts.
 */
import { utcMs } from '../../protocol/time.ts';
import type { LineProblem } from './change.ts';
import type { SyslogLine } from './syslog-line.ts';

/** Microseconds up to the year 9999. */
const MICROSECONDS = /^\d{1,18}$/;
const MOST_MS = 253_402_300_799_999;

/** Null for an object that is not an entry of a journal. */
export function journalLine(text: string): SyslogLine | LineProblem | null {
  const entry = objectOf(text);
  if (entry === null) return 'fields';
  const field = (name: string) => textOf(Object.hasOwn(entry, name) ? entry[name] : undefined);
  const program = field('_COMM') ?? field('SYSLOG_IDENTIFIER');
  const time = field('__REALTIME_TIMESTAMP') ?? '';
  if (program === null) return null;
  const message = field('MESSAGE');
  if (message === null) return 'fields';
  const at = MICROSECONDS.test(time) ? Math.floor(Number(time) / 1000) : Number.POSITIVE_INFINITY;
  if (at > MOST_MS) return 'start';
  return {
    at: utcMs(at),
    basis: 'file-utc',
    host: field('_HOSTNAME') ?? '',
    program,
    // All that a service prints comes from the process that opened the stream, whoever of its children prints it.
    pid: field('_TRANSPORT') === 'stdout' ? null : digits(field('_PID') ?? field('SYSLOG_PID')),
    message,
    boot: field('_BOOT_ID'),
    leader: digits(field('LEADER')),
  };
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    // Cut off, or something that only begins like JSON.
    return null;
  }
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return null;
  if (typeof value[0] === 'string') return value[0];
  const isByte = (byte: unknown) => typeof byte === 'number' && byte >= 0 && byte <= 255;
  return value.length > 0 && value.every(isByte) ? Buffer.from(value as number[]).toString('utf8') : null;
}

function digits(text: string | null): string | null {
  return text !== null && /^\d{1,10}$/.test(text) ? text : null;
}
