/**
 * Sealing parts anew under another group: `late` parts into the span they belong to. P and `r` stay, so the
 * leaf's commitment and every disclosure stay valid (P3); wrap, nonce and AAD are new.
 *
 * R1  One content key serves one group for one hour or 10,000 parts, whichever comes first, and is zeroed then.
 * R2  A wrap is put in the transaction of every part that names it, so no part outlives a lost transaction's wrap.
 */
import type { GroupId, Id, LogId, Random } from '../../protocol/ids.ts';
import {
  CONTENT_KEY_MS,
  CONTENT_KEY_PARTS,
  makeWrap,
  type OpenedPart,
  type PartPlace,
  sealPart,
} from '../../protocol/seal.ts';
import type { Clock } from '../../protocol/time.ts';
import type { GroupRow, WrapRow } from '../store/types.ts';

interface ContentKey {
  key: Buffer;
  wrap: WrapRow;
  parts: number;
  cancel: () => void;
}

export interface Resealed {
  wrap: WrapRow;
  body: Buffer;
}

export class Resealer {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #keys = new Map<GroupId, ContentKey>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Null where the commitment would not be the leaf's, or the group has no key. `place.under` is the new group. What
   * was opened can be sealed (P4 of `protocol/seal.ts`), so this does not throw.
   */
  seal(group: GroupRow, place: PartPlace, c: string, opened: OpenedPart): Resealed | null {
    const content = this.#contentKey(group, place.log);
    if (content === null) return null;
    const sealed = sealPart(content.key, place, opened.p, this.#random, opened.r);
    content.parts += 1;
    return sealed.c === c ? { wrap: content.wrap, body: sealed.body } : null;
  }

  #contentKey(group: GroupRow, log: LogId): ContentKey | null {
    const known = this.#keys.get(group.group);
    if (known !== undefined && known.parts < CONTENT_KEY_PARTS) return known;
    this.forget(group.group);
    if (group.key === null) return null;
    const key = this.#random(32);
    const { id, body } = makeWrap(group.key, log, group.group, key, this.#random);
    const wrap: WrapRow = { wrap: id as Id<'wrap'>, log, group: group.group, body };
    const cancel = this.#clock.after(CONTENT_KEY_MS, () => this.forget(group.group));
    const made: ContentKey = { key, wrap, parts: 0, cancel };
    this.#keys.set(group.group, made);
    return made;
  }

  /** Zeroes the content key of a group: its hour is over, or the group was erased. */
  forget(group: GroupId): void {
    const known = this.#keys.get(group);
    if (known === undefined) return;
    known.cancel();
    known.key.fill(0);
    this.#keys.delete(group);
  }

  close(): void {
    for (const group of [...this.#keys.keys()]) this.forget(group);
  }
}

/** A leaf's commitment to its part under this group; undefined where the leaf does not name the group. */
export function commitmentFor(
  pii: readonly { group: string; c: string }[],
  group: string,
): string | undefined {
  return pii.find((item) => item.group === group)?.c;
}
