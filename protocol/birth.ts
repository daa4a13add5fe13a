/**
 * Birth record of a log. Its leaf hash (without `sig`) is the `prev` of seq 1, so a log cannot change its
 * owner, agreement or ancestry afterwards.
 *
 * B1  A log is never continued after a loss: a successor is born that names its predecessor.
 * B2  A birth record is small: one over 4 KiB is no birth, whoever signed it.
 */
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { canonical, leafHash } from './canonical.ts';
import { b64, id, iso } from './group.ts';
import { signRecord, verifyRecord } from './sign.ts';

export const BIRTH_REASONS = [
  'enrolled',
  'reinstalled',
  'restored',
  'collector-restored',
  'quarantined',
  'moved',
] as const;

export const MAX_BIRTH_BYTES = 4 * 1024;

const birthShape = {
  v: z.literal(1),
  log: id,
  agent: id,
  /** Null only for the collector's own log. */
  agreement: id.nullable(),
  site: id.nullable(),
  /** Ed25519 public key of the log's owner. */
  key: b64,
  predecessor: z.looseObject({ log: id, size: z.int().min(0), head: b64.nullable() }).nullable(),
  reason: z.enum(BIRTH_REASONS),
  at: iso,
  sig: b64,
};
export interface Birth extends Omit<z.infer<z.ZodObject<typeof birthShape>>, 'predecessor'> {
  predecessor: { log: string; size: number; head: string | null } | null;
}
/** Fields of a later version stay, unread: signature and hash are over them too. */
export const birthRecord: z.ZodType<Birth> = z.looseObject(birthShape);
export type BirthReason = (typeof BIRTH_REASONS)[number];

export function signBirth(key: KeyObject, birth: Omit<Birth, 'sig'>): Birth {
  return signRecord('birth', key, birth);
}

/** True where the birth is of the allowed size (B2) and signed by the key that it names. */
export function verifyBirth(birth: Birth): boolean {
  return Buffer.byteLength(canonical(birth)) <= MAX_BIRTH_BYTES && verifyRecord('birth', birth.key, birth);
}

/** `prev` of seq 1: 32 bytes. */
export function birthHash(birth: Birth): Buffer {
  const { sig: _sig, ...unsigned } = birth;
  return leafHash(canonical(unsigned));
}
