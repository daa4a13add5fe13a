/**
 * Events of the vault, where recordings under a hold are copied to whose recorder deletes by itself (H6), and of held
 * recordings that were touched. Ids, counts and times; files are told by the root of their list, whose items (random name,
 * bytes, SHA-256) stay on the host.
 */
import { z } from 'zod';
import { agent } from './event-kinds.ts';
import { count, hash, policyName, word } from './event-shapes.ts';
import { id, iso } from './group.ts';

/**
 * Copies going, and gone: the words of `recordings.erasing` and `recordings.erased`, of copies and not of originals. A type
 * of its own, because an original and its copy are two files: who counts what went of a camera must not count one twice.
 */
const slice = z.strictObject({
  /** Of the original. */
  source: id,
  camera: id,
  count,
  bytes: count,
  from: iso,
  to: iso,
  slice: count,
  policy: policyName,
  version: count,
  /** Earliest due time in it (D5), of the originals (H9). */
  dueAt: iso,
  listRoot: hash,
  lateSeconds: count.nullable(),
  failed: count,
  unseen: count,
});

export const VAULT_EVENTS = {
  /** Whole, verified copies, of one batch and one hold; null: no hold covers them any more. */
  'vault.copied': agent(
    z.strictObject({ hold: id.nullable(), batch: count, count, bytes: count, listRoot: hash }),
  ),
  /** What a hold covers and is not copied, and why; told when the reason changes. */
  'vault.failed': agent(z.strictObject({ hold: id, reason: word, count, bytes: count })),
  'vault.erasing': agent(slice),
  'vault.erased': agent(slice),
  /** Held recordings that somebody else removed, cut off or replaced. `copied`: of how many the vault has a whole copy. */
  'hold.violated': agent(
    z.strictObject({
      source: id,
      camera: id.nullable(),
      hold: id,
      count,
      copied: count,
      from: iso,
      to: iso,
      reason: word,
    }),
  ),
} as const;
