/** The remote desktop logons that are open, as far as the events read so far tell. Pure; the laws are in `rdp.ts`. */
import { MINUTE_MS, SECOND_MS, type UtcMs } from '../../protocol/time.ts';
import type { Beginning, Known, PeerIp, SessionChange } from './change.ts';
import { scopeOf } from './ip-scope.ts';
import type { RdpFact } from './rdp-facts.ts';

/** When an event was written, and what for. */
export interface At {
  at: UtcMs;
  activity: string | null;
}

type Fact<W extends RdpFact['is']> = Extract<RdpFact, { is: W }>;

/** What several logs say of one logon lies within this. */
const JOIN_MS = 2 * MINUTE_MS;
/** An administrator's two logons are written at once. */
const TWIN_MS = 2 * SECOND_MS;
const MAX_OPEN = 1_024;
const MAX_WAITING = 256;
/** Addresses, client names and logons kept of one session. */
const MAX_KEPT = 16;

interface Remote {
  key: string;
  at: UtcMs;
  user: string;
  /** Number of the session manager; null while only the security log has told of it. */
  session: string | null;
  activity: string | null;
  connected: boolean;
  ips: PeerIp[];
  clients: string[];
  logons: Set<string>;
}

/** 1149. `told`: as an attempt, and the session that comes of it has its key. */
interface Knock {
  key: string;
  at: UtcMs;
  user: string;
  ip: string | null;
  told: boolean;
}

/** R54. */
interface Passing {
  at: UtcMs;
  user: string;
  ip: string | null;
  logon: string;
}

interface New {
  at: UtcMs;
  user: string;
  ip: string | null;
  client?: string | null;
  session?: string;
  activity?: string | null;
  logon?: string;
}

export class RdpLogons {
  readonly #ownIps: readonly string[];
  /** Oldest first. */
  #open: Remote[] = [];
  #knocks: Knock[] = [];
  #passing: Passing[] = [];

  constructor(ownIps: readonly string[]) {
    this.#ownIps = ownIps;
  }

  /** What has waited for another event for so long that none will come. */
  due(at: UtcMs): SessionChange[] {
    const isDue = (one: { at: number }) => at - one.at > JOIN_MS;
    if (!this.#knocks.some(isDue) && !this.#passing.some(isDue)) return [];
    const knocks = this.#knocks.filter((one) => isDue(one) && !one.told);
    const passing = this.#passing.filter(isDue);
    this.#knocks = this.#knocks.filter((one) => !isDue(one));
    this.#passing = this.#passing.filter((one) => !isDue(one));
    return [...knocks.map((one) => this.#attempted(one)), ...passing.flatMap((one) => this.#begin(one))];
  }

  arrived({ session, user, place, back }: Fact<'arrived'>, when: At): SessionChange[] {
    const present = this.inSession(session, null);
    const stays = present !== undefined && sameUser(present.user, user) && (back || isSame(present, when));
    if (present !== undefined && stays && !place.console) {
      return back ? this.#takenUp(present, { ip: place.ip, client: null, when }) : [];
    }
    // R53, R55.
    const left =
      present === undefined ? [] : [this.#close(present, when, stays && back ? 'completed' : 'unknown')];
    if (place.console) return left;
    const joined = this.#open.find(
      (one) => one.session === null && sameUser(one.user, user) && Math.abs(when.at - one.at) <= JOIN_MS,
    );
    if (joined === undefined) return [...left, ...this.#begin({ ...when, user, ip: place.ip, session })];
    Object.assign(joined, { session, activity: when.activity });
    const known = { ...this.#news(joined, place.ip, null), ...toolName(joined) };
    return [...left, { what: 'updated', key: joined.key, known }];
  }

  inSession(session: string, user: string | null): Remote | undefined {
    const one = this.#open.find((open) => open.session === session);
    return one === undefined || user === null || sameUser(one.user, user) ? one : undefined;
  }

  ofLogon(logon: string): Remote | undefined {
    return this.#open.find((one) => one.logons.has(logon));
  }

  /** The connection was cut; the logon goes on. */
  left(one: Remote | undefined, { at }: At): SessionChange[] {
    if (one === undefined || !one.connected) return [];
    one.connected = false;
    return [{ what: 'updated', key: one.key, connection: { state: 'cut', at } }];
  }

  loggedOff({ session, user }: Fact<'logged-off'>, when: At): SessionChange[] {
    const one = this.inSession(session, null);
    if (one === undefined) return [];
    return [this.#close(one, when, user === null || sameUser(one.user, user) ? 'completed' : 'unknown')];
  }

  /** R52. */
  knocked({ user, ip }: Fact<'knocked'>, { at }: At): SessionChange[] {
    const told = !this.#open.some((one) => sameUser(one.user, user));
    const knock: Knock = { key: `rdp/knock/${user}/${ip ?? ''}/${at}`, at, user, ip, told };
    this.#knocks.push(knock);
    const [oldest] = this.#knocks.length > MAX_WAITING ? this.#knocks.splice(0, 1) : [];
    const late = oldest === undefined || oldest.told ? [] : [this.#attempted(oldest)];
    return told ? [...late, this.#attempted(knock)] : late;
  }

  refused({ user, ip, reason }: Fact<'refused'>, { at }: At): SessionChange[] {
    const known = { ...(user === null ? {} : { localUser: user }), ...this.#from(ip) };
    const beginning = { ...begins(`rdp/refused/${user ?? ''}/${ip ?? ''}/${at}`, at), known };
    return [{ what: 'rejected', ...beginning, reason, count: 1 }];
  }

  logon({ logon, linked, user, ip }: Fact<'logon'>, { at }: At): SessionChange[] {
    const theirs = this.#open.filter((one) => sameUser(one.user, user));
    const half = linked === null ? undefined : this.ofLogon(linked);
    const twin = theirs.find((one) => one.logons.size > 0 && Math.abs(at - one.at) <= TWIN_MS);
    const fresh = theirs.find(
      (one) => one.session !== null && one.logons.size === 0 && Math.abs(at - one.at) <= JOIN_MS,
    );
    const same = half ?? twin ?? fresh;
    if (same !== undefined) {
      keep(same.logons, logon);
      return this.#updated(same, this.#news(same, ip, null));
    }
    if (theirs.length === 0) return this.#begin({ at, user, ip, logon });
    if (linked === null || !this.#passing.some((one) => one.logon === linked)) {
      this.#passing = [...this.#passing, { at, user, ip, logon }].slice(-MAX_WAITING);
    }
    return [];
  }

  unlocked({ user, ip }: Fact<'unlocked'>): SessionChange[] {
    const [one, ...others] = this.#open.filter((open) => sameUser(open.user, user));
    return one === undefined || others.length > 0 ? [] : this.#updated(one, this.#news(one, ip, null));
  }

  /** Where the session manager tells of the session too, it says when that ended; a logon may end late, or early. */
  logoff({ logon, byUser }: Fact<'logoff'>, when: At): SessionChange[] {
    this.#passing = this.#passing.filter((one) => one.logon !== logon);
    const one = this.ofLogon(logon);
    if (one === undefined) return [];
    one.logons.delete(logon);
    const over = byUser || (one.session === null && one.logons.size === 0);
    return over ? [this.#close(one, when, 'completed')] : [];
  }

  reconnected({ logon, user, place, client }: Fact<'reconnected'>, when: At): SessionChange[] {
    const theirs = this.#open.filter((one) => sameUser(one.user, user) && one.logons.size === 0);
    const one = this.ofLogon(logon) ?? (theirs.length === 1 ? theirs[0] : undefined);
    if (place.console) return one === undefined ? [] : [this.#close(one, when, 'completed')];
    if (one === undefined) return this.#begin({ at: when.at, user, ip: place.ip, client, logon });
    keep(one.logons, logon);
    return this.#takenUp(one, { ip: place.ip, client, when });
  }

  /** R53. An attempt that was held back is told: nothing came of it. */
  boot({ at }: At): SessionChange[] {
    const held = this.#knocks.filter(({ told }) => !told).map((one) => this.#attempted(one));
    [this.#open, this.#knocks, this.#passing] = [[], [], []];
    return [...held, { what: 'tool-stopped', at, basis: 'file-utc' }];
  }

  #takenUp(one: Remote, by: { ip: string | null; client: string | null; when: At }): SessionChange[] {
    this.#knocks = this.#knocks.filter((knock) => knock.told || !sameUser(knock.user, one.user));
    this.#passing = this.#passing.filter((passing) => !sameUser(passing.user, one.user));
    const known = this.#news(one, by.ip, by.client);
    if (one.connected) return this.#updated(one, known);
    one.connected = true;
    const connection = { state: 'taken-up', at: by.when.at } as const;
    return [{ what: 'updated', key: one.key, ...(known === null ? {} : { known }), connection }];
  }

  #begin({ at, user, ip, client = null, session, activity = null, logon }: New): SessionChange[] {
    const knock = this.#knocks.findLast(
      (one) =>
        sameUser(one.user, user) &&
        at - one.at <= JOIN_MS &&
        (one.ip === ip || one.ip === null || ip === null),
    );
    this.#knocks = this.#knocks.filter((one) => one !== knock);
    const passed =
      session === undefined ? undefined : this.#passing.findLast((one) => sameUser(one.user, user));
    this.#passing = this.#passing.filter((one) => one !== passed);
    const one: Remote = {
      key: knock?.told === true ? knock.key : `rdp/${session ?? logon ?? ''}/${activity ?? ''}/${at}`,
      ...{ at, user, session: session ?? null, activity, connected: true, ips: [], clients: [] },
      logons: new Set([logon, passed?.logon].filter((id) => id !== undefined)),
    };
    const found = this.#news(one, ip ?? knock?.ip ?? null, client) ?? {};
    // Whoever the account belongs to proved it: it is the account here, and what the person is known by.
    const known = { localUser: user, technician: user, ...found, ...toolName(one) };
    const started = {
      what: 'started',
      ...begins(one.key, at),
      known,
      auth: 'account',
      failedAttempts: null,
    } as const;
    this.#open.push(one);
    const [oldest] = this.#open;
    const gone = this.#open.length > MAX_OPEN && oldest !== undefined;
    return gone ? [this.#close(oldest, { at, activity }, 'unknown'), started] : [started];
  }

  /** What is new of the other end; null: nothing. Lists are told whole. */
  #news(one: Remote, ip: string | null, client: string | null): Known | null {
    const newIp = ip !== null && one.ips.length < MAX_KEPT && !one.ips.some((known) => known.ip === ip);
    const newClient = client !== null && one.clients.length < MAX_KEPT && !one.clients.includes(client);
    if (newIp) one.ips.push(...(this.#from(ip).peerIps ?? []));
    if (newClient) one.clients.push(client);
    if (!newIp && !newClient) return null;
    return {
      ...(newIp ? { peerIps: [...one.ips] } : {}),
      ...(newClient ? { peerNames: [...one.clients] } : {}),
    };
  }

  #from(ip: string | null): Pick<Known, 'peerIps'> {
    return ip === null ? {} : { peerIps: [{ ip, basis: 'socket', scope: scopeOf(ip, this.#ownIps) }] };
  }

  #updated(one: Remote, known: Known | null): SessionChange[] {
    return known === null ? [] : [{ what: 'updated', key: one.key, known }];
  }

  #attempted({ key, at, user, ip }: Knock): SessionChange {
    return { what: 'attempted', ...begins(key, at), known: { localUser: user, ...this.#from(ip) } };
  }

  #close(one: Remote, { at }: At, reason: 'completed' | 'unknown'): SessionChange {
    this.#open = this.#open.filter((open) => open !== one);
    return { what: 'ended', key: one.key, at, basis: 'file-utc', reason };
  }
}

function begins(key: string, at: UtcMs): Omit<Beginning, 'known'> {
  return { key, at, basis: 'file-utc', direction: 'incoming', kind: 'remote-control' };
}

/** One arrival is written as logon and as start of the shell. */
function isSame(one: Remote, { at, activity }: At): boolean {
  return (activity !== null && activity === one.activity) || Math.abs(at - one.at) <= JOIN_MS;
}

/** The finest name there is for it: numbers and logon ids are used again. */
function toolName({ activity, session, logons }: Remote): Pick<Known, 'toolSessionId'> {
  const name = activity ?? session ?? logons.values().next().value;
  return name === undefined ? {} : { toolSessionId: name };
}

/** By account alone: the logs write the domain in several ways, and one of them leaves it out. */
function sameUser(one: string, other: string): boolean {
  return accountOf(one) === accountOf(other);
}

function accountOf(user: string): string {
  return user
    .slice(user.lastIndexOf('\\') + 1)
    .replace(/@.*$/s, '')
    .toLowerCase();
}

function keep(set: Set<string>, value: string): void {
  if (set.size < MAX_KEPT) set.add(value);
}
