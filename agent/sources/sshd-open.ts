/**
 * The sessions of sshd that are open, and how a line is recognised to be about one of them: by the process that
 * accepted it, by the process of its user, by its peer's address and port, or by logind's number.
 */
import type { UtcMs } from '../../protocol/time.ts';
import { Bounded } from './bounded.ts';
import type { Kind, TimeBasis } from './change.ts';

export interface OpenSession {
  key: string;
  at: UtcMs;
  basis: TimeBasis;
  host: string;
  boot: string | null;
  user: string;
  kind: Kind;
  /** More than files is done in it. */
  hasShell: boolean;
  /** Names in `#byName`. */
  names: string[];
  child: boolean;
  logind: string | null;
}

/** How long after its start a line that names only the user may still be about it. */
const FRESH_MS = 10_000;
/** Sessions that such a line is compared with. */
const RECENT = 32;
/** Peer, two processes, logind's number; more are made up. */
const MOST_NAMES = 8;

export class OpenSessions {
  readonly #sessions: Bounded<OpenSession>;
  readonly #byName = new Map<string, OpenSession>();
  #recent: OpenSession[] = [];

  constructor(max: number) {
    this.#sessions = new Bounded(max);
  }

  get size(): number {
    return this.#sessions.size;
  }

  of(name: string | null): OpenSession | null {
    return name === null ? null : (this.#byName.get(name) ?? null);
  }

  /** Returns the session that had to give way, which is then no longer open here. */
  add(session: OpenSession): OpenSession | null {
    const pushed = this.#sessions.set(session.key, session);
    if (pushed !== null) this.#forget(pushed);
    for (const name of session.names) this.#byName.set(name, session);
    this.#recent = [...this.#recent.slice(1 - RECENT), session];
    return pushed;
  }

  remove(session: OpenSession): void {
    this.#sessions.delete(session.key);
    this.#forget(session);
  }

  /** One more name for a session; whoever had it before is no longer called so. */
  name(session: OpenSession, name: string): void {
    if (this.#byName.get(name) === session || session.names.length >= MOST_NAMES) return;
    session.names.push(name);
    this.#byName.set(name, session);
  }

  /** The only session of this user that began a moment ago and passes; null where there are several, or none. */
  lone(host: string, user: string, at: UtcMs, passes: (session: OpenSession) => boolean): OpenSession | null {
    const found = this.#recent.filter(
      (s) => s.host === host && s.user === user && Math.abs(at - s.at) <= FRESH_MS && passes(s),
    );
    return found.length === 1 ? (found[0] ?? null) : null;
  }

  /** Those of one host, oldest first. */
  ofHost(host: string): OpenSession[] {
    return this.#sessions.values().filter((session) => session.host === host);
  }

  #forget(session: OpenSession): void {
    for (const name of session.names) {
      if (this.#byName.get(name) === session) this.#byName.delete(name);
    }
    this.#recent = this.#recent.filter((recent) => recent !== session);
  }
}
