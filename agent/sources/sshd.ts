/**
 * OpenSSH's log: `auth.log`, `secure`, or journald's JSON; lines of sshd among those of all others. Pure.
 *
 * What sshd says at its usual level is enough for who, from where, how and when. At that level versions since 9 do not
 * say that a session is for files only; then its kind is `shell`, as sshd gives one to anybody whom it lets in.
 */

import type { ReaderOptions, SessionChange } from './change.ts';
import { type LineProblem, type LineReader, type LineResult, type MakeReader, NOTHING } from './change.ts';
import { logindSays } from './logind-says.ts';
import { Connections } from './sshd-connections.ts';
import { type Saying, sshdSays, unrepeated } from './sshd-says.ts';
import { isJournal, programAt, type SyslogLine, SyslogReader } from './syslog-line.ts';

export const makeSshdReader: MakeReader = (options) => new SshdReader(options);

/** Since 9.8 a connection has a program of its own, and later log-ins too. */
const PROGRAMS = new Set(['sshd', 'sshd-session', 'sshd-auth']);
const LOGIND = 'systemd-logind';
/** Characters; sshd itself cuts at 1,024 and writes a byte as up to four. */
const MAX_MESSAGE_CHARS = 8 * 1024;
/** Times that one line may stand for. */
const MAX_REPEATS = 100_000;

export class SshdReader implements LineReader {
  readonly #connections: Connections;
  readonly #syslog: SyslogReader;
  /** The line before, where it was one that may be repeated. */
  #last: { line: SyslogLine; saying: Saying } | null = null;

  constructor(options: ReaderOptions) {
    this.#syslog = new SyslogReader(options);
    this.#connections = new Connections(options);
  }

  get sizes(): { open: number; tries: number } {
    return this.#connections.sizes;
  }

  line(text: string): LineResult {
    const last = this.#last;
    this.#last = null;
    const found = looksLike(text);
    if (found === 'other') return NOTHING;
    if (found === 'no-prefix') return unreadable('start');
    if (found === 'repeated') return last === null ? NOTHING : this.#again(text, last.line, last.saying);
    const line = this.#syslog.read(text);
    if (line === null) return NOTHING;
    if (typeof line === 'string') return unreadable(line);
    if (line.message.length > MAX_MESSAGE_CHARS) return unreadable('too-long');
    return this.#read(line);
  }

  #read(line: SyslogLine): LineResult {
    if (PROGRAMS.has(line.program)) return this.#readSshd(line);
    if (line.program === LOGIND) {
      const saying = logindSays(line.message);
      const left = this.#connections.sawBoot(line);
      return changed([...left, ...(saying === null ? [] : this.#connections.takeLogind(line, saying))]);
    }
    return line.program === 'kernel' && BOOTS.test(line.message)
      ? changed(this.#connections.started(line))
      : NOTHING;
  }

  #readSshd(line: SyslogLine): LineResult {
    const left = this.#connections.sawBoot(line);
    const { times, message } = unrepeated(line.message);
    const said = sshdSays(message);
    if (said === null) return changed(left);
    if (said === 'unreadable') return unreadable('fields');
    if (said.say === 'failed') this.#last = { line, saying: said };
    const changes = this.#connections.take(line, said, Math.min(times, MAX_REPEATS));
    return changed(left.length === 0 ? changes : [...left, ...changes]);
  }

  /** `last message repeated 3 times`, of daemons older than rsyslog. */
  #again(text: string, before: SyslogLine, saying: Saying): LineResult {
    const times = Number(AGAIN.exec(text)?.[1] ?? 0);
    const time = this.#syslog.oldTime(text);
    if (times === 0 || time === null) return NOTHING;
    return changed(this.#connections.take({ ...before, ...time }, saying, Math.min(times, MAX_REPEATS)));
  }
}

const BOOTS = /^(?:\[ *\d+\.\d+\] )?Linux version \d/;
const AGAIN = / last message repeated (\d{1,6}) times?\r?$/;

/** As little as it takes to pass over a line that is none of ours. */
function looksLike(text: string): 'ours' | 'repeated' | 'no-prefix' | 'other' {
  if (isJournal(text)) return text.includes('"sshd') || text.includes(`"${LOGIND}"`) ? 'ours' : 'other';
  const at = programAt(text);
  if (at === -1) return /sshd(?:-session|-auth)?\[/.test(text) ? 'no-prefix' : 'other';
  const first = text.charCodeAt(at);
  if (first === 115 /* s */)
    return text.startsWith('sshd', at) || text.startsWith(LOGIND, at) ? 'ours' : 'other';
  if (first === 107 /* k */)
    return text.startsWith('kernel', at) && text.includes('Linux version') ? 'ours' : 'other';
  return first === 108 /* l */ && text.startsWith('last message repeated ', at) ? 'repeated' : 'other';
}

function changed(changes: SessionChange[]): LineResult {
  return changes.length === 0 ? NOTHING : { ok: true, changes };
}

function unreadable(reason: LineProblem): LineResult {
  return { ok: false, reason };
}
