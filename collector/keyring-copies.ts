/**
 * The two copies of `keys.slots`, and how they are brought together at start.
 *
 * V4  Live in one copy and absent or torn in the other: repaired from the good one.
 * V5  Erased in either copy is erased in both.
 * V6  Damaged in both is damaged: reported, never counted as an erasure, never given out again.
 * V7  A copy that belongs to another keyring is refused, not merged.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TilsynError } from '../protocol/errors.ts';
import { type GroupId, newId, type Random } from '../protocol/ids.ts';
import { ensureStateDir } from './files.ts';
import { decodeSlot, encodeSlot, type Slot, SlotFile } from './slots.ts';

export const SLOTS_NAME = 'keys.slots';

export function slotsAt(folder: string): string {
  return join(folder, SLOTS_NAME);
}

/** What is wrong with the keyring, for a person to see. No key, and no group unless a slot names it. */
export interface KeyringFinding {
  code:
    | 'keyring.no-second'
    | 'keyring.second-absent'
    | 'keyring.first-restored'
    | 'keyring.repaired'
    | 'keyring.damaged';
  message: string;
  /** How many slots. */
  count: number;
}

export interface Copies {
  first: SlotFile;
  /** Null: none, or not there at present. */
  second: SlotFile | null;
  /** True where a second copy exists somewhere, whether it is there or not. */
  hasSecond: boolean;
  findings: KeyringFinding[];
}

export interface CopiesOptions {
  dir: string;
  /** A folder on another device; null: none. */
  second: string | null;
  random: Random;
  /** True: `second` is a new one; it is made even where another second copy exists. */
  fresh?: boolean;
}

/**
 * Makes both files, zeroed, with their header; the first copy last, so that a crash can be followed by another
 * try, or by `openCopies` where the first copy is there already.
 * @throws TilsynError `keyring.exists`
 */
export async function createCopies({ dir, second, random }: CopiesOptions): Promise<void> {
  if (existsSync(slotsAt(dir))) throw exists(EMPTY_STATE);
  const group = newId<'group'>(random);
  const header = encodeSlot({ state: 'header', group, copies: second === null ? 1 : 2 });
  for (const folder of second === null ? [dir] : [second, dir]) {
    ensureStateDir(folder);
    const path = slotsAt(folder);
    const file = SlotFile.open(path) ?? SlotFile.create(path);
    try {
      if (isUsed(file)) throw exists(folder === second ? REMOVE_SECOND : EMPTY_STATE);
      file.write(0, header);
      await file.flush();
    } finally {
      file.close();
    }
  }
}

/** Before anything else of a collector is made. @throws TilsynError `keyring.exists` */
export function refuseUsedSecond(folder: string): void {
  const file = SlotFile.open(slotsAt(folder));
  if (file === null) return;
  try {
    if (isUsed(file)) throw exists(REMOVE_SECOND);
  } finally {
    file.close();
  }
}

function isUsed(file: SlotFile): boolean {
  let used = false;
  file.scan((index) => {
    used ||= index > 0;
  });
  return used;
}

const EMPTY_STATE = 'Start the collector on this state directory, or name an empty one.';
const REMOVE_SECOND =
  'The folder of --keys2 holds keys.slots with keys. If an interrupted init left it, remove that file; if it may be another collector’s second copy, keep it and name another folder.';

function exists(hint: string): TilsynError {
  return new TilsynError('keyring.exists', 'making the keys of key groups: there are some already', {
    hint,
    exit: 'conflict',
  });
}

/**
 * Opens what there is.
 * @throws TilsynError `keyring.absent` where neither copy is there; `keyring.mismatch` (V7)
 */
export async function openCopies({ dir, second, random, fresh }: CopiesOptions): Promise<Copies> {
  const findings: KeyringFinding[] = [];
  let one = SlotFile.open(slotsAt(dir));
  let two = second === null ? null : SlotFile.open(slotsAt(second));
  if (one === null && two === null) throw absent();
  const header = closingOnError([one, two], () => headerOf(one, two, random));
  if (one === null) {
    one = SlotFile.create(slotsAt(dir));
    findings.push({
      code: 'keyring.first-restored',
      message: 'the first copy of the keys was missing and was made again from the second',
      count: 0,
    });
  }
  const expected = header.copies === 2;
  if (two === null && second !== null && (!expected || fresh === true)) {
    ensureStateDir(second);
    two = SlotFile.create(slotsAt(second));
  }
  if (two === null) findings.push(expected ? SECOND_ABSENT : NO_SECOND);
  const hasSecond = expected || two !== null;
  // A crash after this leaves a new copy without its slots: they are absent there, and `reconcile` fills them.
  await writeHeader(one, two, { ...header, copies: hasSecond ? 2 : 1 });
  return { first: one, second: two, hasSecond, findings };
}

function closingOnError<T>(files: readonly (SlotFile | null)[], act: () => T): T {
  try {
    return act();
  } catch (error) {
    for (const file of files) file?.close();
    throw error;
  }
}

const NO_SECOND: KeyringFinding = {
  code: 'keyring.no-second',
  message: 'there is one copy of the keys: a lost disk would take all personal data with it (set --keys2)',
  count: 0,
};
const SECOND_ABSENT: KeyringFinding = {
  code: 'keyring.second-absent',
  message:
    'the second copy of the keys is not there: nothing can be erased completely until it is back, or another takes its place (`tilsyn collector keys2`)',
  count: 0,
};

function absent(): TilsynError {
  return new TilsynError('keyring.absent', 'opening the keys of key groups: keys.slots is not there', {
    hint: 'Name the right state directory with --state, or put the second copy back (--keys2). If both are lost: docs/guide/restore.md.',
    exit: 'integrity',
  });
}

type Header = { state: 'header'; group: GroupId; copies: number };

function headerOf(one: SlotFile | null, two: SlotFile | null, random: Random): Header {
  const found = [one, two].map((file) => (file === null ? null : decodeSlot(file.read(0))));
  const [a, b] = found.map((slot) => (slot?.state === 'header' ? slot : null));
  if (a && b && a.group !== b.group) throw mismatch();
  const header = a ?? b;
  if (header) return { ...header, copies: Math.max(a?.copies ?? 1, b?.copies ?? 1) };
  return { state: 'header', group: newId<'group'>(random), copies: one !== null && two !== null ? 2 : 1 };
}

async function writeHeader(one: SlotFile, two: SlotFile | null, header: Header): Promise<void> {
  const bytes = encodeSlot(header);
  for (const file of [two, one]) {
    if (file === null || file.read(0).equals(bytes)) continue;
    file.write(0, bytes);
    await file.flush();
  }
}

export function mismatch(): TilsynError {
  return new TilsynError(
    'keyring.mismatch',
    'opening the keys of key groups: the two copies belong to different collectors',
    { hint: 'Name the folder of this collector’s own second copy with --keys2.', exit: 'integrity' },
  );
}

export type Verdict = 'same' | 'repair-first' | 'repair-second' | 'erase-first' | 'erase-second' | 'damaged';

/**
 * What to do with one slot of both copies (V4–V6); `b` is null where there is no second copy.
 * @throws TilsynError `keyring.mismatch` (V7)
 */
export function compareSlots(a: Slot, b: Slot | null): Verdict {
  if (b === null) return a.state === 'damaged' ? 'damaged' : 'same';
  if ('group' in a && 'group' in b && a.group !== b.group) throw mismatch();
  if (a.state === 'erased') return b.state === 'erased' ? 'same' : 'erase-second';
  if (b.state === 'erased') return 'erase-first';
  if (a.state === 'live' && b.state === 'live') return a.crc === b.crc ? 'same' : 'damaged';
  if (a.state === 'live') return 'repair-second';
  if (b.state === 'live') return 'repair-first';
  return a.state === 'free' && b.state === 'free' ? 'same' : 'damaged';
}

/** What one index holds once both copies agree. */
export type Settled = { index: number; state: 'live' | 'erased'; group: GroupId };

/** Brings both copies together, durable before this resolves. A crash in between: the next start does it again. */
export async function reconcile(copies: Copies): Promise<{ slots: Settled[]; damaged: number[] }> {
  const { first, second, findings } = copies;
  const most = Math.max(first.slots, second?.slots ?? 0);
  first.grow(most);
  second?.grow(most);
  const seen = new Map<number, [Slot, Slot | null]>();
  const free = { state: 'free' } as const;
  first.scan((index, slot) => seen.set(index, [slot, second === null ? null : free]));
  second?.scan((index, slot) => seen.set(index, [seen.get(index)?.[0] ?? free, slot]));
  seen.delete(0);
  const damaged: number[] = [];
  const slots: Settled[] = [];
  let repaired = 0;
  const pairs = [...seen].sort(([x], [y]) => x - y);
  // Judged before the first write: of two copies that do not belong together neither is touched (V7).
  const verdicts = closingOnError([first, second], () => pairs.map(([, [a, b]]) => compareSlots(a, b)));
  for (const [i, [index, [a, b]]] of pairs.entries()) {
    const verdict = verdicts[i] ?? 'damaged';
    if (verdict === 'damaged') damaged.push(index);
    else if (verdict !== 'same') repaired += settle(copies, index, verdict);
    const kept = verdict.endsWith('first') ? b : a;
    if (verdict !== 'damaged' && kept !== null && 'crc' in kept) {
      slots.push({ index, state: kept.state, group: kept.group });
    }
  }
  if (repaired > 0) await Promise.all([first.flush(), second?.flush()]);
  if (repaired > 0) findings.push(repairedFinding(repaired));
  if (damaged.length > 0) findings.push(damagedFinding(damaged.length));
  return { slots, damaged };
}

/** Copies the good slot, tombstones included, over the other one: in both cases the whole 64 bytes. */
function settle({ first, second }: Copies, index: number, verdict: Verdict): number {
  const [from, to] = verdict.endsWith('first') ? [second, first] : [first, second];
  const bytes = from?.read(index);
  if (bytes === undefined || to === null) return 0;
  to.write(index, bytes);
  bytes.fill(0);
  return 1;
}

function repairedFinding(count: number): KeyringFinding {
  return { code: 'keyring.repaired', message: 'slots differed between the copies and were repaired', count };
}

function damagedFinding(count: number): KeyringFinding {
  return { code: 'keyring.damaged', message: 'slots are unreadable in every copy', count };
}
