/**
 * What one message of TeamViewer's log says about a session. The texts are those of versions 11 to 15. Pure.
 *
 * R23  A message counts only where it begins with its known words: names and paths that somebody else chose stand
 *      further on, and never look like a message.
 */
import type { AuthMethod, Kind, LineProblem, RejectReason } from './change.ts';

export type Fact =
  /** A call comes in over a router; `gate` is the number that this service gives to it. */
  | { fact: 'called'; gate: string }
  /** Somebody here calls out. First without gate, then with it. */
  | { fact: 'trying'; peer: string; kind: Kind }
  | { fact: 'calling'; gate: string; peer: string }
  | { fact: 'hello'; peer: string }
  /** The session's own number; written once by the window and once by the desktop process. */
  | { fact: 'incoming'; session: string }
  | { fact: 'kind'; kind: Kind }
  /** This thread asks for the password. `session`: from version 15 on. */
  | { fact: 'login'; session: string | null }
  | { fact: 'auth'; method: AuthMethod; ok: boolean }
  | { fact: 'granted'; kind: Kind }
  | { fact: 'refused'; reason: RejectReason }
  /** The other machine refused a call from here. `peer` null: the one that is being tried. */
  | { fact: 'refused-outgoing'; peer: string | null; reason: RejectReason }
  /** `joined`: its one line of the service that says who takes part from now on; the others repeat it. */
  | { fact: 'participant'; id: string; number: string; name: string; joined: boolean }
  /** This machine's own id. */
  | { fact: 'own'; id: string }
  | { fact: 'punch'; ip: string }
  | { fact: 'socket'; gate: string | null; peer: string; ip: string }
  /** `begun`: where its completion has a line of its own. */
  | { fact: 'file'; path: string; begun: boolean }
  | { fact: 'session-ended'; session: string }
  | { fact: 'gate-ended'; gate: string; peer: string }
  | { fact: 'offline' };

export type FactResult = Fact | { fact: 'damaged'; reason: LineProblem } | null;

type Read = (message: string) => FactResult;

const damaged = (reason: LineProblem): FactResult => ({ fact: 'damaged', reason });
const isId = (id: string | undefined): id is string => id !== undefined && /^\d{8,11}$/.test(id);
/** A name or path is kept in memory while a session is open; longer ones are cut at the seal anyway. */
const MAX_TEXT = 600;
/** Longer messages are read so far: a pattern that has to look back never looks back over more. */
const MAX_MESSAGE = 4096;
const cut = (text: string) => (text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text);

/** Mode of a connection; the others are not known to be told apart. */
const kindOf = (mode: string | undefined): Kind => (mode === '1' ? 'remote-control' : 'unknown');

const SESSION = /= (-?\d{1,12})\s*$/;
const incoming: Read = (message) => {
  const session = SESSION.exec(message)?.[1];
  return session === undefined ? damaged('fields') : { fact: 'incoming', session };
};

const ROUTING =
  /^\w+\[(\d{1,9})\]::(?:(CreatePassiveSession)\(\)|CreateActiveSession\(\): outgoing session to (\d+))/;
const routing: Read = (message) => {
  const [, gate, passive, peer] = ROUTING.exec(message) ?? [];
  if (gate === undefined) return null;
  if (passive !== undefined) return { fact: 'called', gate };
  return isId(peer) ? { fact: 'calling', gate, peer } : damaged('peer-id');
};

const hello: Read = (message) => {
  const peer = /from (\d+)(?:,|\s|$)/.exec(message)?.[1];
  return isId(peer) ? { fact: 'hello', peer } : damaged('peer-id');
};

const trying: Read = (message) => {
  const [, peer, mode] = /^Trying connection to (\d+)(?:, mode = (\d+))?/.exec(message) ?? [];
  return isId(peer) ? { fact: 'trying', peer, kind: kindOf(mode) } : damaged('peer-id');
};

const login: Read = (message) => {
  const [, session] = /, session id: (-?\d{1,12})\s*$/.exec(message) ?? [];
  if (session !== undefined) return { fact: 'login', session };
  return /^CLogin::run\(\)\s*$/.test(message) ? { fact: 'login', session: null } : null;
};

const PASSWORD = /: authentication using (dynamic|fixed) password was (successful|denied)/;
const password: Read = (message) => {
  const [, kind, result] = PASSWORD.exec(message) ?? [];
  if (kind === undefined) return null;
  const method = kind === 'dynamic' ? 'one-time-password' : 'fixed-password';
  return { fact: 'auth', method, ok: result === 'successful' };
};

const key: Read = () => ({ fact: 'auth', method: 'key', ok: true });

/** Version 11. */
const srp: Read = (message) => {
  const named = /AuthOk with SRP\((\w{1,40})\)/.exec(message)?.[1] ?? '';
  const fixed = /fixed|static/i.test(named) ? 'fixed-password' : 'unknown';
  return { fact: 'auth', method: /dynamic/i.test(named) ? 'one-time-password' : fixed, ok: true };
};

const run: Read = (message) => {
  const mode = /: ConnectionMode == (\d{1,4})/.exec(message)?.[1];
  if (mode !== undefined) return { fact: 'granted', kind: kindOf(mode) };
  return message.includes(': Connection is not allowed') ? { fact: 'refused', reason: 'not-allowed' } : null;
};

const version: Read = (message) =>
  message.includes(' cannot connect ') ? { fact: 'refused', reason: 'version' } : null;
const cancelled: Read = () => ({ fact: 'refused', reason: 'cancelled' });

const versionOutgoing: Read = (message) => {
  const [, peer, why] = / Connection to (\d+) denied(.{0,200})/.exec(message) ?? [];
  if (!isId(peer)) return damaged('peer-id');
  return { fact: 'refused-outgoing', peer, reason: why?.includes('version') ? 'version' : 'not-allowed' };
};
const deniedOutgoing: Read = () => ({ fact: 'refused-outgoing', peer: null, reason: 'not-allowed' });

const joined: Read = (message) => {
  const found = /: \[(\d+),(-?\d{1,12})\] type=\d+ name=(.*)$/s.exec(message);
  const [, id, number, name] = found ?? [];
  if (id === undefined || number === undefined || name === undefined) return damaged('fields');
  return { fact: 'participant', id, number, name: cut(name), joined: true };
};

const MEMBER =
  /^CParticipantManagerBase participant (.*) \(ID \[(\d+),(-?\d{1,12})\]\) was added with the role /s;
const member: Read = (message) => {
  const [, name, id, number] = MEMBER.exec(message) ?? [];
  if (id === undefined || number === undefined || name === undefined) return null;
  return { fact: 'participant', id, number, name: cut(name), joined: false };
};

const own: Read = (message) => {
  const id = /pid=\[(\d+),/.exec(message)?.[1];
  return isId(id) ? { fact: 'own', id } : null;
};

/** `a=203.0.113.7:53211: (*)`; the port is behind the last colon of the address. */
const punch: Read = (message) => {
  const ip = /punch received a=(\S{1,80}):\d{1,5}(?::|\s|$)/.exec(message)?.[1];
  return ip === undefined ? null : { fact: 'punch', ip };
};

const SOCKET =
  /^\w+\[[^\]]{0,40}\]::HandleReadError\(\): (?:.{0,200}RemoteSession (\d{1,9}) |.{0,200})\(ClientID: (\d+)\) IP: ([^\s,]+)/;
const socket: Read = (message) => {
  const [, gate, peer, ip] = SOCKET.exec(message) ?? [];
  return isId(peer) && ip !== undefined ? { fact: 'socket', gate: gate ?? null, peer, ip } : null;
};

const SESSION_ENDED = /removing session with (?:tvsessionprotocol::)?TVSessionID = (-?\d{1,12})/;
const sessionEnded: Read = (message) => {
  const session = SESSION_ENDED.exec(message)?.[1];
  return session === undefined ? null : { fact: 'session-ended', session };
};

const GATE_ENDED = /^\w+\[(\d{1,9})\](?:::EndSession\(\):)? Session to (\d+) ended/;
const gateEnded: Read = (message) => {
  const [, gate, peer] = GATE_ENDED.exec(message) ?? [];
  return gate === undefined || !isId(peer) ? null : { fact: 'gate-ended', gate, peer };
};

const guard: Read = (message) =>
  message.startsWith('ConnectionGuard: incoming remote control in sessions')
    ? { fact: 'kind', kind: 'remote-control' }
    : null;

const transfer =
  (words: string): Read =>
  (message) => ({ fact: 'file', path: cut(message.slice(words.length).trim()), begun: true });
/** The whole message where the path cannot be told: it counts all the same. */
const transferred =
  (path: RegExp): Read =>
  (message) => ({ fact: 'file', path: cut(path.exec(message)?.[1] ?? message), begun: false });

const CLIPBOARD = 'ClipboardFileContentHandlerWin::LogFileTransfer: Transmit file: ';

const MESSAGES: readonly (readonly [string, Read])[] = [
  ['CommandHandlerRouting[', routing],
  ['Negotiating session encryption: client hello received from', hello],
  ['Trying connection to ', trying],
  ['Connection incoming, sessionID', incoming],
  ['AppSessionManager::HandleSessionIncoming: Connection incoming, sessionID', incoming],
  ['SessionManagerDesktop::IncomingConnection: Connection incoming, sessionID', incoming],
  ['ConnectionGuard: incoming', guard],
  ['CLogin::run()', login],
  ['AuthenticationPasswordLogin_Passive::RunAuthenticationMethod: ', password],
  ['AuthenticationPublicKey_Passive::Verify: Success', key],
  ['CLoginServer::PasswordLogin: AuthOk with SRP(', srp],
  ['CLoginServer::runServer: ', run],
  ['CLoginServer::CheckIfConnectionIsAllowed: Partners version', version],
  ['CLogin::RunAuthenticationMethod(): reading inCmd failed', cancelled],
  ['CLogin::AuthenticateClient() Connection to ', versionOutgoing],
  ['LoginOutgoing: authentication denied', deniedOutgoing],
  ['CPersistentParticipantManager::AddParticipant: ', joined],
  ['CParticipantManagerBase participant ', member],
  ['CParticipantManagerBase::SetMyParticipantIdentifier(): ', own],
  ['UDP: punch received ', punch],
  ['UDPv4: punch received ', punch],
  ['UDPv6: punch received ', punch],
  ['CUdpConnection[', socket],
  ['Write file ', transfer('Write file ')],
  ['Send file ', transfer('Send file ')],
  [CLIPBOARD, transfer(CLIPBOARD)],
  ['Download from "', transferred(/" to "(.*)" \(/s)],
  ['Upload from "', transferred(/^Upload from "(.*)" to "/s)],
  ['SessionManagerDesktop::SessionTerminate: ', sessionEnded],
  ['SessionStatistics[', gateEnded],
  ['CGatewaySession[', gateEnded],
  ['TeamViewer is going offline!', () => ({ fact: 'offline' })],
];

/** By the first two characters: nearly every message is about something else. */
const BY_FRONT = new Map<number, (readonly [string, Read])[]>();
for (const entry of MESSAGES) {
  const front = frontOf(entry[0], 0);
  BY_FRONT.set(front, [...(BY_FRONT.get(front) ?? []), entry]);
}

function frontOf(text: string, at: number): number {
  return text.charCodeAt(at) * 0x10000 + text.charCodeAt(at + 1);
}

/** What the message that begins at `from` says; null where it is not about sessions. Never throws. */
export function readFact(text: string, from: number): FactResult {
  const readers = BY_FRONT.get(frontOf(text, from));
  if (readers === undefined) return null;
  for (const [words, read] of readers)
    if (text.startsWith(words, from)) return read(text.slice(from, from + MAX_MESSAGE));
  return null;
}
