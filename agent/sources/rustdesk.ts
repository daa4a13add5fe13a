/**
 * RustDesk's server log: connections, and nothing about who or what for. Pure.
 *
 * `[2024-08-09 10:42:58.920092 -04:00] DEBUG [src/server/connection.rs:1] #7 Connection opened from 203.0.113.9:52114.`
 *
 * R40 Opened is not let in: no line of this file says that somebody proved anything. A connection is an attempt, with
 *     the end and so the length that the file gives it, however long it was; it never becomes a session.
 * R41 The number of a connection names it while it is open. A number that opens again, or a server that starts, ends
 *     what was open.
 */
import { HOUR_MS, MINUTE_MS, type UtcMs, utcMs } from '../../protocol/time.ts';
import { wallOf } from '../../protocol/zone.ts';
import {
  type LineReader,
  type LineResult,
  MAX_LINE_CHARS,
  type MakeReader,
  NOTHING,
  type PeerIp,
  type ReaderOptions,
  type SessionChange,
} from './change.ts';
import { peerIpOf } from './ip-scope.ts';

const MAX_OPEN = 1_024;

const ENTRY =
  /^\s*\[(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))? ([+-])(\d\d):?(\d\d)\]\s+[A-Z]{1,8}\s+\[[^\]]{0,256}\]\s(.*)$/;
const OPENED = /^#(-?\d{1,12}) Connection opened from\b\s*(.*)$/;
const CLOSED = /^#(-?\d{1,12}) (?:Connection closed: ?(.*)|connection loop exited\b.*)$/;
const FAILURES = 'Temporary password rotated after too many consecutive wrong attempts:';
const STARTED = 'main start args';

export const makeRustdeskReader: MakeReader = (options) => new RustdeskReader(options);

class RustdeskReader implements LineReader {
  readonly #ownIps: readonly string[];
  /** Number of a connection to its key, oldest first. */
  readonly #open = new Map<string, string>();

  constructor({ ownIps }: ReaderOptions) {
    this.#ownIps = ownIps;
  }

  line(text: string): LineResult {
    if (text.length > MAX_LINE_CHARS) return { ok: false, reason: 'too-long' };
    const entry = ENTRY.exec(text);
    if (entry === null) return NOTHING;
    const said = (entry[11] ?? '').trim();
    if (!isOurs(said)) return NOTHING;
    const at = timeOf(entry);
    if (at === null) return { ok: false, reason: 'start' };
    const opened = OPENED.exec(said);
    if (opened !== null) return this.#opened(opened[1] ?? '', opened[2] ?? '', at);
    const closed = CLOSED.exec(said);
    if (closed !== null) return changed(this.#closed(closed[1] ?? '', closed[2] ?? '', at));
    if (said.startsWith(FAILURES)) return this.#failures(said.slice(FAILURES.length), at);
    this.#open.clear();
    return changed([{ what: 'tool-stopped', at, basis: 'file-offset' }]);
  }

  #opened(number: string, from: string, at: UtcMs): LineResult {
    const place = /^(\S{1,64}):\d{1,5}\.?$/.exec(from)?.[1];
    const peer = place === undefined ? null : this.#peer(place);
    if (peer === null) return { ok: false, reason: 'fields' };
    const changes = this.#end(number, at, 'unknown');
    const key = `rustdesk/${number}/${at}`;
    this.#open.set(number, key);
    const [oldest] = this.#open.keys();
    if (this.#open.size > MAX_OPEN && oldest !== undefined) changes.push(...this.#end(oldest, at, 'unknown'));
    const known = { peerIps: [peer], toolSessionId: number };
    changes.push({ what: 'attempted', ...beginning(key, at), known });
    return changed(changes);
  }

  /** The reason is said once more when the loop is left; the first word counts. */
  #closed(number: string, reason: string, at: UtcMs): SessionChange[] {
    return this.#end(number, at, reason === 'stop service' ? 'tool-stopped' : 'completed');
  }

  #end(number: string, at: UtcMs, reason: 'completed' | 'tool-stopped' | 'unknown'): SessionChange[] {
    const key = this.#open.get(number);
    if (key === undefined) return [];
    this.#open.delete(number);
    return [{ what: 'ended', key, at, basis: 'file-offset', reason }];
  }

  #failures(rest: string, at: UtcMs): LineResult {
    const found = /^\s*failures=(\d{1,9}),\s*ip=(\S{1,64})$/.exec(rest);
    const peer = found === null ? null : this.#peer(found[2] ?? '');
    const count = Number(found?.[1] ?? 0);
    if (peer === null || count === 0) return { ok: false, reason: 'fields' };
    const known = { peerIps: [peer] };
    const start = beginning(`rustdesk/failures/${peer.ip}/${at}`, at);
    return changed([{ what: 'rejected', ...start, known, reason: 'wrong-password', count }]);
  }

  /** A relayed peer's address is what the relay says of it; the line is the same. */
  #peer(text: string): PeerIp | null {
    return peerIpOf(text, 'unknown', this.#ownIps);
  }
}

function beginning(key: string, at: UtcMs) {
  return { key, at, basis: 'file-offset', direction: 'incoming', kind: 'unknown' } as const;
}

function isOurs(said: string): boolean {
  return said.startsWith('#')
    ? OPENED.test(said) || CLOSED.test(said)
    : said.startsWith(FAILURES) || said.startsWith(STARTED);
}

function timeOf(entry: RegExpExecArray): UtcMs | null {
  const [, y, mo, d, h, mi, s, fraction = '0', sign, offsetHours, offsetMinutes] = entry;
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3));
  const wall = wallOf(Number(y), Number(mo), Number(d), Number(h), Number(mi), Number(s), ms);
  const offset = Number(offsetHours) * HOUR_MS + Number(offsetMinutes) * MINUTE_MS;
  if (wall === null || Number(offsetMinutes) > 59 || offset > 24 * HOUR_MS) return null;
  return utcMs(sign === '-' ? wall + offset : wall - offset);
}

function changed(changes: SessionChange[]): LineResult {
  return changes.length === 0 ? NOTHING : { ok: true, changes };
}
