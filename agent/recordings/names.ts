/**
 * Byte strings (one character per byte) and what the system calls and people want instead. Names of recordings may hold
 * anything but a slash and a zero byte, and are not always UTF-8.
 */
import type { ByteName } from './types.ts';

/** For a system call. On Windows names are text; there the byte string is that of their UTF-8. */
export function toBytes(name: ByteName): Buffer {
  return Buffer.from(name, 'latin1');
}

/** The same for a system call, without a copy where the name is ASCII: most are, and a pass makes a million calls. */
export function forSystem(path: ByteName): string | Buffer {
  return NOT_ASCII.test(path) ? toBytes(path) : path;
}

export function fromBytes(bytes: Uint8Array): ByteName {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** For a person: UTF-8, with what is none, and what a terminal would act on, shown as `\xNN`. */
export function shown(name: ByteName): string {
  const bytes = toBytes(name);
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd') && Buffer.from(text, 'utf8').equals(bytes))
    return text.replace(CONTROL, escaped);
  return name.replace(NOT_PRINTABLE, escaped);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const NOT_ASCII = /[\x80-\xff]/;
const NOT_PRINTABLE = /[^\x20-\x7e]/g;

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
