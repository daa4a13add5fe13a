/**
 * Ids and the two text forms of bytes: ids are lower-case hex of 16 random bytes, all other binary in JSON
 * is base64url without padding. Random bytes are handed in, so that this room needs no entropy of its own.
 *
 * X4  Bytes and ids have exactly one text form; any other is refused.
 */

declare const idBrand: unique symbol;
/** 32 lower-case hex characters: 16 random bytes. `Kind` keeps one sort of id from standing in for another. */
export type Id<Kind extends string = string> = string & { readonly [idBrand]: Kind };

export type AgentId = Id<'agent'>;
export type LogId = Id<'log'>;
export type GroupId = Id<'group'>;
export type SessionId = Id<'session'>;
export type AgreementId = Id<'agreement'>;
export type CustomerId = Id<'customer'>;
export type SiteId = Id<'site'>;
export type PersonId = Id<'person'>;
export type TokenId = Id<'token'>;
export type SourceId = Id<'source'>;

/** Source of random bytes: `crypto.randomBytes`, or a seeded one in tests. */
export type Random = (size: number) => Buffer;

const ID = /^[0-9a-f]{32}$/;

export function isId(text: unknown): text is Id {
  return typeof text === 'string' && ID.test(text);
}

/** A new random id. */
export function newId<Kind extends string>(random: Random): Id<Kind> {
  return random(16).toString('hex') as Id<Kind>;
}

/** The 16 raw bytes of an id, as they enter every HMAC, AAD and key derivation. */
export function idBytes(id: Id): Buffer {
  return Buffer.from(id, 'hex');
}

/** The id of 16 raw bytes, as read back from a database column. */
export function idFrom<Kind extends string>(bytes: Uint8Array): Id<Kind> {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex') as Id<Kind>;
}

export function toB64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/** Decodes base64url without padding; null where the text is not exactly what `toB64` would write. */
export function fromB64(text: string, size?: number): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  if (size !== undefined && bytes.length !== size) return null;
  return bytes.toString('base64url') === text ? bytes : null;
}
