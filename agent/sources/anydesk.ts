/**
 * AnyDesk's `*.trace` files: what became of each knock at this machine. Pure.
 *
 * R30 Only a session request or the acceptance of one is an incoming session: an id that was looked up at a relay, and
 *     the address it was found at, are nobody's session alone. The external address is this machine's own.
 * R31 Access is what the tool says it granted (`Authenticated …`). An attempt without that line is an attempt and has
 *     an end; in a file that never says so (the user's own, beside the service's) all of them are.
 * R32 A line that does not say whose it is belongs to the one session that it can be about. Where it may be about
 *     several, access is told of nobody in particular, an end and a file are told of nobody.
 * R33 A service process that starts ends what was open; any other process that starts ends nothing: one starts for each
 *     session.
 */
import type { UtcMs } from '../../protocol/time.ts';
import { MINUTE_MS, SECOND_MS } from '../../protocol/time.ts';
import { factOf, readEntry, type TraceEntry, type TraceFact } from './anydesk-lines.ts';
import {
  type Beginning,
  type LineReader,
  type LineResult,
  MAX_LINE_CHARS,
  type MakeReader,
  NOTHING,
  type PeerIp,
  type ReaderOptions,
  type SessionChange,
} from './change.ts';
import { peerIpOf } from './ip-scope.ts';

const MAX_OPEN = 64;
/** Lookups kept, and contexts kept of one session. */
const MAX_KEPT = 32;
/** The two lines of one attempt, and its look-up at the relay, lie within this. */
const TOGETHER_MS = MINUTE_MS;
/** An attempt that nobody answered for so long gives way to a younger one. */
const STALE_MS = 10 * MINUTE_MS;
/** One end is said by several processes. */
const ECHO_MS = 5 * SECOND_MS;
const MAX_IPS = 8;
const MAX_NAME_CHARS = 512;

interface Attempt {
  key: string;
  at: UtcMs;
  /** Null: access was granted, and the log does not say to whom of several. */
  peerId: string | null;
  name: string | null;
  ips: PeerIp[];
  letIn: boolean;
  denied: number;
  files: number;
  /** Lines that told of it: a second one of the same form is another attempt. */
  toldBy: Set<'request' | 'accept'>;
  /** Processes that serve this session and no other. */
  pids: Set<string>;
  contexts: Set<string>;
}

interface Lookup {
  peerId: string;
  at: UtcMs;
  context: string;
  ip: PeerIp | null;
}

const SERVICE = /svc$/i;

export const makeAnydeskTraceReader: MakeReader = (options) => new AnydeskTrace(options);

class AnydeskTrace implements LineReader {
  readonly #ownIps: readonly string[];
  /** Oldest first. */
  #open: Attempt[] = [];
  #lookups: Lookup[] = [];
  #endedAt: number | null = null;
  #outgoingAt: number | null = null;

  constructor({ ownIps }: ReaderOptions) {
    this.#ownIps = ownIps;
  }

  line(text: string): LineResult {
    if (text.length > MAX_LINE_CHARS) return { ok: false, reason: 'too-long' };
    const entry = readEntry(text);
    if (entry === null) return NOTHING;
    if (entry === 'start') return { ok: false, reason: 'start' };
    const fact = factOf(entry);
    if (fact === null) return NOTHING;
    if (fact.is === 'damaged') return { ok: false, reason: 'peer-id' };
    const changes = this.#take(fact, entry);
    return changes.length === 0 ? NOTHING : { ok: true, changes };
  }

  #take(fact: Exclude<TraceFact, { is: 'damaged' }>, entry: TraceEntry): SessionChange[] {
    switch (fact.is) {
      case 'attempt':
        return this.#attempt(fact, entry);
      case 'client':
        return this.#client(fact.peerId, entry);
      case 'address':
        return this.#address(fact.ip, entry);
      case 'let-in':
        return this.#letIn(fact, entry);
      case 'denied':
        return this.#denied(fact.number, entry);
      case 'files':
        return this.#files(fact.count);
      case 'end':
        return this.#end(fact.number, entry);
      case 'outgoing':
        this.#outgoingAt = entry.at;
        return [];
      case 'process-start':
        return this.#processStart(entry);
    }
  }

  #attempt(fact: TraceFact & { is: 'attempt' }, entry: TraceEntry): SessionChange[] {
    const known = this.#open.findLast(
      (one) => one.peerId === fact.peerId && !one.toldBy.has(fact.by) && entry.at - one.at <= TOGETHER_MS,
    );
    if (known !== undefined) {
      this.#placeOf(known, fact, entry);
      return fact.name === null
        ? []
        : [{ what: 'updated', key: known.key, known: { peerNames: [fact.name] } }];
    }
    // Who knocks again is no longer waiting for an answer to the last time.
    const given = this.#open.filter(
      (one) => one.peerId === fact.peerId && !one.letIn && one.toldBy.has(fact.by),
    );
    const changes = given.map((one) => this.#close(one, entry.at, 'unknown'));
    const attempt = fresh(this.#keyOf(fact.peerId, entry.at), entry.at, fact.peerId);
    this.#placeOf(attempt, fact, entry);
    attempt.ips = this.#lookedUp(fact.peerId, entry.at);
    return [...changes, ...this.#remember(attempt, entry.at), { what: 'attempted', ...begins(attempt) }];
  }

  #placeOf(attempt: Attempt, { by, name }: TraceFact & { is: 'attempt' }, entry: TraceEntry): void {
    attempt.toldBy.add(by);
    attempt.name ??= name?.slice(0, MAX_NAME_CHARS) ?? null;
    if (by === 'request' && entry.role === 'back') keep(attempt.pids, entry.pid);
    keep(attempt.contexts, entry.context);
  }

  /** Two lines may bear the same millisecond. */
  #keyOf(who: string, at: UtcMs): string {
    let key = `anydesk/${who}/${at}`;
    while (this.#open.some((one) => one.key === key)) key += '+';
    return key;
  }

  #lookedUp(peerId: string, at: number): PeerIp[] {
    const found = this.#lookups.findLast((one) => one.peerId === peerId && at - one.at <= TOGETHER_MS);
    return found === undefined || found.ip === null ? [] : [found.ip];
  }

  #client(peerId: string, entry: TraceEntry): SessionChange[] {
    this.#lookups = [...this.#lookups, { peerId, at: entry.at, context: entry.context, ip: null }].slice(
      -MAX_KEPT,
    );
    return [];
  }

  /** The address belongs to the id that was looked up just before in the same fiber. */
  #address(text: string, entry: TraceEntry): SessionChange[] {
    const ip = peerIpOf(text, 'relay-login', this.#ownIps);
    const lookup = this.#lookups.findLast((one) => one.context === entry.context);
    if (ip === null || lookup === undefined || lookup.ip !== null) return [];
    lookup.ip = ip;
    const of = this.#open.findLast(
      (one) => one.peerId === lookup.peerId && entry.at - one.at <= TOGETHER_MS && one.ips.length < MAX_IPS,
    );
    if (of === undefined || of.ips.some((one) => one.ip === ip.ip)) return [];
    of.ips.push(ip);
    keep(of.contexts, entry.context);
    return [{ what: 'updated', key: of.key, known: { peerIps: [...of.ips] } }];
  }

  #letIn(fact: TraceFact & { is: 'let-in' }, entry: TraceEntry): SessionChange[] {
    const whose = this.#whose(entry, fact.number, (one) => !one.letIn);
    if (whose === 'nobody') return [];
    if (whose !== 'several') return this.#start(whose, fact, entry);
    const someone = fresh(this.#keyOf('?', entry.at), entry.at, null);
    return [...this.#remember(someone, entry.at), ...this.#start(someone, fact, entry)];
  }

  #start(attempt: Attempt, fact: TraceFact & { is: 'let-in' }, entry: TraceEntry): SessionChange[] {
    attempt.letIn = true;
    keep(attempt.contexts, entry.context);
    if (fact.number !== null) keep(attempt.contexts, numbered(entry, fact.number));
    const failedAttempts = attempt.denied > 0 ? attempt.denied : null;
    return [{ what: 'started', ...begins(attempt), at: entry.at, auth: fact.auth, failedAttempts }];
  }

  #denied(number: string | null, entry: TraceEntry): SessionChange[] {
    const whose = this.#whose(entry, number, (one) => !one.letIn);
    if (typeof whose === 'string') return [];
    whose.denied += 1;
    if (number !== null) keep(whose.contexts, numbered(entry, number));
    return [];
  }

  /** R32. While this machine also looks at another one, a file may be that session's. */
  #files(count: number): SessionChange[] {
    const [only, ...others] = this.#open.filter((one) => one.letIn);
    if (only === undefined || others.length > 0 || count === 0) return [];
    if (this.#outgoingAt !== null && this.#outgoingAt >= only.at) return [];
    only.files += count;
    return [{ what: 'updated', key: only.key, files: only.files }];
  }

  #end(number: string | null, entry: TraceEntry): SessionChange[] {
    const own = this.#open.filter((one) => one.contexts.has(entry.context) || this.#serves(one, entry));
    // A socket that quits is any socket; the words of a session are about one.
    if (own.length === 0 && entry.module === 'anynet.any_socket') return [];
    if (own.length === 0 && this.#endedAt !== null && entry.at - this.#endedAt <= ECHO_MS) return [];
    const whose = this.#whose(entry, number, () => true);
    if (typeof whose === 'string') return [];
    this.#endedAt = entry.at;
    return [this.#over(whose, entry.at)];
  }

  /** Who was refused a password and never let in was rejected, whatever ended it. */
  #over(attempt: Attempt, at: UtcMs): SessionChange {
    if (attempt.letIn || attempt.denied === 0) return this.#close(attempt, at, 'completed');
    this.#open = this.#open.filter((one) => one !== attempt);
    return { what: 'rejected', ...begins(attempt), reason: 'wrong-password', count: attempt.denied };
  }

  /** R33. */
  #processStart(entry: TraceEntry): SessionChange[] {
    if (!SERVICE.test(entry.role)) {
      // A process id that is given out again says that its last owner is gone.
      const gone = this.#open.filter((one) => one.pids.has(entry.pid));
      return gone.map((one) => this.#close(one, entry.at, 'unknown'));
    }
    this.#open = [];
    this.#lookups = [];
    this.#outgoingAt = null;
    return [{ what: 'tool-stopped', at: entry.at, basis: 'file-utc' }];
  }

  /** R32: by number, by fiber, by process, or because there is only one. */
  #whose(
    entry: TraceEntry,
    number: string | null,
    may: (one: Attempt) => boolean,
  ): Attempt | 'nobody' | 'several' {
    const all = this.#open.filter(may);
    const marks = [...(number === null ? [] : [numbered(entry, number)]), entry.context];
    for (const mark of marks) {
      const [one, ...others] = all.filter(({ contexts }) => contexts.has(mark));
      if (one !== undefined && others.length === 0) return one;
    }
    const served = all.filter((one) => this.#serves(one, entry));
    const left =
      served.length > 0 ? served : entry.role === 'back' ? all.filter((one) => one.pids.size === 0) : all;
    const young = left.filter((one) => one.letIn || entry.at - one.at <= STALE_MS);
    const [one, ...others] = young.length > 0 ? young : left;
    if (one === undefined) return 'nobody';
    return others.length === 0 ? one : 'several';
  }

  #serves(one: Attempt, entry: TraceEntry): boolean {
    return entry.role === 'back' && one.pids.has(entry.pid);
  }

  /** R1: the oldest gives way, and its end is not known. */
  #remember(attempt: Attempt, at: UtcMs): SessionChange[] {
    this.#open.push(attempt);
    const [oldest] = this.#open;
    return this.#open.length <= MAX_OPEN || oldest === undefined ? [] : [this.#close(oldest, at, 'unknown')];
  }

  #close(attempt: Attempt, at: UtcMs, reason: 'completed' | 'unknown'): SessionChange {
    this.#open = this.#open.filter((one) => one !== attempt);
    return { what: 'ended', key: attempt.key, at, basis: 'file-utc', reason };
  }
}

function fresh(key: string, at: UtcMs, peerId: string | null): Attempt {
  const none = { name: null, ips: [], letIn: false, denied: 0, files: 0 };
  return { key, at, peerId, ...none, toldBy: new Set(), pids: new Set(), contexts: new Set() };
}

/** No trace says what a session was for. */
function begins({ key, at, peerId, name, ips }: Attempt): Beginning {
  const known = {
    ...(peerId === null ? {} : { peerId }),
    ...(name === null ? {} : { peerNames: [name] }),
    ...(ips.length === 0 ? {} : { peerIps: [...ips] }),
  };
  return { key, at, basis: 'file-utc', direction: 'incoming', kind: 'unknown', known };
}

function numbered({ pid }: TraceEntry, number: string): string {
  return `${pid}#${number}`;
}

function keep(set: Set<string>, value: string): void {
  if (set.size < MAX_KEPT) set.add(value);
}
