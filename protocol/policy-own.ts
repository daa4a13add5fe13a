/** What a policy of one's own must be beside what every policy is: it takes no name that means something else. */
import { canonical, sha256 } from './canonical.ts';
import { toB64 } from './ids.ts';
import { PACKS } from './packs.ts';
import type { Policy } from './policy.ts';

/** `other` is what a word that may not be written becomes: an erasure under it would name nothing. */
const TAKEN: ReadonlySet<string> = new Set([...Object.keys(PACKS), 'other']);

/** What is wrong with the name; null: nothing. */
export function takenName({ name }: Pick<Policy, 'name'>): string | null {
  return TAKEN.has(name) ? 'the name of a pack, or of none: choose another' : null;
}

/** What a version says, to compare it by. Absent fields and their defaults are one: it went through the schema. */
export function policyDigest(policy: Policy): string {
  return toB64(sha256(canonical(policy)));
}
