/**
 * The escrow: what a lost collector cannot make again, encrypted to a recipient whose private half is never seen
 * here. `keyring.ts` is its only caller; what leaves this file is sealed.
 *
 * Clear content: one line of JSON, then for each slot its index (u32be) and its 64 bytes. It exists in memory only
 * and is zeroed after use.
 *
 * V25 An escrow holds live keys and tombstones, never a key that is erased in either copy.
 * V26 Keys come back from an escrow only where nothing stronger is: a slot that is live or erased stays, and erased in
 *     the escrow is erased.
 */
import { Decrypter, Encrypter } from 'age-encryption';
import { z } from 'zod';
import { TilsynError } from '../protocol/errors.ts';
import type { GroupId } from '../protocol/ids.ts';
import { compareSlots, slotsAt } from './keyring-copies.ts';
import { decodeSlot, encodeSlot, SLOT_BYTES, type Slot, SlotFile } from './slots.ts';

const RECORD_BYTES = 4 + SLOT_BYTES;
const MAX_HEAD_BYTES = 256 * 1024;
const FREE: Slot = { state: 'free' };

const headShape = z.strictObject({
  v: z.literal(1),
  /** Backup that it was made with. */
  backup: z.string(),
  /** Name (origin) of the collector. */
  name: z.string(),
  /** Id of the keyring: the header's. */
  keyring: z.string().regex(/^[0-9a-f]{32}$/),
  /** PEM texts by file name: identity, ledger, CA. */
  files: z.record(z.string(), z.string()),
});
export type EscrowHead = z.infer<typeof headShape>;

/** What an opened escrow holds; `close` zeroes it. */
export interface Escrow {
  head: EscrowHead;
  records(): Iterable<{ index: number; bytes: Buffer }>;
  slots: number;
  close(): void;
}

export interface SlotPlaces {
  /** Folders of both copies; the second null where there is none. */
  dir: string;
  second: string | null;
}

/** @throws TilsynError `backup.recipient` */
export function encrypterFor(recipient: string): Encrypter {
  try {
    if (!recipient.startsWith('age1')) throw new Error('no recipient');
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    return encrypter;
  } catch (cause) {
    throw new TilsynError('backup.recipient', 'reading --keys-to: it is no age recipient', {
      hint: 'Give the public half that age-keygen prints: age1… (never AGE-SECRET-KEY-…).',
      exit: 'usage',
      cause,
    });
  }
}

/** Reads both copies beside a running collector, and seals what is in them (V25). */
export async function sealSlots(
  encrypter: Encrypter,
  places: SlotPlaces,
  head: Omit<EscrowHead, 'v' | 'keyring'>,
): Promise<{ sealed: Uint8Array; live: number }> {
  const { keyring, records } = readBoth(places);
  const text = Buffer.from(`${JSON.stringify({ v: 1, keyring, ...head } satisfies EscrowHead)}\n`);
  const clear = Buffer.concat([text, ...records.flatMap(({ index, bytes }) => [u32(index), bytes])]);
  const live = records.filter(({ bytes }) => decodeSlot(bytes).state === 'live').length;
  for (const secret of [text, ...records.map(({ bytes }) => bytes)]) secret.fill(0);
  try {
    return { sealed: await encrypter.encrypt(clear), live };
  } finally {
    clear.fill(0);
  }
}

function u32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
}

function readBoth({ dir, second }: SlotPlaces): {
  keyring: GroupId;
  records: { index: number; bytes: Buffer }[];
} {
  const one = SlotFile.view(slotsAt(dir));
  const two = second === null ? null : SlotFile.view(slotsAt(second));
  try {
    const [first, other] = one === null ? [two, null] : [one, two];
    const header = [first, other]
      .map((file) => (file === null ? FREE : decodeSlot(file.read(0))))
      .find((s) => s.state === 'header');
    if (first === null || header === undefined || !('group' in header)) throw noKeys();
    const used = new Set<number>();
    for (const file of [first, other]) file?.scan((index) => used.add(index));
    used.delete(0);
    const records = [...used].sort((a, b) => a - b).flatMap((index) => settled(index, first, other));
    return { keyring: header.group, records };
  } finally {
    one?.close();
    two?.close();
  }
}

/** The bytes that both copies come to at this index; none where they are damaged. */
function settled(index: number, first: SlotFile, other: SlotFile | null): { index: number; bytes: Buffer }[] {
  const [a, b] = [first.read(index), other?.read(index) ?? null];
  const verdict = compareSlots(decodeSlot(a), b === null ? null : decodeSlot(b));
  const [kept, left] = verdict.endsWith('first') && b !== null ? [b, a] : [a, b];
  left?.fill(0);
  if (verdict !== 'damaged') return [{ index, bytes: kept }];
  kept.fill(0);
  return [];
}

function noKeys(): TilsynError {
  return new TilsynError('keyring.absent', 'reading the keys for the escrow: keys.slots is not there', {
    hint: 'Name the right state directory with --state, or put the second copy back (--keys2).',
    exit: 'integrity',
  });
}

/**
 * Opens an escrow with the private half that a person named.
 * @param identities text of an age identity file
 * @throws TilsynError `escrow.identity`, `escrow.closed`
 */
export async function openEscrow(sealed: Uint8Array, identities: string): Promise<Escrow> {
  const clear = await decrypt(sealed, identities);
  const end = clear.subarray(0, MAX_HEAD_BYTES).indexOf(10);
  const head = headShape.safeParse(parsed(clear.subarray(0, Math.max(0, end)).toString('utf8')));
  const body = clear.subarray(end + 1);
  if (!head.success || body.length % RECORD_BYTES !== 0) throw notOurs();
  return {
    head: head.data,
    slots: body.length / RECORD_BYTES,
    records: () => recordsOf(body),
    close: () => void clear.fill(0),
  };
}

function* recordsOf(body: Buffer): Generator<{ index: number; bytes: Buffer }> {
  for (let at = 0; at < body.length; at += RECORD_BYTES) {
    yield { index: body.readUInt32BE(at), bytes: body.subarray(at + 4, at + RECORD_BYTES) };
  }
}

async function decrypt(sealed: Uint8Array, identities: string): Promise<Buffer> {
  const decrypter = new Decrypter();
  const lines = identities.split(/\r?\n/).filter((line) => /^AGE-SECRET-KEY-/.test(line.trim()));
  try {
    for (const line of lines) decrypter.addIdentity(line.trim());
  } catch (cause) {
    throw noIdentity(cause);
  }
  if (lines.length === 0) throw noIdentity();
  try {
    const clear = await decrypter.decrypt(sealed);
    return Buffer.from(clear.buffer, clear.byteOffset, clear.byteLength);
  } catch (cause) {
    throw new TilsynError(
      'escrow.closed',
      'opening the escrow: this identity does not open it, or it is damaged',
      {
        hint: 'Give the file FILE.keys.age of the same backup with --keys, and the private half of the recipient it was made for with --identity-file.',
        exit: 'integrity',
        cause,
      },
    );
  }
}

function noIdentity(cause?: unknown): TilsynError {
  return new TilsynError('escrow.identity', 'reading --identity-file: it holds no age identity', {
    hint: 'Give the file that age-keygen wrote; it has a line that begins with AGE-SECRET-KEY-1.',
    exit: 'usage',
    cause,
  });
}

function notOurs(): TilsynError {
  return new TilsynError('escrow.foreign', 'opening the escrow: what is in it is no escrow of a collector', {
    hint: 'Give the file FILE.keys.age that `tilsyn collector backup` wrote.',
    exit: 'integrity',
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Lays an escrow's slots into both copies, in place (V26). Safe to repeat; a crash in between is followed by another
 * restore. @throws TilsynError `keyring.mismatch` where a copy belongs to another keyring
 */
export async function laySlots(
  files: readonly SlotFile[],
  { head, records }: Escrow,
  differs: () => Error,
): Promise<void> {
  const header = encodeSlot({ state: 'header', group: head.keyring as GroupId, copies: files.length });
  for (const file of files) {
    const slot = decodeSlot(file.read(0));
    if ('group' in slot && slot.group !== head.keyring) throw differs();
  }
  const all = [...records()];
  for (const file of files) {
    file.grow(all.reduce((most, { index }) => Math.max(most, index + 1), 1));
    for (const { index, bytes } of all)
      if (mayLay(decodeSlot(file.read(index)), decodeSlot(bytes))) file.write(index, bytes);
    file.write(0, header);
    await file.flush();
  }
}

/** What is stronger stays: a tombstone, and a live key that the escrow has too. */
function mayLay(there: Slot, kept: Slot): boolean {
  if (there.state === 'erased' || !('group' in kept)) return false;
  if (there.state === 'live') return kept.state === 'erased' && there.group === kept.group;
  return true;
}
