/**
 * TeamViewer's `Connections.txt`: sessions that one user had with other machines. Pure. As `Connections_incoming.txt`
 * (`teamviewer.ts`), but there is no name and its columns are padded with blanks to 32 characters: peer id, start, end,
 * local user, kind, session GUID. Versions that part them by tabs, or by two blanks and more, are read as well.
 */
import { utcMs } from '../../protocol/time.ts';
import {
  type ConnectionRow,
  DATE_CHARS,
  dateIn,
  GUID,
  kindOf,
  MAX_ROW_CHARS,
  type RowResult,
} from './teamviewer.ts';

const COLUMN_CHARS = 32;
const FRONT = /^(\d{8,11})(?:\t|[ \t]+)(?=\d)/;
/** Where a column ends. */
const GAP = / *\t *| {2,}/;

interface Parts {
  peerId: string;
  startedAt: number;
  endedAt: number;
  /** Behind the end's date. */
  rest: string;
}

/** Reads one row without its newline. Never throws, whatever the text. */
export function parseOutgoingRow(text: string): RowResult {
  if (text.length > MAX_ROW_CHARS) return { ok: false, reason: 'too-long' };
  const parts = partsOf(text);
  if (typeof parts === 'string') {
    return { ok: false, reason: text.includes('\0') || text.includes('\ufffd') ? 'encoding' : parts };
  }
  const { peerId, startedAt, endedAt, rest } = parts;
  const fields = fieldsOf(rest);
  if (fields === null) return { ok: false, reason: 'fields' };
  const row: ConnectionRow = {
    ...{ peerId, peerName: null, startedAt: utcMs(startedAt), endedAt: utcMs(endedAt) },
    localUser: fields.user === '' || fields.user === '<unknown>' ? null : fields.user,
    kind: kindOf(fields.kind) ?? 'unknown',
    kindText: fields.kind,
    toolSessionId: fields.guid === '' ? null : fields.guid,
  };
  return { ok: true, row };
}

/** True where a row is whole although no newline follows: its GUID is. Rows without one wait for the file to be quiet. */
export function isCompleteOutgoingRow(text: string): boolean {
  const parts = text.length > MAX_ROW_CHARS ? 'too-long' : partsOf(text);
  const fields = typeof parts === 'string' ? null : fieldsOf(parts.rest);
  return fields !== null && fields.kind !== '' && GUID.test(fields.guid);
}

/** True where a row is surely cut off: it begins like one and stops in the kind, in the GUID, or earlier. */
export function isTornOutgoingRow(text: string): boolean {
  if (text.length > MAX_ROW_CHARS || !/^\d{1,11}(?:[ \t]|$)/.test(text)) return false;
  const parts = partsOf(text);
  if (parts === 'peer-id' || parts === 'fields') return /^\d+[ \t]*$/.test(text);
  if (typeof parts === 'string') return isDateBegun(text);
  const open = parts.rest.lastIndexOf('{');
  if (open !== -1 && !parts.rest.includes('}', open)) return true;
  const fields = fieldsOf(parts.rest);
  return fields === null || (fields.guid === '' && kindOf(fields.kind) === null);
}

function partsOf(text: string): Parts | 'fields' | 'peer-id' | 'start' | 'end' {
  const front = FRONT.exec(text);
  if (front === null)
    return /^\d{8,11}[ \t]/.test(text) ? 'start' : text.trim() === '' ? 'fields' : 'peer-id';
  const from = front[0].length;
  const startedAt = dateIn(text, from);
  if (startedAt === null) return 'start';
  const to = skipGap(text, from + DATE_CHARS);
  const endedAt = to === from + DATE_CHARS ? null : dateIn(text, to);
  if (endedAt === null) return 'end';
  const rest = text.slice(to + DATE_CHARS).replace(/\r$/, '');
  return { peerId: front[1] ?? '', startedAt, endedAt, rest };
}

/** Two dates in their columns are never so long. */
const MAX_DATES_CHARS = 256;

/** What is there of two dates, and nothing that can be no date. */
function isDateBegun(text: string): boolean {
  return text.length <= MAX_DATES_CHARS && /^\d+[ \t]+[\d: -]{0,19}(?:[ \t]+[\d: -]{0,19})?$/.test(text);
}

function skipGap(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) === 32 || text.charCodeAt(at) === 9) at++;
  return at;
}

interface Fields {
  user: string;
  kind: string;
  guid: string;
}

/** User, kind, GUID. The GUID is known by its form, a user by its column: it may have blanks, and fill its column. */
function fieldsOf(rest: string): Fields | null {
  if (rest.trim() === '' || !/^[ \t]/.test(rest)) return null;
  const guidAt = rest.search(/[ \t]\{[0-9A-Fa-f-]*\}[ \t]*$/);
  const guid = guidAt === -1 ? '' : rest.slice(guidAt).trim();
  const named = guidAt === -1 ? rest : rest.slice(0, guidAt);
  const tabbed = named.includes('\t');
  const pad = COLUMN_CHARS - DATE_CHARS;
  const column = named.slice(pad, pad + COLUMN_CHARS);
  if (!tabbed && named.startsWith(' '.repeat(pad)) && isColumn(column, named.slice(pad + COLUMN_CHARS))) {
    return { user: column.trim(), kind: named.slice(pad + COLUMN_CHARS).trim(), guid };
  }
  const fields = tabbed ? named.replace(/^ *\t/, '').split(GAP) : named.trim().split(GAP);
  while (fields.length > 1 && fields.at(-1)?.trim() === '') fields.pop();
  const [user = '', kind = '', ...more] = fields.map((field) => field.trim());
  if (more.length > 0) return null;
  if (fields.length > 1) return { user, kind, guid };
  // One text alone: which of the two it is, only a kind that is known tells.
  return kindOf(user) === null ? { user, kind: '', guid } : { user: '', kind: user, guid };
}

/** A user's column and, behind it, one word. */
function isColumn(user: string, behind: string): boolean {
  return user.length === COLUMN_CHARS && /^\S+\s*$/.test(behind);
}
