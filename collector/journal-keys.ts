/** Content keys for the own log's sealed parts: in memory, for one hour or 10,000 parts, as on an agent. */
import { TilsynError } from '../protocol/errors.ts';
import type { GroupId, Id, LogId, Random } from '../protocol/ids.ts';
import { CONTENT_KEY_MS, CONTENT_KEY_PARTS, makeWrap } from '../protocol/seal.ts';
import type { Clock } from '../protocol/time.ts';
import type { GroupRow, WrapRow } from './store/types.ts';

export interface ContentKey {
  key: Buffer;
  wrap: WrapRow;
}

interface Held extends ContentKey {
  log: LogId;
  parts: number;
  /** Monotonic. */
  madeAt: number;
}

export class HouseKeys {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #held = new Map<GroupId, Held>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The content key for one more part of this group. */
  take(log: LogId, group: GroupRow): ContentKey {
    this.#dropOld();
    const held = this.#held.get(group.group);
    const fits = held !== undefined && held.log === log && held.parts < CONTENT_KEY_PARTS;
    const used = fits ? held : this.#make(log, group);
    used.parts += 1;
    return used;
  }

  /** A group is being erased: nothing more is sealed under its key, and no copy of that stays (V10). */
  forget(group: GroupId): void {
    this.#drop(group);
  }

  #make(log: LogId, { group, key }: GroupRow): Held {
    this.#drop(group);
    if (key === null) throw new TilsynError('group.no-key', `sealing under group ${group}: it has no key`);
    const content = this.#random(32);
    const { id, body } = makeWrap(key, log, group, content, this.#random);
    const wrap: WrapRow = { wrap: id as Id<'wrap'>, log, group, body };
    const made = { key: content, wrap, log, parts: 0, madeAt: this.#clock.mono() };
    this.#held.set(group, made);
    return made;
  }

  /** Of last month's groups too: a key is not kept longer than it seals. */
  #dropOld(): void {
    const now = this.#clock.mono();
    for (const [group, held] of this.#held) {
      if (now - held.madeAt >= CONTENT_KEY_MS) this.#drop(group);
    }
  }

  #drop(group: GroupId): void {
    this.#held.get(group)?.key.fill(0);
    this.#held.delete(group);
  }
}
