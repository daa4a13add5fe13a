/**
 * The sessions that a declared log has begun and not yet ended. Pure; what it remembers is bounded (R1).
 *
 * M3  A refusal or an end concerns the attempt that is under way under its key, and otherwise the session that has
 *     been open longest under it: where a log cannot tell two apart, their number is right at every moment.
 */
import type { Beginning, Known, RejectReason, SessionChange } from './change.ts';
import type { Said } from './declared-fields.ts';
import { joined } from './known.ts';
import type { ReadTime } from './time-format.ts';

export interface BookOptions {
  sameKey: 'replaces' | 'another';
  attemptsEnd: boolean;
  defaults: Pick<Beginning, 'direction' | 'kind'> & { auth: Said['auth'] };
}

/** Open at once, attempts among them. More is no remote tool but a flood: the oldest give way. */
const MAX_OPEN = 4_096;

interface Entry {
  /** As the log's key. */
  name: string;
  beginning: Beginning;
  state: 'knocking' | 'refused' | 'active';
  auth: Said['auth'];
  failed: number;
}

interface Slot {
  knock: Entry | null;
  active: Entry[];
}

/** Who goes before anything was decided broke off. */
const LEFT: RejectReason = 'cancelled';

type EndReason = Extract<SessionChange, { what: 'ended' }>['reason'];

export class DeclaredBook {
  readonly #o: BookOptions;
  readonly #slots = new Map<string, Slot>();
  /** In the order of their beginning. */
  readonly #entries = new Set<Entry>();
  /** Instant of the newest beginning, and how many sessions of each key began at it. */
  #instant = Number.NaN;
  #atInstant = new Map<string, number>();

  constructor(options: BookOptions) {
    this.#o = options;
  }

  attempted(name: string, time: ReadTime, said: Said): SessionChange[] {
    const slot = this.#slot(name);
    // The last attempt under this key had no outcome that the log tells; it stays an attempt.
    if (slot.knock !== null) this.#entries.delete(slot.knock);
    const entry = this.#begin(name, time, said, 'knocking');
    slot.knock = entry;
    return [...this.#makeRoom(time), { what: 'attempted', ...entry.beginning }];
  }

  rejected(name: string, time: ReadTime, said: Said): SessionChange[] {
    const slot = this.#slot(name);
    const entry = slot.knock ?? this.#begin(name, time, said, 'refused');
    this.#learn(entry, said);
    const count = Math.max(1, said.count ?? 1);
    entry.state = 'refused';
    entry.failed += count;
    slot.knock = this.#o.attemptsEnd ? entry : null;
    if (slot.knock === null) this.#forget(entry, slot);
    return [
      ...this.#makeRoom(time),
      {
        what: 'rejected',
        ...entry.beginning,
        at: time.at,
        basis: time.basis,
        reason: (said.reason as RejectReason | null) ?? 'unknown',
        count,
      },
    ];
  }

  started(name: string, time: ReadTime, said: Said): SessionChange[] {
    const slot = this.#slot(name);
    const knock = slot.knock;
    const replaced = this.#o.sameKey === 'replaces' ? slot.active.splice(0) : [];
    for (const one of replaced) this.#entries.delete(one);
    const entry = knock ?? this.#begin(name, time, said, 'active');
    this.#learn(entry, said);
    entry.state = 'active';
    entry.beginning = { ...entry.beginning, at: time.at, basis: time.basis };
    slot.knock = null;
    slot.active.push(entry);
    return [
      ...replaced.map((one) => ended(one, time, 'unknown')),
      ...this.#makeRoom(time),
      {
        what: 'started',
        ...entry.beginning,
        auth: entry.auth ?? this.#o.defaults.auth,
        failedAttempts: knock === null ? null : knock.failed,
      },
    ];
  }

  updated(name: string, said: Said): SessionChange[] {
    const slot = this.#slots.get(name);
    const entry = slot?.knock ?? slot?.active.at(-1);
    if (entry === undefined) return [];
    this.#learn(entry, said);
    if (entry.state !== 'active') return [];
    return [
      {
        what: 'updated',
        key: entry.beginning.key,
        ...(said.auth === null ? {} : { auth: said.auth }),
        ...(said.files === null ? {} : { files: said.files }),
        ...(said.kind === null ? {} : { kind: said.kind }),
        ...(Object.keys(said.known).length === 0 ? {} : { known: said.known }),
      },
    ];
  }

  ended(name: string, time: ReadTime, said: Said): SessionChange[] {
    const slot = this.#slots.get(name);
    if (slot === undefined) return [];
    const knock = this.#o.attemptsEnd ? slot.knock : null;
    if (knock !== null) {
      slot.knock = null;
      this.#forget(knock, slot);
      // That somebody was refused has been said.
      if (knock.state === 'refused') return [];
      const { at, basis } = time;
      return [{ what: 'rejected', ...knock.beginning, at, basis, reason: LEFT, count: 1 }];
    }
    const entry = slot.active.shift();
    if (entry === undefined) return [];
    this.#forget(entry, slot);
    return [ended(entry, time, (said.reason as EndReason | null) ?? 'completed')];
  }

  /** A whole session that one line tells of. `end` null: nothing says when it ended. */
  recorded(name: string, time: ReadTime, end: ReadTime | null, said: Said): SessionChange[] {
    const entry = this.#begin(name, time, said, 'active');
    this.#entries.delete(entry);
    const auth = said.auth ?? this.#o.defaults.auth;
    return [
      { what: 'started', ...entry.beginning, auth, failedAttempts: null },
      ended(
        entry,
        end ?? time,
        end === null ? 'unknown' : ((said.reason as EndReason | null) ?? 'completed'),
      ),
    ];
  }

  /** Nothing that is open goes on. */
  clear(): void {
    this.#slots.clear();
    this.#entries.clear();
  }

  get open(): number {
    return this.#entries.size;
  }

  #slot(name: string): Slot {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const made: Slot = { knock: null, active: [] };
    this.#slots.set(name, made);
    return made;
  }

  #begin(name: string, { at, basis }: ReadTime, said: Said, state: Entry['state']): Entry {
    if (at !== this.#instant || this.#atInstant.size >= MAX_OPEN) this.#atInstant = new Map();
    this.#instant = at;
    const nth = this.#atInstant.get(name) ?? 0;
    this.#atInstant.set(name, nth + 1);
    const { defaults } = this.#o;
    const beginning: Beginning = {
      key: `${name}\0${at}\0${nth}`,
      at,
      basis,
      direction: said.direction ?? defaults.direction,
      kind: said.kind ?? defaults.kind,
      known: said.known,
    };
    const entry: Entry = { name, beginning, state, auth: said.auth, failed: 0 };
    this.#entries.add(entry);
    return entry;
  }

  #learn(entry: Entry, said: Said): void {
    const { beginning } = entry;
    const known: Known = joined(beginning.known, said.known);
    const { kind, direction, auth } = said;
    entry.beginning = {
      ...beginning,
      known,
      kind: kind ?? beginning.kind,
      direction: direction ?? beginning.direction,
    };
    entry.auth = auth ?? entry.auth;
  }

  #forget(entry: Entry, slot: Slot): void {
    this.#entries.delete(entry);
    if (slot.knock === null && slot.active.length === 0) this.#slots.delete(entry.name);
  }

  #makeRoom(now: ReadTime): SessionChange[] {
    const changes: SessionChange[] = [];
    for (const entry of this.#entries) {
      if (this.#entries.size <= MAX_OPEN) break;
      const slot = this.#slot(entry.name);
      if (slot.knock === entry) slot.knock = null;
      slot.active = slot.active.filter((one) => one !== entry);
      this.#forget(entry, slot);
      if (entry.state === 'active') changes.push(ended(entry, now, 'unknown'));
    }
    return changes;
  }
}

function ended(entry: Entry, { at, basis }: ReadTime, reason: EndReason): SessionChange {
  return { what: 'ended', key: entry.beginning.key, at, basis, reason };
}
