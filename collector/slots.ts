/**
 * `keys.slots`: where the private halves of key groups lie. Slots of 64 bytes, eight to a sector of 512, none
 * across two, in a preallocated, zeroed, fsynced file. A slot is written in place with `pwrite` + `fdatasync`,
 * never through a database, never temp-and-rename: after an erasure no copy is left behind on the device.
 *
 * V1  A slot never straddles a sector, so a write reaches the disk whole or not at all.
 * V2  A key, once overwritten, is nowhere else in the file; group and state stay as the tombstone.
 * V3  A slot whose checksum is wrong is damaged: neither free, nor live, nor erased.
 *
 * Slot 0 is the header: a slot like the others whose `group` is the id of the keyring and whose flag says how
 * many copies there are, so that a missing second copy is noticed even where the settings forgot it.
 */
import { closeSync, fdatasync, readSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { type GroupId, idBytes, idFrom } from '../protocol/ids.ts';
import { extendZeros, fileError, openInPlace, openToRead, preallocateZeros, sizeOf } from './files.ts';

export const SLOT_BYTES = 64;
export const SECTOR_BYTES = 512;
/** Slots of one block: 4 MiB. A full file grows by another. */
export const BLOCK_SLOTS = 65_536;

const ZEROS = Buffer.alloc(SLOT_BYTES);
const MAGIC = Buffer.from('TLS1');
const STATES = ['free', 'live', 'erased', 'header'] as const;
const AT = { state: 4, copies: 5, group: 8, key: 24, crc: 60 } as const;
const KEY_BYTES = 32;
const READ_SLOTS = 8_192;

const flush = promisify(fdatasync);

/** What one slot says. `damaged`: it is not zero, and its checksum is wrong (V3). */
export type Slot =
  | { state: 'free' | 'damaged' }
  | { state: 'live' | 'erased'; group: GroupId; crc: number }
  | { state: 'header'; group: GroupId; copies: number };

export type NewSlot =
  | { state: 'live' | 'erased'; group: GroupId }
  | { state: 'header'; group: GroupId; copies: number };

/** The 64 bytes of a slot. `key` is for live slots only. */
export function encodeSlot(slot: NewSlot, key?: Uint8Array): Buffer {
  const bytes = Buffer.alloc(SLOT_BYTES);
  MAGIC.copy(bytes);
  bytes[AT.state] = STATES.indexOf(slot.state);
  if (slot.state === 'header') bytes[AT.copies] = slot.copies;
  idBytes(slot.group).copy(bytes, AT.group);
  if (slot.state === 'live' && key !== undefined) bytes.set(key, AT.key);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, AT.crc)), AT.crc);
  return bytes;
}

/** Reads 64 bytes; the key is left where it is. */
export function decodeSlot(bytes: Buffer): Slot {
  if (bytes.equals(ZEROS)) return { state: 'free' };
  const state = STATES[bytes[AT.state] ?? 0];
  const crc = bytes.readUInt32LE(AT.crc);
  const right = bytes.subarray(0, AT.state).equals(MAGIC) && crc32(bytes.subarray(0, AT.crc)) === crc;
  if (!right || state === undefined || state === 'free') return { state: 'damaged' };
  const group = idFrom<'group'>(bytes.subarray(AT.group, AT.key));
  return state === 'header' ? { state, group, copies: bytes[AT.copies] ?? 1 } : { state, group, crc };
}

/** The key inside a live slot's bytes: a view, zeroed with them. */
export function keyOf(bytes: Buffer): Buffer {
  return bytes.subarray(AT.key, AT.key + KEY_BYTES);
}

/** One `keys.slots`, opened in place. */
export class SlotFile {
  readonly path: string;
  readonly #fd: number;
  #slots: number;

  private constructor(path: string, slots: number, fd = openInPlace(path)) {
    this.path = path;
    this.#fd = fd;
    this.#slots = slots;
  }

  /** For reading beside the process that writes it: nothing is changed, not even a short file. */
  static view(path: string): SlotFile | null {
    const size = sizeOf(path);
    return size === null ? null : new SlotFile(path, Math.floor(size / SLOT_BYTES), openToRead(path));
  }

  /** Opens the file; null where there is none. One that a crash left short is filled up with zeros. */
  static open(path: string): SlotFile | null {
    const size = sizeOf(path);
    if (size === null) return null;
    const slots = Math.max(1, Math.ceil(size / (BLOCK_SLOTS * SLOT_BYTES))) * BLOCK_SLOTS;
    if (size < slots * SLOT_BYTES) extendZeros(path, slots * SLOT_BYTES);
    return new SlotFile(path, slots);
  }

  /** Makes a zeroed file of one block, durable with its name. */
  static create(path: string): SlotFile {
    preallocateZeros(path, BLOCK_SLOTS * SLOT_BYTES);
    return new SlotFile(path, BLOCK_SLOTS);
  }

  get slots(): number {
    return this.#slots;
  }

  /** Adds zeroed blocks until there are this many slots. */
  grow(slots: number): void {
    const wanted = Math.ceil(slots / BLOCK_SLOTS) * BLOCK_SLOTS;
    if (wanted <= this.#slots) return;
    extendZeros(this.path, wanted * SLOT_BYTES);
    this.#slots = wanted;
  }

  /** The 64 bytes of slot `index`; the caller zeroes them. */
  read(index: number): Buffer {
    const bytes = Buffer.alloc(SLOT_BYTES);
    if (index < this.#slots) this.#guard(() => readSync(this.#fd, bytes, 0, SLOT_BYTES, index * SLOT_BYTES));
    return bytes;
  }

  /** Writes one slot in place. Durable only after `flush`. */
  write(index: number, bytes: Buffer): void {
    this.#guard(() => writeSync(this.#fd, bytes, 0, SLOT_BYTES, index * SLOT_BYTES));
  }

  async flush(): Promise<void> {
    try {
      await flush(this.#fd);
    } catch (error) {
      throw fileError(error, 'writing the keys of key groups');
    }
  }

  /** Calls `see` for every slot that is not free, in order. Keys are zeroed behind it. */
  scan(see: (index: number, slot: Slot) => void): void {
    const chunk = Buffer.alloc(READ_SLOTS * SLOT_BYTES);
    for (let first = 0; first < this.#slots; first += READ_SLOTS) {
      const got = this.#guard(() => readSync(this.#fd, chunk, 0, chunk.length, first * SLOT_BYTES));
      for (let at = 0; at + SLOT_BYTES <= got; at += SLOT_BYTES) {
        const slot = decodeSlot(chunk.subarray(at, at + SLOT_BYTES));
        if (slot.state !== 'free') see(first + at / SLOT_BYTES, slot);
      }
    }
    chunk.fill(0);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #guard<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw fileError(error, 'reading or writing the keys of key groups');
    }
  }
}
