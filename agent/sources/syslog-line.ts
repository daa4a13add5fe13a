/**
 * One line of syslog, in any of the forms in which sshd's lines are found: RFC 3164 (no year, local time), the same
 * with an ISO 8601 time (rsyslog's default), RFC 5424, and journald's JSON (`journalctl -o json`). Pure.
 *
 * journald's `-o export` is not read: its records end with an empty line, which a reader of lines never sees, and
 * texts with line feeds are binary there. `sshd -E file` writes neither time nor process.
 */
import type { UtcMs } from '../../protocol/time.ts';
import type { LineProblem, ReaderOptions, TimeBasis } from './change.ts';
import { MAX_LINE_CHARS } from './change.ts';
import { journalLine } from './syslog-journal.ts';
import { isoTime, type LineTime, OldTimes } from './syslog-time.ts';

export interface SyslogLine {
  at: UtcMs;
  basis: TimeBasis;
  host: string;
  program: string;
  /** Null where the line does not say which process wrote it. */
  pid: string | null;
  message: string;
  /** Of journald: which boot of the machine. */
  boot: string | null;
  /** Of journald, in lines of logind: the first process of the session. */
  leader: string | null;
}

/** Characters; the message of sshd's longest line has about 1,000. */

const LESS = 60;
const SPACE = 32;
const BRACE = 123;

/** True for a line of `journalctl -o json`. */
export function isJournal(text: string): boolean {
  return text.charCodeAt(0) === BRACE;
}

/**
 * Where the name of the program stands in a line that is not JSON; -1 where it has none of the known forms. Most lines
 * of a log are not about sessions: this is all that is read of them.
 */
export function programAt(text: string): number {
  const at = afterPriority(text);
  if (at === -1) return -1;
  if (isOld(text, at)) return afterBlank(text, at + 16);
  const time = text.charCodeAt(at + 1) === SPACE ? at + 2 : at;
  return isIso(text, time) ? afterBlank(text, afterBlank(text, time)) : -1;
}

/** Reads the lines of one log. */
export class SyslogReader {
  readonly #zone: string;
  readonly #old: OldTimes;

  constructor(options: ReaderOptions) {
    this.#zone = options.zone;
    this.#old = new OldTimes(options);
  }

  /** A line of which `programAt` knows the form, or one of JSON; null where it is none of syslog's. */
  read(text: string): SyslogLine | LineProblem | null {
    return parseLine(text, this.#zone, this.#old);
  }

  /** When a line of the old form was written. */
  oldTime(text: string): LineTime | null {
    return this.#old.read(text, afterPriority(text));
  }
}

function parseLine(text: string, zone: string, old: OldTimes): SyslogLine | LineProblem | null {
  if (text.length > MAX_LINE_CHARS) return 'too-long';
  if (isJournal(text)) return journalLine(text);
  const program = programAt(text);
  if (program === -1) return null;
  const at = afterPriority(text);
  if (isOld(text, at)) {
    return plainLine(text, old.read(text, at), text.slice(at + 16, program - 1), program);
  }
  const isNew = text.charCodeAt(at + 1) === SPACE;
  const time = isNew ? at + 2 : at;
  const host = afterBlank(text, time);
  const when = isoTime(text.slice(time, host - 1), zone);
  const name = text.slice(host, program - 1);
  return isNew ? newLine(text, when, name, program) : plainLine(text, when, name, program);
}

type When = LineTime | null;

const TAG = /^([^\s:[\]]{1,64})(?:\[(\d{1,10})\])?:/;

/** `program[pid]: message`. */
function plainLine(text: string, when: When, host: string, at: number): SyslogLine | LineProblem {
  const rest = text.slice(at);
  const [tag, program, pid] = TAG.exec(rest) ?? [];
  if (tag === undefined || program === undefined) return 'fields';
  if (when === null) return 'start';
  const message = messageOf(rest, tag.length);
  return { ...when, host, program, pid: pid ?? null, message, boot: null, leader: null };
}

const NEW = /^(\S{1,64}) (\S{1,128}) \S{1,64} /;

/** `program process message-id data message`. */
function newLine(text: string, when: When, host: string, at: number): SyslogLine | LineProblem {
  const rest = text.slice(at);
  const [head, program, number] = NEW.exec(rest) ?? [];
  const data = head === undefined ? -1 : afterData(rest, head.length);
  if (program === undefined || number === undefined || data === -1) return 'fields';
  if (when === null) return 'start';
  const pid = /^\d{1,10}$/.test(number) ? number : null;
  return { ...when, host, program, pid, message: messageOf(rest, data), boot: null, leader: null };
}

/** Behind `-`, or behind `[id name="value"]…`; a `]` may stand in a value, quoted or not. */
function afterData(text: string, from: number): number {
  if (text.charCodeAt(from) === 45) return from + 1;
  let at = from;
  while (text[at] === '[') {
    let quoted = false;
    for (at += 1; at < text.length && (quoted || text[at] !== ']'); at++) {
      if (text[at] === '\\') at += 1;
      else if (text[at] === '"') quoted = !quoted;
    }
    if (at >= text.length) return -1;
    at += 1;
  }
  return at === from ? -1 : at;
}

/** Without the blanks before it, a byte order mark (RFC 5424) and the carriage return of a copied file. */
function messageOf(text: string, from: number): string {
  let start = from;
  while (text.charCodeAt(start) === SPACE || text.charCodeAt(start) === 0xfeff) start += 1;
  const end = text.endsWith('\r') ? text.length - 1 : text.length;
  return text.slice(start, end);
}

/** `<38>` is there where a daemon was told to write what it received. */
function afterPriority(text: string): number {
  if (text.charCodeAt(0) !== LESS) return 0;
  const end = text.indexOf('>');
  return end > 4 || end < 2 ? -1 : end + 1;
}

/** `Mmm dd HH:mm:ss ` as far as its signs go. */
function isOld(text: string, at: number): boolean {
  return (
    text.charCodeAt(at + 3) === SPACE &&
    text.charCodeAt(at + 6) === SPACE &&
    text.charCodeAt(at + 9) === 58 &&
    text.charCodeAt(at + 12) === 58 &&
    text.charCodeAt(at + 15) === SPACE
  );
}

/** `yyyy-MM-ddT` as far as its signs go. */
function isIso(text: string, at: number): boolean {
  return (
    text.charCodeAt(at + 4) === 45 &&
    text.charCodeAt(at + 7) === 45 &&
    text.charCodeAt(at + 10) === 84 /* T */
  );
}

function afterBlank(text: string, from: number): number {
  const blank = from === -1 ? -1 : text.indexOf(' ', from);
  return blank === -1 ? -1 : blank + 1;
}
