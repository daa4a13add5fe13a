/**
 * How far back an agent may still go: what a site's earlier agreements had is not read, and what was erased of this
 * agreement is not sealed again. Two times, signed by the collector for one agent: nothing of what was erased.
 */
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { b64, id, iso } from './group.ts';
import { signRecord, verifyRecord } from './sign.ts';
import { fromIso, toIso, type UtcMs, utcMs } from './time.ts';

export interface Bounds {
  /** What ended before this belongs to an agreement that is over: it is not read. Null: there was none. */
  readFrom: UtcMs | null;
  /** What began before this was erased, or is due to be: it is told without its personal part. Null: nothing was. */
  sealFrom: UtcMs | null;
}

export const NO_BOUNDS: Bounds = { readFrom: null, sealFrom: null };

const boundsRecord = z.object({
  agent: id,
  agreement: id,
  readFrom: iso.nullable(),
  sealFrom: iso.nullable(),
  sig: b64,
});
export type SignedBounds = z.infer<typeof boundsRecord>;
/** Fields of a later version stay, unread: the signature is over them too. */
export const signedBounds: z.ZodType<SignedBounds> = z.looseObject(boundsRecord.shape);

export interface BoundsOf {
  agent: string;
  agreement: string;
}

/** Signs them with the collector's identity key. */
export function signBounds(
  identity: KeyObject,
  { agent, agreement }: BoundsOf,
  { readFrom, sealFrom }: Bounds,
): SignedBounds {
  const text = (at: UtcMs | null) => (at === null ? null : toIso(at));
  const record = { agent, agreement, readFrom: text(readFrom), sealFrom: text(sealFrom) };
  return signRecord('bounds', identity, record);
}

/** Null where they are not this collector's word to this agent. Never throws. */
export function readBounds(identityKey: string, of: BoundsOf, signed: SignedBounds): Bounds | null {
  if (signed.agent !== of.agent || signed.agreement !== of.agreement) return null;
  if (!verifyRecord('bounds', identityKey, signed)) return null;
  const at = (text: string | null) => (text === null ? null : fromIso(text));
  return { readFrom: at(signed.readFrom), sealFrom: at(signed.sealFrom) };
}

/** The later of each: nothing that was erased ever comes to be unerased. */
export function laterBounds(a: Bounds, b: Bounds): Bounds {
  return { readFrom: later(a.readFrom, b.readFrom), sealFrom: later(a.sealFrom, b.sealFrom) };
}

function later(a: UtcMs | null, b: UtcMs | null): UtcMs | null {
  if (a === null || b === null) return a ?? b;
  return utcMs(Math.max(a, b));
}
