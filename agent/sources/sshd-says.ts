/**
 * What one message of sshd says (its time and process are read by `syslog-line.ts`). Pure. Texts: OpenSSH's source,
 * and the lines that 9.2 wrote on loopback.
 *
 * R71 A name that somebody typed cannot stand in for an address: it is read from behind the name, on the right side of
 *     whatever the other end may have chosen.
 */

import type { AuthMethod } from './change.ts';
import { familyOf } from './ip-scope.ts';

/** Where a message says that somebody is. */
export interface Place {
  /** Null where it is not an address (`UNKNOWN`). */
  ip: string | null;
  /** Null where it is not said, as in old versions. */
  port: string | null;
}

/** `method`: as written. `proof`: key, certificate or principal, as written behind `ssh2: `. */
export type Login = Place & { method: string; invalid: boolean; user: string; proof: string | null };

export type Saying =
  | ({ say: 'accepted' } & Login)
  | ({ say: 'partial' } & Login)
  | ({ say: 'failed' } & Login)
  /** There is no such account; `not-allowed`: there is, and it may not log in. */
  | ({ say: 'invalid' } & Place)
  | ({ say: 'not-allowed' } & Place)
  /**
   * A connection ends before anybody was let in. `named`: an account had been named by then. `last`: nothing more
   * comes of this connection.
   */
  | ({ say: 'gave-up'; invalid: boolean; named: boolean; last: boolean } & Place)
  /** A connection ends on which somebody was let in, or nobody ever asked to be. */
  | ({ say: 'closed' } & Place)
  | ({ say: 'connection' } & Place)
  | { say: 'opened' | 'session-closed'; user: string }
  /** The process that does the user's work has its own number. */
  | { say: 'child'; pid: string }
  /** What the session is used for. `place` is null where only the user is said. */
  | { say: 'used'; sftp: boolean; user: string; place: Place | null }
  | { say: 'killed' };

/** `unreadable`: begins like a line about a login and goes on otherwise. */
export type Said = Saying | 'unreadable' | null;

/** ` from <address> port <n>`, the last one before what may follow it. */
const FROM = /^(.*) from (\S+) port (\d{1,5})$/s;
const LOGIN = /^(Accepted|Partial|Failed) (\S{1,64}) for (.*)$/s;
/** Behind the port: ` ssh2`, with one blank or two, or not at all; and, with a key, what it was. */
const TAIL = /^ +ssh2(?:: (.*))?$/s;
const CERTIFICATE = / port \d{1,5} ssh2: \S+-CERT \S+ ID .* \(serial \d+\) CA \S+ \S+$/s;
const PREAUTH = ' [preauth]';
const TOO_MANY = 'maximum authentication attempts exceeded for ';

/** Reads a message, without what `message repeated` puts around it. */
export function sshdSays(message: string): Said {
  const before = message.endsWith(PREAUTH);
  const text = before ? message.slice(0, -PREAUTH.length) : message;
  const bare = withoutLevel(text);
  switch (bare.slice(0, firstBlank(bare))) {
    case 'Accepted':
    case 'Partial':
    case 'Failed':
      return login(bare);
    case 'Invalid':
      return bare.startsWith('Invalid user ') ? refused('invalid', bare) : null;
    case 'User':
      return aboutUser(bare);
    case 'ROOT':
      return bare.startsWith('ROOT LOGIN REFUSED FROM ')
        ? { say: 'not-allowed', ...placeAfter(bare.slice(24)) }
        : null;
    case 'maximum':
      return bare.startsWith(TOO_MANY) ? tooMany(bare) : null;
    case 'Starting':
      return starting(bare);
    case 'subsystem':
      return subsystem(bare);
    case 'Exiting':
      return bare.startsWith('Exiting on signal ') ? { say: 'killed' } : null;
    default:
      return bare.startsWith('pam_unix(') ? pam(bare) : ending(bare, before);
  }
}

const REPEATED = /^message repeated (\d{1,6}) times: \[ (.*)\]$/s;

/** What rsyslog made of equal messages: how often, and which. */
export function unrepeated(message: string): { times: number; message: string } {
  const [, times, inner] = message.startsWith('message repeated ') ? (REPEATED.exec(message) ?? []) : [];
  return inner === undefined ? { times: 1, message } : { times: Number(times), message: inner };
}

/** What a method, or several that were all asked for, amounts to; the stronger of two. */
export function authOf(method: string): AuthMethod {
  const name = method.split('/', 1)[0] ?? '';
  if (name === 'publickey') return 'key';
  if (name === 'password' || name === 'keyboard-interactive') return 'fixed-password';
  if (name.startsWith('gssapi') || name === 'hostbased') return 'account';
  return name === 'none' ? 'none' : 'unknown';
}

/** True for a method at which somebody types a secret; programs try the others by themselves. */
export function isTyped(method: string): boolean {
  return authOf(method) === 'fixed-password';
}

const PROOF =
  /^(?:\S+ )?((?:SHA256:[A-Za-z0-9+/=]{20,64})|(?:(?:MD5:)?[0-9a-f]{2}(?::[0-9a-f]{2}){15}))(?: |$)/;
const CERT_ID = / ID (.*) \(serial \d+\) CA /s;

/** Fingerprint of a key, or who else the other end proved to be; `name`: what a certificate calls them. */
export function proven({ method, proof }: Login): { technician?: string; name?: string } {
  if (proof === null) return {};
  if (method.startsWith('gssapi')) return { technician: proof };
  const fingerprint = PROOF.exec(proof)?.[1];
  const name = CERT_ID.exec(proof)?.[1];
  return {
    ...(fingerprint === undefined || method !== 'publickey' ? {} : { technician: fingerprint }),
    ...(name === undefined || name === '' ? {} : { name }),
  };
}

function login(text: string): Said {
  const [, verb, method, rest] = LOGIN.exec(text) ?? [];
  // `Accepted key … found at`, `Failed to …`: about other things.
  if (rest === undefined || method === undefined) return null;
  const tail = tailAt(rest, verb === 'Accepted');
  const [, who, ip, port] = FROM.exec(rest.slice(0, tail)) ?? [];
  if (who === undefined || ip === undefined || port === undefined) return 'unreadable';
  const invalid = who.startsWith('invalid user ');
  const say = verb === 'Accepted' ? 'accepted' : verb === 'Partial' ? 'partial' : 'failed';
  const proof = TAIL.exec(rest.slice(tail))?.[1] ?? null;
  const user = invalid ? who.slice(13) : who;
  return { say, method, invalid, user, ip: addressOf(ip), port, proof };
}

/**
 * Where the port ends. A certificate's own name stands behind it and may hold anything: with `trusted` (an account
 * and a certificate that this machine knows) the first place counts, for accounts have no such names; otherwise the
 * last one, for a name that was made up is the likelier.
 */
function tailAt(rest: string, trusted: boolean): number {
  if (trusted && CERTIFICATE.test(rest)) {
    const first = / from \S+ port \d{1,5}(?= ssh2: )/.exec(rest);
    if (first !== null) return first.index + first[0].length;
  }
  const last = rest.lastIndexOf(' ssh2');
  const ends = last !== -1 && TAIL.test(rest.slice(last));
  return (ends ? rest.slice(0, last) : rest).trimEnd().length;
}

/** `Invalid user x from …`; `from` an address alone before 7.3. */
function refused(say: 'invalid' | 'not-allowed', text: string): Said {
  const [, ip, port] = / from (\S+)(?: port (\d{1,5}))?$/.exec(text) ?? [];
  return ip === undefined ? 'unreadable' : { say, ip: addressOf(ip), port: port ?? null };
}

function aboutUser(text: string): Said {
  const child = /^User child is on pid (\d{1,10})$/.exec(text)?.[1];
  if (child !== undefined) return { say: 'child', pid: child };
  const [, host] = /^User .*?(?: from (\S+))? not allowed because .*$/s.exec(text) ?? [];
  const known = / not allowed because /.test(text);
  return known ? { say: 'not-allowed', ip: host === undefined ? null : addressOf(host), port: null } : null;
}

function tooMany(text: string): Said {
  const [, who, ip, port] = FROM.exec(text.slice(TOO_MANY.length).replace(/ +ssh2$/, '')) ?? [];
  if (ip === undefined || port === undefined) return 'unreadable';
  const invalid = who?.startsWith('invalid user ') === true;
  return { say: 'gave-up', invalid, named: true, last: false, ip: addressOf(ip), port };
}

/** `Starting session: command for u from ip port n id 0`, at the level VERBOSE. */
function starting(text: string): Said {
  const [, what, user, ip, port] =
    /^Starting session: (.*?) for (.*) from (\S+) port (\d{1,5}) id \d+$/s.exec(text) ?? [];
  if (what === undefined || user === undefined || ip === undefined || port === undefined) return null;
  return { say: 'used', sftp: /^subsystem 'sftp'/.test(what), user, place: { ip: addressOf(ip), port } };
}

function subsystem(text: string): Said {
  const [, name, user] = /^subsystem request for (\S+) by user (.*)$/s.exec(text) ?? [];
  return name === 'sftp' && user !== undefined ? { say: 'used', sftp: true, user, place: null } : null;
}

function pam(text: string): Said {
  const [, what, rest] =
    /^pam_unix\(sshd:session\): session (opened|closed) for user (.*)$/s.exec(text) ?? [];
  if (rest === undefined) return null;
  if (what === 'closed') return { say: 'session-closed', user: rest };
  const user = /^(.*?)(?:\(uid=\d+\))? by .*$/s.exec(rest)?.[1];
  return user === undefined ? null : { say: 'opened', user };
}

const ENDS = [
  'Connection closed by ',
  'Connection reset by ',
  'Disconnected from ',
  'Disconnecting ',
  'Disconnecting: ',
  'Received disconnect from ',
  'Timeout, client not responding from ',
  'Read error from remote host ',
  'ssh_dispatch_run_fatal: Connection from ',
  'packet_write_wait: Connection to ',
  'packet_write_poll: Connection to ',
];

function ending(text: string, before: boolean): Said {
  if (text.startsWith('Connection from ')) return { say: 'connection', ...placeAfter(text.slice(16)) };
  const verb = ENDS.find((end) => text.startsWith(end));
  if (verb === undefined) return null;
  const rest = text.slice(verb.length);
  const named = /^(?:(invalid)|authenticating) user /.exec(rest);
  const received = verb === 'Received disconnect from ';
  if (!before && named === null) {
    return { say: 'closed', ...(received ? placeAfter(rest) : placeBehindUser(rest, false)) };
  }
  const place = received ? placeAfter(rest) : placeBehindUser(rest, named !== null);
  const invalid = named?.[1] !== undefined;
  return { say: 'gave-up', invalid, named: named !== null, last: !received, ...place };
}

/** `<ip> port <n>` at the front, or `<ip>` alone, with a colon or without. */
function placeAfter(text: string): Place {
  const [, ip, port] = /^(\S+) port (\d{1,5})(?=[: ]|$)/.exec(text) ?? /^(\S+?):?(?: |$)/.exec(text) ?? [];
  return { ip: ip === undefined ? null : addressOf(ip), port: port ?? null };
}

/**
 * `[user x ]<ip> port <n>[: why]`. A name that was only typed may hold another place: then the last one counts. After
 * a log-in the name is an account's, and only what follows may have been chosen: then it is the first.
 */
function placeBehindUser(text: string, typed: boolean): Place {
  // What this reason quotes was typed too.
  const [head = ''] = typed ? text.split(': Change of username', 1) : [text];
  const pattern = typed ? /^.* (\S+) port (\d{1,5})(?:: .*)?$/s : /(?:^| )(\S+) port (\d{1,5})(?=:|$)/;
  const found = pattern.exec(head);
  if (found !== null) return { ip: addressOf(found[1] ?? ''), port: found[2] ?? null };
  return typed ? { ip: null, port: null } : placeAfter(text);
}

/** `error: ` and `fatal: ` stand before what is said at these levels. */
function withoutLevel(text: string): string {
  return text.startsWith('error: ') || text.startsWith('fatal: ') ? text.slice(7) : text;
}

function firstBlank(text: string): number {
  const blank = text.indexOf(' ');
  return blank === -1 ? text.length : blank;
}

function addressOf(text: string): string | null {
  return familyOf(text) === null ? null : text;
}
