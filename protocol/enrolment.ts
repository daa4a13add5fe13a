/**
 * The enrolment token (one string that a technician pastes) and the enrolment request and answer.
 *
 * N1  A token is useless after its use, its end or its revocation; late use is recognised for 90 days.
 * N2  Enrolment is idempotent per agent key: the same request gets the same answer and takes no second use.
 */
import { z } from 'zod';
import { birthRecord } from './birth.ts';
import { signedBounds } from './bounds.ts';
import { TilsynError } from './errors.ts';
import { MODES } from './event.ts';
import { b64, id, signedGroup } from './group.ts';
import { fromB64, toB64 } from './ids.ts';

const PREFIX = 'tilsyn1.';

export const enrolmentToken = z.object({
  v: z.literal(1),
  /** `wss://host:port` of the collector. */
  url: z.string().max(512),
  /** base64url of SHA-256(identity key, 32 raw bytes). */
  identity: b64.length(43),
  /** `pin`: base64url of SHA-256(DER of the own CA), fetched and checked; `system`: the system's roots. */
  trust: z.union([z.object({ pin: b64.length(43) }), z.literal('system')]),
  agreement: id,
  site: id,
  token: id,
  /** 256-bit secret; the collector keeps its hash only. */
  secret: b64.length(43),
});
export type EnrolmentToken = z.infer<typeof enrolmentToken>;

export function tokenText(token: EnrolmentToken): string {
  return PREFIX + toB64(Buffer.from(JSON.stringify(token)));
}

/** @throws TilsynError `token.malformed` */
export function readToken(text: string): EnrolmentToken {
  const trimmed = text.trim();
  const bytes = trimmed.startsWith(PREFIX) ? fromB64(trimmed.slice(PREFIX.length)) : null;
  try {
    if (bytes !== null) return enrolmentToken.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    // Falls through: one error for every way of being wrong, and never the text itself.
  }
  throw new TilsynError('token.malformed', 'reading the enrolment token: it is not complete', {
    hint: 'Copy the whole line that `tilsyn token create` printed; it starts with tilsyn1.',
    exit: 'usage',
  });
}

/** Body of `POST /v1/enrol`. */
export const enrolRequest = z.object({
  token: id,
  secret: b64.length(43),
  /** The agent's Ed25519 public key. */
  key: b64.length(43),
  birth: birthRecord,
  software: z.object({ version: z.string().max(32), platform: z.string().max(32), node: z.string().max(32) }),
});
export type EnrolRequest = z.infer<typeof enrolRequest>;

export const enrolAnswer = z.object({
  name: z.string().max(128),
  /** The identity key itself, base64url; its SHA-256 must be the token's. */
  identity: b64.length(43),
  generation: id,
  mode: z.enum(MODES),
  state: z.enum(['approved', 'waiting']),
  groups: z.array(signedGroup),
  /** Absent: a collector of an earlier version, which keeps no account of it. */
  bounds: signedBounds.optional(),
});
export type EnrolAnswer = z.infer<typeof enrolAnswer>;
