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

/** As TeamViewer writes it first, then any other case of it. */
const KINDS = new Map<string, SessionKind>([
  ['RemoteControl', 'remote-control'],
  ['remotecontrol', 'remote-control'],
  ['filetransfer', 'file-transfer'],
  ['vpn', 'vpn'],
  ['presentation', 'presentation'],
  ['meeting', 'presentation'],
]);

/** Null for a kind that is not known. */
export function kindOf(text: string): SessionKind | null {
  return KINDS.get(text) ?? KINDS.get(text.toLowerCase()) ?? null;
}

/** Seven fields and the trailing tab. */
const WHOLE_FIELDS = 8;

export const GUID = /^\{[0-9A-Fa-f-]{1,64}\}$/;

/** Reads one row without its newline. Never throws, whatever the text. */
export function parseConnectionRow(text: string): RowResult {
  if (text.length > MAX_ROW_CHARS) return { ok: false, reason: 'too-long' };
  const ends = fieldEnds(text);
  const dates = findDates(text, ends);
  const after = dates === null ? 0 : ends.length - dates.index - 1;
  if (dates === null || after < 2 || after > 4 || !isPeerId(text, ends[0] ?? 0)) {
    return { ok: false, reason: damageOf(text) };
  }
  return { ok: true, row: rowOf(text, ends, dates) };
}

/**
 * True where a row is whole although no newline follows: two dates, and behind them user, kind, GUID and the
 * trailing tab. A tab inside the name or the user does not complete it early. A row whose GUID has a form
 * not seen yet, or without the trailing tab, has to wait for the file to be quiet.
 */
export function isCompleteRow(text: string): boolean {
  if (text.length > MAX_ROW_CHARS) return false;
  const ends = fieldEnds(text);
  const end = findDates(text, ends)?.index ?? -1;
  if (end === -1 || ends.length - end !== 5 || fieldAt(text, ends, end + 4) !== '') return false;
  const guid = fieldAt(text, ends, end + 3);
  return fieldAt(text, ends, end + 2) !== '' && (guid === '' || GUID.test(guid));
}

/**
 * True where a row is surely cut off: what stands there begins like a row and stops before any row that was ever
 * seen could end (in the kind, in the GUID, or earlier). Its rest may come seconds later. Anything else that is
 * not complete may be a row of an older version, with fewer columns, or no row at all.
 */
export function isTornRow(text: string): boolean {
  if (text.length > MAX_ROW_CHARS) return false;
  const ends = fieldEnds(text);
  const peer = fieldAt(text, ends, 0);
  if (!(ends.length === 1 ? /^\d{1,11}$/.test(peer) : isPeerId(text, ends[0] ?? 0))) return false;
  const index = findDates(text, ends)?.index;
  if (index === undefined) return ends.length < WHOLE_FIELDS;
  const after = ends.length - index - 1;
  if (after === 2) return kindOf(fieldAt(text, ends, index + 2)) === null;
  const guid = fieldAt(text, ends, index + 3);
  return after === 3 && guid !== '' && !GUID.test(guid);
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

/** Where each field ends. Rows are read by position, not split: this is the hot path of a first read. */
function fieldEnds(text: string): number[] {
  const ends: number[] = [];
  for (let at = text.indexOf('\t'); at !== -1; at = text.indexOf('\t', at + 1)) ends.push(at);
  ends.push(text.endsWith('\r') ? text.length - 1 : text.length);
  return ends;
}

function fieldStart(ends: number[], index: number): number {
  return index === 0 ? 0 : (ends[index - 1] ?? 0) + 1;
}

function fieldAt(text: string, ends: number[], index: number): string {
  return index < ends.length ? text.slice(fieldStart(ends, index), ends[index]) : '';
}

interface Dates {
  /** Field of the end time. */
  index: number;
  startedAt: number;
  endedAt: number;
}

/** The last date that stands behind another one: what lies between them and the front is the name. */
function findDates(text: string, ends: number[]): Dates | null {
  for (let index = ends.length - 3; index >= 2; index--) {
    const endedAt = dateAt(text, ends, index);
    const startedAt = endedAt === null ? null : dateAt(text, ends, index - 1);
    if (endedAt !== null && startedAt !== null) return { index, startedAt, endedAt };
  }
  return null;
}

function rowOf(text: string, ends: number[], { index, startedAt, endedAt }: Dates): ConnectionRow {
  const kindText = fieldAt(text, ends, index + 2);
  const user = fieldAt(text, ends, index + 1);
  return {
    peerId: fieldAt(text, ends, 0),
    // A tab in the name is part of the name: the dates hold the rest in place.
    peerName: orNull(text.slice((ends[0] ?? 0) + 1, Math.max((ends[0] ?? 0) + 1, ends[index - 2] ?? 0))),
    startedAt: utcMs(startedAt),
    endedAt: utcMs(endedAt),
    localUser: user === '<unknown>' ? null : orNull(user),
    kind: kindOf(kindText) ?? 'unknown',
    kindText,
    toolSessionId: orNull(fieldAt(text, ends, index + 3)),
  };
}

function orNull(text: string): string | null {
  return text === '' || text.trim() === '' ? null : text;
}

/** 8 to 11 digits at the front, up to the first tab. */
function isPeerId(text: string, end: number): boolean {
  if (end < 8 || end > 11) return false;
  for (let at = 0; at < end; at++) if (!isDigit(text.charCodeAt(at))) return false;
  return true;
}

/** The first thing that is wrong, for a count by reason. */
function damageOf(text: string): RowProblem {
  if (text.includes('\0') || text.includes('\ufffd')) return 'encoding';
  const ends = fieldEnds(text);
  if (ends.length < 6) return 'fields';
  if (!isPeerId(text, ends[0] ?? 0)) return 'peer-id';
  if (findDates(text, ends) !== null) return 'fields';
  return dateAt(text, ends, 2) === null ? 'start' : 'end';
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Characters of a date. */
export const DATE_CHARS = 19;

function dateAt(text: string, ends: number[], index: number): number | null {
  const at = fieldStart(ends, index);
  return (ends[index] ?? 0) - at === DATE_CHARS ? dateIn(text, at) : null;
}

/**
 * What stands at `at` as `dd-MM-yyyy HH:mm:ss`, UTC, from 1970, in milliseconds; null for anything else and for days
 * that no calendar has.
 */
export function dateIn(text: string, at: number): number | null {
  if (!hasMarks(text, at)) return null;
  const day = two(text, at);
  const month = two(text, at + 3);
  const year = two(text, at + 6) * 100 + two(text, at + 8);
  const hour = two(text, at + 11);
  const minute = two(text, at + 14);
  const second = two(text, at + 17);
  // Not a number where one of the signs is no digit; then nothing below is true.
  const inRange =
    year >= 1970 && day >= 1 && day <= daysIn(month, year) && hour <= 23 && minute <= 59 && second <= 59;
  return inRange ? Date.UTC(year, month - 1, day, hour, minute, second) : null;
}

/** The signs of a date that are not digits: `dd-MM-yyyy HH:mm:ss`. */
function hasMarks(text: string, at: number): boolean {
  return (
    text.charCodeAt(at + 2) === 45 &&
    text.charCodeAt(at + 5) === 45 &&
    text.charCodeAt(at + 10) === 32 &&
    text.charCodeAt(at + 13) === 58 &&
    text.charCodeAt(at + 16) === 58
  );
}

/** Two digits as a number, or not a number. */
function two(text: string, at: number): number {
  const tens = text.charCodeAt(at);
  const ones = text.charCodeAt(at + 1);
  return isDigit(tens) && isDigit(ones) ? tens * 10 + ones - 528 : Number.NaN;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function daysIn(month: number, year: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 && leap ? 29 : (MONTH_DAYS[month - 1] ?? 0);
}
