/**
 * From facts of TeamViewer's log to what is said of sessions.
 *
 * R26  A session's key is its peer and the instant of its call (the client's hello, or the try to connect from here);
 *      its start is that instant, told once access is granted.
 * R27  Direction is what the log calls it, incoming or outgoing; a participant's type says who controls, not who called.
 * R28  An address or a file that may belong to one of several open calls is given to none of them.
 */
import type { Known, PeerIp, RejectReason, SessionChange } from './change.ts';
import { plainIp, scopeOf } from './ip-scope.ts';
import type { Moment } from './teamviewer-log-clock.ts';
import type { Fact } from './teamviewer-log-facts.ts';
import { type Call, CallTable, type Login, MAX_PER_SESSION, only } from './teamviewer-log-table.ts';

/** The process and thread that wrote a fact. */
export interface Where {
  pid: number;
  tid: number;
}

type Of<F extends Fact['fact']> = Extract<Fact, { fact: F }>;

/** The client's hello stands in the log twice, at once. */
const HELLO_TWICE_MS = 1000;

export class TeamviewerSessions {
  readonly #table = new CallTable();
  #ownIps: ReadonlySet<string> = new Set();
  #ownId: string | null = null;
  #stopped = false;

  get size(): number {
    return this.#table.size;
  }

  get ownId(): string | null {
    return this.#ownId;
  }

  setOwnId(id: string | null): void {
    this.#ownId = id;
  }

  setOwnIps(ips: readonly string[]): void {
    this.#ownIps = new Set(ips.map(plainIp).filter((ip) => ip !== null));
  }

  /** Nothing that is open goes on. Said once, also where a new process confirms that the old one went. */
  stop({ at, basis }: Moment): SessionChange[] {
    this.#table.clear();
    if (this.#stopped) return [];
    this.#stopped = true;
    return [{ what: 'tool-stopped', at, basis }];
  }

  take(fact: Fact, now: Moment, { pid, tid }: Where): SessionChange[] {
    if (fact.fact === 'offline') return this.stop(now);
    this.#stopped = false;
    const thread = `${pid}:${tid}`;
    this.#table.purge(now.at);
    switch (fact.fact) {
      case 'called':
        return this.#called(fact, now);
      case 'hello':
        return this.#hello(fact.peer, now);
      case 'trying':
      case 'calling':
        return this.#outgoing(fact, now);
      case 'incoming':
        return this.#incoming(fact.session, now, pid);
      case 'kind':
        return this.#kind(fact);
      case 'login':
        return this.#login(fact.session, pid, thread);
      case 'auth':
        return this.#auth(fact, this.#table.at(pid, thread));
      case 'granted':
        return this.#loginGranted(fact, this.#table.at(pid, thread));
      case 'refused':
        return this.#loginRefused(fact.reason, this.#table.at(pid, thread));
      case 'refused-outgoing':
        return this.#refusedOutgoing(fact);
      case 'participant':
        return this.#participant(fact);
      case 'own':
        this.#ownId = fact.id;
        return [];
      case 'punch':
        return this.#address(this.#alone(), fact.ip, 'punch');
      case 'socket':
        return this.#address(this.#byGate(fact.gate, fact.peer), fact.ip, 'socket');
      case 'file':
        return this.#file(fact);
      case 'session-ended':
        return this.#sessionEnded(fact.session, now);
      case 'gate-ended':
        return this.#gateEnded(fact, now);
    }
  }

  #called({ gate }: Of<'called'>, now: Moment): SessionChange[] {
    const lost = this.#reuse(gate, now);
    this.#table.open('incoming', now).gate = gate;
    return [...lost, ...this.#paired(this.#table.pair())];
  }

  #hello(peer: string, now: Moment): SessionChange[] {
    const again = this.#table.calls.find(
      ({ peerId, hellos, begin }) =>
        peerId === peer && hellos === 1 && begin !== null && Math.abs(now.at - begin.at) <= HELLO_TWICE_MS,
    );
    if (again !== undefined) {
      again.hellos = 2;
      return [];
    }
    const waiting = this.#table.calls.filter((c) => c.direction === 'incoming' && c.peerId === null);
    // Which of several calls this is, no line says: their gates and log-ins are not known to be theirs.
    if (waiting.length > 1) this.#table.unsure(waiting);
    const call = waiting[0] ?? this.#table.open('incoming', now);
    call.hellos = 1;
    return [...this.#begins(call, peer, now), ...this.#paired(call), ...this.#paired(this.#table.pair())];
  }

  #outgoing(fact: Of<'trying'> | Of<'calling'>, now: Moment): SessionChange[] {
    const pending = this.#table.calls.filter(
      (c) => c.direction === 'outgoing' && c.peerId === fact.peer && !c.granted,
    );
    if (fact.fact === 'trying') {
      // An earlier try that came to nothing leaves no line.
      for (const call of pending) this.#table.remove(call);
    }
    const lost = fact.fact === 'calling' ? this.#reuse(fact.gate, now) : [];
    const known = fact.fact === 'calling' ? pending.find(({ gate }) => gate === null) : undefined;
    const call = known ?? this.#table.open('outgoing', now);
    if (fact.fact === 'calling') call.gate = fact.gate;
    if (fact.fact === 'trying') call.kind = fact.kind;
    return known === undefined ? [...lost, ...this.#begins(call, fact.peer, now)] : lost;
  }

  /** A gate's number is given anew: the session that had it is over, and nothing said when. */
  #reuse(gate: string, { at, basis }: Moment): SessionChange[] {
    const lost = this.#table.reuse(gate);
    const ended = lost
      .map(({ granted, begin }) => (granted ? begin : null))
      .filter((begin) => begin !== null);
    return ended.map(({ key }) => ({ what: 'ended', key, at, basis, reason: 'unknown' }));
  }

  /** The peer of a call is known: it is an attempt from now on. */
  #begins(call: Call, peer: string, { at, basis }: Moment): SessionChange[] {
    const key = `${call.direction === 'outgoing' ? '>' : ''}${peer}@${at}`;
    if (this.#table.calls.some(({ begin }) => begin?.key === key)) {
      this.#table.remove(call);
      return [];
    }
    call.peerId = peer;
    const { direction, kind } = call;
    call.begin = { key, at, basis, direction, kind, known: { peerId: peer } };
    return [{ what: 'attempted', ...call.begin }];
  }

  #incoming(session: string, now: Moment, pid: number): SessionChange[] {
    const known = this.#table.loginOf(session);
    if (known !== undefined) {
      // The desktop process, which asks for the password, says it after the window did.
      if (known.thread === null) known.pid = pid;
      return [];
    }
    this.#table.addLogin(session, now.at, pid);
    return this.#paired(this.#table.pair());
  }

  #kind({ kind }: Of<'kind'>): SessionChange[] {
    const call = only(this.#table.calls.filter((c) => c.direction === 'incoming' && !c.granted));
    if (call !== null) call.kind = kind;
    return [];
  }

  #login(session: string | null, pid: number, thread: string): SessionChange[] {
    const login = session === null ? this.#table.announced(pid) : this.#table.loginOf(session);
    if (login !== undefined) {
      login.pid = pid;
      login.thread = thread;
    }
    return [];
  }

  #auth({ method, ok }: Of<'auth'>, login: Login | null): SessionChange[] {
    login?.result(method, ok);
    return login?.call?.granted === true ? this.#authKnown(login.call) : [];
  }

  #loginGranted({ kind }: Of<'granted'>, login: Login | null): SessionChange[] {
    if (login === null) {
      const call = only(this.#table.calls.filter((c) => c.direction === 'incoming' && !c.granted));
      return call === null ? [] : this.#granted(call);
    }
    login.granted = kind;
    return this.#paired(login.call);
  }

  #loginRefused(reason: RejectReason, login: Login | null): SessionChange[] {
    if (login === null) return [];
    // The line that says why comes before the one that says only that.
    login.refused ??= reason;
    return this.#paired(login.call);
  }

  /** What a log-in went through, told of its call. */
  #paired(call: Call | null): SessionChange[] {
    const login = call?.login ?? null;
    if (call === null || login === null || call.begin === null) return [];
    if (login.granted !== null) return this.#granted(call);
    // Somebody who takes part is in, whatever is said of another log-in of theirs.
    return login.refused === null || call.granted ? [] : this.#rejected(call);
  }

  #granted(call: Call): SessionChange[] {
    if (call.begin === null) return [];
    this.#table.pairGranted(call);
    const { login, granted } = call;
    const kind = login?.granted ?? 'unknown';
    if (kind !== 'unknown') call.kind = kind;
    if (granted) return this.#authKnown(call);
    call.granted = true;
    const known: Known = { ...call.begin.known };
    const session = login?.session ?? call.session;
    if (session !== null) known.toolSessionId = session;
    call.begin = { ...call.begin, kind: call.kind, known };
    const failedAttempts = login === null ? null : login.failed;
    const started: SessionChange = {
      ...{ what: 'started', ...call.begin, known: { ...known } },
      ...{ auth: login?.auth ?? null, failedAttempts },
    };
    return [started, ...this.#paired(this.#table.pair())];
  }

  /** The log-in of a session that was told already. */
  #authKnown({ begin, login }: Call): SessionChange[] {
    if (begin === null || login === null || login.auth === null) return [];
    return [{ what: 'updated', key: begin.key, auth: login.auth, failedAttempts: login.failed }];
  }

  #rejected(call: Call): SessionChange[] {
    this.#table.remove(call);
    if (call.begin === null) return [];
    const failed = call.login?.failed ?? 0;
    const said = call.login?.refused ?? call.refused ?? 'unknown';
    // Somebody who gave up after wrong passwords had wrong passwords.
    const reason = failed > 0 && (said === 'cancelled' || said === 'unknown') ? 'wrong-password' : said;
    const count = reason === 'wrong-password' ? failed : 1;
    return [{ what: 'rejected', ...call.begin, kind: call.kind, reason, count }];
  }

  #refusedOutgoing({ peer, reason }: Of<'refused-outgoing'>): SessionChange[] {
    const call = only(
      this.#table.calls.filter(
        (c) => c.direction === 'outgoing' && !c.granted && (peer === null || c.peerId === peer),
      ),
    );
    // The end of the call follows; what says more of the reason stands between.
    if (call !== null && (call.refused === null || reason === 'version')) call.refused = reason;
    return [];
  }

  #participant({ id, number, name, joined }: Of<'participant'>): SessionChange[] {
    const { calls } = this.#table;
    if (id === this.#ownId || this.#table.loginOf(number) !== undefined) return this.#ownNumber(number);
    const member = `${id},${number}`;
    const seen = calls.find(({ participants }) => participants.has(member));
    if (seen !== undefined) return this.#named(seen, name);
    const theirs = calls.filter(({ peerId }) => peerId === id);
    const pending = theirs.filter(({ granted }) => !granted);
    // Only somebody who was let in takes part: where the line that says so is missing or late, this one says it.
    const entering = joined ? (pending[0] ?? this.#nameless()) : null;
    const inside = theirs.findLast(({ granted }) => granted);
    const call = entering ?? inside ?? (this.#ownId === null ? null : this.#alone());
    if (call === null) return [];
    if (call.participants.size < MAX_PER_SESSION) call.participants.add(member);
    const begins = call.begin === null ? this.#begins(call, id, call.openedAt) : [];
    const granted = call === entering ? this.#granted(call) : [];
    return [...begins, ...granted, ...this.#named(call, name)];
  }

  /** The only call that was let in and whose hello is missing. */
  #nameless(): Call | null {
    return only(this.#table.calls.filter(({ begin, login }) => begin === null && isGranted(login)));
  }

  /** In a session that goes out, the own participant's number is the session's. */
  #ownNumber(number: string): SessionChange[] {
    const pending = this.#table.calls.filter((c) => c.direction === 'outgoing' && !c.granted);
    const call = only(pending.filter(({ session }) => session === null));
    const known = this.#table.loginOf(number) ?? this.#table.calls.find((c) => c.session === number);
    if (call !== null && known === undefined) call.session = number;
    return [];
  }

  #named(call: Call, text: string): SessionChange[] {
    const name = text.trim();
    const { begin, names } = call;
    if (begin === null || name === '' || names.includes(name) || names.length >= MAX_PER_SESSION) return [];
    names.push(name);
    return [{ what: 'updated', key: begin.key, known: { peerNames: [...names] } }];
  }

  /** The only call there is, let in; null where a line may belong to another (R28). */
  #alone(): Call | null {
    const call = only(this.#table.calls);
    return call?.granted === true ? call : null;
  }

  #address(call: Call | null, text: string, basis: PeerIp['basis']): SessionChange[] {
    const ip = plainIp(text);
    const begin = call?.granted === true ? call.begin : null;
    if (call === null || begin === null || ip === null) return [];
    if (call.ips.some((known) => known.ip === ip) || call.ips.length >= MAX_PER_SESSION) return [];
    call.ips.push({ ip, basis, scope: scopeOf(ip, this.#ownIps) });
    return [{ what: 'updated', key: begin.key, known: { peerIps: call.ips.map((known) => ({ ...known })) } }];
  }

  #file({ path, begun }: Of<'file'>): SessionChange[] {
    const call = this.#alone();
    if (call === null || call.begin === null) return [];
    const seen = call.begun.indexOf(path);
    if (seen !== -1) call.begun.splice(seen, 1);
    // Its completion: it was counted when it began.
    if (seen !== -1 && !begun) return [];
    if (begun) call.begun = [...call.begun, path].slice(-MAX_PER_SESSION);
    call.files += 1;
    return [{ what: 'updated', key: call.begin.key, files: call.files }];
  }

  #sessionEnded(session: string, now: Moment): SessionChange[] {
    const login = this.#table.loginOf(session);
    const call = login === undefined ? this.#table.calls.find((c) => c.session === session) : login.call;
    // A call that was not let in ends with its gate's line, which says whose it was.
    if (call?.granted === true) return this.#ended(call, now);
    if (call === null || call === undefined) this.#table.drop(login);
    return [];
  }

  #ended(call: Call, { at, basis }: Moment): SessionChange[] {
    this.#table.remove(call);
    return call.begin === null
      ? []
      : [{ what: 'ended', key: call.begin.key, at, basis, reason: 'completed' }];
  }

  #byGate(gate: string | null, peer: string): Call | null {
    const fits = ({ peerId }: Call) => peerId === null || peerId === peer;
    const named = gate === null ? undefined : this.#table.calls.find((c) => c.gate === gate && fits(c));
    if (named !== undefined) return named;
    const theirs = this.#table.calls.filter((c) => c.peerId === peer && (gate === null || c.gate === null));
    return only(theirs);
  }

  #gateEnded({ gate, peer }: Of<'gate-ended'>, now: Moment): SessionChange[] {
    if (this.#table.wasClosed(gate)) return [];
    const theirs = this.#table.calls.filter((c) => c.peerId === peer && c.gate === null);
    const call = this.#byGate(gate, peer) ?? theirs[0];
    if (call === undefined || call === null) return [];
    if (call.granted) return this.#ended(call, now);
    const begins = call.begin === null ? this.#begins(call, peer, call.openedAt) : [];
    const outcome = isGranted(call.login)
      ? [...this.#granted(call), ...this.#ended(call, now)]
      : this.#rejected(call);
    return [...begins, ...outcome];
  }
}

function isGranted(login: Login | null): boolean {
  return login !== null && login.granted !== null;
}
