/** The forms that a leak is made in on purpose, each between bytes that are nothing. */
import { randomBytes } from 'node:crypto';
import { deflateSync, gzipSync } from 'node:zlib';

export interface Leak {
  /** The form under which the searcher must report it. */
  form: string;
  make(text: string): Buffer;
}

const BEFORE = 'level=info msg="';

/** Inside text of the same kind, `shift` bytes off the alignment of base64. */
function among(text: string, shift = 0): Buffer {
  return Buffer.from(`${'.'.repeat(15 + shift)}${text}${BEFORE}`);
}

function between(bytes: Buffer | string): Buffer {
  return Buffer.concat([randomBytes(701), Buffer.from(bytes as string), randomBytes(503)]);
}

function everyByte(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('');
}

const base64: Leak[] = [0, 1, 2].flatMap((shift) =>
  (['base64', 'base64url'] as const).map((kind) => ({
    form: `${kind}+${shift}`,
    make: (text: string) => between(among(text, shift).toString(kind)),
  })),
);

export const LEAKS: readonly Leak[] = [
  { form: 'raw', make: (text) => between(text) },
  { form: 'utf-16le', make: (text) => between(Buffer.from(text, 'utf16le')) },
  { form: 'hex', make: (text) => between(Buffer.from(text).toString('hex')) },
  { form: 'hex upper', make: (text) => between(Buffer.from(text).toString('hex').toUpperCase()) },
  ...base64,
  { form: 'percent', make: (text) => between(encodeURIComponent(text)) },
  { form: 'percent, every byte', make: (text) => between(everyByte(text)) },
  { form: 'gzip > raw', make: (text) => between(gzipSync(among(text))) },
  { form: 'zlib > raw', make: (text) => between(deflateSync(among(text))) },
  { form: 'gzip > base64+1', make: (text) => between(gzipSync(among(text, 1).toString('base64'))) },
];
