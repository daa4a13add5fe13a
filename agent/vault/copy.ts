/**
 * One copy, from the open original to a verified file of its own. What is on the disk at each step is said where it changes;
 * who calls stores it.
 *
 * I5  A copy is whole or it is nothing: its SHA-256 is that of what was read of the original, it was read again from the
 *     finished file, and the original was the same file, of the same size and time of change, before and after. What grows
 *     meanwhile is tried again, what was cut off or replaced is told.
 * I6  The original is opened through its folder below the accepted root, without following a link, and only read (C18).
 * I7  A copy has its original's times (H9).
 */
import { type BigIntStats, closeSync, fstatSync, fsync, futimesSync, openSync, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { Sha256 } from '../../protocol/canonical.ts';
import { codeOf, hasCode } from '../../protocol/errors.ts';
import { cloneFile, createFile, removeFile } from '../files.ts';
import type { FaultSeam } from '../types.ts';

const readAsync = promisify(read);
const writeAsync = promisify(write);
const fsyncAsync = promisify(fsync);

const SLICE_BYTES = 512 * 1024;

export interface CopyDeps {
  faults: FaultSeam;
  /** True: give up at the next slice. */
  stopped(): boolean;
  /** After so many bytes went through the disk: rests as long as the rate asks for. */
  passed(bytes: number): Promise<void>;
  /** False where a clone failed before: not tried for each file. */
  mayClone: boolean;
}

export type CopyOutcome =
  | { is: 'whole'; sizeBytes: number; sha256: Buffer; kept: number; cloned: boolean }
  /** Nothing is left of it. */
  | { is: 'growing' }
  | { is: 'truncated' }
  | { is: 'changed' }
  | { is: 'stopped' }
  | { is: 'failed'; code: string };

/** Bytes and times of a file, as exactly as the system has them. */
export interface Seen {
  size: bigint;
  mtimeNs: bigint;
  ino: bigint;
}

/** What became of the original between two looks; null: nothing. */
export function changeOf(before: Seen, after: Seen): 'truncated' | 'growing' | 'changed' | null {
  if (before.ino !== after.ino) return 'changed';
  if (after.size < before.size) return 'truncated';
  return after.size > before.size || after.mtimeNs !== before.mtimeNs ? 'growing' : null;
}

/** What the catalogue knows of an original. */
export interface Known {
  sizeBytes: number | null;
  inode: number | null;
}

/** Reads what is open as `from` into the new file `to`. Never throws; leaves `to` only where the outcome is `whole`. */
export async function copyOne(deps: CopyDeps, from: number, to: string, known: Known): Promise<CopyOutcome> {
  let outcome: CopyOutcome;
  try {
    outcome = await attempt(deps, from, to, known);
  } catch (error) {
    outcome = { is: 'failed', code: causeOf(error) };
  }
  if (outcome.is !== 'whole') {
    try {
      removeFile(to);
    } catch {
      // It holds nothing of value; the next start removes it.
    }
  }
  return outcome;
}

/** The system's own word, where an error of ours stands before it. */
function causeOf(error: unknown): string {
  if (hasCode(error, 'state.full')) return 'ENOSPC';
  return error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : codeOf(error);
}

async function attempt(deps: CopyDeps, from: number, to: string, known: Known): Promise<CopyOutcome> {
  const before = fstatSync(from, { bigint: true });
  // Asked of what is open: between a look at the name and the opening it may have been cut off.
  if (known.inode !== null && Number(before.ino) !== known.inode) return { is: 'changed' };
  if (known.sizeBytes !== null && before.size < known.sizeBytes) return { is: 'truncated' };
  const cloned = deps.mayClone && cloneFile(from, to);
  const out = cloned ? openSync(to, 'r+') : createFile(to);
  try {
    deps.faults.hit?.('agent.vault.made');
    // A clone is of one moment; it is read itself, because the original may be cut off while it is.
    // No further than it was: whoever writes to it may write faster than this reads.
    const got = await pass(deps, cloned ? out : from, cloned ? null : out, before.size);
    if (got === null) return { is: 'stopped' };
    const after = fstatSync(from, { bigint: true });
    const whole = cloned && fstatSync(out, { bigint: true }).size === before.size;
    const change = whole ? null : changeOf(before, after);
    if (change !== null) return { is: change } as CopyOutcome;
    if (BigInt(got.bytes) !== before.size) return { is: 'growing' };
    futimesSync(out, seconds(before.atimeNs), seconds(before.mtimeNs));
    await fsyncAsync(out);
    deps.faults.hit?.('agent.vault.written');
    const kept = fstatSync(out).ino;
    return { is: 'whole', sizeBytes: got.bytes, sha256: got.sha256, kept, cloned };
  } finally {
    closeSync(out);
  }
}

function seconds(ns: BigIntStats['mtimeNs']): number {
  return Number(ns / 1_000n) / 1_000_000;
}

/** Reads to the end or the limit in slices, and writes where `out` is one; null: stopped in between. */
async function pass(
  { faults, stopped, passed }: CopyDeps,
  from: number,
  out: number | null,
  limit: bigint | number,
): Promise<{ bytes: number; sha256: Buffer } | null> {
  const hashing = new Sha256();
  const slice = Buffer.allocUnsafe(SLICE_BYTES);
  for (let bytes = 0; ; ) {
    if (stopped()) return null;
    const most = Math.min(SLICE_BYTES, Number(limit) - bytes);
    const { bytesRead } = most === 0 ? { bytesRead: 0 } : await readAsync(from, slice, 0, most, bytes);
    if (bytesRead === 0) return { bytes, sha256: hashing.digest() };
    const piece = slice.subarray(0, bytesRead);
    hashing.add(piece);
    for (let at = 0; out !== null && at < bytesRead; ) {
      at += (await writeAsync(out, piece, at, bytesRead - at, bytes + at)).bytesWritten;
    }
    bytes += bytesRead;
    faults.hit?.('agent.vault.slice');
    await passed(bytesRead);
  }
}

/** Whether a finished file is what was read of its original. A text: why that cannot be said now. */
export async function verify(
  deps: Pick<CopyDeps, 'faults' | 'stopped' | 'passed'>,
  path: string,
  expected: { sizeBytes: number; sha256: Buffer },
): Promise<'same' | 'differs' | 'absent' | 'stopped' | 'unreadable'> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    return hasCode(error, 'ENOENT') ? 'absent' : 'unreadable';
  }
  try {
    const got = await pass({ ...deps, mayClone: false, faults: {} }, fd, null, expected.sizeBytes + 1);
    if (got === null) return 'stopped';
    return got.bytes === expected.sizeBytes && got.sha256.equals(expected.sha256) ? 'same' : 'differs';
  } catch {
    return 'unreadable';
  } finally {
    closeSync(fd);
  }
}
