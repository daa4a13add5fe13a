/**
 * Is this the same file? Names move, inodes are used again, sizes shrink and grow back; the first bytes of
 * a log stay. A fingerprint is 24 bits of an HMAC under a key of this state directory: enough to tell the
 * files of one folder apart, too little to confirm what stood in one.
 */
import { createHmac } from 'node:crypto';
import type { FileState } from './follow-state.ts';

/** Bytes of a file's beginning that identify it. */
export const HEAD_BYTES = 1024;

/**
 * Shortest fingerprint that identifies a file under another inode: one whole row, with its two times. Less
 * than that is equal in any two files that begin with the same technician.
 */
export const MIN_COPY_BYTES = 56;

/** A file as it lies on disk now. */
export interface Seen {
  ino: string;
  size: number;
  mtimeMs: number;
  /** The first bytes, at most `HEAD_BYTES`. */
  head: Buffer;
}

interface Fingerprint {
  ino: string;
  fp: number;
  fpLength: number;
}

/** 24 bits over the first `length` bytes. */
export function fingerprint(key: Buffer, head: Buffer, length: number): number {
  return createHmac('sha256', key).update(head.subarray(0, length)).digest().readUIntBE(0, 3);
}

/** True where the file begins as it did when the fingerprint was taken. */
export function beginsAs(file: Fingerprint, seen: Seen, key: Buffer): boolean {
  return seen.head.length >= file.fpLength && fingerprint(key, seen.head, file.fpLength) === file.fp;
}

/** True where it is the same file, or a copy of it. */
export function isSameFile(file: Fingerprint, seen: Seen, key: Buffer): boolean {
  return (seen.ino === file.ino || file.fpLength >= MIN_COPY_BYTES) && beginsAs(file, seen, key);
}

/** True where reading may go on at the stored offset. */
export function continues(file: Fingerprint & { offset: number }, seen: Seen, key: Buffer): boolean {
  return seen.size >= file.offset && isSameFile(file, seen, key);
}

/** Takes over inode and size, and lengthens the fingerprint. The caller has checked `continues`. */
export function observe(file: FileState, seen: Seen, key: Buffer): void {
  file.ino = seen.ino;
  file.size = seen.size;
  if (seen.head.length <= file.fpLength) return;
  file.fpLength = seen.head.length;
  file.fp = fingerprint(key, seen.head, file.fpLength);
}

/** A new generation, to be read from `offset`. */
export function newFile(file: number, seen: Seen, key: Buffer, live: boolean, offset = 0): FileState {
  const fpLength = seen.head.length;
  const fp = fingerprint(key, seen.head, fpLength);
  const { ino, size } = seen;
  return { file, ino, fp, fpLength, size, offset, encoding: 'utf8', skipping: false, live };
}
