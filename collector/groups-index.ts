/** All rows of `key_groups` in memory, by id and by what they are for. */
import { spanOf } from '../protocol/group.ts';
import type { GroupId } from '../protocol/ids.ts';
import type { SpanTable } from '../protocol/packs.ts';
import type { GroupRow } from './store/types.ts';
import type { GroupWish } from './types.ts';

/** One text per group that ought to exist; late groups of different months share one. */
export function keyOfWish(wish: GroupWish, spans: SpanTable): string {
  const spanned = wish.kind === 'span' || wish.kind === 'house';
  return keyOf(wish, spanned ? spanOf(wish.at, spans[wish.class]).from : null);
}

function keyOf(wish: Pick<GroupWish, 'agreement' | 'class' | 'kind'>, from: number | null): string {
  return `${wish.agreement ?? '-'} ${wish.class} ${wish.kind} ${from ?? '-'}`;
}

export class GroupIndex {
  readonly #spans: SpanTable;
  readonly #byId = new Map<GroupId, GroupRow>();
  readonly #byKey = new Map<string, GroupRow>();

  constructor(spans: SpanTable) {
    this.#spans = spans;
  }

  /** Adds or replaces rows that are committed. */
  add(rows: readonly GroupRow[]): void {
    for (const row of rows) {
      this.#byId.set(row.group, row);
      // Those two belong to one session or one person and are only ever asked for by id.
      if (row.kind === 'oneoff' || row.kind === 'single') continue;
      const key = keyOf(row, row.from);
      if (serves(row, this.#byKey.get(key))) this.#byKey.set(key, row);
    }
  }

  byId(group: GroupId): GroupRow | null {
    return this.#byId.get(group) ?? null;
  }

  find(wish: GroupWish): GroupRow | null {
    return this.#byKey.get(keyOfWish(wish, this.#spans)) ?? null;
  }
}

/**
 * Which of two rows for the same thing is found: the newest `late`; of spans a live one before a dead one, then
 * the older. Two of one span come from a restored database that took groups back.
 */
function serves(row: GroupRow, present: GroupRow | undefined): boolean {
  if (present === undefined || present.group === row.group) return true;
  const [a, b] = [row.state === 'live', present.state === 'live'];
  if (a !== b) return a;
  return row.kind === 'late' && row.createdAt >= present.createdAt;
}
