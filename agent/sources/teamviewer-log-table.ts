/**
 * What a reader of TeamViewer's log remembers of calls that have not ended. A call (its peer, the router's gate) and a
 * log-in (the session's number, who asks for the password) stand in different lines and are paired here. Bounded.
 *
 * R24  A call and a log-in are one where nothing else can be meant: each is the only one without the other. Otherwise
 *      they stay apart until one of each, and no other, was let in; what is not known by then is left out.
 * R25  The password that somebody types is tried against each password that the machine has: the results of one try are
 *      one try, judged by the last of them. Only tries that ended denied count as failed.
 */
import { HOUR_MS, MINUTE_MS, type UtcMs } from '../../protocol/time.ts';
import type { AuthMethod, Beginning, Direction, Kind, PeerIp, RejectReason } from './change.ts';
import type { Moment } from './teamviewer-log-clock.ts';

export const MAX_OPEN = 256;
export const MAX_PER_SESSION = 16;
const STALE_LOGIN_MS = 10 * MINUTE_MS;

/** After so long, a call that nobody let in and that has no end in the log is forgotten. */
function patienceMs({ direction, peerId, gate }: Call): number {
  // The hello comes within seconds; a call that found no way out leaves no line.
  if (peerId === null) return MINUTE_MS;
  return direction === 'outgoing' && gate === null ? 5 * MINUTE_MS : HOUR_MS;
}

/** Somebody asks for access on this machine: one thread of the desktop process. */
export class Login {
  readonly session: string;
  readonly openedAt: UtcMs;
  pid: number;
  thread: string | null = null;
  call: Call | null = null;
  auth: AuthMethod | null = null;
  granted: Kind | null = null;
  refused: RejectReason | null = null;
  #denied = 0;
  /** Passwords that the running try was denied for. */
  #trying: AuthMethod[] = [];

  constructor(session: string, openedAt: UtcMs, pid: number) {
    this.session = session;
    this.openedAt = openedAt;
    this.pid = pid;
  }

  /** Tries that ended denied (R25). */
  get failed(): number {
    return this.#denied + (this.#trying.length > 0 ? 1 : 0);
  }

  result(method: AuthMethod, ok: boolean): void {
    // The one-time password is asked first: with it, and with a password that was just asked, a new try begins.
    const anew = method === 'one-time-password' || this.#trying.includes(method);
    if (anew && this.#trying.length > 0) {
      this.#denied += 1;
      this.#trying = [];
    }
    if (ok) this.auth = method;
    this.#trying = ok ? [] : [...this.#trying, method];
  }
}

export interface Call {
  direction: Direction;
  openedAt: Moment;
  /** Null where the log does not say for certain which of several it is. */
  gate: string | null;
  peerId: string | null;
  begin: Beginning | null;
  hellos: number;
  login: Login | null;
  /** Own number of a session that goes out. */
  session: string | null;
  granted: boolean;
  kind: Kind;
  refused: RejectReason | null;
  participants: Set<string>;
  names: string[];
  ips: PeerIp[];
  files: number;
  begun: string[];
}

export class CallTable {
  #calls: Call[] = [];
  #logins: Login[] = [];
  /** Gates of calls that ended, whose last line is still to come. */
  readonly #closed = new Set<string>();

  get calls(): readonly Call[] {
    return this.#calls;
  }

  /** Log-ins that no call was found for, and that are not over. */
  get loose(): Login[] {
    return this.#logins.filter(({ call }) => call === null);
  }

  get size(): number {
    return this.#calls.length + this.#logins.length + this.#closed.size;
  }

  clear(): void {
    this.#calls = [];
    this.#logins = [];
    this.#closed.clear();
  }

  open(direction: Direction, openedAt: Moment): Call {
    if (this.#calls.length >= MAX_OPEN) this.remove(this.#calls.find((c) => !c.granted) ?? this.#calls[0]);
    const call: Call = {
      ...{
        direction,
        openedAt,
        gate: null,
        peerId: null,
        begin: null,
        hellos: 0,
        login: null,
        session: null,
      },
      ...{ granted: false, kind: 'unknown', refused: null, participants: new Set() },
      ...{ names: [], ips: [], files: 0, begun: [] },
    };
    this.#calls.push(call);
    return call;
  }

  /** Forgets what came to nothing. */
  purge(now: UtcMs): void {
    const isStale = (call: Call) => !call.granted && now - call.openedAt.at > patienceMs(call);
    for (const call of this.#calls.filter(isStale)) this.remove(call);
    this.#logins = this.#logins.filter(
      ({ call, openedAt }) => call !== null || now - openedAt <= STALE_LOGIN_MS,
    );
  }

  /** The call is over; the line that names its gate may still come. */
  remove(call: Call | undefined): void {
    if (call === undefined) return;
    this.#calls = this.#calls.filter((other) => other !== call);
    this.#logins = this.#logins.filter(({ call: of }) => of !== call);
    if (call.gate === null) return;
    this.#closed.add(call.gate);
    for (const gate of this.#closed) if (this.#closed.size > MAX_OPEN) this.#closed.delete(gate);
  }

  /** True for the last line of a call that is over already. */
  wasClosed(gate: string): boolean {
    return this.#closed.delete(gate);
  }

  /** A number that was given before is given to another call. Those that had it. */
  reuse(gate: string): Call[] {
    const lost = this.#calls.filter((call) => call.gate === gate);
    for (const call of lost) this.remove(call);
    this.#closed.delete(gate);
    return lost;
  }

  addLogin(session: string, at: UtcMs, pid: number): Login {
    if (this.#logins.length >= MAX_OPEN) this.drop(this.#logins[0]);
    const login = new Login(session, at, pid);
    this.#logins.push(login);
    return login;
  }

  drop(login: Login | undefined): void {
    if (login?.call) login.call.login = null;
    this.#logins = this.#logins.filter((other) => other !== login);
  }

  loginOf(session: string): Login | undefined {
    return this.#logins.find((login) => login.session === session);
  }

  /** The log-in that a process has announced and no thread has begun. */
  announced(pid: number): Login | undefined {
    return this.#logins.find((login) => login.pid === pid && login.thread === null);
  }

  /** Whose password this thread asks for; null where it may be one of several. */
  at(pid: number, thread: string): Login | null {
    const own = this.#logins.findLast((login) => login.thread === thread);
    if (own !== undefined) return own;
    const threadless = this.#logins.filter((login) => login.thread === null && login.granted === null);
    const here = threadless.filter((login) => login.pid === pid);
    return only(here) ?? (here.length === 0 ? only(threadless) : null);
  }

  /** Calls that come in and have no log-in, not let in yet. */
  #unpaired(): Call[] {
    return this.#calls.filter(
      ({ direction, login, granted }) => direction === 'incoming' && login === null && !granted,
    );
  }

  /** Pairs what can only be meant (R24). The pair, where one was made. */
  pair(): Call | null {
    const call = only(this.#unpaired());
    const login = only(this.loose);
    if (call === null || login === null) return null;
    return join(call, login);
  }

  /** A call that was let in: its log-in is the only one that was. */
  pairGranted(call: Call): void {
    const login = only(this.loose.filter(({ granted }) => granted !== null));
    if (call.direction === 'incoming' && call.login === null && login !== null) join(call, login);
  }

  /** Which of these calls a line means is not known any more: only what is said from now on pairs them. */
  unsure(calls: readonly Call[]): void {
    for (const call of calls) {
      call.gate = null;
      if (call.login !== null) call.login.call = null;
      call.login = null;
    }
  }
}

function join(call: Call, login: Login): Call {
  call.login = login;
  login.call = call;
  return call;
}

export function only<T>(list: readonly T[]): T | null {
  return list.length === 1 ? (list[0] ?? null) : null;
}
