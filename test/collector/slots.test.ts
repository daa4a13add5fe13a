import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  BLOCK_SLOTS,
  decodeSlot,
  encodeSlot,
  keyOf,
  SECTOR_BYTES,
  SLOT_BYTES,
  type Slot,
  SlotFile,
} from '../../collector/slots.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { newHex, scratch } from './house.ts';

const group = newHex<GroupId>();

function file(): SlotFile {
  const made = SlotFile.create(join(scratch(), 'keys.slots'));
  onTestFinished(() => made.close());
  return made;
}

describe('slots', () => {
  it('V1 puts eight slots into a sector and none across two', () => {
    expect(SECTOR_BYTES % SLOT_BYTES).toBe(0);
    expect(encodeSlot({ state: 'live', group }, randomBytes(32))).toHaveLength(SLOT_BYTES);
  });

  it('reads back what it wrote, the key at its place', () => {
    const key = randomBytes(32);
    const bytes = encodeSlot({ state: 'live', group }, key);
    expect(decodeSlot(bytes)).toMatchObject({ state: 'live', group });
    expect(keyOf(bytes).equals(key)).toBe(true);
    expect(decodeSlot(encodeSlot({ state: 'header', group, copies: 2 }))).toMatchObject({ group, copies: 2 });
    expect(decodeSlot(Buffer.alloc(SLOT_BYTES))).toEqual({ state: 'free' });
  });

  it('V2 keeps group and state of an erased slot, and nothing else', () => {
    const bytes = encodeSlot({ state: 'erased', group }, randomBytes(32));
    expect(decodeSlot(bytes)).toMatchObject({ state: 'erased', group });
    expect(keyOf(bytes).equals(Buffer.alloc(32))).toBe(true);
  });

  it('V3 takes a slot with any changed bit for damaged, never for free, live or erased', () => {
    const bytes = encodeSlot({ state: 'live', group }, randomBytes(32));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: SLOT_BYTES * 8 - 1 }), (bit) => {
        const torn = Buffer.from(bytes);
        torn[bit >> 3] = (torn[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(decodeSlot(torn)).toEqual({ state: 'damaged' });
      }),
    );
  });

  it('V3 takes a slot that a crash cut at any byte for damaged', () => {
    const bytes = encodeSlot({ state: 'live', group }, Buffer.alloc(32, 0xff));
    for (let cut = 1; cut < SLOT_BYTES; cut += 1) {
      const torn = Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(SLOT_BYTES - cut)]);
      expect(decodeSlot(torn).state, `cut at ${cut}`).toBe('damaged');
    }
  });

  it('makes a zeroed file of one block that really occupies the disk, for its owner alone', () => {
    const { path } = file();
    const { size, mode, blocks } = statSync(path);
    expect(size).toBe(BLOCK_SLOTS * SLOT_BYTES);
    expect(mode & 0o777).toBe(0o600);
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
    expect(readFileSync(path).every((byte) => byte === 0)).toBe(true);
  });

  it('V2 writes in place: the same file, no copy of an overwritten key in it', async () => {
    const slots = file();
    const key = randomBytes(32);
    const { ino } = statSync(slots.path);
    slots.write(3, encodeSlot({ state: 'live', group }, key));
    await slots.flush();
    expect(readFileSync(slots.path).includes(key)).toBe(true);
    slots.write(3, encodeSlot({ state: 'erased', group }));
    await slots.flush();
    expect(readFileSync(slots.path).includes(key)).toBe(false);
    expect(statSync(slots.path).ino).toBe(ino);
  });

  it('grows by whole zeroed blocks and sees slots of all of them in order', async () => {
    const slots = file();
    const groups = [newHex<GroupId>(), newHex<GroupId>()];
    slots.write(1, encodeSlot({ state: 'live', group: groups[0]! }, randomBytes(32)));
    slots.grow(BLOCK_SLOTS + 1);
    slots.write(BLOCK_SLOTS + 7, encodeSlot({ state: 'erased', group: groups[1]! }));
    await slots.flush();
    const seen: [number, Slot][] = [];
    slots.scan((index, slot) => seen.push([index, slot]));
    expect(seen).toMatchObject([
      [1, { state: 'live', group: groups[0] }],
      [BLOCK_SLOTS + 7, { state: 'erased', group: groups[1] }],
    ]);
    expect(statSync(slots.path).size).toBe(2 * BLOCK_SLOTS * SLOT_BYTES);
  });

  it('fills up a file that a crash left short, and keeps what was in it', () => {
    const path = join(scratch(), 'keys.slots');
    const bytes = encodeSlot({ state: 'live', group }, randomBytes(32));
    writeFileSync(path, Buffer.concat([Buffer.alloc(SLOT_BYTES), bytes]));
    truncateSync(path, SLOT_BYTES * 2);
    const slots = SlotFile.open(path);
    onTestFinished(() => slots?.close());
    expect(slots?.slots).toBe(BLOCK_SLOTS);
    expect(slots?.read(1).equals(bytes)).toBe(true);
    expect(slots?.read(BLOCK_SLOTS - 1).every((byte) => byte === 0)).toBe(true);
  });

  it('opens nothing where there is no file', () => {
    expect(SlotFile.open(join(scratch(), 'keys.slots'))).toBeNull();
  });
});
