/**
 * Sealing of personal data: commitments, sealed parts and wraps, byte for byte as `docs/design/protocol.md`
 * says. Nothing else in the product encrypts. Random bytes are handed in.
 *
 * P1  A leaf holds of personal data only a commitment: HMAC under 32 fresh random bytes.
 * P2  A sealed part opens only with its group's key, for the log, seq and group it was made for.
 * P3  Moving a part to another group changes wrap, nonce and AAD, never P, r or c.
 * P4  What opens is no larger than what may be sealed, so that whatever opens can be sealed anew.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import { canonical, canonicalParsed } from './canonical.ts';
import { TilsynError } from './errors.ts';
import { fromB64, type GroupId, type Id, idBytes, type LogId, type Random, toB64 } from './ids.ts';
import { publicKey, publicText } from './sign.ts';

/** Sealed parts are padded to a multiple of this, so that a length says little. */
export const PAD_BYTES = 256;
/** Largest canonical P. */
export const MAX_PART_BYTES = 16 * 1024;
/** A content key serves this many parts, or one hour, whichever comes first. */
export const CONTENT_KEY_PARTS = 10_000;
export const CONTENT_KEY_MS = 3_600_000;

const COMMIT_LABEL = Buffer.from('tilsyn/pii/v1\0');
const WRAP_INFO = 'tilsyn/wrap/v1';
const NONCE = 12;
const TAG = 16;
// {"p":…,"r":"<43>"} is 56 characters around P, and the length before it 4 bytes.
export const MAX_BODY_BYTES = NONCE + padded(4 + 56 + MAX_PART_BYTES) + TAG;

function padded(bytes: number): number {
  return Math.ceil(bytes / PAD_BYTES) * PAD_BYTES;
}

/** What a part belongs to. `group` is the leaf's, for ever; `under` is the group it lies under now. */
export interface PartPlace {
  log: LogId;
  seq: number;
  group: GroupId;
  under: GroupId;
}

export type Personal = Record<string, unknown>;

export interface OpenedPart {
  p: Personal;
  r: Buffer;
}

/** log ‖ seq ‖ group: 16, 8 and 16 bytes. */
const PLACE_BYTES = 40;

/** Writes where a part belongs; returns the offset behind it. One buffer in one call costs half of five updates. */
function writePlace(out: Buffer, at: number, log: LogId, seq: number, group: GroupId): number {
  out.write(log, at, 16, 'hex');
  out.writeUInt32BE(Math.floor(seq / 2 ** 32), at + 16);
  out.writeUInt32BE(seq >>> 0, at + 20);
  out.write(group, at + 24, 16, 'hex');
  return at + PLACE_BYTES;
}

function commitmentOf(r: Uint8Array, { log, seq, group }: PartPlace, canonicalP: string): Buffer {
  const text = Buffer.byteLength(canonicalP);
  const bytes = Buffer.alloc(COMMIT_LABEL.length + PLACE_BYTES + text);
  const at = writePlace(bytes, COMMIT_LABEL.copy(bytes), log, seq, group);
  bytes.write(canonicalP, at);
  const c = createHmac('sha256', r).update(bytes).digest();
  bytes.fill(0);
  return c;
}

/** `c` of a leaf's `pii` entry, base64url of 32 bytes. `r` = 32 random bytes. */
export function commitment(r: Uint8Array, place: PartPlace, p: Personal): string {
  return toB64(commitmentOf(r, place, canonical(p)));
}

function aad({ log, seq, under }: PartPlace, c: string): Buffer {
  const bytes = Buffer.alloc(PLACE_BYTES + 32);
  bytes.write(c, writePlace(bytes, 0, log, seq, under), 'base64url');
  return bytes;
}

/**
 * Seals P: `nonce(12) ‖ AES-256-GCM(u32be(len) ‖ JCS({p, r}) ‖ zeros) ‖ tag(16)`.
 * @throws TilsynError `seal.too-large` where JCS(P) is over 16 KiB
 */
export function sealPart(
  contentKey: Uint8Array,
  place: PartPlace,
  p: Personal,
  random: Random,
  r: Buffer = random(32),
): { c: string; body: Buffer } {
  const canonicalP = canonical(p);
  if (Buffer.byteLength(canonicalP) > MAX_PART_BYTES) {
    throw new TilsynError('seal.too-large', `sealing a part: over ${MAX_PART_BYTES} bytes`);
  }
  const c = toB64(commitmentOf(r, place, canonicalP));
  // JCS orders keys by code unit: "p" before "r", so the text can be put together without a second pass.
  const text = Buffer.from(`{"p":${canonicalP},"r":"${toB64(r)}"}`, 'utf8');
  const clear = Buffer.alloc(padded(4 + text.length));
  clear.writeUInt32BE(text.length);
  text.copy(clear, 4);
  const nonce = random(NONCE);
  const cipher = createCipheriv('aes-256-gcm', contentKey, nonce);
  cipher.setAAD(aad(place, c));
  const body = Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
  clear.fill(0);
  text.fill(0);
  return { c, body };
}

/** Opens a part and checks it against `c`. Null where key, place, bytes or commitment do not agree. Never throws. */
export function openPart(
  contentKey: Uint8Array,
  place: PartPlace,
  c: string,
  body: Uint8Array,
): OpenedPart | null {
  const expected = fromB64(c, 32);
  if (expected === null || body.length < NONCE + PAD_BYTES + TAG || body.length > MAX_BODY_BYTES) return null;
  const clear = decrypt(contentKey, aad(place, c), body);
  if (clear === null) return null;
  const opened = readClear(clear);
  clear.fill(0);
  if (opened === null) return null;
  try {
    const canonicalP = canonicalParsed(opened.p);
    // Padding leaves room for a P that `sealPart` would refuse (P4).
    if (Buffer.byteLength(canonicalP) > MAX_PART_BYTES) return null;
    const actual = commitmentOf(opened.r, place, canonicalP);
    return timingSafeEqual(actual, expected) ? opened : null;
  } catch {
    // A lone surrogate in P: no canonical form, so no commitment can be its.
    return null;
  }
}

function decrypt(key: Uint8Array, associated: Buffer, body: Uint8Array): Buffer | null {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, NONCE));
    decipher.setAAD(associated);
    decipher.setAuthTag(body.subarray(body.length - TAG));
    return Buffer.concat([decipher.update(body.subarray(NONCE, body.length - TAG)), decipher.final()]);
  } catch {
    return null;
  }
}

function readClear(clear: Buffer): OpenedPart | null {
  const length = clear.readUInt32BE(0);
  if (length > clear.length - 4) return null;
  try {
    const value: unknown = JSON.parse(clear.toString('utf8', 4, 4 + length));
    if (typeof value !== 'object' || value === null || !('p' in value) || !('r' in value)) return null;
    if (typeof value.p !== 'object' || value.p === null || typeof value.r !== 'string') return null;
    const r = fromB64(value.r, 32);
    return r === null ? null : { p: value.p as Personal, r };
  } catch {
    return null;
  }
}

/** A content key closed to a group's public key. `body` = eph(32) ‖ nonce(12) ‖ ciphertext(32) ‖ tag(16). */
export interface Wrap {
  id: Id<'wrap'>;
  group: GroupId;
  body: Buffer;
}

export const WRAP_BYTES = 32 + NONCE + 32 + TAG;
// PKCS 8 header of a raw X25519 private key (RFC 8410).
const X25519_PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** An X25519 private key of 32 raw bytes. */
export function x25519Private(raw: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([X25519_PKCS8, raw]), format: 'der', type: 'pkcs8' });
}

function wrapKey(shared: Uint8Array, eph: Uint8Array, groupKey: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', shared, Buffer.concat([eph, groupKey]), WRAP_INFO, 32));
}

function wrapAad(id: Id, log: LogId, group: GroupId): Buffer {
  return Buffer.concat([idBytes(id), idBytes(log), idBytes(group)]);
}

/** Closes `contentKey` to a group's public key (base64url). */
export function makeWrap(
  groupKey: string,
  log: LogId,
  group: GroupId,
  contentKey: Uint8Array,
  random: Random,
): Wrap {
  const id = random(16).toString('hex') as Id<'wrap'>;
  const ephemeral = x25519Private(random(32));
  const eph = Buffer.from(publicText(ephemeral), 'base64url');
  const shared = diffieHellman({ privateKey: ephemeral, publicKey: publicKey(groupKey, 'X25519') });
  const key = wrapKey(shared, eph, Buffer.from(groupKey, 'base64url'));
  const nonce = random(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(wrapAad(id, log, group));
  const closed = Buffer.concat([cipher.update(contentKey), cipher.final(), cipher.getAuthTag()]);
  key.fill(0);
  return { id, group, body: Buffer.concat([eph, nonce, closed]) };
}

/** The content key of a wrap, 32 bytes; null where key, log, group or bytes do not agree. */
export function openWrap(privateKey: KeyObject, groupKey: string, log: LogId, wrap: Wrap): Buffer | null {
  if (wrap.body.length !== WRAP_BYTES) return null;
  const eph = wrap.body.subarray(0, 32);
  try {
    const shared = diffieHellman({ privateKey, publicKey: publicKey(toB64(eph), 'X25519') });
    const key = wrapKey(shared, eph, Buffer.from(groupKey, 'base64url'));
    return decrypt(key, wrapAad(wrap.id, log, wrap.group), wrap.body.subarray(32));
  } catch {
    return null;
  }
}
