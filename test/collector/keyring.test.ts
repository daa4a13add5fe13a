import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Keyring, type KeyringOptions } from '../../collector/keyring.ts';
import { compareSlots } from '../../collector/keyring-copies.ts';
import { encodeSlot, type Slot, SlotFile } from '../../collector/slots.ts';
import type { GroupId, LogId } from '../../protocol/ids.ts';
import { makeWrap } from '../../protocol/seal.ts';
import { newHex, random, scratch } from './house.ts';

const ids = (n: number) => Array.from({ length: n }, () => newHex<GroupId>());
const log = newHex<LogId>();

interface Place extends KeyringOptions {
  second: string;
}
function place(): Place {
  const dir = scratch();
  return { dir: join(dir, 'one'), second: join(dir, 'two'), random };
}
const paths = ({ dir, second }: Place) => [join(dir, 'keys.slots'), join(second, 'keys.slots')] as const;

async function ring(options: KeyringOptions, create = false): Promise<Keyring> {
  const keyring = await (create ? Keyring.create(options) : Keyring.open(options));
  onTestFinished(() => keyring.close().catch(() => {}));
  return keyring;
}

/** A wrap of a fresh content key for this public half. */
function wrapFor(group: GroupId, key: string) {
  const content = random(32);
  const { id, body } = makeWrap(key, log, group, content, random);
  return { content, row: { wrap: id, log, group, body } };
}

/** Writes one slot of a file behind the keyring's back. */
function tamper(path: string, index: number, bytes: Buffer): void {
  const file = SlotFile.open(path);
  file?.write(index, bytes);
  file?.close();
}
const slotOf = (path: string, index: number) => readFileSync(path).subarray(index * 64, index * 64 + 64);
const codes = (keyring: Keyring) => keyring.findings.map((finding) => finding.code);

describe('keyring', () => {
  it('V8 makes keys in both copies, the same at the same place, and opens wraps with them', async () => {
    const at = place();
    const keyring = await ring(at, true);
    const [one, two] = await keyring.create(ids(2));
    const [first, second] = paths(at);
    expect([one?.slot, two?.slot]).toEqual([1, 2]);
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
    const { content, row } = wrapFor(one!.group, one!.key);
    expect(keyring.openWrap(row)?.equals(content)).toBe(true);
    expect(keyring.openWrap({ ...row, group: two!.group })).toBeNull();
    expect(keyring.openWrap({ ...row, log: newHex() })).toBeNull();
    expect(keyring.publicKey(two!.group)).toBe(two!.key);
  });

  it('V8 flushes a whole batch once per copy', async () => {
    const hits: string[] = [];
    const keyring = await ring({ ...place(), faults: { hit: (point) => hits.push(point) } }, true);
    await keyring.create(ids(50));
    expect(hits).toEqual(['keyring.copy-1', 'keyring.copy-2', 'keyring.created']);
  });

  it('keeps groups, keys and tombstones over a restart, and never gives a slot out twice', async () => {
    const at = place();
    const before = await ring(at, true);
    const made = await before.create(ids(3));
    await before.erase([made[2]!]);
    await before.close();
    const after = await ring(at);
    expect(after.groups()).toEqual([
      { group: made[0]!.group, slot: 1, state: 'live' },
      { group: made[1]!.group, slot: 2, state: 'live' },
      { group: made[2]!.group, slot: 3, state: 'erased' },
    ]);
    expect(after.publicKey(made[0]!.group)).toBe(made[0]!.key);
    expect((await after.create(ids(1)))[0]?.slot).toBe(4);
    expect(codes(after)).toEqual([]);
  });

  it('serves concurrent callers with different slots, and refuses a group that has one', async () => {
    const keyring = await ring(place(), true);
    const wanted = ids(10);
    const made = await Promise.all(wanted.map((group) => keyring.create([group])));
    expect(new Set(made.flat().map(({ slot }) => slot)).size).toBe(10);
    await expect(keyring.create(wanted)).rejects.toMatchObject({ code: 'keyring.taken' });
  });

  it('gives an origin key per group, the same each time, and none for what is not live', async () => {
    const keyring = await ring(place(), true);
    const [one, two] = await keyring.create(ids(2));
    const key = keyring.originKey(one!.group);
    expect(key).toHaveLength(32);
    expect(keyring.originKey(one!.group)?.equals(key!)).toBe(true);
    expect(keyring.originKey(two!.group)?.equals(key!)).toBe(false);
    expect(keyring.originKey(newHex())).toBeNull();
  });

  it('V9 V10 erases in place in both copies, opens nothing from then on, and may be asked again', async () => {
    const at = place();
    const keyring = await ring(at, true);
    const [made] = await keyring.create(ids(1));
    const { row } = wrapFor(made!.group, made!.key);
    const key = slotOf(paths(at)[0], 1).subarray(24, 56);
    const inodes = paths(at).map((path) => statSync(path).ino);
    const told: GroupId[] = [];
    keyring.onErase((group) => told.push(group));
    expect(await keyring.erase([made!])).toBe(true);
    expect(await keyring.erase([made!])).toBe(true);
    for (const path of paths(at)) expect(readFileSync(path).includes(key)).toBe(false);
    expect(paths(at).map((path) => statSync(path).ino)).toEqual(inodes);
    expect(keyring.openWrap(row)).toBeNull();
    expect(keyring.originKey(made!.group)).toBeNull();
    expect(keyring.stateOf(made!.group)).toBe('erased');
    expect(told).toEqual([made!.group, made!.group]);
  });

  it('V9 overwrites a damaged slot by its number, and never the slot of another group', async () => {
    const at = place();
    const before = await ring(at, true);
    const [lost, other] = await before.create(ids(2));
    await before.close();
    for (const path of paths(at)) tamper(path, 1, Buffer.alloc(64, 0x5a));
    const keyring = await ring(at);
    expect(keyring.stateOf(lost!.group)).toBeNull();
    expect(keyring.isDamaged(1)).toBe(true);
    expect(await keyring.erase([{ group: lost!.group, slot: 1 }])).toBe(true);
    expect(keyring.stateOf(lost!.group)).toBe('erased');
    const stray = keyring.erase([{ group: newHex(), slot: other!.slot }]);
    await expect(stray).rejects.toMatchObject({ code: 'keyring.no-slot' });
    expect(keyring.publicKey(other!.group)).toBe(other!.key);
  });

  it('V9 leaves an erasure undone while the second copy is away, and finishes it when it is back', async () => {
    const at = place();
    const before = await ring(at, true);
    const [made] = await before.create(ids(1));
    await before.close();
    renameSync(at.second, `${at.second}-away`);
    mkdirSync(at.second); // an empty mount point
    const alone = await ring(at);
    expect(codes(alone)).toEqual(['keyring.second-absent']);
    expect(existsSync(join(at.second, 'keys.slots'))).toBe(false);
    expect(await alone.erase([made!])).toBe(false);
    expect(alone.publicKey(made!.group)).toBeNull();
    await alone.close();
    rmSync(at.second, { recursive: true });
    renameSync(`${at.second}-away`, at.second);
    const both = await ring(at);
    expect(both.stateOf(made!.group)).toBe('erased');
    expect(codes(both)).toEqual(['keyring.repaired']);
    expect(await both.erase([made!])).toBe(true);
  });

  it('V9 remembers a second copy that the settings forgot', async () => {
    const at = place();
    const before = await ring(at, true);
    const [made] = await before.create(ids(1));
    await before.close();
    const forgetful = await ring({ ...at, second: null });
    expect(codes(forgetful)).toEqual(['keyring.second-absent']);
    expect(await forgetful.erase([made!])).toBe(false);
  });

  it('works with one copy, says so each time, and takes a second one later', async () => {
    const at = place();
    const before = await ring({ ...at, second: null }, true);
    expect(codes(before)).toEqual(['keyring.no-second']);
    const [made] = await before.create(ids(1));
    await before.close();
    const both = await ring(at);
    expect(codes(both)).toEqual(['keyring.repaired']);
    expect(slotOf(paths(at)[1], 1).equals(slotOf(paths(at)[0], 1))).toBe(true);
    expect(await both.erase([made!])).toBe(true);
  });

  it('makes the first copy again from the second', async () => {
    const at = place();
    const before = await ring(at, true);
    const made = await before.create(ids(2));
    await before.erase([made[1]!]);
    await before.close();
    rmSync(paths(at)[0]);
    const after = await ring(at);
    expect(codes(after)).toEqual(['keyring.first-restored', 'keyring.repaired']);
    expect(after.publicKey(made[0]!.group)).toBe(made[0]!.key);
    expect(after.stateOf(made[1]!.group)).toBe('erased');
  });

  it('refuses to start without any copy, and to make one over another', async () => {
    const at = place();
    await expect(Keyring.open(at)).rejects.toMatchObject({ code: 'keyring.absent' });
    const keyring = await ring(at, true);
    await keyring.create(ids(1));
    await expect(Keyring.create(at)).rejects.toMatchObject({ code: 'keyring.exists' });
    const elsewhere = Keyring.create({ ...at, dir: join(scratch(), 'new') });
    await expect(elsewhere).rejects.toMatchObject({ code: 'keyring.exists' });
  });

  it('V7 refuses a second copy of another collector, and touches neither', async () => {
    const [mine, theirs] = [place(), place()];
    const [a, b] = [await ring(mine, true), await ring(theirs, true)];
    await a.create(ids(1));
    await b.create(ids(2));
    await Promise.all([a.close(), b.close()]);
    const before = readFileSync(paths(theirs)[1]);
    const mixed = Keyring.open({ ...mine, second: theirs.second });
    await expect(mixed).rejects.toMatchObject({ code: 'keyring.mismatch' });
    expect(readFileSync(paths(theirs)[1]).equals(before)).toBe(true);
  });

  it('keeps private halves out of errors and out of what can be printed', async () => {
    const at = place();
    const keyring = await ring(at, true);
    const [made] = await keyring.create(ids(1));
    const key = slotOf(paths(at)[0], 1).subarray(24, 56);
    const texts = [key.toString('hex'), key.toString('base64url'), key.toString('base64')];
    const said = JSON.stringify([keyring, made, keyring.groups(), keyring.findings]);
    for (const text of texts) expect(said).not.toContain(text);
  });
});

describe('the two copies of one slot', () => {
  const group = newHex<GroupId>();
  const live: Slot = { state: 'live', group, crc: 1 };
  const gone: Slot = { state: 'erased', group, crc: 2 };
  const torn: Slot = { state: 'damaged' };
  const free: Slot = { state: 'free' };
  it.each<[string, Slot, Slot | null, ReturnType<typeof compareSlots>]>([
    ['both live', live, live, 'same'],
    ['V4 absent in the second', live, free, 'repair-second'],
    ['V4 torn in the second', live, torn, 'repair-second'],
    ['V4 absent in the first', free, live, 'repair-first'],
    ['V4 torn in the first', torn, live, 'repair-first'],
    ['V5 erased in the first', gone, live, 'erase-second'],
    ['V5 erased in the second', live, gone, 'erase-first'],
    ['V5 erased in one, torn in the other', torn, gone, 'erase-first'],
    ['V5 erased in one, absent in the other', gone, free, 'erase-second'],
    ['V5 erased in both', gone, gone, 'same'],
    ['V6 torn in both', torn, torn, 'damaged'],
    ['V6 torn in one, absent in the other', torn, free, 'damaged'],
    ['V6 live in both with different keys', live, { ...live, crc: 9 }, 'damaged'],
    ['V6 torn in the only copy', torn, null, 'damaged'],
    ['live in the only copy', live, null, 'same'],
  ])('%s', (_name, a, b, verdict) => {
    expect(compareSlots(a, b)).toBe(verdict);
  });

  it('V7 two groups in one place', () => {
    const other: Slot = { state: 'erased', group: newHex<GroupId>(), crc: 3 };
    expect(() => compareSlots(live, other)).toThrow(/different collectors/);
  });

  it('V4 V5 V6 are carried out on the files, and a second start finds nothing to do', async () => {
    const at = place();
    const before = await ring(at, true);
    const made = await before.create(ids(4));
    await before.close();
    const [first, second] = paths(at);
    tamper(first, 1, Buffer.alloc(64, 7)); // torn in one
    tamper(second, 2, encodeSlot({ state: 'erased', group: made[1]!.group })); // erased in one
    for (const path of [first, second]) tamper(path, 3, Buffer.alloc(64, 7)); // torn in both
    const after = await ring(at);
    expect(after.groups().map(({ slot, state }) => [slot, state])).toEqual([
      [1, 'live'],
      [2, 'erased'],
      [4, 'live'],
    ]);
    expect(after.publicKey(made[0]!.group)).toBe(made[0]!.key);
    expect(after.findings.map(({ code, count }) => [code, count])).toEqual([
      ['keyring.repaired', 2],
      ['keyring.damaged', 1],
    ]);
    expect((await after.create(ids(1)))[0]?.slot).toBe(5);
    await after.close();
    expect(codes(await ring(at))).toEqual(['keyring.damaged']);
    expect(readFileSync(first).subarray(64, 192).equals(readFileSync(second).subarray(64, 192))).toBe(true);
  });
});
