/**
 * Events of recordings. Cameras are random ids; their names lie in the sealed part of `camera.found`. Files are never
 * named: a slice is told by counts, spans and the root of its list, which stays on the host.
 */
import { z } from 'zod';
import { agent } from './event-kinds.ts';
import { count, hash, policyName, text, word } from './event-shapes.ts';
import { id, iso } from './group.ts';

/** What a recordings event is about: a source, a camera where there is one, how many, how much, which span. */
const span = {
  source: id,
  /** Null: several, or not known. */
  camera: id.nullable(),
  count,
  bytes: count.nullable(),
  /** Earliest start and latest end; null: not known. */
  from: iso.nullable(),
  to: iso.nullable(),
};
const slice = z.strictObject({
  ...span,
  slice: count,
  policy: policyName,
  version: count,
  /** Earliest due time in it (D5). */
  dueAt: iso,
  listRoot: hash,
  /** Of `recordings.erased`: how late the latest was, seconds; how many failed; how many a crash left, not seen by us. */
  lateSeconds: count.nullable(),
  failed: count,
  unseen: count,
});
const found = z.strictObject({ ...span, reason: word });
const waiting = z.strictObject({
  source: id,
  reason: word,
  count,
  bytes: count.nullable(),
  plan: id.nullable(),
  since: iso.nullable(),
});

export const RECORDING_EVENTS = {
  'camera.found': agent(
    z.strictObject({ source: id, camera: id }),
    z.strictObject({ name: text(512) }),
    'host.name',
  ),
  /** Whether a camera records sound, by the headers of one recording. */
  'camera.heard': agent(
    z.strictObject({ source: id, camera: id, sound: z.enum(['audio', 'none', 'unknown']) }),
  ),
  'recordings.erasing': agent(slice),
  'recordings.erased': agent(slice),
  'recordings.root-suspect': agent(z.strictObject({ source: id, reason: word })),
  /** A root was given up by a person: what became of the disk. */
  'recordings.retired': agent(z.strictObject({ source: id, reason: word, count })),
  'recordings.accepted': agent(z.strictObject({ source: id, reason: word })),
  'recording.missing': agent(found),
  'recording.unknown': agent(found),
  'recording.refused': agent(found),
  'sweep.waiting': agent(waiting),
  'sweep.done': agent(
    z.strictObject({
      source: id,
      erased: count,
      failed: count,
      /** Expired and still there when it ended (R8), by reason. */
      left: z.array(z.strictObject({ reason: word, count })).max(16),
    }),
  ),
} as const;
