/**
 * What sshd's lines amount to: sessions that begin and end, and refusals.
 *
 * R73 A session ends where the log says so, or where it shows that it cannot go on: its process or its peer's port is
 *     somebody else's, or the machine was started anew. A restart of the daemon ends none: its children live on.
 */

import { Bounded, ownText } from './bounded.ts';
import type { Known, ReaderOptions, RejectReason, SessionChange } from './change.ts';
import { scopeOf } from './ip-scope.ts';
import type { LogindSaying } from './logind-says.ts';
import { type OpenSession, OpenSessions } from './sshd-open.ts';
import { authOf, type Login, type Place, proven, type Saying } from './sshd-says.ts';
import { failed, passed, strongest, Tries, type Try } from './sshd-tries.ts';
import type { SyslogLine } from './syslog-line.ts';
import { laterReading } from './syslog-time.ts';

/** Sessions open at once; a log that does not say their ends would fill the memory. */
export const MAX_OPEN = 10_000;
/** A log that several machines write to has some more hosts. */
const MAX_HOSTS = 256;

export class Connections {
  readonly #open = new OpenSessions(MAX_OPEN);
  readonly #tries = new Tries();
  readonly #boots = new Bounded<string>(MAX_HOSTS);
  readonly #options: ReaderOptions;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** How much is remembered: never more than `MAX_OPEN` and `MAX_TRIES`. */
  get sizes(): { open: number; tries: number } {
    return { open: this.#open.size, tries: this.#tries.size };
  }

  /** `times`: how many equal messages the line stands for. */
  take(line: SyslogLine, saying: Saying, times: number): SessionChange[] {
    switch (saying.say) {
      case 'accepted':
        return this.#accepted(line, saying);
      case 'opened':
        return this.#opened(line, saying.user);
      case 'closed':
        return this.#ends(this.#open.of(peerName(line, saying)) ?? this.#ofProcess(line, saying), line);
      case 'session-closed':
        return this.#ends(this.#open.of(processName(line)), line);
      case 'killed':
        return this.#ends(this.#open.of(processName(line)), line, 'tool-stopped');
      case 'child':
        return this.#child(line, saying.pid);
      case 'used':
        return this.#used(line, saying);
      default: {
        const before = this.#reused(line, saying);
        const changes = this.#outside(line, saying, times);
        return before.length === 0 ? changes : [...before, ...changes];
      }
    }
  }

  takeLogind(line: SyslogLine, saying: LogindSaying): SessionChange[] {
    if (saying.say === 'shutdown') return this.started(line);
    const name = `logind ${line.host} ${saying.id}`;
    if (saying.say === 'removed') return this.#ends(this.#open.of(name), line, 'tool-stopped');
    const session =
      this.#open.of(line.leader === null ? null : processName({ ...line, pid: line.leader })) ??
      this.#open.lone(line.host, saying.user, line.at, (candidate) => candidate.logind === null);
    if (session === null || session.logind !== null) return [];
    session.logind = ownText(saying.id);
    this.#open.name(session, name);
    return [];
  }

  /** The machine of this line was started, or stops: no session that it has open goes on. */
  started(line: SyslogLine): SessionChange[] {
    return this.#open.ofHost(line.host).flatMap((session) => this.#ends(session, line, 'tool-stopped'));
  }

  /** Ends what another boot of the machine left open. To be asked of each line, before what it says is taken. */
  sawBoot(line: SyslogLine): SessionChange[] {
    if (line.boot === null || this.#boots.get(line.host) === line.boot) return [];
    this.#boots.set(line.host, line.boot);
    const left = this.#open.ofHost(line.host).filter(({ boot }) => boot !== line.boot);
    return left.flatMap((session) => this.#ends(session, line, 'tool-stopped'));
  }

  #accepted(line: SyslogLine, login: Login): SessionChange[] {
    const attempt = this.#tries.of(line, login);
    this.#tries.over(line, login);
    const names = [processName(line), peerName(line, login)];
    const before = names.flatMap((name) => this.#ends(this.#open.of(name), line, 'unknown'));
    const own = proven(login);
    const technician = own.technician ?? attempt?.partial?.technician;
    const name = own.name ?? attempt?.partial?.name;
    const tool = line.pid === null ? null : `${line.pid}/${login.port}`;
    return [
      ...before,
      ...this.#begin(line, names, login.user, login.port ?? '', {
        auth: strongest(attempt?.partial?.auth ?? null, authOf(login.method)),
        failedAttempts: attempt?.failed ?? 0,
        known: {
          ...this.#from(login),
          localUser: ownText(login.user),
          ...(tool === null ? {} : { toolSessionId: tool }),
          ...(technician === undefined ? {} : { technician: ownText(technician) }),
          ...(name === undefined ? {} : { peerNames: [ownText(name)] }),
        },
      }),
    ];
  }

  /** Where sshd is told to log errors only, PAM is the one that says of a session. */
  #opened(line: SyslogLine, user: string): SessionChange[] {
    const name = processName(line);
    if (line.pid === null || this.#open.of(name) !== null) return [];
    const known = { localUser: ownText(user), toolSessionId: line.pid };
    return this.#begin(line, [name], user, '', { auth: null, failedAttempts: null, known });
  }

  #begin(
    line: SyslogLine,
    names: (string | null)[],
    user: string,
    port: string,
    about: Pick<Extract<SessionChange, { what: 'started' }>, 'auth' | 'failedAttempts' | 'known'>,
  ): SessionChange[] {
    const { at, basis, host, boot } = line;
    const key = `${host} ${line.pid ?? ''} ${port} ${at}`;
    const pushed = this.#open.add({
      ...{ key, at, basis, kind: 'shell', hasShell: false, child: false, logind: null },
      host: ownText(host),
      boot: boot === null ? null : ownText(boot),
      user: ownText(user),
      names: names.filter((name) => name !== null),
    });
    return [
      // Nothing will say of it any more.
      ...(pushed === null ? [] : [ended(pushed, line, 'unknown', this.#options.zone)]),
      { what: 'started', key, at, basis, direction: 'incoming', kind: 'shell', ...about },
    ];
  }

  /** The child's lines name another process: then address and port tell, and without a port the process alone. */
  #ofProcess(line: SyslogLine, place: Place): OpenSession | null {
    return place.port === null ? this.#open.of(processName(line)) : null;
  }

  #ends(
    session: OpenSession | null,
    line: SyslogLine,
    reason: 'completed' | 'tool-stopped' | 'unknown' = 'completed',
  ): SessionChange[] {
    if (session === null) return [];
    this.#open.remove(session);
    return [ended(session, line, reason, this.#options.zone)];
  }

  #child(line: SyslogLine, pid: string): SessionChange[] {
    const session = this.#open.of(processName(line));
    if (session !== null) this.#nameChild(session, { ...line, pid });
    return [];
  }

  #nameChild(session: OpenSession, line: SyslogLine): void {
    const name = processName(line);
    if (name === null || session.child || this.#open.of(name) === session) return;
    session.child = true;
    this.#open.name(session, name);
  }

  #used(line: SyslogLine, saying: Extract<Saying, { say: 'used' }>): SessionChange[] {
    const session =
      (saying.place === null ? null : this.#open.of(peerName(line, saying.place))) ??
      this.#open.of(processName(line)) ??
      this.#open.lone(line.host, saying.user, line.at, (candidate) => !candidate.child);
    if (session === null) return [];
    this.#nameChild(session, line);
    session.hasShell ||= !saying.sftp;
    const kind = session.hasShell ? 'shell' : 'file-transfer';
    if (session.kind === kind) return [];
    session.kind = kind;
    return [{ what: 'updated', key: session.key, kind }];
  }

  /** The process of an open session has another peer now: the session is over, since when is not said. */
  #reused(line: SyslogLine, place: Place): SessionChange[] {
    const session = this.#open.size === 0 ? null : this.#open.of(processName(line));
    const peer = session === null ? null : peerName(line, place);
    if (peer === null || this.#open.of(peer) === session) return [];
    return this.#ends(session, line, 'unknown');
  }

  /** Lines about connections on which nobody was let in yet. */
  #outside(line: SyslogLine, saying: Outside, times: number): SessionChange[] {
    if (saying.say === 'connection') {
      this.#tries.over(line, saying);
      return [];
    }
    if (saying.say === 'gave-up') return this.#gaveUp(line, saying);
    const attempt = this.#tries.made(line, saying);
    if (saying.say === 'partial') {
      passed(attempt, saying);
      return [];
    }
    if (saying.say === 'failed') {
      const count = failed(attempt, saying, times);
      return count === 0 ? [] : [this.#rejected(line, saying, reasonOf(attempt, saying), count, saying)];
    }
    if (saying.say === 'not-allowed') attempt.notAllowed = true;
    if (attempt.counted > 0) return [];
    attempt.counted = 1;
    attempt.credit = 1;
    return [this.#rejected(line, attempt, attempt.notAllowed ? 'not-allowed' : 'unknown-account', 1, null)];
  }

  #gaveUp(line: SyslogLine, saying: Extract<Saying, { say: 'gave-up' }>): SessionChange[] {
    const known = this.#tries.of(line, saying);
    const isRefusal = known === null ? saying.named : known.counted === 0 && (saying.named || known.offered);
    if (saying.last) this.#tries.over(line, saying);
    else if (isRefusal) this.#tries.made(line, saying).counted = 1;
    const place = { ip: saying.ip ?? known?.ip ?? null, port: saying.port };
    return isRefusal
      ? [this.#rejected(line, place, saying.invalid ? 'unknown-account' : 'unknown', 1, null)]
      : [];
  }

  /**
   * A name that is nobody's here stays out: it is no account, and now and then it is a password that was typed too
   * early.
   */
  #rejected(
    line: SyslogLine,
    place: Place,
    reason: RejectReason,
    count: number,
    login: Login | null,
  ): SessionChange {
    const { at, basis } = line;
    const known = { ...this.#from(place), ...(login?.invalid === false ? { localUser: login.user } : {}) };
    const key = `from ${line.host} ${place.ip ?? ''}`;
    return {
      ...{ what: 'rejected', key, at, basis, direction: 'incoming', kind: 'shell' },
      ...{ reason, count, known },
    };
  }

  #from({ ip }: Place): Known {
    if (ip === null) return {};
    return { peerIps: [{ ip: ownText(ip), basis: 'socket', scope: scopeOf(ip, this.#options.ownIps) }] };
  }
}

type Outside = Extract<
  Saying,
  { say: 'partial' | 'failed' | 'invalid' | 'not-allowed' | 'gave-up' | 'connection' }
>;

function reasonOf(attempt: Try, login: Login): RejectReason {
  if (attempt.notAllowed) return 'not-allowed';
  return login.invalid ? 'unknown-account' : 'wrong-password';
}

function ended(
  session: OpenSession,
  line: SyslogLine,
  reason: 'completed' | 'tool-stopped' | 'unknown',
  zone: string,
): SessionChange {
  // An hour that the clocks showed twice: a session does not end before it begins.
  const isSecond = line.at < session.at && line.basis === 'assumed-zone';
  const at = (isSecond ? laterReading(line.at, zone) : null) ?? line.at;
  return { what: 'ended', key: session.key, at, basis: line.basis, reason };
}

function processName({ host, pid }: SyslogLine): string | null {
  return pid === null ? null : `process ${host} ${pid}`;
}

function peerName({ host }: SyslogLine, { ip, port }: Place): string | null {
  return ip === null || port === null ? null : `peer ${host} ${ip} ${port}`;
}
