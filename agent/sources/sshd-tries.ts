/**
 * Connections on which nobody was let in yet, and how many refusals each of them is.
 *
 * R72 One connection is one refusal for each secret that was typed and refused; where none was, it is one refusal if an
 *     account was named. `Invalid user`, `Failed …` and the end of the connection are never counted for the same one.
 */
import { Bounded, ownText } from './bounded.ts';
import type { AuthMethod } from './change.ts';
import { authOf, isTyped, type Login, type Place, proven } from './sshd-says.ts';
import type { SyslogLine } from './syslog-line.ts';

export interface Try extends Place {
  /** Refusals told so far. */
  counted: number;
  /** Of these, how many were told before the line that says them once more. */
  credit: number;
  /** Lines that said `Failed`: what a log-in that succeeds in the end had before it. */
  failed: number;
  /** A key was offered and refused; programs offer several unasked, so it is no refusal by itself. */
  offered: boolean;
  notAllowed: boolean;
  partial: Partial | null;
}

/** One of several methods that are all asked for was passed. */
export interface Partial {
  auth: AuthMethod;
  technician?: string;
  name?: string;
}

/**
 * sshd lets in a hundred connections at once that have not logged in, unless it is told otherwise, and ends each of
 * them after two minutes.
 */
export const MAX_TRIES = 4_096;

export class Tries {
  readonly #tries = new Bounded<Try>(MAX_TRIES);

  get size(): number {
    return this.#tries.size;
  }

  /** What is known of this connection; a process number that comes back with another peer is another one. */
  of(line: SyslogLine, place: Place): Try | null {
    return this.#known(nameOf(line, place), place);
  }

  made(line: SyslogLine, place: Place): Try {
    const name = nameOf(line, place);
    const known = this.#known(name, place);
    if (known !== null) return known;
    const made: Try = {
      ip: place.ip === null ? null : ownText(place.ip),
      port: place.port,
      ...{ counted: 0, credit: 0, failed: 0, offered: false, notAllowed: false, partial: null },
    };
    this.#tries.set(name, made);
    return made;
  }

  over(line: SyslogLine, place: Place): void {
    this.#tries.delete(nameOf(line, place));
  }

  #known(name: string, place: Place): Try | null {
    const found = this.#tries.get(name);
    return found !== undefined && isSame(found, place) ? found : null;
  }
}

/** How many refusals a line with `Failed` adds, where it stands for `times` equal ones. */
export function failed(attempt: Try, login: Login, times: number): number {
  if (login.method !== 'none') attempt.failed += times;
  if (!isTyped(login.method)) {
    attempt.offered = true;
    return 0;
  }
  const told = Math.min(attempt.credit, times);
  attempt.credit -= told;
  attempt.counted += times - told;
  return times - told;
}

/** Remembers the strongest of the methods that were passed. */
export function passed(attempt: Try, login: Login): void {
  const auth = strongest(attempt.partial?.auth ?? null, authOf(login.method));
  const { technician, name } = proven(login);
  attempt.partial = {
    ...attempt.partial,
    auth,
    ...(technician === undefined ? {} : { technician: ownText(technician) }),
    ...(name === undefined ? {} : { name: ownText(name) }),
  };
}

const STRENGTH: AuthMethod[] = ['none', 'unknown', 'fixed-password', 'account', 'key'];

export function strongest(a: AuthMethod | null, b: AuthMethod): AuthMethod {
  return a !== null && STRENGTH.indexOf(a) > STRENGTH.indexOf(b) ? a : b;
}

function isSame(a: Place, b: Place): boolean {
  const alike = (x: string | null, y: string | null) => x === null || y === null || x === y;
  return alike(a.ip, b.ip) && alike(a.port, b.port);
}

function nameOf(line: SyslogLine, place: Place): string {
  return line.pid === null ? `${line.host} ${place.ip} ${place.port}` : `${line.host} ${line.pid}`;
}
