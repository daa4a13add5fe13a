/**
 * TeamViewer's `Connections_incoming.txt`: one row per session, written when the session ends. Pure.
 *
 * Seven tab-separated fields and a trailing tab: peer id, peer name, start, end, local user, kind, session
 * GUID. Name and GUID may be empty, the user may be `<unknown>`; times are UTC, `dd-MM-yyyy HH:mm:ss`. Rows
 * are prefixed by their newline and the last one has none behind it. Format: real files of versions 11-15.
 */
import { type UtcMs, utcMs } from '../../protocol/time.ts';

export type SessionKind = 'remote-control' | 'file-transfer' | 'vpn' | 'presentation' | 'shell' | 'unknown';

export interface ConnectionRow {
  /** 8 to 11 digits. A string: it is a name, not a number. */
  peerId: string;
  peerName: string | null;
  startedAt: UtcMs;
  /** Before `startedAt` where the clock was set back during the session. */
  endedAt: UtcMs;
  localUser: string | null;
  kind: SessionKind;
  /** As written. */
  kindText: string;
  /** As written, with braces. Null in rows of older and of mobile peers. */
  toolSessionId: string | null;
}

/** Why a row could not be read; never text of the row. */
export type RowProblem = 'fields' | 'peer-id' | 'start' | 'end' | 'encoding' | 'too-long';

export type RowResult = { ok: true; row: ConnectionRow } | { ok: false; reason: RowProblem };

/** Characters; a real row has about 130. */
export const MAX_ROW_CHARS = 64 * 1024;

const KINDS = new Map<string, SessionKind>([
  ['remotecontrol', 'remote-control'],
  ['filetransfer', 'file-transfer'],
  ['vpn', 'vpn'],
  ['presentation', 'presentation'],
  ['meeting', 'presentation'],
]);

const PEER_ID = /^\d{8,11}$/;
const GUID = /^\{[0-9A-Fa-f-]{1,64}\}$/;

/** Reads one row without its newline. Never throws, whatever the text. */
export function parseConnectionRow(text: string): RowResult {
  if (text.length > MAX_ROW_CHARS) return { ok: false, reason: 'too-long' };
  const fields = fieldsOf(text);
  const end = findDates(fields);
  const after = fields.length - end - 1;
  if (end === -1 || after < 2 || after > 4) return { ok: false, reason: damageOf(text, fields) };
  const peerId = fields[0] ?? '';
  if (!PEER_ID.test(peerId)) return { ok: false, reason: damageOf(text, fields) };
  return { ok: true, row: rowOf(peerId, fields, end) };
}

/**
 * True where a row is whole although no newline follows: two dates, and behind them user, kind, GUID and the
 * trailing tab. A tab inside the name or the user does not complete it early. A row whose GUID has a form
 * not seen yet, or without the trailing tab, has to wait for the file to be quiet.
 */
export function isCompleteRow(text: string): boolean {
  if (text.length > MAX_ROW_CHARS) return false;
  const fields = fieldsOf(text);
  const end = findDates(fields);
  if (end === -1 || fields.length - end !== 5 || fields[end + 4] !== '' || fields[end + 2] === '')
    return false;
  const guid = fields[end + 3] ?? '';
  return guid === '' || GUID.test(guid);
}

/** What makes a row this row, its end left out: equal keys are the same session, read twice. */
export function naturalKey(row: ConnectionRow): {
  peerId: string;
  startedAt: UtcMs;
  localUser: string | null;
  kind: SessionKind;
  toolSessionId: string | null;
} {
  const { peerId, startedAt, localUser, kind, toolSessionId } = row;
  return { peerId, startedAt, localUser, kind, toolSessionId };
}

function fieldsOf(text: string): string[] {
  return (text.endsWith('\r') ? text.slice(0, -1) : text).split('\t');
}

/** Index of the end time: the last date that stands behind another one. -1 where there is none. */
function findDates(fields: string[]): number {
  for (let end = fields.length - 3; end >= 2; end--) {
    if (parseUtc(fields[end] ?? '') !== null && parseUtc(fields[end - 1] ?? '') !== null) return end;
  }
  return -1;
}

function rowOf(peerId: string, fields: string[], end: number): ConnectionRow {
  const kindText = fields[end + 2] ?? '';
  const user = fields[end + 1] ?? '';
  return {
    peerId,
    // A tab in the name is part of the name: the dates hold the rest in place.
    peerName: orNull(fields.slice(1, end - 1).join('\t')),
    startedAt: utcMs(parseUtc(fields[end - 1] ?? '') ?? 0),
    endedAt: utcMs(parseUtc(fields[end] ?? '') ?? 0),
    localUser: user === '<unknown>' ? null : orNull(user),
    kind: KINDS.get(kindText.toLowerCase()) ?? 'unknown',
    kindText,
    toolSessionId: orNull(fields[end + 3] ?? ''),
  };
}

function orNull(text: string): string | null {
  return text.trim() === '' ? null : text;
}

/** The first thing that is wrong, for a count by reason. */
function damageOf(text: string, fields: string[]): RowProblem {
  if (text.includes('\0') || text.includes('\ufffd')) return 'encoding';
  if (fields.length < 6) return 'fields';
  if (!PEER_ID.test(fields[0] ?? '')) return 'peer-id';
  const dated = fields.map((field) => parseUtc(field) !== null);
  if (findDates(fields) !== -1) return 'fields';
  return dated[2] === true ? 'end' : 'start';
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const SHAPE = /^\d\d-\d\d-\d{4} \d\d:\d\d:\d\d$/;

/** `dd-MM-yyyy HH:mm:ss`, UTC, from 1970; null for anything else and for days that no calendar has. */
function parseUtc(text: string): number | null {
  if (text.length !== 19 || !SHAPE.test(text)) return null;
  const day = two(text, 0);
  const month = two(text, 3);
  const year = two(text, 6) * 100 + two(text, 8);
  const hour = two(text, 11);
  const minute = two(text, 14);
  const second = two(text, 17);
  if (year < 1970 || day < 1 || day > daysIn(month, year) || hour > 23 || minute > 59 || second > 59)
    return null;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

function two(text: string, at: number): number {
  return text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 528;
}

function daysIn(month: number, year: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 && leap ? 29 : (DAYS[month - 1] ?? 0);
}
