/**
 * The keyring: the only place that sees a private half of a key group. Private halves are read from the slot
 * when one is needed and zeroed after; the index in memory holds groups and states only.
 *
 * V8  A group is given out only after its slot is durable in every copy that is there.
 * V9  Erasing overwrites every copy in place, flushes and reads it back before it counts as done; a copy that
 *     exists and is not there leaves it undone.
 * V10 From the first byte of an erasure on, this process opens nothing with that group.
 * V24 What was revoked outlives the database: its id lies in every copy as a tombstone before its row says so.
 */
import { hkdfSync, type KeyObject } from 'node:crypto';
import { TilsynError } from '../protocol/errors.ts';
import { type GroupId, type Id, newId, type Random } from '../protocol/ids.ts';
import { openWrap, x25519Private } from '../protocol/seal.ts';
import { publicText } from '../protocol/sign.ts';
import { ensureStateDir } from './files.ts';
import {
  type Copies,
  type CopiesOptions,
  createCopies,
  type KeyringFinding,
  mismatch,
  openCopies,
  reconcile,
  slotsAt,
} from './keyring-copies.ts';
import { type Escrow, encrypterFor, laySlots, type SlotPlaces, sealSlots } from './keyring-escrow.ts';
import { decodeSlot, encodeSlot, keyOf, SlotFile } from './slots.ts';
import type { WrapRow } from './store/types.ts';
import type { FaultSeam } from './types.ts';

/** Whose slot was damaged. */
const NOBODY = '0'.repeat(32);
const ORIGIN_INFO = 'tilsyn/origin/v1';

export interface KeyringOptions extends CopiesOptions {
  faults?: FaultSeam;
}

export interface EscrowOptions extends SlotPlaces {
  /** Public half of the age key pair: `age1…`. */
  recipient: string;
  /** Id of the backup that it goes with. */
  backup: string;
  /** Name (origin) of the collector. */
  name: string;
  /** PEM texts of the key files, by name. */
  files: Record<string, string>;
}

/** A new group's place and public half. */
export interface MadeKey {
  group: GroupId;
  slot: number;
  /** X25519 public half, base64url. */
  key: string;
}

interface Entry {
  slot: number;
  state: 'live' | 'erased';
}

export class Keyring {
  readonly #copies: Copies;
  readonly #random: Random;
  readonly #faults: FaultSeam;
  readonly #index = new Map<GroupId, Entry>();
  readonly #damaged: ReadonlySet<number>;
  readonly #forget: ((group: GroupId) => void)[] = [];
  #next: number;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(copies: Copies, found: Awaited<ReturnType<typeof reconcile>>, options: KeyringOptions) {
    this.#copies = copies;
    this.#random = options.random;
    this.#faults = options.faults ?? {};
    this.#damaged = new Set(found.damaged);
    for (const { index, group, state } of found.slots) this.#index.set(group, { slot: index, state });
    this.#next = Math.max(0, ...found.damaged, ...found.slots.slice(-1).map((slot) => slot.index)) + 1;
  }

  /** Makes the files (`collector init`), then opens them. @throws TilsynError `keyring.exists` */
  static async create(options: KeyringOptions): Promise<Keyring> {
    await createCopies(options);
    return Keyring.open(options);
  }

  /**
   * Opens and reconciles both copies.
   * @throws TilsynError `keyring.absent`, `keyring.mismatch`
   */
  static async open(options: KeyringOptions): Promise<Keyring> {
    const copies = await openCopies(options);
    return new Keyring(copies, await reconcile(copies), options);
  }

  /**
   * All live keys and tombstones, and the key files of the state directory, as one age file: sealed bytes only.
   * Reads beside a running collector and writes nothing. @throws TilsynError `backup.recipient`, `keyring.absent`
   */
  static async escrow(options: EscrowOptions): Promise<{ sealed: Uint8Array; live: number }> {
    const { recipient, dir, second, ...head } = options;
    return await sealSlots(encrypterFor(recipient), { dir, second }, head);
  }

  /** @throws TilsynError `backup.recipient` */
  static checkRecipient(recipient: string): void {
    encrypterFor(recipient);
  }

  /** Puts the keys of an escrow into both copies, made where they are absent. @throws TilsynError `keyring.mismatch` */
  static async refill({ dir, second }: SlotPlaces, escrow: Escrow): Promise<void> {
    const files: SlotFile[] = [];
    try {
      for (const folder of second === null ? [dir] : [second, dir]) {
        ensureStateDir(folder);
        const path = slotsAt(folder);
        files.push(SlotFile.open(path) ?? SlotFile.create(path));
      }
      await laySlots(files, escrow, mismatch);
    } finally {
      for (const file of files) file.close();
    }
  }

  /**
   * Brings what copies are there together, and makes `to` the second one: whole and flushed before this resolves.
   * @param from folder of the second copy of before; null: none, or lost
   * @throws TilsynError `keyring.mismatch`, `keyring.absent`
   */
  static async copyTo(options: CopiesOptions & { to: string }): Promise<void> {
    const { dir, second, random, to } = options;
    const before = await openCopies({ dir, second, random });
    await reconcile(before);
    before.first.close();
    before.second?.close();
    const after = await openCopies({ dir, second: to, random, fresh: true });
    await reconcile(after);
    after.first.close();
    after.second?.close();
  }

  /** Overwrites every key of a second copy that is not used any more, in place, and reads it back. */
  static async overwrite(folder: string): Promise<void> {
    const file = SlotFile.open(slotsAt(folder));
    if (file === null) return;
    try {
      const live: { slot: number; group: GroupId }[] = [];
      file.scan((slot, found) => {
        if (found.state !== 'free' && found.state !== 'header')
          live.push({ slot, group: 'group' in found ? found.group : (NOBODY as GroupId) });
      });
      const tombs = live.map(({ slot, group }) => ({ slot, bytes: encodeSlot({ state: 'erased', group }) }));
      for (const { slot, bytes } of tombs) file.write(slot, bytes);
      await file.flush();
      for (const { slot, bytes } of tombs) readBack(file, slot, bytes);
    } finally {
      file.close();
    }
  }

  /** What the start found; `keyring.no-second` and `keyring.second-absent` stand until somebody acts. */
  get findings(): readonly KeyringFinding[] {
    return this.#copies.findings;
  }

  /** False where a second copy exists and is not there: what is erased now may live on in it (V9). */
  get complete(): boolean {
    return !this.#copies.hasSecond || this.#copies.second !== null;
  }

  /** Null: no slot names this group. */
  stateOf(group: GroupId): 'live' | 'erased' | null {
    return this.#index.get(group)?.state ?? null;
  }

  slotOf(group: GroupId): number | null {
    return this.#index.get(group)?.slot ?? null;
  }

  /** True where the slot is unreadable in every copy (V6). */
  isDamaged(slot: number): boolean {
    return this.#damaged.has(slot);
  }

  /** Groups in the order of their slots. */
  groups(): { group: GroupId; slot: number; state: 'live' | 'erased' }[] {
    return [...this.#index].map(([group, entry]) => ({ group, ...entry })).sort((a, b) => a.slot - b.slot);
  }

  /** Makes a key for each group; one `fdatasync` per copy for all of them (V8). */
  create(groups: readonly GroupId[]): Promise<MadeKey[]> {
    return this.#serial(async () => {
      if (groups.length === 0) return [];
      for (const group of groups) if (this.#index.has(group)) throw taken(group);
      const first = this.#next;
      // Before the first write: should one fail, these slots are never written again in this process.
      this.#next += groups.length;
      const made = groups.map((group, i) => this.#make(group, first + i));
      try {
        // A crash after some of this leaves live slots without a row: the start keeps them as orphans.
        await this.#writeAll(made.map(({ slot, bytes }) => ({ slot, bytes })));
        this.#faults.hit?.('keyring.created');
      } finally {
        for (const { bytes } of made) bytes.fill(0);
      }
      for (const { group, slot } of made) this.#index.set(group, { slot, state: 'live' });
      return made.map(({ group, slot, key }) => ({ group, slot, key }));
    });
  }

  /**
   * Overwrites the keys of these groups (V9, V10). Safe to repeat. `slot` is what the row says, for a slot that
   * is damaged and no longer names its group.
   * @returns false where a second copy exists that is not there: the groups stay `erasing`
   */
  erase(groups: readonly { group: GroupId; slot: number | null }[]): Promise<boolean> {
    return this.#serial(async () => {
      const targets = groups.map(({ group, slot }) => ({ group, slot: this.#target(group, slot) }));
      for (const { group, slot } of targets) {
        this.#index.set(group, { slot, state: 'erased' });
        for (const forget of this.#forget) forget(group);
      }
      const tombs = targets.map(({ group, slot }) => ({
        slot,
        bytes: encodeSlot({ state: 'erased', group }),
      }));
      // A crash after the first copy: erased in either is erased in both (V5), the start writes the second.
      await this.#writeAll(tombs);
      this.#faults.hit?.('keyring.erased');
      return this.complete;
    });
  }

  /** Writes a tombstone for each of these ids that has none (V24); durable in every copy that is there. */
  bury(ids: readonly Id[]): Promise<void> {
    return this.#serial(async () => {
      const fresh = [...new Set(ids as readonly GroupId[])].filter((id) => !this.#index.has(id));
      if (fresh.length === 0) return;
      const first = this.#next;
      this.#next += fresh.length;
      const tombs = fresh.map((group, i) => ({
        slot: first + i,
        bytes: encodeSlot({ state: 'erased', group }),
      }));
      await this.#writeAll(tombs);
      for (const [i, group] of fresh.entries()) this.#index.set(group, { slot: first + i, state: 'erased' });
    });
  }

  /** Every id that was revoked or ended, and every group whose key was erased. */
  tombstones(): string[] {
    return [...this.#index].filter(([, { state }]) => state === 'erased').map(([id]) => id);
  }

  /** True where this id was revoked, or its key erased. */
  isBuried(id: Id): boolean {
    return this.#index.get(id as GroupId)?.state === 'erased';
  }

  /** Of new files: no slot up to this one is given out, because rows of lost keys name it. */
  async fence(slot: number): Promise<void> {
    this.#next = Math.max(this.#next, slot + 1);
    await this.bury([newId(this.#random)]);
  }

  /** `fn` is called for each group as its erasure begins: caches zero what they hold. */
  onErase(fn: (group: GroupId) => void): void {
    this.#forget.push(fn);
  }

  /** The public half of a live group, base64url; null where it is not live. */
  publicKey(group: GroupId): string | null {
    return this.#withKey(group, (_raw, key) => publicText(key));
  }

  /** The content key inside a wrap, 32 bytes; null where the group is not live or the wrap is not right. */
  openWrap({ wrap, log, group, body }: WrapRow): Buffer | null {
    return this.#withKey(group, (_raw, key) =>
      openWrap(key, publicText(key), log, { id: wrap, group, body }),
    );
  }

  /** HMAC key for the origins of a live group. */
  originKey(group: GroupId): Buffer | null {
    return this.#withKey(group, (raw) => Buffer.from(hkdfSync('sha256', raw, '', ORIGIN_INFO, 32)));
  }

  async close(): Promise<void> {
    await this.#tail.catch(() => {});
    this.#copies.first.close();
    this.#copies.second?.close();
  }

  #files(): SlotFile[] {
    const { first, second } = this.#copies;
    return second === null ? [first] : [first, second];
  }

  /** One change at a time: two callers must not take the same slots. */
  #serial<T>(act: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(act, act);
    this.#tail = run.catch(() => {});
    return run;
  }

  #make(group: GroupId, slot: number): MadeKey & { bytes: Buffer } {
    const raw = this.#random(32);
    const made = { group, slot, key: publicText(x25519Private(raw)) };
    const bytes = encodeSlot({ state: 'live', group }, raw);
    raw.fill(0);
    return { ...made, bytes };
  }

  /** Writes these slots to each copy in turn: in place, flushed, read back. */
  async #writeAll(slots: readonly { slot: number; bytes: Buffer }[]): Promise<void> {
    const most = Math.max(0, ...slots.map(({ slot }) => slot + 1));
    for (const [i, file] of this.#files().entries()) {
      file.grow(most);
      for (const { slot, bytes } of slots) file.write(slot, bytes);
      await file.flush();
      for (const { slot, bytes } of slots) readBack(file, slot, bytes);
      this.#faults.hit?.(`keyring.copy-${i + 1}`);
    }
  }

  #target(group: GroupId, slot: number | null): number {
    const known = this.#index.get(group)?.slot ?? slot;
    if (known !== null && this.#mayErase(group, known)) return known;
    throw new TilsynError('keyring.no-slot', `erasing group ${group}: no slot of the keyring is its own`, {
      hint: 'The keys of another collector may be in place; look at --state and --keys2.',
      exit: 'integrity',
    });
  }

  /** A slot that another group holds is never overwritten. */
  #mayErase(group: GroupId, slot: number): boolean {
    return this.#files().every((file) => {
      const bytes = file.read(slot);
      const found = decodeSlot(bytes);
      bytes.fill(0);
      return !('group' in found) || found.group === group;
    });
  }

  /** Lends the private half out for one synchronous call; the raw bytes are zeroed after it. */
  #withKey<T>(group: GroupId, use: (raw: Buffer, key: KeyObject) => T): T | null {
    const entry = this.#index.get(group);
    if (entry?.state !== 'live') return null;
    for (const file of this.#files()) {
      const bytes = file.read(entry.slot);
      const slot = decodeSlot(bytes);
      try {
        if (slot.state === 'live' && slot.group === group) {
          const raw = keyOf(bytes);
          return use(raw, x25519Private(raw));
        }
      } finally {
        bytes.fill(0);
      }
    }
    return null;
  }
}

function taken(group: GroupId): TilsynError {
  return new TilsynError('keyring.taken', `making a key for group ${group}: it has one already`);
}

function readBack(file: SlotFile, slot: number, bytes: Buffer): void {
  const found = file.read(slot);
  const same = found.equals(bytes);
  found.fill(0);
  if (same) return;
  throw new TilsynError('keyring.not-written', `writing slot ${slot} of the keys: it reads back otherwise`, {
    hint: 'The device that holds keys.slots may be failing.',
    exit: 'integrity',
  });
}
