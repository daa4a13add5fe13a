/**
 * The collector's own log: every act of the collector is an event here, in the transaction of the act, in the
 * same table as the agents' leaves.
 *
 * V16 The own log obeys the same laws as every log: L1–L3, B1.
 * V17 An event is never refused for want of a key group: the house groups of this month and the next are made
 *     ahead, and one that is missing all the same is made on the way, slot first.
 * V18 Where the house group of this month, or of this person or customer, is dead, the event is kept without its
 *     personal part.
 */
import type { KeyObject } from 'node:crypto';
import { type Birth, type BirthReason, birthHash, signBirth } from '../protocol/birth.ts';
import { wellFormed } from '../protocol/canonical.ts';
import { TilsynError } from '../protocol/errors.ts';
import { eventDefinition } from '../protocol/event.ts';
import { type DataClass, spanOf, subjectOf } from '../protocol/group.ts';
import { type AgentId, type GroupId, type Id, type LogId, newId, type Random } from '../protocol/ids.ts';
import { makeLeaf } from '../protocol/leaf.ts';
import { type Personal, sealPart } from '../protocol/seal.ts';
import { publicText } from '../protocol/sign.ts';
import { type Clock, toIso, type UtcMs } from '../protocol/time.ts';
import { type ContentKey, HouseKeys } from './journal-keys.ts';
import { applyLeaves } from './projections.ts';
import type {
  GroupRow,
  LogRow,
  LogStateRow,
  NewLeaf,
  PartRow,
  Pos,
  Store,
  Tx,
  WrapRow,
} from './store/types.ts';
import type { Groups, GroupWish, OwnDraft, OwnLog } from './types.ts';

/** Classes of the own log's personal parts that go by the month; the others go by person or customer (G3). */
const HOUSE_CLASSES = ['audit.event', 'audit.reading'] as const satisfies DataClass[];
/** Names the own log that is written to now. */
export const META_LOG = 'own_log';
const META_COLLECTOR = 'collector';

export interface OwnLogOptions {
  store: Store;
  groups: Groups;
  /** Signs the birth record and is its key. */
  identity: KeyObject;
  clock: Clock;
  random: Random;
}

export interface CollectorLog extends OwnLog {
  /** The log that is being written; another one after `succeed`. */
  current(): LogId;
  /** Makes the house groups of this month and the next; call at start and before each month's end. */
  ensureHouse(now: UtcMs): Promise<void>;
  /** Zeroes what is held of a group's keys: it is being erased. */
  forget(group: GroupId): void;
  /** Closes the own log and opens its successor, inside the caller's transaction (B1). */
  succeed(tx: Tx, reason: BirthReason): Promise<LogId>;
}

/** Opens the own log, and makes it on the first start. */
export async function createOwnLog(options: OwnLogOptions): Promise<CollectorLog> {
  const known = await options.store.read.meta(META_LOG);
  const log = (known as LogId | null) ?? (await options.store.write((tx) => firstLog(tx, options)));
  const own = new Journal(options, log);
  await own.ensureHouse(options.clock.now());
  return own;
}

/**
 * The own log for a process beside the collector: appends events that have no sealed part, in a transaction of the
 * shared database.
 */
export async function besideLog(tx: Tx, around: Omit<OwnLogOptions, 'groups'>): Promise<OwnLog> {
  const log = (await tx.meta(META_LOG)) as LogId | null;
  if (log === null) throw absent();
  return new Journal({ ...around, groups: NO_GROUPS }, log);
}

/** Slots belong to the process that holds the lock. */
const NO_GROUPS = {
  prepare: () => Promise.reject(new TilsynError('group.beside', 'sealing beside a running collector')),
} as unknown as Groups;

async function firstLog(tx: Tx, options: OwnLogOptions): Promise<LogId> {
  const collector = newId<'agent'>(options.random);
  await tx.setMeta(META_COLLECTOR, collector);
  return putLog(tx, options, collector, 'enrolled', null);
}

async function putLog(
  tx: Tx,
  { identity, clock, random }: OwnLogOptions,
  collector: AgentId,
  reason: BirthReason,
  predecessor: Birth['predecessor'],
): Promise<LogId> {
  const log = newId<'log'>(random);
  const now = clock.now();
  const birth = signBirth(identity, {
    v: 1,
    log,
    agent: collector,
    agreement: null,
    site: null,
    key: publicText(identity),
    predecessor,
    reason,
    at: toIso(now),
  });
  const row: LogRow = {
    log,
    agent: null,
    birth,
    through: 0,
    head: birthHash(birth),
    state: 'open',
    createdAt: now,
  };
  await tx.putLogs([row]);
  await tx.setMeta(META_LOG, log);
  return log;
}

/** What one `append` gathers before it stores anything. */
interface Gathered {
  leaves: NewLeaf[];
  /** By index of the leaf. */
  parts: (Omit<PartRow, 'pos'> | null)[];
  wraps: Map<Id<'wrap'>, WrapRow>;
}

class Journal implements CollectorLog {
  readonly #options: OwnLogOptions;
  readonly #keys: HouseKeys;
  readonly #boot: string;
  readonly #startedAt: number;
  #log: LogId;

  constructor(options: OwnLogOptions, log: LogId) {
    this.#options = options;
    this.#keys = new HouseKeys(options.clock, options.random);
    this.#boot = options.random(8).toString('hex');
    this.#startedAt = options.clock.mono();
    this.#log = log;
  }

  current(): LogId {
    return this.#log;
  }

  async ensureHouse(now: UtcMs): Promise<void> {
    const { store, groups } = this.#options;
    const next = spanOf(now, 'month').to;
    const wishes = HOUSE_CLASSES.flatMap((cls) => [house(cls, now), house(cls, next)]);
    const missing = wishes.filter((w) => groups.find(w.agreement, w.class, w.kind, w.at) === null);
    if (missing.length === 0) return;
    const prepared = await groups.prepare(missing);
    // A crash before this commit leaves orphan slots, which cost 64 bytes each.
    await store.write((tx) => prepared.commit(tx));
  }

  async append(tx: Tx, drafts: readonly OwnDraft[]): Promise<Pos[]> {
    if (drafts.length === 0) return [];
    // Read inside the transaction: `succeed` may have changed it there, and may still be rolled back.
    const row = await this.#row(tx);
    const houses = await this.#houses(tx, drafts);
    const gathered = this.#gather(row, drafts, houses);
    const positions = await tx.appendLeaves(gathered.leaves);
    await tx.addWraps([...gathered.wraps.values()]);
    await tx.addParts(placed(gathered.parts, positions));
    const last = gathered.leaves.at(-1);
    if (last !== undefined) await tx.setHeads([{ log: row.log, through: last.seq, head: last.hash }]);
    const stored = gathered.leaves.map((leaf, i) => ({ ...leaf, pos: positions[i] ?? 0 }));
    await applyLeaves(tx, stored);
    return positions;
  }

  forget(group: GroupId): void {
    this.#keys.forget(group);
  }

  async succeed(tx: Tx, reason: BirthReason): Promise<LogId> {
    const [old] = await tx.logs([(await this.#row(tx)).log]);
    if (old === undefined) throw absent();
    const predecessor = { log: old.log, size: old.through, head: old.head.toString('base64url') };
    await tx.putLogs([{ ...old, state: 'closed' }]);
    const log = await putLog(tx, this.#options, old.birth.agent as AgentId, reason, predecessor);
    tx.afterCommit(() => {
      this.#log = log;
    });
    return log;
  }

  async #row(tx: Tx): Promise<LogStateRow> {
    const log = (await tx.meta(META_LOG)) as LogId | null;
    const [row] = log === null ? [] : await tx.logStates([log]);
    if (row !== undefined) return row;
    throw absent();
  }

  /** The live house group that each of these drafts needs, now. */
  async #houses(tx: Tx, drafts: readonly OwnDraft[]): Promise<Map<OwnDraft, GroupRow>> {
    const now = this.#options.clock.now();
    const found = await givenGroups(tx, drafts);
    const sealing = drafts.flatMap((draft) => {
      const cls = draft.under === undefined ? classOf(draft) : null;
      if (cls === 'session') throw withoutGroup(draft.type);
      return cls === null ? [] : [{ draft, wish: house(cls, now, draft.data) }];
    });
    if (sealing.length === 0) return found;
    // The slot is durable before the row; both cost nothing where `ensureHouse` has been here (V17).
    const prepared = await this.#options.groups.prepare(sealing.map(({ wish }) => wish));
    await prepared.commit(tx);
    for (const [i, { draft }] of sealing.entries()) {
      const group = prepared.groups[i];
      if (group?.state === 'live') found.set(draft, group);
    }
    return found;
  }

  #gather(row: LogStateRow, drafts: readonly OwnDraft[], houses: ReadonlyMap<OwnDraft, GroupRow>): Gathered {
    const { clock } = this.#options;
    const now = clock.now();
    const up = clock.mono() - this.#startedAt;
    const gathered: Gathered = { leaves: [], parts: [], wraps: new Map() };
    let [seq, prev] = [row.through, row.head];
    for (const draft of drafts) {
      seq += 1;
      const group = houses.get(draft);
      const sealed = group === undefined ? null : this.#seal(row.log, seq, group, draft, gathered);
      const pii = sealed === null ? [] : [{ group: sealed.group, c: sealed.c }];
      const { type, data } = draft;
      const leaf = makeLeaf({ log: row.log, seq, prev, at: now, boot: this.#boot, up, type, data, pii });
      prev = leaf.hash;
      const stored = { log: row.log, seq, bytes: leaf.text, hash: leaf.hash, type, at: now, receivedAt: now };
      gathered.leaves.push(stored);
      gathered.parts.push(sealed?.part ?? null);
    }
    return gathered;
  }

  #seal(log: LogId, seq: number, row: GroupRow, draft: OwnDraft, gathered: Gathered) {
    const p = personalOf(draft);
    const content: ContentKey = this.#keys.take(log, row);
    // In every transaction that uses it: the one that stored it first may have been rolled back.
    gathered.wraps.set(content.wrap.wrap, content.wrap);
    const { group } = row;
    const { c, body } = sealPart(content.key, { log, seq, group, under: group }, p, this.#options.random);
    return { group, c, part: { group, under: group, wrap: content.wrap.wrap, body } };
  }
}

/**
 * The groups that drafts name themselves. Read inside the transaction: an erasure that committed before it wins, and
 * the event is then kept without its personal part, as under a house group that is dead (V18).
 */
async function givenGroups(tx: Tx, drafts: readonly OwnDraft[]): Promise<Map<OwnDraft, GroupRow>> {
  const found = new Map<OwnDraft, GroupRow>();
  for (const draft of drafts) {
    if (draft.under === undefined || classOf(draft) === null) continue;
    const row = await tx.groups.get(draft.under);
    if (row?.state === 'live') found.set(draft, row);
  }
  return found;
}

/** A fault of the program: what is a session's must never outlive it in a group of the house. */
function withoutGroup(type: string): TilsynError {
  return new TilsynError('event.no-group', `making a ${type} event: no group is named for its sealed part`);
}

function absent(): TilsynError {
  return new TilsynError('journal.absent', 'writing the collector’s own log: it has no row');
}

function house(cls: DataClass, at: UtcMs, data: Record<string, unknown> = {}): GroupWish {
  return { agreement: null, class: cls, kind: 'house', at, subject: subjectOf(cls, data) };
}

/** Class of a draft's personal part; null where it has none. */
function classOf(draft: OwnDraft): DataClass | null {
  if (draft.personal === undefined || draft.personal === null) return null;
  return eventDefinition(draft.type)?.class ?? null;
}

/** The personal part, held to its allow-list. An error names the field, never its value. */
function personalOf(draft: OwnDraft): Personal {
  const checked = eventDefinition(draft.type)?.personal?.safeParse(wellFormed(draft.personal));
  if (checked?.success) return checked.data as Personal;
  const where = checked?.error.issues[0]?.path.join('.') ?? 'personal';
  throw new TilsynError(
    'event.invalid',
    `making a ${draft.type} event: personal field ${where} is not allowed`,
  );
}

function placed(parts: readonly (Omit<PartRow, 'pos'> | null)[], positions: readonly Pos[]): PartRow[] {
  return parts.flatMap((part, i) => {
    const pos = positions[i];
    return part === null || pos === undefined ? [] : [{ pos, ...part }];
  });
}
