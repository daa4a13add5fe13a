/**
 * Bytes of a log file to text. Windows programs write UTF-8 with and without a byte order mark and, some of
 * them, UTF-16LE; nothing else has been seen in the sources that Tilsyn reads.
 */
import { isAscii, isUtf8 } from 'node:buffer';

export type Encoding = 'utf8' | 'utf16le';

/** Encoding of a file by its first bytes, and how many of them are the byte order mark. */
export interface Detected {
  encoding: Encoding;
  markBytes: number;
}

/**
 * Reads the byte order mark. Null while the bytes may still become one (a writer was seen half-way);
 * `final` says that no more will come for now.
 */
export function detectEncoding(head: Uint8Array, final: boolean): Detected | null {
  const [a, b, c] = head;
  if (a === 0xff && b === 0xfe) return { encoding: 'utf16le', markBytes: 2 };
  if (a === 0xef && b === 0xbb && c === 0xbf) return { encoding: 'utf8', markBytes: 3 };
  // UTF-16LE without a mark: the high byte of the first, Latin, character. A run of NULs is damage, not text.
  if (a !== 0 && b === 0) return { encoding: 'utf16le', markBytes: 0 };
  const open = head.length < 2 || (head.length < 3 && a === 0xef && b === 0xbb);
  return open && !final ? null : { encoding: 'utf8', markBytes: 0 };
}

/** Bytes of a character's smallest unit: lines start and end on a multiple of it. */
export function unitBytes(encoding: Encoding): number {
  return encoding === 'utf8' ? 1 : 2;
}

/** Index of the next line feed at or after `from`, or -1. `from` is on a unit. */
export function findLineFeed(bytes: Buffer, from: number, encoding: Encoding): number {
  let at = bytes.indexOf(10, from);
  if (encoding === 'utf8') return at;
  while (at !== -1 && !((at - from) % 2 === 0 && bytes[at + 1] === 0)) at = bytes.indexOf(10, at + 1);
  return at;
}

export interface Decoded {
  text: string;
  /** False where some bytes are not text; each run of them stands as U+FFFD, the rest is as written. */
  clean: boolean;
}

/**
 * Bytes `start` to `end` to one line's text, without its carriage return. `plain`: the caller knows that all
 * of them are 7-bit text.
 */
export function decodeLine(
  bytes: Buffer,
  start: number,
  end: number,
  encoding: Encoding,
  plain: boolean,
): Decoded {
  if (encoding === 'utf16le') return decodeWide(bytes, start, end);
  const stop = end > start && bytes[end - 1] === 13 ? end - 1 : end;
  if (plain) return { text: bytes.toString('latin1', start, stop), clean: true };
  const text = withoutMark(bytes.toString('utf8', start, stop));
  // U+FFFD may also have been written by the program itself; only then is the slower check needed.
  const clean = !text.includes('\0') && (!text.includes('\ufffd') || isUtf8(bytes.subarray(start, stop)));
  return { text, clean };
}

function decodeWide(bytes: Buffer, start: number, end: number): Decoded {
  const whole = end - ((end - start) % 2);
  const text = withoutMark(bytes.toString('utf16le', start, whole).replace(/\r$/, ''));
  const clean = text.isWellFormed() && !text.includes('\0');
  return { text: clean ? text : text.toWellFormed(), clean };
}

/** True where every byte is 7-bit text: then latin1 decoding, the fastest, is exact. */
export function isPlain(bytes: Buffer): boolean {
  return isAscii(bytes) && !bytes.includes(0);
}

/** Files joined with `copy a+b` carry a mark in the middle, at the start of a line. */
function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
