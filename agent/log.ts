/**
 * The agent's own diary, for the person who runs it: JSON lines on stderr. Codes and numbers, never texts of
 * sources, paths or names; what is evidence is an event in the journal and not a line here.
 *
 * G3  Nothing personal, no message of a system error: facts are numbers, booleans and words of the code base.
 * G4  A trouble that lasts is said at once, then at most every five minutes with a count; its end is said once.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import { codeOf } from '../protocol/errors.ts';
import { type Clock, MINUTE_MS } from '../protocol/time.ts';

export type Level = 'info' | 'warn' | 'error';
/** Strings are codes, ids and words: see `word`. */
export type Facts = Readonly<Record<string, number | boolean | string | null>>;

export interface AgentLog {
  info(code: string, facts?: Facts): void;
  warn(code: string, facts?: Facts): void;
  error(code: string, facts?: Facts): void;
  /** A trouble named by `key` is there (again). `error` gives its code only. */
  trouble(key: string, error: unknown, facts?: Facts): void;
  /** It is over; says so once, and nothing where there was none. */
  recovered(key: string, facts?: Facts): void;
}

export const REPEAT_MS = 5 * MINUTE_MS;

interface Trouble {
  since: number;
  said: number;
  unsaid: number;
  times: number;
}

const STDERR = 2;
const FACT = /^[\w.:/+-]{0,80}$/;

/** Anything that does not look like a word of ours is not written. */
function clean(facts: Facts): Facts {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      typeof value === 'string' && !FACT.test(value) ? 'withheld' : value,
    ]),
  );
}

export interface LogOptions {
  clock: Clock;
  level?: Level;
  /** stderr unless given. */
  to?: DestinationStream;
  /** A file to append to, made with mode 0600. */
  file?: string;
}

export function openLog(o: LogOptions): AgentLog {
  const sink = o.to ?? destination({ dest: o.file ?? STDERR, sync: true, mode: 0o600 });
  const logger = pino({ level: o.level ?? 'info', base: { role: 'agent' }, messageKey: 'code' }, sink);
  return new PinoLog(logger, o.clock);
}

class PinoLog implements AgentLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #troubles = new Map<string, Trouble>();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  info(code: string, facts: Facts = {}): void {
    this.#logger.info(clean(facts), code);
  }

  warn(code: string, facts: Facts = {}): void {
    this.#logger.warn(clean(facts), code);
  }

  error(code: string, facts: Facts = {}): void {
    this.#logger.error(clean(facts), code);
  }

  trouble(key: string, error: unknown, facts: Facts = {}): void {
    const now = this.#clock.mono();
    const present = this.#troubles.get(key);
    if (present === undefined) {
      this.#troubles.set(key, { since: now, said: now, unsaid: 0, times: 1 });
      this.warn(codeOf(error), { about: key, ...facts });
      return;
    }
    present.times += 1;
    present.unsaid += 1;
    if (now - present.said < REPEAT_MS) return;
    this.warn(codeOf(error), { about: key, repeated: present.unsaid, ...facts });
    present.said = now;
    present.unsaid = 0;
  }

  recovered(key: string, facts: Facts = {}): void {
    const trouble = this.#troubles.get(key);
    if (trouble === undefined) return;
    this.#troubles.delete(key);
    const afterMs = Math.round(this.#clock.mono() - trouble.since);
    this.info('recovered', { about: key, times: trouble.times, afterMs, ...facts });
  }
}

/** Says nothing: for tests and one-shot commands. */
export const silentLog: AgentLog = {
  info() {},
  warn() {},
  error() {},
  trouble() {},
  recovered() {},
};
