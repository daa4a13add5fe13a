/**
 * Seals the personal half of an event beside its leaf. Content keys live in RAM only, for one hour or 10,000
 * parts, closed in a wrap that this side cannot open.
 *
 * K1  Nothing personal reaches the disk, the socket or a log in clear, and no key that opens it reaches the disk.
 * K2  All events of one session lie under the group of its first one while that lives (G1).
 * K3  A wrap is stored with the first part that names it; if that transaction fails the key is never used again.
 * K4  Secrets (passwords, tokens, keys) are dropped before sealing, and counted.
 * K5  What is personal of a one-off session is kept from its start to its end and no longer, under a group of its own
 *     (O1) whose key is in memory only. What is seen after its end, an attempt, and everything else on a one-off
 *     machine has an empty `pii`.
 * K6  What began in a span that was erased is told without its personal part, whichever agent reads of it again: nothing
 *     of it comes under a group that lives.
 */

import { wellFormed } from '../protocol/canonical.ts';
import { TilsynError } from '../protocol/errors.ts';
import { type EventType, eventDefinition } from '../protocol/event.ts';
import { type GroupId, type LogId, newId, type Random, type SessionId, toB64 } from '../protocol/ids.ts';
import {
  CONTENT_KEY_MS,
  CONTENT_KEY_PARTS,
  makeWrap,
  type Personal,
  sealPart,
  type Wrap,
} from '../protocol/seal.ts';
import type { Clock, UtcMs } from '../protocol/time.ts';
import type { Binding, GroupBook, HeldGroup } from './journal-groups.ts';
import type { AgentIdentity, Draft } from './types.ts';

export type Scrub = (text: string) => { text: string; dropped: number };

/** A part ready to be stored beside its leaf. */
export interface SealedPart {
  group: HeldGroup;
  /** Null: of a one-off group, whose key is in memory only. */
  wrap: Wrap | null;
  body: Buffer;
}

export interface Sealed {
  pii: { group: GroupId; c: string }[];
  part: SealedPart | null;
  /** Secrets dropped from it. */
  dropped: number;
}

interface ContentKey {
  log: LogId;
  key: Buffer;
  wrap: Wrap;
  /** Monotonic milliseconds of its making. */
  born: number;
  parts: number;
}

const NOTHING: Sealed = { pii: [], part: null, dropped: 0 };
const NOBODY: ReadonlySet<SessionId> = new Set();

export interface SealerOptions {
  identity: Pick<AgentIdentity, 'mode' | 'agreement'>;
  groups: GroupBook;
  clock: Clock;
  random: Random;
  scrub: Scrub;
  /** K6; null: nothing was erased. */
  sealFrom: () => UtcMs | null;
}

export class Sealer {
  readonly #o: SealerOptions;
  readonly #keys = new Map<GroupId, ContentKey>();
  /** Of one-off groups: nowhere else in the world but at the collector, in memory too. */
  readonly #oneoff = new Map<GroupId, Buffer>();
  /** Keys whose wrap or group is not durable yet: made since `begin`. */
  readonly #fresh = new Set<GroupId>();
  /** Groups of the sessions that the present transaction sealed something of. */
  readonly #bound = new Map<SessionId, HeldGroup>();

  constructor(options: SealerOptions) {
    this.#o = options;
  }

  /** A transaction starts; one that is tried again forgets what its first try made (K3). */
  begin(): void {
    this.rollback();
    this.#bound.clear();
  }

  /** It was committed: the wraps of new keys are on the disk. */
  commit(): void {
    this.#fresh.clear();
  }

  /** It failed: keys whose wrap it held are forgotten (K3). */
  rollback(): void {
    for (const group of this.#fresh) this.forget(group);
    this.#fresh.clear();
  }

  /** Sessions of the present transaction and their groups; the caller stores those that go on. */
  bound(): Map<SessionId, HeldGroup> {
    return this.#bound;
  }

  /** A group died, or the process stops: its content key is overwritten. */
  forget(group: GroupId): void {
    this.#keys.get(group)?.key.fill(0);
    this.#keys.delete(group);
    this.#oneoff.get(group)?.fill(0);
    this.#oneoff.delete(group);
  }

  forgetAll(): void {
    for (const group of [...this.#keys.keys(), ...this.#oneoff.keys()]) this.forget(group);
  }

  /** Keys of the one-off groups that live, to be handed over; all of them, or of these. */
  oneoffKeys(of?: ReadonlySet<GroupId>): { group: GroupId; key: string }[] {
    const keys = [...this.#oneoff].filter(([group]) => of === undefined || of.has(group));
    return keys.map(([group, key]) => ({ group, key: toB64(key) }));
  }

  /**
   * Seals a draft's personal half for its place in the log.
   * @param ending sessions that end in this transaction
   * @throws TilsynError `seal.no-group` (retryable) where no group for its class has been given yet
   */
  seal<T extends EventType>(
    log: LogId,
    seq: number,
    draft: Draft<T>,
    ending: ReadonlySet<SessionId> = NOBODY,
  ): Sealed {
    const session = sessionOf(draft);
    if (this.#isOneOff(session, draft)) {
      if (session === null || ending.has(session)) return NOTHING;
      return this.#sealOneOff({ log, seq }, draft, session);
    }
    if (this.#o.identity.mode === 'one-off') return NOTHING;
    const { p, dropped } = this.#personal(draft);
    if (p === null || this.#isErased(draft)) return NOTHING;
    const group = this.#groupOf(draft);
    const id = group.signed.group as GroupId;
    const key = this.#contentKey(log, group);
    const { c, body } = sealPart(key.key, { log, seq, group: id, under: id }, p, this.#o.random);
    key.parts += 1;
    return { pii: [{ group: id, c }], part: { group, wrap: key.wrap, body }, dropped };
  }

  /** K6. */
  #isErased({ type, groupAt }: Draft): boolean {
    const from = this.#o.sealFrom();
    if (from === null || groupAt === undefined || groupAt >= from) return false;
    return eventDefinition(type)?.class === 'session';
  }

  /** The mode belongs to the session; later events of it do not say it, what it is bound to does. */
  #isOneOff(session: SessionId | null, draft: Draft): boolean {
    const binding = session === null ? null : this.#bindingOf(session);
    if (binding !== null) return binding.oneoff;
    return this.#o.identity.mode === 'one-off' || ('mode' in draft.data && draft.data.mode === 'one-off');
  }

  #sealOneOff(at: { log: LogId; seq: number }, draft: Draft, session: SessionId): Sealed {
    const binding = this.#bindingOf(session);
    // Bound also where nothing personal is known yet: what comes later must not fall under a managed group.
    const group =
      binding === null && draft.type === 'session.started' ? this.#makeOneOff() : (binding?.group ?? null);
    if (group === null) return NOTHING;
    this.#bound.set(session, group);
    const id = group.signed.group as GroupId;
    const key = this.#oneoff.get(id);
    const { p, dropped } = this.#personal(draft);
    if (p === null || key === undefined) return NOTHING;
    const { c, body } = sealPart(key, { ...at, group: id, under: id }, p, this.#o.random);
    return { pii: [{ group: id, c }], part: { group, wrap: null, body }, dropped };
  }

  #makeOneOff(): HeldGroup {
    const { groups, identity, clock, random } = this.#o;
    const id = newId<'group'>(random);
    this.#oneoff.set(id, random(32));
    this.#fresh.add(id);
    return groups.makeOneOff(id, identity.agreement, clock.now());
  }

  #bindingOf(session: SessionId): Binding | null {
    const bound = this.#bound.get(session);
    if (bound === undefined) return this.#o.groups.binding(session);
    return { group: bound, oneoff: bound.signed.kind === 'oneoff' };
  }

  /** P, scrubbed and held to the allow-list of its type (E2). Null where there is none. */
  #personal(draft: Draft): { p: Personal | null; dropped: number } {
    if (draft.personal === undefined || draft.personal === null) return { p: null, dropped: 0 };
    const count = { dropped: 0 };
    const scrubbed = this.#scrubbed(wellFormed(draft.personal), count);
    const checked = eventDefinition(draft.type)?.personal?.safeParse(scrubbed);
    if (checked?.success !== true) {
      throw new TilsynError('event.invalid', `sealing a ${draft.type} event: not on its allow-list`);
    }
    const p = checked.data as Personal;
    return { p: Object.keys(p).length === 0 ? null : p, dropped: count.dropped };
  }

  #scrubbed(value: unknown, count: { dropped: number }): unknown {
    if (typeof value === 'string') {
      const { text, dropped } = this.#o.scrub(value);
      count.dropped += dropped;
      // The mark of a dropped secret may be longer than the secret; the allow-list's limits still hold.
      return dropped === 0 ? text : text.slice(0, value.length).toWellFormed();
    }
    if (Array.isArray(value)) return value.map((item) => this.#scrubbed(item, count));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, this.#scrubbed(item, count)]),
    );
  }

  #groupOf(draft: Draft): HeldGroup {
    const cls = eventDefinition(draft.type)?.class ?? 'session';
    const session = sessionOf(draft);
    const first = session === null ? null : (this.#bindingOf(session)?.group ?? null);
    const group = first ?? this.#o.groups.pick(cls, draft.groupAt ?? this.#o.clock.now());
    if (group !== null) {
      if (session !== null) this.#bound.set(session, group);
      return group;
    }
    throw new TilsynError('seal.no-group', `sealing a ${draft.type} event: no key group for it yet`, {
      hint: 'The agent gets key groups from its collector; `tilsyn agent status` shows the link.',
      retryable: true,
    });
  }

  #contentKey(log: LogId, group: HeldGroup): ContentKey {
    const id = group.signed.group as GroupId;
    const present = this.#keys.get(id);
    if (present !== undefined && this.#usable(present, log)) return present;
    this.forget(id);
    const { random, clock } = this.#o;
    const key = random(32);
    const wrap = makeWrap(group.signed.key ?? '', log, id, key, random);
    const made: ContentKey = { log, key, wrap, born: clock.mono(), parts: 0 };
    this.#keys.set(id, made);
    this.#fresh.add(id);
    return made;
  }

  #usable(key: ContentKey, log: LogId): boolean {
    const age = this.#o.clock.mono() - key.born;
    return key.log === log && key.parts < CONTENT_KEY_PARTS && age < CONTENT_KEY_MS;
  }
}

/** The session that an event is about; null where it is about none. */
export function sessionOf(draft: Draft): SessionId | null {
  return 'session' in draft.data ? (draft.data.session as SessionId) : null;
}
