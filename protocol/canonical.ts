/**
 * Canonical bytes (RFC 8785) and the hashes of the log (RFC 6962, section 2.1). All hashing of the product's
 * records happens here.
 *
 * X1  A record has exactly one canonical text; any other text of the same value is refused, never repaired.
 * X2  Leaf and node hashes are RFC 6962's, so that other people's tools can check a log.
 */
import { createHash, hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { TilsynError } from './errors.ts';

/**
 * RFC 8785 text of a JSON value. Text is made well-formed first by `wellFormed`; a lone surrogate that still
 * gets here is an error of the caller.
 * @throws TilsynError `canonical.unencodable`
 */
export function canonical(value: unknown): string {
  try {
    const text = canonicalize(value);
    if (text !== undefined) return text;
  } catch (cause) {
    throw new TilsynError('canonical.unencodable', 'encoding a record: it has no canonical form', { cause });
  }
  throw new TilsynError('canonical.unencodable', 'encoding a record: it has no canonical form');
}

/** True where `text` is the canonical form of the value that it parses to: no duplicate keys, no other order. */
export function isCanonical(text: string, parsed: unknown): boolean {
  // RFC 8785 writes strings and numbers as `JSON.stringify` does: with keys in order the two are one, but for lone
  // surrogates, which have no canonical form. Ten times as fast; what fails here is looked at the long way.
  if (inOrder(parsed, SHALLOW) && JSON.stringify(parsed) === text && !text.includes('\\ud')) return true;
  try {
    return canonicalize(parsed) === text;
  } catch {
    return false;
  }
}

/** What is nested deeper than this is looked at the long way, which does not recurse on the stack. */
const SHALLOW = 16;

/** Keys by code unit in every object of a value that was parsed, which is not nested deeper than `depth`. */
function inOrder(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.every((item) => inOrder(item, depth - 1));
  let before: string | null = null;
  for (const key of Object.keys(value)) {
    if (before !== null && before >= key) return false;
    if (!inOrder((value as Record<string, unknown>)[key], depth - 1)) return false;
    before = key;
  }
  return true;
}

/** `canonical` for a value that came out of `JSON.parse`: the short way where the keys are in order already. */
export function canonicalParsed(value: unknown): string {
  if (inOrder(value, SHALLOW)) {
    const text = JSON.stringify(value);
    if (!text.includes('\\ud')) return text;
  }
  return canonical(value);
}

/** The same value with every string passed through `toWellFormed()`. */
export function wellFormed<T>(value: T): T {
  if (typeof value === 'string') return value.toWellFormed() as T;
  if (Array.isArray(value)) return value.map(wellFormed) as T;
  if (typeof value === 'object' && value !== null) {
    // fromEntries rather than assignment: a key called `__proto__` stays a key.
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key.toWellFormed(), wellFormed(item)]),
    ) as T;
  }
  return value;
}

export function sha256(bytes: Uint8Array | string): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** SHA-256 of what does not fit into memory, piece by piece. */
export function sha256Of(pieces: Iterable<Uint8Array>): Buffer {
  const hashing = createHash('sha256');
  for (const piece of pieces) hashing.update(piece);
  return hashing.digest();
}

/** SHA-256 of what comes in pieces that are not there at once, as of a file. */
export class Sha256 {
  readonly #hash = createHash('sha256');

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Once, at the end. */
  digest(): Buffer {
    return this.#hash.digest();
  }
}

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

/** RFC 6962 leaf hash of a record's canonical text: SHA-256(0x00 ‖ bytes). 32 bytes. */
export function leafHash(text: string | Uint8Array): Buffer {
  // In one call for text, which is what every event at ingest is: U+0000 is the byte 0x00 in UTF-8.
  if (typeof text === 'string') return hash('sha256', `\0${text}`, 'buffer');
  return createHash('sha256').update(LEAF).update(text).digest();
}

/** RFC 6962 inner node: SHA-256(0x01 ‖ left ‖ right). 32 bytes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash('sha256').update(NODE).update(left).update(right).digest();
}
