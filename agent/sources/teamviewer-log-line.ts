/**
 * The shape of a line in TeamViewer's log, behind its time: process and thread, padded as each version likes, a field of
 * five characters (`S0   `, `G4!  `, ` 0   `, `L32  `) and the message. Pure.
 *
 * R22  The field's last exclamation mark may run into the message (`S0!!!Connect`): no blank is asked for.
 */

/** Which process wrote a line. */
export interface Writer {
  pid: number;
  tid: number;
  /** `S` service, `G` window, `D` desktop, `I` installer, `L`, `H` hooks; empty where there is none. */
  letter: string;
  /** Where the message begins. */
  message: number;
}

/** Behind `from`: blanks, process, blanks, thread, blanks, field. Null for a line of another shape. */
export function readWriter(text: string, from: number): Writer | null {
  const pidAt = skipBlanks(text, from);
  const pidEnd = skipDigits(text, pidAt, 10);
  const tidAt = skipBlanks(text, pidEnd);
  const tidEnd = skipDigits(text, tidAt, 10);
  if (pidEnd === pidAt || tidAt === pidEnd || tidEnd === tidAt) return null;
  const field = skipBlanks(text, tidEnd);
  const lettered = isUpper(text.charCodeAt(field));
  const digits = field + (lettered ? 1 : 0);
  const marks = skipDigits(text, digits, 4);
  if (marks === digits || field === tidEnd) return null;
  return {
    pid: numberAt(text, pidAt, pidEnd),
    tid: numberAt(text, tidAt, tidEnd),
    letter: lettered ? text.charAt(field) : '',
    message: skipBlanks(text, skipMarks(text, marks)),
  };
}

/** What the header says besides its time: lines between `Start:` and the next entry. */
export type HeaderField = { field: 'id'; id: string | null } | { field: 'ips'; ips: string[] };

const MAX_IPS = 64;

export function readHeaderField(text: string): HeaderField | null {
  if (text.startsWith('ID:')) {
    const id = text.slice(3, 64).trim();
    return { field: 'id', id: /^\d{8,11}$/.test(id) ? id : null };
  }
  if (!text.startsWith('IP:')) return null;
  const ips = text.slice(3, 4096).split(',', MAX_IPS);
  return { field: 'ips', ips: ips.map((ip) => ip.trim()) };
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) === 32 || text.charCodeAt(at) === 9) at++;
  return at;
}

function skipDigits(text: string, from: number, most: number): number {
  let at = from;
  while (at - from < most && isDigit(text.charCodeAt(at))) at++;
  return at;
}

function skipMarks(text: string, from: number): number {
  let at = from;
  while (at - from < 3 && text.charCodeAt(at) === 33) at++;
  return at;
}

function numberAt(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) value = value * 10 + text.charCodeAt(at) - 48;
  return value;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isUpper(code: number): boolean {
  return code >= 65 && code <= 90;
}
