/**
 * TeamViewer's `TeamViewerNN_Logfile.log`, versions 11 to 15: who calls, who is let in, how, and when it ends. Pure.
 *
 * R29  The service was started anew where its lines come from another process. A header alone says nothing of the kind:
 *      the service writes one at the top of each new file, while sessions go on. What was open ended when the old
 *      process wrote its last line, as far as the log says. Logs without a service are judged by the first line below
 *      a header.
 */
import {
  type LineReader,
  type LineResult,
  type MakeReader,
  NOTHING,
  type ReaderOptions,
  type SessionChange,
} from './change.ts';
import { LogClock, type Moment } from './teamviewer-log-clock.ts';
import { readFact } from './teamviewer-log-facts.ts';
import { readHeaderField, readWriter, type Writer } from './teamviewer-log-line.ts';
import { TeamviewerSessions } from './teamviewer-log-sessions.ts';

/** Characters; the longest line seen has some thousand. */
export const MAX_LOG_LINE_CHARS = 64 * 1024;
/** Processes that a log without a service is known to come from. */
const MAX_PIDS = 16;
const DATED = /^\d{2,4}\/\d{2}[\d/]* [\d:.]{8,12}(?=\s)/;

class TeamviewerLogReader implements LineReader {
  readonly fromHead = true;
  readonly #options: ReaderOptions;
  readonly #clock: LogClock;
  readonly #sessions = new TeamviewerSessions();
  #inHeader = false;
  #belowHeader = false;
  #service: number | null = null;
  /** Clock reading of the service's last line; NaN: none in this file. */
  #alive = Number.NaN;
  /** The same as an instant, where the head that it was read by is gone. */
  #wasAlive: Moment | null = null;
  #pids: number[] = [];

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#clock = new LogClock(options.zone, options.near);
    this.#sessions.setOwnIps(options.ownIps);
  }

  newFile(): void {
    this.#keepAlive();
    this.#clock.newFile();
    this.#sessions.setOwnId(null);
    this.#sessions.setOwnIps(this.#options.ownIps);
    this.#inHeader = false;
    this.#belowHeader = false;
  }

  ownId(): string | null {
    return this.#sessions.ownId;
  }

  line(text: string): LineResult {
    if (text.length > MAX_LOG_LINE_CHARS) return { ok: false, reason: 'too-long' };
    const first = text.charCodeAt(0);
    // Digits: an entry, or a hex dump.
    if (!(first >= 48 && first <= 57)) return first === 0xfeff ? this.line(text.slice(1)) : this.#other(text);
    const from = this.#clock.read(text);
    const writer = from === 0 ? null : readWriter(text, from);
    if (writer === null) return from === 0 ? misdated(text) : NOTHING;
    this.#inHeader = false;
    const stopped = this.#lifeOf(writer);
    const fact = readFact(text, writer.message);
    if (fact === null) return stopped === null ? NOTHING : told(stopped);
    if (Number.isNaN(this.#clock.wall)) return { ok: false, reason: 'start' };
    // That the service is another one must not get lost because its first line is damaged.
    if (fact.fact === 'damaged') return stopped === null ? { ok: false, reason: fact.reason } : told(stopped);
    const changes = this.#sessions.take(fact, this.#clock.momentOf(this.#clock.wall), writer);
    return told(stopped === null ? changes : [...stopped, ...changes]);
  }

  /** Lines of the header; everything else that is no entry is nothing. */
  #other(text: string): LineResult {
    if (text.startsWith('Start:')) {
      this.#keepAlive();
      if (!this.#clock.start(text))
        return /^Start:\s+\d/.test(text) ? { ok: false, reason: 'start' } : NOTHING;
      this.#inHeader = true;
      this.#belowHeader = true;
      return NOTHING;
    }
    const field = this.#inHeader ? readHeaderField(text) : null;
    if (field?.field === 'id') this.#sessions.setOwnId(field.id);
    if (field?.field === 'ips') this.#sessions.setOwnIps([...field.ips, ...this.#options.ownIps]);
    return NOTHING;
  }

  /** Whether this line comes from a process that was not there before (R29). */
  #lifeOf({ pid, letter }: Writer): SessionChange[] | null {
    const { wall } = this.#clock;
    const service = letter === 'S';
    if (Number.isNaN(wall) || !(service || this.#service === null)) return null;
    const other = service ? this.#service !== null && pid !== this.#service : this.#isUnknown(pid);
    const since = other ? (this.#lastSign() ?? this.#clock.momentOf(wall)) : null;
    if (service) this.#service = pid;
    else this.#note(pid);
    this.#belowHeader = false;
    this.#alive = wall;
    this.#wasAlive = null;
    return since === null ? null : this.#sessions.stop(since);
  }

  /** In a log without a service, the first line below a header is of a process that did not write before. */
  #isUnknown(pid: number): boolean {
    return this.#belowHeader && this.#pids.length > 0 && !this.#pids.includes(pid);
  }

  #note(pid: number): void {
    if (this.#pids.at(-1) === pid) return;
    this.#pids = [...this.#pids.filter((known) => known !== pid), pid].slice(-MAX_PIDS);
  }

  #lastSign(): Moment | null {
    if (this.#wasAlive !== null) return this.#wasAlive;
    return Number.isNaN(this.#alive) ? null : this.#clock.momentOf(this.#alive);
  }

  /** The head that lines so far were read by is about to go. */
  #keepAlive(): void {
    this.#wasAlive = this.#lastSign();
    this.#alive = Number.NaN;
  }
}

function told(changes: readonly SessionChange[]): LineResult {
  return changes.length === 0 ? NOTHING : { ok: true, changes };
}

/** A line that begins like an entry, with a time that no clock shows: of ours, or nothing. */
function misdated(text: string): LineResult {
  const end = DATED.exec(text)?.[0].length ?? 0;
  const writer = end === 0 ? null : readWriter(text, end);
  if (writer === null || readFact(text, writer.message) === null) return NOTHING;
  return { ok: false, reason: 'start' };
}

export const makeTeamviewerLogReader: MakeReader = (options) => new TeamviewerLogReader(options);
