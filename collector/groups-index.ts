/** All rows of `key_groups` in memory, by id and by what they are for. */
import { hasSubject, spanOf } from '../protocol/group.ts';
import type { GroupId, SessionId } from '../protocol/ids.ts';
import type { SpanTable } from '../protocol/packs.ts';
import type { UtcMs } from '../protocol/time.ts';
import { isSplit } from './regroup/splits.ts';
import { takesOf } from './regroup/takes.ts';
import type { GroupRow } from './store/types.ts';
import type { GroupWish } from './types.ts';

/** One text per group that ought to exist; late groups of different months share one. */
export function keyOfWish(wish: GroupWish, spans: SpanTable): string {
  return keyOf(wish, boundsOf(wish, spans));
}

type LineOf = Pick<GroupWish, 'agreement' | 'class' | 'kind'> & { subject?: string | null | undefined };

/** What spans of one kind have in common. */
function lineOf({ agreement, class: cls, kind, subject }: LineOf): string {
  return `${agreement ?? '-'} ${cls} ${kind} ${subject ?? '-'}`;
}

function keyOf(
  { agreement, class: cls, kind, subject }: Pick<GroupWish, 'agreement' | 'class' | 'kind' | 'subject'>,
  { from, to }: Pick<GroupRow, 'from' | 'to'>,
): string {
  // The end too: a day and a month can begin together.
  return `${lineOf({ agreement, class: cls, kind, subject })} ${from ?? '-'} ${to ?? '-'}`;
}

/** The span that a wish asks for, half open; none where the group lives as long as something else does. */
export function boundsOf(
  { kind, class: cls, at }: GroupWish,
  spans: SpanTable,
): { from: UtcMs | null; to: UtcMs | null } {
  const spanned = (kind === 'span' || kind === 'house') && !hasSubject(cls);
  return spanned ? spanOf(at, spans[cls]) : { from: null, to: null };
}

function lengthOf({ from, to }: GroupRow): number {
  return (to ?? 0) - (from ?? 0);
}

function isAsLong(a: GroupRow, b: GroupRow): boolean {
  return a.from === b.from && a.to === b.to;
}

export class GroupIndex {
  #spans: SpanTable;
  readonly #byId = new Map<GroupId, GroupRow>();
  readonly #byKey = new Map<string, GroupRow>();
  /** Spans that the policy in force would not make: of an earlier one. By what they are of. */
  readonly #odd = new Map<string, Map<GroupId, GroupRow>>();
  /** One-off groups that live. */
  readonly #oneoff = new Map<GroupId, GroupRow>();
  /** Sessions that were taken out of their span, dead groups too. */
  readonly #taken = new Map<SessionId, GroupId>();

  readonly #isLost: (row: GroupRow) => boolean;

  /** `isLost`: live by its row, with a key that cannot be read; served only where there is nothing else. */
  constructor(spans: SpanTable, isLost: (row: GroupRow) => boolean) {
    this.#spans = spans;
    this.#isLost = isLost;
  }

  /** Adds or replaces rows that are committed. */
  add(rows: readonly GroupRow[]): void {
    for (const row of rows) {
      this.#take(this.#byId.get(row.group), row);
      this.#byId.set(row.group, row);
      if (row.kind === 'oneoff') this.#addOneoff(row);
      // Those two belong to one session or one person and are only ever asked for by id.
      if (row.kind === 'oneoff' || row.kind === 'single') continue;
      this.#note(row);
      const key = keyOf(row, row);
      if (this.#serves(row, this.#byKey.get(key))) this.#byKey.set(key, row);
    }
  }

  byId(group: GroupId): GroupRow | null {
    return this.#byId.get(group) ?? null;
  }

  takenOut(session: string): GroupRow | null {
    const group = this.#taken.get(session as SessionId);
    return group === undefined ? null : this.byId(group);
  }

  #take(before: GroupRow | undefined, row: GroupRow): void {
    const old = before === undefined ? null : takesOf(before);
    for (const session of old?.sessions ?? []) {
      if (this.#taken.get(session) === row.group) this.#taken.delete(session);
    }
    for (const session of takesOf(row)?.sessions ?? []) this.#taken.set(session, row.group);
  }

  #addOneoff(row: GroupRow): void {
    if (row.state === 'live') this.#oneoff.set(row.group, row);
    else this.#oneoff.delete(row.group);
  }

  oneoff(agent: string | null): GroupRow[] {
    return [...this.#oneoff.values()].filter(({ subject }) => agent === null || subject === agent);
  }

  find(wish: GroupWish): GroupRow | null {
    const exact = this.#byKey.get(keyOfWish(wish, this.#spans)) ?? null;
    return this.#earlier(wish, exact) ?? exact;
  }

  useSpans(spans: SpanTable): void {
    this.#spans = spans;
    this.#odd.clear();
    for (const row of this.#byId.values()) this.#note(row);
  }

  splitOver(row: GroupRow): GroupRow | null {
    const { from, to } = row;
    if (from === null || to === null) return null;
    for (const one of this.#odd.get(lineOf(row))?.values() ?? []) {
      const over = one.from !== null && one.to !== null && one.from <= from && to <= one.to;
      if (over && one.group !== row.group && one.state === 'live' && isSplit(one)) return one;
    }
    return null;
  }

  #note(row: GroupRow): void {
    if (row.from === null || row.to === null) return;
    const line = lineOf(row);
    const { from, to } = spanOf(row.from, this.#spans[row.class]);
    if (from !== row.from || to !== row.to) {
      const known = this.#odd.get(line) ?? new Map<GroupId, GroupRow>();
      this.#odd.set(line, known.set(row.group, row));
    }
  }

  /**
   * Spans were longer, or shorter, under an earlier policy. One that lives serves what began in it until it was split
   * (V62); what was erased with one of them stays erased (V13). A split one that died had given up all that lay in it.
   */
  #earlier(wish: GroupWish, exact: GroupRow | null): GroupRow | null {
    const odd = this.#odd.get(lineOf(wish));
    if (odd === undefined) return null;
    const { at } = wish;
    const held = [...odd.values()].filter(
      ({ from, to }) => from !== null && to !== null && from <= at && at < to,
    );
    const dead = held.find((row) => row.state !== 'live' && !isSplit(row));
    const live = held
      .filter((row) => row.state === 'live' && !isSplit(row) && !this.#isLost(row))
      .sort((a, b) => lengthOf(a) - lengthOf(b));
    if (dead !== undefined && !live.some((row) => isAsLong(row, dead))) return dead;
    if (live[0] !== undefined) return live[0];
    return exact === null ? (held.find((row) => row.state !== 'live') ?? null) : null;
  }

  /**
   * Which of two rows for the same thing is found: one with a readable key before a dead one, a dead one before
   * a lost one; of `late` the newest, of spans the oldest. Two of one span come from a restored database that
   * took groups back, or from a key that was lost.
   */
  #serves(row: GroupRow, present: GroupRow | undefined): boolean {
    if (present === undefined || present.group === row.group) return true;
    const [a, b] = [this.#rank(row), this.#rank(present)];
    if (a !== b) return a > b;
    return row.kind === 'late' && row.createdAt >= present.createdAt;
  }

  #rank(row: GroupRow): number {
    if (row.state !== 'live') return 1;
    return this.#isLost(row) ? 0 : 2;
  }
}
