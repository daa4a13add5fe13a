/**
 * Signatures. Every one is Ed25519 over `"tilsyn/<name>/v1" ‖ 0 ‖ JCS(object without sig)`; the name keeps a
 * signature made for one purpose from being read as another. Nothing else in the product signs or verifies;
 * what goes to webhooks is signed with a shared secret, because their receivers are other people's programs.
 *
 * X3  A signature never verifies for another name, another content or another key.
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { canonical } from './canonical.ts';
import { TilsynError } from './errors.ts';
import { fromB64, toB64 } from './ids.ts';

export type SignName = 'birth' | 'challenge' | 'proof' | 'command' | 'group' | 'backup' | 'bounds' | 'slip';

/** Public keys travel as the base64url of their 32 raw bytes. */
export type PublicKeyText = string;

function message(name: SignName, record: object): Buffer {
  const { sig: _sig, ...unsigned } = record as { sig?: unknown };
  return Buffer.from(`tilsyn/${name}/v1\0${canonical(unsigned)}`, 'utf8');
}

/** The record with `sig` added. */
export function signRecord<T extends object>(name: SignName, key: KeyObject, record: T): T & { sig: string } {
  const sig = sign(null, message(name, record), key);
  return { ...record, sig: toB64(sig) };
}

/** True where `record.sig` is this key's signature for this name. Never throws. */
export function verifyRecord(name: SignName, key: PublicKeyText, record: { sig: string }): boolean {
  try {
    const sig = fromB64(record.sig, 64);
    return sig !== null && verify(null, message(name, record), publicKey(key), sig);
  } catch {
    return false;
  }
}

/** @throws TilsynError `key.unreadable` */
export function publicKey(text: PublicKeyText, curve: 'Ed25519' | 'X25519' = 'Ed25519'): KeyObject {
  if (fromB64(text, 32) === null)
    throw new TilsynError('key.unreadable', 'reading a public key: not 32 bytes');
  return createPublicKey({ key: { kty: 'OKP', crv: curve, x: text }, format: 'jwk' });
}

/** Base64url of a public or private key's 32 raw public bytes. */
export function publicText(key: KeyObject): PublicKeyText {
  const jwk = key.export({ format: 'jwk' });
  if (jwk.x === undefined) throw new TilsynError('key.unreadable', 'reading a key: not Ed25519 or X25519');
  return jwk.x;
}

/** A new Ed25519 private key. Entropy is OpenSSL's. */
export function newSigningKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

/** PEM text (PKCS 8) of a private key, for a file of mode 0600. */
export function toPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** @throws TilsynError `key.unreadable` */
export function fromPem(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new TilsynError('key.unreadable', 'reading a private key: not a PEM key', { cause });
  }
}

/**
 * What a webhook carries in `Tilsyn-Signature`: HMAC-SHA-256 over `timestamp "." body`, under a secret that the
 * receiver has too. Any language checks it in three lines.
 */
export function deliverySignature(secret: string, timestamp: string, body: string): string {
  return `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}
