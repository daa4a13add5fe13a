/**
 * Key groups: found, made and handed out. The index holds every row; private halves stay in the keyring.
 *
 * V11 For one wish there is one group, however many ask at once.
 * V12 Slot first, row second: a row never names a key that is not durable.
 * V62 A living span serves what began in it whatever the policy in force would make, until it was split: what is read
 *     again finds its origin where it lies.
 * V13 A dead span, `whole` or `house` group is never replaced; a dead `late` group is, and so is any whose key
 *     was lost without an erasure.
 */
import type { KeyObject } from 'node:crypto';
import { TilsynError } from '../protocol/errors.ts';
import {
  DATA_CLASSES,
  type DataClass,
  type GroupKind,
  type GroupSpec,
  type SignedGroup,
  signGroup,
  spanOf,
  verifyGroup,
} from '../protocol/group.ts';
import { type AgentId, type AgreementId, type GroupId, newId, type Random } from '../protocol/ids.ts';
import type { SpanTable } from '../protocol/packs.ts';
import { publicText } from '../protocol/sign.ts';
import { type Clock, fromIso, type UtcMs } from '../protocol/time.ts';
import { boundsOf, GroupIndex, keyOfWish } from './groups-index.ts';
import type { Keyring } from './keyring.ts';
import type { GroupRow, Store } from './store/types.ts';
import type { Groups, GroupWish, PreparedGroups } from './types.ts';

export interface GroupsOptions {
  store: Store;
  keyring: Keyring;
  /** Ed25519 identity key; signs groups. */
  identity: KeyObject;
  /** Day or month, by data class (`packs.ts`). */
  spans: SpanTable;
  clock: Clock;
  random: Random;
}

/** True where the row is live and no slot holds its key, not even as a tombstone: it was lost, not erased. */
function isLost(keyring: Keyring, row: GroupRow): boolean {
  return row.state === 'live' && row.kind !== 'oneoff' && keyring.stateOf(row.group) === null;
}

/** Reads all rows and returns the groups, ready for use. */
export async function createGroups(options: GroupsOptions): Promise<Groups> {
  const index = new GroupIndex(options.spans, (row) => isLost(options.keyring, row));
  index.add(await options.store.read.groups.list());
  return new KeyGroups(options, index);
}

class KeyGroups implements Groups {
  readonly #options: GroupsOptions;
  #spans: SpanTable;
  readonly #index: GroupIndex;
  readonly #identityKey: string;
  /** Slots that are durable and whose rows no transaction has committed yet, by wish. */
  readonly #pending = new Map<string, GroupRow>();
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: GroupsOptions, index: GroupIndex) {
    this.#options = options;
    this.#spans = options.spans;
    this.#index = index;
    this.#identityKey = publicText(options.identity);
  }

  byId(group: GroupId): GroupRow | null {
    return this.#index.byId(group);
  }

  find(agreement: AgreementId | null, cls: DataClass, kind: GroupKind, at: UtcMs): GroupRow | null {
    const row = this.#index.find({ agreement, class: cls, kind, at });
    // One whose key was lost seals nothing that could ever be opened: it counts as not made (V13).
    return row === null || isLost(this.#options.keyring, row) ? null : row;
  }

  async prepare(wanted: readonly GroupWish[]): Promise<PreparedGroups> {
    // Serialised, so that a second caller sees what the first one made (V11).
    const run = this.#tail.then(() => this.#fill(wanted));
    this.#tail = run.catch(() => {});
    const rows = await run;
    return {
      groups: rows,
      commit: async (tx) => {
        const fresh = rows.filter((row) => this.#index.byId(row.group) === null);
        if (fresh.length === 0) return;
        // Idempotent: another transaction may have put the same pending row, or may still fail to.
        await tx.groups.put(fresh);
        tx.afterCommit(() => this.committed(fresh));
      },
    };
  }

  forAgreement(agreement: AgreementId, at: UtcMs): SignedGroup[] {
    // The present span may be one of an earlier policy (V62), which ends when no span of this one does.
    const present = this.#index.find({ agreement, class: 'session', kind: 'span', at });
    return wishesOf(agreement, at, this.#spans, present?.to ?? undefined)
      .map((wish) => this.#index.find(wish))
      .flatMap((row) => (row !== null && this.#canSeal(row) ? [row.record] : []));
  }

  oneoff(agent: AgentId | null): GroupRow[] {
    return this.#index.oneoff(agent);
  }

  takenOut(session: string): GroupRow | null {
    return this.#index.takenOut(session);
  }

  dead(ids: readonly GroupId[]): GroupId[] {
    return ids.filter((id) => {
      const row = this.#index.byId(id);
      return row !== null && row.state !== 'live';
    });
  }

  adoptable(offer: readonly SignedGroup[]): GroupRow[] {
    const seen = new Set<string>();
    return offer.flatMap((record) => {
      if (seen.has(record.group) || !this.#isOurs(record)) return [];
      seen.add(record.group);
      return [this.#adopted(record)];
    });
  }

  committed(rows: readonly GroupRow[]): void {
    this.#index.add(rows);
    for (const row of rows) {
      for (const [wish, pending] of this.#pending) {
        if (pending.group === row.group) this.#pending.delete(wish);
      }
    }
  }

  splitOver(group: GroupId): GroupRow | null {
    const row = this.#index.byId(group);
    return row === null ? null : this.#index.splitOver(row);
  }

  useSpans(spans: SpanTable): void {
    this.#spans = spans;
    this.#index.useSpans(spans);
  }

  /** Rows for the wishes, in order: known, pending, or made now (V12). */
  async #fill(wanted: readonly GroupWish[]): Promise<GroupRow[]> {
    const missing = new Map<string, GroupWish>();
    for (const wish of wanted) {
      const key = this.#keyOf(wish);
      if (this.#present(wish) === null && !this.#pending.has(key)) missing.set(key, wish);
    }
    await this.#make([...missing]);
    return wanted.map((wish) => {
      const row = this.#present(wish) ?? this.#pending.get(this.#keyOf(wish));
      if (row !== undefined) return row;
      throw new TilsynError('group.not-made', `making a ${wish.kind} group of ${wish.class}: it has no slot`);
    });
  }

  async #make(missing: readonly [string, GroupWish][]): Promise<void> {
    const { keyring, random, clock } = this.#options;
    const ids = missing.map(() => newId<'group'>(random));
    // Durable when this resolves; a crash from here to the row's commit leaves an orphan slot.
    const made = await keyring.create(ids);
    for (const [i, [key, wish]] of missing.entries()) {
      const place = made[i];
      if (place !== undefined) this.#pending.set(key, this.#row(wish, place, clock.now()));
    }
  }

  /** The group that serves this wish: of `late` only a live one, of the others also a dead one (V13). */
  #present(wish: GroupWish): GroupRow | null {
    const row = this.#index.find(wish);
    if (row === null || isLost(this.#options.keyring, row)) return null;
    if (wish.kind !== 'late') return row;
    return row.state === 'live' && row.createdAt >= this.#monthOf(wish.at).from ? row : null;
  }

  /** Late groups are not made ahead of time, so a wish for later means this month's. */
  #monthOf(at: UtcMs): { from: UtcMs; to: UtcMs } {
    const now = this.#options.clock.now();
    return spanOf(at < now ? at : now, 'month');
  }

  #canSeal(row: GroupRow): boolean {
    return row.state === 'live' && this.#options.keyring.stateOf(row.group) === 'live';
  }

  #keyOf(wish: GroupWish): string {
    return keyOfWish(wish, this.#spans);
  }

  #row(wish: GroupWish, made: { group: GroupId; slot: number; key: string }, now: UtcMs): GroupRow {
    const spec: GroupSpec = {
      group: made.group,
      kind: wish.kind,
      agreement: wish.agreement,
      class: wish.class,
      ...boundsOf(wish, this.#spans),
      key: made.key,
    };
    const record = signGroup(this.#options.identity, spec);
    return { ...spec, subject: wish.subject ?? null, record, slot: made.slot, ...LIVE, createdAt: now };
  }

  #isOurs(record: SignedGroup): boolean {
    const { keyring } = this.#options;
    const group = record.group as GroupId;
    return (
      keyring.stateOf(group) === 'live' &&
      this.#index.byId(group) === null &&
      isDataClass(record.class) &&
      verifyGroup(this.#identityKey, record) &&
      keyring.publicKey(group) === record.key
    );
  }

  #adopted(record: SignedGroup): GroupRow {
    const group = record.group as GroupId;
    return {
      group,
      kind: record.kind,
      agreement: record.agreement as AgreementId | null,
      class: record.class as DataClass,
      subject: null,
      from: record.from === null ? null : fromIso(record.from),
      to: record.to === null ? null : fromIso(record.to),
      key: record.key,
      record,
      slot: this.#options.keyring.slotOf(group),
      ...LIVE,
      createdAt: this.#options.clock.now(),
    };
  }
}

const LIVE = { state: 'live', dueAt: null, erasedAt: null, erasedBy: null } as const;

function isDataClass(text: string): text is DataClass {
  return (DATA_CLASSES as readonly string[]).includes(text);
}

/** What an agent of this agreement is given: present and next span, `late`, and the host names' `whole`. */
export function wishesOf(agreement: AgreementId, at: UtcMs, spans: SpanTable, until?: UtcMs): GroupWish[] {
  const next = until ?? spanOf(at, spans.session).to;
  return [
    { agreement, class: 'session', kind: 'span', at },
    { agreement, class: 'session', kind: 'span', at: next },
    { agreement, class: 'session', kind: 'late', at },
    { agreement, class: 'host.name', kind: 'whole', at },
  ];
}
