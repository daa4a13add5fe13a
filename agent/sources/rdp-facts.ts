/**
 * What one Windows event says of remote desktop sessions. Pure.
 *
 * R50 `LOCAL` is the console, and no remote session. Any other address is a remote one, also the machine's own, which
 *     is how a tunnel looks.
 * R51 A network logon (type 3) is no remote desktop: file sharing writes the same one. Failed remote desktop logons are
 *     those of type 10, of type 7 from elsewhere, and what the remote desktop service itself calls a wrong password.
 */
import type { RejectReason } from './change.ts';
import { plainIp } from './ip-scope.ts';
import type { WindowsEvent } from './windows-event.ts';

/** Where somebody sits. `ip` is null where the event names none, or something that is no address. */
export type Place = { console: true } | { console: false; ip: string | null };

export type RdpFact =
  /** The session manager: somebody is in session `session` now; `back`: again, after a disconnect. */
  | { is: 'arrived'; session: string; user: string; place: Place; back: boolean }
  | { is: 'left'; session: string; user: string | null }
  | { is: 'logged-off'; session: string; user: string | null }
  /** Proved an account to the listener; a session may follow. */
  | { is: 'knocked'; user: string; ip: string | null }
  | { is: 'refused'; user: string | null; ip: string | null; reason: RejectReason }
  /** Security log. `linked`: the same person's other half of an administrator's logon. */
  | { is: 'logon'; logon: string; linked: string | null; user: string; ip: string | null }
  /** Unlocked or taken up again from elsewhere: no logon of its own. */
  | { is: 'unlocked'; user: string; ip: string }
  | { is: 'logoff'; logon: string; byUser: boolean }
  | { is: 'reconnected'; logon: string; user: string; place: Place; client: string | null }
  | { is: 'disconnected'; logon: string }
  | { is: 'boot' };

const LSM = 'Microsoft-Windows-TerminalServices-LocalSessionManager';
const RCM = 'Microsoft-Windows-TerminalServices-RemoteConnectionManager';
const CORE = 'Microsoft-Windows-RemoteDesktopServices-RdpCoreTS';
const SECURITY = 'Microsoft-Windows-Security-Auditing';

type Read = (event: WindowsEvent) => RdpFact | 'fields' | null;

/** By log and event id. */
const READERS: ReadonlyMap<string, Read> = new Map<string, Read>([
  [`${LSM} 21`, (event) => arrived(event, false)],
  [`${LSM} 22`, (event) => arrived(event, false)],
  [`${LSM} 25`, (event) => arrived(event, true)],
  [`${LSM} 24`, (event) => inSession(event, 'left', 'SessionID')],
  [`${LSM} 39`, (event) => inSession(event, 'left', 'TargetSession')],
  [`${LSM} 40`, (event) => inSession(event, 'left', 'Session')],
  [`${LSM} 23`, (event) => inSession(event, 'logged-off', 'SessionID')],
  [`${RCM} 1149`, knocked],
  [`${CORE} 140`, ({ values }) => refused(null, values.get('IPString'), 'wrong-password')],
  [`${SECURITY} 4624`, logon],
  [`${SECURITY} 4625`, failed],
  [`${SECURITY} 4634`, (event) => logoff(event, false)],
  [`${SECURITY} 4647`, (event) => logoff(event, true)],
  [`${SECURITY} 4778`, reconnected],
  [`${SECURITY} 4779`, disconnected],
  [`${SECURITY} 4608`, () => ({ is: 'boot' })],
  ['EventLog 6005', () => ({ is: 'boot' })],
]);

/** Null: nothing about sessions; `fields`: one of ours, without what it has to say. */
export function rdpFact(event: WindowsEvent): RdpFact | 'fields' | null {
  return READERS.get(`${logOf(event)} ${event.id}`)?.(event) ?? null;
}

/** A copied event may have lost its provider; the channel is named after it. */
function logOf({ provider, channel }: WindowsEvent): string {
  if (provider !== '') return provider;
  return channel === 'Security' ? SECURITY : channel.replace(/\/Operational$/, '');
}

function arrived({ values }: WindowsEvent, back: boolean): RdpFact | 'fields' {
  const [session, user, address] = [
    numberOf(values.get('SessionID')),
    text(values.get('User')),
    values.get('Address'),
  ];
  if (session === null || user === null || address === undefined) return 'fields';
  return { is: 'arrived', session, user, place: placeOf(address), back };
}

function inSession({ values }: WindowsEvent, is: 'left' | 'logged-off', field: string): RdpFact | 'fields' {
  const session = numberOf(values.get(field));
  return session === null ? 'fields' : { is, session, user: text(values.get('User')) };
}

function knocked({ values }: WindowsEvent): RdpFact | 'fields' {
  const user = accountOf(values.get('Param2'), values.get('Param1'));
  return user === null ? 'fields' : { is: 'knocked', user, ip: plainIp(values.get('Param3') ?? '') };
}

function refused(user: string | null, ip: string | undefined, reason: RejectReason): RdpFact | null {
  const plain = plainIp(ip ?? '');
  return user === null && plain === null ? null : { is: 'refused', user, ip: plain, reason };
}

/** Remote desktop is type 10; type 7 is an unlock, from elsewhere where it names another machine's address. */
function logon({ values }: WindowsEvent): RdpFact | 'fields' | null {
  const type = values.get('LogonType');
  if (type !== '10' && type !== '7') return null;
  const user = accountOf(values.get('TargetDomainName'), values.get('TargetUserName'));
  const id = logonId(values.get('TargetLogonId'));
  if (user === null || id === null) return 'fields';
  const ip = plainIp(values.get('IpAddress') ?? '');
  if (type === '10')
    return { is: 'logon', logon: id, linked: logonId(values.get('TargetLinkedLogonId')), user, ip };
  return ip === null || isLoopback(ip) ? null : { is: 'unlocked', user, ip };
}

function failed({ values }: WindowsEvent): RdpFact | null {
  const type = values.get('LogonType');
  const ip = plainIp(values.get('IpAddress') ?? '');
  // R51.
  if (type !== '10' && !(type === '7' && ip !== null && !isLoopback(ip))) return null;
  const user = accountOf(values.get('TargetDomainName'), values.get('TargetUserName'));
  return refused(user, values.get('IpAddress'), reasonOf(values.get('Status'), values.get('SubStatus')));
}

/** NTSTATUS codes. The sub-status is the finer one, and zero where there is none. */
const STATUS: ReadonlyMap<string, RejectReason> = new Map<string, RejectReason>([
  ['c000006a', 'wrong-password'],
  ['c0000064', 'unknown-account'],
  ['c000006e', 'not-allowed'],
  ['c000006f', 'not-allowed'],
  ['c0000070', 'not-allowed'],
  ['c0000071', 'not-allowed'],
  ['c0000072', 'not-allowed'],
  ['c000015b', 'not-allowed'],
  ['c0000193', 'not-allowed'],
  ['c0000224', 'not-allowed'],
  ['c0000234', 'not-allowed'],
]);

function reasonOf(...codes: (string | undefined)[]): RejectReason {
  const known = codes.map((code) => STATUS.get((code ?? '').replace(/^0x/i, '').toLowerCase()));
  return known.findLast((reason) => reason !== undefined) ?? 'unknown';
}

/** A logoff of any other kind of logon is of one that nobody remembers, and so nothing. */
function logoff({ values }: WindowsEvent, byUser: boolean): RdpFact | 'fields' {
  const id = logonId(values.get('TargetLogonId'));
  return id === null ? 'fields' : { is: 'logoff', logon: id, byUser };
}

function reconnected({ values }: WindowsEvent): RdpFact | 'fields' {
  const id = logonId(values.get('LogonID'));
  const user = accountOf(values.get('AccountDomain'), values.get('AccountName'));
  if (id === null || user === null) return 'fields';
  const atConsole = /^console$/i.test(values.get('SessionName') ?? '');
  const place: Place = atConsole ? { console: true } : placeOf(values.get('ClientAddress') ?? '');
  const client = text(values.get('ClientName'));
  return { is: 'reconnected', logon: id, user, place, client: client === 'Unknown' ? null : client };
}

function disconnected({ values }: WindowsEvent): RdpFact | 'fields' {
  const id = logonId(values.get('LogonID'));
  return id === null ? 'fields' : { is: 'disconnected', logon: id };
}

/** R50. */
function placeOf(address: string): Place {
  return /^local$/i.test(address.trim()) ? { console: true } : { console: false, ip: plainIp(address) };
}

function isLoopback(ip: string): boolean {
  return ip === '::1' || ip.startsWith('127.');
}

/** `-` is how the log writes nothing. */
function text(value: string | undefined): string | null {
  return value === undefined || value === '' || value === '-' ? null : value;
}

function accountOf(domain: string | undefined, name: string | undefined): string | null {
  const account = text(name);
  const at = text(domain);
  return account === null || at === null ? account : `${at}\\${account}`;
}

function numberOf(value: string | undefined): string | null {
  return value !== undefined && /^\d{1,10}$/.test(value) ? value : null;
}

/** Hexadecimal; zero is nobody's. */
function logonId(value: string | undefined): string | null {
  const id = /^0x([0-9a-f]{1,16})$/i
    .exec(value ?? '')?.[1]
    ?.toLowerCase()
    .replace(/^0+/, '');
  return id === undefined || id === '' ? null : `0x${id}`;
}
