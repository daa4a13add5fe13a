/**
 * AnyDesk's `connection_trace.txt`: one row for each knock that was answered. Pure.
 *
 * `Incoming    2024-02-16, 20:29    User    name@ad    221436813`: direction, UTC to the minute, how they were let in,
 * alias, id. It says when a session began and never when it ended: the end that is told is the beginning, with the
 * reason `unknown`, so that nobody reads a length into it. The trace beside it knows better; `sameSession` says which
 * of its sessions a row is about.
 */
import { MINUTE_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { wallOf } from '../../protocol/zone.ts';
import type { AuthMethod, Beginning, Direction, LineReader, LineResult, MakeReader } from './change.ts';
import { MAX_LINE_CHARS, NOTHING } from './change.ts';

const MAX_NAME_CHARS = 512;

/** As the vendor's page lists them. A token stands for a password that was right once. */
const AUTH = new Map<string, AuthMethod>([
  ['user', 'click'],
  ['passwd', 'fixed-password'],
  ['token', 'key'],
]);
const REJECTED = 'rejected';

const ROW = /^\s*(Incoming|Outgoing)\s(.*)$/i;
const DATED = /^\s*(\d{4})-(\d\d)-(\d\d),\s+(\d\d):(\d\d)\s+(\S{1,32})\s+(\S.*)$/;

export const makeAnydeskConnectionReader: MakeReader = () => ROWS;

const ROWS: LineReader = {
  line(text) {
    if (text.length > MAX_LINE_CHARS) return { ok: false, reason: 'too-long' };
    const row = ROW.exec(text);
    return row === null ? NOTHING : read(row[1] ?? '', row[2] ?? '');
  },
};

function read(direction: string, rest: string): LineResult {
  const dated = DATED.exec(rest);
  // A row without a time has been seen. A day is no beginning.
  if (dated === null) return { ok: false, reason: /^\s*\d{4}-\d\d-\d\d/.test(rest) ? 'start' : 'fields' };
  const [, y, mo, d, h, mi, how = '', who = ''] = dated;
  const at = wallOf(Number(y), Number(mo), Number(d), Number(h), Number(mi), 0);
  if (at === null) return { ok: false, reason: 'start' };
  const named = splitId(who.trimEnd());
  if (named === null) return { ok: false, reason: 'peer-id' };
  return told(utcMs(at), direction.toLowerCase() as Direction, how.toLowerCase(), named);
}

/** The id is the last word; what stands before it is the alias. */
function splitId(who: string): { peerId: string; alias: string } | null {
  const peerId = /(?:^|\s)(\d{3,12})$/.exec(who.slice(-14))?.[1];
  if (peerId === undefined) return null;
  return { peerId, alias: who.slice(0, -peerId.length).trim().slice(0, MAX_NAME_CHARS) };
}

function told(
  at: UtcMs,
  direction: Direction,
  how: string,
  who: { peerId: string; alias: string },
): LineResult {
  const { peerId, alias } = who;
  // Without an alias the id stands in both columns.
  const names = alias === '' || alias === peerId ? {} : { peerNames: [alias] };
  const beginning: Beginning = {
    key: `anydesk-row/${peerId}/${at}/${how}`,
    at,
    basis: 'file-utc',
    direction,
    kind: 'unknown',
    known: { peerId, ...names },
  };
  if (how === REJECTED) {
    return { ok: true, changes: [{ what: 'rejected', ...beginning, reason: 'not-allowed', count: 1 }] };
  }
  return {
    ok: true,
    changes: [
      { what: 'started', ...beginning, auth: AUTH.get(how) ?? 'unknown', failedAttempts: null },
      { what: 'ended', key: beginning.key, at, basis: 'file-utc', reason: 'unknown' },
    ],
  };
}

/** A session as one of AnyDesk's files tells it. */
export interface Witness {
  peerId: string | null;
  /** First knock; the row's own time. */
  firstAt: UtcMs;
  /** When access was granted, where the file says so. */
  grantedAt: UtcMs | null;
  precision: 'ms' | 'minute';
}

/** Service and user write of the same session within this. */
const TOGETHER_MS = MINUTE_MS;

/**
 * True where two files tell of one session: the same id, and times that agree as far as each of them knows. Whether a
 * row carries the minute of the knock or of the answer is not said anywhere, so either will do.
 */
export function sameSession(one: Witness, other: Witness): boolean {
  if (one.peerId === null || one.peerId !== other.peerId) return false;
  if (one.precision === 'minute' && other.precision === 'minute') return one.firstAt === other.firstAt;
  if (one.precision === 'ms' && other.precision === 'ms') {
    return Math.abs(one.firstAt - other.firstAt) <= TOGETHER_MS;
  }
  const [row, trace] = one.precision === 'minute' ? [one, other] : [other, one];
  const last = trace.grantedAt ?? trace.firstAt;
  return row.firstAt >= minuteOf(trace.firstAt) && row.firstAt <= minuteOf(last) + MINUTE_MS;
}

function minuteOf(at: number): number {
  return Math.floor(at / MINUTE_MS) * MINUTE_MS;
}
